// SPDX-License-Identifier: Apache-2.0
// What the session makes of refusals and disconnections.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness.hpp"
#include "support/broker.hpp"
#include "support/fake_broker.hpp"

namespace sluice::mqtt::test {
namespace {

using sluice::test::Broker;
using sluice::test::BrokerOptions;
using sluice::test::FakeBroker;

TEST(Answers, ARefusalForGoodIsToldApartFromOneForNow) {
  FakeBroker broker(
      R"([{"puback": {"denied": 135, "quota": 151}, "pubrec": {"denied": 135, "invalid": 153}}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  const auto denied = harness.add("denied", "x");
  const auto quota = harness.add("quota", "x");
  const auto denied2 = harness.add("denied", "x", 2);
  const auto invalid = harness.add("invalid", "x", 2);
  const auto good = harness.add("good", "x", 2);
  ASSERT_TRUE(
      harness.wait([](const Record& r) { return r.refusals.size() == 4 && r.acknowledged.size() == 1; }));
  const Record record = harness.record();
  const auto refusal = [&](std::uint64_t token) {
    return *std::find_if(record.refusals.begin(), record.refusals.end(),
                         [&](const Refusal& r) { return r.token == token; });
  };
  EXPECT_TRUE(refusal(denied).for_good);
  EXPECT_EQ(refusal(denied).reason, 0x87);
  EXPECT_FALSE(refusal(quota).for_good);
  EXPECT_EQ(refusal(quota).reason, 0x97);
  EXPECT_TRUE(refusal(denied2).for_good);
  EXPECT_TRUE(refusal(invalid).for_good);
  EXPECT_EQ(record.acknowledged, std::vector<std::uint64_t>{good});
  EXPECT_TRUE(record.downs.empty());
}

TEST(Answers, NoMatchingSubscribersIsGood) {
  FakeBroker broker(R"([{"puback": 16}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  harness.add("plant/1", "x");
  EXPECT_TRUE(harness.wait_acknowledged(1));
}

TEST(Answers, ARealBrokerThatDeniesATopicRefusesForGood) {
  BrokerOptions broker_options;
  broker_options.acl = "topic write allowed/#\n";
  Broker broker(broker_options);
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  harness.add("forbidden/1", "x");
  harness.add("allowed/1", "x");
  ASSERT_TRUE(harness.wait_acknowledged(1));
  const Record record = harness.record();
  ASSERT_EQ(record.refusals.size(), 1U);
  EXPECT_EQ(record.refusals[0].reason, 0x87);
  EXPECT_TRUE(record.refusals[0].for_good);
}

TEST(Answers, ABadPasswordIsToldInWordsAndTheRightOneConnects) {
  BrokerOptions broker_options;
  broker_options.users = {{"gateway", "right-secret"}};
  Broker broker(broker_options);
  for (const Version version : {Version::v5, Version::v311}) {
    Options options = options_for({broker.url()});
    options.version = version;
    options.username = "gateway";
    options.password = "wrong-secret";
    {
      Harness harness(options);
      harness.session().start();
      ASSERT_TRUE(harness.wait_logged("connection refused")) << harness.log_text();
      EXPECT_TRUE(sluice::test::wait_until(
          [&] { return harness.session().status().reason.find("mqtt.password_file") != std::string::npos; }));
      EXPECT_EQ(harness.log_text().find("wrong-secret"), std::string::npos);
    }
    options.password = "right-secret";
    Harness harness(options);
    harness.session().start();
    EXPECT_TRUE(harness.wait_up()) << harness.log_text();
  }
}

TEST(Answers, EachRefusalOfAConnectionIsRetriedUntilItIsTaken) {
  FakeBroker broker(R"([{"connack": 136}, {"connack": 137}, {"connack": 138}, {"connack": 159}, {}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  for (const char* words :
       {"0x88 server unavailable", "0x89 server busy", "0x8A banned", "0x9F connection rate"}) {
    EXPECT_TRUE(harness.wait_logged(words));
  }
  EXPECT_EQ(harness.metrics().counter("mqtt", "failed_attempts").value(), 4U);
}

TEST(Answers, ABrokerWithoutRetainOrQosForAWillIsTakenAsItIs) {
  FakeBroker broker(R"([{"connack": 154}, {"connack": 155}, {}])");
  Options options = options_for({broker.url()});
  options.status_topic = "status";
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  const auto connects = broker.packets("CONNECT");
  EXPECT_EQ(connects.at(0).at("will").at("retain"), true);
  EXPECT_EQ(connects.at(1).at("will").at("retain"), false);
  EXPECT_EQ(connects.at(2).at("will").at("qos"), 0);
}

TEST(Answers, AServerShuttingDownIsLeftInPeaceAndComeBackTo) {
  FakeBroker broker(R"([{"disconnect": 139}, {}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up(2)) << harness.log_text();
  const Record record = harness.record();
  ASSERT_EQ(record.downs.size(), 1U);
  EXPECT_NE(record.downs[0].find("0x8B server shutting down"), std::string::npos);
  harness.add("plant/1", "x");
  EXPECT_TRUE(harness.wait_acknowledged(1));
}

TEST(Answers, ASessionTakenOverAgainAndAgainIsAlarmed) {
  FakeBroker broker(R"([{"disconnect": 142}, {"disconnect": 142}, {"disconnect": 142}, {}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up(4)) << harness.log_text();
  EXPECT_EQ(harness.metrics().counter("mqtt", "taken_over").value(), 3U);
  EXPECT_EQ(harness.metrics().counter("mqtt", "takeover_alarms").value(), 1U);
  EXPECT_TRUE(harness.wait([](const Record& r) {
    return std::any_of(r.log.begin(), r.log.end(), [](const auto& line) {
      return line.first == Level::error && line.second.find("two gateways") != std::string::npos;
    });
  }));
}

TEST(Answers, TwoSessionsWithOneIdTakeTurnsAndBothComplain) {
  Broker broker;
  Harness first(options_for({broker.url()}));
  Harness second(options_for({broker.url()}));
  first.session().start();
  ASSERT_TRUE(first.wait_up());
  second.session().start();
  EXPECT_TRUE(first.wait_logged("two gateways")) << first.log_text();
  EXPECT_TRUE(second.wait_logged("two gateways")) << second.log_text();
}

TEST(Answers, APublicationAtWhichTheBrokerClosesIsPublishedAgain) {
  FakeBroker broker(R"([{"disconnect_on": ["poison", null]}, {"disconnect_on": ["poison", 153]}, {}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  harness.add("poison", "x");
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  const Record record = harness.record();
  ASSERT_EQ(record.downs.size(), 2U);
  EXPECT_NE(record.downs[0].find("closed the connection"), std::string::npos) << record.downs[0];
  EXPECT_NE(record.downs[1].find("0x99 payload format invalid"), std::string::npos) << record.downs[1];
}

TEST(Answers, ABrokerThatDoesNotAnswerIsTakenForDead) {
  FakeBroker broker(R"([{"puback": null}, {}])");
  Options options = options_for({broker.url()});
  options.ack_timeout = std::chrono::milliseconds(300);
  Harness harness(options);
  harness.session().start();
  harness.add("plant/1", "x");
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  EXPECT_EQ(harness.metrics().counter("mqtt", "ack_timeouts").value(), 1U);
  EXPECT_NE(harness.record().downs.at(0).find("ack_timeout"), std::string::npos);
}

TEST(Answers, AFrozenBrokerIsNoticedAndUsedAgainOnceItThaws) {
  Broker broker;
  Options options = options_for({broker.url()});
  options.ack_timeout = std::chrono::milliseconds(300);
  options.connect_timeout = std::chrono::milliseconds(300);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up());
  broker.pause();
  harness.add("plant/1", "x");
  ASSERT_TRUE(harness.wait([](const Record& r) { return r.downs.size() == 1; }));
  ASSERT_TRUE(harness.wait_logged("no CONNACK within connect_timeout"));
  broker.resume();
  EXPECT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
}

TEST(Answers, ASilentBrokerIsPinged) {
  FakeBroker broker(R"([{"server_keep_alive": 1}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  EXPECT_TRUE(broker.wait_for("PINGREQ", 1));
}

}  // namespace
}  // namespace sluice::mqtt::test
