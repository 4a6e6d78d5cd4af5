// SPDX-License-Identifier: Apache-2.0
// From devices to a broker: Modbus over TCP and over a serial line, read from a server of another project, a meter on a
// serial line, and commands the other way; by the program with its plugins, as a paho-mqtt subscriber sees it.
#include <gtest/gtest.h>

#include <ctime>
#include <iomanip>
#include <map>
#include <sstream>

#include "agent/agent_process.hpp"
#include "plugins/modbus/server.hpp"
#include "plugins/serial/pty.hpp"
#include "support/broker.hpp"
#include "support/free_port.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

// Registers: 0-1 float32 21.5, 2 uint16 1013, 3-4 int32 -70000, 10 writable.
constexpr const char* units = R"({"1":{"holding":{"0":[16812,0,1013,65534,61072],"10":[0,0]}}})";

std::string modbus_input(const std::string& name, const std::string& link) {
  return "[[input]]\nplugin = \"modbus\"\nname = \"" + name + "\"\ntopic = \"plant/{input}/{tag}\"\n" + link +
         "\ncycle = \"100ms\"\nresponse_timeout = \"5s\"\n[[input.unit]]\nid = 1\ntag = [\n"
         "  {name = \"temperature\", address = 0, type = \"float32\"},\n"
         "  {name = \"pressure\", address = 2, type = \"uint16\", scale = 0.1},\n"
         "  {name = \"level\", address = 3, type = \"int32\"},\n"
         "  {name = \"setpoint\", address = 10, type = \"uint16\", writable = true, min = 0, max = "
         "100},\n]\n";
}

std::string broker_section(const Broker& broker) {
  return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" + broker.url() +
         "\"]\nreconnect_min = \"50ms\"\nreconnect_max = \"200ms\"\nstatus_topic = \"\"\n"
         "[[mqtt.subscribe]]\nfilter = \"cmd/{agent}/#\"\n";
}

double seconds_of(const std::string& ts) {
  std::tm date{};
  std::istringstream in(ts);
  in >> std::get_time(&date, "%Y-%m-%dT%H:%M:%S");
  return static_cast<double>(timegm(&date)) + std::stod("0" + ts.substr(19, ts.size() - 20));
}

double now() {
  return static_cast<double>(std::chrono::system_clock::now().time_since_epoch().count()) / 1e9;
}

// Lines that were read together have one monotonic time; their wall times differ by how well the clocks are read together.
constexpr double both_clocks = 20e-6;

// Per topic, in the order of arrival.
std::map<std::string, std::vector<nlohmann::json>> by_topic(Subscriber& subscriber) {
  std::map<std::string, std::vector<nlohmann::json>> all;
  for (const Received& received : subscriber.messages())
    all[received.topic].push_back(nlohmann::json::parse(received.payload));
  return all;
}

void expect_ordered_between(const std::vector<nlohmann::json>& messages, double start, double end) {
  double last = start;
  for (const nlohmann::json& message : messages) {
    const double ts = seconds_of(message["ts"]);
    EXPECT_GE(ts, last - both_clocks) << message << ", " << last - ts << " s before the one ahead of it";
    last = ts;
  }
  EXPECT_LE(last, end);
}

TEST(Inputs, ModbusAndAMeterArriveWithTheirValuesInOrderAndWithTheTimeOfTheMeasurement) {
  const std::uint16_t port = free_port();
  modbus::Server plc({"--tcp", std::to_string(port)}, units);
  modbus::PtyPair line;
  modbus::Server drive({"--rtu", line.theirs()}, units);
  plugin_test::Pty meter;
  Broker broker;
  Subscriber subscriber(broker.port());
  AgentProcess agent(
      broker_section(broker) +
      modbus_input("plc", "transport = \"tcp\"\nserver = \"127.0.0.1\"\nport = " + std::to_string(port)) +
      modbus_input("drive", "transport = \"rtu\"\ndevice = \"" + line.ours() + "\"\nbaud = 115200") +
      "[[input]]\nplugin = \"serial\"\nname = \"meter\"\ntopic = \"plant/{input}\"\ndevice = \"" +
      meter.device() + "\"\nbaud = 9600\ndelimiter = \"\\r\\n\"\npayload = \"json\"\n");
  const double start = now();
  agent.start();
  ASSERT_TRUE(agent.wait_for_log("input.meter: opened")) << agent.log();
  for (int i = 0; i < 200; ++i) {
    meter.write("{\"energy_wh\":" + std::to_string(i) + ",\"state\":\"ok\"}\r\n");
    if (i == 0) {
      ASSERT_TRUE(subscriber.wait_for([](const Received& received) {
        return received.topic == "plant/meter";
      })) << agent.log();
    }
  }
  ASSERT_TRUE(wait_until([&] {
    auto seen = by_topic(subscriber);
    return seen["plant/meter"].size() >= 200 && seen["plant/plc/level"].size() >= 20 &&
           seen["plant/drive/level"].size() >= 20;
  })) << agent.log()
      << agent.status().dump(1);
  auto seen = by_topic(subscriber);
  const double end = now();
  for (const std::string bus : {"plc", "drive"}) {
    for (const auto& [tag, value] :
         std::map<std::string, double>{{"temperature", 21.5}, {"pressure", 101.3}, {"level", -70000}}) {
      const auto& messages = seen["plant/" + bus + "/" + tag];
      ASSERT_GE(messages.size(), 20U);
      for (const nlohmann::json& message : messages)
        EXPECT_DOUBLE_EQ(message["value"].get<double>(), value) << message;
      expect_ordered_between(messages, start, end);
    }
  }
  const auto& readings = seen["plant/meter"];
  ASSERT_EQ(readings.size(), 200U);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    EXPECT_EQ(readings[i]["energy_wh"], i);
    EXPECT_EQ(readings[i]["state"], "ok");
  }
  expect_ordered_between(readings, start, end);
  EXPECT_EQ(agent.stop(), 0) << agent.log();
}

TEST(Inputs, TheTimeIsThatOfTheMeasurementAlsoWhenTheBrokerWasAway) {
  plugin_test::Pty meter;
  BrokerOptions persistent;
  persistent.persistence = true;
  Broker broker(persistent);
  SubscriberOptions historian;
  historian.persistent_id = "historian";
  Subscriber subscriber(broker.port(), historian);
  broker.stop();
  AgentProcess agent(
      broker_section(broker) +
      "[[input]]\nplugin = \"serial\"\nname = \"meter\"\ntopic = \"plant/{input}\"\ndevice = \"" +
      meter.device() + "\"\ndelimiter = \"\\n\"\npayload = \"json\"\n");
  agent.start();
  ASSERT_TRUE(agent.wait_for_log("input.meter: opened")) << agent.log();
  const double before = now();
  meter.write("{\"n\":1}\n");
  // On disk, and therefore some time after it was measured.
  ASSERT_TRUE(wait_until([&] { return agent.buffer()["messages"] == 1; })) << agent.log();
  const double committed = now();
  broker.start();
  ASSERT_TRUE(subscriber.wait_for(1)) << agent.log();
  const double ts = seconds_of(nlohmann::json::parse(subscriber.messages()[0].payload)["ts"]);
  EXPECT_GE(ts, before);
  EXPECT_LE(ts, committed);
}

class Downlink : public testing::Test {
 protected:
  Downlink() {
    agent_.configure(
        broker_section(broker_) +
        modbus_input("plc", "transport = \"tcp\"\nserver = \"127.0.0.1\"\nport = " + std::to_string(port_)) +
        "[[route]]\nmatch = \"cmd/gw/+/#\"\nfrom = \"broker\"\nto = [\"plc\"]\n"
        "[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\n");
    agent_.start();
    EXPECT_TRUE(wait_until([&] {
      const auto subscriptions = agent_.status()["session"]["subscriptions"];
      return !subscriptions.empty() && subscriptions[0]["granted"].get<bool>();
    })) << agent_.log();
  }
  // The answer to a command, once it has come.
  nlohmann::json ask(const std::string& topic, const std::string& payload, const std::string& correlation,
                     bool retain = false) {
    PublishOptions options;
    options.response_topic = "reply/" + correlation;
    options.correlation_data = correlation;
    options.retain = retain;
    publish(broker_.port(), topic, payload, options);
    nlohmann::json answer;
    EXPECT_TRUE(subscriber_.wait_for([&](const Received& received) {
      if (received.topic != options.response_topic) return false;
      EXPECT_EQ(received.correlation_data, correlation);
      answer = nlohmann::json::parse(received.payload);
      return true;
    })) << agent_.log();
    return answer;
  }

  std::uint16_t port_ = free_port();
  modbus::Server plc_{{"--tcp", std::to_string(port_)}, units};
  Broker broker_;
  Subscriber subscriber_{broker_.port()};
  AgentProcess agent_{""};
};

TEST_F(Downlink, ACommandReachesAnInstanceByAWildcardAndItsResultComesBackWithTheCorrelationData) {
  const auto answer = ask("cmd/gw/plc/setpoint", "42", "c-17");
  EXPECT_EQ(answer["ok"], true) << answer;
  EXPECT_NE(plc_("get 1 holding 10 1").find("42"), std::string::npos);
}

TEST_F(Downlink, TheInstancesRefusalComesBack) {
  const auto answer = ask("cmd/gw/plc/setpoint", "101", "c-18");
  EXPECT_EQ(answer["ok"], false);
  EXPECT_NE(answer["error"].get<std::string>().find("100"), std::string::npos) << answer;
  EXPECT_EQ(ask("cmd/gw/plc/level", "1", "c-19")["ok"], false);
}

TEST_F(Downlink, OldCommandsAreRefusedAndNotCarriedOut) {
  const auto answer = ask("cmd/gw/plc/setpoint", "{\"value\":7,\"ts\":\"2020-01-01T00:00:00Z\"}", "c-20");
  EXPECT_EQ(answer["ok"], false);
  EXPECT_NE(answer["error"].get<std::string>().find("expired"), std::string::npos) << answer;
  EXPECT_EQ(plc_("get 1 holding 10 1").find('7'), std::string::npos);
}

TEST_F(Downlink, CommandsThatTheBrokerHadRetainedAreRefused) {
  agent_.stop();
  PublishOptions options;
  options.retain = true;
  options.response_topic = "reply/retained";
  publish(broker_.port(), "cmd/gw/plc/setpoint", "66", options);
  agent_.start();
  ASSERT_TRUE(subscriber_.wait_for([](const Received& received) {
    return received.topic == "reply/retained";
  })) << agent_.log();
  EXPECT_EQ(plc_("get 1 holding 10 1").find("66"), std::string::npos);
  EXPECT_EQ(agent_.status()["metrics"]["downlink"]["expired"], 1);
}

TEST_F(Downlink, NothingEchoes) {
  const auto answer = ask("cmd/gw/plc/setpoint", "5", "c-21");
  EXPECT_EQ(answer["ok"], true) << answer;
  std::size_t commands = 0;
  for (const Received& received : subscriber_.messages())
    commands += received.topic == "cmd/gw/plc/setpoint" ? 1U : 0U;
  EXPECT_EQ(commands, 1U);
  EXPECT_EQ(agent_.status()["metrics"]["downlink"]["received"], 1);
}

TEST_F(Downlink, SendActsAsIfTheBrokerHadSentIt) {
  const Finished sent = agent_.command({"send", "cmd/gw/plc/setpoint", "33"});
  EXPECT_EQ(sent.status, 0) << sent.output;
  EXPECT_TRUE(wait_until([&] { return plc_("get 1 holding 10 1").find("33") != std::string::npos; }));
  EXPECT_EQ(agent_.command({"send", "nobody/listens", "1"}).status, 65);
}

}  // namespace
}  // namespace sluice::test
