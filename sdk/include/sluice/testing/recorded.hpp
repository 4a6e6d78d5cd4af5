// SPDX-License-Identifier: Apache-2.0
//
// What an instance under test did, as owned copies: messages emitted, messages answered, log lines, metrics, and how its
// calls ended.
#pragma once

#include <sluice/host.hpp>
#include <sluice/received.hpp>
#include <sluice/value.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace test {

// What a test waited for did not come in time; the text says what.
class TimedOut : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Emitted {
  std::string topic;  // empty: the instance's
  std::map<std::string, std::string> placeholders;
  std::vector<Sample> samples;
  std::optional<std::string> payload;
  TimeKind time_kind = TimeKind::Now;
  std::int64_t time_ns = 0;
  bool retain = false;
  std::uint32_t expiry_s = 0;
  std::string content_type;
  std::string response_topic;
  std::string correlation_data;
  std::map<std::string, std::string> user_properties;
  std::optional<std::uint64_t> cookie;  // of emit_durable

  Emitted() = default;
  explicit Emitted(const ReceivedMessage& from)
      : topic(from.topic()),
        time_kind(from.time_kind()),
        time_ns(from.time_ns()),
        retain(from.retained()),
        expiry_s(from.expiry_s()),
        content_type(from.content_type()),
        response_topic(from.response_topic()),
        correlation_data(from.correlation_data()) {
    for (const Property& pair : from.placeholders()) placeholders.emplace(pair.name, pair.value);
    for (const Property& pair : from.properties()) user_properties.emplace(pair.name, pair.value);
    for (const SampleView& view : from.samples()) {
      samples.push_back(
          Sample{std::string(view.name()), view.value(), view.quality(), std::string(view.error())});
    }
    if (from.has_payload()) payload.emplace(from.payload());
  }

  // Throws std::out_of_range where there is no sample of that name.
  const Sample& sample(std::string_view name) const { return find(samples, name); }
  // A sample's value, where it is exactly of type T, an alternative of Value; throws std::bad_variant_access otherwise.
  template <class T>
  const T& value(std::string_view name) const {
    return std::get<T>(sample(name).value);
  }
  // A sample's value, of any numeric type.
  double number(std::string_view name) const { return number_of(sample(name).value); }

  static const Sample& find(const std::vector<Sample>& samples, std::string_view name) {
    for (const Sample& sample : samples) {
      if (sample.name == name) return sample;
    }
    throw std::out_of_range("no sample " + std::string(name));
  }
  static double number_of(const Value& value) {
    return std::visit(
        [](const auto& held) -> double {
          if constexpr (std::is_arithmetic_v<std::decay_t<decltype(held)>>) return static_cast<double>(held);
          throw std::bad_variant_access();
        },
        value);
  }
};

enum class Outcome : std::uint32_t { Done = SLUICE_DONE, Retry = SLUICE_RETRY, Refused = SLUICE_REFUSED };

struct Completion {
  std::uint64_t token = 0;
  Outcome outcome = Outcome::Done;
  std::chrono::nanoseconds retry_after{0};
  std::string text;
  std::vector<Sample> samples;

  const Sample& sample(std::string_view name) const { return Emitted::find(samples, name); }
};

struct LogLine {
  Level level = Level::Info;
  std::string text;
};

struct MetricRecord {
  std::uint32_t kind = 0;  // SLUICE_COUNTER, SLUICE_GAUGE, SLUICE_HISTOGRAM
  double value = 0;  // the sum of a counter, the last value of a gauge, the number of values of a histogram
  std::vector<double> recorded;  // of a histogram
};

// How a call of the plugin ended.
struct End {
  Status status = Status::Ok;
  std::string error;  // why it failed
  bool ok() const noexcept { return status == Status::Ok; }
};

}  // namespace test
}  // namespace v1
}  // namespace sluice
