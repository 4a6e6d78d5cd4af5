// SPDX-License-Identifier: Apache-2.0
// What waits by topic: a row for each topic, which the next one of that topic supersedes. So it stays as small as there
// are topics, however long the link is away. What a lane with keep = "last" has on disk.
//
// One file, last/values.sqlite, user_version 1:
//   messages(id = sequence, topic, start, data = pack(delivery), when it was written)
//   state(one row): the highest sequence ever, and the counts
// Rows are removed here: there are few. What is removed is written down together, at the next write() or save().
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "queue/chain.hpp"
#include "queue/store.hpp"

namespace sluice::queue {

class Latest final : public Store {
 public:
  explicit Latest(const Chain::Common& common);
  ~Latest() override;

  void load() override;
  void reload(bool doubtful) override;
  void close() override;

  std::uint64_t last() const override { return last_; }
  /// What is superseded counts so, and is among take_dropped().
  void write(std::span<const Row> rows, std::uint64_t start) override;
  void begin_edge() override {}

  std::uint64_t settle(std::uint64_t first, std::uint64_t last, Way way) override;
  std::uint64_t settle_all(Way way) override;
  void save(bool durable) override;
  std::uint64_t unsaved_sequences() const override { return unsaved_.size(); }
  void finish() override { save(true); }

  void retire_finished() override {}
  void drop_old() override;
  /// The older half.
  bool drop_oldest(Limit limit) override;

  bool read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes,
            std::vector<StoredRow>& out) override;
  std::optional<StoredRow> read_one(std::uint64_t sequence) override;

  bool mend(const std::filesystem::path& file, const std::string& reason) override;
  void mend_missing() override;

  Counts counts() const override { return counts_; }
  std::uint64_t bytes() const override;
  std::uint64_t bytes_with(std::uint64_t packed_bytes) const override;
  std::uint64_t droppable_bytes() const override { return 0; }
  std::vector<std::uint64_t> parts() const override;
  void verify(std::uint64_t part, Verification& verification, bool may_mend) override;

 private:
  struct Opened;

  Opened& open();
  bool is_there() const;
  void read_state();
  void forget_applied();
  void write_unsaved(Opened& opened);
  void write_state(Opened& opened, const Counts& counts, std::uint64_t last) const;
  void note();
  void mend_now(const std::string& reason);
  std::uint64_t salvage(const std::filesystem::path& kept);
  void drop_first(std::uint64_t most, Limit limit, Way way, bool only_old);

  const Options& options_;
  const std::filesystem::path file_;
  Mirror& mirror_;
  Quarantine& quarantine_;
  Losses& losses_;
  const Clocks& clocks_;
  const std::function<Moment()> now_;
  Log log_;
  std::unique_ptr<Opened> opened_;
  std::uint64_t last_ = 0;
  Counts counts_;
  std::map<std::uint64_t, Way> unsaved_;  // gone, and still in the file
  bool unsynced_ = false;                 // the file was written, but not durably
};

}  // namespace sluice::queue
