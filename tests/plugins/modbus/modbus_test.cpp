// SPDX-License-Identifier: Apache-2.0
// The plugin against a server from another project, over TCP, RTU, and RTU over TCP.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <sluice/testing.hpp>

#include "server.hpp"

extern "C" const sluice_plugin sluice_plugin_v1;

namespace sluice::modbus {
namespace {

using test::Emitted;
using test::Instance;

constexpr const char* units = R"({
  "1": {"holding": {"0": [16812, 0, 5, 65534, 18498, 17152], "20": 7, "22": 9, "30": [0, 0, 0, 0], "40": 255},
        "input": {"100": [258, 772]}, "coil": {"3": 1, "4": 0}, "discrete": {"9": 1}},
  "2": {"holding": {"0": [22]}},
  "3": {"holding": {"0": [33]}}})";

constexpr const char* tags_of_1 = R"(
  [[unit]]
  id = 1
  name = "meter"
  [[unit.tag]]
  name = "temperature"
  address = 0
  type = "float32"
  unit = "°C"
  [[unit.tag]]
  name = "level"
  address = 2
  scale = 0.5
  [[unit.tag]]
  name = "signed"
  reference = "40004"
  type = "int16"
  [[unit.tag]]
  name = "label"
  address = 4
  type = "string"
  length = 4
  [[unit.tag]]
  name = "count"
  kind = "input"
  address = 0x64
  type = "uint32"
  byte_order = "CDAB"
  [[unit.tag]]
  name = "running"
  kind = "coil"
  address = 3
  writable = true
  [[unit.tag]]
  name = "door"
  kind = "discrete"
  address = 9
)";

std::string tcp(std::uint16_t port, const std::string& more = {}) {
  return "transport = \"tcp\"\nserver = \"127.0.0.1\"\nport = " + std::to_string(port) +
         "\nresponse_timeout = \"10s\"\ncycle = \"20ms\"\n" + more + "\n";
}

std::string id_of(const Emitted& message) {
  return message.placeholders.at("unit") + "/" + message.placeholders.at("tag");
}

// Those of one tag, in their order.
std::vector<Emitted> of(const std::vector<Emitted>& all, const std::string& id) {
  std::vector<Emitted> out;
  for (const Emitted& one : all) {
    if (id_of(one) == id) out.push_back(one);
  }
  return out;
}

std::size_t good(const std::vector<Emitted>& all, const std::string& id) {
  const auto some = of(all, id);
  return static_cast<std::size_t>(std::count_if(some.begin(), some.end(), [](const Emitted& one) {
    return one.sample("value").quality == Quality::Good;
  }));
}

// Waits until so many more good values of the tag came.
void wait_good(Instance& bus, const std::string& id, std::size_t more = 1) {
  const std::size_t before = good(bus.emitted(), id);
  ASSERT_TRUE(eventually([&] { return good(bus.emitted(), id) >= before + more; })) << id;
}

void expect_values_of_1(Instance& bus) {
  bus.start();
  const auto all = bus.wait_emitted(14);  // two cycles
  const auto value = [&](const char* tag) {
    return of(all, std::string("meter/") + tag).at(0).sample("value").value;
  };
  EXPECT_EQ(value("temperature"), Value(21.5));
  EXPECT_EQ(value("level"), Value(2.5));
  EXPECT_EQ(value("signed"), Value(std::int64_t{-2}));
  EXPECT_EQ(value("label"), Value(std::string("HBC")));
  EXPECT_EQ(value("count"), Value(std::uint64_t{0x03040102}));
  EXPECT_EQ(value("running"), Value(true));
  EXPECT_EQ(value("door"), Value(true));
  for (const Emitted& one : all) {
    EXPECT_EQ(one.samples.size(), 1u);
    EXPECT_EQ(one.sample("value").quality, Quality::Good);
    EXPECT_EQ(one.time_kind, TimeKind::HostMonotonic);
    EXPECT_GT(one.time_ns, 0);
  }
  EXPECT_EQ(of(all, "meter/temperature").at(0).user_properties.at("unit"), "°C");
}

TEST(Modbus, ReadsEveryTableOverTcp) {
  const std::uint16_t port = free_port();
  Server server({"--tcp", std::to_string(port)}, units);
  Instance bus(sluice_plugin_v1, tcp(port) + tags_of_1);
  expect_values_of_1(bus);
  EXPECT_TRUE(bus.stop().ok());
}

TEST(Modbus, ReadsEveryTableOverASerialLine) {
  PtyPair line;
  Server server({"--rtu", line.theirs()}, units);
  Instance bus(sluice_plugin_v1, "transport = \"rtu\"\ndevice = \"" + line.ours() +
                                     "\"\nresponse_timeout = \"10s\"\ncycle = \"20ms\"\n" + tags_of_1);
  expect_values_of_1(bus);
  EXPECT_TRUE(bus.stop().ok());
}

TEST(Modbus, ReadsEveryTableByRtuOverTcp) {
  const std::uint16_t port = free_port();
  Server server({"--rtu-over-tcp", std::to_string(port)}, units);
  Instance bus(sluice_plugin_v1,
               "transport = \"rtu-over-tcp\"\nserver = \"127.0.0.1\"\nport = " + std::to_string(port) +
                   "\nresponse_timeout = \"10s\"\ncycle = \"20ms\"\n" + tags_of_1);
  expect_values_of_1(bus);
}

TEST(Modbus, ReadsNeighboursByOneRequest) {
  const std::uint16_t port = free_port();
  Server server({"--tcp", std::to_string(port)}, units);
  Instance bus(sluice_plugin_v1, "server = \"127.0.0.1\"\nport = " + std::to_string(port) +
                                     "\nresponse_timeout = \"10s\"\ncycle = \"1h\"\n" + tags_of_1);
  bus.start();
  bus.wait_emitted(7);
  EXPECT_EQ(server("requests 1"), "4") << "one for each table";
}

TEST(Modbus, SendsOneMessageForAGroup) {
  const std::uint16_t port = free_port();
  Server server({"--tcp", std::to_string(port)}, units);
  std::string settings = tcp(port) + tags_of_1;
  settings.insert(settings.find("name = \"meter\""), "group = true\n  ");
  Instance bus(sluice_plugin_v1, settings);
  bus.start();
  const Emitted group = bus.wait_emitted(1)[0];
  EXPECT_EQ(id_of(group), "meter/all");
  ASSERT_EQ(group.samples.size(), 7u);
  EXPECT_EQ(group.samples[0].name, "temperature");
  EXPECT_EQ(group.number("level"), 2.5);
}

TEST(Modbus, FindsTheTagThatTheUnitRefusesAndReadsTheRest) {
  const std::uint16_t port = free_port();
  Server server({"--tcp", std::to_string(port)}, units);
  // 21 is illegal, between 20 and 22; so is 41. And 30 is read only together with the gap from 23.
  Instance bus(sluice_plugin_v1, tcp(port) + R"(
    [[unit]]
    id = 1
    put_aside_for = "10ms"
    [[unit.tag]]
    name = "a"
    address = 20
    [[unit.tag]]
    name = "missing"
    address = 21
    [[unit.tag]]
    name = "b"
    address = 22
    [[unit.tag]]
    name = "c"
    address = 30)");
  bus.start();
  for (const char* id : {"1/a", "1/b", "1/c"}) wait_good(bus, id, 3);
  EXPECT_EQ(of(bus.emitted(), "1/b")[0].number("value"), 9);
  const auto missing = of(bus.emitted(), "1/missing");
  ASSERT_EQ(missing.size(), 1u) << "an error is published when it changes";
  EXPECT_EQ(missing[0].sample("value").quality, Quality::Bad);
  EXPECT_EQ(missing[0].sample("value").value, Value());
  EXPECT_EQ(missing[0].sample("value").error, "illegal data address (exception 2)");
  EXPECT_GE(bus.metric("exceptions").value, 3);
  // It is tried again now and then.
  EXPECT_EQ(server("set 1 holding 21 8"), "ok");
  wait_good(bus, "1/missing", 1);
  EXPECT_EQ(bus.metric("put_aside").value, 0);
}

TEST(Modbus, PublishesErrorsInEveryCycleOrNeverWhereTold) {
  const std::uint16_t port = free_port();
  Server server({"--tcp", std::to_string(port)}, units);
  const std::string unit =
      "\n[[unit]]\nid = 1\n[[unit.tag]]\nname = \"a\"\naddress = 20\n"
      "[[unit.tag]]\nname = \"missing\"\naddress = 21\n";
  Instance each(sluice_plugin_v1, tcp(port, "publish_errors = \"cycle\"") + unit);
  each.start();
  ASSERT_TRUE(eventually([&] { return of(each.emitted(), "1/missing").size() >= 3; }));
  Instance never(sluice_plugin_v1, tcp(port, "publish_errors = \"none\"") + unit);
  never.start();
  wait_good(never, "1/a", 3);
  EXPECT_TRUE(of(never.emitted(), "1/missing").empty());
}

// Three units; the second is silent.
std::string three_units(const std::string& put_aside_for) {
  std::string text;
  for (const char* id : {"1", "2", "3"}) {
    text += std::string("\n[[unit]]\nid = ") + id + "\nput_aside_for = \"" + put_aside_for +
            "\"\n[[unit.tag]]\nname = \"t\"\naddress = 0\n";
  }
  return text;
}

// Only the dead unit may be put aside here: on a busy machine a reply of a live one may be late, too.
void expect_dead_unit_put_aside(Server& server, const std::string& link) {
  server("silent 2");
  std::string settings =
      link + "response_timeout = \"1s\"\ncycle = \"10ms\"\npublish_errors = \"cycle\"\n" + three_units("24h");
  for (const char* live : {"id = 1\n", "id = 3\n"}) {
    settings.insert(settings.find(live), "put_aside_after = 1000\n");
  }
  Instance bus(sluice_plugin_v1, settings);
  bus.start();
  bus.wait_metric("put_aside", 1);
  // The first failed cycle asks twice, the next two once.
  EXPECT_EQ(server("requests 2"), "4");
  // Each of these three cycles read the others.
  EXPECT_GE(of(bus.emitted(), "1/t").size(), 3u);
  EXPECT_GE(of(bus.emitted(), "3/t").size(), 3u);
  // From now on they are read without it.
  wait_good(bus, "1/t", 20);
  wait_good(bus, "3/t", 20);
  EXPECT_EQ(server("requests 2"), "4");
  for (const Emitted& dead : of(bus.emitted(), "2/t")) {
    EXPECT_EQ(dead.sample("value").error, "no reply within 1000 ms");
  }
}

TEST(Modbus, DoesNotLetADeadUnitDelayTheOthersOverTcp) {
  const std::uint16_t port = free_port();
  Server server({"--tcp", std::to_string(port)}, units);
  expect_dead_unit_put_aside(server, "server = \"127.0.0.1\"\nport = " + std::to_string(port) + "\n");
}

TEST(Modbus, DoesNotLetADeadUnitDelayTheOthersOnASerialLine) {
  PtyPair line;
  Server server({"--rtu", line.theirs()}, units);
  expect_dead_unit_put_aside(server, "transport = \"rtu\"\ndevice = \"" + line.ours() + "\"\n");
}

TEST(Modbus, TakesAUnitBackThatAnswersAgain) {
  const std::uint16_t port = free_port();
  Server server({"--tcp", std::to_string(port)}, units);
  server("silent 2");
  Instance bus(sluice_plugin_v1, "server = \"127.0.0.1\"\nport = " + std::to_string(port) +
                                     "\nresponse_timeout = \"300ms\"\ncycle = \"10ms\"\n" +
                                     three_units("20ms"));
  bus.start();
  bus.wait_metric("put_aside", 1);
  server("answer 2");
  wait_good(bus, "2/t", 3);
  EXPECT_EQ(bus.metric("put_aside").value, 0);
  EXPECT_EQ(bus.wait_log("answers again").level, Level::Info);
}

TEST(Modbus, GoesOnAfterTheServerWasAway) {
  const std::uint16_t port = free_port();
  auto server = std::make_unique<Server>(std::vector<std::string>{"--tcp", std::to_string(port)}, units);
  Instance bus(sluice_plugin_v1, tcp(port) + three_units("20ms"));
  bus.start();
  wait_good(bus, "1/t", 2);
  server->stop();
  bus.wait_log("Connection refused");
  // Many cycles without it: each unit says so once, and none is put aside for it.
  const double cycles = bus.metric("cycles").value;
  bus.wait_metric("cycles", cycles + 20);
  for (const char* id : {"1/t", "2/t", "3/t"})
    EXPECT_NE(of(bus.emitted(), id).back().sample("value").error, "") << id;
  server = std::make_unique<Server>(std::vector<std::string>{"--tcp", std::to_string(port)}, units);
  for (const char* id : {"1/t", "2/t", "3/t"}) wait_good(bus, id, 2);
  EXPECT_GE(bus.metric("reconnects").value, 1);
  bus.wait_log("the connection is there again");
}

TEST(Modbus, WaitsForASerialDeviceThatIsNotThere) {
  PtyPair line;
  const std::string device = line.beside("ttyUSB0");
  Instance bus(sluice_plugin_v1,
               "transport = \"rtu\"\ndevice = \"" + device + "\"\ncycle = \"10ms\"\n" + three_units("20ms"));
  bus.start();
  bus.wait_log("No such file or directory");
  Server server({"--rtu", line.theirs()}, units);
  ASSERT_EQ(::symlink(line.ours().c_str(), device.c_str()), 0);
  wait_good(bus, "3/t", 2);
}

// ---- Writes

constexpr const char* writable = R"(
  [[unit]]
  id = 1
  name = "pump"
  [[unit.tag]]
  name = "speed"
  address = 2
  scale = 0.1
  min = 0
  max = 100
  unit = "%"
  writable = true
  [[unit.tag]]
  name = "setpoint"
  address = 30
  type = "float32"
  byte_order = "CDAB"
  writable = true
  [[unit.tag]]
  name = "running"
  kind = "coil"
  address = 4
  writable = true
  [[unit.tag]]
  name = "alarm"
  address = 40
  bit = 2
  writable = true
  [[unit.tag]]
  name = "forced"
  address = 20
  write_multiple = true
  writable = true
  [[unit.tag]]
  name = "fixed"
  address = 22
  [[unit.tag]]
  name = "gone"
  address = 50
  writable = true
  [[unit]]
  id = 2
  [[unit.tag]]
  name = "speed"
  address = 0
  writable = true
)";

struct Written : ::testing::Test {
  std::uint16_t port = free_port();
  Server server{{"--tcp", std::to_string(port)}, units};
  Instance bus{sluice_plugin_v1, tcp(port) + writable};

  test::Completion send(const std::string& topic, const std::string& payload) {
    return bus.wait_completion(bus.send(Message().topic(topic).payload(payload)));
  }
  void SetUp() override { bus.start(); }
};

TEST_F(Written, ReachesTheUnitAndIsReadBack) {
  const test::Completion speed = send("cmd/gw/pump/speed", "12.5");
  EXPECT_EQ(speed.outcome, test::Outcome::Done) << speed.text;
  EXPECT_EQ(speed.sample("value").value, Value(12.5));
  EXPECT_EQ(server("get 1 holding 2 1"), "125");
  EXPECT_EQ(send("cmd/gw/set", R"({"tag":"setpoint","value":-2.5})").outcome, test::Outcome::Done);
  EXPECT_EQ(server("get 1 holding 30 2"), "0 49184");
  EXPECT_EQ(send("cmd/gw/running", "true").sample("value").value, Value(true));
  EXPECT_EQ(server("get 1 coil 4 1"), "1");
  EXPECT_EQ(send("cmd/gw/forced", "77").outcome, test::Outcome::Done);
  EXPECT_EQ(server("get 1 holding 20 1"), "77");
  EXPECT_EQ(send("x", R"({"unit":2,"tag":"speed","value":5})").outcome, test::Outcome::Done);
  EXPECT_EQ(server("get 2 holding 0 1"), "5");
  EXPECT_EQ(bus.metric("writes").value, 5);
  EXPECT_EQ(bus.metric("writes_refused").value, 0);
}

TEST_F(Written, ChangesOnlyItsBitOfARegister) {
  EXPECT_EQ(send("cmd/gw/alarm", "off").outcome, test::Outcome::Done);
  EXPECT_EQ(server("get 1 holding 40 1"), "251");
  EXPECT_EQ(send("cmd/gw/alarm", "on").outcome, test::Outcome::Done);
  EXPECT_EQ(server("get 1 holding 40 1"), "255");
}

TEST_F(Written, MayComeAsSamples) {
  const auto token = bus.send(Message().topic("other/input").sample("setpoint", 1.5).sample("running", true));
  const test::Completion done = bus.wait_completion(token);
  EXPECT_EQ(done.outcome, test::Outcome::Done) << done.text;
  EXPECT_EQ(done.sample("setpoint").value, Value(1.5));
  EXPECT_EQ(done.sample("running").value, Value(true));
  EXPECT_EQ(server("get 1 holding 30 2"), "0 16320");
}

TEST_F(Written, IsRefusedWithTheReason) {
  const auto expect = [&](const std::string& topic, const std::string& payload, const std::string& part) {
    const test::Completion answer = send(topic, payload);
    EXPECT_EQ(answer.outcome, test::Outcome::Refused) << payload;
    EXPECT_NE(answer.text.find(part), std::string::npos) << answer.text;
  };
  expect("cmd/pump/fixed", "1", "tag \"fixed\" is not writable");
  expect("cmd/pump/speed", "101", "tag \"speed\": expected at most 100 %, got 101");
  expect("cmd/pump/speed", "fast", "expected a number");
  expect("cmd/pump/colour", "1", "unit \"pump\" has no tag \"colour\"");
  expect("cmd/colour", "1", "no unit has a tag \"colour\"");
  expect("cmd/speed", "1", "several units have a tag \"speed\"");
  expect("cmd/pump/gone", "1", "illegal data address (exception 2)");
  expect("cmd/pump/speed", "", "empty payload");
  EXPECT_EQ(server("get 1 holding 2 1"), "5");
  EXPECT_EQ(bus.metric("writes").value, 0);
  EXPECT_EQ(bus.metric("writes_refused").value, 8);
}

TEST(Modbus, RefusesToWriteToAUnitThatIsPutAside) {
  const std::uint16_t port = free_port();
  Server server({"--tcp", std::to_string(port)}, units);
  server("silent 2");
  Instance bus(sluice_plugin_v1, "server = \"127.0.0.1\"\nport = " + std::to_string(port) +
                                     "\nresponse_timeout = \"300ms\"\ncycle = \"10ms\"\n" + writable);
  bus.start();
  bus.wait_metric("put_aside", 1);
  const auto answer = bus.wait_completion(bus.send(Message().topic("cmd/2/speed").payload("1")));
  EXPECT_EQ(answer.outcome, test::Outcome::Refused);
  EXPECT_EQ(answer.text, "unit \"2\" does not answer and is put aside");
}

}  // namespace
}  // namespace sluice::modbus
