// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "harness.hpp"
#include "support/fake_broker.hpp"

namespace sluice::mqtt::test {
namespace {

using sluice::test::FakeBroker;
using sluice::test::wait_until;

SubscriptionStatus first(Harness& harness) {
  const auto all = harness.session().status().subscriptions;
  return all.empty() ? SubscriptionStatus{} : all[0];
}

TEST(Subscriptions, ARefusedOneIsToldInWordsAndAskedForAgain) {
  FakeBroker broker(R"([{"suback": [135, 1]}])");
  Options options = options_for({broker.url()});
  options.subscriptions = {{"cmd/#", 1}};
  options.reconnect_max = std::chrono::milliseconds(1);
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged("subscription \"cmd/#\" refused: 0x87 not authorised"))
      << harness.log_text();
  ASSERT_TRUE(wait_until([&] { return first(harness).granted; }));
  EXPECT_EQ(first(harness).refusal, "");
  EXPECT_EQ(harness.metrics().counter("mqtt", "refused_subscriptions").value(), 1U);
  EXPECT_TRUE(harness.record().downs.empty());
}

TEST(Subscriptions, ARefusalDoesNotKeepFromPublishing) {
  FakeBroker broker(R"([{"suback": [128]}])");
  Options options = options_for({broker.url()});
  options.version = Version::v311;
  options.subscriptions = {{"cmd/#", 1}};
  Harness harness(options);
  harness.session().start();
  harness.add("plant/1", "x");
  EXPECT_TRUE(harness.wait_acknowledged(1));
  ASSERT_TRUE(wait_until([&] { return first(harness).answered; }));
  EXPECT_FALSE(first(harness).granted);
  EXPECT_NE(first(harness).refusal.find("the broker refuses it"), std::string::npos);
}

TEST(Subscriptions, ALowerQosThanAskedForIsShown) {
  FakeBroker broker(R"([{"suback": [0]}])");
  Options options = options_for({broker.url()});
  options.subscriptions = {{"cmd/#", 2}};
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(harness.wait_logged("granted QoS 0, 2 was asked for"));
  ASSERT_TRUE(wait_until([&] { return first(harness).granted; }));
  EXPECT_EQ(first(harness).granted_qos, 0);
}

TEST(Subscriptions, AreMadeWithNoLocalButForSharedOnes) {
  FakeBroker broker(R"([{}])");
  Options options = options_for({broker.url()});
  options.subscriptions = {{"cmd/#", 1}, {"$share/group/cmd/#", 2}};
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(wait_until([&] { return broker.packets("SUBSCRIBE").size() == 2; }));
  constexpr int no_local = 4;
  for (const auto& packet : broker.packets("SUBSCRIBE")) {
    const auto filter = packet.at("filters").at(0);
    const bool shared = filter.at(0) == "$share/group/cmd/#";
    EXPECT_EQ((filter.at(1).get<int>() & no_local) != 0, !shared);
    EXPECT_EQ(filter.at(1).get<int>() & 3, shared ? 2 : 1);
  }
}

TEST(Subscriptions, AreMadeAnewOnEachLink) {
  FakeBroker broker(R"([{"disconnect": 139}, {}])");
  Options options = options_for({broker.url()});
  options.subscriptions = {{"cmd/#", 1}};
  Harness harness(options);
  harness.session().start();
  EXPECT_TRUE(broker.wait_for("SUBSCRIBE", 2));
}

TEST(Subscriptions, OneThatIsNeverAnsweredEndsTheLink) {
  FakeBroker broker(R"([{"suback": null}, {}])");
  Options options = options_for({broker.url()});
  options.subscriptions = {{"cmd/#", 1}};
  options.ack_timeout = std::chrono::milliseconds(300);
  Harness harness(options);
  harness.session().start();
  EXPECT_TRUE(harness.wait_up(2)) << harness.log_text();
}

TEST(Subscriptions, AnInvalidFilterIsToldAndTheOthersWork) {
  FakeBroker broker(R"([{}])");
  Options options = options_for({broker.url()});
  options.subscriptions = {{"cmd/#/x", 1}, {"", 1}, {"cmd/+", 1}};
  Harness harness(options);
  harness.session().start();
  ASSERT_TRUE(wait_until([&] {
    const auto all = harness.session().status().subscriptions;
    return all.size() == 3 && all[2].granted;
  }));
  EXPECT_EQ(first(harness).refusal, "not a valid topic filter");
}

}  // namespace
}  // namespace sluice::mqtt::test
