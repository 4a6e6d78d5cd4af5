// SPDX-License-Identifier: Apache-2.0
// Batches against a real broker: nothing is lost with them, each sample has its id and time, and what a broker does not
// take is found without the others.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

constexpr std::chrono::seconds long_patience(120);

std::string configuration(const Broker& broker, const std::string& route, int count) {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker.url() +
         "\"]\nreconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\n"
         "[buffer]\ndurability = \"strict\"\n[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\n" +
         route +
         "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\ntopic = \"plant/sim\"\nrate = 0\ncount = " +
         std::to_string(count) + "\n";
}

struct Tally {
  std::map<int, int> values;  // how often each came
  std::set<std::string> ids;
  std::size_t publications = 0;
};

Tally tally(Subscriber& subscriber) {
  Tally result;
  for (const Received& received : subscriber.messages()) {
    EXPECT_EQ(received.content_type, "application/json");
    const auto batch = nlohmann::json::parse(received.payload);
    EXPECT_TRUE(batch.is_array());
    for (const auto& sample : batch) {
      EXPECT_EQ(sample["ts"].get<std::string>().size(), 30U);
      ++result.values[sample["value"].get<int>()];
      result.ids.insert(sample["id"].get<std::string>());
    }
    ++result.publications;
  }
  return result;
}

TEST(Batching, LosesNothingWhenItIsKilled) {
  constexpr int count = 10'000;
  Broker broker;
  AgentProcess agent("");
  broker.stop();
  agent.configure(configuration(broker, "batch_count = 50\nbatch_age = \"1s\"\n", count));
  agent.start();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["messages"] == count; }, long_patience)) << agent.log();
  ASSERT_EQ(agent.stop(), 0);
  std::string drain_only = configuration(broker, "", 1);
  agent.configure(drain_only.substr(0, drain_only.find("[[input]]")));
  broker.start();
  Subscriber subscriber(broker.port());
  agent.start();
  ASSERT_TRUE(subscriber.wait_for(std::size_t{count} / 50 / 4, long_patience)) << agent.log();
  agent.kill();
  agent.start();
  ASSERT_TRUE(agent.wait_drained(long_patience)) << agent.log();

  const Tally result = tally(subscriber);
  EXPECT_EQ(result.values.size(), std::size_t{count});
  EXPECT_EQ(result.ids.size(), std::size_t{count});
  // Twice at most, since it was killed once; how much of it had been noted by then is a matter of milliseconds.
  for (const auto& [value, times] : result.values) EXPECT_LE(times, 2) << value;
  EXPECT_LE(result.publications, 3 * std::size_t{count} / 50);
  const auto queue = agent.buffer()["queues"]["mqtt"];
  EXPECT_EQ(queue["messages"], 0);
  EXPECT_EQ(queue["ledger"]["acknowledged"], count) << queue;
}

TEST(Batching, WithoutPropertiesWhatTheySayStandsInThePayload) {
  for (const std::string route : {"batch_count = 10\nbatch_age = \"1s\"\n", ""}) {
    constexpr int count = 100;
    Broker broker;
    broker.stop();
    std::string text = configuration(broker, route, count);
    text.replace(text.find("status_topic"), 0, "version = \"3.1.1\"\nid = \"payload\"\n");
    AgentProcess agent(text);
    agent.start();
    ASSERT_TRUE(wait_until([&] { return agent.buffer()["messages"] == count; }, long_patience))
        << agent.log();
    ASSERT_EQ(agent.stop(), 0);
    agent.configure(text.substr(0, text.find("[[input]]")));
    broker.start();
    Subscriber subscriber(broker.port());
    agent.start();
    ASSERT_TRUE(agent.wait_drained(long_patience)) << agent.log();
    std::set<std::string> marked;
    for (const Received& received : subscriber.messages()) {
      auto batch = nlohmann::json::parse(received.payload);
      if (route.empty()) batch = nlohmann::json::array({batch});
      for (const auto& sample : batch) {
        if (sample["replayed"] == true) marked.insert(sample["id"].get<std::string>());
      }
    }
    EXPECT_EQ(marked.size(), std::size_t{count}) << route;
  }
}

TEST(Batching, ABatchThatIsTooLargeForTheBrokerGoesInParts) {
  constexpr int count = 1000;
  BrokerOptions options;
  options.extra = "max_packet_size 2000\n";
  Broker broker(options);
  Subscriber subscriber(broker.port());
  AgentProcess agent(configuration(broker, "batch_count = 200\nbatch_age = \"1s\"\n", count));
  agent.start();
  ASSERT_TRUE(wait_until([&] { return agent.status()["instances"][0]["emitted"] == count; }, long_patience))
      << agent.log();
  ASSERT_TRUE(agent.wait_drained(long_patience)) << agent.log();
  const Tally result = tally(subscriber);
  EXPECT_EQ(result.values.size(), std::size_t{count});
  EXPECT_EQ(agent.buffer()["dead_letters"], 0);
  EXPECT_LT(result.publications, std::size_t{count} / 10);
}

TEST(Batching, WhatTheBrokerRefusesIsDeadLetteredOneByOneAndTheOthersGoOn) {
  constexpr int count = 40;
  BrokerOptions options;
  options.users = {{"gw", "secret"}, {"reader", "secret"}};
  options.acl = "user gw\ntopic write allowed/#\nuser reader\ntopic read #\n";
  Broker broker(options);
  SubscriberOptions reader;
  reader.username = "reader";
  reader.password = "secret";
  Subscriber subscriber(broker.port(), reader);
  AgentProcess agent("");
  agent.directory().write("password", "secret\n");
  std::string text = configuration(broker, "batch_count = 20\nbatch_age = \"1s\"\n", count);
  text.replace(text.find("status_topic"), 0, "username = \"gw\"\npassword_file = \"password\"\n");
  text += "[[input]]\nplugin = \"simulator\"\nname = \"other\"\ntopic = \"allowed/sim\"\nrate = 0\ncount = " +
          std::to_string(count) + "\n";
  agent.configure(text);
  agent.start();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["dead_letters"] == count; }, long_patience))
      << agent.buffer();
  ASSERT_TRUE(agent.wait_drained(long_patience)) << agent.log();
  EXPECT_EQ(tally(subscriber).values.size(), std::size_t{count});
}

}  // namespace
}  // namespace sluice::test
