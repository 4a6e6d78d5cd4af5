// SPDX-License-Identifier: Apache-2.0
// What is known of the clocks of this boot and of earlier ones: by how much the wall clock was off before somebody first
// set it in that boot. Times that the host took until then are corrected by it, always by the same, however often they
// are sent. Owned by the keeper; safe from every thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/message.hpp"

namespace sluice::queue {

/// The wall clock minus the monotonic one, when it was first seen synchronised in that boot.
struct BootClock {
  std::uint64_t boot = 0;
  std::int64_t offset_ns = 0;
  bool operator==(const BootClock&) const = default;
};

class Clocks {
 public:
  static constexpr std::size_t most_boots = 64;

  // The storage thread.

  void load(std::vector<BootClock> known);
  /// Whether the clock is synchronised now; true: for the first time in this boot, all() has changed.
  bool look(std::uint64_t boot, std::int64_t wall_ns, std::int64_t monotonic_ns, bool synchronised);
  /// The latest boots, oldest first.
  std::vector<BootClock> all() const;

  // Any thread.

  /// At the last look.
  bool synchronised() const { return synchronised_.load(std::memory_order_relaxed); }
  std::optional<std::int64_t> offset_of(std::uint64_t boot) const;
  /// The time corrected; nothing: it needs none, or what it needs is not known.
  std::optional<Time> corrected(const Time& time) const;

 private:
  std::atomic<bool> synchronised_{false};
  mutable std::mutex mutex_;
  std::vector<BootClock> known_;  // guarded by mutex_
};

}  // namespace sluice::queue
