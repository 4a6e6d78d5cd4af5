// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <ctime>
#include <fstream>
#include <string>

namespace sluice {
namespace {

Nanoseconds read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + Nanoseconds(now.tv_nsec);
}

std::uint64_t read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  file >> text;
  std::uint64_t id = 0;
  int digits = 0;
  for (char c : text) {
    if (c == '-') continue;
    if (digits++ == 16) break;
    id = id << 4U | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return id;
}

}  // namespace

Instant instant(const Clock& clock) {
  constexpr int tries = 3;
  constexpr auto good = std::chrono::microseconds(1);
  Instant best;
  Nanoseconds closest = Nanoseconds::max();
  for (int i = 0; i < tries && closest > good; ++i) {
    const Nanoseconds before = clock.monotonic();
    const Nanoseconds wall = clock.wall();
    const Nanoseconds between = clock.monotonic() - before;
    if (between >= closest) continue;
    closest = between;
    best = {wall, before + between / 2};
  }
  return best;
}

SystemClock::SystemClock() : boot_(read_boot_id()) {}
Nanoseconds SystemClock::wall() const {
  return read_clock(CLOCK_REALTIME);
}
Nanoseconds SystemClock::monotonic() const {
  return read_clock(CLOCK_MONOTONIC);
}

}  // namespace sluice
