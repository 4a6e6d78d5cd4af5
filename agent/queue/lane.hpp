// SPDX-License-Identifier: Apache-2.0
// The lanes of a queue: what is in one overtakes what is in the next. Each has its chain of segments, its part in
// memory, and its own range of sequences, so that a sequence tells its lane. Plain values, for every thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/message.hpp"

namespace sluice::queue {

/// In the order in which they are sent. What is in `last` waits by topic: only the newest of each (latest.hpp).
enum class Lane : std::uint8_t { high, last, normal, low };
inline constexpr std::size_t lane_count = 4;
inline constexpr std::array<Lane, lane_count> all_lanes = {Lane::high, Lane::last, Lane::normal, Lane::low};

constexpr std::size_t index_of(Lane lane) {
  return static_cast<std::size_t>(lane);
}

/// In statistics, and the name of its folder.
constexpr std::string_view name_of(Lane lane) {
  constexpr std::array<std::string_view, lane_count> names = {"high", "last", "normal", "low"};
  return names[index_of(lane)];
}

/// Its sequences are the numbers above this one. They fit into SQLite's, and the highest two bits stay free.
constexpr std::uint64_t base_of(Lane lane) {
  constexpr std::array<std::uint64_t, lane_count> ranges = {1, 3, 0, 2};
  return ranges[index_of(lane)] << 60U;
}

constexpr std::uint64_t last_of(Lane lane) {
  return base_of(lane) + (std::uint64_t{1} << 60U) - 1;
}

constexpr Lane lane_of(std::uint64_t sequence) {
  constexpr std::array<Lane, 4> lanes = {Lane::normal, Lane::high, Lane::low, Lane::last};
  return lanes[sequence >> 60U & 3U];
}

constexpr Lane lane_of(const DeliveryOptions& options) {
  if (options.keep_last) return Lane::last;
  switch (options.priority) {
    case Priority::high:
      return Lane::high;
    case Priority::low:
      return Lane::low;
    default:
      return Lane::normal;
  }
}

}  // namespace sluice::queue
