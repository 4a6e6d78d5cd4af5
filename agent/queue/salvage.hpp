// SPDX-License-Identifier: Apache-2.0
// What can still be read of a damaged segment: its rows in order, and the latest that it says of itself. Used by the
// storage thread. Throws nothing for damage, only std::bad_alloc.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "queue/intervals.hpp"
#include "queue/ledger.hpp"
#include "queue/pages.hpp"
#include "queue/segment.hpp"

namespace sluice::queue {

class Salvage {
 public:
  /// Looks for rows with sequences in `range`: what lies outside cannot be this segment's.
  Salvage(const std::filesystem::path& file, Interval range);

  struct State {
    std::uint64_t counted_to = 0;
    Counts counts;
    Intervals gone;
  };
  const std::optional<State>& state() const { return state_; }
  /// The start that the row belongs to; nothing: the table that says so is lost.
  std::optional<std::uint64_t> start_of(std::uint64_t sequence) const;

  /// The rows that can be decoded, ascending, each once.
  void read(const std::function<void(std::uint64_t sequence, std::string_view data)>& each) const;

 private:
  struct Leaf {
    std::uint64_t first = 0;
    std::size_t index = 0;
  };
  void look_at(const Record& record, std::size_t index);

  Pages pages_;
  Interval range_;
  std::vector<Leaf> leaves_;  // in the order of their first rows
  std::vector<std::pair<std::uint64_t, std::uint64_t>> starts_;
  std::optional<State> state_;
};

}  // namespace sluice::queue
