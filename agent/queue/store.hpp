// SPDX-License-Identifier: Apache-2.0
// What a lane has on disk: rows with ascending sequences, and which of them are gone by which way. Owned by Lanes, used
// by the storage thread. A chain of segments (chain.hpp), or a table by topic (latest.hpp).
//
// Functions that touch the disk throw sqlite::Error, and FormatError for files of a later version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "queue/intervals.hpp"
#include "queue/lane.hpp"
#include "queue/ledger.hpp"
#include "queue/losses.hpp"
#include "queue/segment.hpp"
#include "queue/stats.hpp"

namespace sluice::queue {

class Store {
 public:
  explicit Store(Lane lane) : lane_(lane) {}
  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Lane lane() const { return lane_; }

  /// Reads what the files say of themselves, and puts damage aside. Where the folder is missing there is nothing to read.
  virtual void load() = 0;
  /// After a failure: what is on disk now, with what memory knows later.
  /// `doubtful`: a sync has failed, so that what the log holds may be in the page cache alone. It is written once more,
  /// to the file itself, before anybody relies on it.
  virtual void reload(bool doubtful) = 0;
  virtual void close() = 0;

  /// The highest sequence that has been written; 0: none is known.
  virtual std::uint64_t last() const = 0;
  /// Writes rows that come after all there are, durably. After an exception: reload(), then last().
  virtual void write(std::span<const Row> rows, std::uint64_t start) = 0;
  /// What comes from now on is of another kind than what is there: in a file of its own, if that is worth it.
  virtual void begin_edge() = 0;

  /// Sequences are gone by `way`; how many of them were stored. Memory only.
  virtual std::uint64_t settle(std::uint64_t first, std::uint64_t last, Way way) = 0;
  /// The same for everything that is stored.
  virtual std::uint64_t settle_all(Way way) = 0;
  /// Writes down what is gone, where that has changed. Without `durable` it survives the process only.
  virtual void save(bool durable) = 0;
  virtual std::uint64_t unsaved_sequences() const = 0;
  /// Before a clean end: saves durably, and so that an opening has nothing to count.
  virtual void finish() = 0;

  /// Gives back the space of what is wholly gone.
  virtual void retire_finished() = 0;
  /// Drops what is older than max_age.
  virtual void drop_old() = 0;
  /// Drops the oldest part, if there is one; false: there is nothing.
  virtual bool drop_oldest(Limit limit) = 0;

  /// Rows after `after` that are not gone; true: there are no more.
  virtual bool read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes,
                    std::vector<StoredRow>& out) = 0;
  virtual std::optional<StoredRow> read_one(std::uint64_t sequence) = 0;

  /// Replaces `file` by what can be read of it; false: it is none of these.
  virtual bool mend(const std::filesystem::path& file, const std::string& reason) = 0;
  /// Does so for files that have been removed.
  virtual void mend_missing() = 0;

  virtual Counts counts() const = 0;  ///< of the files that are there
  virtual std::uint64_t bytes() const = 0;
  /// What it may come to on disk with so many bytes of rows more.
  virtual std::uint64_t bytes_with(std::uint64_t packed_bytes) const = 0;
  /// Of bytes(), what drop_oldest() would give back, time and again.
  virtual std::uint64_t droppable_bytes() const = 0;
  /// The numbers of its files.
  virtual std::vector<std::uint64_t> parts() const = 0;
  /// Counts one of them again; damage is replaced where `may_mend`.
  virtual void verify(std::uint64_t part, Verification& verification, bool may_mend) = 0;

  /// What has left by itself since the last call: dropped by a limit, or superseded.
  std::vector<Interval> take_dropped() { return std::exchange(dropped_, {}); }

 protected:
  void note_dropped(const Interval& range) { dropped_.push_back(range); }

 private:
  const Lane lane_;
  std::vector<Interval> dropped_;
};

}  // namespace sluice::queue
