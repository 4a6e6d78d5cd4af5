// SPDX-License-Identifier: Apache-2.0
// How long to wait before trying again: full jitter between 0 and a ceiling that doubles from a minimum to a
// maximum, so that a fleet does not return all at once. One owner, one thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace sluice {

class Backoff {
 public:
  using Duration = std::chrono::milliseconds;

  Backoff(Duration min, Duration max, unsigned seed = std::random_device{}())
      : min_(min), max_(std::max(min, max)), ceiling_(min), random_(seed) {}

  /// The next delay, in [0, ceiling]; the ceiling doubles.
  Duration next() {
    std::uniform_int_distribution<Duration::rep> delay(0, ceiling_.count());
    const Duration chosen(delay(random_));
    ceiling_ = ceiling_ > max_ / 2 ? max_ : ceiling_ * 2;
    return chosen;
  }

  /// The upper bound of what next() answers.
  Duration ceiling() const { return ceiling_; }

  /// It worked: the ceiling is the minimum again.
  void reset() { ceiling_ = min_; }

 private:
  Duration min_;
  Duration max_;
  Duration ceiling_;
  std::mt19937 random_;
};

}  // namespace sluice
