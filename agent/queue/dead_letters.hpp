// SPDX-License-Identifier: Apache-2.0
// What could not be delivered, kept for the user in dead_letters.sqlite, bounded: beyond the bound the oldest
// go, counted. Owned by the queue, used by the storage thread. The file is opened for each use that needs it.
//
// user_version 1: letters(number, id, topic, reason, time, data = pack(delivery)), removed(count).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "queue/lane.hpp"
#include "queue/sqlite.hpp"

namespace sluice::queue {

class DeadLetters {
 public:
  static constexpr std::uint64_t max_letters = 10'000;
  static constexpr std::uint64_t max_bytes = std::uint64_t{16} << 20U;

  struct Letter {
    std::string id;
    std::string topic;
    std::string reason;
    std::int64_t time_ns = 0;
    std::string data;
  };

  /// Keeps at most `bytes`, if that is less than `max_bytes`.
  DeadLetters(std::filesystem::path file, std::uint64_t bytes)
      : file_(std::move(file)), most_bytes_(std::min(bytes, max_bytes)) {}

  /// Counts what is there. Throws sqlite::Error, FormatError.
  void load();
  /// Durable when it returns. A letter whose id is there already replaces it.
  void add(std::span<const Letter> letters);
  std::vector<Letter> read(std::size_t skip, std::size_t max);
  /// Adds what can be read of a damaged file of letters; how many.
  std::uint64_t restore(const std::filesystem::path& damaged);

  std::uint64_t count() const { return count_; }
  std::uint64_t count(Lane lane) const { return by_lane_[index_of(lane)]; }  ///< as their ids tell
  std::uint64_t removed() const { return removed_; }  ///< because of the bound, since ever
  std::uint64_t bytes() const { return bytes_; }
  const std::filesystem::path& file() const { return file_; }

 private:
  void measure(sqlite::Connection& connection);

  std::filesystem::path file_;
  std::uint64_t most_bytes_;
  std::uint64_t count_ = 0;
  std::array<std::uint64_t, lane_count> by_lane_{};
  std::uint64_t data_bytes_ = 0;
  std::uint64_t removed_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice::queue
