// SPDX-License-Identifier: Apache-2.0
// The 100 bytes of JSON that every party of the comparison sends: a time, a number and padding, as the simulator
// makes them.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::bench {

inline constexpr std::size_t payload_bytes = 100;
inline constexpr const char* topic = "plant/line1/machine7/values";  // 27 bytes

inline std::int64_t wall_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}

inline std::string make_payload(std::uint64_t number, std::int64_t time_ns) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  const std::time_t seconds = time_ns / second_ns;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[payload_bytes + 1];
  const std::size_t used = std::strftime(text, sizeof text, R"({"ts":"%Y-%m-%dT%H:%M:%S)", &parts);
  const int length =
      std::snprintf(text + used, sizeof text - used, R"(.%09lldZ","value":%llu,"padding":")",
                    static_cast<long long>(time_ns % second_ns), static_cast<unsigned long long>(number));
  std::string payload(text, used + static_cast<std::size_t>(length));
  payload.resize(payload_bytes - 2, 'x');
  return payload += "\"}";
}

struct Content {
  std::uint64_t number = 0;
  std::int64_t time_ns = 0;
};

/// Nothing: it is not one of these. Quick, since it runs beside what is measured.
inline std::optional<Content> read_payload(std::string_view payload) {
  constexpr std::string_view before_time = R"({"ts":")";
  constexpr std::string_view before_value = R"("value":)";
  constexpr std::size_t whole_seconds = 19;  // 2026-01-31T12:00:00
  const auto value = payload.find(before_value);
  if (payload.substr(0, before_time.size()) != before_time || value == std::string_view::npos) return {};
  Content content;
  const char* const end = payload.data() + payload.size();
  std::from_chars(payload.data() + value + before_value.size(), end, content.number);

  static std::string day;  // the last one that was seen, with its first second
  static std::int64_t day_ns = 0;
  const std::string_view time = payload.substr(before_time.size(), value - before_time.size());
  if (time.size() < whole_seconds) return {};
  if (time.substr(0, 10) != day) {
    day = time.substr(0, 10);
    std::tm parts{};
    if (strptime(day.c_str(), "%Y-%m-%d", &parts) == nullptr) return {};
    day_ns = std::int64_t{1'000'000'000} * timegm(&parts);
  }
  const auto digits = [&](std::size_t at) { return (time[at] - '0') * 10 + time[at + 1] - '0'; };
  content.time_ns = day_ns + std::int64_t{1'000'000'000} * (digits(11) * 3600 + digits(14) * 60 + digits(17));
  std::int64_t unit = 100'000'000;
  for (std::size_t i = whole_seconds + 1; i < time.size() && time[i] >= '0' && time[i] <= '9';
       ++i, unit /= 10)
    content.time_ns += unit * (time[i] - '0');
  return content;
}

}  // namespace sluice::bench
