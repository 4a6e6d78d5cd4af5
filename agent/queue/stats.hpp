// SPDX-License-Identifier: Apache-2.0
// What a queue tells about itself and what it keeps. Plain values, for every thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/message.hpp"
#include "queue/lane.hpp"
#include "queue/ledger.hpp"

namespace sluice::queue {

/// "start/sequence".
inline std::string id_of(std::uint64_t start, std::uint64_t sequence) {
  return std::to_string(start) + '/' + std::to_string(sequence);
}

/// A message on disk, neither acknowledged nor gone otherwise.
struct Stored {
  std::uint64_t sequence = 0;
  std::string id;
  Delivery delivery;
};

struct DeadLetter {
  std::uint64_t number = 0;  ///< ascending: the later, the higher
  std::string id;
  std::string topic;
  std::string reason;
  std::int64_t time_ns = 0;          ///< when it was put there, wall clock
  std::optional<Delivery> delivery;  ///< nothing: the stored bytes cannot be read
  std::string unreadable;            ///< those bytes, then
};

/// What has become of the dead letters. They have left the queue's ledger as dead-lettered, passed or quarantined; one that
/// is retried comes back into it as a new message.
struct LetterCounts {
  std::uint64_t added = 0;
  std::uint64_t kept = 0;
  std::uint64_t retried = 0;  ///< by the user: put back into the queue
  std::uint64_t dropped = 0;  ///< by the user
  std::uint64_t removed = 0;  ///< the oldest, because of the bound
  std::uint64_t lost = 0;     ///< with a file that was damaged or removed

  std::uint64_t gone() const { return retried + dropped + removed + lost; }
  bool balanced() const { return added == kept + gone(); }
  bool operator==(const LetterCounts&) const = default;
};

/// Damaged files that were put aside and of which the user has not taken note.
struct QuarantineSummary {
  std::string folder;
  std::uint64_t bytes = 0;  ///< of all that lies there, known to the user or not
  std::uint64_t cases = 0;
  std::uint64_t salvaged = 0;  ///< messages that could be read, and are sent
  std::uint64_t lost = 0;      ///< messages that could not; in the ledger as quarantined
  std::string latest;          ///< the latest of them, in words
};

/// A snapshot of a lane: as of the whole queue.
struct LaneStats {
  std::uint64_t messages = 0;
  std::uint64_t in_memory = 0;
  std::uint64_t bytes = 0;
  std::optional<std::int64_t> oldest_ts;
  std::uint64_t dropped = 0;  ///< by a limit or by the user, stored or new; since ever
  std::uint64_t dead_letters = 0;
};

/// A snapshot of a queue.
struct Stats {
  std::uint64_t messages = 0;             ///< committed, neither acknowledged nor gone otherwise
  std::uint64_t in_memory = 0;            ///< accepted, neither committed nor acknowledged
  std::uint64_t memory_bytes = 0;         ///< held by the tail and what is read ahead
  std::uint64_t bytes = 0;                ///< on disk, write-ahead logs included
  std::optional<std::int64_t> oldest_ts;  ///< wall clock of the oldest of both, as far as known; ns
  std::uint64_t dead_letters = 0;         ///< kept
  LetterCounts letters;
  std::uint64_t segments = 0;
  Ledger ledger;
  std::uint64_t passed = 0;  ///< acknowledged without ever being written; since this start
  std::uint64_t passed_other =
      0;  ///< dead-lettered, expired or superseded without ever being written; since this start
  std::uint64_t losses = 0;          ///< records of drops that upstream has not acknowledged
  std::uint64_t dropped_newest = 0;  ///< never written, because the disk limit was reached; since ever
  std::uint64_t start = 0;
  QuarantineSummary quarantine;
  bool degraded = false;  ///< the disk refuses, or a limit does: nothing is committed
  std::string problem;    ///< what it says, while degraded
  std::array<LaneStats, lane_count> lanes;
};

struct SegmentCheck {
  std::string file;
  std::string quick_check;  ///< "ok", or what SQLite found
  Counts kept;              ///< what the file says of itself
  std::uint64_t rows = 0;   ///< counted
  std::uint64_t gone = 0;   ///< counted: rows inside the acknowledged intervals
};

struct Verification {
  Ledger ledger;         ///< its `stored` is counted
  LetterCounts letters;  ///< its `kept` is counted
  std::vector<SegmentCheck> segments;
  std::vector<std::string> differences;  ///< each an error, in words; none: everything agrees
};

}  // namespace sluice::queue
