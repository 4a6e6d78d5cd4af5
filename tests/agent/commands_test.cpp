// SPDX-License-Identifier: Apache-2.0
// The command line: help, exit codes, and what each subcommand prints, with the agent running and stopped.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "agent/agent_process.hpp"
#include "plugins/serial/pty.hpp"
#include "support/broker.hpp"
#include "support/free_port.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

std::string nowhere() {
  return "mqtt://127.0.0.1:" + std::to_string(free_port());
}

std::string configuration(const std::string& rest) {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + nowhere() +
         "\"]\nstatus_topic = \"\"\n[buffer]\ndurability = \"strict\"\n" + rest;
}

std::string counter(const std::string& name, const std::string& topic, int count) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"" + name + "\"\ntopic = \"" + topic +
         "\"\nrate = 0\ncount = " + std::to_string(count) + "\n";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// ---- Help ----

TEST(CommandLine, HelpOfEachSubcommandNamesItsOptions) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> commands = {
      {{}, {"run", "check", "status", "buffer", "route", "plugins", "send", "--version", "Exit codes"}},
      {{"run"}, {"--config"}},
      {{"check"}, {"--config"}},
      {{"status"}, {"--config", "--json"}},
      {{"buffer"}, {"stat", "list", "export", "import", "drop", "retry", "verify"}},
      {{"buffer", "stat"}, {"--config", "--json", "--queue"}},
      {{"buffer", "list"}, {"--config", "--json", "--limit", "--dead", "--queue"}},
      {{"buffer", "export"}, {"--config", "--dead", "--queue"}},
      {{"buffer", "import"}, {"FILE", "--config", "--json", "--skip", "--queue"}},
      {{"buffer", "drop"},
       {"ID", "--config", "--json", "--dead", "--match", "--older-than", "--all", "--queue"}},
      {{"buffer", "retry"}, {"ID", "--config", "--json", "--match", "--older-than", "--all", "--queue"}},
      {{"buffer", "verify"}, {"--config", "--json", "--queue"}},
      {{"route"}, {"TOPIC", "--config", "--from", "--json"}},
      {{"plugins"}, {"NAME", "--config", "--markdown"}},
      {{"send"}, {"TOPIC", "PAYLOAD", "--config"}},
  };
  for (const auto& [command, options] : commands) {
    std::vector<std::string> arguments{program()};
    arguments.insert(arguments.end(), command.begin(), command.end());
    arguments.emplace_back("--help");
    const Finished help = run(arguments);
    EXPECT_EQ(help.status, 0) << help.output;
    for (const std::string& option : options)
      EXPECT_TRUE(contains(help.output, option)) << option << '\n' << help.output;
  }
}

TEST(CommandLine, WhatItDoesNotKnowIsAUsageError) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {}, {"--nonsense"}, {"nonsense"}, {"run", "--nonsense"}, {"buffer"}, {"route"}, {"send", "a/b"}}) {
    std::vector<std::string> all{program()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Finished finished = run(all);
    EXPECT_EQ(finished.status, 64) << finished.output;
  }
  AgentProcess agent(configuration(""));
  EXPECT_EQ(agent.command({"buffer", "drop"}).status, 64);
  EXPECT_EQ(agent.command({"buffer", "drop", "--older-than", "soon"}).status, 64);
  EXPECT_EQ(agent.command({"route", "a/+"}).status, 64);
}

TEST(CommandLine, TheManualPageHasNoWarnings) {
  if (run({"sh", "-c", "command -v groff"}).status != 0) GTEST_SKIP() << "groff is not installed";
  const Finished page = run({program(), "man"});
  ASSERT_EQ(page.status, 0) << page.output;
  for (const std::string word : {"buffer verify", "\\-\\-older\\-than", "SIGHUP", "EXIT STATUS"})
    EXPECT_TRUE(contains(page.output, word)) << word << '\n' << page.output;
  const Finished formatted = run({"sh", "-c", "groff -man -Tutf8 -ww - 2>&1 >/dev/null"}, {}, page.output);
  EXPECT_EQ(formatted.status, 0);
  EXPECT_EQ(formatted.output, "");
}

// ---- check ----

TEST(Check, AGoodFileIsGoodAndThePlanOfAPolledDeviceIsShown) {
  AgentProcess agent(configuration(
      "[[input]]\nplugin = \"modbus\"\nname = \"plc\"\ntopic = \"plant/{tag}\"\nserver = \"192.0.2.1\"\n"
      "[[input.unit]]\nid = 1\ntag = [{name = \"a\", address = 0, type = \"float32\"},\n"
      "{name = \"b\", address = 2, type = \"uint16\"}]\n"));
  const Finished checked = agent.command({"check"});
  EXPECT_EQ(checked.status, 0) << checked.output;
  EXPECT_TRUE(contains(checked.output, "input \"plc\": modbus ")) << checked.output;
  EXPECT_TRUE(contains(checked.output, "good: 1 instances, 1 routes")) << checked.output;
  EXPECT_TRUE(contains(checked.output, "unit 1")) << checked.output;
  EXPECT_FALSE(fs::exists(agent.state_dir()));
}

TEST(Check, AllThatIsWrongIsNamedWithItsPlaceAtOnce) {
  AgentProcess agent(
      "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nkeepalive = \"often\"\n"
      "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\nrate = \"fast\"\n"
      "[[route]]\nmatch = \"a/#/b\"\nto = [\"nobody\"]\n");
  const Finished checked = agent.command({"check"});
  EXPECT_EQ(checked.status, 78);
  EXPECT_TRUE(contains(checked.output, "error: sluice.toml:5: mqtt.keepalive: expected ")) << checked.output;
  EXPECT_TRUE(contains(checked.output,
                       "error: sluice.toml:9: input \"sim\": rate: expected 0..10000000, got \"fast\"\n"))
      << checked.output;
  EXPECT_TRUE(contains(checked.output, "error: sluice.toml:11: ")) << checked.output;
  EXPECT_TRUE(contains(checked.output, "error: sluice.toml:12: ")) << checked.output;
  EXPECT_EQ(std::count(checked.output.begin(), checked.output.end(), '\n'), 4) << checked.output;
}

TEST(Check, TheSampleOfEveryPluginPassesAndItsReadmeSaysTheSame) {
  std::set<std::string> seen;
  for (const auto& folder : fs::directory_iterator(SLUICE_SOURCE_DIR "/plugins")) {
    const std::string sample = read_file(folder.path() / "sample.toml");
    if (sample.empty()) continue;
    const std::string name = folder.path().filename();
    seen.insert(name);
    AgentProcess agent(sample + "\n[agent]\nstate_dir = \"STATE\"\n");
    const Finished checked = agent.command({"check"});
    EXPECT_EQ(checked.status, 0) << name << '\n' << checked.output;
    const std::string readme = read_file(folder.path() / "README.md");
    EXPECT_TRUE(contains(readme, "```toml\n" + sample + "```\n")) << name;
    const Finished table = run({program(), "plugins", name, "--markdown"});
    EXPECT_EQ(table.status, 0) << table.output;
    EXPECT_TRUE(contains(readme, "\n" + table.output + "\n")) << name << '\n' << table.output;
  }
  for (const std::string name : {"simulator", "serial", "file", "modbus", "gpio"})
    EXPECT_TRUE(seen.count(name)) << name;
}

TEST(Plugins, AreListedWithTheirRolesAndDescribed) {
  const Finished list = run({program(), "plugins"});
  EXPECT_EQ(list.status, 0);
  EXPECT_TRUE(contains(list.output, "simulator 1.0.0  (input)")) << list.output;
  EXPECT_TRUE(contains(list.output, "(output)")) << list.output;
  EXPECT_TRUE(contains(list.output, "(input that takes messages)")) << list.output;
  const Finished one = run({program(), "plugins", "simulator"});
  EXPECT_TRUE(contains(one.output, "payload_size: integer, bytes, 0..1048576, default 0")) << one.output;
  EXPECT_EQ(run({program(), "plugins", "nonsense"}).status, 69);
}

// ---- status, route, send ----

TEST(Status, WithoutAnAgentSaysSo) {
  AgentProcess agent(configuration(""));
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"status"}, {"status", "--json"}, {"send", "a/b", "1"}}) {
    const Finished finished = agent.command(command);
    EXPECT_EQ(finished.status, 69) << finished.output;
    EXPECT_TRUE(contains(finished.output, "no agent listens at ")) << finished.output;
  }
}

TEST(Route, TellsWhichRulesMatchAndWhoGetsTheMessage) {
  AgentProcess agent(
      configuration(counter("sim", "a/x", 1) +
                    "[[output]]\nplugin = \"file\"\nname = \"archive\"\npath = \"/nowhere/archive\"\n"
                    "[[route]]\nmatch = \"plant/#\"\nto = [\"mqtt\", \"archive\"]\ntopic = \"site/{topic}\"\n"
                    "[[route]]\nmatch = \"other/#\"\nto = [\"mqtt\"]\n"
                    "[[route]]\nmatch = \"cmd/#\"\nfrom = \"broker\"\nto = [\"archive\"]\n"));
  const auto document = agent.document({"route", "plant/x"});
  EXPECT_EQ(document["topic"], "plant/x");
  ASSERT_EQ(document["rules"].size(), 3U) << document;
  EXPECT_EQ(document["rules"][0]["match"], "plant/#");
  EXPECT_EQ(document["rules"][0]["matched"], true);
  EXPECT_EQ(document["rules"][0]["to"], (nlohmann::json{"mqtt", "archive"}));
  EXPECT_EQ(document["rules"][1]["matched"], false);
  ASSERT_EQ(document["outputs"].size(), 2U) << document;
  EXPECT_EQ(document["outputs"][0]["output"], "mqtt");
  EXPECT_EQ(document["outputs"][0]["topic"], "site/plant/x");

  const Finished text = agent.command({"route", "plant/x"});
  EXPECT_EQ(text.status, 0);
  EXPECT_TRUE(contains(text.output, "matches  plant/# -> mqtt, archive")) << text.output;
  EXPECT_TRUE(contains(text.output, "no match other/# -> mqtt")) << text.output;
  EXPECT_TRUE(contains(text.output, "=> mqtt as site/plant/x")) << text.output;
  EXPECT_TRUE(contains(agent.command({"route", "nobody"}).output, "=> nobody gets it"));
  EXPECT_TRUE(agent.document({"route", "cmd/x"})["outputs"].empty());
  EXPECT_EQ(agent.document({"route", "cmd/x", "--from", "broker"})["outputs"][0]["output"], "archive");
}

TEST(Send, TellsWhetherSomebodyTookIt) {
  AgentProcess agent("");
  agent.configure(configuration("[[output]]\nplugin = \"file\"\nname = \"archive\"\npath = \"" +
                                agent.directory().file("archive") +
                                "\"\n[[route]]\nmatch = \"cmd/#\"\nfrom = \"broker\"\nto = [\"archive\"]\n"));
  agent.start();
  const Finished sent = agent.command({"send", "cmd/x", "caf\xc3\xa9 \"quoted\""});
  EXPECT_EQ(sent.status, 0) << sent.output;
  EXPECT_EQ(sent.output, "delivered\n");
  EXPECT_TRUE(wait_until([&] { return contains(read_file(agent.directory().file("archive")), "quoted"); }));
  const Finished unrouted = agent.command({"send", "nobody/x", "1"});
  EXPECT_EQ(unrouted.status, 65);
  EXPECT_EQ(unrouted.output, "unrouted\n");
  EXPECT_NE(agent.command({"send", "a/+", "1"}).status, 0);
}

// ---- buffer ----

// Each of these is asked of the running agent, and of the files.
class Buffer : public testing::Test {
 protected:
  void collect(const std::string& inputs, int count) {
    agent_.configure(configuration(inputs));
    agent_.start();
    ASSERT_TRUE(wait_until([&] { return agent_.buffer()["messages"] == count; })) << agent_.log();
  }
  void stop() { ASSERT_EQ(agent_.stop(), 0) << agent_.log(); }
  std::vector<nlohmann::json> exported() {
    std::vector<nlohmann::json> messages;
    const Finished finished = agent_.command({"buffer", "export"});
    EXPECT_EQ(finished.status, 0) << finished.output;
    std::istringstream lines(finished.output);
    for (std::string line; std::getline(lines, line);) messages.push_back(nlohmann::json::parse(line));
    return messages;
  }

  AgentProcess agent_{""};
};

TEST_F(Buffer, StatHasItsKeysInTotalByQueueAndByLane) {
  collect(counter("sim", "a/x", 50), 50);
  // The storage looks at its oldest message from time to time.
  ASSERT_TRUE(wait_until([&] { return agent_.buffer()["oldest_ts"].is_string(); })) << agent_.buffer();
  for (const bool running : {true, false}) {
    if (!running) stop();
    const auto figures = agent_.buffer();
    for (const auto& part :
         {figures, figures["queues"]["mqtt"], figures["queues"]["mqtt"]["lanes"]["normal"]}) {
      for (const char* key : {"messages", "in_memory", "bytes", "oldest_ts", "dropped", "dead_letters"})
        EXPECT_TRUE(part.contains(key)) << key << part;
      EXPECT_EQ(part["messages"], 50);
      EXPECT_EQ(part["in_memory"], 0);
      EXPECT_GT(part["bytes"], 0);
      EXPECT_TRUE(part["oldest_ts"].is_string()) << running << part;
    }
    EXPECT_TRUE(contains(agent_.command({"buffer", "stat"}).output, "50 messages on disk"));
  }
}

TEST_F(Buffer, ListExportAndVerifyAnswerTheSameRunningAndStopped) {
  collect(counter("sim", "a/x", 1200), 1200);
  const auto list = agent_.document({"buffer", "list", "--limit", "700"});
  const auto all = exported();
  const auto verified = agent_.document({"buffer", "verify"});
  ASSERT_EQ(list["messages"].size(), 700U);
  ASSERT_EQ(all.size(), 1200U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]["payload"]["value"], i);
    EXPECT_EQ(all[i]["topic"], "a/x");
    if (i < 700) {
      nlohmann::json without_packed = all[i];
      EXPECT_EQ(without_packed.erase("packed"), 1U);
      EXPECT_EQ(list["messages"][i], without_packed);
    }
  }
  EXPECT_EQ(verified["ledger"]["stored"], 1200) << verified;
  EXPECT_TRUE(verified["differences"].empty()) << verified;
  stop();
  EXPECT_EQ(agent_.document({"buffer", "list", "--limit", "700"}), list);
  EXPECT_EQ(exported(), all);
  const auto stopped = agent_.document({"buffer", "verify"});
  EXPECT_EQ(stopped["ledger"], verified["ledger"]);
  EXPECT_TRUE(stopped["differences"].empty()) << stopped;
  EXPECT_EQ(agent_.command({"buffer", "verify"}).status, 0);
}

TEST_F(Buffer, ExportLeavesNothingOutWhereMessagesAreLarge) {
  constexpr int count = 300;  // more than 16 MiB
  collect(counter("sim", "a/x", count) + "payload_size = 60000\n", count);
  stop();
  const std::string lines = agent_.command({"buffer", "export"}).output;
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), count);
}

TEST_F(Buffer, DropTakesWhatIsAskedForAndCountsIt) {
  for (const bool running : {true, false}) {
    AgentProcess agent(configuration(counter("x", "a/x", 30) + counter("y", "a/y", 20)));
    agent.start();
    ASSERT_TRUE(wait_until([&] { return agent.buffer()["messages"] == 50; })) << agent.log();
    if (!running) {
      ASSERT_EQ(agent.stop(), 0);
    }
    EXPECT_EQ(agent.document({"buffer", "drop", "--older-than", "1h"})["dropped"], 0);
    EXPECT_EQ(agent.document({"buffer", "drop", "--match", "+/y"})["dropped"], 20);
    EXPECT_EQ(agent.buffer()["messages"], 30);
    const auto oldest = agent.document({"buffer", "list"})["messages"][0]["id"];
    EXPECT_EQ(agent.document({"buffer", "drop", oldest})["dropped"], 1);
    EXPECT_EQ(agent.document({"buffer", "drop", oldest})["unknown"], nlohmann::json::array({oldest}));
    EXPECT_EQ(agent.document({"buffer", "drop", "--match", "a/x", "--older-than", "1ms"})["dropped"], 29);
    EXPECT_EQ(agent.command({"buffer", "drop", "--all"}).output, "0 messages dropped\n");
    EXPECT_NE(agent.command({"buffer", "drop", "--match", "a/#/b"}).status, 0);
    const auto verified = agent.document({"buffer", "verify"});
    EXPECT_TRUE(verified["differences"].empty()) << verified;
    EXPECT_EQ(verified["ledger"]["dropped_by_user"], 50) << verified;
  }
}

TEST_F(Buffer, DamageIsShownUntilItIsAcknowledged) {
  collect(counter("sim", "a/x", 100), 100);
  stop();
  const std::string segment = agent_.state_dir() + "/queue/mqtt/normal/00000001.sqlite";
  std::ofstream(segment) << "something else";
  agent_.configure(configuration(""));
  agent_.start();
  ASSERT_EQ(agent_.buffer()["queues"]["mqtt"]["quarantine"]["new"], 1) << agent_.log();
  EXPECT_EQ(agent_.buffer()["queues"]["mqtt"]["quarantine"]["lost"], 100);
  EXPECT_EQ(agent_.buffer()["queues"]["mqtt"]["ledger"]["quarantined"], 100);
  EXPECT_TRUE(contains(agent_.command({"status"}).output, "1 damaged files were put aside in "));
  EXPECT_TRUE(contains(agent_.command({"buffer", "verify"}).output, "everything agrees"));
  EXPECT_TRUE(contains(agent_.command({"status"}).output, "sluice buffer verify --acknowledge"));
  EXPECT_TRUE(
      contains(agent_.command({"buffer", "verify", "--acknowledge"}).output, "1 damaged files noted"));
  EXPECT_FALSE(contains(agent_.command({"status"}).output, "damaged"));
  stop();
  EXPECT_FALSE(contains(agent_.command({"buffer", "stat"}).output, "damaged"));
}

TEST_F(Buffer, BytesThatAreNoTextAreShownWithoutLosingAny) {
  plugin_test::Pty device;
  collect("[[input]]\nplugin = \"serial\"\nname = \"raw\"\ntopic = \"raw/x\"\ndevice = \"" + device.device() +
              "\"\nframing = \"length\"\nlength = 4\npayload = \"bytes\"\n"
              "[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\nformat = \"raw\"\n",
          0);
  ASSERT_TRUE(agent_.wait_for_log("input.raw: opened")) << agent_.log();
  device.write(std::string("\xff\x00\xfe\x01", 4));
  device.write("text");
  ASSERT_TRUE(wait_until([&] { return agent_.buffer()["messages"] == 2; })) << agent_.log();
  for (const bool running : {true, false}) {
    if (!running) stop();
    const auto all = exported();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0]["payload"], "/wD+AQ==");
    EXPECT_EQ(all[0]["encoding"], "base64");
    EXPECT_EQ(all[1]["payload"], "text");
    EXPECT_FALSE(all[1].contains("encoding"));
    const auto listed = agent_.document({"buffer", "list"})["messages"];
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(listed[i]["payload"], all[i]["payload"]);
  }
}

TEST_F(Buffer, RootLeavesNothingOfItsOwnBehind) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become the owner of a directory";
  constexpr uid_t nobody = 65534;
  collect(counter("sim", "a/x", 20), 20);
  stop();
  const auto expect_owned = [&](bool make) {
    for (const auto& entry : fs::recursive_directory_iterator(agent_.state_dir())) {
      if (make) {
        ASSERT_EQ(::lchown(entry.path().c_str(), nobody, nobody), 0);
      }
      struct stat status {};
      ASSERT_EQ(::lstat(entry.path().c_str(), &status), 0);
      EXPECT_EQ(status.st_uid, nobody) << entry.path();
      EXPECT_EQ(status.st_gid, nobody) << entry.path();
    }
  };
  ASSERT_EQ(::chown(agent_.state_dir().c_str(), nobody, nobody), 0);
  fs::permissions(agent_.directory().path(), fs::perms(0755));
  expect_owned(true);
  EXPECT_EQ(agent_.buffer()["messages"], 20);
  agent_.directory().write("lines", agent_.command({"buffer", "export"}).output);
  EXPECT_EQ(agent_.document({"buffer", "drop", "--all"})["dropped"], 20);
  EXPECT_EQ(agent_.document({"buffer", "import", agent_.directory().file("lines")})["imported"], 20);
  EXPECT_EQ(agent_.command({"buffer", "retry", "--all"}).status, 0);
  EXPECT_EQ(agent_.command({"buffer", "verify"}).status, 0);
  expect_owned(false);
}

}  // namespace
}  // namespace sluice::test
