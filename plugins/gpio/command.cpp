// SPDX-License-Identifier: Apache-2.0
#include "command.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace sluice::gpio {
namespace {

using nlohmann::json;

constexpr const char* expected = "expected 0, 1, true, false, on, off or toggle";

Action action_of(std::string_view word) {
  if (word == "1" || word == "true" || word == "on") return Action::set;
  if (word == "0" || word == "false" || word == "off") return Action::clear;
  if (word == "toggle") return Action::toggle;
  throw std::invalid_argument(std::string(expected) + ", got \"" + std::string(word.substr(0, 40)) + "\"");
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Command parse_payload(std::string_view payload) {
  const std::string_view text = trimmed(payload);
  if (text.empty() || text.front() != '{') return {{}, action_of(text)};
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object())
    throw std::invalid_argument("expected a JSON object like {\"line\":\"relay\",\"value\":1}");
  Command command;
  const auto value = object.find("value");
  if (value == object.end()) throw std::invalid_argument("expected \"value\" in the JSON object");
  command.action = action_of(value->is_string() ? value->get<std::string>() : value->dump());
  if (const auto line = object.find("line"); line != object.end()) {
    if (!line->is_string()) throw std::invalid_argument("\"line\": expected text");
    command.line = line->get<std::string>();
  }
  return command;
}

std::vector<Command> commands_of(const ReceivedMessage& message) {
  if (message.has_payload()) return {parse_payload(message.payload())};
  std::vector<Command> out;
  for (const SampleView& sample : message.samples()) {
    Command& command = out.emplace_back();
    if (sample.name() != "value") command.line = std::string(sample.name());
    if (const auto number = sample.number()) {
      if (*number != 0 && *number != 1) throw std::invalid_argument(expected);
      command.action = *number == 1 ? Action::set : Action::clear;
    } else {
      command.action = action_of(sample.text().value_or(""));
    }
  }
  if (out.empty()) throw std::invalid_argument(expected);
  return out;
}

std::string_view last_level(std::string_view topic) {
  return topic.substr(topic.rfind('/') + 1);
}

}  // namespace sluice::gpio
