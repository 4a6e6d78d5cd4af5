// SPDX-License-Identifier: Apache-2.0
// How old something is, by clocks that may have been wrong. A plain value and a function, for every thread.
#pragma once

#include <cstdint>

#include "base/clock.hpp"
#include "queue/clocks.hpp"

namespace sluice::queue {

/// When something was, so that its age can be told: monotonic within a boot, else by synchronised wall clocks.
struct Moment {
  std::int64_t wall_ns = 0;
  std::int64_t monotonic_ns = 0;
  std::uint64_t boot = 0;
  bool synchronised = false;
};

/// Is `moment` longer than `limit` ago, for certain? A clock that nobody has set proves nothing.
bool is_older_than(const Moment& moment, const Moment& now, const Clocks& clocks, Nanoseconds limit);

}  // namespace sluice::queue
