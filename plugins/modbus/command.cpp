// SPDX-License-Identifier: Apache-2.0
#include "command.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace sluice::modbus {
namespace {

using nlohmann::json;

Value value_of(const json& from) {
  switch (from.type()) {
    case json::value_t::boolean:
      return from.get<bool>();
    case json::value_t::number_unsigned:
      return from.get<std::uint64_t>();
    case json::value_t::number_integer:
      return from.get<std::int64_t>();
    case json::value_t::number_float:
      return from.get<double>();
    case json::value_t::string:
      return from.get<std::string>();
    default:
      throw std::invalid_argument("\"value\": expected a number, text, true or false");
  }
}

// Text, or a number that stands for a unit's id.
std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return std::to_string(found->get<std::int64_t>());
  throw std::invalid_argument("\"" + std::string(key) + "\": expected text");
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Command parse_payload(std::string_view payload) {
  const std::string_view text = trimmed(payload);
  if (text.empty()) throw std::invalid_argument("expected a value, got an empty payload");
  Command command;
  if (text.front() != '{') {
    command.value = std::string(text);
    return command;
  }
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object())
    throw std::invalid_argument("expected a value or a JSON object like {\"tag\":…,\"value\":…}");
  const auto value = object.find("value");
  if (value == object.end()) throw std::invalid_argument("expected \"value\" in the JSON object");
  command.value = value_of(*value);
  command.tag = text_of(object, "tag");
  command.unit = text_of(object, "unit");
  return command;
}

TopicEnd end_of(std::string_view topic) {
  TopicEnd out;
  const std::size_t slash = topic.rfind('/');
  if (slash == std::string_view::npos) return {topic, {}};
  out.last = topic.substr(slash + 1);
  const std::string_view rest = topic.substr(0, slash);
  out.before = rest.substr(rest.rfind('/') + 1);  // npos + 1 is 0
  return out;
}

}  // namespace sluice::modbus
