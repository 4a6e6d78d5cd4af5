// SPDX-License-Identifier: Apache-2.0
// Publishing in the thread that brings a message, in place of the session's.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "broker_by_hand.hpp"
#include "harness.hpp"
#include "support/broker.hpp"

namespace sluice::mqtt::test {
namespace {

using sluice::test::Broker;
using sluice::test::wait_until;

class Here : public testing::Test {
 protected:
  Here() {
    harness_.session().start();
    broker_.accept();
    EXPECT_TRUE(harness_.wait_up());
  }
  /// True: in this thread. The session's may be awake, or have published just before; then it does it.
  bool publish() {
    harness_.add_here("t", "x");
    EXPECT_EQ(broker_.receive(publish_bytes).size(), publish_bytes);
    ++published_;
    return harness_.record().publishers.count(std::this_thread::get_id()) != 0;
  }
  bool acknowledge() {
    broker_.acknowledge(published_);
    return harness_.wait_acknowledged(static_cast<std::size_t>(published_));
  }

  BrokerByHand broker_;
  Harness harness_{options_to(broker_, 100)};
  int published_ = 0;
};

TEST_F(Here, ASingleMessageGoesOutWithoutTheSessionsThread) {
  EXPECT_TRUE(wait_until([&] {
    const bool here = publish();
    EXPECT_TRUE(acknowledge());
    return here;
  }));
}

TEST_F(Here, WhatComesAfterItIsRead) {
  EXPECT_TRUE(wait_until([&] {
    const bool here = publish();
    broker_.publish();
    EXPECT_TRUE(harness_.wait(
        [&](const Record& r) { return r.messages.size() == static_cast<std::size_t>(published_); }));
    EXPECT_TRUE(acknowledge());
    return here;
  }));
}

TEST_F(Here, MessagesThatFollowAtOnceAreLeftToTheSessionsThread) {
  EXPECT_TRUE(wait_until([&] {
    const int before = published_;
    for (; published_ < before + 20; ++published_) harness_.add_here("t", "x");
    EXPECT_EQ(broker_.receive(20 * publish_bytes).size(), 20 * publish_bytes);
    for (int id = before + 1; id <= published_; ++id) broker_.acknowledge(id);
    EXPECT_TRUE(harness_.wait_acknowledged(static_cast<std::size_t>(published_)));
    const auto publishers = harness_.record().publishers;
    return publishers.size() > publishers.count(std::this_thread::get_id()) || published_ > 200;
  }));
  EXPECT_LE(published_, 200);
}

TEST_F(Here, FromInsideTheListenerItIsLeftForLater) {
  harness_.on_session_thread([](Session& session) { session.give_room_here(); });
  harness_.add("t", "x");
  EXPECT_EQ(broker_.receive(publish_bytes).size(), publish_bytes);
  broker_.acknowledge(1);
  EXPECT_TRUE(harness_.wait_acknowledged(1));
}

TEST_F(Here, TheWindowHolds) {
  for (; published_ < 150; ++published_) harness_.add_here("t", "x");
  ASSERT_EQ(broker_.receive(100 * publish_bytes).size(), 100 * publish_bytes);
  for (int id = 1; id <= 50; ++id) broker_.acknowledge(id);
  EXPECT_EQ(broker_.receive(50 * publish_bytes).size(), 50 * publish_bytes);
  EXPECT_EQ(harness_.record().most_in_flight, 100U);
  for (int id = 51; id <= 150; ++id) broker_.acknowledge(id);
  EXPECT_TRUE(harness_.wait_acknowledged(150));
}

TEST(HereWithoutALink, ItIsPublishedOnceThereIsOne) {
  BrokerByHand broker;
  Harness harness(options_to(broker, 100));
  harness.add_here("t", "x");
  harness.session().start();
  harness.add_here("t", "x");
  broker.accept();
  EXPECT_EQ(broker.receive(2 * publish_bytes).size(), 2 * publish_bytes);
  broker.acknowledge(1);
  broker.acknowledge(2);
  EXPECT_TRUE(harness.wait_acknowledged(2));
}

TEST(HereWithManyThreads, EachMessageIsAcknowledgedOnce) {
  Broker broker;
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  constexpr std::size_t threads = 4;
  constexpr std::size_t each = 500;
  std::vector<std::thread> producers;
  for (std::size_t i = 0; i < threads; ++i) {
    producers.emplace_back([&] {
      for (std::size_t k = 0; k < each; ++k) {
        harness.add_here("t", "x");
        // Now and then single ones, too.
        if (k % 8 == 0 && !harness.wait_acknowledged(k / 2)) return;
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  ASSERT_TRUE(harness.wait_acknowledged(threads * each));
  const Record record = harness.record();
  EXPECT_EQ(std::set(record.acknowledged.begin(), record.acknowledged.end()).size(), threads * each);
  EXPECT_EQ(record.acknowledged.size(), threads * each);
  EXPECT_TRUE(record.downs.empty());
}

}  // namespace
}  // namespace sluice::mqtt::test
