// SPDX-License-Identifier: Apache-2.0
// What a keeper answers: reading, dropping, verifying, statistics.
#include <algorithm>
#include <utility>

#include "base/packed.hpp"
#include "queue/keeper.hpp"
#include "queue/verification.hpp"

namespace sluice::queue {

void Keeper::need_open() const {
  if (!open_) throw std::runtime_error(options_.name + ": the queue is not open: " + writing_.text());
}

std::vector<Stored> Keeper::read(std::uint64_t after, std::size_t max) {
  need_open();
  constexpr std::size_t at_once_bytes = 16U << 20U;
  std::vector<Stored> stored;
  std::vector<StoredRow> rows;
  // What cannot be read is put aside: the next ones then, since none means that there are no more.
  do {
    mending([&] {
      rows.clear();
      files_.lanes().read(after, max, at_once_bytes, rows);
    });
    for (const StoredRow& row : rows) {
      try {
        stored.push_back({row.sequence, id_of(row.start, row.sequence), unpack(row.data)});
      } catch (const UnpackError& error) {
        keeper_of(row.sequence).put_aside(row, error.what());
      }
    }
  } while (stored.empty() && !rows.empty());
  return stored;
}

bool Keeper::has_room(Lane lane, std::uint64_t bytes) {
  need_open();
  return files_.has_room(lane, bytes);
}

std::vector<DeadLetter> Keeper::read_dead_letters(std::uint64_t after, std::size_t max) {
  std::vector<DeadLetter> letters;
  std::vector<DeadLetters::Letter> read_letters;
  mending([&] { read_letters = files_.dead_letters().read(after, max); });
  for (DeadLetters::Letter& letter : read_letters) {
    DeadLetter& read = letters.emplace_back();
    try {
      read.delivery = unpack(letter.data);
    } catch (const UnpackError&) {
      read.delivery = std::nullopt;
      read.unreadable = std::move(letter.data);
    }
    read.number = letter.number;
    read.id = std::move(letter.id);
    read.topic = std::move(letter.topic);
    read.reason = std::move(letter.reason);
    read.time_ns = letter.time_ns;
  }
  return letters;
}

std::uint64_t Keeper::newest_dead_letter() {
  std::uint64_t newest = 0;
  mending([&] { newest = files_.dead_letters().newest(); });
  return newest;
}

std::uint64_t Keeper::remove_dead_letters(std::span<const std::string> ids, DeadLetters::Fate fate) {
  need_open();
  std::uint64_t removed = 0;
  mending([&] { removed = files_.dead_letters().remove(ids, fate); });
  publish();
  return removed;
}

std::uint64_t Keeper::drop(const std::vector<std::uint64_t>& sequences) {
  need_open();
  Tail::Released released;
  std::uint64_t dropped = 0;
  for (const std::uint64_t sequence : sequences) {
    dropped += files_.lanes().of(sequence).settle(sequence, sequence, Way::dropped_by_user);
    keeper_of(sequence).tail().forget({sequence, sequence}, released);
  }
  try {
    mending([&] {
      files_.lanes().retire_finished();
      files_.lanes().save(true);
    });
  } catch (...) {
    stale_ = true;
    throw;
  }
  publish();
  return dropped;
}

std::uint64_t Keeper::drop_all() {
  need_open();
  Tail::Released released;
  std::uint64_t dropped = 0;
  try {
    mending([&] {
      settle();
      dropped += files_.lanes().settle_all(Way::dropped_by_user);
      for (LaneKeeper& lane : lanes_) {
        lane.tail().forget({0, files_.lanes()[lane.lane()].last()}, released);
      }
      files_.lanes().retire_finished();
      files_.lanes().save(true);
    });
  } catch (...) {
    stale_ = true;
    throw;
  }
  publish();
  return dropped;
}

std::vector<std::pair<Lane, std::uint64_t>> Keeper::segments() {
  std::vector<std::pair<Lane, std::uint64_t>> segments;
  for (const Lane lane : all_lanes) {
    for (const std::uint64_t number : files_.lanes()[lane].parts()) segments.emplace_back(lane, number);
  }
  return segments;
}

Verification Keeper::verify_totals() {
  need_open();
  Verification verification = queue::verify_totals(files_.state());
  mending([&] { verification.letters = files_.dead_letters().verify(); });
  return verification;
}

void Keeper::verify_segment(Lane lane, std::uint64_t number, Verification& verification) {
  mending([&] { files_.lanes()[lane].verify(number, verification, begin_start_); });
  publish();
}

std::uint64_t Keeper::acknowledge_damage() {
  const std::uint64_t fresh = files_.quarantine().acknowledge();
  publish();
  return fresh;
}

void Keeper::publish() {
  Stats stats;
  stats.ledger.counts = files_.state().values().retired;
  stats.letters = files_.dead_letters().counts();
  stats.dead_letters = stats.letters.kept;
  const StateFile::DroppedByLane& retired = files_.state().values().dropped;
  for (const Lane lane : all_lanes) {
    const std::size_t i = index_of(lane);
    const Store& store = files_.lanes()[lane];
    const Counts present = store.counts();
    stats.ledger.counts += present;
    LaneStats& figures = stats.lanes[i];
    figures.messages = present.stored();
    figures.bytes = store.bytes();
    figures.dropped = retired[i].stored + dropped_of(present) + dropped_before_[i].newest;
    figures.dead_letters = files_.dead_letters().count(lane);
    if (figures.messages > 0) figures.oldest_ts = oldest_[i];
    stats.messages += figures.messages;
    stats.dropped_newest += dropped_before_[i].newest;
  }
  stats.ledger.stored = stats.messages;
  stats.segments = files_.lanes().parts();
  stats.bytes = files_.bytes();
  stats.quarantine = files_.quarantine().summary();
  stats.start = start_;
  stats.losses = files_.losses().all().size();
  stats.degraded = writing_.is_on() || reading_.is_on();
  if (stats.degraded) stats.problem = writing_.is_on() ? writing_.text() : reading_.text();
  const bool no_room =
      std::any_of(lanes_.begin(), lanes_.end(), [](const LaneKeeper& lane) { return lane.has_no_room(); });
  if (!stats.degraded && no_room) {
    stats.degraded = true;
    stats.problem = std::string(name_of(files_.room().limit())) + " is reached: " +
                    (options_.when_full == WhenFull::drop_newest ? "new messages are dropped"
                                                                 : "new messages wait in memory");
  }
  const std::lock_guard lock(mutex_);
  published_ = std::move(stats);
}

Stats Keeper::stats() const {
  Stats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = published_;
  }
  for (const LaneKeeper& lane : lanes_) {
    const Tail::Reading memory = lane.tail().reading();
    LaneStats& figures = stats.lanes[index_of(lane.lane())];
    figures.in_memory = memory.in_memory;
    figures.dropped += memory.dropped_newest;
    if (!figures.oldest_ts) figures.oldest_ts = memory.oldest_ts;
    stats.in_memory += memory.in_memory;
    stats.memory_bytes += memory.bytes;
    stats.passed += memory.passed;
    stats.passed_other += memory.passed_other;
    stats.dropped_newest += memory.dropped_newest;
    if (figures.oldest_ts && (!stats.oldest_ts || *figures.oldest_ts < *stats.oldest_ts)) {
      stats.oldest_ts = figures.oldest_ts;
    }
  }
  return stats;
}

}  // namespace sluice::queue
