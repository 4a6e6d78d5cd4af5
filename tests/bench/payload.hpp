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

/// Nothing: it is not one of these.
inline std::optional<Content> read_payload(std::string_view payload) {
  const auto value = payload.find(R"("value":)");
  if (payload.substr(0, 7) != R"({"ts":")" || value == std::string_view::npos) return std::nullopt;
  Content content;
  std::from_chars(payload.data() + value + 8, payload.data() + payload.size(), content.number);
  std::tm parts{};
  const std::string time(payload.substr(7, 40));
  const char* rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  content.time_ns = std::int64_t{1'000'000'000} * timegm(&parts);
  if (*rest == '.') {
    std::int64_t unit = 100'000'000;
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, unit /= 10) content.time_ns += unit * (*rest - '0');
  }
  return content;
}

}  // namespace sluice::bench
