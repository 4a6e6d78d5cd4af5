// SPDX-License-Identifier: Apache-2.0
//
// What a plugin declares of one of its settings. The agent checks the configuration against it, and
// `sluice plugins NAME` prints it. Plain data, made when the library is loaded.
//
//   setting("baud").integer().range(50, 4000000).defaults(9600).unit("Bd").help("Speed of the line.")
#pragma once

#include <sluice/settings.hpp>
#include <sluice/value.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {
inline namespace v1 {

class SettingSpec {
 public:
  explicit SettingSpec(std::string_view name) : name_(name) {}

  SettingSpec& boolean() { return type(SLUICE_BOOL); }
  SettingSpec& integer() { return type(SLUICE_INT64); }
  SettingSpec& number() { return type(SLUICE_DOUBLE); }
  SettingSpec& string() { return type(SLUICE_STRING); }
  SettingSpec& duration() { return type(SLUICE_DURATION); }  // in the file "500ms"
  SettingSpec& size() { return type(SLUICE_SIZE); }          // in the file "4KiB"
  SettingSpec& table(std::vector<SettingSpec> of) { return type(SLUICE_TABLE, SLUICE_NONE, std::move(of)); }
  SettingSpec& list_of_strings() { return type(SLUICE_LIST, SLUICE_STRING); }
  SettingSpec& list_of_integers() { return type(SLUICE_LIST, SLUICE_INT64); }
  SettingSpec& list_of_numbers() { return type(SLUICE_LIST, SLUICE_DOUBLE); }
  SettingSpec& list_of_tables(std::vector<SettingSpec> of) {
    return type(SLUICE_LIST, SLUICE_TABLE, std::move(of));
  }

  // Both ends are allowed values: numbers, bytes of a size, std::chrono durations, or the length of a list.
  template <class Minimum, class Maximum>
  SettingSpec& range(Minimum minimum, Maximum maximum) {
    return at_least(minimum).at_most(maximum);
  }
  template <class T>
  SettingSpec& at_least(T minimum) {
    minimum_ = limit(minimum);
    return *this;
  }
  template <class T>
  SettingSpec& at_most(T maximum) {
    maximum_ = limit(maximum);
    return *this;
  }
  // A string, or each string of a list, must be one of them.
  SettingSpec& choices(std::vector<std::string> all) {
    choices_ = std::move(all);
    return *this;
  }

  // Of the setting's own type. A duration is a std::chrono one or "500ms", a size a number of bytes or
  // "4KiB".
  template <class T>
  SettingSpec& defaults(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      default_ = value ? "true" : "false";
    } else if constexpr (abi::is_duration<T>::value) {
      default_ = duration_text(std::chrono::duration_cast<std::chrono::nanoseconds>(value).count());
    } else if constexpr (std::is_integral_v<T>) {
      default_ = std::to_string(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      default_ = number_text(static_cast<double>(value));
    } else {
      default_ = std::string(std::string_view(value));
      default_is_text_ = true;
    }
    has_default_ = true;
    return *this;
  }
  // Of a list: as it stands in the file, such as ["a", "b"].
  SettingSpec& defaults_as_written(std::string_view text) {
    default_ = std::string(text);
    default_is_text_ = false;
    has_default_ = true;
    return *this;
  }

  SettingSpec& unit(std::string_view unit) {
    unit_ = std::string(unit);
    return *this;
  }
  SettingSpec& help(std::string_view one_sentence) {
    help_ = std::string(one_sentence);
    return *this;
  }
  SettingSpec& required() {
    flags_ |= SLUICE_REQUIRED;
    return *this;
  }
  // Never printed or logged.
  SettingSpec& secret() {
    flags_ |= SLUICE_SECRET;
    return *this;
  }

 private:
  friend class DescriptorStorage;
  // In the smallest unit: ns, bytes.
  using Limit = std::variant<std::monostate, std::int64_t, double>;

  SettingSpec& type(std::uint32_t type, std::uint32_t element = SLUICE_NONE,
                    std::vector<SettingSpec> of = {}) {
    type_ = type;
    element_type_ = element;
    children_ = std::move(of);
    return *this;
  }

  template <class T>
  static Limit limit(T value) {
    if constexpr (abi::is_duration<T>::value) {
      return Limit(std::in_place_type<std::int64_t>,
                   std::chrono::duration_cast<std::chrono::nanoseconds>(value).count());
    } else if constexpr (std::is_integral_v<T>) {
      return Limit(std::in_place_type<std::int64_t>, static_cast<std::int64_t>(value));
    } else {
      return Limit(std::in_place_type<double>, static_cast<double>(value));
    }
  }

  sluice_value limit_value(const Limit& limit) const {
    if (std::holds_alternative<std::monostate>(limit)) return abi::value_of(SLUICE_NONE);
    const bool whole = std::holds_alternative<std::int64_t>(limit);
    sluice_value out = abi::value_of(type_ == SLUICE_LIST ? std::uint32_t{SLUICE_INT64} : type_);
    if (type_ == SLUICE_DOUBLE) {
      out.as.f64 = whole ? static_cast<double>(std::get<std::int64_t>(limit)) : std::get<double>(limit);
    } else {
      const std::int64_t number =
          whole ? std::get<std::int64_t>(limit) : static_cast<std::int64_t>(std::get<double>(limit));
      if (type_ == SLUICE_SIZE) {
        out.as.u64 = static_cast<std::uint64_t>(number);
      } else {
        out.as.i64 = number;
      }
    }
    return out;
  }

  // As it would stand in the file.
  std::string default_text() const {
    if (has_default_ && !default_is_text_ && type_ == SLUICE_SIZE) return default_ + 'B';
    if (!default_is_text_ || type_ != SLUICE_STRING) return default_;
    std::string quoted = "\"";
    static constexpr char digits[] = "0123456789ABCDEF";
    for (const char c : default_) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        quoted += '\\';
        quoted += c;
      } else if (c == '\n') {
        quoted += "\\n";
      } else if (c == '\r') {
        quoted += "\\r";
      } else if (c == '\t') {
        quoted += "\\t";
      } else if (byte < 0x20 || byte == 0x7F) {
        quoted.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
      } else {
        quoted += c;
      }
    }
    return quoted + '"';
  }

  static std::string duration_text(std::int64_t ns) {
    struct Unit {
      std::int64_t ns;
      const char* name;
    };
    for (const Unit& unit : {Unit{3'600'000'000'000, "h"}, Unit{60'000'000'000, "m"},
                             Unit{1'000'000'000, "s"}, Unit{1'000'000, "ms"}, Unit{1'000, "us"}}) {
      if (ns != 0 && ns % unit.ns == 0) return std::to_string(ns / unit.ns) + unit.name;
    }
    return ns == 0 ? "0s" : std::to_string(ns) + "ns";
  }

  // The shortest text that reads back as the same number, and as a number rather than an integer.
  static std::string number_text(double value) {
    char text[40];
    for (int digits = 1; digits <= 17; ++digits) {
      std::snprintf(text, sizeof(text), "%.*g", digits, value);
      if (std::strtod(text, nullptr) == value) break;
    }
    const bool plain = std::strpbrk(text, ".eni") == nullptr;
    return plain ? std::string(text) + ".0" : std::string(text);
  }

  std::string name_;
  std::uint32_t type_ = SLUICE_STRING;
  std::uint32_t element_type_ = SLUICE_NONE;
  std::uint32_t flags_ = 0;
  std::string unit_;
  std::string default_;
  bool has_default_ = false;
  bool default_is_text_ = false;
  Limit minimum_;
  Limit maximum_;
  std::vector<std::string> choices_;
  std::string help_;
  std::vector<SettingSpec> children_;
};

inline SettingSpec setting(std::string_view name) {
  return SettingSpec(name);
}

}  // namespace v1
}  // namespace sluice
