// SPDX-License-Identifier: Apache-2.0
#include "mqtt/broker_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::mqtt {
namespace {

using std::chrono::milliseconds;

Options three_brokers() {
  Options options;
  options.brokers = {{"a", 1883, false}, {"b", 1883, false}, {"c", 1883, false}};
  options.reconnect_min = milliseconds(1000);
  options.reconnect_max = milliseconds(60'000);
  return options;
}

TEST(BrokerList, TriesEachInOrderAndBeginsAgainWithTheFirst) {
  BrokerList brokers(three_brokers(), 1);
  std::string order;
  for (int i = 0; i < 7; ++i) {
    order += brokers.current().host;
    brokers.failed();
  }
  EXPECT_EQ(order, "abcabca");
}

TEST(BrokerList, TriesTheSameFirstAfterALoss) {
  BrokerList brokers(three_brokers(), 1);
  brokers.failed();
  brokers.lost(true);
  EXPECT_EQ(brokers.current().host, "b");
  std::string order;
  for (int i = 0; i < 4; ++i) {
    order += brokers.current().host;
    brokers.failed();
  }
  EXPECT_EQ(order, "bcaa");
}

TEST(BrokerList, WaitsLongerAfterEachRoundButNotWithinIt) {
  Options options = three_brokers();
  milliseconds longest_within{0};
  std::vector<milliseconds> longest_after(8);
  for (unsigned seed = 0; seed < 300; ++seed) {
    BrokerList brokers(options, seed);
    for (milliseconds& longest : longest_after) {
      longest_within = std::max({longest_within, brokers.failed(), brokers.failed()});
      longest = std::max(longest, brokers.failed());
    }
  }
  EXPECT_LE(longest_within, options.reconnect_min);
  EXPECT_LE(longest_after[0], options.reconnect_min);
  EXPECT_GT(longest_after[3], options.reconnect_min * 4);
  EXPECT_LE(longest_after[7], options.reconnect_max);
}

TEST(BrokerList, SpreadsAFleetOverTheWholePause) {
  Options options = three_brokers();
  milliseconds least{1'000'000};
  milliseconds most{0};
  for (unsigned seed = 0; seed < 300; ++seed) {
    const milliseconds pause = BrokerList(options, seed).lost(true);
    least = std::min(least, pause);
    most = std::max(most, pause);
  }
  EXPECT_LT(least, options.reconnect_min / 10);
  EXPECT_GT(most, options.reconnect_min * 9 / 10);
}

TEST(BrokerList, ForgetsThePauseOnlyForALinkThatHadWorked) {
  Options options = three_brokers();
  milliseconds unproven{0};
  milliseconds proven{0};
  for (unsigned seed = 0; seed < 300; ++seed) {
    BrokerList brokers(options, seed);
    for (int i = 0; i < 6; ++i) brokers.lost(false);
    unproven = std::max(unproven, brokers.lost(false));
    proven = std::max(proven, brokers.lost(true));
  }
  EXPECT_GT(unproven, options.reconnect_min * 10);
  EXPECT_LE(proven, options.reconnect_min);
}

// The pauses make up the hour: no clock is needed to pass it.
TEST(BrokerList, AnHourOfRefusalsStaysWithinItsPausesAndALinkEndsIt) {
  for (const bool one : {true, false}) {
    Options options = three_brokers();
    if (one) options.brokers.resize(1);
    for (unsigned seed = 0; seed < 50; ++seed) {
      BrokerList brokers(options, seed);
      milliseconds passed{0};
      int attempts = 0;
      for (; passed < std::chrono::hours(1); ++attempts) {
        const milliseconds pause = brokers.failed();
        ASSERT_GE(pause, milliseconds(0));
        ASSERT_LE(pause, options.reconnect_max);
        passed += pause;
      }
      // Half a pause of a minute each round on average: neither a storm nor silence.
      EXPECT_GE(attempts, 60);
      EXPECT_LE(attempts, one ? 300 : 900);
      EXPECT_LE(brokers.lost(true), options.reconnect_min);
    }
  }
}

TEST(BrokerList, BacksOffWellBeyondTheUsualFromATakeover) {
  BrokerList brokers(three_brokers(), 1);
  EXPECT_GE(brokers.taken_over(true), three_brokers().reconnect_max);
}

}  // namespace
}  // namespace sluice::mqtt
