// SPDX-License-Identifier: Apache-2.0
// Whether a thread gets on with its work, for the watchdog: it does while its heartbeat rises, and for `patience` longer while it
// is seen to wait for something outside that comes back by itself (a resolver, a slow disk). Used by one thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.hpp"

namespace sluice {

class Progress {
 public:
  static constexpr Nanoseconds patience = std::chrono::minutes(5);

  void observe(std::uint64_t heartbeat, bool waits_outside, Nanoseconds now) {
    if (heartbeat != heartbeat_) {
      heartbeat_ = heartbeat;
      moved_ = now;
      last_ = now;
    } else if (waits_outside && now - moved_ <= patience) {
      last_ = now;
    }
  }

  /// When it was last seen to get on, by the clock of observe().
  Nanoseconds last() const { return last_; }

 private:
  std::uint64_t heartbeat_ = 0;
  Nanoseconds moved_{0};
  Nanoseconds last_{0};
};

}  // namespace sluice
