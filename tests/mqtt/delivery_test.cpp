// SPDX-License-Identifier: Apache-2.0
// Publishing and receiving with a real broker.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness.hpp"
#include "support/broker.hpp"
#include "support/fake_broker.hpp"
#include "support/subscriber.hpp"

namespace sluice::mqtt::test {
namespace {

using sluice::test::Broker;
using sluice::test::BrokerOptions;
using sluice::test::FakeBroker;
using sluice::test::only;
using sluice::test::Received;
using sluice::test::Subscriber;

class EveryVersion : public testing::TestWithParam<Version> {};
INSTANTIATE_TEST_SUITE_P(Mqtt, EveryVersion, testing::Values(Version::v5, Version::v311, Version::v31),
                         [](const auto& instance) {
                           return "v" + std::to_string(static_cast<int>(instance.param));
                         });

TEST_P(EveryVersion, DeliversEachQosAndAcknowledgesIt) {
  Broker broker;
  Subscriber subscriber(broker.port());
  Options options = options_for({broker.url()});
  options.version = GetParam();
  Harness harness(options);
  harness.session().start();
  for (const int qos : {0, 1, 2}) {
    harness.add("plant/" + std::to_string(qos), "value", static_cast<std::uint8_t>(qos));
  }
  ASSERT_TRUE(harness.wait_acknowledged(3)) << harness.log_text();
  ASSERT_TRUE(subscriber.wait_for(3));
  for (const int qos : {0, 1, 2}) {
    EXPECT_TRUE(subscriber.wait_for([&](const Received& message) {
      return message.topic == "plant/" + std::to_string(qos) && message.qos == qos;
    }));
  }
}

TEST_P(EveryVersion, KeepsTheOrder) {
  Broker broker;
  Subscriber subscriber(broker.port());
  Options options = options_for({broker.url()});
  options.version = GetParam();
  Harness harness(options);
  harness.session().start();
  constexpr std::size_t count = 2000;
  for (std::size_t i = 0; i < count; ++i) harness.add("plant/1", std::to_string(i));
  ASSERT_TRUE(harness.wait_acknowledged(count));
  ASSERT_TRUE(subscriber.wait_for(count));
  for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(subscriber.messages()[i].payload, std::to_string(i));
}

TEST_P(EveryVersion, SaysOnlineAndItsWillOffline) {
  Broker broker;
  Subscriber subscriber(broker.port(), only("sluice/#"));
  Options options = options_for({broker.url()});
  options.version = GetParam();
  options.status_topic = "sluice/gateway/status";
  const auto is = [](const char* state) {
    return [=](const Received& message) {
      return nlohmann::json::parse(message.payload).value("state", "") == state;
    };
  };
  {
    Harness harness(options);
    harness.session().start();
    ASSERT_TRUE(subscriber.wait_for(is("online"))) << harness.log_text();
    harness.session().stop(std::chrono::seconds(10));
  }
  ASSERT_TRUE(subscriber.wait_for(2));
  EXPECT_TRUE(is("offline")(subscriber.messages()[1]));
  EXPECT_NE(subscriber.messages()[1].payload.find("stopped"), std::string::npos);
  // It is retained: who comes later learns it too.
  Subscriber late(broker.port(), only("sluice/#"));
  ASSERT_TRUE(late.wait_for(1));
  EXPECT_TRUE(late.messages()[0].retain);
  EXPECT_TRUE(is("offline")(late.messages()[0]));
}

TEST_P(EveryVersion, ReceivesWhatItSubscribedTo) {
  Broker broker;
  Options options = options_for({broker.url()});
  options.version = GetParam();
  options.subscriptions = {{"cmd/gateway/#", 1}};
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(sluice::test::wait_until([&] {
    const auto status = harness.session().status();
    return status.subscriptions.size() == 1 && status.subscriptions[0].granted;
  })) << harness.log_text();
  sluice::test::publish(broker.port(), "cmd/gateway/pump", "on");
  ASSERT_TRUE(harness.wait([](const Record& r) { return r.messages.size() == 1; }));
  const auto [message, inbound] = harness.record().messages[0];
  EXPECT_EQ(message.topic, "cmd/gateway/pump");
  EXPECT_EQ(message.payload, "on");
  EXPECT_EQ(message.input, "");
  EXPECT_EQ(message.time.kind, TimeKind::host);
  EXPECT_GT(message.time.wall_ns, 0);
  EXPECT_EQ(inbound.qos, 1);
  EXPECT_FALSE(inbound.retained);
}

TEST(Session, LeavesItsWillBehindWhereItDisappears) {
  FakeBroker broker(R"([{}])");
  Options options = options_for({broker.url()});
  options.status_topic = "sluice/gateway/status";
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(broker.wait_for("CONNECT", 1));
  const nlohmann::json connect = broker.packets("CONNECT").at(0);
  EXPECT_EQ(connect.at("will").at("topic"), "sluice/gateway/status");
  EXPECT_EQ(connect.at("will").at("retain"), true);
  EXPECT_EQ(nlohmann::json::parse(connect.at("will").at("payload").get<std::string>()).at("state"),
            "offline");
}

TEST(Session, CarriesPropertiesBothWays) {
  Broker broker;
  Subscriber subscriber(broker.port(), only("plant/#"));
  Options options = options_for({broker.url()});
  options.subscriptions = {{"cmd/#", 2}};
  Harness harness(options);
  harness.session().start();
  Publication publication;
  publication.topic = "plant/1";
  publication.payload = std::string("\0\xff", 2);
  publication.qos = 1;
  publication.expiry = std::chrono::seconds(100);
  publication.content_type = "application/octet-stream";
  publication.response_topic = "answer/here";
  publication.correlation_data = std::string("\0\x01", 2);
  publication.user_properties = {{"id", "1/2"}, {"id", "again"}};
  harness.add(publication);
  ASSERT_TRUE(subscriber.wait_for(1)) << harness.log_text();
  const Received& sent = subscriber.messages()[0];
  EXPECT_EQ(sent.payload, publication.payload);
  EXPECT_EQ(sent.expiry, 100);
  EXPECT_EQ(sent.content_type, publication.content_type);
  EXPECT_EQ(sent.response_topic, publication.response_topic);
  EXPECT_EQ(sent.correlation_data, publication.correlation_data);
  EXPECT_EQ(sent.user_properties, publication.user_properties);

  sluice::test::PublishOptions command;
  command.qos = 2;
  command.expiry = 60;
  command.content_type = "text/plain";
  command.response_topic = "result/1";
  command.correlation_data = "c1";
  command.user_properties = {{"a", "1"}, {"a", "2"}};
  sluice::test::publish(broker.port(), "cmd/pump", "on", command);
  ASSERT_TRUE(harness.wait([](const Record& r) { return r.messages.size() == 1; }));
  const auto [message, inbound] = harness.record().messages[0];
  EXPECT_EQ(message.content_type, "text/plain");
  EXPECT_EQ(message.response_topic, "result/1");
  EXPECT_EQ(message.correlation_data, "c1");
  EXPECT_EQ(message.user_properties, command.user_properties);
  EXPECT_EQ(inbound.qos, 2);
  EXPECT_LE(inbound.expiry, std::chrono::seconds(60));
  EXPECT_GT(inbound.expiry, std::chrono::seconds(0));
}

TEST(Session, MarksRetainedMessages) {
  Broker broker;
  sluice::test::PublishOptions retained;
  retained.retain = true;
  sluice::test::publish(broker.port(), "cmd/pump", "on", retained);
  Options options = options_for({broker.url()});
  options.subscriptions = {{"cmd/#", 1}};
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait([](const Record& r) { return r.messages.size() == 1; }));
  EXPECT_TRUE(harness.record().messages[0].second.retained);
}

TEST(Session, DoesNotHearItself) {
  Broker broker;
  Options options = options_for({broker.url()});
  options.subscriptions = {{"#", 1}};
  Harness harness(options);
  harness.session().start();
  harness.add("plant/1", "own");
  ASSERT_TRUE(harness.wait_acknowledged(1));
  // What comes after it in the same stream shows that nothing came before.
  sluice::test::publish(broker.port(), "cmd/other", "foreign");
  ASSERT_TRUE(harness.wait([](const Record& r) { return !r.messages.empty(); }));
  EXPECT_EQ(harness.record().messages[0].first.topic, "cmd/other");
}

TEST(Session, NeverExceedsTheReceiveMaximumOfTheBroker) {
  for (const int maximum : {1, 3}) {
    FakeBroker broker(R"([{"answer_after": 5, "receive_maximum": )" + std::to_string(maximum) + "}]");
    Options options = options_for({broker.url()});
    options.status_topic = "sluice/gateway/status";
    Harness harness(options);
    harness.session().start();
    for (int i = 0; i < 20; ++i) harness.add("plant/1", "x", static_cast<std::uint8_t>(i % 2 + 1));
    ASSERT_TRUE(harness.wait_acknowledged(20)) << harness.log_text();
    int most = 0;
    for (const auto& packet : broker.packets("PUBLISH")) {
      most = std::max(most, packet.at("unanswered").get<int>() + 1);
    }
    EXPECT_EQ(most, maximum);
  }
}

TEST(Session, KeepsItsOwnWindowBelowTheOneItIsAllowed) {
  FakeBroker broker(R"([{"answer_after": 5}])");
  Options options = options_for({broker.url()});
  options.max_inflight = 4;
  Harness harness(options);
  harness.session().start();
  for (int i = 0; i < 20; ++i) harness.add("plant/1", "x");
  ASSERT_TRUE(harness.wait_acknowledged(20));
  EXPECT_EQ(harness.record().most_in_flight, 4U);
  EXPECT_EQ(harness.session().status().window, 4U);
}

TEST(Session, NarrowsTheWindowWhenTold) {
  FakeBroker broker(R"([{"answer_after": 5}])");
  Harness harness(options_for({broker.url()}));
  harness.on_session_thread([](Session& session) { session.limit_window(1); });
  harness.session().start();
  for (int i = 0; i < 5; ++i) harness.add("plant/1", "x");
  ASSERT_TRUE(harness.wait_acknowledged(5));
  EXPECT_EQ(harness.record().most_in_flight, 1U);
  harness.on_session_thread([](Session& session) { session.limit_window(0); });
  for (int i = 0; i < 50; ++i) harness.add("plant/1", "x");
  ASSERT_TRUE(harness.wait_acknowledged(55));
  EXPECT_GT(harness.record().most_in_flight, 1U);
}

TEST(Session, GoesThroughMorePacketIdsThanThereAreWhileOneIsUnanswered) {
  FakeBroker broker(R"([{"puback": null, "deaf_after": "stuck"}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  harness.add("stuck", "x");
  // QoS 0 takes packet ids too, and needs no answer.
  constexpr std::size_t count = 65'600;
  for (std::size_t i = 0; i < count; ++i) harness.add("p", "", 0);
  // Those that would take the id of the unanswered one wait, rather than being mistaken for it.
  ASSERT_TRUE(harness.wait([](const Record& r) { return r.acknowledged.size() >= 65'534; }));
  const Record record = harness.record();
  EXPECT_EQ(record.unanswered.count(1), 1U);
  EXPECT_EQ(std::count(record.acknowledged.begin(), record.acknowledged.end(), 1U), 0);
  EXPECT_TRUE(record.refusals.empty());
}

TEST(Session, RefusesWhatTheBrokerWouldNotTakeAndSaysWhy) {
  FakeBroker broker(R"([{"maximum_packet_size": 100, "retain_available": 0}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  const std::size_t fits =
      100 - 2 - 2 - 1 - 2 - 1;  // header, length of topic, topic, packet id, no properties
  harness.add("t", std::string(fits, 'x'));
  harness.add("t", std::string(fits + 1, 'x'));
  harness.add("", "x");
  harness.add("a/+/b", "x");
  harness.add("a/#", "x");
  harness.add(std::string("a\0b", 3), "x");
  harness.add("bad\xff", "x");
  Publication retained;
  retained.topic = "t";
  retained.retain = true;
  harness.add(retained);
  Publication with_bad_property;
  with_bad_property.topic = "t";
  with_bad_property.user_properties = {{"name", "\xff"}};
  harness.add(with_bad_property);
  Publication with_bad_response;
  with_bad_response.topic = "t";
  with_bad_response.response_topic = "a/+";
  harness.add(with_bad_response);
  ASSERT_TRUE(harness.wait([](const Record& r) { return r.unacceptable.size() == 9; }))
      << testing::PrintToString(harness.record().unacceptable);
  ASSERT_TRUE(harness.wait_acknowledged(1));
  const Record record = harness.record();
  EXPECT_EQ(record.unacceptable[0].second, "a packet of 101 bytes; the broker takes at most 100");
  for (std::size_t i = 1; i <= 5; ++i)
    EXPECT_EQ(record.unacceptable[i].second, "not a valid topic to publish to");
  EXPECT_EQ(record.unacceptable[6].second, "the broker keeps no retained messages");
  EXPECT_NE(record.unacceptable[7].second.find("UTF-8"), std::string::npos);
  EXPECT_EQ(record.unacceptable[8].second, "a response topic with wildcards");
  EXPECT_TRUE(record.downs.empty());
}

TEST(Session, SendsQos2AsQos1ToABrokerThatHasNoMore) {
  FakeBroker broker(R"([{"maximum_qos": 1}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  harness.add("plant/1", "x", 2);
  ASSERT_TRUE(harness.wait_acknowledged(1));
  EXPECT_EQ(broker.packets("PUBLISH").at(0).at("qos"), 1);
}

}  // namespace
}  // namespace sluice::mqtt::test
