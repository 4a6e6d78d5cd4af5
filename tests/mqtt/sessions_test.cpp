// SPDX-License-Identifier: Apache-2.0
// What becomes of that which is in flight when the link goes: kept with the session, published again without it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness.hpp"
#include "support/broker.hpp"
#include "support/fake_broker.hpp"
#include "support/subscriber.hpp"

namespace sluice::mqtt::test {
namespace {

using nlohmann::json;
using sluice::test::Broker;
using sluice::test::BrokerOptions;
using sluice::test::FakeBroker;
using sluice::test::Subscriber;

TEST(KeptSession, ResendsWhatIsInFlightOnceAndDoesNotPublishItAgain) {
  FakeBroker broker(R"([{"close_on": "PUBLISH", "puback": null, "pubrec": null}, {"session_present": 1}])");
  Harness harness(persistent(options_for({broker.url()})));
  harness.session().start();
  harness.add("plant/1", "one");
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  const auto again = broker.packets("PUBLISH", 2);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].at("dup"), true);
  EXPECT_EQ(again[0].at("mid"), broker.packets("PUBLISH", 1).at(0).at("mid"));
  EXPECT_EQ(harness.record().ups, (std::vector<bool>{false, true}));
  EXPECT_TRUE(harness.session().status().session_present);
}

TEST(KeptSession, GoesOnFromPubrelForQos2) {
  FakeBroker broker(R"([{"close_on": "PUBREL"}, {"session_present": 1}])");
  Harness harness(persistent(options_for({broker.url()})));
  harness.session().start();
  harness.add("plant/1", "one", 2);
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  EXPECT_TRUE(broker.packets("PUBLISH", 2).empty());
  EXPECT_EQ(broker.packets("PUBREL", 2).size(), 1U);
}

TEST(LostSession, PublishesQos2AgainFromTheStartThoughPubrecHadCome) {
  // A PUBREL alone would be answered with PUBCOMP, which looks like delivery.
  FakeBroker broker(R"([{"close_on": "PUBREL"}, {"session_present": 0}, {"session_present": 1}])");
  Harness harness(persistent(options_for({broker.url()})));
  harness.session().start();
  const auto token = harness.add("plant/1", "one", 2);
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  EXPECT_EQ(harness.record().acknowledged, std::vector<std::uint64_t>{token});
  EXPECT_TRUE(broker.packets("PUBREL", 2).empty());
  const auto again = broker.packets("PUBLISH", 3);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].at("dup"), false);
  EXPECT_EQ(again[0].at("payload"), "one");
  EXPECT_EQ(harness.record().ups, (std::vector<bool>{false, false}));
}

TEST(LostSession, IsNothingNewForACleanStart) {
  FakeBroker broker(R"([{"close_on": "PUBREL"}, {}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  harness.add("plant/1", "one", 2);
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  // The second connection is used at once: there was never a session to hope for.
  EXPECT_EQ(broker.packets("CONNECT").size(), 2U);
  EXPECT_EQ(broker.packets("PUBLISH", 2).size(), 1U);
  EXPECT_EQ(broker.packets("CONNECT").at(0).at("clean"), true);
}

TEST(LostSession, OnMqtt31NeitherResendsNorReusesPacketIds) {
  FakeBroker broker(R"([{"close_on": "PUBREL"}, {}, {}])");
  Options options = persistent(options_for({broker.url()}));
  options.version = Version::v31;
  Harness harness(options);
  harness.session().start();
  harness.add("plant/1", "one", 2);
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  // Whether the broker kept the session it cannot tell; it is discarded before anything is published.
  EXPECT_EQ(broker.packets("CONNECT").at(1).at("clean"), true);
  EXPECT_EQ(broker.packets("CONNECT").at(2).at("clean"), false);
  EXPECT_TRUE(broker.packets("PUBLISH", 2).empty());
  EXPECT_EQ(broker.packets("PUBLISH", 3).size(), 1U);
}

TEST(UncleanStart, DiscardsTheSessionOfTheBrokerBeforeAnythingIsPublished) {
  FakeBroker broker(R"([{}, {"session_present": 0}])");
  Options options = persistent(options_for({broker.url()}));
  options.unclean_start = true;
  options.status_topic = "status";
  Harness harness(options);
  EXPECT_TRUE(harness.session().qos2_in_flight());
  harness.session().start();
  harness.add("plant/1", "one", 2);
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  const auto connects = broker.packets("CONNECT");
  ASSERT_EQ(connects.size(), 2U);
  EXPECT_EQ(connects[0].at("clean"), true);
  EXPECT_FALSE(
      connects[0].at("properties").contains("11"));  // no session expiry: it ends with this connection
  EXPECT_EQ(connects[1].at("clean"), false);
  EXPECT_EQ(connects[1].at("properties").at("11"), 3600);
  EXPECT_TRUE(broker.packets("PUBLISH", 1).empty());
  EXPECT_TRUE(sluice::test::wait_until([&] { return !harness.session().qos2_in_flight(); }));
}

TEST(UncleanStart, IsToldByTheSessionThatEndsWithQos2InFlight) {
  FakeBroker broker(R"([{"pubcomp": false}])");
  Harness harness(persistent(options_for({broker.url()})));
  harness.session().start();
  EXPECT_FALSE(harness.session().qos2_in_flight());
  harness.add("plant/1", "one", 2);
  ASSERT_TRUE(broker.wait_for("PUBREL", 1));
  EXPECT_TRUE(sluice::test::wait_until([&] { return harness.session().qos2_in_flight(); }));
  harness.session().stop(std::chrono::milliseconds(200));
  EXPECT_TRUE(harness.session().qos2_in_flight());
}

TEST(KeptSession, IsGivenUpWhereEachLinkEndsWithoutAnyAnswer) {
  // What is in flight may be the reason: resent for ever, nobody could take it out.
  FakeBroker broker(R"([{"session_present": 1, "disconnect_on": ["poison", null]}])");
  Harness harness(persistent(options_for({broker.url()})));
  harness.session().start();
  harness.add("poison", "x");
  ASSERT_TRUE(harness.wait([](const Record& r) {
    return std::count(r.ups.begin(), r.ups.end(), false) >= 2;
  })) << harness.log_text();
  const std::vector<bool> ups = harness.record().ups;
  EXPECT_GE(std::count(ups.begin(), ups.end(), true), 1);
}

TEST(KeptSession, IsGivenUpWhenTold) {
  FakeBroker broker(R"([{"close_on": "PUBLISH", "puback": null}, {"session_present": 1}])");
  Harness harness(persistent(options_for({broker.url()})));
  harness.on_session_thread([](Session& session) { session.forget_in_flight(); });
  harness.session().start();
  harness.add("plant/1", "one");
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  EXPECT_EQ(harness.record().ups, (std::vector<bool>{false, false}));
  EXPECT_EQ(broker.packets("PUBLISH", 2).at(0).at("dup"), false);
}

TEST(KeptSession, TakesUpLimitsThatTheBrokerHasLoosened) {
  FakeBroker broker(
      R"([{"maximum_packet_size": 100, "receive_maximum": 1, "close_on": "PUBLISH", "puback": null},
          {"session_present": 1}])");
  Harness harness(persistent(options_for({broker.url()})));
  harness.session().start();
  harness.add("plant/1", "one");
  ASSERT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  harness.add("plant/1", std::string(200, 'x'));
  EXPECT_TRUE(harness.wait_acknowledged(2)) << harness.log_text();
  EXPECT_EQ(harness.session().status().window, 100U);
}

TEST(KeptSession, LimitsOfOneBrokerDoNotStickToAnother) {
  auto first = std::make_unique<FakeBroker>(R"([{"maximum_packet_size": 100, "receive_maximum": 1}])");
  FakeBroker second(R"([{}])");
  Harness harness(persistent(options_for({first->url(), second.url()})));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up());
  first.reset();
  ASSERT_TRUE(harness.wait_up(2)) << harness.log_text();
  harness.add("plant/1", std::string(200, 'x'));
  EXPECT_TRUE(harness.wait_acknowledged(1));
}

class Restart : public testing::TestWithParam<std::tuple<int, bool>> {};
INSTANTIATE_TEST_SUITE_P(Broker, Restart, testing::Combine(testing::Values(1, 2), testing::Bool()),
                         [](const auto& instance) {
                           return "Qos" + std::to_string(std::get<0>(instance.param)) +
                                  (std::get<1>(instance.param) ? "WithPersistence" : "WithoutPersistence");
                         });

TEST_P(Restart, LosesNothingThatIsOnItsWay) {
  const auto [qos, broker_persistence] = GetParam();
  BrokerOptions broker_options;
  broker_options.persistence = broker_persistence;
  Broker broker(broker_options);
  Options options = persistent(options_for({broker.url()}));
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up());
  constexpr std::size_t count = 3000;
  for (std::size_t i = 0; i < count; ++i) {
    harness.add("plant/1", std::to_string(i), static_cast<std::uint8_t>(qos));
    if (i == count / 3 || i == 2 * count / 3) {
      harness.wait_acknowledged(i / 2);
      broker.restart();
    }
  }
  ASSERT_TRUE(harness.wait_acknowledged(count)) << harness.log_text();
  const Record record = harness.record();
  EXPECT_TRUE(record.unanswered.empty());
  // Each was answered once, though some were published twice.
  EXPECT_EQ(std::set<std::uint64_t>(record.acknowledged.begin(), record.acknowledged.end()).size(), count);
  EXPECT_EQ(record.acknowledged.size(), count);
  ASSERT_GE(record.ups.size(), 3U);
}

TEST(KeptSession, BringsTheCommandsThatWereSentWhileAway) {
  Broker broker;
  Options options = persistent(options_for({broker.url()}));
  options.subscriptions = {{"cmd/#", 1}};
  {
    Harness before(options);
    before.session().start();
    ASSERT_TRUE(sluice::test::wait_until([&] {
      const auto status = before.session().status();
      return !status.subscriptions.empty() && status.subscriptions[0].granted;
    }));
  }
  sluice::test::publish(broker.port(), "cmd/pump", "on");
  Harness after(options);
  after.session().start();
  ASSERT_TRUE(after.wait([](const Record& r) { return r.messages.size() == 1; })) << after.log_text();
  EXPECT_EQ(after.record().messages[0].first.payload, "on");
}

}  // namespace
}  // namespace sluice::mqtt::test
