// SPDX-License-Identifier: Apache-2.0
// What the limits of the queue drop is told upstream, once the link is back.
#include <gtest/gtest.h>

#include <set>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

constexpr int count = 40'000;

std::string configuration(const Broker& broker, const std::string& buffer, const std::string& input) {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker.url() +
         "\"]\nreconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"gw/status\"\n"
         "[buffer]\ndurability = \"strict\"\nmax_bytes = \"4MiB\"\n" +
         buffer + "[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\n" + input;
}

const std::string counter =
    "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\ntopic = \"plant/sim\"\nsignal = \"counter\"\nrate = "
    "0\n"
    "payload_size = 200\ncount = " +
    std::to_string(count) + "\n";

class LossUpstream : public testing::TestWithParam<const char*> {};

TEST_P(LossUpstream, CountsWhatDoesNotArrive) {
  Broker broker;
  AgentProcess agent("");
  broker.stop();
  const std::string buffer = std::string("when_full = \"") + GetParam() + "\"\n";
  agent.configure(configuration(broker, buffer, counter));
  agent.start();
  const auto emitted = [&] { return agent.status()["instances"][0]["emitted"] == count; };
  ASSERT_TRUE(wait_until(emitted, std::chrono::seconds(120))) << agent.log();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["in_memory"] == 0; })) << agent.buffer();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["queues"]["mqtt"]["losses"] != 0; })) << agent.buffer();
  const auto dropped = agent.buffer()["dropped"].get<std::uint64_t>();
  ASSERT_GT(dropped, 0U);
  ASSERT_LE(agent.buffer()["bytes"], 4 << 20);
  // It outlives a clean stop, and a kill.
  ASSERT_EQ(agent.stop(), 0);
  agent.configure(configuration(broker, buffer, ""));
  agent.start();
  agent.kill();

  broker.start();
  Subscriber subscriber(broker.port());
  agent.start();
  ASSERT_TRUE(agent.wait_drained()) << agent.log();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["queues"]["mqtt"]["losses"] == 0; })) << agent.buffer();
  // What the broker has acknowledged may still be on its way to the subscriber. The losses are told first.
  EXPECT_TRUE(subscriber.wait_for(static_cast<std::size_t>(count) - dropped + 1)) << agent.log();
  std::set<int> values;
  std::uint64_t told = 0;
  for (const Received& received : subscriber.messages()) {
    const auto payload = nlohmann::json::parse(received.payload);
    if (received.topic == "plant/sim") values.insert(payload["value"].get<int>());
    if (received.topic != "gw/status/loss") continue;
    EXPECT_EQ(payload["filter"], "plant/sim");
    EXPECT_EQ(payload["reason"], "max_bytes");
    EXPECT_EQ("drop-" + payload["dropped"].get<std::string>(), GetParam());
    EXPECT_LE(payload["from"].get<std::string>(), payload["to"].get<std::string>());
    told += payload["count"].get<std::uint64_t>();
  }
  std::cout << "accepted " << count << ", delivered " << values.size() << ", told as dropped " << told
            << '\n';
  EXPECT_EQ(told, dropped);
  EXPECT_EQ(values.size() + told, static_cast<std::size_t>(count));
}

INSTANTIATE_TEST_SUITE_P(Policies, LossUpstream, testing::Values("drop-oldest", "drop-newest"),
                         [](const auto& policy) {
                           return std::string(policy.param) == "drop-oldest" ? "DropOldest" : "DropNewest";
                         });

}  // namespace
}  // namespace sluice::test
