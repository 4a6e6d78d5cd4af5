// SPDX-License-Identifier: Apache-2.0
// What goes first when the link is back: alarms before the rest, live messages before the backlog, and of some topics only
// the last value. The program, a real broker and a subscriber of another make.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/fake_broker.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

constexpr std::chrono::seconds long_patience{120};

std::string configuration(const Broker& broker, const std::string& buffer, const std::string& routes) {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker.url() +
         "\"]\nreconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\n"
         "[buffer]\ndurability = \"strict\"\n" +
         buffer + routes;
}

std::string simulator(const std::string& topic, int count, double rate = 0) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"" + topic + "\"\ntopic = \"" + topic +
         "/value\"\nsignal = \"counter\"\nrate = " + std::to_string(rate) +
         "\ncount = " + std::to_string(count) + "\n";
}

std::string route(const std::string& match, const std::string& more = "") {
  return "[[route]]\nmatch = \"" + match + "\"\nto = [\"mqtt\"]\n" + more;
}

long long value_of(const Received& received) {
  return nlohmann::json::parse(received.payload)["value"].get<long long>();
}

class Order : public testing::Test {
 protected:
  // Collects `count` messages, with the broker away, and ends by a kill once they are committed.
  void collect_offline(const std::string& everything, std::uint64_t count) {
    broker_.stop();
    agent_.configure(everything);
    agent_.start();
    ASSERT_TRUE(wait_until(
        [&] {
          const auto buffer = agent_.buffer();
          return buffer["messages"] == count && buffer["in_memory"] == 0;
        },
        long_patience))
        << agent_.buffer() << agent_.log();
    agent_.kill();
  }
  void expect_balanced() {
    const auto verified = agent_.document({"buffer", "verify"});
    EXPECT_TRUE(verified["differences"].empty()) << verified;
  }
  nlohmann::json ledger() { return agent_.buffer()["queues"]["mqtt"]["ledger"]; }

  Broker broker_;
  AgentProcess agent_{""};
};

TEST_F(Order, AlarmsGoBeforeAnHourOfMeasurements) {
  const std::string routes =
      route("alarm/#", "priority = \"high\"\n") + route("debug/#", "priority = \"low\"\n") + route("#");
  const std::string base = configuration(broker_, "", routes);
  collect_offline(base + simulator("debug", 1000) + simulator("plant", 5000) + simulator("alarm", 20), 6020);
  const auto lanes = agent_.buffer()["queues"]["mqtt"]["lanes"];
  EXPECT_EQ(lanes["high"]["messages"], 20);
  EXPECT_EQ(lanes["normal"]["messages"], 5000);
  EXPECT_EQ(lanes["low"]["messages"], 1000);
  broker_.start();
  Subscriber subscriber(broker_.port());
  agent_.configure(base);
  agent_.start();
  ASSERT_TRUE(subscriber.wait_for(6020, long_patience)) << agent_.log();
  ASSERT_TRUE(agent_.wait_drained());
  const auto& all = subscriber.messages();
  EXPECT_EQ(all.size(), 6020U);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(all[i].topic, "alarm/value") << i;
  std::set<std::pair<std::string, long long>> values;
  for (const Received& received : all) values.emplace(received.topic, value_of(received));
  EXPECT_EQ(values.size(), 6020U);
  expect_balanced();
}

TEST_F(Order, LiveMessagesOvertakeTheBacklogAlsoAfterAKillInItsMiddle) {
  constexpr int count = 800;
  const std::string base = configuration(broker_, "order = \"live-first\"\nreplay_rate = 100\n", route("#"));
  collect_offline(base + simulator("plant", count), count);
  broker_.start();
  Subscriber subscriber(broker_.port());
  std::size_t live_before = 0;
  for (int start = 0; start < 2; ++start) {
    agent_.configure(base + simulator("live" + std::to_string(start), 0, 20));
    agent_.start();
    // Live messages pass, while the backlog goes at its rate: the kill comes in its middle.
    ASSERT_TRUE(wait_until(
        [&] {
          const auto& all = subscriber.messages();
          const auto live = std::count_if(all.begin(), all.end(), [&](const Received& received) {
            return received.topic == "live" + std::to_string(start) + "/value";
          });
          return live >= 20 && all.size() > live_before + 150;
        },
        long_patience))
        << agent_.log();
    EXPECT_GT(agent_.buffer()["messages"], 0) << "the backlog was gone before the live messages came";
    live_before = subscriber.count();
    agent_.kill();
  }
  agent_.configure(configuration(broker_, "order = \"live-first\"\n", route("#")));
  agent_.start();
  ASSERT_TRUE(agent_.wait_drained(long_patience)) << agent_.log();
  std::set<long long> backlog;
  for (const Received& received : subscriber.messages()) {
    const bool marked =
        std::find(received.user_properties.begin(), received.user_properties.end(),
                  std::pair<std::string, std::string>("replayed", "true")) != received.user_properties.end();
    if (received.topic != "plant/value") continue;
    backlog.insert(value_of(received));
    EXPECT_TRUE(marked);
  }
  EXPECT_EQ(backlog.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(*backlog.rbegin(), count - 1);
  expect_balanced();
}

// A broker that answers nothing: nothing says yet that more of the backlog would not hold up the live messages.
TEST_F(Order, TheBacklogLeavesTheWindowToLiveMessages) {
  const std::string buffer = "order = \"live-first\"\n";
  collect_offline(configuration(broker_, buffer, route("#")) + simulator("plant", 100), 100);
  const FakeBroker silent(R"([{"answer_after": 3600000}])");
  std::string with_live = configuration(broker_, buffer, route("#")) + simulator("live", 0, 20);
  with_live.replace(with_live.find(broker_.url()), broker_.url().size(), silent.url());
  with_live.replace(with_live.find("[buffer]"), 8, "max_inflight = 8\n[buffer]");
  agent_.configure(with_live);
  agent_.start();
  EXPECT_TRUE(silent.wait_for([](const nlohmann::json& packet) {
    return packet["packet"] == "PUBLISH" && packet["topic"] == "live/value";
  })) << agent_.log();
  const auto published = silent.packets("PUBLISH");
  EXPECT_EQ(std::count_if(published.begin(), published.end(),
                          [](const nlohmann::json& packet) { return packet["topic"] == "plant/value"; }),
            2);
}

TEST_F(Order, OfWhatIsKeptByTopicTheLastValueArrives) {
  const std::string base = configuration(broker_, "", route("state/#", "keep = \"last\"\n") + route("#"));
  broker_.stop();
  agent_.configure(base + simulator("state", 20'000) + simulator("plant", 100));
  agent_.start();
  ASSERT_TRUE(wait_until(
      [&] {
        const auto lanes = agent_.buffer()["queues"]["mqtt"]["lanes"];
        return agent_.status()["instances"][0]["emitted"] == 20'000 && lanes["normal"]["messages"] == 100 &&
               lanes["last"]["messages"] == 1 && lanes["last"]["in_memory"] == 0;
      },
      long_patience))
      << agent_.buffer();
  const auto queue = agent_.buffer()["queues"]["mqtt"];
  EXPECT_EQ(queue["ledger"]["superseded"].get<int>() + queue["passed_other"].get<int>(), 19'999) << queue;
  agent_.kill();
  EXPECT_EQ(agent_.buffer()["messages"], 101);
  expect_balanced();
  broker_.start();
  Subscriber subscriber(broker_.port());
  agent_.configure(base);
  agent_.start();
  ASSERT_TRUE(subscriber.wait_for(101, long_patience)) << agent_.log();
  ASSERT_TRUE(agent_.wait_drained());
  const auto& all = subscriber.messages();
  EXPECT_EQ(all.size(), 101U);
  const auto state = std::find_if(all.begin(), all.end(),
                                  [](const Received& received) { return received.topic == "state/value"; });
  ASSERT_NE(state, all.end());
  EXPECT_EQ(value_of(*state), 19'999);
  EXPECT_EQ(ledger()["stored"], 0);
  expect_balanced();
}

}  // namespace
}  // namespace sluice::test
