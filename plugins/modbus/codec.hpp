// SPDX-License-Identifier: Apache-2.0
//
// From registers to values and back, by what a tag says of type, byte order, scale and offset. Pure functions.
#pragma once

#include "tag.hpp"

#include <sluice/value.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::modbus {

// A value, or why the registers hold none (a nibble of a BCD number above 9).
struct Decoded {
  Value value;
  std::string error;  // empty: the value is good
};

// `words` holds tag.width() registers in the order of their addresses; of a coil or discrete input one word, 0 or 1.
// Integers stay integers (int64 or uint64) unless the tag has a scale, an offset or decimals. Text ends at the first
// zero byte, and trailing spaces are left out.
Decoded decode(const Tag& tag, const std::uint16_t* words);

// What a write puts into the registers. Where `mask` is not all ones, only its bits of the single register change.
struct Encoded {
  std::vector<std::uint16_t> words;  // of a coil: 0 or 1
  std::uint16_t mask = 0xFFFF;
};

// Inverts scale and offset, and checks type, range, minimum and maximum. A number may also come as text, bytes come as
// hexadecimal text. Throws std::invalid_argument with a text for the sender.
Encoded encode(const Tag& tag, const Value& value);

}  // namespace sluice::modbus
