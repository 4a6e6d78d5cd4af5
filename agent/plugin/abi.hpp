// SPDX-License-Identifier: Apache-2.0
// Reading the structs and arrays of plugin.h as they may have grown or not: never past the size that a struct
// says it has, and from element to element by the stride. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

#include "sluice/plugin.h"

namespace sluice::plugin {

/// Spans come with a size of at most this; more is a mistake, not text.
constexpr std::size_t max_span_bytes = std::numeric_limits<std::ptrdiff_t>::max();

inline bool readable(const sluice_str& span) {
  return span.size == 0 || (span.data != nullptr && span.size <= max_span_bytes);
}

/// Of a readable span.
inline std::string_view view(const sluice_str& span) {
  return span.size == 0 ? std::string_view() : std::string_view(span.data, span.size);
}

inline sluice_str span(std::string_view text) {
  return {text.data(), text.size()};
}

template <typename T>
sluice_array array_of(const T* data, std::size_t count) {
  return {data, count, sizeof(T)};
}

/// Why `array` cannot be read as elements of T, as in "has elements of 4 bytes"; null: it can.
template <typename T>
const char* array_fault(const sluice_array& array) {
  constexpr std::size_t least = std::is_same_v<T, sluice_str> ? sizeof(T) : sizeof(std::size_t);
  if (array.count == 0) return nullptr;
  if (array.data == nullptr) return "is NULL and has a count";
  if (array.stride < least) return "has a stride that is too short";
  if (array.stride % alignof(T) != 0 || reinterpret_cast<std::uintptr_t>(array.data) % alignof(T) != 0) {
    return "is not aligned";
  }
  return array.count > max_span_bytes / array.stride ? "has too many elements" : nullptr;
}

/// The struct at `at`, of which at most `limit` bytes are there: itself where it is as long as ours, else copied
/// into `room` and filled up with zeros. Null: it says a size that cannot be.
template <typename T>
const T* whole(const void* at, std::size_t limit, T& room) {
  std::size_t size = 0;
  if (at == nullptr || limit < sizeof size) return nullptr;
  std::memcpy(&size, at, sizeof size);
  if (size < sizeof size || size > limit) return nullptr;
  if (size >= sizeof(T)) return static_cast<const T*>(at);
  room = T{};
  std::memcpy(&room, at, size);
  return &room;
}

/// The element `index` of an array without a fault, as whole() answers it.
template <typename T>
const T* element(const sluice_array& array, std::size_t index, T& room) {
  const char* at = static_cast<const char*>(array.data) + index * array.stride;
  return whole(at, array.stride, room);
}

}  // namespace sluice::plugin
