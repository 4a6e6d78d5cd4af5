// SPDX-License-Identifier: Apache-2.0
#include "queue/tail.hpp"

#include <algorithm>
#include <utility>

namespace sluice::queue {

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
  take_back(released);
  const Appended room = make_room(bytes, is_awaited(until_committed), now, released);
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
  entry.at_once = is_awaited(until_committed) || delivery.options.priority == Priority::high;
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

void Tail::hand_back(Released&& released) {
  // Whoever waits is told now.
  for (auto& [delivery, until_committed] : released) until_committed.reset();
  const std::lock_guard lock(mutex_);
  handed_back_.swap(released);
}

void Tail::take_back(Released& released) {
  constexpr std::size_t at_a_time = 4;
  if (!handed_back_.empty()) released.reserve(at_a_time);
  for (std::size_t i = 0; i < at_a_time && !handed_back_.empty(); ++i) {
    released.push_back(std::move(handed_back_.back()));
    handed_back_.pop_back();
  }
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
  if (entry.delivery.message || is_awaited(entry.until_committed)) release(entry, released);
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

void Tail::set_disk_full(bool full) {
  const std::lock_guard lock(mutex_);
  disk_full_ = full;
}

void Tail::forget(const Interval& range, Released& released) {
  const std::lock_guard lock(mutex_);
  for (auto row = buffer_.begin(); row != buffer_.end();) {
    if (row->sequence < range.first || row->sequence > range.last) {
      ++row;
      continue;
    }
    buffer_bytes_ -= row->bytes();
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
