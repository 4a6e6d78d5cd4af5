// SPDX-License-Identifier: Apache-2.0
// What a queue does on the storage thread: what its lanes have to do there (lane_keeper.hpp), what the files need once a
// second, and holding on through failures of the disk. Owned by the queue. Every function but stats() belongs to the
// storage thread.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "queue/files.hpp"
#include "queue/lane_keeper.hpp"
#include "queue/options.hpp"
#include "queue/stats.hpp"
#include "queue/storage.hpp"
#include "queue/tail.hpp"
#include "queue/trouble.hpp"

namespace sluice::queue {

class Keeper final : public StorageClient {
 public:
  /// One tail for each lane.
  using Tails = std::array<std::unique_ptr<Tail>, lane_count>;

  /// `ready` is called when the reader may find something again.
  Keeper(const Storage& storage, Options options, const Tails& tails, std::function<void()> ready, Log log);

  /// Opens the files. Throws FormatError; other failures are kept as the queue's problem, and tried again.
  /// With `begin_start` the number of a new start is committed before anything can be taken.
  void open(bool begin_start);

  Nanoseconds work() noexcept override;
  void finish() noexcept override;
  bool finished_well() const { return finished_well_; }

  /// Writes everything accepted until now, and what is gone. Throws.
  void flush();
  std::vector<Stored> read(std::uint64_t after, std::size_t max);
  /// What is written at once, at most, in bytes of memory. For any thread.
  std::uint64_t transaction_bytes() const { return options_.segment_bytes() / 4; }
  /// Whether `bytes` more may be written at once without dropping anything for their sake.
  bool has_room(Lane lane, std::uint64_t bytes);
  std::vector<DeadLetter> read_dead_letters(std::uint64_t after, std::size_t max);
  std::uint64_t newest_dead_letter();
  std::uint64_t remove_dead_letters(std::span<const std::string> ids, DeadLetters::Fate fate);
  std::uint64_t drop(const std::vector<std::uint64_t>& sequences);
  std::uint64_t drop_all();
  /// Begins a verification; then each of `segments()` is verified, so that nothing waits for all of them.
  Verification verify_totals();
  std::vector<std::pair<Lane, std::uint64_t>> segments();
  void verify_segment(Lane lane, std::uint64_t number, Verification& verification);

  /// The user knows of all damage until now; how many cases were new.
  std::uint64_t acknowledge_damage();

  Stats stats() const;  ///< any thread
  /// What upstream is to be told; for the forwarder's thread.
  Losses& losses() { return files_.losses(); }
  /// For any thread.
  const Clocks& clocks() const { return files_.clocks(); }

 private:
  template <typename Step>
  void mending(const Step& step);
  void need_open() const;
  void load(bool begin_start);
  void begin_start();
  void recover();
  void settle();
  void write_due(Nanoseconds now);
  void drain_full_disk(Nanoseconds now);
  void forget_dropped();
  void save_state();
  StateFile::DroppedByLane dropped() const;
  std::uint64_t next_index() const;
  void look_after_files(Nanoseconds now);
  void read_ahead();
  void look_for_oldest();
  LaneKeeper& keeper_of(std::uint64_t sequence);
  void publish();
  Moment moment() const;

  const Storage& storage_;
  const Options options_;
  const std::function<void()> ready_;
  Log log_;
  Files files_;
  std::deque<LaneKeeper> lanes_;

  bool begin_start_ = false;
  bool open_ = false;
  bool stale_ = false;     // a transaction failed: what is on disk has to be read again
  bool doubtful_ = false;  // and a sync failed: what is in the log may not be on the disk
  bool finished_ = false;
  bool finished_well_ = true;
  std::uint64_t start_ = 0;
  StateFile::DroppedByLane dropped_before_{};  // what the state file brought along
  Trouble writing_;
  Trouble reading_;
  Nanoseconds looked_at_{0};
  std::array<std::optional<std::int64_t>, lane_count> oldest_;

  mutable std::mutex mutex_;
  Stats published_;  // guarded by mutex_
};

// Runs a step, and once more for each damaged file that it meets and that could be replaced.
template <typename Step>
void Keeper::mending(const Step& step) {
  constexpr int most = 100;
  for (int mended = 0;; ++mended) {
    try {
      if (stale_) recover();
      step();
      return;
    } catch (const sqlite::Error& error) {
      doubtful_ = doubtful_ || error.is_sync();
      if (mended == most || !files_.mend(error)) throw;
      stale_ = open_;
    }
  }
}

}  // namespace sluice::queue
