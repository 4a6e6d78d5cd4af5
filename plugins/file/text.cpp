// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"

#include <time.h>

#include <array>
#include <cstdio>

namespace file {

bool is_utf8(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const auto first = static_cast<unsigned char>(bytes[at++]);
    if (first < 0x80) continue;
    const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
    if (first < 0xC2 || first > 0xF4 || bytes.size() - at < static_cast<std::size_t>(more)) return false;
    // The second byte alone tells overlong forms, surrogates and what is too large.
    const auto second = static_cast<unsigned char>(bytes[at]);
    const unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (second < least || second > most) return false;
    for (int i = 1; i < more; ++i) {
      if ((static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]) & 0xC0u) != 0x80u)
        return false;
    }
    at += static_cast<std::size_t>(more);
  }
  return true;
}

std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = bytes.size() - at < 3 ? bytes.size() - at : 3;
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? digits[group >> (18 - 6 * i) & 0x3Fu] : '=';
    }
  }
  return text;
}

std::string rfc3339(std::int64_t wall_ns) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  std::int64_t seconds = wall_ns / second_ns;
  std::int64_t rest = wall_ns % second_ns;
  if (rest < 0) {
    rest += second_ns;
    --seconds;
  }
  const time_t time = static_cast<time_t>(seconds);
  tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 80> text{};
  const int length = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ",
                                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                                   parts.tm_min, parts.tm_sec, static_cast<int>(rest));
  return std::string(text.data(), static_cast<std::size_t>(length));
}

}  // namespace file
