// SPDX-License-Identifier: Apache-2.0
//
// What a message asks to be written. Pure functions.
#pragma once

#include <sluice/received.hpp>
#include <sluice/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace sluice::modbus {

struct Command {
  std::string unit;  // name or id; empty: whichever has the tag
  std::string tag;
  Value value;
};

// A JSON object {"tag":…,"value":…} with "unit" where tags of several units share a name; "tag" may be left out. Or
// the value alone, as text. What the payload does not name is taken from the topic: its last level is the tag, and the
// one before it the unit, where `is_unit` says that it is one. Throws std::invalid_argument.
template <class IsUnit>
Command parse_command(std::string_view topic, std::string_view payload, IsUnit is_unit);

// A payload, or samples: one for each tag by its name, where a sample "value" is for the tag that the topic names.
template <class IsUnit>
std::vector<Command> commands_of(const ReceivedMessage& message, IsUnit is_unit);

// ---- Details

// The payload alone.
Command parse_payload(std::string_view payload);

struct TopicEnd {
  std::string_view last;
  std::string_view before;  // empty: there is none
};
TopicEnd end_of(std::string_view topic);

template <class IsUnit>
void complete_from_topic(Command& command, std::string_view topic, IsUnit is_unit) {
  const TopicEnd end = end_of(topic);
  if (command.tag.empty()) command.tag = std::string(end.last);
  if (command.unit.empty() && is_unit(end.before)) command.unit = std::string(end.before);
}

template <class IsUnit>
Command parse_command(std::string_view topic, std::string_view payload, IsUnit is_unit) {
  Command command = parse_payload(payload);
  complete_from_topic(command, topic, is_unit);
  return command;
}

template <class IsUnit>
std::vector<Command> commands_of(const ReceivedMessage& message, IsUnit is_unit) {
  if (message.has_payload()) return {parse_command(message.topic(), message.payload(), is_unit)};
  std::vector<Command> out;
  for (const SampleView& sample : message.samples()) {
    Command& command = out.emplace_back();
    if (sample.name() != "value") command.tag = std::string(sample.name());
    command.value = sample.value();
    complete_from_topic(command, message.topic(), is_unit);
  }
  return out;
}

}  // namespace sluice::modbus
