// SPDX-License-Identifier: Apache-2.0
// How the session finds a broker, loses it, and stops.
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "harness.hpp"
#include "resolver.hpp"
#include "support/broker.hpp"
#include "support/fake_broker.hpp"
#include "support/free_port.hpp"
#include "support/subscriber.hpp"
#include "support/unaccepting_listener.hpp"

namespace sluice::mqtt::test {
namespace {

using sluice::test::Broker;
using sluice::test::FakeBroker;
using sluice::test::only;
using sluice::test::Subscriber;
using sluice::test::UnacceptingListener;
using sluice::test::wait_until;

std::string url(std::uint16_t port) {
  return "mqtt://127.0.0.1:" + std::to_string(port);
}

TEST(Link, ComesUpOnceTheBrokerDoes) {
  Broker broker;
  broker.stop();
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged("Connection refused")) << harness.log_text();
  EXPECT_NE(harness.session().status().state, LinkState::up);
  harness.add("plant/1", "x");
  broker.start();
  EXPECT_TRUE(harness.wait_acknowledged(1)) << harness.log_text();
  const SessionStatus status = harness.session().status();
  EXPECT_EQ(status.state, LinkState::up);
  EXPECT_EQ(status.broker, broker.url());
  EXPECT_EQ(status.reconnects, 0U);
  EXPECT_GT(status.since.count(), 0);
}

TEST(Link, TellsThatANameCannotBeResolved) {
  Harness harness(options_for({"mqtt://no-such-host.invalid:1883"}));
  harness.session().start();
  EXPECT_TRUE(harness.wait_logged("cannot be resolved")) << harness.log_text();
}

TEST(Link, GoesOnToTheNextBrokerWhereSynsAreDropped) {
  const UnacceptingListener dead;
  Broker broker;
  Options options = options_for({url(dead.port()), broker.url()});
  options.connect_timeout = std::chrono::milliseconds(200);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  EXPECT_TRUE(harness.wait_logged("no answer to the TCP connection"));
}

TEST(Link, GoesOnToTheNextBrokerWhereOneNeverAnswersTheConnect) {
  FakeBroker mute(R"([{"connack": null}])");
  Broker broker;
  Options options = options_for({mute.url(), broker.url()});
  options.connect_timeout = std::chrono::milliseconds(300);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  EXPECT_TRUE(harness.wait_logged("no CONNACK"));
}

TEST(Link, MovesToAnotherBrokerAndPublishesEverythingUnansweredThere) {
  auto first = std::make_unique<FakeBroker>(R"([{"puback": null, "pubcomp": false}])");
  Broker second;
  Subscriber subscriber(second.port());
  Options options = persistent(options_for({first->url(), second.url()}));
  options.ack_timeout = std::chrono::milliseconds(500);
  Harness harness(options);
  harness.session().start();
  harness.add("plant/1", "one");
  harness.add("plant/1", "two", 2);
  ASSERT_TRUE(first->wait_for("PUBREL", 1));
  first.reset();
  ASSERT_TRUE(harness.wait_acknowledged(2)) << harness.log_text();
  ASSERT_TRUE(subscriber.wait_for(2));
  EXPECT_EQ(subscriber.messages()[0].payload, "one");
  EXPECT_EQ(subscriber.messages()[1].payload, "two");
  EXPECT_FALSE(subscriber.messages()[0].duplicate);
  EXPECT_EQ(harness.session().status().broker, second.url());
  EXPECT_FALSE(harness.record().ups.back());
}

TEST(Link, ComesBackToThePreferredBrokerWithoutDuplicates) {
  Broker first;
  Broker second;
  Subscriber subscriber(second.port(), only("plant/#"));
  Subscriber status(second.port(), only("status"));
  first.stop();
  Options options = options_for({first.url(), second.url()});
  options.failback_after = std::chrono::milliseconds(1500);
  options.status_topic = "status";
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up()) << harness.log_text();
  EXPECT_EQ(harness.session().status().broker, second.url());
  harness.add("plant/1", "x");
  ASSERT_TRUE(harness.wait_acknowledged(1));
  first.start();
  ASSERT_TRUE(wait_until([&] {
    const SessionStatus now = harness.session().status();
    return now.state == LinkState::up && now.broker == first.url();
  })) << harness.log_text();
  harness.add("plant/1", "y");
  ASSERT_TRUE(harness.wait_acknowledged(2));
  EXPECT_EQ(subscriber.messages().size(), 1U);
  // It told the other broker that it has gone.
  EXPECT_TRUE(status.wait_for([](const auto& message) {
    return message.payload.find("offline") != std::string::npos &&
           message.payload.find("moving") != std::string::npos;
  }));
}

TEST(Link, StaysWithTheOtherBrokerWhereFailbackIsOff) {
  Broker first;
  Broker second;
  first.stop();
  Options options = options_for({first.url(), second.url()});
  options.failback_after = std::chrono::milliseconds(0);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_up());
  first.start();
  // The loop turns, with the preferred broker there to be had.
  const auto turns = harness.session().heartbeat();
  ASSERT_TRUE(wait_until([&] { return harness.session().heartbeat() > turns + 2; }));
  EXPECT_EQ(harness.session().status().broker, second.url());
  EXPECT_TRUE(harness.record().downs.empty());
}

TEST(Link, CountsReconnectionsAndTellsWhyTheLinkWasLost) {
  Broker broker;
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  ASSERT_TRUE(harness.wait_up());
  broker.restart();
  ASSERT_TRUE(harness.wait_up(2)) << harness.log_text();
  const SessionStatus status = harness.session().status();
  EXPECT_EQ(status.reconnects, 1U);
  EXPECT_NE(harness.record().downs.at(0).find(broker.url()), std::string::npos);
  EXPECT_EQ(harness.metrics().counter("mqtt", "connections").value(), 2U);
  EXPECT_EQ(harness.metrics().counter("mqtt", "lost_links").value(), 1U);
}

TEST(Link, StopsInOrderAndAnswersWhatIsStillInFlight) {
  FakeBroker broker(R"([{"answer_after": 200}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  harness.add("plant/1", "x");
  ASSERT_TRUE(broker.wait_for("PUBLISH", 1));
  harness.session().stop(std::chrono::seconds(20));
  EXPECT_EQ(harness.record().acknowledged.size(), 1U);
  EXPECT_TRUE(broker.wait_for([](const nlohmann::json& packet) {
    return packet.at("packet") == "DISCONNECT" && packet.at("reason") == 0;
  }));
  EXPECT_EQ(harness.session().status().state, LinkState::stopped);
  EXPECT_EQ(harness.record().downs.size(), 1U);
}

TEST(Link, StopsInTimeThoughTheBrokerIsSilent) {
  FakeBroker broker(R"([{"puback": null}])");
  Options options = options_for({broker.url()});
  options.status_topic = "status";
  Harness harness(options);
  harness.session().start();
  harness.add("plant/1", "x");
  ASSERT_TRUE(broker.wait_for("PUBLISH", 1));
  harness.session().stop(std::chrono::milliseconds(400));
  EXPECT_EQ(harness.session().status().state, LinkState::stopped);
  EXPECT_TRUE(harness.record().acknowledged.empty());
}

TEST(Link, StopsWhileItConnectsWithoutWaitingForTheConnection) {
  const UnacceptingListener dead;
  Options options = options_for({url(dead.port())});
  options.connect_timeout = std::chrono::hours(1);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(wait_until([&] { return harness.session().status().state == LinkState::connecting; }));
  harness.session().stop(std::chrono::hours(1));
  EXPECT_EQ(harness.session().status().state, LinkState::stopped);
}

TEST(Link, StopsWhileItWaitsWithoutWaitingForTheNextAttempt) {
  Options options = options_for({url(sluice::test::free_port())});
  options.reconnect_min = std::chrono::hours(1);
  options.reconnect_max = std::chrono::hours(1);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged("next attempt"));
  harness.session().stop(std::chrono::hours(1));
  EXPECT_EQ(harness.session().status().state, LinkState::stopped);
}

TEST(Link, CanBeStoppedWithoutHavingBeenStartedAndTwice) {
  Harness harness(options_for({"mqtt://127.0.0.1:1"}));
  harness.session().stop(std::chrono::seconds(1));
  harness.session().start();
  harness.session().stop(std::chrono::seconds(1));
  harness.session().stop(std::chrono::seconds(1));
  EXPECT_EQ(harness.session().status().state, LinkState::stopped);
}

TEST(Link, StopsInTimeThoughTheResolverBlocks) {
  BlockedResolver resolver;
  Harness harness(options_for({std::string("mqtt://") + BlockedResolver::host}));
  harness.session().start();
  ASSERT_TRUE(wait_until([&] { return resolver.waiting() == 1; }));
  EXPECT_TRUE(harness.session().is_connecting());
  harness.session().stop(std::chrono::milliseconds(100));
  EXPECT_EQ(harness.session().status().state, LinkState::stopped);
  EXPECT_EQ(resolver.waiting(), 1);
  const std::size_t lines = harness.record().log.size();
  resolver.release();
  ASSERT_TRUE(wait_until([&] { return resolver.waiting() == 0; }));
  EXPECT_EQ(harness.record().log.size(), lines);
}

TEST(Link, BeatsWhileNothingHappens) {
  const UnacceptingListener dead;
  Harness harness(options_for({url(dead.port())}));
  harness.session().start();
  const auto before = harness.session().heartbeat();
  EXPECT_TRUE(wait_until([&] { return harness.session().heartbeat() > before + 1; }));
}

TEST(Link, PublishesAgainQos0ThatWasNotWritten) {
  FakeBroker broker(R"([{"close_on": "PUBLISH"}, {}])");
  Harness harness(options_for({broker.url()}));
  harness.session().start();
  harness.add("plant/1", "x", 1);
  // Both together: whether the second was written before the link went down, it is answered, or handed back.
  harness.add("plant/2", "y", 0);
  EXPECT_TRUE(harness.wait_acknowledged(2)) << harness.log_text();
}

}  // namespace
}  // namespace sluice::mqtt::test
