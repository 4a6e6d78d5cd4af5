// SPDX-License-Identifier: Apache-2.0
// The expiry of a route goes on while a message waits: what is delivered carries what remains of it, and what is too old is
// counted, and never sent.
#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <set>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

using std::chrono::seconds;

constexpr int long_expiry = 30;
constexpr int short_expiry = 2;
constexpr seconds outage{3};

struct Case {
  const char* version = "5";
  bool killed = false;  // while it waits
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << "MQTT " << one.version << (one.killed ? ", killed" : ", running on");
}

std::string input(const std::string& name, int count) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"" + name + "\"\ntopic = \"" + name +
         "/x\"\nrate = 0\ncount = " + std::to_string(count) + "\n";
}

std::string route(const std::string& match, const std::string& expiry) {
  return "[[route]]\nmatch = \"" + match + "\"\nto = [\"mqtt\"]\n" +
         (expiry.empty() ? "" : "expiry = \"" + expiry + "\"\n");
}

class Expiry : public testing::TestWithParam<Case> {
 protected:
  static BrokerOptions persistent() {
    BrokerOptions options;
    options.persistence = true;
    return options;
  }
  std::string configuration(const std::string& inputs) const {
    return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker_.url() +
           "\"]\nversion = \"" + GetParam().version +
           "\"\nreconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\n"
           "[buffer]\ndurability = \"strict\"\n" +
           route("long/#", std::to_string(long_expiry) + "s") +
           route("short/#", std::to_string(short_expiry) + "s") + route("none/#", "") + inputs;
  }

  Broker broker_{persistent()};
  AgentProcess agent_{""};
};

TEST_P(Expiry, GoesOnWhileAMessageWaits) {
  SubscriberOptions kept;
  kept.persistent_id = "historian";  // so that it misses nothing of what comes as soon as the broker is back
  Subscriber subscriber(broker_.port(), kept);
  broker_.stop();
  agent_.configure(configuration(input("long", 20) + input("short", 30) + input("none", 10)));
  agent_.start();
  ASSERT_TRUE(wait_until([&] { return agent_.buffer()["messages"] == 60; })) << agent_.log();
  const auto stored = std::chrono::steady_clock::now();
  agent_.configure(configuration(""));
  if (GetParam().killed) agent_.kill();
  ASSERT_TRUE(wait_until([&] { return std::chrono::steady_clock::now() - stored >= outage; }));
  broker_.start();
  if (GetParam().killed) agent_.start();

  ASSERT_TRUE(subscriber.wait_for(30)) << agent_.log();
  ASSERT_TRUE(agent_.wait_drained()) << agent_.buffer();
  const auto metrics = agent_.status()["metrics"]["forwarder"];
  EXPECT_EQ(metrics["expired"], 30) << metrics;
  EXPECT_EQ(metrics["acknowledged"], 30) << metrics;
  std::multiset<std::string> topics;
  for (const Received& received : subscriber.messages()) {
    topics.insert(received.topic);
    const bool expires = received.topic == "long/x" && std::string(GetParam().version) == "5";
    ASSERT_EQ(received.expiry.has_value(), expires) << received.topic;
    if (expires) {
      EXPECT_GT(*received.expiry, 0);
      EXPECT_LE(*received.expiry, long_expiry - outage.count());
    }
  }
  EXPECT_EQ(topics.count("long/x"), 20U);
  EXPECT_EQ(topics.count("none/x"), 10U);
  EXPECT_EQ(topics.count("short/x"), 0U);

  // Counted for good: also a kill right now changes nothing.
  agent_.kill();
  agent_.start();
  ASSERT_TRUE(agent_.wait_drained()) << agent_.buffer();
  const auto verified = agent_.document({"buffer", "verify"});
  EXPECT_TRUE(verified["differences"].empty()) << verified;
  EXPECT_EQ(verified["ledger"]["committed"], 60) << verified;
  EXPECT_EQ(verified["ledger"]["acknowledged"], 30) << verified;
  EXPECT_EQ(verified["ledger"]["expired"], 30) << verified;
  EXPECT_EQ(verified["ledger"]["stored"], 0) << verified;
  for (const Received& received : subscriber.messages()) EXPECT_NE(received.topic, "short/x");
  std::cout << "committed 60, delivered " << subscriber.messages().size() << ", expired 30, lost 0\n";
}

INSTANTIATE_TEST_SUITE_P(Links, Expiry,
                         testing::Values(Case{"5", false}, Case{"5", true}, Case{"3.1.1", false},
                                         Case{"3.1.1", true}),
                         [](const auto& one) {
                           return std::string(one.param.version[0] == '5' ? "Mqtt5" : "Mqtt311") +
                                  (one.param.killed ? "Killed" : "Running");
                         });

}  // namespace
}  // namespace sluice::test
