// SPDX-License-Identifier: Apache-2.0
#include "base/base64.hpp"

#include <array>
#include <cstdint>

namespace sluice {
namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 64;

constexpr std::array<std::uint8_t, 256> values = [] {
  std::array<std::uint8_t, 256> all{};
  all.fill(no_digit);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    all[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
  }
  return all;
}();

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned group = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    out += digits[group >> 18U];
    out += digits[group >> 12U & 63U];
    out += i + 1 < bytes.size() ? digits[group >> 6U & 63U] : '=';
    out += i + 2 < bytes.size() ? digits[group & 63U] : '=';
  }
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::string_view data = text.substr(0, text.size() - padding);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  unsigned group = 0;
  unsigned bits = 0;
  for (const char digit : data) {
    const std::uint8_t value = values[static_cast<unsigned char>(digit)];
    if (value == no_digit) return std::nullopt;
    group = (group << 6U | value) & 0xFFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xFFU);
  }
  if ((group & ((1U << bits) - 1U)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace sluice
