// SPDX-License-Identifier: Apache-2.0
#include "serial/poller.hpp"

#include <gtest/gtest.h>

namespace {

using serial::Poller;

TEST(Poller, AsksAtOnceAndThenEveryInterval) {
  Poller poller(1000, 100, 50);
  EXPECT_FALSE(poller.due(999));
  EXPECT_TRUE(poller.due(1000));
  EXPECT_EQ(poller.asked(1003), 0u);
  poller.answered();
  EXPECT_EQ(poller.next_ns(), 1100);
  EXPECT_FALSE(poller.due(1099));
  EXPECT_TRUE(poller.due(1100));
}

TEST(Poller, HasOneQuestionOutstanding) {
  Poller poller(1000, 100, 500);
  poller.asked(1000);
  EXPECT_TRUE(poller.awaiting());
  EXPECT_EQ(poller.next_ns(), 1500);
  EXPECT_FALSE(poller.due(1400));
  poller.answered();
  EXPECT_TRUE(poller.due(1400));
}

TEST(Poller, GivesUpAnAnswerThatDoesNotComeInTime) {
  Poller poller(1000, 100, 50);
  poller.asked(1000);
  EXPECT_FALSE(poller.expire(1049));
  EXPECT_TRUE(poller.expire(1050));
  EXPECT_FALSE(poller.expire(1060));
  EXPECT_EQ(poller.next_ns(), 1100);
}

TEST(Poller, CountsIntervalsThatItMissedAndKeepsToItsSchedule) {
  Poller poller(1000, 100, 50);
  EXPECT_EQ(poller.asked(1000), 0u);
  poller.answered();
  EXPECT_EQ(poller.asked(1350), 2u);
  poller.answered();
  EXPECT_EQ(poller.next_ns(), 1400);
}

}  // namespace
