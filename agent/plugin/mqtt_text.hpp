// SPDX-License-Identifier: Apache-2.0
// The rules that MQTT 5 has for text and topics (sections 1.5.4 and 4.7). Pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::plugin {

/// The longest text that an MQTT packet can hold, topics included.
constexpr std::size_t max_text_bytes = 65535;

/// Why `text` cannot be a topic name, as in "has a wildcard"; null: it can.
const char* topic_fault(std::string_view text);

/// The same for a text of an MQTT packet.
const char* text_fault(std::string_view text);

}  // namespace sluice::plugin
