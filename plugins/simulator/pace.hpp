// SPDX-License-Identifier: Apache-2.0
//
// How many messages are due by now: message i at start + i / rate, an absolute schedule, so that no error adds up. Where the
// agent was held up, at most one second's worth is made up for; the schedule moves on by the rest. Knows no clock.
// Owned by one instance.
#pragma once

#include <cstdint>

namespace simulator {

class Pace {
 public:
  // `rate` is in messages a second, above 0.
  Pace(double rate, std::int64_t start_ns) : rate_(rate), start_ns_(start_ns) {}

  // How many are due at `now_ns`, besides those that were taken. Times must not go backwards.
  std::uint64_t due(std::int64_t now_ns);
  void taken(std::uint64_t count) { taken_ += count; }
  // When the next one is due.
  std::int64_t next_ns() const;
  // When to look again: then, or now. From 1000 a second on it is 10 ms from now at the soonest, since to wake up for a message
  // costs more than the message; they come together, as from a device that is polled.
  std::int64_t next_look_ns(std::int64_t now_ns) const;

 private:
  std::int64_t time_of(std::uint64_t index) const;

  const double rate_;
  std::int64_t start_ns_;
  std::uint64_t taken_ = 0;  // since start_ns_
};

}  // namespace simulator
