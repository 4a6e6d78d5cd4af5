// SPDX-License-Identifier: Apache-2.0
//
// A tag: one value of a Modbus unit, where it lies and how its registers are read. Plain data, without input or output.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::modbus {

// The four tables of a unit, each with the function code that reads it.
enum class Kind : std::uint8_t { coil = 1, discrete = 2, holding = 3, input = 4 };

enum class Type : std::uint8_t {
  boolean,
  int8_high,  // of one register
  int8_low,
  uint8_high,
  uint8_low,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  uint64,
  float16,
  float32,
  float64,
  bcd16,
  bcd32,
  string,
  bytes
};

// How the bytes of a value stand in its registers. A is the most significant byte, and each pair is one register as the
// protocol sends it. For 64 bits the letters go on in the same way: CDAB is GH EF CD AB.
enum class ByteOrder : std::uint8_t { abcd, badc, cdab, dcba };

struct Tag {
  std::string name;
  Kind kind = Kind::holding;
  std::uint16_t address = 0;  // as sent: from 0
  Type type = Type::uint16;
  std::optional<std::uint8_t> bit;  // of one register, 0 the least significant; type is boolean then
  std::uint16_t length = 0;         // string and bytes: in bytes
  ByteOrder order = ByteOrder::abcd;
  double scale = 1.0;  // published: raw * scale + offset
  double offset = 0.0;
  std::optional<int> decimals;
  std::string unit;  // of the value, such as "kWh"
  bool writable = false;
  bool write_multiple = false;  // functions 15 and 16 also for a single value
  bool read_back = true;        // after a write
  std::optional<double> minimum;
  std::optional<double> maximum;

  // Coils and discrete inputs are counted in bits, the others in registers.
  bool in_bits() const { return kind == Kind::coil || kind == Kind::discrete; }
  // How many bits or registers it takes.
  std::uint16_t width() const;
  std::uint32_t end() const { return std::uint32_t{address} + width(); }
};

// The words of the configuration; nothing for others.
std::optional<Kind> parse_kind(std::string_view word);
std::optional<Type> parse_type(std::string_view word);
std::optional<ByteOrder> parse_order(std::string_view word);
const char* name_of(Kind kind);
const char* name_of(Type type);

// The notation of many manuals: "40001" or "400001" is the first holding register, 3 stands for input registers, 1 for
// discrete inputs, 0 for coils. Nothing where it is none.
struct Reference {
  Kind kind;
  std::uint16_t address;  // from 0
};
std::optional<Reference> parse_reference(std::string_view text);

}  // namespace sluice::modbus
