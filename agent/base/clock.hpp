// SPDX-License-Identifier: Apache-2.0
// The clocks of the machine, behind an interface so that tests own the time. Safe from every thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace sluice {

using Nanoseconds = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanoseconds wall() const = 0;       ///< since 1970 UTC; may jump
  virtual Nanoseconds monotonic() const = 0;  ///< CLOCK_MONOTONIC; never goes back within a boot
  virtual std::uint64_t boot() const = 0;     ///< the first 64 bits of the kernel's boot id
};

/// Both clocks at one moment, to about a microsecond: they are read one after the other, and a thread may be held up between.
struct Instant {
  Nanoseconds wall{0};
  Nanoseconds monotonic{0};
};
Instant instant(const Clock& clock);

class SystemClock : public Clock {
 public:
  SystemClock();
  Nanoseconds wall() const override;
  Nanoseconds monotonic() const override;
  std::uint64_t boot() const override { return boot_; }

 private:
  std::uint64_t boot_;
};

/// A clock that stands still until it is told otherwise.
class ManualClock : public Clock {
 public:
  Nanoseconds wall() const override { return Nanoseconds(wall_ns_.load()); }
  Nanoseconds monotonic() const override { return Nanoseconds(monotonic_ns_.load()); }
  std::uint64_t boot() const override { return boot_.load(); }

  /// Both clocks move on.
  void advance(Nanoseconds by) {
    wall_ns_ += by.count();
    monotonic_ns_ += by.count();
  }
  void set_wall(Nanoseconds to) { wall_ns_ = to.count(); }
  /// A restart of the machine: another boot id, and the monotonic clock at zero.
  void reboot() {
    ++boot_;
    monotonic_ns_ = 0;
  }

 private:
  std::atomic<std::int64_t> wall_ns_{1'700'000'000'000'000'000};
  std::atomic<std::int64_t> monotonic_ns_{1'000'000'000'000};
  std::atomic<std::uint64_t> boot_{1};
};

}  // namespace sluice
