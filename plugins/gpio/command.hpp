// SPDX-License-Identifier: Apache-2.0
//
// What a message asks of a line. Pure functions.
#pragma once

#include <sluice/received.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::gpio {

enum class Action : std::uint8_t { clear, set, toggle };

struct Command {
  std::string line;  // empty: the payload names none
  Action action = Action::clear;
};

// 0, 1, true, false, on, off or toggle; or one of these as {"line":…,"value":…}, where "line" may be left out. Throws
// std::invalid_argument.
Command parse_payload(std::string_view payload);

// The payload, or each sample; the sample "value" names no line.
std::vector<Command> commands_of(const ReceivedMessage& message);

std::string_view last_level(std::string_view topic);

}  // namespace sluice::gpio
