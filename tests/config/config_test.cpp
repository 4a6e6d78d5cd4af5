// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/reading.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::gateway;
using test::read_text;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;

Config config_of(std::string_view text, const Environment& environment = gateway()) {
  test::Result result = read_text(text, environment);
  EXPECT_THAT(result.problems, IsEmpty());
  return result.config.value_or(Config{});
}

TEST(Defaults, OfAnEmptyFileAreThoseOfTheContract) {
  const Config config = config_of("");
  EXPECT_THAT(test::lines(config.warnings), IsEmpty());
  EXPECT_EQ(config.agent.id, "gateway");
  EXPECT_EQ(config.agent.state_dir, "/var/lib/sluice");
  EXPECT_EQ(config.agent.control_socket, "/var/lib/sluice/control.sock");
  EXPECT_THAT(config.agent.plugin_dirs, ElementsAre("/usr/lib/sluice/plugins"));

  EXPECT_EQ(config.log, LogOptions{});
  EXPECT_EQ(config.log.level, Level::info);
  EXPECT_EQ(config.log.target, LogOptions::Target::automatic);

  const mqtt::Options& mqtt = config.mqtt;
  EXPECT_THAT(mqtt.brokers, ElementsAre(mqtt::BrokerAddress{"127.0.0.1", 1883, false}));
  EXPECT_EQ(mqtt.failback_after, minutes(10));
  EXPECT_EQ(mqtt.version, mqtt::Version::v5);
  EXPECT_EQ(mqtt.client_id, "gateway");
  EXPECT_EQ(mqtt.keepalive, seconds(60));
  EXPECT_EQ(mqtt.connect_timeout, seconds(10));
  EXPECT_EQ(mqtt.reconnect_min, seconds(1));
  EXPECT_EQ(mqtt.reconnect_max, seconds(60));
  EXPECT_TRUE(mqtt.clean_start);
  EXPECT_EQ(mqtt.session_expiry, seconds(0));
  EXPECT_EQ(mqtt.max_inflight, 100U);
  EXPECT_EQ(mqtt.ack_timeout, seconds(30));
  EXPECT_EQ(mqtt.username, "");
  EXPECT_EQ(mqtt.password, "");
  EXPECT_EQ(mqtt.status_topic, "sluice/gateway/status");
  EXPECT_EQ(mqtt.tls, mqtt::TlsOptions{});
  EXPECT_EQ(mqtt.tls.min_version, "1.2");
  EXPECT_THAT(mqtt.subscriptions, IsEmpty()) << "no table, no subscription";
  EXPECT_FALSE(mqtt.unclean_start);
  EXPECT_EQ(config.id, IdTravel::property);

  const queue::Options& buffer = config.buffer;
  EXPECT_EQ(buffer.name, "mqtt");
  EXPECT_EQ(buffer.directory, "/var/lib/sluice/queue/mqtt");
  EXPECT_EQ(buffer.max_bytes, 1024 * mebibyte);
  EXPECT_EQ(buffer.max_age, hours(24 * 30));
  EXPECT_EQ(buffer.reserve_free, 64 * mebibyte);
  EXPECT_EQ(buffer.when_full, queue::WhenFull::drop_oldest);
  EXPECT_EQ(buffer.persist_after, seconds(1));
  EXPECT_EQ(buffer.commit_interval, seconds(1));
  EXPECT_EQ(buffer.sync, queue::Sync::full);
  EXPECT_EQ(buffer.memory, 4 * mebibyte);
  EXPECT_EQ(buffer.order, queue::Order::strict);
  EXPECT_EQ(buffer.replay_rate, 0U);

  EXPECT_THAT(config.instances, IsEmpty());
  EXPECT_EQ(config.routes, route::Rules::everything_to_mqtt());
}

TEST(Defaults, OfInstancesSubscriptionsAndRoutesAreThoseOfTheContract) {
  const Config config = config_of(
      "[[mqtt.subscribe]]\nfilter = \"cmd/{agent}/#\"\n[[input]]\nplugin = \"modbus\"\nname = \"a\"\n"
      "[[output]]\nplugin = \"file\"\nname = \"b\"\n[[route]]\nmatch = \"#\"\nto = [\"b\", \"a\"]\n");
  EXPECT_THAT(test::lines(config.warnings), IsEmpty());
  EXPECT_THAT(config.mqtt.subscriptions, ElementsAre(mqtt::Subscription{"cmd/gateway/#", 1}));
  ASSERT_EQ(config.instances.size(), 2U);
  const InstanceConfig& input = config.instances[0];
  EXPECT_EQ(input.plugin, "modbus");
  EXPECT_EQ(input.name, "a");
  EXPECT_TRUE(input.is_input);
  EXPECT_TRUE(input.enabled);
  EXPECT_EQ(input.topic, "{agent}/{input}") << "the host fills it in";
  EXPECT_EQ(input.interval, seconds(1));
  EXPECT_EQ(input.place.line, 3U);
  const InstanceConfig& output = config.instances[1];
  EXPECT_FALSE(output.is_input);
  EXPECT_FALSE(output.durable);
  EXPECT_FALSE(output.buffer.has_value());

  ASSERT_EQ(config.routes.size(), 1U);
  route::Rule expected;
  expected.match = "#";
  expected.to = {"b", "a"};
  expected.place = config.routes[0].place;
  EXPECT_EQ(config.routes[0], expected);
  EXPECT_EQ(expected.options, (DeliveryOptions{1, false, Format::json, Priority::normal, seconds(0), {}}));
  EXPECT_EQ(expected.place.line, 9U);
}

TEST(Defaults, FollowSystemd) {
  const Config config = config_of(
      "", gateway({{"STATE_DIRECTORY", "/srv/state:/srv/other"}, {"RUNTIME_DIRECTORY", "/run/sluice"}}));
  EXPECT_EQ(config.agent.state_dir, "/srv/state");
  EXPECT_EQ(config.agent.control_socket, "/run/sluice/control.sock");
  EXPECT_EQ(config.buffer.directory, "/srv/state/queue/mqtt");
}

TEST(Defaults, TheControlSocketFollowsTheStateDirectory) {
  EXPECT_EQ(config_of("[agent]\nstate_dir = \"/srv/x\"\n").agent.control_socket, "/srv/x/control.sock");
}

TEST(Values, EveryKeyOfTheAgentAndTheLogArrives) {
  const Config config = config_of(
      "[agent]\nid = \"g1\"\nstate_dir = \"/s\"\ncontrol_socket = \"/c.sock\"\nplugin_dirs = [\"/p\", "
      "\"/q\"]\n"
      "[log]\nlevel = \"warn\"\ntarget = \"file\"\npath = \"/l\"\nmax_bytes = \"1MB\"\nkeep = "
      "7\n[log.levels]\nmqtt = \"debug\"\n\"input.a\" = \"trace\"\n");
  EXPECT_EQ(config.agent, (AgentOptions{"g1", "/s", "/c.sock", {"/p", "/q"}}));
  LogOptions log;
  log.level = Level::warn;
  log.levels = {{"mqtt", Level::debug}, {"input.a", Level::trace}};
  log.target = LogOptions::Target::file;
  log.path = "/l";
  log.max_bytes = 1'000'000;
  log.keep = 7;
  EXPECT_EQ(config.log, log);
}

TEST(Values, EveryKeyOfTheSessionArrives) {
  const sluice::test::TemporaryDirectory directory;
  for (const char* name : {"ca.pem", "cert.pem", "key.pem"}) directory.write(name, "x");
  std::filesystem::permissions(directory.file("key.pem"), std::filesystem::perms::owner_read);
  Environment environment = gateway();
  environment.directory = directory.path();
  const Config config = config_of(
      "[agent]\nid = \"g1\"\n[mqtt]\nbrokers = [\"mqtts://a:1\", \"mqtt://[::1]\"]\nfailback_after = "
      "\"0s\"\nversion = \"5\"\n"
      "client_id = \"c-{agent}\"\nkeepalive = \"5s\"\nconnect_timeout = \"2s\"\nreconnect_min = "
      "\"100ms\"\nreconnect_max = \"3s\"\n"
      "clean_start = false\nsession_expiry = \"1d\"\nmax_inflight = 20\nack_timeout = \"4s\"\nusername = "
      "\"u\"\n"
      "status_topic = \"s/{agent}\"\nid = \"payload\"\n[mqtt.tls]\nca_file = \"ca.pem\"\ncert_file = "
      "\"cert.pem\"\n"
      "key_file = \"key.pem\"\nserver_name = \"n\"\nmin_version = \"1.3\"\nalpn = \"mqtt\"\n"
      "[[mqtt.subscribe]]\nfilter = \"a/+\"\nqos = 2\n[[mqtt.subscribe]]\nfilter = \"b\"\nqos = 0\n",
      environment);
  EXPECT_THAT(test::lines(config.warnings), IsEmpty());
  mqtt::Options expected;
  expected.brokers = {{"a", 1, true}, {"::1", 1883, false}};
  expected.failback_after = seconds(0);
  expected.client_id = "c-g1";
  expected.keepalive = seconds(5);
  expected.connect_timeout = seconds(2);
  expected.reconnect_min = milliseconds(100);
  expected.reconnect_max = seconds(3);
  expected.clean_start = false;
  expected.session_expiry = hours(24);
  expected.max_inflight = 20;
  expected.ack_timeout = seconds(4);
  expected.username = "u";
  expected.status_topic = "s/g1";
  expected.tls.ca_file = directory.file("ca.pem");
  expected.tls.cert_file = directory.file("cert.pem");
  expected.tls.key_file = directory.file("key.pem");
  expected.tls.server_name = "n";
  expected.tls.min_version = "1.3";
  expected.tls.alpn = "mqtt";
  expected.subscriptions = {{"a/+", 2}, {"b", 0}};
  EXPECT_EQ(config.mqtt, expected);
  EXPECT_EQ(config.id, IdTravel::payload);
}

TEST(Values, AnEmptyStatusTopicMeansNone) {
  EXPECT_EQ(config_of("[mqtt]\nstatus_topic = \"\"\n").mqtt.status_topic, "");
}

TEST(Values, OlderVersionsOfTheProtocolAreKnown) {
  EXPECT_EQ(config_of("[mqtt]\nversion = \"3.1.1\"\n").mqtt.version, mqtt::Version::v311);
  EXPECT_EQ(config_of("[mqtt]\nversion = \"3.1\"\n").mqtt.version, mqtt::Version::v31);
}

TEST(Values, EveryKeyOfTheBufferArrives) {
  const Config config = config_of(
      "[buffer]\nmax_bytes = \"64MiB\"\nmax_age = \"0s\"\nreserve_free = \"1MiB\"\nwhen_full = "
      "\"drop-newest\"\n"
      "durability = \"flash\"\nmemory = \"1MiB\"\norder = \"live-first\"\nreplay_rate = 50\n");
  queue::Options expected;
  expected.directory = "/var/lib/sluice/queue/mqtt";
  expected.max_bytes = 64 * mebibyte;
  expected.max_age = seconds(0);
  expected.reserve_free = mebibyte;
  expected.when_full = queue::WhenFull::drop_newest;
  expected.set(queue::Durability::flash);
  expected.memory = mebibyte;
  expected.order = queue::Order::live_first;
  expected.replay_rate = 50;
  EXPECT_EQ(config.buffer, expected);
}

TEST(Values, TheThreeKeysOfDurabilityOverrideTheLevelOneByOne) {
  const auto keys = [](const std::string& lines) {
    const queue::Options options = config_of("[buffer]\n" + lines).buffer;
    return std::tuple(options.persist_after, options.commit_interval, options.sync);
  };
  using Keys = std::tuple<std::chrono::nanoseconds, std::chrono::nanoseconds, queue::Sync>;
  EXPECT_EQ(keys("durability = \"strict\""), Keys(seconds(0), milliseconds(50), queue::Sync::full));
  EXPECT_EQ(keys("durability = \"balanced\""), Keys(seconds(1), seconds(1), queue::Sync::full));
  EXPECT_EQ(keys("durability = \"flash\""), Keys(seconds(10), seconds(10), queue::Sync::full));
  EXPECT_EQ(keys("durability = \"strict\"\ncommit_interval = \"1ms\""),
            Keys(seconds(0), milliseconds(1), queue::Sync::full));
  // Where they stand does not matter.
  EXPECT_EQ(keys("persist_after = \"2s\"\nsync = \"normal\"\ndurability = \"flash\""),
            Keys(seconds(2), seconds(10), queue::Sync::normal));
}

TEST(Values, APluginsOwnKeysAreLeftToIt) {
  const Config config = config_of(
      "[[input]]\nplugin = \"modbus\"\nname = \"line1\"\nenabled = false\ntopic = \"x/{tag}\"\ninterval = "
      "\"250ms\"\n"
      "url = \"tcp://a\"\n[input.host]\n[[input.tags]]\naddress = 1\n");
  const InstanceConfig& input = config.instances.at(0);
  EXPECT_FALSE(input.enabled);
  EXPECT_EQ(input.topic, "x/{tag}");
  EXPECT_EQ(input.interval, milliseconds(250));
  EXPECT_EQ(input.settings.path, "input \"line1\"");
  std::vector<std::string> keys;
  for (const Setting& setting : input.settings.children) keys.push_back(setting.key + "|" + setting.path);
  EXPECT_THAT(keys, ElementsAre("url|input \"line1\": url", "tags|input \"line1\": tags"));
  EXPECT_EQ(input.raw.children.size(), 8U);
}

TEST(Values, ADurableOutputHasABufferOfItsOwn) {
  const Config config = config_of(
      "[[output]]\nplugin = \"file\"\nname = \"archive\"\ndurable = true\n[output.buffer]\nmax_bytes = "
      "\"2MiB\"\n"
      "[[route]]\nmatch = \"#\"\nto = [\"archive\"]\n");
  ASSERT_TRUE(config.instances.at(0).buffer.has_value());
  EXPECT_EQ(config.instances[0].buffer->max_bytes, 2 * mebibyte);
  EXPECT_EQ(config.instances[0].buffer->name, "archive");
  EXPECT_EQ(config.instances[0].buffer->directory, "/var/lib/sluice/queue/archive");
}

TEST(Values, EveryKeyOfARouteArrives) {
  const Config config = config_of(
      "[[route]]\nmatch = \"cmd/{agent}/+/#\"\nto = [\"mqtt\"]\nfrom = \"any\"\nloop = true\ncopy = "
      "true\ntopic = \"x/{1}\"\nqos = 2\n"
      "retain = true\nformat = \"raw\"\npriority = \"high\"\nexpiry = \"90s\"\n[[route]]\nmatch = \"a\"\nto "
      "= []\nfrom = \"broker\"\nbatch_count = 100\nbatch_bytes = \"1KiB\"\nbatch_age = \"7s\"\n"
      "[[route]]\nmatch = \"b\"\nto = []\nbatch_count = 3\n[[route]]\nmatch = \"c\"\nto = []\nkeep = "
      "\"last\"\n");
  ASSERT_EQ(config.routes.size(), 4U);
  route::Rule expected;
  expected.match = "cmd/gateway/+/#";
  expected.to = {"mqtt"};
  expected.from = route::From::any;
  expected.loop = true;
  expected.copy = true;
  expected.topic = "x/{1}";
  expected.options = {2, true, Format::raw, Priority::high, seconds(90), {}};
  expected.place = config.routes[0].place;
  EXPECT_EQ(config.routes[0], expected);
  EXPECT_EQ(config.routes[1].from, route::From::broker);
  EXPECT_THAT(config.routes[1].to, IsEmpty());
  EXPECT_EQ(config.routes[1].options.batch, (Batching{100, 1024, seconds(7)}));
  EXPECT_EQ(config.routes[2].options.batch, (Batching{3, 16'384, seconds(5)}));
  EXPECT_FALSE(config.routes[2].options.keep_last);
  EXPECT_TRUE(config.routes[3].options.keep_last);
}

TEST(Warnings, TellOfWhatThisVersionDoesNotDoYet) {
  EXPECT_THAT(
      read_text("[buffer]\norder = \"live-first\"\nreplay_rate = 5\n[[input]]\nplugin = \"p\"\nname = "
                "\"i\"\npublish = \"x\"\n"
                "[[output]]\nplugin = \"p\"\nname = \"o\"\ndurable = true\n[[route]]\nmatch = \"#\"\nto = "
                "[\"o\"]\npriority = \"low\"\n")
          .warnings(),
      ElementsAre(
          "sluice.toml:7: input \"i\": publish: not yet: every message is published"));
}

TEST(Warnings, TellOfWhatHasNoEffect) {
  EXPECT_THAT(
      read_text("[log]\npath = \"/x\"\n[mqtt]\nversion = \"3.1.1\"\nsession_expiry = "
                "\"1h\"\n[mqtt.tls]\ninsecure = true\n"
                "[[output]]\nplugin = \"p\"\nname = \"o\"\n[output.buffer]\nmemory = \"1MiB\"\n"
                "[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\nloop = true\nexpiry = \"1s\"\n")
          .warnings(),
      ElementsAre(
          "sluice.toml:2: log.path: has no effect without target = \"file\"",
          "sluice.toml:4: mqtt.version: only MQTT 5 has user properties: messages travel without their id; "
          "id = "
          "\"payload\" puts it into the JSON",
          "sluice.toml:5: mqtt.session_expiry: has no effect without version = \"5\" and clean_start = false",
          "sluice.toml:6: mqtt.tls: has no effect: no broker begins with mqtts://",
          "sluice.toml:7: mqtt.tls.insecure: anybody can pose as the broker",
          "sluice.toml:8: output \"o\": gets nothing: no [[route]] names it",
          "sluice.toml:11: output \"o\": buffer: has no effect without durable = true",
          "sluice.toml:16: route 1: loop: has no effect with from = \"input\"",
          "sluice.toml:17: route 1: expiry: the broker does not learn of it: only MQTT 5 has a message "
          "expiry"));
  EXPECT_THAT(
      read_text("[mqtt]\nclean_start = false\n").warnings(),
      ElementsAre(
          "sluice.toml:2: mqtt.clean_start: with session_expiry = \"0s\" the broker forgets the session when "
          "the connection ends"));
  EXPECT_THAT(
      read_text("[mqtt]\nversion = \"3.1\"\nid = \"none\"\nclient_id = \"a-name-of-more-than-23-bytes\"\n")
          .warnings(),
      ElementsAre(
          "sluice.toml:2: mqtt.version: MQTT 3.1 knows client ids of at most 23 bytes: brokers may refuse "
          "\"a-name-of-more-than-23-bytes\""));
}

TEST(StateDirectory, IsFoundInAFileThatIsBadElsewhere) {
  Problems problems;
  const Setting root = load_text("[agent]\nstate_dir = \"/s\"\nbad = 1\n", "sluice.toml", problems);
  EXPECT_EQ(state_dir_of(root, gateway()), "/s");
  EXPECT_EQ(state_dir_of(Setting{}, gateway()), "/var/lib/sluice");
  EXPECT_EQ(state_dir_of(Setting{}, gateway({{"STATE_DIRECTORY", "/d"}})), "/d");
}

}  // namespace
}  // namespace sluice::config
