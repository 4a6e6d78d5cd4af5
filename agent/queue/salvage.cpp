// SPDX-License-Identifier: Apache-2.0
#include "queue/salvage.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/packed.hpp"

namespace sluice::queue {
namespace {

using Kind = Column::Kind;

// The tables of a segment have nothing in common but that; see segment.hpp.
constexpr std::size_t committed_column = 6;
constexpr std::size_t intervals_column = committed_column + 1 + way_count;

bool is_message(const Record& record) {
  return record.columns.size() == 2 && record.columns[0].kind == Kind::null &&
         record.columns[1].kind == Kind::bytes;
}

bool is_start(const Record& record) {
  return record.columns.size() == 2 && record.columns[0].kind == Kind::null &&
         record.columns[1].kind == Kind::integer;
}

std::optional<Salvage::State> state_in(const Record& record) {
  const std::vector<Column>& columns = record.columns;
  if (record.row != 1 || columns.size() <= intervals_column || columns[0].kind != Kind::null ||
      columns[intervals_column].kind != Kind::bytes) {
    return std::nullopt;
  }
  for (std::size_t i = 1; i < intervals_column; ++i) {
    if (columns[i].kind != Kind::integer) return std::nullopt;
  }
  Salvage::State state;
  state.counted_to = static_cast<std::uint64_t>(columns[1].integer);
  state.counts.committed = static_cast<std::uint64_t>(columns[committed_column].integer);
  for (std::size_t i = 0; i < way_count; ++i) {
    state.counts.ways[i] = static_cast<std::uint64_t>(columns[committed_column + 1 + i].integer);
  }
  try {
    state.gone = Intervals::unpack(columns[intervals_column].bytes);
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
  const bool adds_up = state.counts.gone() <= state.counts.committed;
  return adds_up ? std::optional(std::move(state)) : std::nullopt;
}

bool decodes(std::string_view data) {
  try {
    unpack(data);
    return true;
  } catch (const UnpackError&) {
    return false;
  }
}

}  // namespace

Salvage::Salvage(const std::filesystem::path& file, Interval range) : pages_(file), range_(range) {
  for (std::size_t i = 0; i < pages_.count(); ++i) {
    pages_.read_leaf(i, [&](const Record& record) { look_at(record, i); });
  }
  std::stable_sort(leaves_.begin(), leaves_.end(),
                   [](const Leaf& a, const Leaf& b) { return a.first < b.first; });
  std::sort(starts_.begin(), starts_.end());
}

void Salvage::look_at(const Record& record, std::size_t index) {
  const auto row = static_cast<std::uint64_t>(record.row);
  if (is_message(record)) {
    const bool known = !leaves_.empty() && leaves_.back().index == index;
    if (!known && row >= range_.first && row <= range_.last) leaves_.push_back({row, index});
  } else if (is_start(record)) {
    starts_.emplace_back(row, static_cast<std::uint64_t>(record.columns[1].integer));
  } else if (auto state = state_in(record)) {
    const bool later = !state_ || std::pair(state->counted_to, state->counts.gone()) >=
                                      std::pair(state_->counted_to, state_->counts.gone());
    if (later) state_ = std::move(state);
  }
}

std::optional<std::uint64_t> Salvage::start_of(std::uint64_t sequence) const {
  const auto after = std::partition_point(starts_.begin(), starts_.end(),
                                          [&](const auto& start) { return start.first <= sequence; });
  if (after == starts_.begin()) return std::nullopt;
  return std::prev(after)->second;
}

void Salvage::read(const std::function<void(std::uint64_t, std::string_view)>& each) const {
  std::uint64_t last = 0;
  for (const Leaf& leaf : leaves_) {
    pages_.read_leaf(leaf.index, [&](const Record& record) {
      const auto row = static_cast<std::uint64_t>(record.row);
      if (!is_message(record) || row <= last || row < range_.first || row > range_.last) return;
      if (!decodes(record.columns[1].bytes)) return;
      last = row;
      each(row, record.columns[1].bytes);
    });
  }
}

}  // namespace sluice::queue
