// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(SystemClock, TellsTheTimeSince1970) {
  const auto before = std::chrono::system_clock::now().time_since_epoch();
  const auto wall = SystemClock().wall();
  const auto after = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_GE(wall, before);
  EXPECT_LE(wall, after);
}

TEST(SystemClock, NeverGoesBack) {
  const SystemClock clock;
  auto last = clock.monotonic();
  for (int i = 0; i < 1000; ++i) {
    const auto now = clock.monotonic();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SystemClock, KnowsTheBootOfTheMachine) {
  EXPECT_NE(SystemClock().boot(), 0U);
  EXPECT_EQ(SystemClock().boot(), SystemClock().boot());
}

TEST(ManualClock, StandsStillUntilItIsToldOtherwise) {
  ManualClock clock;
  const auto wall = clock.wall();
  const auto monotonic = clock.monotonic();
  EXPECT_EQ(clock.wall(), wall);
  clock.advance(1500ms);
  EXPECT_EQ(clock.wall() - wall, 1500ms);
  EXPECT_EQ(clock.monotonic() - monotonic, 1500ms);
}

TEST(ManualClock, StepsTheWallClockAlone) {
  ManualClock clock;
  const auto monotonic = clock.monotonic();
  clock.set_wall(5s);
  EXPECT_EQ(clock.wall(), 5s);
  EXPECT_EQ(clock.monotonic(), monotonic);
}

TEST(ManualClock, HasAnotherBootAfterReboot) {
  ManualClock clock;
  const auto boot = clock.boot();
  const auto wall = clock.wall();
  clock.reboot();
  EXPECT_NE(clock.boot(), boot);
  EXPECT_EQ(clock.monotonic(), 0s);
  EXPECT_EQ(clock.wall(), wall);
}

// Held up for some milliseconds each time that the wall clock is read, but the last.
class HeldUpClock : public ManualClock {
 public:
  explicit HeldUpClock(int times) : times_(times) {}
  Nanoseconds wall() const override {
    const Nanoseconds read = ManualClock::wall();
    if (times_-- > 0) const_cast<HeldUpClock*>(this)->advance(std::chrono::milliseconds(4 + times_));
    return read;
  }

 private:
  mutable int times_;
};

TEST(Instant, IsThatOfBothClocks) {
  const ManualClock clock;
  EXPECT_EQ(instant(clock).wall, clock.wall());
  EXPECT_EQ(instant(clock).monotonic, clock.monotonic());
}

TEST(Instant, IsReadAgainWhereTheThreadWasHeldUpBetweenTheTwo) {
  const Nanoseconds difference = ManualClock().wall() - ManualClock().monotonic();
  for (const int times : {1, 2}) {
    const HeldUpClock clock(times);
    const Instant read = instant(clock);
    EXPECT_EQ(read.wall - read.monotonic, difference) << times;
  }
  // Always: the best of a few.
  const HeldUpClock clock(100);
  const Instant read = instant(clock);
  EXPECT_LE(std::chrono::abs(read.wall - read.monotonic - difference), std::chrono::milliseconds(51));
}

}  // namespace
}  // namespace sluice
