// SPDX-License-Identifier: Apache-2.0
#include "simulator/pace.hpp"

#include <gtest/gtest.h>

namespace {

using simulator::Pace;

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t start = 77 * second + 1;

// How many are taken until `end`, when somebody looks every `step`.
std::uint64_t taken_until(Pace& pace, std::int64_t end, std::int64_t step) {
  std::uint64_t all = 0;
  for (std::int64_t now = start; now <= end; now += step) {
    const std::uint64_t due = pace.due(now);
    pace.taken(due);
    all += due;
  }
  return all;
}

TEST(Pace, TheFirstIsDueAtOnceAndTheOthersAtWholeIntervals) {
  Pace pace(10, start);
  EXPECT_EQ(pace.due(start), 1u);
  pace.taken(1);
  EXPECT_EQ(pace.next_ns(), start + second / 10);
  EXPECT_EQ(pace.due(start + second / 10 - 1), 0u);
  EXPECT_EQ(pace.due(start + second / 10), 1u);
}

TEST(Pace, AddsUpNoErrorHoweverOftenSomebodyLooks) {
  for (const std::int64_t tenths : {3, 30, 70, 10'000, 441'000}) {
    for (const std::int64_t step : {second / 1000, second / 7, second / 3}) {
      Pace pace(static_cast<double>(tenths) / 10, start);
      const std::int64_t looked_last = 100 * second / step * step;
      const auto expected = static_cast<std::uint64_t>(looked_last / 10 * tenths / second) + 1;
      EXPECT_EQ(taken_until(pace, start + looked_last, step), expected) << tenths << " " << step;
    }
  }
}

TEST(Pace, WhatIsNextIsDueWhenItsTimeHasComeAndNotBefore) {
  for (const double rate : {0.7, 3.0, 999.0, 1e6, 9'999'999.0}) {
    Pace pace(rate, start);
    for (int i = 0; i < 10'000; ++i) {
      const std::int64_t next = pace.next_ns();
      ASSERT_EQ(pace.due(next - 1), 0u) << rate << " " << i;
      ASSERT_GE(pace.due(next), 1u) << rate << " " << i;
      pace.taken(1);
    }
  }
}

TEST(Pace, FastOnesAreLookedForTogether) {
  Pace slow(999, start);
  slow.taken(slow.due(start));
  EXPECT_EQ(slow.next_look_ns(start), slow.next_ns());
  EXPECT_EQ(slow.next_look_ns(start + second), start + second);
  Pace fast(1000, start);
  fast.taken(fast.due(start));
  EXPECT_EQ(fast.next_look_ns(start), start + second / 100);
  EXPECT_EQ(fast.due(start + second / 100), 10u);
}

TEST(Pace, WhatWasNotTakenStaysDue) {
  Pace pace(100, start);
  EXPECT_EQ(pace.due(start + second / 10), 11u);
  pace.taken(4);
  EXPECT_EQ(pace.due(start + second / 10), 7u);
}

TEST(Pace, AfterALongPauseOneSecondIsMadeUpFor) {
  Pace pace(100, start);
  pace.taken(pace.due(start));
  const std::int64_t late = start + 3600 * second;
  EXPECT_EQ(pace.due(late), 101u);
  pace.taken(101);
  EXPECT_EQ(pace.due(late), 0u);
  EXPECT_EQ(pace.next_ns(), late + second / 100);
}

TEST(Pace, AVerySmallRateIsNeverDueAgain) {
  Pace pace(1e-12, start);
  EXPECT_EQ(pace.due(start), 1u);
  pace.taken(1);
  EXPECT_EQ(pace.next_ns(), INT64_MAX);
}

}  // namespace
