// SPDX-License-Identifier: Apache-2.0
#include "queue/tail.hpp"

#include <algorithm>
#include <utility>

namespace sluice::queue {
namespace {

// So many that waiting for more would not make a transaction cheaper.
constexpr std::size_t worth_writing_rows = 1000;
// Acknowledgements that are worth being written before their second is over.
constexpr std::size_t worth_settling = 64;

// A shared pointer may point at nothing and still have a deleter to be called.
bool somebody_waits(const std::shared_ptr<void>& until_committed) {
  return until_committed.use_count() > 0;
}

}  // namespace

void Tail::open(std::uint64_t start, std::uint64_t next, bool rows_on_disk) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t shift = next - 1;
  for (Entry& entry : entries_) entry.sequence += shift;
  next_ += shift;
  pending_from_ += shift;
  if (due_to_ > 0) due_to_ += shift;
  for (auto& [topic, newest] : newest_) newest += shift;
  if (live_from_ > 0) live_from_ += shift;
  if (live_next_ != no_live) live_next_ += shift;
  start_ = start;
  covered_to_ = rows_on_disk ? 0 : next - 1;
  is_open_ = true;
}

bool Tail::is_open() const {
  const std::lock_guard lock(mutex_);
  return is_open_;
}

std::uint64_t Tail::next_sequence() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

std::size_t Tail::bytes_of(std::span<const Delivery> deliveries) {
  std::size_t bytes = deliveries.size() * sizeof(Entry);
  for (const Delivery& delivery : deliveries) bytes += footprint(delivery);
  return bytes;
}

Tail::Appended Tail::append(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed,
                            Nanoseconds now, Released& released) {
  const std::size_t bytes = bytes_of(deliveries);
  const std::lock_guard lock(mutex_);
  const Appended room = make_room(bytes, somebody_waits(until_committed), now, released);
  return room.push == Push::ok ? push_all(deliveries, until_committed, now, released) : room;
}

Tail::Appended Tail::reserve(std::size_t bytes, bool somebody_waits, Nanoseconds now, Released& released) {
  const std::lock_guard lock(mutex_);
  const Appended room = make_room(bytes, somebody_waits, now, released);
  if (room.push == Push::ok) reserved_bytes_ += bytes;
  return room;
}

Tail::Appended Tail::append_reserved(std::span<Delivery> deliveries,
                                     const std::shared_ptr<void>& until_committed, Nanoseconds now,
                                     Released& released) {
  const std::size_t bytes = bytes_of(deliveries);
  const std::lock_guard lock(mutex_);
  reserved_bytes_ -= bytes;
  return push_all(deliveries, until_committed, now, released);
}

void Tail::cancel(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  reserved_bytes_ -= bytes;
  freed();
}

Tail::Appended Tail::make_room(std::size_t bytes, bool somebody_waits, Nanoseconds now, Released& released) {
  if (closed_) return {Push::closed, false, std::nullopt};
  if (somebody_waits && disk_full_) return {Push::full, false, std::nullopt};
  // What is committed can be read back.
  while (!fits(bytes) && !entries_.empty() && entries_.front().state >= State::committed) pop_front(released);
  if (fits(bytes)) return {};
  refused_bytes_ = bytes;
  due_to_ = next_ - 1;
  return {Push::full, false, now};
}

Tail::Appended Tail::push_all(std::span<Delivery> deliveries, const std::shared_ptr<void>& until_committed,
                              Nanoseconds now, Released& released) {
  Appended appended;
  for (Delivery& delivery : deliveries) {
    if (limits_.latest_only) supersede(delivery.topic(), released);
    const auto write_by = push_back(std::move(delivery), until_committed, now);
    if (write_by && (!appended.write_by || *write_by < *appended.write_by)) appended.write_by = write_by;
  }
  if (!deliveries.empty()) appended.ready = std::exchange(hungry_, false);
  return appended;
}

// What is on its way to the broker, or on disk, is left to those.
void Tail::supersede(const std::string& topic, Released& released) {
  std::uint64_t& newest = newest_[topic];
  const std::uint64_t before = std::exchange(newest, next_);
  const std::size_t index = index_of(before);
  if (before == 0 || index >= entries_.size() || entries_[index].sequence != before) return;
  Entry& entry = entries_[index];
  if (entry.state != State::pending || is_taken(before)) return;
  early_due_ = std::min(early_due_.value_or(entry.due), entry.due);
  leave_unwritten(entry, Way::superseded, released);
}

bool Tail::is_taken(std::uint64_t sequence) const {
  return sequence <= covered_to_ || taken_live_.contains(sequence);
}

// A pending entry that will never be written.
void Tail::leave_unwritten(Entry& entry, Way way, Released& released) {
  count_unwritten(way);
  pending_bytes_ -= entry.bytes;
  --pending_;
  if (entry.at_once) --at_once_;
  entry.state = State::gone;
  release(entry, released);
}

// When the storage thread has to look, where it has to because of this one.
std::optional<Nanoseconds> Tail::push_back(Delivery&& delivery, const std::shared_ptr<void>& until_committed,
                                           Nanoseconds now) {
  const bool first_pending = pending_ == 0;
  Entry& entry = entries_.emplace_back();
  entry.sequence = next_++;
  entry.at_once = somebody_waits(until_committed) || delivery.options.priority == Priority::high;
  entry.bytes = footprint(delivery) + sizeof(Entry);
  entry.delivery = std::move(delivery);
  entry.until_committed = until_committed;
  entry.due = now + limits_.persist_after;
  const std::size_t pending_bytes = std::exchange(pending_bytes_, pending_bytes_ + entry.bytes);
  entry_bytes_ += entry.bytes;
  ++pending_;

  if (entry.at_once) {
    ++at_once_;
    due_to_ = entry.sequence;
    return now;
  }
  const bool half_full = pending_bytes_ > limits_.memory / 2 && pending_bytes <= limits_.memory / 2;
  if (half_full || (limits_.persist_after.count() == 0 && pending_ == worth_writing_rows)) return now;
  if (first_pending) return entry.due + limits_.commit_interval;
  return std::nullopt;
}

// Whatever its size, something fits into a tail that holds nothing.
bool Tail::fits(std::size_t bytes) const {
  const std::size_t held = entry_bytes_ + reserved_bytes_;
  return held == 0 || held + bytes <= limits_.memory - read_ahead_bytes();
}

bool Tail::wait_room(Nanoseconds timeout) {
  const auto room = [this] {
    if (closed_ || fits(refused_bytes_)) return true;
    std::size_t held = entry_bytes_ + reserved_bytes_;
    for (const Entry& entry : entries_) {
      if (entry.state < State::committed) return false;
      held -= entry.bytes;
      if (held + refused_bytes_ <= limits_.memory - read_ahead_bytes()) return true;
    }
    return true;
  };
  std::unique_lock lock(mutex_);
  ++waiting_for_room_;
  const bool found = room_.wait_for(lock, timeout, room);
  --waiting_for_room_;
  return found && !closed_;
}

void Tail::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_.notify_all();
}

void Tail::freed() {
  if (waiting_for_room_ > 0) room_.notify_all();
}

// The first entry with that sequence or a later one. Sequences nearly always follow on one another.
std::size_t Tail::index_of(std::uint64_t sequence) const {
  if (entries_.empty() || sequence <= entries_.front().sequence) return 0;
  const std::uint64_t guess = sequence - entries_.front().sequence;
  if (guess < entries_.size() && entries_[guess].sequence == sequence) return guess;
  const auto at = std::partition_point(entries_.begin(), entries_.end(),
                                       [sequence](const Entry& entry) { return entry.sequence < sequence; });
  return static_cast<std::size_t>(at - entries_.begin());
}

std::uint64_t Tail::front_sequence() const {
  return entries_.empty() ? next_ : entries_.front().sequence;
}

// What is gone keeps its place, but no more than that, until everything before it has left.
void Tail::release(Entry& entry, Released& released) {
  if (limits_.latest_only && entry.delivery.message) forget_newest(entry);
  released.emplace_back(std::move(entry.delivery), std::move(entry.until_committed));
  entry.delivery = {};
  entry.until_committed = nullptr;
  entry_bytes_ -= entry.bytes - sizeof(Entry);
  entry.bytes = sizeof(Entry);
  freed();
}

void Tail::forget_newest(const Entry& entry) {
  const auto newest = newest_.find(entry.delivery.topic());
  if (newest != newest_.end() && newest->second == entry.sequence) newest_.erase(newest);
}

void Tail::pop_front(Released& released) {
  Entry& entry = entries_.front();
  if (live_next_ != no_live) live_next_ = std::max(live_next_, entry.sequence + 1);
  if (entry.delivery.message || somebody_waits(entry.until_committed)) release(entry, released);
  entry_bytes_ -= entry.bytes;
  entries_.pop_front();
}

// Lets go from the front what is not needed here: gone, or committed and either taken or, where the reader
// reads from disk anyway and nothing is live, not.
void Tail::trim(Released& released) {
  while (!entries_.empty()) {
    const Entry& entry = entries_.front();
    const bool leaves = entry.state == State::gone ||
                        (entry.state == State::committed &&
                         (entry.sequence <= covered_to_ || (behind() && entry.sequence < live_next_)));
    if (!leaves) break;
    // A gone one that the reader has not passed was never written, or was dropped: it has nothing to find.
    if (entry.state == State::gone && entry.sequence == covered_to_ + 1) covered_to_ = entry.sequence;
    pop_front(released);
    join_live();
  }
  freed();
}

std::vector<Tail::Taken> Tail::take(std::size_t max, bool backlog, bool& read_ahead, Released& released) {
  std::vector<Taken> taken;
  const std::lock_guard lock(mutex_);
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

void Tail::take_live(std::size_t max, std::vector<Taken>& taken) {
  for (std::size_t i = index_of(live_next_); i < entries_.size() && taken.size() < max; ++i) {
    const Entry& entry = entries_[i];
    taken_live_.add(entry.sequence, entry.sequence);
    live_next_ = entry.sequence + 1;
    if (entry.state != State::gone) taken.push_back({entry.sequence, start_, entry.delivery, false});
  }
  join_live();
}

void Tail::take_backlog(std::size_t max, std::vector<Taken>& taken) {
  while (!buffer_.empty() && taken.size() < max) {
    ReadAhead& row = buffer_.front();
    taken.push_back({row.sequence, row.start, std::move(row.delivery), true});
    buffer_bytes_ -= row.bytes;
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
    if (somebody_waits(entry.until_committed))
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
    if (somebody_waits(entry.until_committed)) continue;
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

void Tail::set_disk_full(bool full) {
  const std::lock_guard lock(mutex_);
  disk_full_ = full;
}

std::optional<std::uint64_t> Tail::wants_rows() const {
  const std::lock_guard lock(mutex_);
  if (!is_open_ || !behind() || buffer_bytes_ > read_ahead_bytes() / 2) return std::nullopt;
  return covered_to_;
}

bool Tail::add_rows(std::vector<ReadAhead>&& rows, std::uint64_t reached, bool end, Released& released) {
  const std::lock_guard lock(mutex_);
  for (ReadAhead& row : rows) {
    if (row.sequence >= live_next_ || taken_live_.contains(row.sequence)) {
      released.emplace_back(std::move(row.delivery), nullptr);
      continue;
    }
    buffer_bytes_ += row.bytes;
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

void Tail::forget(const Interval& range, Released& released) {
  const std::lock_guard lock(mutex_);
  for (auto row = buffer_.begin(); row != buffer_.end();) {
    if (row->sequence < range.first || row->sequence > range.last) {
      ++row;
      continue;
    }
    buffer_bytes_ -= row->bytes;
    released.emplace_back(std::move(row->delivery), nullptr);
    row = buffer_.erase(row);
  }
  for (std::size_t i = index_of(range.first); i < entries_.size() && entries_[i].sequence <= range.last;
       ++i) {
    Entry& entry = entries_[i];
    if (entry.state != State::committed) continue;
    entry.state = State::gone;
    release(entry, released);
  }
  trim(released);
}

Tail::Reading Tail::reading() const {
  const std::lock_guard lock(mutex_);
  Reading reading;
  reading.in_memory = pending_;
  reading.bytes = entry_bytes_ + buffer_bytes_;
  reading.passed = passed_;
  reading.passed_other = passed_other_;
  reading.dropped_newest = dropped_newest_;
  reading.start = start_;
  for (std::size_t i = index_of(pending_from_); i < entries_.size(); ++i) {
    if (entries_[i].state == State::gone || !entries_[i].delivery.message) continue;
    reading.oldest_ts = entries_[i].delivery.message->time.wall_ns;
    break;
  }
  return reading;
}

}  // namespace sluice::queue
