// SPDX-License-Identifier: Apache-2.0
// The segments of one lane, in order: rows go into the newest, a segment that is wholly gone is unlinked, and
// the limits take whole segments from the old end.
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
#include "queue/segment.hpp"
#include "queue/segment_records.hpp"
#include "queue/state_file.hpp"
#include "queue/store.hpp"

namespace sluice::queue {

class Chain final : public Store {
 public:
  /// What the lanes of a queue share.
  struct Common {
    const Options& options;
    StateFile& state;
    Mirror& mirror;
    Quarantine& quarantine;
    Losses& losses;
    const Clocks& clocks;
    std::function<Moment()> now;  ///< the present moment, and whether the clock is synchronised
    Log log;
  };
  Chain(const Common& common, Lane lane);

  /// Finishes cut-short retirements, too.
  void load() override;
  void reload(bool doubtful) override;
  void close() override;

  std::uint64_t last() const override { return last_; }
  void write(std::span<const Row> rows, std::uint64_t start) override;
  void begin_edge() override;

  std::uint64_t settle(std::uint64_t first, std::uint64_t last, Way way) override;
  std::uint64_t settle_all(Way way) override;
  void save(bool durable) override;
  std::uint64_t unsaved_sequences() const override;
  void finish() override;

  void retire_finished() override;
  void drop_old() override;
  bool drop_oldest(Limit limit) override;

  bool read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes,
            std::vector<StoredRow>& out) override;
  std::optional<StoredRow> read_one(std::uint64_t sequence) override;

  bool mend(const std::filesystem::path& file, const std::string& reason) override;
  void mend_missing() override;

  Counts counts() const override;
  std::uint64_t bytes() const override;
  std::uint64_t bytes_with(std::uint64_t packed_bytes) const override;
  std::uint64_t droppable_bytes() const override;
  std::vector<std::uint64_t> parts() const override;
  void verify(std::uint64_t part, Verification& verification, bool may_mend) override;

 private:
  static constexpr std::size_t max_open = 3;

  void load(Segment& segment);
  void mend(Segment& segment, const Remembered& remembered, const std::string& reason);
  Remembered remembered(std::uint64_t number) const;
  std::vector<std::uint64_t> known_numbers() const;
  void retire_empty();
  void save(Segment& segment, bool durable);
  Segment& writable();
  Segment* find(std::uint64_t sequence);
  void retire(std::size_t index, std::optional<Way> rest);
  void drop(std::size_t index, Limit limit);
  Loss loss_of(Segment& segment, Limit limit);
  void unlink(std::uint64_t number);
  void measure_newest();
  void limit_open(const Segment* used);
  bool too_old(const Moment& moment, Nanoseconds limit) const;
  Segment::Limits limits() const;
  std::filesystem::path path_of(std::uint64_t number) const;
  static std::optional<std::uint64_t> number_of(const std::filesystem::path& file);
  std::uint64_t grown_bytes() const;

  const Options& options_;
  const std::filesystem::path folder_;
  StateFile& state_;
  SegmentRecords records_;
  Quarantine& quarantine_;
  Losses& losses_;
  const Clocks& clocks_;
  const std::function<Moment()> now_;
  Log log_;
  std::deque<Segment> segments_;  // ascending numbers and sequences
  bool newest_is_full_ = false;
  std::uint64_t last_ = 0;
};

}  // namespace sluice::queue
