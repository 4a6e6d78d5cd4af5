// SPDX-License-Identifier: Apache-2.0
//
// The settings of an instance, read by name:
//
//   baud_ = settings["baud"].as<int>();
//   for (const Setting& tag : settings["tags"]) names_.push_back(tag["name"].as<std::string>());
//
// The agent has checked them against what the plugin declares, and filled in the defaults, before the plugin
// sees them. These are views, borrowed for the call that passes them (the constructor, validate, plan): copy
// what is needed later.
#pragma once

#include <sluice/abi.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sluice {
inline namespace v1 {

// A setting was not what the plugin took it for: a mistake in the plugin, or a value that does not fit the
// type asked for.
class SettingError : public std::runtime_error {
 public:
  SettingError(const sluice_setting* at, const std::string& place, const std::string& problem)
      : std::runtime_error(place.empty() ? problem : place + ": " + problem), at_(at), problem_(problem) {}
  // Without the place. `at` is as borrowed as the setting was.
  const std::string& problem() const noexcept { return problem_; }
  const sluice_setting* at() const noexcept { return at_; }

 private:
  const sluice_setting* at_;
  std::string problem_;
};

namespace abi {
template <class T>
struct is_duration : std::false_type {};
template <class Rep, class Period>
struct is_duration<std::chrono::duration<Rep, Period>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};
}  // namespace abi

// A setting, a table of settings, a list, or a setting that is not there.
class Setting {
 public:
  class Iterator {
   public:
    explicit Iterator(abi::Array<sluice_setting>::Iterator at) noexcept : at_(at) {}
    Setting operator*() const noexcept { return Setting(&*at_); }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator& other) const noexcept { return at_ == other.at_; }
    bool operator!=(const Iterator& other) const noexcept { return at_ != other.at_; }

   private:
    abi::Array<sluice_setting>::Iterator at_;
  };

  explicit Setting(const sluice_setting* raw) noexcept : raw_(raw), parent_(raw) {}

  // The setting of that name in this table. It may be absent (neither given nor with a default): then has()
  // says so, value_or() answers its argument, a loop over it runs never, and as() throws.
  Setting operator[](std::string_view key) const noexcept {
    if (raw_ != nullptr) {
      for (const sluice_setting& child : children()) {
        if (abi::view(abi::field(child, &sluice_setting::key)) == key) return Setting(&child);
      }
    }
    return Setting(nullptr, parent_, key);
  }
  // The element of a list.
  Setting operator[](std::size_t index) const {
    if (index >= size()) fail("there is no element " + std::to_string(index));
    return Setting(&children()[index]);
  }
  bool has(std::string_view key) const noexcept { return (*this)[key].present(); }
  bool present() const noexcept { return raw_ != nullptr; }

  // bool, any integer, float, double, std::string, std::string_view (borrowed), any std::chrono::duration
  // (what is finer than it is cut off), or a std::vector of those. A size in bytes reads as an integer; a
  // duration only as a duration. Throws SettingError.
  template <class T>
  T as() const {
    if constexpr (abi::is_vector<T>::value) {
      T out;
      if (value().type != SLUICE_LIST) wrong("a list");
      for (const Setting& element : *this) out.push_back(element.template as<typename T::value_type>());
      return out;
    } else {
      return scalar<T>(value());
    }
  }
  template <class T>
  T value_or(T otherwise) const {
    return present() ? as<T>() : otherwise;
  }
  std::string value_or(const char* otherwise) const { return value_or<std::string>(otherwise); }
  // A size.
  std::uint64_t as_bytes() const {
    if (value().type != SLUICE_SIZE) wrong("a size");
    return value().as.u64;
  }

  // The settings of a table, or the elements of a list, in the order of the file.
  Iterator begin() const noexcept { return Iterator(children().begin()); }
  Iterator end() const noexcept { return Iterator(children().end()); }
  std::size_t size() const noexcept { return children().size(); }
  bool empty() const noexcept { return size() == 0; }

  std::string_view key() const noexcept {
    return raw_ == nullptr ? key_ : abi::view(abi::field(*raw_, &sluice_setting::key));
  }
  // "sluice.toml:42: input "line1": baud", for messages. Of an absent setting, where it is missing.
  std::string place() const {
    if (raw_ != nullptr) return std::string(abi::view(abi::field(*raw_, &sluice_setting::place)));
    std::string place(parent_ == nullptr ? "" : abi::view(abi::field(*parent_, &sluice_setting::place)));
    return place.append(place.empty() ? "" : ": ").append(key_);
  }
  // SLUICE_BOOL ... SLUICE_LIST; SLUICE_NONE where absent.
  std::uint32_t type() const noexcept { return raw_ == nullptr ? std::uint32_t{SLUICE_NONE} : value().type; }
  // NULL where absent.
  const sluice_setting* raw() const noexcept { return raw_; }
  // The nearest setting that is there: this, or the table that lacks it.
  const sluice_setting* nearest() const noexcept { return parent_; }

  [[noreturn]] void fail(const std::string& problem) const { throw SettingError(parent_, place(), problem); }

 private:
  Setting(const sluice_setting* raw, const sluice_setting* parent, std::string_view key) noexcept
      : raw_(raw), parent_(parent), key_(key) {}

  abi::Array<sluice_setting> children() const noexcept {
    return raw_ == nullptr ? abi::Array<sluice_setting>()
                           : abi::Array<sluice_setting>(abi::field(*raw_, &sluice_setting::children));
  }

  sluice_value value() const noexcept {
    return raw_ == nullptr ? sluice_value{} : abi::field(*raw_, &sluice_setting::value);
  }

  [[noreturn]] void wrong(const char* expected) const {
    static constexpr const char* names[] = {"nothing",  "a boolean", "an integer", "an integer",
                                            "a number", "text",      "bytes",      "a duration",
                                            "a size",   "a table",   "a list"};
    const std::uint32_t found = type();
    const std::string name = found < sizeof(names) / sizeof(names[0]) ? names[found] : "an unknown type";
    fail(std::string("expected ") + expected + ", got " + name);
  }

  template <class T>
  T scalar(const sluice_value& value) const {
    if constexpr (std::is_same_v<T, bool>) {
      if (value.type != SLUICE_BOOL) wrong("a boolean");
      return value.as.boolean != 0;
    } else if constexpr (abi::is_duration<T>::value) {
      if (value.type != SLUICE_DURATION) wrong("a duration");
      return std::chrono::duration_cast<T>(std::chrono::nanoseconds(value.as.i64));
    } else if constexpr (std::is_integral_v<T>) {
      return integer<T>(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (value.type == SLUICE_INT64) return static_cast<T>(value.as.i64);
      if (value.type == SLUICE_UINT64) return static_cast<T>(value.as.u64);
      if (value.type != SLUICE_DOUBLE) wrong("a number");
      return static_cast<T>(value.as.f64);
    } else {
      static_assert(std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>,
                    "a setting is a bool, an integer, a number, text, a duration, or a std::vector of those");
      if (value.type != SLUICE_STRING) wrong("text");
      return T(abi::view(value.as.text));
    }
  }

  template <class T>
  T integer(const sluice_value& value) const {
    using Limits = std::numeric_limits<T>;
    bool fits = false;
    if (value.type == SLUICE_INT64) {
      if constexpr (std::is_signed_v<T>) {
        fits = value.as.i64 >= Limits::min() && value.as.i64 <= Limits::max();
      } else {
        fits = value.as.i64 >= 0 && static_cast<std::uint64_t>(value.as.i64) <= Limits::max();
      }
    } else if (value.type == SLUICE_UINT64 || value.type == SLUICE_SIZE) {
      fits = value.as.u64 <= static_cast<std::uint64_t>(Limits::max());
    } else {
      wrong("an integer");
    }
    const std::string text =
        value.type == SLUICE_INT64 ? std::to_string(value.as.i64) : std::to_string(value.as.u64);
    if (!fits) {
      fail("expected " + std::to_string(Limits::min()) + ".." + std::to_string(Limits::max()) + ", got " +
           text);
    }
    return value.type == SLUICE_INT64 ? static_cast<T>(value.as.i64) : static_cast<T>(value.as.u64);
  }

  const sluice_setting* raw_;     // NULL where absent
  const sluice_setting* parent_;  // itself, or the table it is missing from
  std::string_view key_;          // of an absent one; borrowed from the caller of operator[]
};

using Settings = Setting;

// Where validate and plan say what they found. For the call only.
class Report {
 public:
  explicit Report(const sluice_report* raw) noexcept : raw_(raw) {}
  // A setting that cannot work, and what would. The agent adds the place. Report all problems, not only the
  // first.
  void problem(const Setting& at, std::string_view text) { problem(at.nearest(), text); }
  void problem(const sluice_setting* at, std::string_view text) {
    if (SLUICE_HAS(raw_, problem)) raw_->problem(raw_->self, at, abi::borrow(text));
  }
  // A line of the plan.
  void line(std::string_view text) {
    if (SLUICE_HAS(raw_, line)) raw_->line(raw_->self, abi::borrow(text));
  }

 private:
  const sluice_report* raw_;
};

}  // namespace v1
}  // namespace sluice
