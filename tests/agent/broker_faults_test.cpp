// SPDX-License-Identifier: Apache-2.0
// What becomes of a backlog where the broker freezes, is killed, or answers with any reason code, and where the link to it
// breaks. Refusals that need words are in refusals_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <ostream>
#include <random>
#include <set>

#include "agent/account.hpp"
#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/cutting_proxy.hpp"
#include "support/dose.hpp"
#include "support/fake_broker.hpp"
#include "support/free_port.hpp"
#include "support/historian.hpp"
#include "support/unaccepting_listener.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

constexpr std::chrono::seconds long_patience{180};

std::string configuration(const std::string& brokers, const std::string& session, const std::string& rest) {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [" + brokers +
         "]\nreconnect_min = \"20ms\"\nreconnect_max = \"100ms\"\nstatus_topic = \"\"\n" + session +
         "[buffer]\ndurability = \"strict\"\n" + rest;
}

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

std::string counter(int count) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\nrate = 0\ncount = " + std::to_string(count) +
         "\n";
}

std::string route(int qos) {
  return "[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\nqos = " + std::to_string(qos) + "\n";
}

BrokerOptions persistent() {
  BrokerOptions options;
  options.persistence = true;
  return options;
}

class BrokerFaults : public testing::Test {
 protected:
  // So many, committed; and the agent stopped.
  void collect(int count, int qos = 1) {
    const std::string nowhere = "mqtt://127.0.0.1:" + std::to_string(free_port());
    agent_.configure(configuration(quoted(nowhere), "", route(qos) + counter(count)));
    agent_.start();
    ASSERT_TRUE(wait_until([&] { return agent_.buffer()["messages"] == count; }, long_patience))
        << agent_.log();
    ASSERT_EQ(agent_.stop(), 0);
  }
  void expect_nothing_lost(Account& account, int count) {
    ASSERT_TRUE(agent_.wait_drained(long_patience)) << agent_.buffer() << agent_.log();
    Account::Balance balance;
    EXPECT_TRUE(wait_until([&] {
      return (balance = account.balance()).delivered == static_cast<unsigned>(count);
    })) << agent_.log();
    std::cout << balance << '\n';
    EXPECT_EQ(balance.committed, static_cast<unsigned>(count));
    EXPECT_EQ(balance.lost, 0U);
    EXPECT_EQ(balance.counted_away, 0U);
  }

  AgentProcess agent_{""};
};

TEST_F(BrokerFaults, FrozenAndThawedAgainAndAgainGetsEverything) {
  constexpr int count = 6000;
  collect(count);
  Broker broker;
  Historian historian(broker.port());
  Account account(agent_, historian);
  agent_.configure(configuration(quoted(broker.url()), "ack_timeout = \"1s\"\nconnect_timeout = \"1s\"\n",
                                 "replay_rate = 1500\n"));
  agent_.start();
  for (int freeze = 1; freeze <= 3; ++freeze) {
    ASSERT_TRUE(wait_until([&] {
      historian.read();
      return historian.arrived() > static_cast<std::size_t>(freeze) * 300;
    })) << agent_.log();
    broker.pause();
    // Half-open: the connection stays, and nobody answers.
    EXPECT_TRUE(wait_until([&] { return agent_.status()["metrics"]["mqtt"]["ack_timeouts"] >= freeze; }))
        << agent_.log();
    broker.resume();
    EXPECT_TRUE(wait_until([&] { return agent_.status()["session"]["state"] == "up"; })) << agent_.log();
  }
  expect_nothing_lost(account, count);
}

TEST_F(BrokerFaults, WhereSynsAreDroppedTheNextBrokerGetsEverything) {
  constexpr int count = 2000;
  collect(count);
  const UnacceptingListener dead;
  Broker broker;
  Historian historian(broker.port());
  Account account(agent_, historian);
  agent_.configure(
      configuration(quoted("mqtt://127.0.0.1:" + std::to_string(dead.port())) + ", " + quoted(broker.url()),
                    "connect_timeout = \"300ms\"\n", ""));
  agent_.start();
  expect_nothing_lost(account, count);
  EXPECT_NE(agent_.log().find("no answer to the TCP connection"), std::string::npos) << agent_.log();
}

struct Link {
  int qos = 1;
  bool keep_session = false;
};
void PrintTo(const Link& link, std::ostream* out) {
  *out << "QoS " << link.qos << (link.keep_session ? ", session kept" : ", session new");
}

class CutLink : public BrokerFaults, public testing::WithParamInterface<Link> {};

TEST_P(CutLink, InTheMiddleOfAPacketLosesNothing) {
  constexpr int count = 4000;
  collect(count, GetParam().qos);
  Broker broker(persistent());
  CuttingProxy proxy(broker.port());
  proxy.cut_each(200, 60'000, seed());
  Historian historian(broker.port());
  Account account(agent_, historian);
  agent_.configure(configuration(
      quoted(proxy.url()), GetParam().keep_session ? "clean_start = false\nsession_expiry = \"1h\"\n" : "",
      route(GetParam().qos)));
  agent_.start();
  ASSERT_TRUE(
      wait_until([&] { return proxy.cuts() >= 10 || agent_.buffer()["messages"] == 0; }, long_patience));
  proxy.cut_none();
  std::cout << proxy.cuts() << " cuts\n";
  EXPECT_GE(proxy.cuts(), 5U);
  expect_nothing_lost(account, count);
}

INSTANTIATE_TEST_SUITE_P(Links, CutLink,
                         testing::Values(Link{1, false}, Link{1, true}, Link{2, false}, Link{2, true}),
                         [](const auto& link) {
                           return "Qos" + std::to_string(link.param.qos) +
                                  (link.param.keep_session ? "SessionKept" : "SessionNew");
                         });

// Each reason code in turn, each several times; then a broker that takes everything.
class ReasonCodes : public BrokerFaults, public testing::WithParamInterface<int> {};

TEST_P(ReasonCodes, AreAnsweredByARetryOrADeadLetterAndNothingIsLost) {
  constexpr int count = 120;
  constexpr int times = 2;
  collect(count, GetParam());
  nlohmann::json codes = nlohmann::json::array();
  for (const int code : {0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}) {
    for (int i = 0; i < times; ++i) codes.insert(codes.end(), {0, code, 0});
  }
  codes.push_back(0);
  const bool qos2 = GetParam() == 2;
  const nlohmann::json script = nlohmann::json::array({{{qos2 ? "pubrec" : "puback", codes}}});
  FakeBroker broker(script.dump());
  agent_.configure(configuration(quoted(broker.url()), "", route(GetParam())));
  agent_.start();
  ASSERT_TRUE(agent_.wait_drained()) << agent_.buffer() << agent_.log();
  std::set<std::string> published;
  for (const auto& packet : broker.packets("PUBLISH")) published.insert(packet["payload"]);
  const auto ledger = agent_.document({"buffer", "verify"})["ledger"];
  std::cout << "committed " << ledger["committed"] << ", acknowledged " << ledger["acknowledged"]
            << ", dead-lettered " << ledger["dead_lettered"] << ", lost "
            << count - ledger["acknowledged"].get<int>() - ledger["dead_lettered"].get<int>() << '\n';
  EXPECT_TRUE(ledger["balanced"].get<bool>()) << ledger;
  EXPECT_EQ(published.size(), static_cast<std::size_t>(count));
  // For good: not authorised, bad topic, bad payload; the others pass when they are tried again.
  EXPECT_EQ(ledger["dead_lettered"], 3 * times) << ledger << agent_.log();
  EXPECT_EQ(ledger["acknowledged"], count - 3 * times) << ledger;
}

INSTANTIATE_TEST_SUITE_P(Qos, ReasonCodes, testing::Values(1, 2),
                         [](const auto& qos) { return "Qos" + std::to_string(qos.param); });

// It writes down what it gets before it answers: what it has acknowledged is in one of its journals.
TEST_F(BrokerFaults, ABrokerWithAJournalThatIsKilledHasEverythingInTheEnd) {
  constexpr int count = 3000;
  collect(count);
  std::set<std::string> journal;
  std::size_t written = 0;
  const auto keep = [&](const FakeBroker& broker) {
    for (const auto& packet : broker.packets("PUBLISH")) {
      journal.insert(packet["payload"]);
      ++written;
    }
  };
  auto broker = std::make_unique<FakeBroker>("[{}]");
  const std::uint16_t port = broker->port();
  agent_.configure(configuration(quoted(broker->url()), "", "replay_rate = 800\n"));
  agent_.start();
  for (int kill = 0; kill < 3; ++kill) {
    ASSERT_TRUE(wait_until([&] { return broker->packets("PUBLISH").size() > 200; })) << agent_.log();
    broker->kill();
    keep(*broker);
    broker = std::make_unique<FakeBroker>("[{}]", port);
  }
  ASSERT_TRUE(agent_.wait_drained()) << agent_.buffer() << agent_.log();
  keep(*broker);
  const auto ledger = agent_.document({"buffer", "verify"})["ledger"];
  std::cout << "committed " << ledger["committed"] << ", delivered " << journal.size() << ", duplicated "
            << written - journal.size() << ", counted away 0, lost " << count - journal.size() << '\n';
  EXPECT_EQ(journal.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(ledger["acknowledged"], count);
}

// mosquitto keeps its journal in memory until it saves: what it loses of what it has acknowledged is not ours, and shown.
TEST_F(BrokerFaults, KilledWhileItIsDrainedToLeavesALedgerThatAddsUp) {
  constexpr int count = 8000;
  collect(count);
  Broker broker(persistent());
  Historian historian(broker.port());
  broker.save();
  agent_.configure(configuration(quoted(broker.url()), "clean_start = false\nsession_expiry = \"1h\"\n",
                                 "replay_rate = 3000\n"));
  agent_.start();
  for (int kill = 1; kill <= 3; ++kill) {
    ASSERT_TRUE(wait_until([&] {
      historian.read();
      return historian.ids().size() > static_cast<std::size_t>(kill) * 500;
    })) << agent_.log();
    broker.kill();
    broker.start();
  }
  ASSERT_TRUE(agent_.wait_drained(long_patience)) << agent_.buffer() << agent_.log();
  const auto ledger = agent_.document({"buffer", "verify"})["ledger"];
  EXPECT_TRUE(ledger["balanced"].get<bool>()) << ledger;
  EXPECT_EQ(ledger["acknowledged"], count);
  historian.read();
  std::cout << "committed " << count << ", acknowledged by the broker " << ledger["acknowledged"]
            << ", lost 0; of these the broker itself has lost " << count - historian.ids().size() << '\n';
}

}  // namespace
}  // namespace sluice::test
