// SPDX-License-Identifier: Apache-2.0
// Entries of the journal (sd_journal_sendv(3)), with fields to filter by: journalctl SLUICE_INPUT=boiler. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// What a line of the log is about, beside its text.
struct LogField {
  /// Names of instances; a route has a number, "3" for the third of the configuration.
  static constexpr const char* input = "SLUICE_INPUT";
  static constexpr const char* output = "SLUICE_OUTPUT";
  static constexpr const char* route = "SLUICE_ROUTE";
  /// Of MQTT, as a decimal number.
  static constexpr const char* reason_code = "SLUICE_REASON_CODE";

  const char* name;
  std::string value;
};

/// The fields of an entry as NAME=value: text, priority (as syslog(3) numbers them), part, and for an instance SLUICE_INPUT or
/// SLUICE_OUTPUT with its name.
std::vector<std::string> journal_entry(int priority, std::string_view part, std::string_view text,
                                       const std::vector<LogField>& fields);

/// Sends one to the journal. An entry that the journal does not take is gone, as nothing could be said of it.
void send_to_journal(const std::vector<std::string>& entry);

}  // namespace sluice
