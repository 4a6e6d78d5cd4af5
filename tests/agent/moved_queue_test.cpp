// SPDX-License-Identifier: Apache-2.0
// A queue is moved to a replacement gateway: exported by one agent, imported by another, running or stopped, and sent
// from there as it was measured.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds long_patience{180};

std::string configuration(const Broker& broker, const std::string& buffer = "",
                          const std::string& inputs = "") {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker.url() +
         "\"]\nreconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\n"
         "[buffer]\ndurability = \"strict\"\n" +
         buffer + inputs;
}

std::string counter(const std::string& name, const std::string& topic, int count, int payload_size = 0) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"" + name + "\"\ntopic = \"" + topic +
         "\"\nrate = 0\ncount = " + std::to_string(count) +
         "\npayload_size = " + std::to_string(payload_size) + "\n";
}

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// `old_` has collected while the broker was away, and is stopped; `replacement_` has the same configuration.
class MovedQueue : public testing::Test {
 protected:
  void collect(const std::string& inputs, int count) {
    broker_.stop();
    old_.configure(configuration(broker_, "", inputs));
    old_.start();
    ASSERT_TRUE(wait_until([&] { return old_.buffer()["messages"] == count; }, long_patience)) << old_.log();
    ASSERT_EQ(old_.stop(), 0);
    const Finished exported = old_.command({"buffer", "export"});
    ASSERT_EQ(exported.status, 0) << exported.output;
    exported_ = exported.output;
    files_.write("queue.jsonl", exported_);
    replacement_.configure(configuration(broker_));
  }
  std::string file() const { return files_.file("queue.jsonl"); }

  static void expect_balanced(const AgentProcess& agent) {
    const auto verified = agent.document({"buffer", "verify"});
    EXPECT_TRUE(verified["differences"].empty()) << verified;
    EXPECT_TRUE(verified["ledger"]["balanced"].get<bool>()) << verified;
  }

  Broker broker_;
  AgentProcess old_{""};
  AgentProcess replacement_{""};
  TemporaryDirectory files_;
  std::string exported_;
};

class Moved : public MovedQueue, public testing::WithParamInterface<bool> {};

TEST_P(Moved, ArrivesWholeInOrderAndWithTheTimesOfItsMeasurement) {
  const bool running = GetParam();
  constexpr int count = 10'000;
  collect(counter("x", "a/x", count / 2) + counter("y", "a/y", count / 2), count);
  const std::vector<json> measured = lines_of(exported_);
  ASSERT_EQ(measured.size(), static_cast<std::size_t>(count));
  if (running) replacement_.start();
  const Finished imported = replacement_.command({"buffer", "import", file()});
  EXPECT_EQ(imported.status, 0) << imported.output;
  EXPECT_EQ(imported.output, "10000 messages imported\n");
  // Committed: also what comes next cannot lose it.
  if (running) replacement_.kill();
  EXPECT_EQ(replacement_.buffer()["messages"], count);

  broker_.start();
  Subscriber subscriber(broker_.port());
  replacement_.start();
  ASSERT_TRUE(subscriber.wait_for(count, long_patience)) << replacement_.log();
  ASSERT_TRUE(replacement_.wait_drained());
  std::map<std::string, std::vector<json>> expected;
  std::map<std::string, std::vector<json>> arrived;
  std::set<std::string> ids;
  for (const json& line : measured) {
    expected[line["topic"]].push_back(line["payload"]);
    EXPECT_EQ(line["payload"]["ts"], line["ts"]);
  }
  for (const Received& received : subscriber.messages()) {
    arrived[received.topic].push_back(json::parse(received.payload));
    bool replayed = false;
    for (const auto& [name, value] : received.user_properties) {
      if (name == "id") ids.insert(value);
      replayed = replayed || name == "replayed";
    }
    EXPECT_TRUE(replayed);
  }
  EXPECT_EQ(arrived, expected);
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(count));
  expect_balanced(replacement_);
  std::cout << "exported " << measured.size() << ", delivered by the replacement "
            << subscriber.messages().size() << '\n';

  EXPECT_EQ(old_.command({"buffer", "drop", "--all"}).output, "10000 messages dropped\n");
  EXPECT_EQ(old_.document({"buffer", "verify"})["ledger"]["dropped_by_user"], count);
  expect_balanced(old_);
}

INSTANTIATE_TEST_SUITE_P(Agents, Moved, testing::Values(false, true), [](const auto& running) {
  return std::string(running.param ? "IntoTheRunningAgent" : "WithTheAgentStopped");
});

TEST_F(MovedQueue, IsTheSameButForItsIds) {
  collect(counter("x", "a/x", 50) +
              "[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\nqos = 2\nretain = true\nexpiry = \"1h\"\n"
              "priority = \"low\"\ntopic = \"site/{topic}\"\n",
          50);
  ASSERT_EQ(replacement_.command({"buffer", "import", file()}).status, 0);
  std::vector<json> before = lines_of(exported_);
  std::vector<json> after = lines_of(replacement_.command({"buffer", "export"}).output);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i]["topic"], "site/a/x");
    EXPECT_EQ(after[i]["qos"], 2);
    before[i].erase("id");
    after[i].erase("id");
    EXPECT_EQ(after[i], before[i]);
  }
  // A second import takes ids that were never used.
  const std::vector<json> first = lines_of(replacement_.command({"buffer", "export"}).output);
  ASSERT_EQ(replacement_.command({"buffer", "import", file()}).status, 0);
  std::set<std::string> ids;
  for (const json& line : lines_of(replacement_.command({"buffer", "export"}).output)) ids.insert(line["id"]);
  EXPECT_EQ(ids.size(), 100U);
  for (const json& line : first) EXPECT_TRUE(ids.count(line["id"]));
}

TEST_F(MovedQueue, ComesFromAPipeAndSkipsLines) {
  collect(counter("x", "a/x", 50), 50);
  const Finished piped =
      run({"sh", "-c",
           "cat '" + file() + "' | " + program() + " buffer import - --skip 30 --json --config " +
               replacement_.config_file()});
  EXPECT_EQ(piped.status, 0) << piped.output;
  const json document = json::parse(piped.output);
  EXPECT_EQ(document, (json{{"lines", 50},
                            {"skipped", 30},
                            {"imported", 20},
                            {"bad", 0},
                            {"problems", json::array()},
                            {"failure", ""}}));
  EXPECT_EQ(lines_of(replacement_.command({"buffer", "export"}).output).at(0)["payload"]["value"], 30);
  EXPECT_EQ(replacement_.command({"buffer", "import", file(), "--skip", "20"}).output,
            "30 messages imported, 20 lines skipped\n");
  EXPECT_EQ(replacement_.command({"buffer", "import", file(), "--skip", "50"}).status, 0);
  EXPECT_EQ(replacement_.command({"buffer", "import", file(), "--skip", "51"}).status, 64);
  files_.write("empty", "");
  EXPECT_EQ(replacement_.command({"buffer", "import", files_.file("empty")}).output, "0 messages imported\n");
  EXPECT_EQ(replacement_.buffer()["messages"], 50);
}

TEST_F(MovedQueue, NothingOfAFileWithABadLineIsTaken) {
  collect(counter("x", "a/x", 30), 30);
  std::vector<std::string> lines;
  std::istringstream in(exported_);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  lines[4] = "what somebody wrote";
  lines[7].replace(lines[7].find("\"topic\":\"a/x\""), 13, "\"topic\":\"a/y\"");
  lines[29].resize(lines[29].size() - 20);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  text.pop_back();
  files_.write("bad", text);
  const std::string bad = files_.file("bad");
  for (const bool running : {false, true}) {
    if (running) replacement_.start();
    const Finished finished = replacement_.command({"buffer", "import", bad});
    EXPECT_EQ(finished.status, 65);
    const std::string expected =
        "expected a JSON object as `sluice buffer export` writes it, got no JSON: is the line cut short?";
    EXPECT_EQ(finished.output,
              bad + ":5: " + expected + "\n" + bad +
                  ":8: topic: expected \"a/x\" as in \"packed\", got \"a/y\"; only \"packed\" is imported\n" +
                  bad + ":30: " + expected + "\nsluice: nothing is imported: 3 of 30 lines are bad\n");
    const json document = replacement_.document({"buffer", "import", bad});
    EXPECT_EQ(document["imported"], 0);
    EXPECT_EQ(document["bad"], 3);
    EXPECT_EQ(document["problems"][1]["line"], 8);
    if (running) {
      EXPECT_EQ(replacement_.buffer()["messages"], 0);
      EXPECT_EQ(replacement_.buffer()["in_memory"], 0);
    }
  }
  const Finished missing = replacement_.command({"buffer", "import", files_.file("nothing")});
  EXPECT_EQ(missing.status, 70);
  EXPECT_TRUE(contains(missing.output, "nothing: No such file")) << missing.output;
}

TEST_F(MovedQueue, NeedsTheLimitsOfTheQueueWhereNoAgentRuns) {
  collect(counter("x", "a/x", 5), 5);
  replacement_.configure(configuration(broker_, "max_bytes = \"much\"\n"));
  const Finished finished = replacement_.command({"buffer", "import", file()});
  EXPECT_EQ(finished.status, 78) << finished.output;
  EXPECT_TRUE(contains(finished.output, "max_bytes")) << finished.output;
}

TEST_F(MovedQueue, NothingIsDroppedForWhatDoesNotFit) {
  constexpr int count = 20'000;
  collect(counter("x", "a/x", count, 300), count);
  replacement_.configure(configuration(broker_, "max_bytes = \"4MiB\"\n"));
  // Stopped: what fits, and how to go on.
  const Finished finished = replacement_.command({"buffer", "import", file()});
  EXPECT_EQ(finished.status, 70);
  EXPECT_TRUE(contains(finished.output, "the queue has no room for more")) << finished.output;
  const auto imported = replacement_.buffer()["messages"].get<int>();
  EXPECT_GT(imported, 1000);
  EXPECT_LT(imported, count);
  const std::string words = std::to_string(imported) + " lines are committed for certain; to go on: --skip " +
                            std::to_string(imported) + "\n";
  EXPECT_TRUE(contains(finished.output, words)) << finished.output << words;
  EXPECT_EQ(replacement_.buffer()["dropped"], 0);

  // Running: it waits until the broker has taken what was there.
  replacement_.start();
  Process import({program(), "buffer", "import", file(), "--skip", std::to_string(imported), "--config",
                  replacement_.config_file()});
  ASSERT_TRUE(wait_until([&] { return contains(import.output(), "the queue is full, waiting for room"); }))
      << import.output();
  EXPECT_TRUE(import.running());
  broker_.start();
  EXPECT_EQ(import.wait(long_patience), 0) << import.output();
  ASSERT_TRUE(replacement_.wait_drained());
  const json figures = replacement_.buffer()["queues"]["mqtt"];
  EXPECT_EQ(figures["dropped"], 0);
  EXPECT_EQ(figures["ledger"]["acknowledged"].get<int>() + figures["passed"].get<int>(), count);
  expect_balanced(replacement_);
}

TEST_F(MovedQueue, AnImportThatWasKilledIsRepeated) {
  constexpr int count = 20'000;
  collect(counter("x", "a/x", count), count);
  const auto bytes = [&] {
    std::uintmax_t sum = 0;
    std::error_code failed;
    for (const auto& entry :
         std::filesystem::directory_iterator(replacement_.state_dir() + "/queue/mqtt/normal", failed))
      sum += entry.file_size(failed);
    return sum;
  };
  for (int kills = 0; kills < 3; ++kills) {
    const std::uintmax_t before = bytes();
    Process import({program(), "buffer", "import", file(), "--config", replacement_.config_file()});
    ASSERT_TRUE(wait_until([&] { return bytes() > before + 500'000 || !import.running(); }))
        << import.output();
    import.kill();
    expect_balanced(replacement_);
  }
  ASSERT_EQ(replacement_.command({"buffer", "import", file()}).status, 0);
  const std::vector<json> stored = lines_of(replacement_.command({"buffer", "export"}).output);
  std::set<int> values;
  std::set<std::string> ids;
  for (const json& line : stored) {
    values.insert(line["payload"]["value"].get<int>());
    EXPECT_TRUE(ids.insert(line["id"]).second) << line["id"];
  }
  EXPECT_EQ(values.size(), static_cast<std::size_t>(count));
  std::cout << "exported " << count
            << ", imported by the last of four imports, three of them killed: " << stored.size()
            << " stored, " << stored.size() - values.size() << " of them twice\n";
  expect_balanced(replacement_);
}

TEST_F(MovedQueue, AnImportWhoseAgentIsKilledGoesOnWhereItSays) {
  constexpr int count = 20'000;
  collect(counter("x", "a/x", count), count);
  replacement_.start();
  Process import({program(), "buffer", "import", file(), "--config", replacement_.config_file()});
  ASSERT_TRUE(wait_until([&] { return replacement_.buffer()["messages"] > 0; })) << import.output();
  replacement_.kill();
  const std::optional<int> status = import.wait(long_patience);
  // Between two pages it goes on with the files; within one it cannot know what became of that.
  ASSERT_TRUE(status == 0 || status == 70) << import.output();
  std::string skip = std::to_string(count);
  if (status == 70) {
    const std::string output = import.output();
    const std::string words = "to go on: --skip ";
    ASSERT_TRUE(contains(output, words)) << output;
    skip = std::to_string(std::stoi(output.substr(output.find(words) + words.size())));
  }
  ASSERT_EQ(replacement_.command({"buffer", "import", file(), "--skip", skip}).status, 0);
  std::set<int> values;
  const std::vector<json> stored = lines_of(replacement_.command({"buffer", "export"}).output);
  for (const json& line : stored) values.insert(line["payload"]["value"].get<int>());
  EXPECT_EQ(values.size(), static_cast<std::size_t>(count));
  EXPECT_LE(stored.size() - values.size(), 1000U);  // a page
  expect_balanced(replacement_);
  std::cout << "exported " << count << ", went on with --skip " << skip << ": " << stored.size()
            << " stored, " << stored.size() - values.size() << " of them twice\n";
}

}  // namespace
}  // namespace sluice::test
