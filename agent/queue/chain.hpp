// SPDX-License-Identifier: Apache-2.0
// The segments of one lane, in order: rows go into the newest, a segment that is wholly gone is unlinked, and
// the limits take whole segments from the old end. Owned by the queue, used by the storage thread.
//
// Retirement of a segment: its counts and its number go into the state file in one transaction, then the files
// are unlinked. A crash between leaves a number to unlink at the next start; it is counted once.
//
// A segment that is damaged or missing is put aside and replaced by a fresh one (mending.hpp): at load() by itself,
// later by mend(), when an sqlite::Error says so.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "queue/clocks.hpp"
#include "queue/losses.hpp"
#include "queue/mending.hpp"
#include "queue/mirror.hpp"
#include "queue/options.hpp"
#include "queue/quarantine.hpp"
#include "queue/room.hpp"
#include "queue/segment.hpp"
#include "queue/state_file.hpp"

namespace sluice::queue {

class Chain {
 public:
  /// What the chains of a queue share.
  struct Common {
    const Options& options;
    StateFile& state;
    Mirror& mirror;
    Quarantine& quarantine;
    Losses& losses;
    Room& room;
    const Clocks& clocks;
    std::function<std::uint64_t()>
        bytes_beside;             ///< what else of the queue lies on disk and counts for max_bytes
    std::function<Moment()> now;  ///< the present moment, and whether the clock is synchronised
    Log log;
  };
  /// Its records in the mirror begin at `first_key`.
  Chain(const Common& common, std::string lane, Mirror::Key first_key);

  /// Finishes cut-short retirements and reads what the segments say of themselves. Throws sqlite::Error,
  /// FormatError. Where the folder is missing there is nothing to read.
  void load();
  /// After a failure: what is on disk now, with what memory knows later.
  /// `doubtful`: a sync has failed, so that what the log holds may be in the page cache alone. It is written once more,
  /// to the file itself, before anybody relies on it.
  void reload(bool doubtful);

  /// Rows `first()`..`last()` have been written, at most; 0 without.
  std::uint64_t first() const;
  std::uint64_t last() const { return last_; }

  /// Makes room, as far as the limits' policy allows, and says whether `bytes` more may be written.
  /// Where they may not: room.hpp says which limit it was.
  bool make_room(std::uint64_t bytes);
  /// Whether they may be written without that anything is dropped.
  bool has_room(std::uint64_t bytes);
  /// Writes rows that come after all there are, durably. After an exception: reload(), then last().
  void write(std::span<const Row> rows, std::uint64_t start);

  /// Sequences are gone by `way`; how many of them were stored. Memory only.
  std::uint64_t settle(std::uint64_t first, std::uint64_t last, Way way);
  /// Writes intervals and counts of the segments where they have changed.
  void save(bool durable);
  bool unsaved() const;
  std::uint64_t unsaved_sequences() const;

  /// The same for everything that is stored.
  std::uint64_t settle_all(Way way);

  /// Replaces the segment in `file` by what can be read of it; false: it is none of these.
  bool mend(const std::filesystem::path& file, const std::string& reason);
  /// Does so for segments whose files have been removed.
  void mend_missing();

  /// Unlinks what is wholly gone.
  void retire_finished();
  /// Drops what is older than max_age.
  void drop_old();

  /// Rows after `after` that are not gone; true: there are no more.
  bool read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes, std::vector<StoredRow>& out);
  std::optional<StoredRow> read_one(std::uint64_t sequence);

  void close();

  Counts counts() const;  ///< of the segments that are there
  std::uint64_t bytes() const;
  std::size_t segments() const { return segments_.size(); }
  std::deque<Segment>& list() { return segments_; }
  /// What the limits have dropped since the last call.
  std::vector<Interval> take_dropped() { return std::exchange(dropped_, {}); }

 private:
  static constexpr std::size_t max_open = 3;

  void load_segment(std::uint64_t number);
  void mend(Segment& segment, const Remembered& remembered, const std::string& reason);
  Remembered remembered(std::uint64_t number) const;
  std::vector<std::uint64_t> known_numbers() const;
  void note(const Segment& segment);
  void retire_empty();
  Mirror::Key key_of(std::uint64_t number) const { return first_key_ + number; }
  Segment& writable();
  Segment* find(std::uint64_t sequence);
  void retire(std::size_t index, std::optional<Way> rest);
  void drop(std::size_t index, Limit limit);
  Loss loss_of(Segment& segment, Limit limit);
  std::uint64_t bytes_with(std::uint64_t packed_bytes) const;
  std::uint64_t droppable_bytes() const;
  void unlink(std::uint64_t number);
  void measure_newest();
  void limit_open(const Segment* used);
  bool too_old(const Moment& moment, Nanoseconds limit) const;
  Segment::Limits limits() const;
  std::filesystem::path path_of(std::uint64_t number) const;
  static std::optional<std::uint64_t> number_of(const std::filesystem::path& file);
  std::uint64_t grown_bytes() const;

  const Options& options_;
  const std::string lane_;
  const Mirror::Key first_key_;
  const std::filesystem::path folder_;
  StateFile& state_;
  Mirror& mirror_;
  Quarantine& quarantine_;
  Losses& losses_;
  Room& room_;
  const Clocks& clocks_;
  const std::function<std::uint64_t()> bytes_beside_;
  const std::function<Moment()> now_;
  Log log_;
  std::deque<Segment> segments_;  // ascending numbers and sequences
  bool newest_is_full_ = false;
  std::uint64_t last_ = 0;
  std::vector<Interval> dropped_;
};

}  // namespace sluice::queue
