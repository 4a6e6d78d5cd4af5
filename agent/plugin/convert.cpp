// SPDX-License-Identifier: Apache-2.0
#include "plugin/convert.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/utf8.hpp"
#include "plugin/abi.hpp"
#include "plugin/mqtt_text.hpp"

namespace sluice::plugin {
namespace {

constexpr std::array<std::string_view, 7> reserved_names = {"ts", "quality", "error",   "encoding",
                                                            "id", "time",    "replayed"};
constexpr const char* null_span = "is NULL and has a size";
constexpr const char* no_utf8 = "is not UTF-8";
constexpr const char* bad_size = "has a size that is not within its stride";
// Up to here comparing each with each is faster than sorting.
constexpr std::size_t few_samples = 24;

Fault broken(const char* field, const char* rule) {
  return {field, rule, {}};
}

// Text that travels in an MQTT packet of its own.
Fault convert_mqtt_text(const sluice_str& from, const char* field, std::string& to) {
  if (from.size == 0) return {};
  if (!readable(from)) return broken(field, null_span);
  if (const char* fault = text_fault(view(from))) return broken(field, fault);
  to = view(from);
  return {};
}

Fault convert_value(const sluice_value& from, Value& to) {
  if (from.reserved != 0) return broken("value", "has `reserved` set");
  switch (from.type) {
    case SLUICE_NONE:
      return {};
    case SLUICE_BOOL:
      if (from.as.boolean != 0 && from.as.boolean != 1)
        return broken("value", "is a boolean that is not 0 or 1");
      to = from.as.boolean == 1;
      return {};
    case SLUICE_INT64:
      to = from.as.i64;
      return {};
    case SLUICE_UINT64:
      to = from.as.u64;
      return {};
    case SLUICE_DOUBLE:
      to = from.as.f64;
      return {};
    case SLUICE_STRING:
    case SLUICE_BYTES:
      if (!readable(from.as.text)) return broken("value", null_span);
      if (from.type == SLUICE_STRING) {
        to.emplace<std::string>(view(from.as.text));
      } else {
        to.emplace<Bytes>(Bytes{std::string(view(from.as.text))});
      }
      return {};
    default:
      return broken("value", "is of a type that is unknown, or for settings only");
  }
}

Fault convert_sample(const sluice_sample& from, Sample& to) {
  if (!readable(from.name)) return broken("name", null_span);
  const std::string_view name = view(from.name);
  if (name.empty()) return broken("name", "is empty");
  if (!is_utf8(name)) return broken("name", no_utf8);
  if (std::find(reserved_names.begin(), reserved_names.end(), name) != reserved_names.end()) {
    return broken("name", "is one of ts, quality, error, encoding, id, time");
  }
  to.name = name;
  if (from.quality > SLUICE_BAD) return broken("quality", "is unknown");
  to.quality = static_cast<Quality>(from.quality);
  if (Fault fault = convert_text(from.error, "error", to.error)) return fault;
  return convert_value(from.value, to.value);
}

// The index of a sample that has the name of one before it; the count: there is none.
std::size_t find_duplicate(const std::vector<Sample>& samples) {
  const std::size_t count = samples.size();
  if (count <= few_samples) {
    for (std::size_t i = 1; i < count; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (samples[i].name == samples[j].name) return i;
      }
    }
    return count;
  }
  std::vector<std::pair<std::string_view, std::size_t>> names;
  names.reserve(count);
  for (std::size_t i = 0; i < count; ++i) names.emplace_back(samples[i].name, i);
  std::sort(names.begin(), names.end());
  const auto same = std::adjacent_find(names.begin(), names.end(),
                                       [](const auto& a, const auto& b) { return a.first == b.first; });
  return same == names.end() ? count : (same + 1)->second;
}

// The other clock's reading at the moment `at` of this one; false: out of range.
bool carry_over(std::int64_t at, std::int64_t now, std::int64_t other_now, std::int64_t& other) {
  std::int64_t age = 0;
  return !__builtin_sub_overflow(now, at, &age) && !__builtin_sub_overflow(other_now, age, &other);
}

Fault convert_time(const sluice_message& from, const Stamp& now, Time& to) {
  to = {now.wall_ns, now.monotonic_ns, now.boot, TimeKind::host, TimeMark::plain};
  switch (from.time_kind) {
    case SLUICE_TIME_NOW:
      return {};
    case SLUICE_TIME_DEVICE:
      to.kind = TimeKind::device;
      to.wall_ns = from.time_ns;
      return {};
    case SLUICE_TIME_HOST_MONOTONIC:
      to.monotonic_ns = from.time_ns;
      if (from.time_ns < 0 || !carry_over(from.time_ns, now.monotonic_ns, now.wall_ns, to.wall_ns)) {
        return broken("time_ns", "is out of range");
      }
      return {};
    case SLUICE_TIME_HOST_WALL:
      to.wall_ns = from.time_ns;
      if (!carry_over(from.time_ns, now.wall_ns, now.monotonic_ns, to.monotonic_ns)) {
        return broken("time_ns", "is out of range");
      }
      // Before this boot, or by a clock that has been set since: the monotonic clock says nothing about it.
      if (to.monotonic_ns < 0) {
        to.monotonic_ns = 0;
        to.boot = 0;
      }
      return {};
    default:
      return broken("time_kind", "is unknown");
  }
}

Fault convert_properties(const sluice_array& array, std::vector<Property>& properties) {
  if (const char* fault = array_fault<sluice_pair>(array)) return broken("user_properties", fault);
  properties.reserve(array.count);
  for (std::size_t i = 0; i < array.count; ++i) {
    sluice_pair room;
    const sluice_pair* pair = element(array, i, room);
    if (pair == nullptr) return broken("user_properties", bad_size);
    auto& [name, value] = properties.emplace_back();
    if (Fault fault = convert_mqtt_text(pair->name, "user_properties", name)) return fault;
    if (Fault fault = convert_mqtt_text(pair->value, "user_properties", value)) return fault;
  }
  return {};
}

Fault convert_body(const sluice_message& from, Message& to) {
  if ((from.flags & SLUICE_MESSAGE_PAYLOAD) == 0) {
    if (from.payload.size != 0) return broken("payload", "is given without SLUICE_MESSAGE_PAYLOAD");
    if (from.samples.count == 0) return broken("samples", "are missing, and there is no payload");
    return convert_samples(from.samples, to.samples);
  }
  if (from.samples.count != 0) return broken("samples", "are given beside a payload");
  if (!readable(from.payload)) return broken("payload", null_span);
  to.payload = view(from.payload);
  return {};
}

Fault convert_response(const sluice_message& from, Message& to) {
  if (from.response_topic.size != 0) {
    if (!readable(from.response_topic)) return broken("response_topic", null_span);
    if (const char* fault = topic_fault(view(from.response_topic))) return broken("response_topic", fault);
    to.response_topic = view(from.response_topic);
  }
  if (!readable(from.correlation_data)) return broken("correlation_data", null_span);
  if (from.correlation_data.size > max_text_bytes) {
    return broken("correlation_data", "is longer than 65535 bytes");
  }
  to.correlation_data = view(from.correlation_data);
  return {};
}

}  // namespace

std::string to_string(const Fault& fault) {
  return fmt::format("{}{}{} {}", fault.where, fault.where.empty() ? "" : ": ", fault.field, fault.rule);
}

Fault convert_text(const sluice_str& span, const char* field, std::string& text) {
  if (!readable(span)) return broken(field, null_span);
  if (!is_utf8(view(span))) return broken(field, no_utf8);
  text = view(span);
  return {};
}

Fault convert_samples(const sluice_array& array, std::vector<Sample>& samples) {
  if (const char* fault = array_fault<sluice_sample>(array)) return broken("samples", fault);
  samples.reserve(array.count);
  for (std::size_t i = 0; i < array.count; ++i) {
    sluice_sample room;
    const sluice_sample* sample = element(array, i, room);
    Fault fault =
        sample == nullptr ? broken("sample", bad_size) : convert_sample(*sample, samples.emplace_back());
    if (fault) {
      fault.where = fmt::format("sample {}", i);
      return fault;
    }
  }
  const std::size_t duplicate = find_duplicate(samples);
  if (duplicate == samples.size()) return {};
  return {"name", "is that of another sample too", fmt::format("sample {}", duplicate)};
}

Fault Converter::set_topic(const sluice_message& emitted, Message& message) const {
  if (emitted.topic.size == 0) {
    std::string_view name;
    if (const char* fault = topic_.expand(emitted.placeholders, message.topic, name)) {
      return {"placeholder", fault, name.empty() ? "" : fmt::format("\"{}\"", name)};
    }
  } else {
    if (!readable(emitted.topic)) return broken("topic", null_span);
    message.topic = view(emitted.topic);
  }
  const char* fault = topic_fault(message.topic);
  return fault == nullptr ? Fault() : broken("topic", fault);
}

Fault Converter::convert(const sluice_message& emitted, const Stamp& now, Message& message) const {
  constexpr std::uint32_t known_flags = SLUICE_MESSAGE_PAYLOAD | SLUICE_MESSAGE_RETAIN;
  if ((emitted.flags & ~known_flags) != 0) return broken("flags", "has unknown bits");
  if (emitted.token != 0) return broken("token", "is not 0");
  if (Fault fault = set_topic(emitted, message)) return fault;
  if (Fault fault = convert_time(emitted, now, message.time)) return fault;
  if (Fault fault = convert_body(emitted, message)) return fault;
  if (Fault fault = convert_mqtt_text(emitted.content_type, "content_type", message.content_type))
    return fault;
  if (Fault fault = convert_response(emitted, message)) return fault;
  if (Fault fault = convert_properties(emitted.user_properties, message.user_properties)) return fault;
  message.input = input_;
  message.expiry = std::chrono::seconds(emitted.expiry_s);
  message.retain = (emitted.flags & SLUICE_MESSAGE_RETAIN) != 0;
  return {};
}

}  // namespace sluice::plugin
