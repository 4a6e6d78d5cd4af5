// SPDX-License-Identifier: Apache-2.0
// A forwarder with a real queue and session, and the broker's end of the connection in the test's hands.
#include "forwarder.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "mqtt/broker_by_hand.hpp"
#include "queue/storage.hpp"
#include "support/broker.hpp"
#include "support/subscriber.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait_until.hpp"

namespace sluice {
namespace {

using Topics = std::vector<std::string>;

// The topics of PUBLISH packets, each shorter than 16 KiB, of which the last may be cut short.
Topics topics_in(const std::string& bytes) {
  Topics topics;
  const auto at = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes.at(i))}; };
  for (std::size_t begin = 0; begin < bytes.size();) {
    const bool long_packet = at(begin + 1) >= 0x80;
    const std::size_t head = begin + (long_packet ? 3 : 2);
    const std::size_t size = long_packet ? (at(begin + 1) & 0x7FU) | at(begin + 2) << 7U : at(begin + 1);
    topics.push_back(bytes.substr(head + 2, at(head) << 8U | at(head + 1)));
    begin = head + size;
  }
  return topics;
}

class LiveFirstForwarder : public testing::Test {
 protected:
  static constexpr std::size_t window = 3;  // of which the backlog may take two

  queue::Options queue_options() const {
    queue::Options options;
    options.name = "mqtt";
    options.directory = directory_.path() / "queue";
    options.order = queue::Order::live_first;
    return options;
  }
  void append(const std::string& topic) {
    auto message = std::make_shared<Message>();
    message->topic = topic;
    message->payload = "x";
    message->time = {clock_.wall().count(), clock_.monotonic().count(), clock_.boot()};
    ASSERT_EQ(queue_.append({std::move(message), {}, {}}), Push::ok);
  }
  /// The topics of the next so many that are published; fewer where they do not come.
  Topics published(std::size_t count) {
    Topics topics;
    while (topics.size() < count) {
      const Topics more = topics_in(broker_.receive(1));
      if (more.empty()) break;
      topics.insert(topics.end(), more.begin(), more.end());
    }
    return topics;
  }

  const test::TemporaryDirectory directory_;
  SystemClock clock_;
  Logging logging_{[](Level, std::string_view, std::string_view) {}};
  Metrics metrics_;
  queue::Storage storage_{clock_};
  queue::Queue queue_{storage_, queue_options(), logging_.part("queue")};
  mqtt::test::BrokerByHand broker_;
  Forwarder forwarder_{{.live_first = true},
                       mqtt::test::options_to(broker_, window),
                       queue_,
                       [](Message&&, const mqtt::Inbound&) {},
                       clock_,
                       metrics_,
                       logging_.part("mqtt")};
};

TEST_F(LiveFirstForwarder, WhatHasBeenTakenOfTheBacklogWaitsForLiveMessages) {
  for (int i = 0; i < 10; ++i) append("old");
  forwarder_.start();
  broker_.accept();
  EXPECT_EQ(published(2), (Topics{"old", "old"}));
  append("new1");
  EXPECT_EQ(published(1), Topics{"new1"});
  // The window is full: these wait, behind what has been taken of the backlog.
  append("new2");
  append("new3");
  for (int id = 1; id <= 3; ++id) broker_.acknowledge(id);
  EXPECT_EQ(published(3), (Topics{"new2", "new3", "old"}));
  forwarder_.stop(std::chrono::seconds(0));
}

TEST(Forwarder, APublicationHasNothingOfTheOneBefore) {
  const test::TemporaryDirectory directory;
  const SystemClock clock;
  Logging logging([](Level, std::string_view, std::string_view) {});
  Metrics metrics;
  queue::Storage storage(clock);
  queue::Options queue_options;
  queue_options.name = "mqtt";
  queue_options.directory = directory.path() / "queue";
  queue::Queue queue(storage, queue_options, logging.part("queue"));
  const test::Broker broker;
  test::Subscriber subscriber(broker.port());
  Forwarder forwarder(
      {}, mqtt::test::options_for({broker.url()}), queue, [](Message&&, const mqtt::Inbound&) {}, clock,
      metrics, logging.part("mqtt"));
  const auto message = [&](const std::string& topic) {
    Message made;
    made.topic = topic;
    made.time = {clock.wall().count(), clock.monotonic().count(), clock.boot()};
    return made;
  };
  const auto append = [&](Message made, const DeliveryOptions& options) {
    ASSERT_EQ(queue.append({std::make_shared<Message>(std::move(made)), {}, options}), Push::ok);
  };

  Message full = message("full");
  full.payload = std::string(200'000, 'x');  // more than is kept
  full.content_type = "text/plain";
  full.response_topic = "answers";
  full.correlation_data = "7";
  full.user_properties = {{"a", "b"}};
  full.expiry = std::chrono::hours(1);
  full.retain = true;
  Message sampled = message("batch");
  sampled.samples = {{"value", 1.5, Quality::good, ""}};
  DeliveryOptions in_batches;
  in_batches.batch = {2, 10'000, std::chrono::hours(1)};
  Message bare = message("bare");
  bare.payload = "y";
  append(full, {});
  append(sampled, in_batches);
  append(sampled, in_batches);
  append(full, {});
  append(bare, {});
  forwarder.start();

  ASSERT_TRUE(subscriber.wait_for(4));
  for (const test::Received& received : subscriber.messages()) {
    if (received.topic == "full") {
      EXPECT_EQ(received.payload.size(), 200'000U);
      EXPECT_EQ(received.response_topic, "answers");
      continue;
    }
    const bool batch = received.topic == "batch";
    EXPECT_EQ(received.payload.front(), batch ? '[' : 'y');
    EXPECT_EQ(received.content_type, batch ? "application/json" : "");
    EXPECT_EQ(received.response_topic, "");
    EXPECT_EQ(received.correlation_data, "");
    EXPECT_FALSE(received.expiry);
    for (const auto& [name, value] : received.user_properties) EXPECT_NE(name, "a") << received.topic;
  }
  forwarder.stop(std::chrono::seconds(5));
}

}  // namespace
}  // namespace sluice
