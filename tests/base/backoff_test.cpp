// SPDX-License-Identifier: Apache-2.0
#include "base/backoff.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, CeilingDoublesFromMinimumToMaximum) {
  Backoff backoff(1s, 10s, 1);
  std::vector<Backoff::Duration> ceilings;
  for (int i = 0; i < 6; ++i) {
    ceilings.push_back(backoff.ceiling());
    backoff.next();
  }
  EXPECT_EQ(ceilings, (std::vector<Backoff::Duration>{1s, 2s, 4s, 8s, 10s, 10s}));
}

TEST(Backoff, StaysBetweenZeroAndTheCeiling) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    Backoff backoff(10ms, 1s, seed);
    for (int i = 0; i < 20; ++i) {
      const auto ceiling = backoff.ceiling();
      const auto delay = backoff.next();
      EXPECT_GE(delay, 0ms);
      EXPECT_LE(delay, ceiling);
    }
  }
}

TEST(Backoff, SpreadsAFleetOverTheWholeRange) {
  constexpr int gateways = 1000;
  std::vector<int> tenths(10);
  for (unsigned seed = 0; seed < gateways; ++seed) {
    Backoff backoff(1000ms, 1000ms, seed);
    const auto tenth = backoff.next().count() / 100;
    ++tenths[static_cast<std::size_t>(tenth < 10 ? tenth : 9)];
  }
  for (int count : tenths) EXPECT_GT(count, gateways / 20);
}

TEST(Backoff, BeginsAnewAfterReset) {
  Backoff backoff(1s, 60s, 1);
  for (int i = 0; i < 10; ++i) backoff.next();
  EXPECT_EQ(backoff.ceiling(), 60s);
  backoff.reset();
  EXPECT_EQ(backoff.ceiling(), 1s);
}

TEST(Backoff, TakesAMaximumBelowTheMinimumForTheMinimum) {
  Backoff backoff(5s, 1s, 1);
  backoff.next();
  EXPECT_EQ(backoff.ceiling(), 5s);
}

TEST(Backoff, DoesNotOverflowAtTheLargestMaximum) {
  Backoff backoff(1ms, Backoff::Duration::max(), 1);
  for (int i = 0; i < 100; ++i) EXPECT_GE(backoff.next(), 0ms);
  EXPECT_EQ(backoff.ceiling(), Backoff::Duration::max());
}

}  // namespace
}  // namespace sluice
