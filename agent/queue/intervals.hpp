// SPDX-License-Identifier: Apache-2.0
// A set of sequences, as few closed intervals as they need: what a segment has had acknowledged. A plain value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::queue {

struct Interval {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool operator==(const Interval&) const = default;
};

class Intervals {
 public:
  /// Puts `first`..`last` into the set; how many of them were not in it.
  std::uint64_t add(std::uint64_t first, std::uint64_t last);
  bool contains(std::uint64_t sequence) const;
  /// The smallest number from `sequence` on that is not in the set.
  std::uint64_t next_outside(std::uint64_t sequence) const;
  const std::vector<Interval>& list() const { return list_; }

  /// The bytes for a row: differences as LEB128 numbers. unpack() throws std::runtime_error.
  std::string pack() const;
  static Intervals unpack(std::string_view bytes);

 private:
  std::vector<Interval> list_;  // ascending, neither overlapping nor touching
};

}  // namespace sluice::queue
