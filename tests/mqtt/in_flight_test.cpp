// SPDX-License-Identifier: Apache-2.0
#include "mqtt/in_flight.hpp"

#include <gtest/gtest.h>

namespace sluice::mqtt {
namespace {

InFlight::TimePoint at(int seconds) {
  return InFlight::TimePoint(std::chrono::seconds(seconds));
}

TEST(InFlight, GivesBackWhatWasPutUnderAnId) {
  InFlight in_flight;
  in_flight.add(7, {42, 1, false, at(1)});
  ASSERT_TRUE(in_flight.contains(7));
  EXPECT_EQ(in_flight.take(7)->token, 42U);
  EXPECT_FALSE(in_flight.contains(7));
  EXPECT_FALSE(in_flight.take(7));
  EXPECT_TRUE(in_flight.empty());
}

TEST(InFlight, KnowsTheOldestWhateverTheOrderOfAnswers) {
  InFlight in_flight;
  for (int i = 1; i <= 3; ++i) in_flight.add(static_cast<std::uint16_t>(i), {0, 1, false, at(i)});
  in_flight.take(2);
  EXPECT_EQ(in_flight.oldest(), at(1));
  in_flight.take(1);
  EXPECT_EQ(in_flight.oldest(), at(3));
  in_flight.add(1, {0, 1, false, at(4)});
  EXPECT_EQ(in_flight.oldest(), at(3));
  in_flight.take(3);
  EXPECT_EQ(in_flight.oldest(), at(4));
}

TEST(InFlight, KnowsAnIdAgainThatWasAnsweredOutOfOrder) {
  InFlight in_flight;
  for (std::uint16_t id = 1; id <= 3; ++id) in_flight.add(id, {id, 1, false, at(id)});
  in_flight.take(2);
  in_flight.add(2, {22, 1, false, at(9)});
  EXPECT_EQ(in_flight.size(), 3U);
  EXPECT_EQ(in_flight.take(2)->token, 22U);
}

TEST(InFlight, StillKnowsTheOldestAfterManyOthersCameAndWent) {
  InFlight in_flight;
  in_flight.add(65535, {0, 1, false, at(1)});
  for (int i = 0; i < 20'000; ++i) {
    const auto id = static_cast<std::uint16_t>(i % 1000 + 1);
    in_flight.add(id, {0, 1, false, at(2)});
    in_flight.take(id);
  }
  EXPECT_EQ(in_flight.oldest(), at(1));
  EXPECT_EQ(in_flight.size(), 1U);
}

TEST(InFlight, CountsByQosAndTakesOutQos0InOrder) {
  InFlight in_flight;
  in_flight.add(1, {10, 0, false, at(1)});
  in_flight.add(2, {20, 2, false, at(1)});
  in_flight.add(3, {30, 0, false, at(1)});
  EXPECT_EQ(in_flight.qos0(), 2U);
  EXPECT_EQ(in_flight.qos2(), 1U);
  const auto taken = in_flight.take_qos0();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].token, 10U);
  EXPECT_EQ(taken[1].token, 30U);
  EXPECT_EQ(in_flight.size(), 1U);
  in_flight.clear();
  EXPECT_EQ(in_flight.qos2(), 0U);
  EXPECT_FALSE(in_flight.contains(2));
  EXPECT_FALSE(in_flight.oldest());
}

TEST(InFlight, CountsTheTimeAnewWhenToldTo) {
  InFlight in_flight;
  in_flight.add(1, {0, 1, false, at(1)});
  in_flight.restart(at(9));
  EXPECT_EQ(in_flight.oldest(), at(9));
}

}  // namespace
}  // namespace sluice::mqtt
