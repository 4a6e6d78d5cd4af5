// SPDX-License-Identifier: Apache-2.0
// The queue's own file, state.sqlite: the number of the current start, how far sequences have been used, the
// totals of the segments that are gone, and which of those may still have to be unlinked. Owned by the queue,
// used by the storage thread. Every change is one durable transaction.
//
// user_version 4: state(one row), retired(lane, number), losses(what upstream is to be told), clocks(of the latest
// boots), lanes(what each has dropped); 3, 2, 1: without the last, the last two, the last three.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "queue/clocks.hpp"
#include "queue/lane.hpp"
#include "queue/ledger.hpp"
#include "queue/losses.hpp"
#include "queue/mirror.hpp"
#include "queue/sqlite.hpp"

namespace sluice::queue {

class StateFile {
 public:
  /// What has been dropped in a lane, by a limit or by the user: of the segments that are gone, and of what came in.
  struct Dropped {
    std::uint64_t stored = 0;
    std::uint64_t newest = 0;
    bool operator==(const Dropped&) const = default;
  };
  using DroppedByLane = std::array<Dropped, lane_count>;

  struct Values {
    std::uint64_t start = 0;  ///< of the last start that was committed; 0 = none yet
    std::uint64_t next_sequence =
        1;  ///< no sequence below, from the base of any lane, was ever free for use again
    std::uint64_t last_segment = 0;  ///< the highest number that was retired
    Counts retired;                  ///< totals of the segments that are gone
    DroppedByLane dropped{};
  };
  struct Retired {
    std::string lane;
    std::uint64_t number = 0;
    bool removed = false;
  };

  StateFile(std::filesystem::path file, Mirror& mirror) : file_(std::move(file)), mirror_(mirror) {}

  /// Reads the file, and the mirror, which knows better where the file is not there or not whole. Throws sqlite::Error, FormatError.
  void load();
  const Values& values() const { return values_; }
  /// Segments counted in the totals whose files may still be there.
  const std::vector<Retired>& unfinished() const { return unfinished_; }
  /// As they have been written last.
  const std::vector<Loss>& losses() const { return losses_; }

  // Each makes the file where it is missing, and leaves the values as they were where it throws.

  void begin_start(std::uint64_t start, std::uint64_t next_sequence);
  /// A segment's counts become part of the totals; from now on its file counts for nothing.
  void retire(Lane lane, std::uint64_t number, const Counts& counts, std::uint64_t next_sequence,
              const std::vector<Loss>& losses);
  /// The files of that one are gone, durably: it is forgotten with the next retirement. Writes nothing.
  void removed(Lane lane, std::uint64_t number);
  /// `dropped`: its `newest` are taken over.
  void save(std::uint64_t next_sequence, const DroppedByLane& dropped, const std::vector<Loss>& losses);

  /// The file has been removed under us; rewrite() makes it anew.
  bool was_removed() const;
  void rewrite();
  /// A sync has failed, of this file perhaps: what it says is brought to the disk anew.
  void write_back() {
    if (connection_) connection_->write_back();
  }

  void save_clocks(const std::vector<BootClock>& clocks);
  const std::vector<BootClock>& clocks() const { return clocks_; }

  void close() { connection_.reset(); }
  const std::filesystem::path& file() const { return file_; }
  std::uint64_t bytes() const { return sqlite::bytes_on_disk(file_); }

 private:
  sqlite::Connection& open();
  void write(const Values& values);
  void keep(const Values& values);
  void write_losses(const std::vector<Loss>& losses);
  void write_clocks(const std::vector<BootClock>& clocks);
  void read_file();
  void read_mirror();

  std::filesystem::path file_;
  Mirror& mirror_;
  std::unique_ptr<sqlite::Connection> connection_;
  Values values_;
  std::vector<Retired> unfinished_;
  std::vector<Loss> losses_;
  std::vector<BootClock> clocks_;
};

}  // namespace sluice::queue
