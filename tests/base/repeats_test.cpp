// SPDX-License-Identifier: Apache-2.0
#include "base/repeats.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using namespace std::chrono_literals;

class RepeatsTest : public testing::Test {
 protected:
  bool pass(std::string_view format, int level = 3, std::string_view part = "serial") {
    return repeats_.pass(level, part, format, format, now_);
  }

  Repeats repeats_{{.most = 2, .window = 60s}};
  Repeats::TimePoint now_{1h};
};

TEST_F(RepeatsTest, LetsSoManyPassAndCountsTheRest) {
  EXPECT_TRUE(pass("a"));
  EXPECT_TRUE(pass("a"));
  EXPECT_FALSE(pass("a"));
  EXPECT_FALSE(pass("a"));
  EXPECT_EQ(repeats_.suppressed(), 2U);
}

TEST_F(RepeatsTest, CountsEachKindByItself) {
  pass("a");
  pass("a");
  EXPECT_FALSE(pass("a"));
  EXPECT_TRUE(pass("b"));
  EXPECT_TRUE(pass("a", 4));
  EXPECT_TRUE(pass("a", 3, "modbus"));
}

TEST_F(RepeatsTest, TakesLinesThatDifferInDigitsForOne) {
  EXPECT_TRUE(pass("frame 1 is bad"));
  EXPECT_TRUE(pass("frame 20 is bad"));
  EXPECT_FALSE(pass("frame 300 is bad"));
}

TEST_F(RepeatsTest, SumsUpWhenTheWindowIsOver) {
  for (int i = 0; i < 4; ++i) pass("a " + std::to_string(i));
  now_ += 59s;
  pass("a 9");
  EXPECT_TRUE(repeats_.take(now_).empty());
  now_ += 1s;
  const auto sums = repeats_.take(now_);
  ASSERT_EQ(sums.size(), 1U);
  EXPECT_EQ(sums[0].part, "serial");
  EXPECT_EQ(sums[0].level, 3);
  EXPECT_EQ(sums[0].lines, 3U);
  EXPECT_EQ(sums[0].time, 59s);
  EXPECT_EQ(sums[0].last, "a 9");
  EXPECT_TRUE(repeats_.take(now_).empty());
}

TEST_F(RepeatsTest, BeginsAnewAfterTheWindowAndLosesNoSum) {
  for (int i = 0; i < 3; ++i) pass("a");
  now_ += 60s;
  EXPECT_TRUE(pass("a"));
  const auto sums = repeats_.take(now_);
  ASSERT_EQ(sums.size(), 1U);
  EXPECT_EQ(sums[0].lines, 1U);
}

TEST_F(RepeatsTest, SaysNothingOfWhatPassed) {
  pass("a");
  pass("a");
  EXPECT_TRUE(repeats_.take(now_, true).empty());
}

TEST_F(RepeatsTest, SumsUpEarlierWhenItIsTheEnd) {
  for (int i = 0; i < 3; ++i) pass("a");
  EXPECT_EQ(repeats_.take(now_, true).size(), 1U);
}

TEST_F(RepeatsTest, RemembersABoundedNumberOfKinds) {
  for (int i = 0; i < 100'000; ++i) {
    std::string kind;
    for (int rest = i; rest > 0; rest /= 26) kind += static_cast<char>('a' + rest % 26);
    pass(kind);
  }
  // Those beyond are not limited, rather than the memory.
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(pass("another"));
  now_ += 60s;
  repeats_.take(now_);
  pass("another");
  pass("another");
  EXPECT_FALSE(pass("another"));
}

TEST(Repeats, WithoutALimitEverythingPasses) {
  Repeats repeats({.most = 0});
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(repeats.pass(3, "serial", "a", "a", {}));
}

}  // namespace
}  // namespace sluice
