// SPDX-License-Identifier: Apache-2.0
// Telemetry arrives, all of it: the program, a real broker and a subscriber of another make, through outages, kill -9 and
// restarts of either side.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <ostream>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/dose.hpp"
#include "support/historian.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

constexpr std::chrono::seconds long_patience{180};
constexpr int window = 100;

struct Link {
  int qos = 1;
  bool keep_session = false;
};

void PrintTo(const Link& link, std::ostream* out) {
  *out << "QoS " << link.qos << (link.keep_session ? ", session kept" : ", session new");
}

std::string configuration(const Broker& broker, const Link& link, const std::string& input) {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker.url() +
         "\"]\nreconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\nmax_inflight = " +
         std::to_string(window) + "\n" +
         (link.keep_session ? "clean_start = false\nsession_expiry = \"1h\"\n" : "") +
         "[buffer]\ndurability = \"strict\"\n[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\nqos = " +
         std::to_string(link.qos) + "\n" + input;
}

std::string counter(int count) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\nsignal = \"counter\"\nrate = 0\ncount = " +
         std::to_string(count) + "\n";
}

// How often each value arrived.
std::map<long long, int> arrivals(Subscriber& subscriber) {
  std::map<long long, int> counts;
  for (const Received& received : subscriber.messages()) {
    ++counts[nlohmann::json::parse(received.payload)["value"].get<long long>()];
  }
  return counts;
}

struct Tally {
  std::size_t delivered = 0;
  std::size_t missing = 0;
  std::size_t duplicates = 0;
};

Tally tally(Subscriber& subscriber, int count) {
  const auto counts = arrivals(subscriber);
  Tally tally;
  tally.delivered = subscriber.messages().size();
  tally.missing = static_cast<std::size_t>(count) - counts.size();
  tally.duplicates = tally.delivered - counts.size();
  std::cout << "committed " << count << ", delivered " << tally.delivered << ", duplicates "
            << tally.duplicates << ", missing " << tally.missing << '\n';
  return tally;
}

bool complete(Subscriber& subscriber, int count) {
  return wait_until(
      [&] {
        return subscriber.count() >= static_cast<std::size_t>(count) &&
               arrivals(subscriber).size() == static_cast<std::size_t>(count);
      },
      long_patience);
}

class StoreAndForward : public testing::TestWithParam<Link> {
 protected:
  static BrokerOptions persistent() {
    BrokerOptions options;
    options.persistence = true;
    return options;
  }

  static SubscriberOptions everything(const std::string& persistent_id = "") {
    SubscriberOptions options;
    options.qos = GetParam().qos;
    options.persistent_id = persistent_id;
    return options;
  }

  // Collects while the broker is away, and ends by kill -9 as soon as all is committed.
  void collect_offline(int count) {
    broker_.stop();
    agent_.configure(configuration(broker_, GetParam(), counter(count)));
    agent_.start();
    ASSERT_TRUE(wait_until([&] { return agent_.buffer()["messages"] == count; }, long_patience))
        << agent_.log();
    agent_.kill();
    agent_.configure(configuration(broker_, GetParam(), ""));
    const auto stopped = agent_.buffer();
    EXPECT_EQ(stopped["messages"], count);
    EXPECT_TRUE(stopped["queues"]["mqtt"]["ledger"]["balanced"].get<bool>()) << stopped;
  }

  void expect_balanced() {
    const auto verified = agent_.document({"buffer", "verify"});
    EXPECT_TRUE(verified["differences"].empty()) << verified;
    EXPECT_TRUE(verified["ledger"]["balanced"].get<bool>()) << verified;
    EXPECT_EQ(verified["ledger"]["stored"], 0) << verified;
  }

  Broker broker_{persistent()};
  AgentProcess agent_{""};
};

TEST_P(StoreAndForward, WhatWasCollectedOfflineSurvivesAKillAndArrivesOnce) {
  const int count = dose("SLUICE_TEST_MESSAGES", 50'000, 50'000);
  collect_offline(count);
  broker_.start();
  Subscriber subscriber(broker_.port(), everything());
  agent_.start();
  ASSERT_TRUE(complete(subscriber, count)) << agent_.log();
  ASSERT_TRUE(agent_.wait_drained());
  const Tally result = tally(subscriber, count);
  EXPECT_EQ(result.missing, 0U);
  EXPECT_EQ(result.duplicates, 0U);
  // In order, as they were measured.
  long long expected = 0;
  for (const Received& received : subscriber.messages()) {
    ASSERT_EQ(nlohmann::json::parse(received.payload)["value"], expected++);
  }
  expect_balanced();
}

TEST_P(StoreAndForward, KilledAgainAndAgainWhileDrainingLosesNothing) {
  const int kills = dose("SLUICE_TEST_KILLS", 20, 200);
  const int count = std::max(dose("SLUICE_TEST_MESSAGES", 20'000, 20'000),
                             kills * 700);  // so that every kill finds something to drain
  collect_offline(count);
  broker_.start();
  // A quick one: mosquitto has all that a subscriber has not answered on the way at once, and throws it out where, beyond
  // 65,535, two messages have one packet identifier.
  Historian historian(broker_.port());
  const auto arrived = [&] {
    historian.read();
    return historian.arrived();
  };
  int killed = 0;
  for (; killed < kills; ++killed) {
    const std::size_t before = arrived();
    // A slow machine notices late how far it is: too late for the last ones.
    if (before + 700 > static_cast<std::size_t>(count)) break;
    agent_.launch();
    // Somewhere in the middle of draining; the first ones before anything went out.
    const std::size_t progress = static_cast<std::size_t>(killed) * 97 % 700;
    ASSERT_TRUE(wait_until([&] { return arrived() >= before + progress; }, long_patience)) << agent_.log();
    agent_.kill();
  }
  EXPECT_GE(killed, kills / 4) << "too few to show anything";
  agent_.start();
  const auto all = static_cast<std::size_t>(count);
  EXPECT_TRUE(wait_until([&] { return arrived() >= all && historian.ids().size() == all; }, long_patience))
      << agent_.log();
  ASSERT_TRUE(agent_.wait_drained());
  const std::size_t delivered = historian.ids().size();
  const std::size_t duplicates = historian.arrived() - delivered;
  std::cout << killed << " kills, committed " << count << ", delivered " << delivered << ", duplicated "
            << duplicates << ", lost " << all - delivered << '\n';
  EXPECT_EQ(delivered, all);
  // What was acknowledged and not yet noted when the kill came: a window, and what one commit gathers.
  EXPECT_LE(duplicates, static_cast<std::size_t>(killed) * (window + 1000));
  expect_balanced();
}

TEST_P(StoreAndForward, TheBrokerComesAndGoesWhileDraining) {
  const int count = dose("SLUICE_TEST_MESSAGES", 20'000, 20'000);
  collect_offline(count);
  broker_.start();
  Subscriber subscriber(broker_.port(), everything("historian"));
  agent_.start();
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE(subscriber.wait_for(static_cast<std::size_t>(i * count / 10), long_patience)) << agent_.log();
    broker_.restart();
  }
  ASSERT_TRUE(complete(subscriber, count)) << agent_.log();
  ASSERT_TRUE(agent_.wait_drained());
  const Tally result = tally(subscriber, count);
  EXPECT_EQ(result.missing, 0U);
  // The subscriber sees more duplicates than the agent makes: a broker that was restarted sends again what it had sent.
  // The agent publishes again what was unanswered, a window at most each time.
  const auto published = agent_.status()["metrics"]["mqtt"]["published"].get<int>();
  EXPECT_LE(published - count, 5 * window);
  expect_balanced();
}

TEST(Replayed, IsMarkedAndKeepsToItsRate) {
  Broker broker;
  AgentProcess agent("");
  broker.stop();
  constexpr int count = 250;
  std::string with_rate = configuration(broker, {1, false}, "");
  with_rate.replace(with_rate.find("[buffer]\n"), 9, "[buffer]\nreplay_rate = 100\n");
  agent.configure(with_rate + counter(count));
  agent.start();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["messages"] == count; }, long_patience)) << agent.log();
  ASSERT_EQ(agent.stop(), 0);
  broker.start();
  Subscriber subscriber(broker.port());
  agent.configure(with_rate +
                  "[[input]]\nplugin = \"simulator\"\nname = \"live\"\ntopic = \"live\"\nrate = 5\n");
  const auto begin = std::chrono::steady_clock::now();
  agent.start();
  ASSERT_TRUE(
      subscriber.wait_for([](const Received& received) { return received.topic == "live"; }, long_patience));
  // 100 at once, and the others at 100 a second: it cannot have been faster.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1400));
  const auto is_marked = [](const Received& received) {
    const auto& all = received.user_properties;
    return std::find(all.begin(), all.end(), std::pair<std::string, std::string>("replayed", "true")) !=
           all.end();
  };
  EXPECT_TRUE(subscriber.wait_for(
      [&](const Received& received) { return received.topic == "live" && !is_marked(received); },
      long_patience))
      << agent.log();
  const auto& all = subscriber.messages();
  EXPECT_EQ(std::count_if(
                all.begin(), all.end(),
                [&](const Received& received) { return received.topic != "live" && is_marked(received); }),
            count);
}

std::string name_of(const testing::TestParamInfo<Link>& link) {
  return "Qos" + std::to_string(link.param.qos) + (link.param.keep_session ? "SessionPresent" : "SessionNew");
}

INSTANTIATE_TEST_SUITE_P(Links, StoreAndForward,
                         testing::Values(Link{1, false}, Link{1, true}, Link{2, false}, Link{2, true}),
                         name_of);

}  // namespace
}  // namespace sluice::test
