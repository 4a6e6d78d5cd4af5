// SPDX-License-Identifier: Apache-2.0
// One SQLite file of a chain: rows that are inserted in ascending sequence and never deleted, and one row of
// state: the intervals of sequences that are gone, with the exact counts of each way out. Owned by the chain,
// used by the storage thread. The file is opened when it is needed and may be closed at any time; what is
// kept in memory does not grow with the rows.
//
// user_version 2 (1: the same without `missing`):
//   messages(id = sequence, data = pack(delivery))
//   starts(first, start): from the sequence `first` on, rows belong to that start
//   state(one row): `committed` counts the rows up to `counted_to`; rows after it are counted when the file
//     is opened. So a lone commit writes one page, and an opening counts a bounded number of rows. `missing`
//     of them have no row: this file stands for a damaged one that held them (mending.hpp).
// Sequences that never had a row may lie inside the intervals; the counts count rows only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/age.hpp"
#include "queue/intervals.hpp"
#include "queue/ledger.hpp"
#include "queue/sqlite.hpp"

namespace sluice::queue {

struct Row {
  std::uint64_t sequence = 0;
  std::string_view data;
};

struct StoredRow {
  std::uint64_t sequence = 0;
  std::uint64_t start = 0;
  std::string data;
};

class Segment {
 public:
  struct Limits {
    Sync sync = Sync::full;
    int checkpoint_pages = 1000;
  };

  /// Nothing is opened yet.
  Segment(std::filesystem::path file, std::uint64_t number, Limits limits);

  /// What load() finds out.
  struct Contents {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    Counts counts;
    Intervals gone;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> starts;
    Moment newest;
    std::uint64_t missing = 0;
  };

  /// Reads what the file says of itself; after a failure also what became of the last transaction.
  /// `now` is taken for the time of rows that came after the state was last written.
  void load(const Moment& now);
  /// The same for one that takes no more rows, and which is closed afterwards: quicker where its log has been written back.
  void look(const Moment& now);
  /// The same for one that is known without opening it: `bytes` is the size of its file, which has no log.
  void recall(Contents contents, std::uint64_t bytes);

  /// One transaction: the rows, ascending and after all there are, and the state where it is time.
  /// It is durable when this returns. When it throws, load() tells whether it happened.
  void write(std::span<const Row> rows, std::uint64_t start, const Moment& now);

  /// Sequences `first`..`last` are gone by `way`: those that were not are counted. Memory only.
  std::uint64_t settle(std::uint64_t first, std::uint64_t last, Way way);
  /// The same for all rows that are not gone yet.
  std::uint64_t settle_all(Way way);
  /// Writes intervals and counts, where they have changed. Without `durable` they survive the process only.
  void save(bool durable);
  /// The counts of a segment whose readable rows have been written here become this one's, durably.
  void take_over(const Counts& counts);
  /// Writes a copy of the open file, wherever its name has gone.
  void copy_to(const std::filesystem::path& file);
  /// Empties the write-ahead log into the file, durably.
  void write_back();
  bool unsaved() const { return unsaved_ > 0 || unsynced_; }
  std::uint64_t unsaved_sequences() const { return unsaved_; }
  /// The file says all of it, once it is closed: what has been settled, and how many rows there are.
  bool is_written() const { return !unsaved() && uncounted_rows_ == 0; }

  /// Appends rows after `after` that are not gone, in order, until `max_rows` or `max_bytes` are reached, or
  /// the end. True: the end. Gaps between rows are closed in the intervals on the way.
  bool read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes, std::vector<StoredRow>& out);
  std::optional<StoredRow> read_one(std::uint64_t sequence);

  /// Closes the file; without `keep` nothing is written back, since it is to be removed.
  void close(bool keep = true);
  /// The same, and what was read is forgotten.
  void discard();
  bool is_open() const { return opened_ != nullptr; }
  void refresh_bytes();

  std::uint64_t number() const { return number_; }
  const std::filesystem::path& file() const { return file_; }
  /// Of the rows, gone or not; 0 without rows.
  std::uint64_t first() const { return first_; }
  std::uint64_t last() const { return last_; }
  const Counts& counts() const { return counts_; }
  const Intervals& gone() const { return gone_; }
  std::uint64_t missing() const { return missing_; }  ///< counted, without a row
  /// From which sequence on rows belong to which start, ascending.
  const std::vector<std::pair<std::uint64_t, std::uint64_t>>& starts() const { return starts_; }
  /// The start of the last rows; 0 without rows.
  std::uint64_t last_start() const { return starts_.empty() ? 0 : starts_.back().second; }
  const Moment& newest() const { return newest_; }
  std::optional<Moment> oldest_written() const { return oldest_written_; }  ///< by this process
  std::uint64_t bytes() const { return bytes_; }            ///< on disk, with the write-ahead log
  std::uint64_t full_bytes() const { return full_bytes_; }  ///< of the file once the log is written back

  struct Recount {
    std::string quick_check;
    std::uint64_t rows = 0;
    std::uint64_t gone = 0;
  };
  Recount recount();

 private:
  struct Opened;
  Opened& open();
  void load(sqlite::Connection& connection, const Moment& now);
  std::uint64_t start_of(std::uint64_t sequence) const;
  void write_state(sqlite::Statement& statement) const;

  std::filesystem::path file_;
  std::uint64_t number_;
  Limits limits_;
  std::shared_ptr<Opened> opened_;  // shared only so that the type may stay incomplete here

  std::uint64_t first_ = 0;
  std::uint64_t last_ = 0;
  Counts counts_;
  Intervals gone_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> starts_;  // first sequence, start
  Moment newest_;
  std::optional<Moment> oldest_written_;
  std::uint64_t missing_ = 0;
  std::uint64_t counted_to_ = 0;      // what the file's state row says
  std::uint64_t uncounted_rows_ = 0;  // rows after it
  std::uint64_t unsaved_ = 0;         // sequences settled since the state was written
  bool unsynced_ = false;             // the state was written, but not durably
  std::uint64_t bytes_ = 0;
  std::uint64_t full_bytes_ = 0;
};

}  // namespace sluice::queue
