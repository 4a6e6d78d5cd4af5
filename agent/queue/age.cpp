// SPDX-License-Identifier: Apache-2.0
#include "queue/age.hpp"

#include <optional>

namespace sluice::queue {

bool is_older_than(const Moment& moment, const Moment& now, const Clocks& clocks, Nanoseconds limit) {
  if (moment.boot == now.boot) return now.monotonic_ns - moment.monotonic_ns > limit.count();
  if (!now.synchronised) return false;
  const std::optional<std::int64_t> offset = clocks.offset_of(moment.boot);
  if (!moment.synchronised && !offset) return false;
  const std::int64_t wall_ns = moment.synchronised ? moment.wall_ns : moment.monotonic_ns + *offset;
  return now.wall_ns - wall_ns > limit.count();
}

}  // namespace sluice::queue
