// SPDX-License-Identifier: Apache-2.0
//
// Numbers as registers hold them: byte orders, floats of 16 bits, BCD. Pure functions.
#pragma once

#include "tag.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace sluice::modbus {

constexpr bool swaps_bytes(ByteOrder order) {
  return order == ByteOrder::badc || order == ByteOrder::dcba;
}
constexpr std::uint16_t swapped(std::uint16_t word) {
  return static_cast<std::uint16_t>(word >> 8 | word << 8);
}

// The tag.width() registers as one number, brought into the order ABCD; and back.
std::uint64_t gather(const Tag& tag, const std::uint16_t* words);
std::vector<std::uint16_t> scatter(const Tag& tag, std::uint64_t raw);

// IEEE 754 binary16. Rounds to the nearest that it has; nothing where the value is too large.
double from_half(std::uint16_t half);
std::optional<std::uint16_t> to_half(double value);

// Four bits a digit; nothing where one is above 9.
std::optional<std::uint64_t> from_bcd(std::uint64_t raw, unsigned digits);
std::uint64_t to_bcd(std::uint64_t value);

}  // namespace sluice::modbus
