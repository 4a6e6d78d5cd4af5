// SPDX-License-Identifier: Apache-2.0
#include "pace.hpp"

#include <algorithm>
#include <cmath>

namespace simulator {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr double fast_rate = 1000;
constexpr std::int64_t fast_pause_ns = 10'000'000;

}  // namespace

std::int64_t Pace::time_of(std::uint64_t index) const {
  // The schedule of a rate of 1e-9 ends beyond what 64 bits of nanoseconds hold.
  const double after_ns = std::ceil(static_cast<double>(index) * 1e9 / rate_);
  return after_ns >= 9e18 - static_cast<double>(start_ns_) ? INT64_MAX
                                                           : start_ns_ + static_cast<std::int64_t>(after_ns);
}

std::int64_t Pace::next_ns() const {
  return time_of(taken_);
}

std::int64_t Pace::next_look_ns(std::int64_t now_ns) const {
  return std::max(next_ns(), rate_ < fast_rate ? now_ns : now_ns + fast_pause_ns);
}

std::uint64_t Pace::due(std::int64_t now_ns) {
  const std::int64_t next = next_ns();
  if (now_ns < next) return 0;
  if (now_ns - next > second_ns) {
    start_ns_ = now_ns - second_ns;
    taken_ = 0;
  }
  // The last one whose time has come, corrected for the rounding of time_of.
  auto last = static_cast<std::uint64_t>(static_cast<double>(now_ns - start_ns_) / 1e9 * rate_);
  while (time_of(last + 1) <= now_ns) ++last;
  while (last > taken_ && time_of(last) > now_ns) --last;
  return last - taken_ + 1;
}

}  // namespace simulator
