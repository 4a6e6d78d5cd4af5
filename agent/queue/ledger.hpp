// SPDX-License-Identifier: Apache-2.0
// How committed messages leave a queue, counted. Plain values, for every thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::queue {

/// The ways out. The numbers are the columns of the files: only ever appended to.
enum class Way : std::uint8_t {
  acknowledged,
  dead_lettered,
  expired,
  dropped_by_size,
  dropped_by_age,
  dropped_by_user,
  superseded,
  quarantined,
};
inline constexpr std::size_t way_count = 8;

constexpr std::string_view name_of(Way way) {
  constexpr std::array<std::string_view, way_count> names = {
      "acknowledged",   "dead_lettered",   "expired",    "dropped_by_size",
      "dropped_by_age", "dropped_by_user", "superseded", "quarantined"};
  return names[static_cast<std::size_t>(way)];
}

/// Rows committed, and rows gone by each way.
struct Counts {
  std::uint64_t committed = 0;
  std::array<std::uint64_t, way_count> ways{};

  std::uint64_t& operator[](Way way) { return ways[static_cast<std::size_t>(way)]; }
  std::uint64_t operator[](Way way) const { return ways[static_cast<std::size_t>(way)]; }

  std::uint64_t gone() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : ways) sum += count;
    return sum;
  }
  std::uint64_t stored() const { return committed - gone(); }

  Counts& operator+=(const Counts& other) {
    committed += other.committed;
    for (std::size_t i = 0; i < way_count; ++i) ways[i] += other.ways[i];
    return *this;
  }
  bool operator==(const Counts&) const = default;
};

/// By a limit or by the user.
inline std::uint64_t dropped_of(const Counts& counts) {
  return counts[Way::dropped_by_size] + counts[Way::dropped_by_age] + counts[Way::dropped_by_user];
}

/// committed = stored + the ways out. In statistics `stored` follows from the counts; verify() counts it.
struct Ledger {
  Counts counts;
  std::uint64_t stored = 0;

  std::uint64_t dropped_by_limit() const {
    return counts[Way::dropped_by_size] + counts[Way::dropped_by_age];
  }
  bool balanced() const { return counts.committed == counts.gone() + stored; }
};

}  // namespace sluice::queue
