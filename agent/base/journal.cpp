// SPDX-License-Identifier: Apache-2.0
#define SD_JOURNAL_SUPPRESS_LOCATION  // of this file, which says nothing
#include "base/journal.hpp"

#include <sys/uio.h>
#include <systemd/sd-journal.h>

namespace sluice {
namespace {

// "input.NAME": whatever stands behind the first dot, dots included.
std::string instance_field(std::string_view part) {
  const std::size_t dot = part.find('.');
  const std::string_view kind = part.substr(0, dot);
  if (dot == std::string_view::npos || (kind != "input" && kind != "output")) return {};
  return std::string(kind == "input" ? LogField::input : LogField::output) + "=" +
         std::string(part.substr(dot + 1));
}

}  // namespace

std::vector<std::string> journal_entry(int priority, std::string_view part, std::string_view text,
                                       const std::vector<LogField>& fields) {
  const std::string name(part);
  std::vector<std::string> entry{"MESSAGE=" + name + ": " + std::string(text),
                                 "PRIORITY=" + std::to_string(priority), "SYSLOG_IDENTIFIER=sluice",
                                 "SLUICE_PART=" + name};
  if (std::string instance = instance_field(part); !instance.empty()) entry.push_back(std::move(instance));
  for (const LogField& field : fields) entry.push_back(std::string(field.name) + "=" + field.value);
  return entry;
}

void send_to_journal(const std::vector<std::string>& entry) {
  std::vector<iovec> parts;
  parts.reserve(entry.size());
  for (const std::string& field : entry) {
    parts.push_back(
        {const_cast<char*>(field.data()), field.size()});  // iovec knows no const; nothing is written
  }
  sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace sluice
