// SPDX-License-Identifier: Apache-2.0
#include "queue/lane_keeper.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/packed.hpp"

namespace sluice::queue {
namespace {

constexpr std::size_t rows_a_transaction = 8192;
constexpr std::size_t rows_a_read = 125;
constexpr Nanoseconds look_interval = std::chrono::seconds(1);

}  // namespace

LaneKeeper::LaneKeeper(Lane lane, const Storage& storage, const Options& options, Tail& tail, Files& files,
                       const std::function<void()>& ready, Log log)
    : storage_(storage),
      options_(options),
      tail_(tail),
      files_(files),
      store_(files.lanes()[lane]),
      ready_(ready),
      log_(std::move(log)) {}

void LaneKeeper::begin(std::uint64_t start, std::uint64_t next_index) {
  start_ = start;
  tail_.open(start, base_of(lane()) + next_index, store_.counts().stored() > 0);
  if (store_.counts().stored() > 0) ready_();
}

void LaneKeeper::recover() {
  Tail::Released released;
  tail_.finish_write(store_.last(), released);
}

void LaneKeeper::settle() {
  settle_dead();
  std::vector<Tail::Outcome> outcomes = tail_.take_outcomes();
  for (auto outcome = outcomes.begin(); outcome != outcomes.end(); ++outcome) {
    try {
      store_.settle(outcome->first, outcome->last, outcome->way);
    } catch (...) {
      tail_.give_back_outcomes({outcome, outcomes.end()});
      throw;
    }
  }
}

std::optional<Nanoseconds> LaneKeeper::next(Nanoseconds now) const {
  if (full_) return full_retry_at_;
  if (more_) return now;
  return tail_.write_at(now);
}

void LaneKeeper::set_full(bool full, Nanoseconds now) {
  full_ = full;
  full_retry_at_ = now + look_interval;
  tail_.set_disk_full(full);
}

// The letter is on disk before its message is gone.
void LaneKeeper::settle_dead() {
  std::vector<Tail::Dead> dead = tail_.take_dead();
  if (dead.empty()) return;
  try {
    std::vector<DeadLetters::Letter> letters;
    const std::int64_t time = storage_.clock().wall().count();
    for (const Tail::Dead& one : dead) {
      DeadLetters::Letter letter{"", "", one.reason, time, "", 0};
      if (one.delivery) {
        letter.id = id_of(start_, one.sequence);
        letter.topic = one.delivery->topic();
        pack(*one.delivery, letter.data);
      } else {
        std::optional<StoredRow> row = store_.read_one(one.sequence);
        if (!row) continue;
        try {
          letter.topic = unpack(row->data).topic();
        } catch (const UnpackError& error) {
          put_aside(*row, error.what());
          continue;
        }
        letter.id = id_of(row->start, one.sequence);
        letter.data = std::move(row->data);
      }
      letters.push_back(std::move(letter));
    }
    files_.dead_letters().add(letters);
  } catch (...) {
    tail_.give_back_dead(std::move(dead));
    throw;
  }
  for (const Tail::Dead& one : dead) {
    if (!one.delivery) store_.settle(one.sequence, one.sequence, Way::dead_lettered);
  }
}

bool LaneKeeper::write_due(Nanoseconds now) {
  more_ = false;
  if (full_ && now >= full_retry_at_) set_full(!files_.make_room(lane(), 0), now);
  if (full_) {
    drop_due(now, files_.room().limit());
    return false;
  }
  if (tail_.take_new_edge()) store_.begin_edge();
  const auto at = tail_.write_at(now);
  if (!at || *at > now) return false;
  const std::vector<Tail::Pending> pending =
      tail_.begin_write(rows_a_transaction, static_cast<std::size_t>(options_.segment_bytes() / 4), now);
  if (pending.empty()) return false;

  packed_.clear();
  std::vector<std::size_t> ends;
  ends.reserve(pending.size());
  for (const Tail::Pending& entry : pending) {
    pack(*entry.delivery, packed_);
    ends.push_back(packed_.size());
  }
  std::vector<Row> rows;
  rows.reserve(pending.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < pending.size(); begin = ends[i++]) {
    rows.push_back({pending[i].sequence, std::string_view(packed_).substr(begin, ends[i] - begin)});
  }

  Tail::Released released;
  const bool room = files_.make_room(lane(), packed_.size());
  if (!room) {
    tail_.finish_write(0, released);
    set_full(true, now);
    drop_due(now, files_.room().limit());
    return false;
  }
  store_.write(rows, start_);
  tail_.finish_write(store_.last(), released);
  tail_.hand_back(std::move(released));
  // What a large message or a burst needed is not kept.
  constexpr std::size_t usual = 256U << 10U;
  if (packed_.capacity() > usual) std::string().swap(packed_);
  more_ = true;
  return true;
}

void LaneKeeper::drop_due(Nanoseconds now, Limit limit) {
  if (options_.when_full != WhenFull::drop_newest) return;
  Tail::Released released;
  const std::uint64_t dropped = tail_.drop_due(now, released);
  if (dropped == 0) return;
  Loss loss;
  loss.limit = limit;
  loss.newest = true;
  // They come first in what was let go.
  for (const auto& [delivery, answer] : std::span(released).first(dropped)) {
    add_to(loss, delivery.topic(), delivery.message->time.wall_ns);
  }
  loss.count = dropped;
  files_.losses().add(loss);
  log_.warn("{}: {} new messages dropped: {} is reached, when_full = \"drop-newest\"", options_.name, dropped,
            name_of(loss.limit));
}

void LaneKeeper::forget_dropped() {
  Tail::Released released;
  for (const Interval& range : store_.take_dropped()) tail_.forget(range, released);
}

void LaneKeeper::read_ahead() {
  const auto after = tail_.wants_rows();
  if (!after) return;
  // The other half may still be there. A small message takes as much again of the memory for its place there.
  const std::size_t room = tail_.read_ahead_bytes() / 4;
  std::vector<StoredRow> rows;
  const bool end = store_.read(*after, rows_a_read, room, rows);
  std::vector<Tail::ReadAhead> ahead;
  ahead.reserve(rows.size());
  for (StoredRow& row : rows) ahead.push_back({row.sequence, row.start, std::move(row.data)});
  const std::uint64_t reached = rows.empty() ? *after : rows.back().sequence;
  Tail::Released released;
  if (tail_.add_rows(ahead, reached, end, released)) ready_();
}

void LaneKeeper::put_aside(const StoredRow& row, const std::string& reason) {
  log_.error("{}: message {} cannot be read and goes to the dead letters: {}", options_.name,
             id_of(row.start, row.sequence), reason);
  const DeadLetters::Letter letter{id_of(row.start, row.sequence),  "",       reason,
                                   storage_.clock().wall().count(), row.data, 0};
  files_.dead_letters().add({&letter, 1});
  store_.settle(row.sequence, row.sequence, Way::quarantined);
}

}  // namespace sluice::queue
