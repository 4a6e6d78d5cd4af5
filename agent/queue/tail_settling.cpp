// SPDX-License-Identifier: Apache-2.0
// The part of a tail that serves the storage thread: what is to be written, and what has become of what was written.
#include <algorithm>
#include <utility>

#include "queue/tail.hpp"

namespace sluice::queue {
namespace {

// Acknowledgements that are worth being written before their second is over.
constexpr std::size_t worth_settling = 64;

}  // namespace

// One more for the storage thread to write down: mostly the next of a row of acknowledgements.
void Tail::note(std::uint64_t sequence, Way way) {
  if (!outcomes_.empty() && outcomes_.back().way == way && outcomes_.back().last + 1 == sequence) {
    outcomes_.back().last = sequence;
  } else {
    outcomes_.push_back({sequence, sequence, way});
  }
}

void Tail::note_settled(std::uint64_t sequence, Way way, std::string reason) {
  if (way == Way::dead_lettered) {
    dead_.push_back({sequence, std::move(reason), std::nullopt});
  } else {
    note(sequence, way);
  }
}

// Whoever waits for its commit waits for the letter's.
void Tail::note_dead(Entry& entry, std::string reason) {
  dead_.push_back(
      {entry.sequence, std::move(reason), entry.delivery, std::exchange(entry.until_committed, nullptr)});
}

void Tail::count_unwritten(Way way) {
  ++(way == Way::acknowledged ? passed_ : passed_other_);
}

bool Tail::settle(std::uint64_t sequence, Way way, std::string reason, Released& released) {
  const std::lock_guard lock(mutex_);
  const std::size_t index = index_of(sequence);
  if (index < entries_.size() && entries_[index].sequence == sequence) {
    Entry& entry = entries_[index];
    if (entry.state == State::gone) return false;
    if (entry.state == State::pending) {
      if (way == Way::dead_lettered) note_dead(entry, std::move(reason));
      leave_unwritten(entry, way, released);
    } else if (entry.state == State::writing) {
      // The storage thread reads the delivery: it is let go when that has ended.
      settled_while_writing_.push_back({{sequence, sequence, way}, std::move(reason)});
      if (way != Way::dead_lettered) {
        released.emplace_back(Delivery{}, std::exchange(entry.until_committed, nullptr));
      }
      return false;
    } else {
      note_settled(sequence, way, std::move(reason));
      entry.state = State::gone;
      release(entry, released);
    }
    trim(released);
  } else if (sequence < next_) {
    note_settled(sequence, way, std::move(reason));
  }
  if (!dead_.empty()) return true;
  return outcomes_.size() >= worth_settling ||
         (!outcomes_.empty() && outcomes_.back().last - outcomes_.back().first + 1 == 512);
}

bool Tail::due(const Entry& entry, Nanoseconds now) const {
  return entry.sequence <= due_to_ || std::min(entry.due, early_due_.value_or(entry.due)) <= now ||
         pending_bytes_ > limits_.memory / 2;
}

void Tail::skip_written() {
  std::size_t i = index_of(pending_from_);
  while (i < entries_.size() && entries_[i].state != State::pending) ++i;
  pending_from_ = i < entries_.size() ? entries_[i].sequence : next_;
}

std::optional<Nanoseconds> Tail::write_at(Nanoseconds now) const {
  const std::lock_guard lock(mutex_);
  std::size_t i = index_of(pending_from_);
  while (i < entries_.size() && entries_[i].state != State::pending) ++i;
  if (i >= entries_.size()) return std::nullopt;
  const Entry& first = entries_[i];
  if (first.sequence <= due_to_ || pending_bytes_ > limits_.memory / 2) return now;
  if (i + worth_writing_rows <= entries_.size() && entries_[i + worth_writing_rows - 1].due <= now)
    return now;
  return std::min(first.due, early_due_.value_or(first.due)) + limits_.commit_interval;
}

void Tail::make_all_due() {
  const std::lock_guard lock(mutex_);
  due_to_ = next_ - 1;
}

std::vector<Tail::Pending> Tail::begin_write(std::size_t max_rows, std::size_t max_bytes, Nanoseconds now) {
  std::vector<Pending> rows;
  const std::lock_guard lock(mutex_);
  skip_written();
  std::size_t bytes = 0;
  for (std::size_t i = index_of(pending_from_); i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.state != State::pending) continue;
    if (!due(entry, now) || rows.size() >= max_rows || bytes >= max_bytes) break;
    entry.state = State::writing;
    rows.push_back({entry.sequence, &entry.delivery});
    bytes += entry.bytes;
  }
  if (!rows.empty()) {
    early_due_.reset();
    writing_from_ = rows.front().sequence;
    writing_to_ = rows.back().sequence;
  }
  return rows;
}

void Tail::finish_write(std::uint64_t written_to, Released& released) {
  const std::lock_guard lock(mutex_);
  if (writing_to_ == 0) return;
  released.reserve(released.size() + std::min(entries_.size(), writing_to_ - writing_from_ + 1));
  for (std::size_t i = index_of(writing_from_); i < entries_.size() && entries_[i].sequence <= writing_to_;
       ++i) {
    Entry& entry = entries_[i];
    if (entry.state != State::writing) continue;
    if (entry.sequence > written_to) {
      entry.state = State::pending;
      continue;
    }
    entry.state = State::committed;
    pending_bytes_ -= entry.bytes;
    --pending_;
    if (entry.at_once) --at_once_;
    if (limits_.latest_only) forget_newest(entry);
    if (is_awaited(entry.until_committed))
      released.emplace_back(Delivery{}, std::exchange(entry.until_committed, nullptr));
  }
  pending_from_ = std::min(pending_from_, writing_from_);
  writing_from_ = writing_to_ = 0;
  for (auto& [outcome, reason] : std::exchange(settled_while_writing_, {})) {
    Entry& entry = entries_[index_of(outcome.first)];
    if (entry.state == State::gone) continue;
    if (entry.state == State::committed) {
      note_settled(outcome.first, outcome.way, std::move(reason));
      entry.state = State::gone;
      release(entry, released);
    } else {
      if (outcome.way == Way::dead_lettered) note_dead(entry, std::move(reason));
      leave_unwritten(entry, outcome.way, released);
    }
  }
  skip_written();
  trim(released);
  freed();
}

std::uint64_t Tail::drop_due(Nanoseconds now, Released& released) {
  std::uint64_t dropped = 0;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = index_of(pending_from_); i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.state != State::pending) continue;
    if (!due(entry, now)) break;
    if (is_awaited(entry.until_committed)) continue;
    entry.state = State::gone;
    pending_bytes_ -= entry.bytes;
    --pending_;
    if (entry.at_once) --at_once_;
    release(entry, released);
    ++dropped;
  }
  dropped_newest_ += dropped;
  skip_written();
  trim(released);
  return dropped;
}

std::vector<Tail::Outcome> Tail::take_outcomes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcomes_, {});
}

void Tail::give_back_outcomes(std::vector<Outcome>&& outcomes) {
  const std::lock_guard lock(mutex_);
  outcomes_.insert(outcomes_.begin(), outcomes.begin(), outcomes.end());
}

std::vector<Tail::Dead> Tail::take_dead() {
  const std::lock_guard lock(mutex_);
  return std::exchange(dead_, {});
}

void Tail::give_back_dead(std::vector<Dead>&& dead) {
  const std::lock_guard lock(mutex_);
  dead_.insert(dead_.begin(), std::make_move_iterator(dead.begin()), std::make_move_iterator(dead.end()));
}

bool Tail::has_outcomes() const {
  const std::lock_guard lock(mutex_);
  return !outcomes_.empty() || !dead_.empty();
}

}  // namespace sluice::queue
