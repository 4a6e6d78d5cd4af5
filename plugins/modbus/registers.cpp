// SPDX-License-Identifier: Apache-2.0
#include "registers.hpp"

#include <cmath>
#include <limits>

namespace sluice::modbus {
namespace {

constexpr bool low_word_first(ByteOrder order) {
  return order == ByteOrder::cdab || order == ByteOrder::dcba;
}

}  // namespace

std::uint64_t gather(const Tag& tag, const std::uint16_t* words) {
  const unsigned count = tag.width();
  std::uint64_t raw = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::uint16_t word = words[low_word_first(tag.order) ? count - 1 - i : i];
    raw = raw << 16 | (swaps_bytes(tag.order) ? swapped(word) : word);
  }
  return raw;
}

std::vector<std::uint16_t> scatter(const Tag& tag, std::uint64_t raw) {
  const unsigned count = tag.width();
  std::vector<std::uint16_t> words(count);
  for (unsigned i = 0; i < count; ++i) {
    const auto word = static_cast<std::uint16_t>(raw >> (16 * (count - 1 - i)));
    words[low_word_first(tag.order) ? count - 1 - i : i] = swaps_bytes(tag.order) ? swapped(word) : word;
  }
  return words;
}

double from_half(std::uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int fraction = half & 1023;
  double magnitude = 0;
  if (exponent == 31) {
    magnitude =
        fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  } else if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else {
    magnitude = std::ldexp(1024 + fraction, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

std::optional<std::uint16_t> to_half(double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double magnitude = std::fabs(value);
  if (magnitude >= 65520) return std::nullopt;
  if (magnitude < std::ldexp(1, -14)) {
    return static_cast<std::uint16_t>(sign + std::lrint(std::ldexp(magnitude, 24)));
  }
  int exponent = 0;
  const double fraction = std::frexp(magnitude, &exponent);  // 0.5 <= fraction < 1
  // A fraction that rounds up to 2048 carries into the exponent, as it should.
  const long mantissa = std::lrint(std::ldexp(fraction, 11)) - 1024;
  return static_cast<std::uint16_t>(sign + (static_cast<long>(exponent + 14) << 10) + mantissa);
}

std::optional<std::uint64_t> from_bcd(std::uint64_t raw, unsigned digits) {
  std::uint64_t value = 0;
  for (unsigned i = digits; i-- > 0;) {
    const std::uint64_t digit = raw >> (4 * i) & 15;
    if (digit > 9) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

std::uint64_t to_bcd(std::uint64_t value) {
  std::uint64_t raw = 0;
  for (unsigned shift = 0; value != 0; shift += 4, value /= 10) raw |= value % 10 << shift;
  return raw;
}

}  // namespace sluice::modbus
