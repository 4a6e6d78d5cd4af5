// SPDX-License-Identifier: Apache-2.0
// The life of the program: starting, signals, reloading, bad configurations, plugins that come late, what systemd is
// told, and where messages go that have no broker.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "agent/agent_process.hpp"
#include "agent/notify_socket.hpp"
#include "support/broker.hpp"
#include "support/free_port.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

// What a service manager allows: the promise is 5 s, the rest is for a busy machine.
constexpr std::chrono::seconds stop_limit{20};

std::string nowhere() {
  return "mqtt://127.0.0.1:" + std::to_string(free_port());
}

std::string configuration(const std::string& broker, const std::string& rest,
                          const std::string& agent_keys = "") {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n" + agent_keys + "[mqtt]\nbrokers = [\"" + broker +
         "\"]\nreconnect_min = \"20ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\n" + rest;
}

std::string input(const std::string& name, const std::string& topic, const std::string& keys) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"" + name + "\"\ntopic = \"" + topic + "\"\n" + keys;
}

std::string route(const std::string& match, const std::string& to, const std::string& keys = "") {
  return "[[route]]\nmatch = \"" + match + "\"\nto = [" + to + "]\n" + keys;
}

bool logged(const AgentProcess& agent, const std::string& text) {
  return agent.log().find(text) != std::string::npos;
}

nlohmann::json instance(const nlohmann::json& status, const std::string& name) {
  for (const auto& each : status["instances"]) {
    if (each["name"] == name) return each;
  }
  return {};
}

int stop(AgentProcess& agent) {
  agent.signal(SIGTERM);
  const bool ended = wait_until([&] { return !agent.running(); }, stop_limit);
  return ended ? agent.wait().value_or(-1) : -1;
}

std::size_t lines_in(const std::string& path) {
  const std::string text = read_file(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// ---- Stopping ----

TEST(Stop, WhileDrainingLeavesNothingBehindAndLosesNothing) {
  AgentProcess agent("");
  Broker broker;
  broker.stop();
  agent.configure(configuration(broker.url(), "[buffer]\ndurability = \"strict\"\n" +
                                                  input("sim", "a/x", "rate = 0\ncount = 20000\n")));
  agent.start();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["messages"] == 20000; })) << agent.log();
  broker.start();
  ASSERT_TRUE(wait_until([&] { return agent.status()["metrics"]["forwarder"]["acknowledged"] > 500; }));
  EXPECT_EQ(stop(agent), 0) << agent.log();

  const auto verified = agent.document({"buffer", "verify"});
  const auto& ledger = verified["ledger"];
  EXPECT_TRUE(verified["differences"].empty()) << verified;
  EXPECT_EQ(ledger["committed"], 20000) << verified;
  EXPECT_GT(ledger["acknowledged"], 500) << verified;
  EXPECT_EQ(ledger["acknowledged"].get<int>() + ledger["stored"].get<int>(), 20000) << verified;
}

TEST(Stop, WithTheBrokerAwayWritesWhatWasOnlyInMemory) {
  AgentProcess agent(configuration(
      nowhere(), "[buffer]\npersist_after = \"1h\"\n" + input("sim", "a/x", "rate = 0\ncount = 1000\n")));
  agent.start();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["in_memory"] == 1000; })) << agent.buffer();
  EXPECT_EQ(agent.buffer()["messages"], 0);
  EXPECT_EQ(stop(agent), 0) << agent.log();
  const auto figures = agent.buffer();
  EXPECT_EQ(figures["messages"], 1000) << figures;
  EXPECT_EQ(figures["in_memory"], 0) << figures;
}

TEST(Stop, ABrokerThatDoesNotAnswerHoldsNothingUp) {
  Broker broker;
  AgentProcess agent(configuration(broker.url(), input("sim", "a/x", "rate = 0\ncount = 1000\n")));
  agent.start();
  ASSERT_TRUE(agent.wait_drained());
  broker.pause();
  EXPECT_EQ(stop(agent), 0) << agent.log();
  broker.resume();
}

TEST(Stop, APluginThatHangsIsAbandonedAndEverythingIsWritten) {
  AgentProcess agent("");
  agent.configure(configuration(
      nowhere(), "[buffer]\npersist_after = \"1h\"\n[[input]]\nplugin = \"stubborn\"\nname = \"mule\"\n",
      "plugin_dirs = [\"" SLUICE_TEST_PLUGIN_DIR "\"]\n"));
  agent.start();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["in_memory"] == 1; })) << agent.log();
  EXPECT_EQ(stop(agent), 0) << agent.log();
  EXPECT_TRUE(logged(agent, "instance \"mule\" did not stop within 2 s and is abandoned")) << agent.log();
  EXPECT_EQ(agent.buffer()["messages"], 1);
}

// ---- Reloading ----

class Reload : public testing::Test {
 protected:
  std::string with(const std::string& rest) const {
    return configuration(broker_.url(), input("sim", "a/x", "rate = 50\n") + rest);
  }
  void start(const std::string& rest) {
    agent_.configure(with(rest));
    agent_.start();
    ASSERT_TRUE(wait_until([&] {
      before_ = agent_.status();
      return before_["session"]["state"] == "up" && instance(before_, "sim")["emitted"] > 3;
    })) << agent_.log();
  }
  // Changes the file, and waits for what the agent says of it.
  void reload(const std::string& text, const std::string& answer) {
    agent_.configure(text);
    agent_.signal(SIGHUP);
    ASSERT_TRUE(agent_.wait_for_log(answer)) << agent_.log();
  }
  void expect_undisturbed() {
    const auto after = agent_.status();
    EXPECT_EQ(after["session"]["since"], before_["session"]["since"]);
    EXPECT_EQ(after["session"]["reconnects"], before_["session"]["reconnects"]);
    EXPECT_EQ(after["agent"]["started"], before_["agent"]["started"]);
    EXPECT_EQ(instance(after, "sim")["restarts"], 0);
    EXPECT_GE(instance(after, "sim")["emitted"], instance(before_, "sim")["emitted"]);
    EXPECT_EQ(agent_.document({"buffer", "verify"})["differences"].size(), 0U);
  }

  Broker broker_;
  Subscriber subscriber_{broker_.port()};
  AgentProcess agent_{""};
  nlohmann::json before_;
};

TEST_F(Reload, RoutesTakeEffectWithoutTouchingSessionAndInstances) {
  start(route("#", "\"mqtt\""));
  reload(with(route("a/#", "\"mqtt\"", "topic = \"moved/{1}\"\n")), "reloaded: 1 routes");
  ASSERT_TRUE(subscriber_.wait_for([](const Received& message) { return message.topic == "moved/x"; }))
      << agent_.log();
  expect_undisturbed();
  // Every value once, whichever route it took.
  const auto& messages = subscriber_.messages();
  for (std::size_t i = 0; i < messages.size(); ++i)
    EXPECT_EQ(nlohmann::json::parse(messages[i].payload)["value"], i);
}

TEST_F(Reload, LogLevelsTakeEffect) {
  start("[log]\nlevel = \"warn\"\n");
  EXPECT_FALSE(logged(agent_, " info "));
  reload(with("[log]\nlevel = \"info\"\n"), "reloaded: 1 routes, none changed");
  expect_undisturbed();
}

TEST_F(Reload, WhatNeedsARestartIsNamed) {
  start("");
  agent_.configure("");
  std::string text = with("[buffer]\nmax_bytes = \"2GiB\"\n" + input("new", "b/x", "rate = 1\n"));
  text.replace(text.find("rate = 50"), 9, "rate = 60");
  text.replace(text.find("[mqtt]"), 6, "[mqtt]\nkeepalive = \"90s\"");
  reload(text, "reloaded: 1 routes");
  for (const std::string section : {"[mqtt]", "[buffer]", "input \"sim\"", "input \"new\""}) {
    EXPECT_TRUE(logged(agent_, "reload: " + section + " has changed: this takes effect at the next restart"))
        << section << '\n'
        << agent_.log();
  }
  EXPECT_FALSE(logged(agent_, "[agent] has changed"));
  expect_undisturbed();
  EXPECT_TRUE(instance(agent_.status(), "new").is_null());
  EXPECT_EQ(stop(agent_), 0);
  agent_.start();
  EXPECT_FALSE(instance(agent_.status(), "new").is_null());
}

TEST_F(Reload, ABadFileIsRefusedWithThePlaceAndTheOldConfigurationStays) {
  start(route("#", "\"mqtt\""));
  const std::string bad = with(route("b/#/c", "\"mqtt\""));
  reload(bad, "is refused, the configuration stays as it was");
  const auto line = std::count(bad.begin(), bad.begin() + static_cast<long>(bad.find("b/#/c")), '\n') + 1;
  EXPECT_TRUE(logged(agent_, "sluice.toml:" + std::to_string(line) + ": ")) << agent_.log();
  const std::size_t seen = subscriber_.messages().size();
  EXPECT_TRUE(subscriber_.wait_for(seen + 5));
  EXPECT_EQ(subscriber_.messages().back().topic, "a/x");
  expect_undisturbed();

  std::string settings = with(route("#", "\"mqtt\""));
  settings.replace(settings.find("rate = 50"), 9, "rate = \"fast\"");
  reload(settings, "rate: expected");
  ASSERT_TRUE(subscriber_.wait_for(subscriber_.messages().size() + 5));
  expect_undisturbed();
}

// ---- Starting ----

TEST(Start, WithABadFileAfterAGoodRunTheLastGoodOneRunsLoudly) {
  AgentProcess agent(configuration(nowhere(), input("sim", "a/x", "rate = 10\n")));
  ASSERT_FALSE(fs::exists(agent.state_dir()));
  agent.start();
  EXPECT_TRUE(fs::is_directory(agent.state_dir()));
  EXPECT_EQ(agent.status()["agent"]["last_good_configuration"], false);
  ASSERT_TRUE(wait_until([&] { return fs::exists(agent.state_dir() + "/last-good.conf"); }));
  EXPECT_EQ(stop(agent), 0);

  for (const std::string bad : {"keepalive = \"often\"\n", "this is no TOML\n"}) {
    agent.configure(configuration(nowhere(), bad + input("sim", "a/x", "rate = 10\n")));
    agent.start();
    EXPECT_TRUE(logged(agent, "is refused: the last good configuration runs instead")) << agent.log();
    EXPECT_TRUE(logged(agent, "sluice.toml:9:")) << agent.log();
    const auto status = agent.status();
    EXPECT_EQ(status["agent"]["last_good_configuration"], true);
    EXPECT_EQ(instance(status, "sim")["state"], "running") << status;
    EXPECT_NE(agent.command({"status"}).output.find("last good configuration"), std::string::npos);
    EXPECT_EQ(stop(agent), 0);
  }
  // A setting of a plugin is no better.
  agent.configure(configuration(nowhere(), input("sim", "a/x", "rate = \"fast\"\n")));
  agent.start();
  EXPECT_TRUE(logged(agent, "input \"sim\": rate: expected")) << agent.log();
  EXPECT_EQ(agent.status()["agent"]["last_good_configuration"], true);
  EXPECT_EQ(stop(agent), 0);
}

TEST(Start, TheFirstOneWithABadFileEndsAndNamesAllThatIsWrong) {
  AgentProcess agent(configuration(nowhere(), "keepalive = \"often\"\nversoin = \"5\"\n" +
                                                  input("sim", "a/x", "rate = \"fast\"\n") +
                                                  route("a/#/b", "\"nobody\"")));
  agent.launch();
  EXPECT_EQ(agent.wait(), 78);
  const std::string log = agent.log();
  for (const std::string part :
       {":9: mqtt.keepalive: ", ":10: mqtt: unknown key \"versoin\"", "a/#/b", "nobody"})
    EXPECT_NE(log.find(part), std::string::npos) << part << '\n' << log;
  EXPECT_NE(log.find("input \"sim\": rate: expected"), std::string::npos) << log;
}

TEST(Start, AMissingPluginDisablesItsInstanceOnlyUntilItAppears) {
  AgentProcess agent("");
  const std::string plugins = agent.directory().file("plugins");
  fs::create_directory(plugins);
  const std::string built = SLUICE_BINARY_DIR "/plugins/sluice-";
  fs::copy_file(built + "simulator.so", plugins + "/sluice-simulator.so");
  const std::string archive = agent.directory().file("archive.jsonl");
  agent.configure(configuration(nowhere(),
                                input("sim", "a/x", "rate = 100\n") +
                                    "[[output]]\nplugin = \"file\"\nname = \"archive\"\npath = \"" + archive +
                                    "\"\n" + route("#", "\"mqtt\", \"archive\""),
                                "plugin_dirs = [\"" + plugins + "\"]\n"));
  agent.start();
  const auto disabled = instance(agent.status(), "archive");
  EXPECT_EQ(disabled["state"], "disabled") << disabled;
  EXPECT_NE(disabled["error"].get<std::string>().find("sluice-file.so"), std::string::npos) << disabled;
  EXPECT_TRUE(logged(agent, "instance \"archive\" is disabled until its plugin loads")) << agent.log();
  ASSERT_TRUE(wait_until([&] { return instance(agent.status(), "sim")["emitted"] > 10; }));
  EXPECT_GT(agent.status()["metrics"]["output.archive"]["undelivered"], 0);

  fs::copy_file(built + "file.so", plugins + "/.new");
  fs::rename(plugins + "/.new", plugins + "/sluice-file.so");
  ASSERT_TRUE(wait_until([&] { return instance(agent.status(), "archive")["completed"] > 10; }))
      << agent.log();
  EXPECT_EQ(instance(agent.status(), "archive")["error"], "");
  EXPECT_EQ(stop(agent), 0);
  EXPECT_GT(lines_in(archive), 10U);
}

TEST(Start, ASecondAgentInTheSameDirectoryIsRefusedAndDisturbsNothing) {
  AgentProcess agent(configuration(nowhere(), input("sim", "a/x", "rate = 10\n")));
  agent.start();
  const Finished second = run({program(), "run", "--config", agent.config_file()});
  EXPECT_EQ(second.status, 75) << second.output;
  EXPECT_NE(second.output.find("another agent works in " + agent.state_dir()), std::string::npos)
      << second.output;
  EXPECT_EQ(agent.command({"status"}).status, 0);
  EXPECT_EQ(stop(agent), 0);
}

// ---- systemd ----

TEST(ServiceManager, IsToldOfStartReloadWatchdogAndStop) {
  AgentProcess agent(configuration(nowhere(), input("sim", "a/x", "rate = 10\n")));  // the broker is down
  NotifySocket notified(agent.directory().file("notify"));
  agent.set_environment("NOTIFY_SOCKET", agent.directory().file("notify"));
  agent.set_environment("WATCHDOG_USEC", "2000000");
  agent.launch();
  ASSERT_TRUE(notified.wait_for("READY=1")) << agent.log();
  EXPECT_EQ(agent.command({"status"}).status, 0);
  ASSERT_TRUE(notified.wait_for("WATCHDOG=1", 3)) << agent.log();
  ASSERT_TRUE(notified.wait_for("STATUS=not connected: mqtt://127.0.0.1:")) << agent.log();
  EXPECT_TRUE(notified.wait_for("STATUS=", 2)) << "more and more messages wait";
  agent.signal(SIGHUP);
  ASSERT_TRUE(notified.wait_for("READY=1", 2)) << agent.log();
  EXPECT_TRUE(notified.wait_for("MONOTONIC_USEC="));
  EXPECT_EQ(stop(agent), 0);
  EXPECT_EQ(notified.only({"READY=1", "RELOADING=1", "STOPPING=1"}),
            (std::vector<std::string>{"READY=1", "RELOADING=1", "READY=1", "STOPPING=1"}));
}

// The watchdog is fed at each turn of the main loop, as long as both threads get on.
class StalledThread : public testing::TestWithParam<const char*> {};

TEST_P(StalledThread, StarvesTheWatchdogWhileTheOthersGoOn) {
  AgentProcess agent(configuration(nowhere(), input("sim", "a/x", "rate = 10\n")));
  NotifySocket notified(agent.directory().file("notify"));
  agent.set_environment("NOTIFY_SOCKET", agent.directory().file("notify"));
  agent.set_environment("WATCHDOG_USEC", "20000");
  agent.set_environment("SLUICE_TEST_STALL", GetParam());
  agent.launch();
  // The status changes every five seconds, in which a thread that gets on has moved.
  ASSERT_TRUE(notified.wait_for("STATUS=", 2)) << agent.log();
  const std::size_t fed = notified.only({"WATCHDOG=1"}).size();
  ASSERT_TRUE(notified.wait_for("STATUS=", 3)) << agent.log();
  EXPECT_EQ(notified.only({"WATCHDOG=1"}).size(), fed);
  EXPECT_TRUE(logged(agent, std::string("SLUICE_TEST_STALL=") + GetParam() + " is set")) << agent.log();
  agent.kill();
}

INSTANTIATE_TEST_SUITE_P(ServiceManager, StalledThread, testing::Values("storage:1", "session:1"));

// ---- Destinations ----

TEST(Destinations, AFileGetsLinesAndARouteToNobodyEndsTheSearch) {
  AgentProcess agent("");
  const std::string archive = agent.directory().file("archive.jsonl");
  agent.configure(configuration(
      nowhere(), input("kept", "plant/x", "rate = 0\ncount = 100\n") +
                     input("noise", "plant/noise", "rate = 0\ncount = 50\n") +
                     input("stray", "stray/x", "rate = 0\ncount = 30\n") +
                     "[[output]]\nplugin = \"file\"\nname = \"archive\"\npath = \"" + archive + "\"\n" +
                     route("plant/noise", "") + route("plant/#", "\"archive\", \"mqtt\"")));
  agent.start();
  ASSERT_TRUE(wait_until([&] { return lines_in(archive) == 100; })) << agent.log();
  ASSERT_TRUE(wait_until([&] { return agent.status()["metrics"]["router"]["unrouted"] == 30; }))
      << agent.status();
  ASSERT_TRUE(wait_until([&] {
    const auto figures = agent.buffer();
    return figures["messages"].get<int>() + figures["in_memory"].get<int>() == 100;
  })) << agent.buffer();
  std::ifstream lines(archive);
  int expected = 0;
  for (std::string line; std::getline(lines, line); ++expected) {
    const auto message = nlohmann::json::parse(line);
    EXPECT_EQ(message["topic"], "plant/x") << line;
  }
  EXPECT_EQ(expected, 100);
  EXPECT_EQ(stop(agent), 0);
}

TEST(Destinations, PriorityExpiryAndFromTheBrokerAreObeyed) {
  Broker broker;
  AgentProcess agent("");
  const std::string archive = agent.directory().file("archive.jsonl");
  // A clock of an hour: only what is urgent is written before the stop.
  agent.configure(configuration(
      broker.url(), "[[mqtt.subscribe]]\nfilter = \"cmd/{agent}/#\"\n[buffer]\npersist_after = \"1h\"\n" +
                        input("alarm", "alarm/x", "rate = 0\ncount = 10\n") +
                        input("short", "short/x", "rate = 0\ncount = 5\n") +
                        "[[output]]\nplugin = \"file\"\nname = \"archive\"\npath = \"" + archive + "\"\n" +
                        route("cmd/gw/log/#", "\"archive\"", "from = \"broker\"\n") +
                        route("alarm/#", "\"mqtt\"", "priority = \"high\"\n") +
                        route("short/#", "\"mqtt\"", "expiry = \"1s\"\n")));
  broker.stop();
  agent.start();
  // What is urgent takes along what came before it, and leaves the rest in memory.
  ASSERT_TRUE(wait_until([&] {
    const auto figures = agent.buffer();
    return figures["messages"] >= 10 &&
           figures["messages"].get<int>() + figures["in_memory"].get<int>() == 15;
  })) << agent.buffer();
  // The second over, nothing of them is published any more.
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(1200);
  ASSERT_TRUE(wait_until([&] { return std::chrono::steady_clock::now() > until; }));
  broker.start();
  ASSERT_TRUE(agent.wait_drained()) << agent.log();
  const auto metrics = agent.status()["metrics"]["forwarder"];
  EXPECT_EQ(metrics["expired"], 5) << metrics;
  EXPECT_EQ(metrics["acknowledged"], 10) << metrics;

  ASSERT_TRUE(wait_until([&] { return agent.status()["session"]["subscriptions"][0]["granted"] == true; }));
  publish(broker.port(), "cmd/gw/log/this", "{\"value\":1}");
  EXPECT_TRUE(wait_until([&] { return lines_in(archive) == 1; })) << agent.log();
  EXPECT_EQ(stop(agent), 0);
}

}  // namespace
}  // namespace sluice::test
