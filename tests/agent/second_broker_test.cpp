// SPDX-License-Identifier: Apache-2.0
// End to end with a broker of another make, aedes, by MQTT 3.1.1: collected offline, killed again and again while it
// drains, delivered; and the broker goes away and comes back.
#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "agent/agent_process.hpp"
#include "support/aedes_broker.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

constexpr std::chrono::seconds long_patience{180};

class SecondBroker : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (!broker_.why_not().empty()) GTEST_SKIP() << broker_.why_not();
  }
  std::string configuration(const std::string& rest) const {
    return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker_.url() +
           "\"]\nversion = \"3.1.1\"\nid = \"payload\"\nreconnect_min = \"20ms\"\nreconnect_max = \"100ms\"\n"
           "status_topic = \"gw/status\"\n[buffer]\ndurability = \"strict\"\n[[route]]\nmatch = "
           "\"plant/#\"\nto = [\"mqtt\"]\n"
           "qos = " +
           std::to_string(GetParam()) + "\n" + rest;
  }
  Subscriber subscribe() const {
    SubscriberOptions options;
    options.version = "3.1.1";
    options.qos = GetParam();
    return Subscriber(broker_.port(), options);
  }
  static std::set<long long> values(Subscriber& subscriber) {
    std::set<long long> all;
    for (const Received& received : subscriber.messages()) {
      if (received.topic == "plant/sim") {
        all.insert(nlohmann::json::parse(received.payload)["value"].get<long long>());
      }
    }
    return all;
  }

  AedesBroker broker_;
  AgentProcess agent_{""};
};

TEST_P(SecondBroker, GetsWhatWasCollectedOfflineThroughKillsAndIsComeBackTo) {
  constexpr int count = 3000;
  agent_.configure(configuration(
      "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\ntopic = \"plant/sim\"\nrate = 0\ncount = " +
      std::to_string(count) + "\n"));
  agent_.start();
  ASSERT_TRUE(wait_until([&] { return agent_.buffer()["messages"] == count; }, long_patience))
      << agent_.log();
  agent_.kill();

  broker_.start();
  Subscriber subscriber = subscribe();
  agent_.configure(configuration(""));
  agent_.start();
  for (const std::size_t some : {500U, 1500U}) {
    ASSERT_TRUE(subscriber.wait_for(some)) << agent_.log();
    agent_.kill();
    agent_.start();
  }
  ASSERT_TRUE(agent_.wait_drained(long_patience)) << agent_.buffer() << agent_.log();
  EXPECT_TRUE(wait_until([&] { return values(subscriber).size() == static_cast<std::size_t>(count); }));
  const auto ledger = agent_.document({"buffer", "verify"})["ledger"];
  const std::size_t delivered = values(subscriber).size();
  std::cout << "committed " << ledger["committed"] << ", delivered " << delivered << ", duplicated "
            << subscriber.count() - delivered << ", counted away 0, lost " << count - delivered << '\n';
  EXPECT_TRUE(ledger["balanced"].get<bool>()) << ledger;
  EXPECT_EQ(ledger["acknowledged"], count);

  broker_.kill();
  ASSERT_TRUE(wait_until([&] { return agent_.status()["session"]["state"] != "up"; })) << agent_.log();
  broker_.start();
  EXPECT_TRUE(wait_until([&] { return agent_.status()["session"]["state"] == "up"; })) << agent_.log();
  EXPECT_EQ(agent_.stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(Qos, SecondBroker, testing::Values(1, 2),
                         [](const auto& qos) { return "Qos" + std::to_string(qos.param); });

}  // namespace
}  // namespace sluice::test
