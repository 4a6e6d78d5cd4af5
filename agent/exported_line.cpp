// SPDX-License-Identifier: Apache-2.0
#include "exported_line.hpp"

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/packed.hpp"
#include "base/utf8.hpp"
#include "encode/encoder.hpp"
#include "route/topic.hpp"

namespace sluice {
namespace {

using nlohmann::ordered_json;

constexpr int line_version = 1;

// As JSON, cut to what a message can show.
std::string shown(const ordered_json& value) {
  constexpr std::size_t most = 60;
  std::string text = value.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
  if (text.size() > most) text = text.substr(0, most) + "…";
  return text;
}

const ordered_json& member(const ordered_json& object, const char* key, const std::string& place) {
  const auto found = object.find(key);
  if (found == object.end()) throw BadLine(place + ": missing");
  return *found;
}

// What people read must be what is imported.
void compare(const ordered_json& line, const char* key, const ordered_json& packed) {
  const auto found = line.find(key);
  if (found == line.end() || *found == packed) return;
  throw BadLine(std::string(key) + ": expected " + shown(packed) + " as in \"packed\", got " + shown(*found) +
                "; only \"packed\" is imported");
}

}  // namespace

ordered_json packed_value(const Delivery& delivery) {
  std::string bytes;
  pack(delivery, bytes);
  std::string base64;
  append_base64(base64, bytes);
  return {{"version", line_version}, {"base64", std::move(base64)}};
}

std::string read_exported_line(std::string_view line) {
  const ordered_json parsed = ordered_json::parse(line, nullptr, false);
  if (!parsed.is_object()) {
    throw BadLine("expected a JSON object as `sluice buffer export` writes it" +
                  std::string(parsed.is_discarded() ? ", got no JSON: is the line cut short?" : ""));
  }
  if (parsed.contains("unreadable")) {
    throw BadLine("a dead letter that cannot be read: expected \"packed\"; take the line out");
  }
  const ordered_json& packed = member(parsed, "packed", "packed");
  if (!packed.is_object())
    throw BadLine("packed: expected {\"version\":…,\"base64\":…}, got " + shown(packed));
  const ordered_json& version = member(packed, "version", "packed.version");
  if (version != line_version) {
    throw BadLine("packed.version: expected " + std::to_string(line_version) + ", got " + shown(version) +
                  ": it needs a later version of Sluice");
  }
  const ordered_json& base64 = member(packed, "base64", "packed.base64");
  if (!base64.is_string()) throw BadLine("packed.base64: expected a string, got " + shown(base64));
  const auto& text = base64.get_ref<const std::string&>();
  const Delivery delivery = read_packed(text);
  compare(parsed, "topic", delivery.topic());
  compare(parsed, "ts", encode::rfc3339(delivery.message->time.wall_ns));
  compare(parsed, "input", delivery.message->input);
  compare(parsed, "qos", delivery.options.qos);
  compare(parsed, "retain", delivery.options.retain || delivery.message->retain);
  return text;
}

Delivery read_packed(std::string_view base64) {
  const std::optional<std::string> bytes = from_base64(base64);
  if (!bytes) throw BadLine("packed.base64: expected base64 (RFC 4648, padded)");
  Delivery delivery;
  try {
    delivery = unpack(*bytes);
  } catch (const UnpackError& error) {
    throw BadLine("packed.base64: expected a stored message: " + std::string(error.what()));
  }
  std::string why;
  if (!route::valid_topic(delivery.topic(), &why)) {
    throw BadLine("packed.base64: topic: expected a valid one: " + why);
  }
  if (!is_utf8(delivery.message->input)) throw BadLine("packed.base64: input: expected UTF-8");
  return delivery;
}

}  // namespace sluice
