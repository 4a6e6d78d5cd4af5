// SPDX-License-Identifier: Apache-2.0
// The part of a tail that serves the reader: two cursors, and what is read back from disk.
#include <algorithm>
#include <utility>

#include "queue/tail.hpp"

namespace sluice::queue {

Tail::Batch Tail::take(std::size_t max, bool backlog, bool& read_ahead, Released& released) {
  Batch taken;
  const std::lock_guard lock(mutex_);
  somebody_takes_ = true;
  read_ahead = false;
  if (!is_open_) {
    hungry_ = true;
    return taken;
  }
  if (live_next_ != no_live) take_live(max, taken);
  const bool only_live_left = buffer_.empty() && !behind() && covered_to_ + 1 >= live_from_;
  if (backlog || only_live_left) take_backlog(max, taken);
  trim(released);
  read_ahead = behind() && buffer_bytes_ <= read_ahead_bytes() / 2;
  if (taken.empty()) hungry_ = true;
  freed();
  return taken;
}

void Tail::take_live(std::size_t max, Batch& taken) {
  for (std::size_t i = index_of(live_next_); i < entries_.size() && taken.size() < max; ++i) {
    const Entry& entry = entries_[i];
    taken_live_.add(entry.sequence, entry.sequence);
    live_next_ = entry.sequence + 1;
    if (entry.state != State::gone) taken.push_back({entry.sequence, start_, entry.delivery, false});
  }
  join_live();
}

void Tail::take_backlog(std::size_t max, Batch& taken) {
  while (!buffer_.empty() && taken.size() < max) {
    ReadAhead& row = buffer_.front();
    buffer_bytes_ -= row.bytes();
    taken.push_back({row.sequence, row.start, {}, true, std::move(row.packed)});
    buffer_.pop_front();
  }
  if (!buffer_.empty() || behind()) return;
  for (std::size_t i = index_of(covered_to_ + 1);
       i < entries_.size() && entries_[i].sequence < live_next_ && taken.size() < max; ++i) {
    const Entry& entry = entries_[i];
    covered_to_ = entry.sequence;
    if (entry.state == State::gone || taken_live_.contains(entry.sequence)) continue;
    taken.push_back({entry.sequence, start_, entry.delivery, entry.sequence < live_from_});
  }
  join_live();
}

// Where the backlog ends at what has been taken live, that is behind the reader, too.
void Tail::join_live() {
  const std::vector<Interval>& live = taken_live_.list();
  if (live.empty()) return;
  covered_to_ = std::max(covered_to_, taken_live_.next_outside(covered_to_ + 1) - 1);
  if (live.back().last <= covered_to_) {
    taken_live_ = {};
  } else if (live.front().last <= covered_to_) {
    Intervals above;
    for (const Interval& interval : live) {
      if (interval.last > covered_to_) above.add(interval.first, interval.last);
    }
    taken_live_ = std::move(above);
  }
}

void Tail::link_up() {
  const std::lock_guard lock(mutex_);
  live_from_ = next_;
  if (limits_.order != Order::live_first) return;
  live_next_ = next_;
  new_edge_ = true;
}

bool Tail::take_new_edge() {
  const std::lock_guard lock(mutex_);
  return std::exchange(new_edge_, false);
}

std::optional<std::uint64_t> Tail::wants_rows() const {
  const std::lock_guard lock(mutex_);
  if (!is_open_ || !somebody_takes_ || !behind() || buffer_bytes_ > read_ahead_bytes() / 2)
    return std::nullopt;
  return covered_to_;
}

bool Tail::add_rows(std::vector<ReadAhead>& rows, std::uint64_t reached, bool end, Released& released) {
  const std::lock_guard lock(mutex_);
  for (ReadAhead& row : rows) {
    if (row.sequence >= live_next_ || taken_live_.contains(row.sequence)) continue;
    buffer_bytes_ += row.bytes();
    buffer_.push_back(std::move(row));
  }
  // Nothing is written while the storage thread reads, so what has left the front meanwhile was read, or is gone.
  // The last of the rows may still be here, too.
  if (end) reached = std::max(reached, front_sequence() - 1);
  covered_to_ = std::max(covered_to_, std::min(reached, live_next_ - 1));
  join_live();
  trim(released);
  // Also where there were no rows: what follows in memory may be taken now.
  return std::exchange(hungry_, false);
}

}  // namespace sluice::queue
