// SPDX-License-Identifier: Apache-2.0
// The broker refuses: each refusal ends in words that say what to do, the right back-off or a dead letter, and an agent
// that goes on and recovers. By the program, against mosquitto and a broker that does what a script says.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <set>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/certificates.hpp"
#include "support/fake_broker.hpp"
#include "support/free_port.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

std::string configuration(const std::string& broker, const std::string& session = "",
                          const std::string& rest = "") {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker +
         "\"]\nreconnect_min = \"20ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\n" + session +
         "\n[buffer]\ndurability = \"strict\"\n" + rest;
}

std::string input(const std::string& name, const std::string& topic, int count) {
  return "[[input]]\nplugin = \"simulator\"\nname = \"" + name + "\"\ntopic = \"" + topic +
         "\"\nrate = 0\ncount = " + std::to_string(count) + "\n";
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// The different values that a broker has been sent under a topic.
std::set<long long> published(const FakeBroker& broker, const std::string& topic, int connection = 0) {
  std::set<long long> values;
  for (const nlohmann::json& packet : broker.packets("PUBLISH", connection)) {
    if (packet["topic"] != topic) continue;
    values.insert(nlohmann::json::parse(packet["payload"].get<std::string>())["value"].get<long long>());
  }
  return values;
}

std::set<long long> received(Subscriber& subscriber, const std::string& topic) {
  std::set<long long> values;
  for (const Received& message : subscriber.messages()) {
    if (message.topic == topic)
      values.insert(nlohmann::json::parse(message.payload)["value"].get<long long>());
  }
  return values;
}

// Nothing waits, nothing is lost, and the ledger adds up.
void expect_all_acknowledged(const AgentProcess& agent, int count) {
  ASSERT_TRUE(wait_until([&] { return agent.status()["metrics"]["forwarder"]["acknowledged"] == count; }))
      << agent.status() << agent.log();
  ASSERT_TRUE(agent.wait_drained()) << agent.buffer() << agent.log();
  EXPECT_EQ(agent.buffer()["dead_letters"], 0);
  const auto verified = agent.document({"buffer", "verify"});
  EXPECT_TRUE(verified["differences"].empty()) << verified;
  EXPECT_TRUE(verified["ledger"]["balanced"].get<bool>()) << verified;
}

// It keeps trying, says why in the log and in the status, and forgets nothing meanwhile.
void expect_backing_off(const AgentProcess& agent, const std::string& words, int kept) {
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["messages"] == kept; })) << agent.log();
  ASSERT_TRUE(wait_until([&] {
    const auto status = agent.status();
    return status["metrics"]["mqtt"]["failed_attempts"] >= 5 && status["session"]["state"] != "up" &&
           status["session"]["reason"].get<std::string>().find(words) != std::string::npos;
  })) << agent.status()
      << agent.log();
  const std::string log = agent.log();
  EXPECT_NE(log.find(words), std::string::npos) << log;
  EXPECT_NE(log.find("next attempt in"), std::string::npos) << log;
  const Finished text = agent.command({"status"});
  EXPECT_NE(text.output.find(words), std::string::npos) << text.output;
}

TEST(Refusals, ABadPasswordIsExplainedAndTheAgentRecoversWhenTheBrokerKnowsIt) {
  TemporaryDirectory directory;
  const std::string passwords = directory.write("passwords", "");
  const auto set_password = [&](const std::string& password) {
    const Finished made = run({"mosquitto_passwd", "-b", passwords, "gw", password});
    ASSERT_EQ(made.status, 0) << made.output;
  };
  set_password("another");
  BrokerOptions options;
  options.extra = "allow_anonymous false\npassword_file " + passwords;
  Broker broker(options);
  AgentProcess agent("");
  agent.directory().write("secret", "correct horse\n");
  agent.configure(
      configuration(broker.url(), "username = \"gw\"\npassword_file = \"secret\"", input("sim", "a/x", 100)));
  agent.start();
  expect_backing_off(agent, "check mqtt.username, mqtt.password_file", 100);
  EXPECT_EQ(agent.log().find("correct horse"), std::string::npos);

  set_password("correct horse");
  broker.restart();
  expect_all_acknowledged(agent, 100);
  EXPECT_EQ(agent.stop(), 0);
}

TEST(Refusals, ARefusedSubscriptionIsShownInWordsAndPublishingGoesOn) {
  FakeBroker broker(R"([{"suback":[135]}])");
  AgentProcess agent(configuration(broker.url(), "[[mqtt.subscribe]]\nfilter = \"cmd/{agent}/#\"",
                                   input("sim", "a/x", 100)));
  agent.start();
  expect_all_acknowledged(agent, 100);
  EXPECT_EQ(published(broker, "a/x").size(), 100U);
  nlohmann::json subscription;
  ASSERT_TRUE(wait_until([&] {
    subscription = agent.status()["session"]["subscriptions"][0];
    return !subscription["refusal"].get<std::string>().empty();
  })) << agent.log();
  EXPECT_EQ(subscription["filter"], "cmd/gw/#");
  EXPECT_EQ(subscription["granted"], false);
  EXPECT_NE(subscription["refusal"].get<std::string>().find("not authorised"), std::string::npos)
      << subscription;
  EXPECT_NE(agent.log().find("subscription \"cmd/gw/#\" refused: 0x87 not authorised"), std::string::npos)
      << agent.log();
  EXPECT_NE(agent.command({"status"}).output.find("subscription cmd/gw/#: 0x87 not authorised"),
            std::string::npos);
}

TEST(Refusals, WhatTheBrokerDoesNotAllowIsDeadLetteredAndTheOthersGoOn) {
  BrokerOptions options;
  // Without a limit, mosquitto 2.0.11 takes its queue for full at a refusal and closes: see the next test.
  options.max_queued_messages = 100000;
  options.acl = "topic write allowed/#\ntopic read #\n";
  Broker broker(options);
  Subscriber subscriber(broker.port());
  AgentProcess agent(
      configuration(broker.url(), "", input("good", "allowed/x", 200) + input("bad", "secret/x", 20)));
  agent.start();
  ASSERT_TRUE(subscriber.wait_for(200)) << agent.log();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["dead_letters"] == 20; })) << agent.log();
  ASSERT_TRUE(agent.wait_drained());
  EXPECT_EQ(received(subscriber, "allowed/x").size(), 200U);
  EXPECT_EQ(subscriber.messages().size(), 200U) << agent.log();
  const auto metrics = agent.status()["metrics"]["forwarder"];
  EXPECT_EQ(metrics["dead_lettered"], 20) << metrics;
  EXPECT_EQ(metrics["acknowledged"], 200) << metrics;

  const auto check = [&] {
    const auto letters = agent.document({"buffer", "list", "--dead"})["messages"];
    ASSERT_EQ(letters.size(), 20U);
    std::set<long long> values;
    for (const auto& letter : letters) {
      EXPECT_EQ(letter["topic"], "secret/x");
      EXPECT_NE(letter["reason"].get<std::string>().find("0x87 not authorised"), std::string::npos) << letter;
      values.insert(letter["payload"]["value"].get<long long>());
    }
    EXPECT_EQ(values.size(), 20U);
    const auto verified = agent.document({"buffer", "verify"});
    EXPECT_TRUE(verified["differences"].empty()) << verified;
    EXPECT_TRUE(verified["ledger"]["balanced"].get<bool>()) << verified;
    EXPECT_EQ(verified["ledger"]["stored"], 0) << verified;
  };
  check();
  EXPECT_EQ(agent.stop(), 0);
  check();
}

TEST(Refusals, ABrokerThatClosesAtEachRefusalIsSentEverythingElse) {
  BrokerOptions options;
  options.acl = "topic write allowed/#\ntopic read #\n";
  options.max_queued_messages = 0;  // what makes mosquitto 2.0.11 close after it has answered
  Broker broker(options);
  Subscriber subscriber(broker.port());
  AgentProcess agent(
      configuration(broker.url(), "", input("good", "allowed/x", 200) + input("bad", "secret/x", 5)));
  agent.start();
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["dead_letters"] == 5; })) << agent.log();
  ASSERT_TRUE(agent.wait_drained());
  EXPECT_TRUE(wait_until([&] { return received(subscriber, "allowed/x").size() == 200; })) << agent.log();
  EXPECT_TRUE(received(subscriber, "secret/x").empty());
  const auto ledger = agent.document({"buffer", "verify"})["ledger"];
  EXPECT_TRUE(ledger["balanced"].get<bool>()) << ledger;
  EXPECT_GE(agent.status()["metrics"]["mqtt"]["lost_links"].get<int>(), 1) << broker.log();
  EXPECT_EQ(agent.stop(), 0);
}

TEST(Refusals, AFullBrokerIsTriedAgainAndNothingIsDeadLettered) {
  // The whole first window is refused, and a few more.
  nlohmann::json codes = nlohmann::json::array();
  for (int i = 0; i < 130; ++i) codes.push_back(0x97);
  codes.push_back(0);
  FakeBroker broker(nlohmann::json::array({{{"puback", codes}}}).dump());
  AgentProcess agent(configuration(broker.url(), "", input("sim", "a/x", 300)));
  agent.start();
  expect_all_acknowledged(agent, 300);
  EXPECT_EQ(published(broker, "a/x").size(), 300U);
  EXPECT_EQ(agent.status()["metrics"]["forwarder"]["refused"], 130);
  EXPECT_EQ(agent.status()["session"]["reconnects"], 0);
  // A burst of refusals is one reason to wait, not as many as messages were in flight: it is said once, and the pauses
  // grow with the bursts.
  const std::size_t bursts = count_of(agent.log(), "quota exceeded");
  EXPECT_GE(bursts, 1U) << agent.log();
  EXPECT_LE(bursts, 31U) << agent.log();
}

TEST(Refusals, AWindowOfOneIsKeptAndEverythingArrives) {
  BrokerOptions options;
  options.receive_maximum = 1;
  Broker broker(options);
  Subscriber subscriber(broker.port());
  AgentProcess agent(configuration(broker.url(), "", input("sim", "a/x", 200)));
  agent.start();
  ASSERT_TRUE(subscriber.wait_for(200)) << agent.log();
  EXPECT_EQ(received(subscriber, "a/x").size(), 200U);
  expect_all_acknowledged(agent, 200);
  EXPECT_EQ(agent.status()["session"]["window"], 1);
}

TEST(Refusals, ABrokerThatShutsDownIsLeftAndTriedAgain) {
  FakeBroker broker(R"([{"disconnect":139},{"disconnect":139},{}])");
  AgentProcess agent(configuration(broker.url(), "", input("sim", "a/x", 100)));
  agent.start();
  expect_all_acknowledged(agent, 100);
  EXPECT_EQ(published(broker, "a/x").size(), 100U);
  EXPECT_GE(count_of(agent.log(), "0x8B server shutting down"), 2U) << agent.log();
}

// A real broker: mosquitto closes without a word.
TEST(Refusals, TwoClientsWithOneIdAreAlarmedAndTheAgentRecoversOnceTheOtherIsGone) {
  Broker broker;
  std::optional<Subscriber> other;
  AgentProcess agent(configuration(broker.url(), "", input("sim", "a/x", 100)));
  agent.start();
  expect_all_acknowledged(agent, 100);
  SubscriberOptions options = only("nothing/at/all");
  options.persistent_id = "gw";
  other.emplace(broker.port(), options);
  ASSERT_TRUE(agent.wait_for_log("do two gateways use the mqtt.client_id \"gw\"")) << agent.log();
  other.reset();
  ASSERT_TRUE(wait_until([&] { return agent.status()["session"]["state"] == "up"; })) << agent.log();
  EXPECT_EQ(agent.stop(), 0);
}

TEST(Refusals, ASessionTakenOverAgainAndAgainIsAlarmedAndBackedOff) {
  FakeBroker broker(R"([{"disconnect":142},{"disconnect":142},{"disconnect":142},{}])");
  AgentProcess agent(configuration(broker.url(), "", input("sim", "a/x", 100)));
  agent.start();
  ASSERT_TRUE(agent.wait_for_log("another client with the client id \"gw\" takes the session over"))
      << agent.log();
  EXPECT_NE(agent.log().find("0x8E session taken over"), std::string::npos) << agent.log();
  expect_all_acknowledged(agent, 100);
  EXPECT_EQ(agent.status()["metrics"]["mqtt"]["takeover_alarms"], 1);
  EXPECT_EQ(published(broker, "a/x").size(), 100U);
}

struct Mistake {
  const char* name;
  const char* certificate_host;
  bool wrong_ca;
  const char* words;
};

void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.name;
}

class TlsRefusals : public testing::TestWithParam<Mistake> {};

TEST_P(TlsRefusals, AreExplainedAndMendedByARestart) {
  const Mistake& mistake = GetParam();
  const Certificates certificates(mistake.certificate_host);
  const Certificates others;
  BrokerOptions options;
  options.tls = &certificates;
  Broker broker(options);
  const std::string ca = mistake.wrong_ca ? others.ca() : certificates.ca();
  AgentProcess agent(
      configuration(broker.tls_url(), "[mqtt.tls]\nca_file = \"" + ca + "\"", input("sim", "a/x", 50)));
  agent.start();
  expect_backing_off(agent, mistake.words, 50);
  EXPECT_EQ(agent.stop(), 0);

  // The right authority; or the broker that has the name.
  const Certificates right;
  BrokerOptions mended;
  mended.tls = mistake.wrong_ca ? &certificates : &right;
  Broker reached(mended);
  agent.configure(configuration(reached.tls_url(), "[mqtt.tls]\nca_file = \"" + mended.tls->ca() + "\""));
  agent.start();
  expect_all_acknowledged(agent, 50);
  EXPECT_EQ(agent.stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(Mistakes, TlsRefusals,
                         testing::Values(Mistake{"WrongCa", "localhost", true, "mqtt.tls.ca_file"},
                                         Mistake{"WrongHost", "elsewhere.example", false, "server_name"}),
                         [](const testing::TestParamInfo<Mistake>& mistake) { return mistake.param.name; });

TEST(Refusals, AMessageAtWhichTheBrokerAlwaysClosesIsTriedAloneAndDeadLettered) {
  // Collected one after the other while nobody listens, so that the poison lies in the middle.
  const std::string nowhere = "mqtt://127.0.0.1:" + std::to_string(free_port());
  AgentProcess agent("");
  int stored = 0;
  for (const std::string name : {"before", "poison", "behind"}) {
    const int count = name == "poison" ? 1 : 60;
    stored += count;
    agent.configure(configuration(nowhere, "", input(name, name + "/x", count)));
    agent.start();
    ASSERT_TRUE(wait_until([&] { return agent.buffer()["messages"] == stored; })) << agent.log();
    ASSERT_EQ(agent.stop(), 0);
  }
  FakeBroker broker(R"([{"disconnect_on":["poison/x",null]}])");
  agent.configure(configuration(broker.url()));
  agent.start();
  ASSERT_TRUE(agent.wait_drained()) << agent.buffer() << agent.log();
  EXPECT_EQ(published(broker, "before/x").size(), 60U);
  EXPECT_EQ(published(broker, "behind/x").size(), 60U);
  const auto letters = agent.document({"buffer", "list", "--dead"})["messages"];
  ASSERT_EQ(letters.size(), 1U) << letters;
  EXPECT_EQ(letters[0]["topic"], "poison/x");
  EXPECT_NE(letters[0]["reason"].get<std::string>().find("closed the connection"), std::string::npos)
      << letters;
  EXPECT_EQ(agent.buffer()["dead_letters"], 1);
  EXPECT_TRUE(agent.document({"buffer", "verify"})["differences"].empty());

  // The last time with nothing behind it.
  int last = 0;
  for (const auto& packet : broker.packets("PUBLISH")) {
    if (packet["topic"] == "poison/x") last = packet["connection"];
  }
  const auto alone = broker.packets("PUBLISH", last);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0]["topic"], "poison/x");
}

TEST(Refusals, ABrokerThatForgetsTheSessionIsSentEverythingAgainFromTheBeginning) {
  // QoS 2 up to PUBREL; then a broker that knows nothing of it.
  FakeBroker broker(R"([{"close_on":"PUBREL"},{"session_present":0}])");
  AgentProcess agent(
      configuration(broker.url(), "clean_start = false\nsession_expiry = \"1h\"",
                    "[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\nqos = 2\n" + input("sim", "a/x", 100)));
  agent.start();
  expect_all_acknowledged(agent, 100);
  const auto released = broker.packets("PUBREL", 1);
  EXPECT_FALSE(released.empty());
  std::set<long long> again;
  for (const auto& packet : broker.packets("PUBLISH")) {
    if (packet["connection"] == 1) continue;
    EXPECT_EQ(packet["dup"], false) << packet;
    again.insert(nlohmann::json::parse(packet["payload"].get<std::string>())["value"].get<long long>());
  }
  EXPECT_EQ(again.size(), 100U);
  // Never a PUBREL for what that connection was not sent.
  for (const auto& release : broker.packets("PUBREL")) {
    const auto published = broker.packets("PUBLISH", release["connection"]);
    EXPECT_TRUE(std::any_of(published.begin(), published.end(), [&](const auto& packet) {
      return packet["mid"] == release["mid"];
    })) << release;
  }
}

}  // namespace
}  // namespace sluice::test
