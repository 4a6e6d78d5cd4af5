// SPDX-License-Identifier: Apache-2.0
//
// Debouncing of one input, where the kernel refuses to do it: a change counts once the line was steady for the period.
// No input or output; times are handed in, in ns of the clock of the edges. Belongs to the thread of the instance.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace sluice::gpio {

class Debounce {
 public:
  Debounce(std::chrono::nanoseconds period, bool value) : period_ns_(period.count()), value_(value) {}

  // An edge at that time.
  void edge(std::int64_t time_ns) { last_edge_ns_ = time_ns; }
  // When the line has to be looked at; nothing: not before the next edge.
  std::optional<std::int64_t> deadline_ns() const {
    if (!last_edge_ns_) return std::nullopt;
    return *last_edge_ns_ + period_ns_;
  }
  // The line was looked at, at or after the deadline. The time of the change, where the value is another one than before.
  std::optional<std::int64_t> steady(bool value) {
    const std::optional<std::int64_t> time = last_edge_ns_;
    last_edge_ns_.reset();
    if (!time || value == value_) return std::nullopt;
    value_ = value;
    return time;
  }

 private:
  const std::int64_t period_ns_;
  bool value_;  // the last steady one
  std::optional<std::int64_t> last_edge_ns_;
};

}  // namespace sluice::gpio
