// SPDX-License-Identifier: Apache-2.0
// What travels together, seen from the broker's end of the connection, which is served by hand here.
#include <gtest/gtest.h>

#include <string>

#include "broker_by_hand.hpp"
#include "harness.hpp"

namespace sluice::mqtt::test {
namespace {

TEST(Segments, WhatIsPublishedTogetherTravelsTogether) {
  BrokerByHand broker;
  Harness harness(options_to(broker, 100));
  constexpr int messages = 50;
  for (int i = 0; i < messages; ++i) harness.add("t", "x");
  harness.session().start();
  broker.accept();
  EXPECT_EQ(broker.receive(messages * publish_bytes).size(), messages * publish_bytes);
  // CONNECT, the first, which waits for no other, and the rest.
  EXPECT_LE(broker.segments_received(), 4U);
  for (int id = 1; id <= messages; ++id) broker.acknowledge(id);
  EXPECT_TRUE(harness.wait_acknowledged(messages));
}

TEST(Segments, AFullWindowMovesOnByASingleAnswer) {
  BrokerByHand broker;
  constexpr int window = 20;
  Harness harness(options_to(broker, window));
  for (int i = 0; i <= window; ++i) harness.add("t", "x");
  harness.session().start();
  broker.accept();
  ASSERT_EQ(broker.receive(window * publish_bytes).size(), window * publish_bytes);
  broker.acknowledge(1);
  EXPECT_EQ(broker.receive(publish_bytes).size(), publish_bytes);
  for (int id = 2; id <= window + 1; ++id) broker.acknowledge(id);
  EXPECT_TRUE(harness.wait_acknowledged(window + 1));
}

}  // namespace
}  // namespace sluice::mqtt::test
