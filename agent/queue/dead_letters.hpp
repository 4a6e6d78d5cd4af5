// SPDX-License-Identifier: Apache-2.0
// What could not be delivered, kept for the user in dead_letters.sqlite, bounded: beyond the bound the oldest
// go, counted. Owned by the queue, used by the storage thread. The file is opened for each use that needs it.
//
// user_version 2: letters(number, id, topic, reason, time, data = pack(delivery)), counts(one row: what became of all
// letters there were, changed together with them; `kept` is the number of rows). 1: removed(count) in its place.
// The mirror has the counts, too, so that letters that are lost with the file are counted.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "queue/lane.hpp"
#include "queue/mirror.hpp"
#include "queue/sqlite.hpp"
#include "queue/stats.hpp"

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
    std::uint64_t number = 0;  ///< given by add(): ascending
  };
  /// How the user lets go of a letter.
  enum class Fate : std::uint8_t { retried, dropped };

  /// Keeps at most `bytes`, if that is less than `max_bytes`.
  DeadLetters(std::filesystem::path file, std::uint64_t bytes, Mirror& mirror)
      : file_(std::move(file)), most_bytes_(std::min(bytes, max_bytes)), mirror_(mirror) {}

  /// Counts what is there. Throws sqlite::Error, FormatError.
  void load();
  /// Durable when it returns. A letter whose id is there already replaces it.
  void add(std::span<const Letter> letters);
  /// Up to `max` with a higher number, oldest first.
  std::vector<Letter> read(std::uint64_t after, std::size_t max);
  std::uint64_t newest();  ///< the highest number; 0: there are none
  /// Takes away those that are there, durably; how many.
  std::uint64_t remove(std::span<const std::string> ids, Fate fate);
  /// What the file says of itself, with the letters counted again.
  LetterCounts verify();
  /// Adds what can be read of a damaged file of letters; how many.
  std::uint64_t restore(const std::filesystem::path& damaged);

  const LetterCounts& counts() const { return counts_; }
  std::uint64_t count(Lane lane) const { return by_lane_[index_of(lane)]; }  ///< kept; as their ids tell
  std::uint64_t bytes() const { return bytes_; }
  const std::filesystem::path& file() const { return file_; }

 private:
  std::uint64_t remove_excess(sqlite::Connection& connection);
  void keep(const LetterCounts& counts);
  void read_mirror();
  void count_lanes(sqlite::Connection& connection);

  std::filesystem::path file_;
  std::uint64_t most_bytes_;
  Mirror& mirror_;
  LetterCounts counts_;
  std::array<std::uint64_t, lane_count> by_lane_{};
  std::uint64_t bytes_ = 0;
};

}  // namespace sluice::queue
