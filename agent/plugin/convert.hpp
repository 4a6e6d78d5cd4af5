// SPDX-License-Identifier: Apache-2.0
// Messages from the form of plugin.h to ours, with every rule of plugin.h checked on the way. Constant after
// construction, for every thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/message.hpp"
#include "plugin/topic_template.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

/// The clocks, read once for all messages of a call.
struct Stamp {
  std::int64_t wall_ns = 0;
  std::int64_t monotonic_ns = 0;
  std::uint64_t boot = 0;
};

/// A rule of plugin.h that is broken. `field` and `rule` are literals: together they are its kind.
struct Fault {
  const char* field = nullptr;
  const char* rule = nullptr;
  std::string where;  ///< "sample 2"; empty: the message itself

  explicit operator bool() const { return rule != nullptr; }
};
std::string to_string(const Fault& fault);

class Converter {
 public:
  Converter(TopicTemplate topic, std::string input) : topic_(std::move(topic)), input_(std::move(input)) {}

  /// Fills the new `message` from what was emitted at `now`.
  Fault convert(const sluice_message& emitted, const Stamp& now, Message& message) const;

 private:
  Fault set_topic(const sluice_message& emitted, Message& message) const;

  const TopicTemplate topic_;
  const std::string input_;
};

/// Fills the empty `samples`.
Fault convert_samples(const sluice_array& array, std::vector<Sample>& samples);

/// The samples of a completion and of a message obey the same rules; so does its text.
Fault convert_text(const sluice_str& span, const char* field, std::string& text);

}  // namespace sluice::plugin
