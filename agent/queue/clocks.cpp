// SPDX-License-Identifier: Apache-2.0
#include "queue/clocks.hpp"

#include <algorithm>
#include <utility>

namespace sluice::queue {

void Clocks::load(std::vector<BootClock> known) {
  const std::lock_guard lock(mutex_);
  known_ = std::move(known);
}

bool Clocks::look(std::uint64_t boot, std::int64_t wall_ns, std::int64_t monotonic_ns, bool synchronised) {
  synchronised_ = synchronised;
  if (!synchronised || offset_of(boot)) return false;
  const std::lock_guard lock(mutex_);
  known_.push_back({boot, wall_ns - monotonic_ns});
  if (known_.size() > most_boots) known_.erase(known_.begin());
  return true;
}

std::vector<BootClock> Clocks::all() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

std::optional<std::int64_t> Clocks::offset_of(std::uint64_t boot) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(known_.begin(), known_.end(),
                                  [boot](const BootClock& known) { return known.boot == boot; });
  return found == known_.end() ? std::nullopt : std::optional(found->offset_ns);
}

std::optional<Time> Clocks::corrected(const Time& time) const {
  if (time.kind != TimeKind::host || time.mark != TimeMark::unsynchronised) return std::nullopt;
  const std::optional<std::int64_t> offset = offset_of(time.boot);
  if (!offset) return std::nullopt;
  Time corrected = time;
  corrected.wall_ns = time.monotonic_ns + *offset;
  corrected.mark = TimeMark::corrected;
  return corrected;
}

}  // namespace sluice::queue
