// SPDX-License-Identifier: Apache-2.0
// What a keeper answers: reading, dropping, verifying, statistics.
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
      files_.chain().read(after, max, at_once_bytes, rows);
    });
    for (const StoredRow& row : rows) {
      try {
        stored.push_back({row.sequence, id_of(row.start, row.sequence), unpack(row.data)});
      } catch (const UnpackError& error) {
        put_aside(row, error.what());
      }
    }
  } while (stored.empty() && !rows.empty());
  return stored;
}

bool Keeper::has_room(std::uint64_t bytes) {
  need_open();
  return files_.chain().has_room(bytes);
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
    dropped += files_.chain().settle(sequence, sequence, Way::dropped_by_user);
    tail_.forget({sequence, sequence}, released);
  }
  try {
    mending([&] {
      files_.chain().retire_finished();
      files_.chain().save(true);
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
      dropped += files_.chain().settle_all(Way::dropped_by_user);
      tail_.forget({0, files_.chain().last()}, released);
      files_.chain().retire_finished();
      files_.chain().save(true);
    });
  } catch (...) {
    stale_ = true;
    throw;
  }
  publish();
  return dropped;
}

std::vector<std::uint64_t> Keeper::segments() {
  std::vector<std::uint64_t> numbers;
  for (const Segment& segment : files_.chain().list()) numbers.push_back(segment.number());
  return numbers;
}

Verification Keeper::verify_totals() {
  need_open();
  Verification verification = queue::verify_totals(files_.state());
  mending([&] { verification.letters = files_.dead_letters().verify(); });
  return verification;
}

void Keeper::verify_segment(std::uint64_t number, Verification& verification) {
  mending([&] {
    for (Segment& segment : files_.chain().list()) {
      if (segment.number() != number) continue;
      try {
        queue::verify_segment(segment, verification);
      } catch (const sqlite::Error& error) {
        if (error.is_damage()) verification.differences.emplace_back(error.what());
        throw;
      }
      const std::string found = verification.segments.back().quick_check;
      if (found != "ok" && begin_start_) files_.chain().mend(segment.file(), found);
      return;
    }
  });
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
  const Counts present = files_.chain().counts();
  stats.ledger.counts += present;
  stats.ledger.stored = stats.messages = present.stored();
  stats.segments = files_.chain().segments();
  stats.letters = files_.dead_letters().counts();
  stats.dead_letters = stats.letters.kept;
  stats.bytes = files_.bytes();
  stats.quarantine = files_.quarantine().summary();
  stats.start = start_;
  stats.dropped_newest = dropped_newest_before_;
  stats.losses = files_.losses().all().size();
  stats.degraded = writing_.is_on() || reading_.is_on();
  if (stats.degraded) stats.problem = writing_.is_on() ? writing_.text() : reading_.text();
  if (!stats.degraded && disk_full_) {
    stats.degraded = true;
    stats.problem = std::string(name_of(files_.room().limit())) + " is reached: " +
                    (options_.when_full == WhenFull::drop_newest ? "new messages are dropped"
                                                                 : "new messages wait in memory");
  }
  if (stats.messages > 0) stats.oldest_ts = oldest_;
  const std::lock_guard lock(mutex_);
  published_ = std::move(stats);
}

Stats Keeper::stats() const {
  const Tail::Reading memory = tail_.reading();
  const std::lock_guard lock(mutex_);
  Stats stats = published_;
  stats.in_memory = memory.in_memory;
  stats.memory_bytes = memory.bytes;
  stats.passed = memory.passed;
  stats.passed_other = memory.passed_other;
  stats.dropped_newest += memory.dropped_newest;
  if (!stats.oldest_ts) stats.oldest_ts = memory.oldest_ts;
  return stats;
}

}  // namespace sluice::queue
