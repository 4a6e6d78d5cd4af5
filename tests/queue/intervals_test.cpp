// SPDX-License-Identifier: Apache-2.0
#include "queue/intervals.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <stdexcept>
#include <string>

namespace sluice::queue {
namespace {

TEST(Intervals, MergeWhatTouchesAndCountWhatIsNew) {
  Intervals set;
  EXPECT_EQ(set.add(5, 7), 3U);
  EXPECT_EQ(set.add(10, 10), 1U);
  EXPECT_EQ(set.add(1, 1), 1U);
  EXPECT_EQ(set.list().size(), 3U);
  EXPECT_EQ(set.add(6, 9), 2U);
  EXPECT_EQ(set.list(), (std::vector<Interval>{{1, 1}, {5, 10}}));
  EXPECT_EQ(set.add(2, 4), 3U);
  EXPECT_EQ(set.list(), (std::vector<Interval>{{1, 10}}));
  EXPECT_EQ(set.add(3, 8), 0U);
}

TEST(Intervals, TellWhatIsOutside) {
  Intervals set;
  set.add(2, 4);
  set.add(6, 6);
  EXPECT_EQ(set.next_outside(1), 1U);
  EXPECT_EQ(set.next_outside(2), 5U);
  EXPECT_EQ(set.next_outside(6), 7U);
  EXPECT_TRUE(set.contains(4));
  EXPECT_FALSE(set.contains(5));
}

TEST(Intervals, AgreeWithASetOfNumbersAndSurvivePacking) {
  std::mt19937 random(7);
  std::uniform_int_distribution<std::uint64_t> first(1, 400);
  std::uniform_int_distribution<std::uint64_t> length(0, 6);
  Intervals set;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t from = first(random);
    const std::uint64_t to = from + length(random);
    std::uint64_t fresh = 0;
    for (std::uint64_t n = from; n <= to; ++n) fresh += numbers.insert(n).second ? 1 : 0;
    ASSERT_EQ(set.add(from, to), fresh);
    for (std::uint64_t n = 1; n < 410; ++n) ASSERT_EQ(set.contains(n), numbers.count(n) == 1) << n;
    for (std::size_t k = 1; k < set.list().size(); ++k) {
      ASSERT_LT(set.list()[k - 1].last + 1, set.list()[k].first);
    }
    ASSERT_EQ(Intervals::unpack(set.pack()).list(), set.list());
  }
}

TEST(Intervals, RefuseBytesThatAreCutShort) {
  Intervals set;
  set.add(1000, 2000);
  std::string bytes = set.pack();
  bytes.pop_back();
  EXPECT_THROW(Intervals::unpack(bytes), std::runtime_error);
}

}  // namespace
}  // namespace sluice::queue
