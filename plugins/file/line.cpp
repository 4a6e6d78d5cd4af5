// SPDX-License-Identifier: Apache-2.0
#include "line.hpp"

#include "text.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <variant>

namespace file {

namespace {

using json = nlohmann::ordered_json;

json base64_object(std::string_view bytes) {
  json object = json::object();
  object["base64"] = base64(bytes);
  return object;
}

json text(std::string_view bytes) {
  return is_utf8(bytes) ? json(std::string(bytes)) : base64_object(bytes);
}

struct JsonOf {
  json operator()(std::monostate) const { return nullptr; }
  json operator()(const std::string& value) const { return text(value); }
  json operator()(const sluice::Bytes& value) const { return base64_object(sluice::view(value)); }
  template <class Number>
  json operator()(Number value) const {
    return value;  // the library writes NaN and infinities as null
  }
};

bool is_unreal(const sluice::Value& value) {
  const double* real = std::get_if<double>(&value);
  return real != nullptr && !std::isfinite(*real);
}

std::int64_t wall_ns(const sluice::ReceivedMessage& message, const sluice::Now& now) {
  switch (message.time_kind()) {
    case sluice::TimeKind::Device:
    case sluice::TimeKind::HostWall:
      return message.time_ns();
    case sluice::TimeKind::HostMonotonic:
      return now.wall_ns - (now.monotonic_ns - message.time_ns());
    default:
      return now.wall_ns;
  }
}

void add_samples(const sluice::ReceivedMessage& message, json& to) {
  json samples = json::object();
  json quality = json::object();
  json error = json::object();
  for (const sluice::SampleView& sample : message.samples()) {
    const std::string name(sample.name());
    const sluice::Value value = sample.value();
    samples[name] = std::visit(JsonOf{}, value);
    if (sample.quality() == sluice::Quality::Bad || is_unreal(value)) {
      quality[name] = "bad";
    } else if (sample.quality() == sluice::Quality::Stale) {
      quality[name] = "stale";
    }
    if (!sample.error().empty()) error[name] = text(sample.error());
  }
  to["samples"] = std::move(samples);
  if (!quality.empty()) to["quality"] = std::move(quality);
  if (!error.empty()) to["error"] = std::move(error);
}

}  // namespace

std::string line_of(const sluice::ReceivedMessage& message, const sluice::Now& now) {
  json line = json::object();
  line["topic"] = std::string(message.topic());
  line["ts"] = rfc3339(wall_ns(message, now));
  if (message.has_payload()) {
    line["payload"] = text(message.payload());
  } else {
    add_samples(message, line);
  }
  if (!message.content_type().empty()) line["content_type"] = text(message.content_type());
  if (!message.response_topic().empty()) line["response_topic"] = text(message.response_topic());
  if (!message.correlation_data().empty()) line["correlation_data"] = text(message.correlation_data());
  if (!message.properties().empty()) {
    json& properties = line["properties"] = json::array();
    for (const sluice::Property& one : message.properties()) {
      properties.push_back(json::array({text(one.name), text(one.value)}));
    }
  }
  if (message.retained()) line["retain"] = true;
  // Names of samples and topics are text already; should one not be, its bad bytes are replaced.
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

}  // namespace file
