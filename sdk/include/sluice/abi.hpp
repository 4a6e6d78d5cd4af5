// SPDX-License-Identifier: Apache-2.0
//
// Reading and writing the structs of plugin.h by its rules: fields past a struct's size read as zero, arrays
// are stepped by their stride, spans are borrowed. For the other headers here; authors of plugins do not need
// it. No state: any thread.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstring>
#include <iterator>
#include <string_view>

namespace sluice {
inline namespace v1 {
namespace abi {

inline std::string_view view(sluice_str text) noexcept {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

inline sluice_str borrow(std::string_view text) noexcept {
  return sluice_str{text.data(), text.size()};
}

// The field, or zero where the struct was made before the field was thought of.
template <class Struct, class Field>
Field field(const Struct& from, Field Struct::*member) noexcept {
  const auto begin = reinterpret_cast<const char*>(&from);
  const auto at = reinterpret_cast<const char*>(&(from.*member));
  return from.size >= static_cast<std::size_t>(at - begin) + sizeof(Field) ? from.*member : Field{};
}

// An array as somebody else laid it out. T is what the elements begin with.
template <class T>
class Array {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = const T*;
    using reference = const T&;

    Iterator() = default;
    Iterator(const char* at, std::size_t stride) : at_(at), stride_(stride) {}
    reference operator*() const noexcept { return *reinterpret_cast<pointer>(at_); }
    pointer operator->() const noexcept { return reinterpret_cast<pointer>(at_); }
    Iterator& operator++() noexcept {
      at_ += stride_;
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      at_ += stride_;
      return before;
    }
    bool operator==(const Iterator& other) const noexcept { return at_ == other.at_; }
    bool operator!=(const Iterator& other) const noexcept { return at_ != other.at_; }

   private:
    const char* at_ = nullptr;
    std::size_t stride_ = 0;
  };

  Array() = default;
  explicit Array(sluice_array raw) noexcept
      : raw_(raw.data == nullptr || raw.stride == 0 ? sluice_array{} : raw) {}

  std::size_t size() const noexcept { return raw_.count; }
  bool empty() const noexcept { return raw_.count == 0; }
  const T& operator[](std::size_t index) const noexcept {
    return *reinterpret_cast<const T*>(static_cast<const char*>(raw_.data) + index * raw_.stride);
  }
  Iterator begin() const noexcept { return Iterator(static_cast<const char*>(raw_.data), raw_.stride); }
  Iterator end() const noexcept {
    return empty() ? begin()
                   : Iterator(static_cast<const char*>(raw_.data) + raw_.count * raw_.stride, raw_.stride);
  }

 private:
  sluice_array raw_{nullptr, 0, 0};
};

// Copies `from` into the caller's buffer, cut between two characters of UTF-8 where it is too long.
inline void write(sluice_text* to, std::string_view from) noexcept {
  if (to == nullptr || to->data == nullptr) return;
  std::size_t length = from.size();
  if (length > to->capacity) {
    length = to->capacity;
    while (length > 0 && (static_cast<unsigned char>(from[length]) & 0xC0u) == 0x80u) --length;
  }
  if (length > 0) std::memcpy(to->data, from.data(), length);
  to->used = length;
}

}  // namespace abi
}  // namespace v1
}  // namespace sluice
