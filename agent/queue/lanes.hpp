// SPDX-License-Identifier: Apache-2.0
// What the lanes of a queue have on disk, together: the space that they share, and which of them gives way. Owned by the
// files, used by the storage thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "queue/lane.hpp"
#include "queue/store.hpp"

namespace sluice::queue {

class Lanes {
 public:
  explicit Lanes(std::array<std::unique_ptr<Store>, lane_count> stores) : stores_(std::move(stores)) {}

  Store& operator[](Lane lane) { return *stores_[index_of(lane)]; }
  const Store& operator[](Lane lane) const { return *stores_[index_of(lane)]; }
  Store& of(std::uint64_t sequence) { return (*this)[lane_of(sequence)]; }

  void load();
  void reload(bool doubtful);
  void close();

  /// Counted from the base of each lane, the highest sequence that has been written.
  std::uint64_t last_index() const;

  bool mend(const std::filesystem::path& file, const std::string& reason);
  void mend_missing();
  void save(bool durable);
  void finish();
  std::uint64_t unsaved_sequences() const;
  void retire_finished();
  void drop_old();
  std::uint64_t settle_all(Way way);
  /// Across the lanes, by ascending sequence: one lane after the other.
  bool read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes, std::vector<StoredRow>& out);

  Counts counts() const;
  std::uint64_t bytes() const;
  std::size_t parts() const;
  /// What they may come to with so many bytes of rows more in `lane`.
  std::uint64_t bytes_with(Lane lane, std::uint64_t packed_bytes) const;
  std::uint64_t droppable_bytes() const;
  /// Takes the oldest part of what matters least; false: there is nothing.
  bool drop_oldest(Limit limit);

 private:
  std::array<std::unique_ptr<Store>, lane_count> stores_;
};

}  // namespace sluice::queue
