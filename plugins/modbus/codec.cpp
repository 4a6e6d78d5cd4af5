// SPDX-License-Identifier: Apache-2.0
#include "codec.hpp"

#include "registers.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <type_traits>

namespace sluice::modbus {
namespace {

template <class To, class From>
To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

// ---- Reading

double engineered(const Tag& tag, double raw) {
  const double value = raw * tag.scale + tag.offset;
  if (!tag.decimals || !std::isfinite(value)) return value;
  const double power = std::pow(10.0, *tag.decimals);
  const double rounded = std::round(value * power) / power;
  return std::isfinite(rounded) ? rounded : value;
}

bool scaled(const Tag& tag) {
  return tag.scale != 1.0 || tag.offset != 0.0 || tag.decimals.has_value();
}

template <class Integer>
Decoded whole(const Tag& tag, Integer raw) {
  if (scaled(tag)) return {engineered(tag, static_cast<double>(raw)), {}};
  if constexpr (std::is_signed_v<Integer>) return {static_cast<std::int64_t>(raw), {}};
  return {static_cast<std::uint64_t>(raw), {}};
}

Decoded real(const Tag& tag, double raw) {
  return {scaled(tag) ? engineered(tag, raw) : raw, {}};
}

Bytes gather_bytes(const Tag& tag, const std::uint16_t* words) {
  Bytes bytes;
  bytes.reserve(tag.length + 1u);
  for (unsigned i = 0; i < tag.width(); ++i) {
    const std::uint16_t word = swaps_bytes(tag.order) ? swapped(words[i]) : words[i];
    bytes.push_back(static_cast<std::uint8_t>(word >> 8));
    bytes.push_back(static_cast<std::uint8_t>(word & 255));
  }
  bytes.resize(tag.length);
  return bytes;
}

std::string text_of(const Bytes& bytes) {
  std::string text(view(bytes));
  if (const std::size_t zero = text.find('\0'); zero != std::string::npos) text.resize(zero);
  text.resize(text.find_last_not_of(' ') + 1);
  return text;
}

// ---- Writing

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument(why);
}

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.15g", value);
  return text;
}

template <class T>
std::optional<T> parsed(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Text that is a number becomes one: exactly, where it is whole.
Value as_number(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return value;
  if (const auto number = parsed<std::int64_t>(*text)) return *number;
  if (const auto number = parsed<std::uint64_t>(*text)) return *number;
  if (const auto number = parsed<double>(*text)) return *number;
  return value;
}

double number_of(const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<double>(&value)) {
    if (!std::isfinite(*number)) refuse("expected a finite number");
    return *number;
  }
  if (const auto* text = std::get_if<std::string>(&value)) refuse("expected a number, got \"" + *text + "\"");
  refuse("expected a number");
}

bool truth_of(const Value& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth;
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (*text == "true" || *text == "on" || *text == "1") return true;
    if (*text == "false" || *text == "off" || *text == "0") return false;
    refuse("expected true, false, 1 or 0, got \"" + *text + "\"");
  }
  const double number = number_of(value);
  if (number != 0 && number != 1) refuse("expected true, false, 1 or 0, got " + shown(number));
  return number == 1;
}

void check_limits(const Tag& tag, double value) {
  const std::string unit = tag.unit.empty() ? "" : " " + tag.unit;
  if (tag.minimum && value < *tag.minimum) {
    refuse("expected at least " + shown(*tag.minimum) + unit + ", got " + shown(value));
  }
  if (tag.maximum && value > *tag.maximum) {
    refuse("expected at most " + shown(*tag.maximum) + unit + ", got " + shown(value));
  }
}

template <class Integer>
[[noreturn]] void does_not_fit(const Tag& tag, const Value& value) {
  refuse("does not fit " + std::string(name_of(tag.type)) + ": expected " +
         std::to_string(std::numeric_limits<Integer>::min()) + ".." +
         std::to_string(std::numeric_limits<Integer>::max()) + (scaled(tag) ? " after scaling" : "") +
         ", got " + shown(number_of(value)));
}

// The raw integer, exact where the tag is not scaled.
template <class Integer>
Integer whole_of(const Tag& tag, const Value& value) {
  using Limits = std::numeric_limits<Integer>;
  if (!scaled(tag)) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      if constexpr (std::is_signed_v<Integer>) {
        if (*number < Limits::min() || *number > Limits::max()) does_not_fit<Integer>(tag, value);
      } else {
        if (*number < 0 || static_cast<std::uint64_t>(*number) > Limits::max())
          does_not_fit<Integer>(tag, value);
      }
      return static_cast<Integer>(*number);
    }
    if (const auto* number = std::get_if<std::uint64_t>(&value)) {
      if (*number > static_cast<std::uint64_t>(Limits::max())) does_not_fit<Integer>(tag, value);
      return static_cast<Integer>(*number);
    }
  }
  const double raw = (number_of(value) - tag.offset) / tag.scale;
  const double rounded = std::round(raw);
  if (!scaled(tag) && rounded != raw) refuse("expected a whole number, got " + shown(raw));
  // 2^63 and 2^64 are doubles, while the largest 64-bit integers are not: hence the half-open range.
  if (!(rounded >= static_cast<double>(Limits::min()) && rounded < std::ldexp(1.0, Limits::digits))) {
    does_not_fit<Integer>(tag, value);
  }
  return static_cast<Integer>(rounded);
}

template <class Integer>
Encoded encode_whole(const Tag& tag, const Value& value) {
  const auto raw = static_cast<std::make_unsigned_t<Integer>>(whole_of<Integer>(tag, value));
  if constexpr (sizeof(Integer) == 1) {
    const bool high = tag.type == Type::int8_high || tag.type == Type::uint8_high;
    const unsigned shift = high != swaps_bytes(tag.order) ? 8 : 0;
    return {{static_cast<std::uint16_t>(raw << shift)}, static_cast<std::uint16_t>(0xFF << shift)};
  } else {
    return {scatter(tag, raw)};
  }
}

Encoded encode_bcd(const Tag& tag, const Value& value) {
  const auto raw = whole_of<std::uint32_t>(tag, value);
  const std::uint32_t limit = tag.type == Type::bcd16 ? 9999 : 99999999;
  if (raw > limit)
    refuse("does not fit " + std::string(name_of(tag.type)) + ": expected 0.." + std::to_string(limit));
  return {scatter(tag, to_bcd(raw))};
}

Encoded encode_real(const Tag& tag, const Value& value) {
  const double raw = (number_of(value) - tag.offset) / tag.scale;
  if (tag.type == Type::float64) return {scatter(tag, bits_as<std::uint64_t>(raw))};
  if (tag.type == Type::float16) {
    const auto half = to_half(raw);
    if (!half) refuse("does not fit float16: " + shown(raw));
    return {scatter(tag, *half)};
  }
  if (std::fabs(raw) > static_cast<double>(std::numeric_limits<float>::max())) {
    refuse("does not fit float32: " + shown(raw));
  }
  return {scatter(tag, bits_as<std::uint32_t>(static_cast<float>(raw)))};
}

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned byte = 0;
    const char* first = text.data() + i;
    const char* last = first + std::min<std::size_t>(2, text.size() - i);
    const auto [end, error] = std::from_chars(first, last, byte, 16);
    if (error != std::errc() || end != first + 2)
      refuse("expected bytes as hexadecimal text, such as \"0a1b\"");
    bytes.push_back(static_cast<std::uint8_t>(byte));
  }
  return bytes;
}

Encoded encode_text(const Tag& tag, const Value& value) {
  Bytes bytes;
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (tag.type == Type::bytes) {
      bytes = from_hex(*text);
    } else {
      bytes.assign(text->begin(), text->end());
    }
  } else if (const auto* given = std::get_if<Bytes>(&value)) {
    bytes = *given;
  } else {
    refuse("expected text");
  }
  if (bytes.size() > tag.length) {
    refuse("expected at most " + std::to_string(tag.length) + " bytes, got " + std::to_string(bytes.size()));
  }
  if (tag.type == Type::bytes && bytes.size() != tag.length) {
    refuse("expected " + std::to_string(tag.length) + " bytes, got " + std::to_string(bytes.size()));
  }
  bytes.resize(std::size_t{tag.width()} * 2);
  Encoded out;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto word = static_cast<std::uint16_t>(bytes[i] << 8 | bytes[i + 1]);
    out.words.push_back(swaps_bytes(tag.order) ? swapped(word) : word);
  }
  return out;
}

Encoded encode_truth(const Tag& tag, const Value& value) {
  const bool truth = truth_of(value);
  if (!tag.bit) return {{static_cast<std::uint16_t>(truth ? 1 : 0)}};
  const auto mask = static_cast<std::uint16_t>(1u << *tag.bit);
  return {{static_cast<std::uint16_t>(truth ? mask : 0)}, mask};
}

}  // namespace

Decoded decode(const Tag& tag, const std::uint16_t* words) {
  if (tag.in_bits()) return {words[0] != 0, {}};
  switch (tag.type) {
    case Type::boolean:
      return {tag.bit ? (words[0] >> *tag.bit & 1) != 0 : words[0] != 0, {}};
    case Type::int8_high:
      return whole(tag, static_cast<std::int8_t>(gather(tag, words) >> 8));
    case Type::int8_low:
      return whole(tag, static_cast<std::int8_t>(gather(tag, words) & 255));
    case Type::uint8_high:
      return whole(tag, static_cast<std::uint8_t>(gather(tag, words) >> 8));
    case Type::uint8_low:
      return whole(tag, static_cast<std::uint8_t>(gather(tag, words) & 255));
    case Type::int16:
      return whole(tag, static_cast<std::int16_t>(gather(tag, words)));
    case Type::uint16:
      return whole(tag, static_cast<std::uint16_t>(gather(tag, words)));
    case Type::int32:
      return whole(tag, static_cast<std::int32_t>(gather(tag, words)));
    case Type::uint32:
      return whole(tag, static_cast<std::uint32_t>(gather(tag, words)));
    case Type::int64:
      return whole(tag, static_cast<std::int64_t>(gather(tag, words)));
    case Type::uint64:
      return whole(tag, gather(tag, words));
    case Type::float16:
      return real(tag, from_half(static_cast<std::uint16_t>(gather(tag, words))));
    case Type::float32:
      return real(tag, static_cast<double>(bits_as<float>(static_cast<std::uint32_t>(gather(tag, words)))));
    case Type::float64:
      return real(tag, bits_as<double>(gather(tag, words)));
    case Type::bcd16:
    case Type::bcd32: {
      const std::uint64_t raw = gather(tag, words);
      if (const auto value = from_bcd(raw, tag.width() * 4u)) return whole(tag, *value);
      char text[48];
      std::snprintf(text, sizeof(text), "not a BCD number: 0x%llX", static_cast<unsigned long long>(raw));
      return {{}, text};
    }
    case Type::string:
      return {text_of(gather_bytes(tag, words)), {}};
    case Type::bytes:
      return {gather_bytes(tag, words), {}};
  }
  return {{}, "unknown type"};
}

Encoded encode(const Tag& tag, const Value& value) {
  if (tag.type == Type::boolean || tag.in_bits()) return encode_truth(tag, value);
  if (tag.type == Type::string || tag.type == Type::bytes) return encode_text(tag, value);
  const Value number = as_number(value);
  check_limits(tag, number_of(number));
  switch (tag.type) {
    case Type::int8_high:
    case Type::int8_low:
      return encode_whole<std::int8_t>(tag, number);
    case Type::uint8_high:
    case Type::uint8_low:
      return encode_whole<std::uint8_t>(tag, number);
    case Type::int16:
      return encode_whole<std::int16_t>(tag, number);
    case Type::uint16:
      return encode_whole<std::uint16_t>(tag, number);
    case Type::int32:
      return encode_whole<std::int32_t>(tag, number);
    case Type::uint32:
      return encode_whole<std::uint32_t>(tag, number);
    case Type::int64:
      return encode_whole<std::int64_t>(tag, number);
    case Type::uint64:
      return encode_whole<std::uint64_t>(tag, number);
    case Type::bcd16:
    case Type::bcd32:
      return encode_bcd(tag, number);
    default:
      return encode_real(tag, number);
  }
}

}  // namespace sluice::modbus
