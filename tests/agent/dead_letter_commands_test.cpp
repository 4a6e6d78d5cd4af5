// SPDX-License-Identifier: Apache-2.0
// Dead letters by the command line, with the agent running and stopped: listed, retried, dropped, moved.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <set>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

using nlohmann::json;

std::string configuration(const Broker& broker, const std::string& inputs = "") {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker.url() +
         "\"]\nreconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\n"
         "[buffer]\ndurability = \"strict\"\n" +
         inputs;
}

std::string counter(const std::string& name, const std::string& topic, int count) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"" + name + "\"\ntopic = \"" + topic +
         "\"\nrate = 0\ncount = " + std::to_string(count) + "\n";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

BrokerOptions refusing() {
  BrokerOptions options;
  options.max_queued_messages = 100000;
  options.acl = "topic read #\n";
  return options;
}

// 30 letters under secret/x and 10 under secret/y, refused by one broker; another one takes everything, but is away.
class DeadLetterCommands : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    Broker strict(refusing());
    agent_.configure(configuration(strict, counter("x", "secret/x", 30) + counter("y", "secret/y", 10)));
    agent_.start();
    ASSERT_TRUE(wait_until([&] { return agent_.buffer()["dead_letters"] == 40; })) << agent_.log();
    ASSERT_EQ(agent_.stop(), 0);
    broker_.stop();
    agent_.configure(configuration(broker_));
    if (running()) agent_.start();
  }
  static bool running() { return GetParam(); }

  std::vector<json> letters() const {
    return agent_.document({"buffer", "list", "--dead", "--limit", "1000"})["messages"]
        .get<std::vector<json>>();
  }
  // The ids of letters under a topic, oldest first.
  std::vector<std::string> ids(const std::string& topic) const {
    std::vector<std::string> found;
    for (const json& letter : letters()) {
      if (letter["topic"] == topic) found.push_back(letter["id"]);
    }
    return found;
  }
  json counts() const { return agent_.buffer()["queues"]["mqtt"]["letters"]; }
  void expect_balanced() const {
    const auto verified = agent_.document({"buffer", "verify"});
    EXPECT_TRUE(verified["differences"].empty()) << verified;
    EXPECT_TRUE(verified["ledger"]["balanced"].get<bool>()) << verified;
    EXPECT_TRUE(verified["letters"]["balanced"].get<bool>()) << verified;
  }

  Broker broker_;
  AgentProcess agent_{""};
};

TEST_P(DeadLetterCommands, AreRetriedByIdByTopicAndAllAndArriveAsTheyWereMeasured) {
  const std::vector<json> before = letters();
  ASSERT_EQ(before.size(), 40U);
  const json one = agent_.document({"buffer", "retry", ids("secret/x").at(3)});
  EXPECT_EQ(
      one,
      (json{{"retried", 1}, {"full", false}, {"unreadable", json::array()}, {"unknown", json::array()}}));
  EXPECT_EQ(agent_.command({"buffer", "retry", "--match", "+/y"}).output,
            "10 dead letters put back into the queue\n");
  EXPECT_EQ(agent_.buffer()["messages"], 11);
  EXPECT_EQ(agent_.command({"buffer", "retry", "--all"}).output, "29 dead letters put back into the queue\n");
  EXPECT_EQ(agent_.command({"buffer", "retry", "--all"}).output, "0 dead letters put back into the queue\n");
  EXPECT_TRUE(letters().empty());
  EXPECT_EQ(agent_.buffer()["messages"], 40);
  EXPECT_EQ(counts()["retried"], 40);
  EXPECT_EQ(counts()["kept"], 0);
  expect_balanced();
  // Committed.
  if (running()) agent_.kill();
  broker_.start();
  Subscriber subscriber(broker_.port());
  agent_.start();
  ASSERT_TRUE(subscriber.wait_for(40)) << agent_.log();
  ASSERT_TRUE(agent_.wait_drained());
  std::multiset<std::string> measured;
  std::multiset<std::string> arrived;
  for (const json& letter : before)
    measured.insert(letter["topic"].get<std::string>() + letter["payload"].dump());
  for (const Received& received : subscriber.messages())
    arrived.insert(received.topic + json::parse(received.payload).dump());
  EXPECT_EQ(arrived, measured);
  expect_balanced();
}

TEST_P(DeadLetterCommands, AreDroppedByIdByTopicAndAllAndCountedApart) {
  const std::vector<std::string> some = ids("secret/x");
  EXPECT_EQ(agent_.command({"buffer", "drop", "--dead", some.at(0), some.at(29)}).output,
            "2 dead letters dropped\n");
  EXPECT_EQ(agent_.document({"buffer", "drop", "--dead", "--match", "secret/x"})["dropped"], 28);
  EXPECT_EQ(agent_.document({"buffer", "drop", "--dead", "--older-than", "1h"})["dropped"], 0);
  EXPECT_EQ(agent_.document({"buffer", "drop", "--dead", "--older-than", "1ms"})["dropped"], 10);
  EXPECT_EQ(agent_.command({"buffer", "drop", "--dead", "--all"}).output, "0 dead letters dropped\n");
  EXPECT_EQ(counts(), (json{{"added", 40},
                            {"kept", 0},
                            {"retried", 0},
                            {"dropped", 40},
                            {"removed", 0},
                            {"lost", 0},
                            {"balanced", true}}));
  EXPECT_EQ(agent_.buffer()["dead_letters"], 0);
  EXPECT_EQ(agent_.buffer()["queues"]["mqtt"]["ledger"]["dropped_by_user"], 0);
  EXPECT_TRUE(contains(agent_.command({"buffer", "stat"}).output,
                       "dead letters 40 = kept 0 + retried 0 + dropped by the user 40 + "));
  if (running()) {
    EXPECT_TRUE(contains(agent_.command({"status"}).output, "dropped by the user 40"));
  }
  expect_balanced();
}

TEST_P(DeadLetterCommands, AChoiceIsNeededAndWhatIsNotThereIsNamed) {
  EXPECT_EQ(agent_.command({"buffer", "retry"}).status, 64);
  EXPECT_EQ(agent_.command({"buffer", "drop", "--dead"}).status, 64);
  EXPECT_EQ(agent_.command({"buffer", "retry", "1/1", "--all"}).status, 64);
  EXPECT_EQ(agent_.command({"buffer", "retry", "--older-than", "soon"}).status, 64);
  EXPECT_EQ(agent_.command({"buffer", "retry", "--match", "a/#/b"}).status, 70);
  const Finished unknown = agent_.command({"buffer", "retry", "77/1"});
  EXPECT_EQ(unknown.status, 65);
  EXPECT_TRUE(contains(unknown.output, "77/1: there is none with this id")) << unknown.output;
  EXPECT_EQ(agent_.command({"buffer", "drop", "--dead", "77/1"}).status, 65);
  EXPECT_EQ(agent_.document({"buffer", "drop", "77/1"})["unknown"], json{"77/1"});
  EXPECT_EQ(letters().size(), 40U);
}

TEST_P(DeadLetterCommands, TheirExportCanBeImportedElsewhere) {
  const Finished exported = agent_.command({"buffer", "export", "--dead"});
  AgentProcess other(configuration(broker_));
  other.directory().write("letters", exported.output);
  EXPECT_EQ(other.command({"buffer", "import", other.directory().file("letters")}).output,
            "40 messages imported\n");
  EXPECT_EQ(other.buffer()["messages"], 40);
  EXPECT_EQ(letters().size(), 40U);
}

TEST_P(DeadLetterCommands, OneWhoseBytesCannotBeReadStaysUntilItIsDropped) {
  if (running()) {
    ASSERT_EQ(agent_.stop(), 0);
  }
  const std::string id = letters().at(5)["id"];
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((agent_.state_dir() + "/queue/mqtt/dead_letters.sqlite").c_str(), &db), SQLITE_OK);
  const std::string sql = "UPDATE letters SET data = x'ff00' WHERE id = '" + id + "'";
  ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
  if (running()) agent_.start();
  const Finished retried = agent_.command({"buffer", "retry", "--all"});
  EXPECT_EQ(retried.status, 65);
  EXPECT_TRUE(contains(retried.output, "39 dead letters put back into the queue\n")) << retried.output;
  EXPECT_TRUE(contains(retried.output, id + ": its bytes cannot be read")) << retried.output;
  EXPECT_EQ(agent_.document({"buffer", "retry", id})["unreadable"], json{id});
  const json line = json::parse(agent_.command({"buffer", "export", "--dead"}).output);
  EXPECT_EQ(line["unreadable"], "/wA=");
  EXPECT_FALSE(line.contains("packed"));
  EXPECT_EQ(agent_.document({"buffer", "drop", "--dead", id})["dropped"], 1);
  expect_balanced();
}

INSTANTIATE_TEST_SUITE_P(Agents, DeadLetterCommands, testing::Values(false, true), [](const auto& running) {
  return std::string(running.param ? "Running" : "Stopped");
});

TEST(DeadLetterCommand, OfAQueueThatIsNotThereSaysSo) {
  Broker broker;
  AgentProcess agent(configuration(broker));
  const Finished finished = agent.command({"buffer", "retry", "--all"});
  EXPECT_EQ(finished.status, 70);
  EXPECT_TRUE(contains(finished.output, "has the agent ever run with this configuration?"))
      << finished.output;
}

}  // namespace
}  // namespace sluice::test
