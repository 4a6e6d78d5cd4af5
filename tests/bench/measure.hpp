// SPDX-License-Identifier: Apache-2.0
// What the benchmarks share: runs that alternate, and their medians, because the speed of a machine drifts. Time is
// that of the thread on its processor, so that others who use the machine count for less.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <vector>

namespace sluice::bench {

inline double thread_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

/// Nanoseconds per call of `work`, which makes `calls` of them.
template <typename Work>
double nanoseconds_per_call(std::size_t calls, Work&& work) {
  const double start = thread_nanoseconds();
  work();
  return (thread_nanoseconds() - start) / static_cast<double>(calls);
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace sluice::bench
