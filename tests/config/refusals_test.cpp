// SPDX-License-Identifier: Apache-2.0
// What a person reads who made a mistake: one row a mistake, the whole text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/reading.hpp"

namespace sluice::config {
namespace {

using test::read_text;
using testing::ElementsAre;
using testing::ElementsAreArray;

struct Row {
  const char* text;
  const char* says;
};

void check(const std::string& before, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const test::Result result = read_text(before + row.text);
    EXPECT_FALSE(result.config.has_value()) << row.text;
    EXPECT_THAT(result.problems, ElementsAre("sluice.toml:" + std::string(row.says))) << row.text;
  }
}

TEST(Refusals, OfTheRoot) {
  check("", {{"mqqt = 1", "1: unknown key \"mqqt\"; did you mean \"mqtt\"?"},
             {"[loging]", "1: unknown key \"loging\""},
             {"keepalive = \"9s\"", "1: unknown key \"keepalive\"; it belongs to [mqtt]"},
             {"agent = 1", "1: agent: expected a table, got 1"},
             {"[[mqtt]]", "1: mqtt: expected a table, got a list"},
             {"[input]\nname = \"a\"", "1: input: expected [[input]], a list of tables, got a table"},
             {"route = [1]", "1: route 1: expected a table, got 1"}});
}

TEST(Refusals, OfTheAgent) {
  check(
      "[agent]\n",
      {{"id = 5", "2: agent.id: expected a string, got 5"},
       {"id = \"a/b\"", "2: agent.id: expected a name of 1 to 256 bytes without '/', '+', '#', got \"a/b\""},
       {"id = \"\"", "2: agent.id: expected a name of 1 to 256 bytes without '/', '+', '#', got \"\""},
       {"state_dir = 1", "2: agent.state_dir: expected a string, got 1"},
       {"state_dir = \"\"", "2: agent.state_dir: expected a path, got \"\""},
       {"control_socket = true", "2: agent.control_socket: expected a string, got true"},
       {"control_socket = \"\"", "2: agent.control_socket: expected a path, got \"\""},
       {"plugin_dirs = \"/a\"", "2: agent.plugin_dirs: expected a list of strings, got \"/a\""},
       {"plugin_dirs = [1]", "2: agent.plugin_dirs[0]: expected a string, got 1"},
       {"state_dri = \"/a\"", "2: agent: unknown key \"state_dri\"; did you mean \"state_dir\"?"}});
  const std::string path(108, 'x');
  EXPECT_THAT(
      read_text("[agent]\ncontrol_socket = \"" + path + "\"").problems,
      ElementsAre("sluice.toml:2: agent.control_socket: expected a path of at most 107 bytes, got \"" +
                  std::string(80, 'x') + "\"..."));
}

TEST(Refusals, OfAHostNameThatIsNoId) {
  Environment environment = test::gateway();
  environment.host_name = "";
  EXPECT_THAT(read_text("", environment).problems,
              ElementsAre("agent.id: the host name \"\" is no name for topics: set id in [agent]"));
  EXPECT_THAT(read_text("[agent]\nid = \"a\"", environment).problems, ElementsAre());
}

TEST(Refusals, OfTheLog) {
  check("[log]\n",
        {{"level = \"verbose\"",
          "2: log.level: expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\", got \"verbose\""},
         {"level = \"wran\"",
          "2: log.level: expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\", got \"wran\"; did "
          "you mean \"warn\"?"},
         {"levels = \"info\"", "2: log.levels: expected a table, got \"info\""},
         {"[log.levels]\nmqtt = 1",
          "3: log.levels.mqtt: expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\", got 1"},
         {"target = \"syslog\"",
          "2: log.target: expected \"auto\", \"stderr\", \"journal\" or \"file\", got \"syslog\""},
         {"target = \"file\"", "1: log: expected path = \"...\" with target = \"file\", got no path"},
         {"target = \"file\"\npath = 1", "3: log.path: expected a string, got 1"},
         {"max_bytes = \"1kB\"", "2: log.max_bytes: expected at least 64KiB, got \"1kB\""},
         {"keep = -1", "2: log.keep: expected 0..1000, got -1"},
         {"colour = true", "2: log: unknown key \"colour\""}});
}

TEST(Refusals, OfTheSession) {
  check("[mqtt]\n",
        {{"brokers = \"mqtt://a\"", "2: mqtt.brokers: expected a list of strings, got \"mqtt://a\""},
         {"brokers = []",
          "2: mqtt.brokers: expected at least one broker, such as \"mqtt://127.0.0.1:1883\", got an empty "
          "list"},
         {"brokers = [\n\"mqtt://a\",\n\"tcp://b\"]",
          "4: mqtt.brokers[1]: expected mqtt://HOST:PORT or mqtts://HOST:PORT, got \"tcp://b\""},
         {"brokers = [\"mqtt://a:70000\"]",
          "2: mqtt.brokers[0]: expected a port, 1..65535, and nothing after it, got \"mqtt://a:70000\""},
         {"brokers = [\"mqtt://user:secret@a\"]",
          "2: mqtt.brokers[0]: expected mqtt://HOST or mqtts://HOST, got a user name before '@': use "
          "username and password_file"},
         {"brokers = [1]", "2: mqtt.brokers[0]: expected a string, got 1"},
         {"failback_after = 5", "2: mqtt.failback_after: expected a duration such as \"500ms\", got 5"},
         {"version = 5", "2: mqtt.version: expected \"5\", \"3.1.1\" or \"3.1\", got 5"},
         {"version = \"4\"",
          "2: mqtt.version: expected \"5\", \"3.1.1\" or \"3.1\", got \"4\"; did you mean \"5\"?"},
         {"client_id = \"\"", "2: mqtt.client_id: expected a string that is not empty, got \"\""},
         {"keepalive = \"4s\"", "2: mqtt.keepalive: expected 5s..65535s, got \"4s\""},
         {"keepalive = \"5500ms\"", "2: mqtt.keepalive: expected a multiple of 1s, got \"5500ms\""},
         {"connect_timeout = \"0s\"", "2: mqtt.connect_timeout: expected 100ms..1h, got \"0s\""},
         {"reconnect_min = \"0s\"", "2: mqtt.reconnect_min: expected 10ms..1d, got \"0s\""},
         {"reconnect_max = \"2d\"", "2: mqtt.reconnect_max: expected 10ms..1d, got \"2d\""},
         {"reconnect_min = \"2m\"",
          "2: mqtt.reconnect_min: expected reconnect_min (2m) to be at most reconnect_max (1m), got \"2m\""},
         {"clean_start = \"no\"", "2: mqtt.clean_start: expected true or false, got \"no\""},
         {"session_expiry = \"soon\"",
          "2: mqtt.session_expiry: expected a duration such as \"500ms\", got \"soon\""},
         {"max_inflight = 0", "2: mqtt.max_inflight: expected 1..65535, got 0"},
         {"ack_timeout = \"1ms\"", "2: mqtt.ack_timeout: expected 1s..1d, got \"1ms\""},
         {"username = 5", "2: mqtt.username: expected a string, got 5"},
         {"password_file = true", "2: mqtt.password_file: expected a string, got true"},
         {"password = \"secret\"", "2: mqtt: unknown key \"password\""},
         {"status_topic = \"a/#\"",
          "2: mqtt.status_topic: expected a topic, got \"a/#\": it holds a wildcard ('+' or '#')"},
         {"id = \"header\"", "2: mqtt.id: expected \"property\", \"payload\" or \"none\", got \"header\""},
         {"kepalive = \"9s\"", "2: mqtt: unknown key \"kepalive\"; did you mean \"keepalive\"?"},
         {"ca_file = \"x\"", "2: mqtt: unknown key \"ca_file\"; it belongs to [mqtt.tls]"},
         {"tls = true", "2: mqtt.tls: expected a table, got true"},
         {"subscribe = \"cmd/#\"",
          "2: mqtt.subscribe: expected [[mqtt.subscribe]], a list of tables, got \"cmd/#\""}});
}

TEST(Refusals, OfTls) {
  check(
      "[mqtt]\nbrokers = [\"mqtts://a\"]\n[mqtt.tls]\n",
      {{"ca_file = 1", "4: mqtt.tls.ca_file: expected a string, got 1"},
       {"ca_file = \"/nonexistent/ca\"",
        "4: mqtt.tls.ca_file: there is no such file: looked for \"/nonexistent/ca\""},
       {"min_version = \"1.0\"",
        "4: mqtt.tls.min_version: expected \"1.1\", \"1.2\" or \"1.3\", got \"1.0\"; did you mean \"1.1\"?"},
       {"server_name = 1", "4: mqtt.tls.server_name: expected a string, got 1"},
       {"alpn = 1", "4: mqtt.tls.alpn: expected a string, got 1"},
       {"psk_identity = \"me\"", "4: mqtt.tls.psk_identity: expected psk_file beside it"},
       {"insecure = 1", "4: mqtt.tls.insecure: expected true or false, got 1"},
       {"cafile = \"x\"", "4: mqtt.tls: unknown key \"cafile\"; did you mean \"ca_file\"?"}});
}

TEST(Refusals, OfSubscriptions) {
  check("[[mqtt.subscribe]]\n",
        {{"", "1: mqtt.subscribe[0]: expected filter = \"...\", got no filter"},
         {"filter = 1", "2: mqtt.subscribe[0].filter: expected a string, got 1"},
         {"filter = \"a/#/b\"",
          "2: mqtt.subscribe[0].filter: expected a topic filter, got \"a/#/b\": '#' must be the last level"},
         {"filter = \"a\"\nqos = 3", "3: mqtt.subscribe[0].qos: expected 0..2, got 3"},
         {"filter = \"a\"\nretain = true",
          "3: mqtt.subscribe[0]: unknown key \"retain\"; it belongs to [[route]]"},
         {"filter = \"a\"\n[[mqtt.subscribe]]\nfilter = \"a\"",
          "4: mqtt.subscribe[1].filter: is subscribed to twice: remove one of the two"}});
}

TEST(Refusals, OfTheBuffer) {
  for (const auto& [header, path, line] :
       {std::tuple("[buffer]\n", "buffer.", 2),
        std::tuple("[[output]]\nplugin = \"p\"\nname = \"o\"\n[output.buffer]\n", "output \"o\": buffer.",
                   5)}) {
    const std::vector<std::pair<const char*, const char*>> rows = {
        {"max_bytes = 1000", "max_bytes: expected a size such as \"64MiB\", got 1000"},
        {"max_bytes = \"1kB\"", "max_bytes: expected at least 1MiB, got \"1kB\""},
        {"max_age = \"30\"", "max_age: expected a duration such as \"500ms\", got \"30\""},
        {"reserve_free = \"-1MiB\"", "reserve_free: expected a size such as \"64MiB\", got \"-1MiB\""},
        {"when_full = \"drop\"", "when_full: expected \"drop-oldest\" or \"drop-newest\", got \"drop\""},
        {"durability = \"none\"", "durability: expected \"strict\", \"balanced\" or \"flash\", got \"none\""},
        {"persist_after = 1", "persist_after: expected a duration such as \"500ms\", got 1"},
        {"commit_interval = \"2d\"", "commit_interval: expected 0s..1d, got \"2d\""},
        {"sync = false", "sync: expected \"full\" or \"normal\", got false"},
        {"memory = \"1B\"", "memory: expected 64KiB..1GiB, got \"1B\""},
        {"order = \"lifo\"", "order: expected \"strict\" or \"live-first\", got \"lifo\""},
        {"replay_rate = -1", "replay_rate: expected 0..1000000000, got -1"},
        {"replay_rate = 1.5", "replay_rate: expected 0..1000000000, got 1.5"}};
    for (const auto& [text, says] : rows) {
      EXPECT_THAT(read_text(header + std::string(text)).problems,
                  ElementsAre("sluice.toml:" + std::to_string(line) + ": " + path + says));
    }
  }
  check("[buffer]\n",
        {{"max_byte = \"1GiB\"", "2: buffer: unknown key \"max_byte\"; did you mean \"max_bytes\"?"}});
}

TEST(Refusals, OfInstances) {
  const std::string name =
      "expected a name of at most 64 bytes without spaces, '/', '+', '#', braces and quotes, and no '.' in "
      "front, got ";
  EXPECT_THAT(read_text("[[input]]\n").problems,
              ElementsAre("sluice.toml:1: input 1: expected plugin = \"...\", got no plugin",
                          "sluice.toml:1: input 1: expected name = \"...\", got no name"));
  EXPECT_THAT(read_text("[[input]]\nplugin = \"p\"\nname = \"a b\"\n").problems,
              ElementsAre("sluice.toml:3: input \"a b\": name: " + name + "\"a b\""));
  EXPECT_THAT(read_text("[[input]]\nplugin = \"p\"\nname = \"../a\"\n").problems,
              ElementsAre("sluice.toml:3: input \"../a\": name: " + name + "\"../a\""));
  check("[[input]]\nname = \"a\"\n",
        {{"plugin = \"../evil\"",
          "3: input \"a\": plugin: expected the name of a plugin: letters, digits, - and _, got \"../evil\""},
         {"plugin = 1", "3: input \"a\": plugin: expected a string, got 1"}});
  check("[[input]]\nplugin = \"p\"\nname = \"a\"\n",
        {{"enabled = 1", "4: input \"a\": enabled: expected true or false, got 1"},
         {"topic = \"\"", "4: input \"a\": topic: expected a topic, such as \"{agent}/{input}\", got \"\""},
         {"topic = 1", "4: input \"a\": topic: expected a string, got 1"},
         {"interval = 1", "4: input \"a\": interval: expected a duration such as \"500ms\", got 1"},
         {"interval = \"0s\"", "4: input \"a\": interval: expected 1ms..366d, got \"0s\""},
         {"host = 1", "4: input \"a\": host: expected a table, got 1"},
         {"[input.host]\nqos = 1",
          "5: input \"a\": host: unknown key \"qos\"; it belongs to [[mqtt.subscribe]] or [[route]]"},
         {"[input.buffer]", "4: input \"a\": buffer: only outputs have it"},
         {"durable = true", "4: input \"a\": durable: only outputs have it"},
         {"[[input]]\nplugin = \"p\"\nname = \"a\"",
          "6: input \"a\": name: is taken: sluice.toml:3 has the same name; choose another"},
         {"[[output]]\nplugin = \"p\"\nname = \"a\"",
          "6: output \"a\": name: is taken: sluice.toml:3 has the same name; choose another"},
         {"[[output]]\nplugin = \"p\"\nname = \"mqtt\"",
          "6: output \"mqtt\": name: \"mqtt\" is the session: choose another name"},
         {"[[output]]\nplugin = \"p\"\nname = \"b\"\ntopic = \"x\"",
          "7: output \"b\": topic: only inputs have it"},
         {"[[output]]\nplugin = \"p\"\nname = \"b\"\ninterval = \"1s\"",
          "7: output \"b\": interval: only inputs have it"},
         {"[[output]]\nplugin = \"p\"\nname = \"b\"\ndurable = 1",
          "7: output \"b\": durable: expected true or false, got 1"},
         {"[[output]]\nplugin = \"p\"\nname = \"b\"\n[output.buffer]\nmemry = \"1MiB\"",
          "8: output \"b\": buffer: unknown key \"memry\"; did you mean \"memory\"?"}});
}

TEST(Refusals, OfRoutes) {
  check("[[output]]\nplugin = \"p\"\nname = \"archive\"\n[[route]]\n",
        {{"to = [\"mqtt\"]", "4: route 1: expected match = \"...\", got no match"},
         {"match = \"#\"", "4: route 1: expected to = [\"mqtt\"], or to = [] to end the search, got no to"},
         {"match = \"#\"\nto = \"mqtt\"", "6: route 1: to: expected a list of strings, got \"mqtt\""},
         {"match = \"#\"\nto = [\"archve\"]",
          "6: route 1: to[0]: expected the name of an output or input, or \"mqtt\", got \"archve\"; did you "
          "mean \"archive\"?"},
         {"match = \"#\"\nto = [\n\"mqtt\",\n\"\"]",
          "8: route 1: to[1]: expected the name of an output or input, or \"mqtt\", got \"\""},
         {"match = 1\nto = []", "5: route 1: match: expected a string, got 1"},
         {"match = \"a/#/b\"\nto = []",
          "5: route 1: match: expected a topic filter, got \"a/#/b\": '#' must be the last level"},
         {"match = \"#\"\nto = []\nfrom = \"inputs\"",
          "7: route 1: from: expected \"input\", \"broker\" or \"any\", got \"inputs\"; did you mean "
          "\"input\"?"},
         {"match = \"#\"\nto = []\nloop = 1", "7: route 1: loop: expected true or false, got 1"},
         {"match = \"#\"\nto = []\ncopy = 1", "7: route 1: copy: expected true or false, got 1"},
         {"match = \"#\"\nto = []\ntopic = 1", "7: route 1: topic: expected a string, got 1"},
         {"match = \"a\"\nto = [\"mqtt\"]\ntopic = \"x/{1}\"",
          "7: route 1: topic: \"x/{1}\" uses {1}, but \"a\" has 0 wildcards"},
         {"match = \"#\"\nto = []\nqos = 3", "7: route 1: qos: expected 0..2, got 3"},
         {"match = \"#\"\nto = []\nretain = 0", "7: route 1: retain: expected true or false, got 0"},
         {"match = \"#\"\nto = []\nformat = \"csv\"",
          "7: route 1: format: expected \"json\" or \"raw\", got \"csv\""},
         {"match = \"#\"\nto = []\npriority = 1",
          "7: route 1: priority: expected \"high\", \"normal\" or \"low\", got 1"},
         {"match = \"#\"\nto = []\nkeep = \"first\"",
          "7: route 1: keep: expected \"all\" or \"last\", got \"first\""},
         {"match = \"#\"\nto = []\nkeep = \"last\"\npriority = \"high\"",
          "8: route 1: priority: cannot be set with keep = \"last\": what is kept so has a lane of its own; "
          "remove "
          "one of the two"},
         {"match = \"#\"\nto = []\nkeep = \"last\"\nbatch_count = 5",
          "8: route 1: batch_count: cannot be set with keep = \"last\": of each topic one message waits at "
          "most"},
         {"match = \"#\"\nto = []\nexpiry = \"1500ms\"",
          "7: route 1: expiry: expected a multiple of 1s, got \"1500ms\""},
         {"match = \"#\"\nto = []\nbatch_count = 10001",
          "7: route 1: batch_count: expected 0..10000, got 10001"},
         {"match = \"#\"\nto = []\nbatch_count = 10\nbatch_bytes = \"1MiB\"",
          "8: route 1: batch_bytes: expected 256B..256KiB, got \"1MiB\""},
         {"match = \"#\"\nto = []\nbatch_count = 10\nbatch_age = \"500ms\"",
          "8: route 1: batch_age: expected 1s..1h, got \"500ms\""},
         {"match = \"#\"\nto = []\nbatch_count = 10\nformat = \"raw\"",
          "7: route 1: batch_count: a batch is a JSON array: it needs format = \"json\""},
         {"match = \"#\"\nto = []\ntopc = \"x\"",
          "7: route 1: unknown key \"topc\"; did you mean \"topic\"?"}});
}

TEST(Refusals, OfARunAreReportedTogetherInTheOrderOfTheFiles) {
  const test::Result result =
      test::read_files_of({{"sluice.toml",
                            "[buffer]\nsync = 1\n[mqtt]\nkeepalive = 1\n[[route]]\nmatch = \"#\"\nto = "
                            "[\"a\"]\n[agent]\nid = 1\n"},
                           {"conf.d/1.toml", "[log]\nlevel = 1\n"},
                           {"conf.d/2.toml", "[[input]]\nplugin = \"p\"\nname = 1\n"}});
  EXPECT_FALSE(result.config.has_value());
  EXPECT_THAT(
      result.problems,
      ElementsAre(
          "sluice.toml:2: buffer.sync: expected \"full\" or \"normal\", got 1",
          "sluice.toml:4: mqtt.keepalive: expected a duration such as \"500ms\", got 1",
          "sluice.toml:7: route 1: to[0]: expected the name of an output or input, or \"mqtt\", got \"a\"",
          "sluice.toml:9: agent.id: expected a string, got 1",
          "conf.d/1.toml:2: log.level: expected \"trace\", \"debug\", \"info\", \"warn\" or \"error\", got 1",
          "conf.d/2.toml:3: input 1: name: expected a string, got 1"));
}

TEST(Refusals, NamesAreUniqueAcrossFiles) {
  EXPECT_THAT(
      test::read_files_of({{"sluice.toml", "[[input]]\nplugin = \"p\"\nname = \"a\"\n"},
                           {"conf.d/1.toml", "[[output]]\nplugin = \"p\"\nname = \"a\"\n"}})
          .problems,
      ElementsAre(
          "conf.d/1.toml:3: output \"a\": name: is taken: sluice.toml:3 has the same name; choose another"));
}

}  // namespace
}  // namespace sluice::config
