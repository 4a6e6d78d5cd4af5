// SPDX-License-Identifier: Apache-2.0
//
// What was measured: a value of one of seven types, and a sample, which is a value with a name and a quality.
// Plain data, owned by whoever holds it.
#pragma once

#include <sluice/abi.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {
inline namespace v1 {

using Bytes = std::vector<std::uint8_t>;

// The alternatives stand in the order of SLUICE_NONE ... SLUICE_BYTES. monostate: no value could be read.
using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Bytes>;

enum class Quality : std::uint32_t { Good = SLUICE_GOOD, Stale = SLUICE_STALE, Bad = SLUICE_BAD };

struct Sample {
  std::string name;
  Value value;
  Quality quality = Quality::Good;
  std::string error;  // why the quality is not good
};

inline std::string_view view(const Bytes& bytes) noexcept {
  return bytes.empty() ? std::string_view()
                       : std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

namespace abi {

inline sluice_value value_of(std::uint32_t type) noexcept {
  sluice_value out{};
  out.type = type;
  return out;
}

inline sluice_value text_of(std::uint32_t type, std::string_view text) noexcept {
  sluice_value out = value_of(type);
  out.as.text = borrow(text);
  return out;
}

// `from` as the ABI has it; text and bytes are borrowed. Takes every arithmetic type, everything that
// converts to std::string_view, Bytes, Value, and monostate or nullptr for "no value".
template <class T>
sluice_value to_c(const T& from) noexcept {
  if constexpr (std::is_same_v<T, Value>) {
    return std::visit([](const auto& held) { return to_c(held); }, from);
  } else if constexpr (std::is_same_v<T, std::monostate> || std::is_same_v<T, std::nullptr_t>) {
    return value_of(SLUICE_NONE);
  } else if constexpr (std::is_same_v<T, bool>) {
    sluice_value out = value_of(SLUICE_BOOL);
    out.as.boolean = from ? 1 : 0;
    return out;
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    sluice_value out = value_of(SLUICE_INT64);
    out.as.i64 = from;
    return out;
  } else if constexpr (std::is_integral_v<T>) {
    sluice_value out = value_of(SLUICE_UINT64);
    out.as.u64 = from;
    return out;
  } else if constexpr (std::is_floating_point_v<T>) {
    sluice_value out = value_of(SLUICE_DOUBLE);
    out.as.f64 = static_cast<double>(from);
    return out;
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return text_of(SLUICE_BYTES, v1::view(from));
  } else {
    static_assert(std::is_convertible_v<const T&, std::string_view>,
                  "a value is a bool, a number, text, sluice::Bytes or sluice::Value");
    return text_of(SLUICE_STRING, std::string_view(from));
  }
}

inline bool is_text(const sluice_value& value) noexcept {
  return value.type == SLUICE_STRING || value.type == SLUICE_BYTES;
}

// An owned copy. Types of settings, and unknown ones, become monostate.
inline Value to_value(const sluice_value& from) {
  switch (from.type) {
    case SLUICE_BOOL:
      return Value(std::in_place_type<bool>, from.as.boolean != 0);
    case SLUICE_INT64:
      return Value(std::in_place_type<std::int64_t>, from.as.i64);
    case SLUICE_UINT64:
      return Value(std::in_place_type<std::uint64_t>, from.as.u64);
    case SLUICE_DOUBLE:
      return Value(std::in_place_type<double>, from.as.f64);
    case SLUICE_STRING:
      return Value(std::in_place_type<std::string>, view(from.as.text));
    case SLUICE_BYTES: {
      const std::string_view bytes = view(from.as.text);
      return Value(std::in_place_type<Bytes>, bytes.begin(), bytes.end());
    }
    default:
      return Value();
  }
}

}  // namespace abi
}  // namespace v1
}  // namespace sluice
