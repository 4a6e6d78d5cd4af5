// SPDX-License-Identifier: Apache-2.0
// What a queue is told: the keys of [buffer] and [output.buffer]. Plain values, for every thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace sluice::queue {

enum class WhenFull : std::uint8_t { drop_oldest, drop_newest };
enum class Sync : std::uint8_t { full, normal };
enum class Order : std::uint8_t { strict, live_first };

/// The names of three keys that belong together.
enum class Durability : std::uint8_t { strict, balanced, flash };

struct DurabilityKeys {
  std::chrono::nanoseconds persist_after;  ///< how long a message may wait in memory for its acknowledgement
  std::chrono::nanoseconds commit_interval;  ///< at most this long between being due and being committed
  Sync sync;
};

constexpr DurabilityKeys keys_of(Durability level) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  switch (level) {
    case Durability::strict:
      return {seconds(0), milliseconds(50), Sync::full};
    case Durability::balanced:
      return {seconds(1), seconds(1), Sync::full};
    case Durability::flash:
      break;
  }
  return {seconds(10), seconds(10), Sync::full};
}

struct Options {
  std::string name = "mqtt";                          ///< of the destination; for logs and statistics
  std::filesystem::path directory;                    ///< the queue's own
  std::uint64_t max_bytes = std::uint64_t{1} << 30U;  ///< on disk, everything counted
  std::chrono::nanoseconds max_age = std::chrono::hours(24 * 30);  ///< 0 = no limit
  std::uint64_t reserve_free = std::uint64_t{64} << 20U;           ///< left free on the file system
  WhenFull when_full = WhenFull::drop_oldest;
  std::chrono::nanoseconds persist_after = keys_of(Durability::balanced).persist_after;
  std::chrono::nanoseconds commit_interval = keys_of(Durability::balanced).commit_interval;
  Sync sync = Sync::full;
  std::size_t memory = std::size_t{4} << 20U;  ///< bytes of the tail and what is read ahead, together
  Order order = Order::strict;
  std::uint32_t replay_rate = 0;  ///< messages of the backlog a second; 0 = as fast as acknowledged
  bool operator==(const Options&) const = default;

  void set(Durability level) {
    const DurabilityKeys keys = keys_of(level);
    persist_after = keys.persist_after;
    commit_interval = keys.commit_interval;
    sync = keys.sync;
  }

  /// Bytes at which a segment is full: a sixteenth of the whole, within 1 and 64 MiB.
  std::uint64_t segment_bytes() const {
    constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;
    const std::uint64_t part = max_bytes / 16;
    return part < mebibyte ? mebibyte : part > 64 * mebibyte ? 64 * mebibyte : part;
  }
};

}  // namespace sluice::queue
