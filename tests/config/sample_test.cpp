// SPDX-License-Identifier: Apache-2.0
// config/sluice.toml, which is installed, against what the agent reads: neither knows a key that the other does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "config/reading.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string sample() {
  return sluice::test::read_file(SLUICE_SOURCE_DIR "/config/sluice.toml");
}

// Every commented key and table switched on. Keys of a comment stand at its first column: "# key = value".
std::string uncommented() {
  static const std::regex key_or_table(R"(# (\[\[?[a-z.]+\]\]?( .*)?|[a-z_]+ = .*))");
  std::istringstream lines(sample());
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    text += (std::regex_match(line, key_or_table) ? line.substr(2) : line) + "\n";
  }
  return text;
}

void collect(const Setting& table, const std::string& section, const std::string& name, KnownKeys& keys) {
  for (const Setting& child : table.children) {
    if (!section.empty()) keys[section].insert(child.key);
    const std::string child_name = name.empty() ? child.key : name + "." + child.key;
    if (child.kind == SettingKind::table) collect(child, "[" + child_name + "]", child_name, keys);
    if (child.kind != SettingKind::list) continue;
    for (const Setting& element : child.children)
      collect(element, "[[" + child_name + "]]", child_name, keys);
  }
}

TEST(Sample, IsGoodAsItIs) {
  const test::Result result = test::read_text(sample());
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_THAT(result.warnings(), IsEmpty());
  ASSERT_TRUE(result.config.has_value());
  EXPECT_EQ(result.config->instances.size(), 1U);
}

TEST(Sample, IsGoodWithEveryCommentedKeySwitchedOn) {
  const test::Result result = test::read_text(uncommented());
  EXPECT_THAT(result.problems, IsEmpty());
  ASSERT_TRUE(result.config.has_value());
  for (Problem warning : result.config->warnings) warning.place = {};
  std::vector<std::string> warnings;
  for (const Problem& warning : result.config->warnings)
    warnings.push_back(to_string(Problem{{}, warning.path, warning.text}));
  EXPECT_THAT(warnings, ElementsAre("mqtt.tls: has no effect: no broker begins with mqtts://",
                                    "output \"archive\": gets nothing: no [[route]] names it",
                                    "output \"archive\": buffer: has no effect without durable = true",
                                    "route 1: batch_bytes: has no effect without batch_count",
                                    "route 1: batch_age: has no effect without batch_count"));
}

TEST(Sample, ShowsTheDefaults) {
  Environment environment = test::gateway({{"RUNTIME_DIRECTORY", "/run/sluice"}});
  const auto bare = test::read_text("", environment).config;
  const auto full = test::read_text(uncommented(), environment).config;
  ASSERT_TRUE(bare && full);
  EXPECT_EQ(full->agent, bare->agent);
  LogOptions log = full->log;
  EXPECT_EQ(log.levels, (std::map<std::string, Level>{{"mqtt", Level::info}}));
  log.levels.clear();
  EXPECT_EQ(log, bare->log);
  mqtt::Options mqtt = full->mqtt;
  EXPECT_THAT(mqtt.subscriptions, ElementsAre(mqtt::Subscription{"cmd/gateway/#", 1}));
  mqtt.subscriptions.clear();
  EXPECT_EQ(mqtt, bare->mqtt);
  EXPECT_EQ(full->id, bare->id);
  EXPECT_EQ(full->buffer, bare->buffer);
  ASSERT_EQ(full->routes.size(), 1U);
  route::Rule rule = full->routes[0];
  rule.place = {};
  EXPECT_EQ(rule, route::Rules::everything_to_mqtt()[0]);
}

TEST(Sample, HasTheKeysThatTheAgentKnowsAndNoOthers) {
  Problems problems;
  KnownKeys documented;
  collect(load_text(uncommented(), "sluice.toml", problems), "the file", "", documented);
  ASSERT_TRUE(problems.empty());
  for (const char* own : {"signal", "rate", "count", "payload_size"}) {
    EXPECT_EQ(documented["[[input]]"].erase(own), 1U) << "of the simulator: " << own;
  }
  EXPECT_EQ(documented["[[output]]"].erase("path"), 1U) << "of the file output";
  documented.erase("[log.levels]");  // names of parts
  EXPECT_EQ(documented, known_keys());
}

}  // namespace
}  // namespace sluice::config
