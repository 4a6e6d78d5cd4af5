// SPDX-License-Identifier: Apache-2.0
#include "config/difference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/reading.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string before =
    "[mqtt]\n[[input]]\nplugin = \"p\"\nname = \"a\"\nbaud = 1\nlimit = nan\n[[output]]\nplugin = "
    "\"q\"\nname = \"o\"\n"
    "[[route]]\nmatch = \"#\"\nto = [\"o\"]\n";

Difference to(const std::string& after, const Environment& environment = test::gateway()) {
  const auto old_config = test::read_text(before).config;
  const auto new_config = test::read_text(after, environment).config;
  EXPECT_TRUE(old_config && new_config);
  return old_config && new_config ? difference(*old_config, *new_config) : Difference{};
}

std::string replaced(std::string_view what, std::string_view by) {
  std::string text = before;
  return text.replace(text.find(what), what.size(), by);
}

TEST(Difference, PlacesCommentsAndDefaultsWrittenOutAreNone) {
  EXPECT_TRUE(to(before).empty());
  EXPECT_TRUE(to("# moved\n\n" + before).empty());
  EXPECT_TRUE(to(replaced("[mqtt]\n", "[mqtt]\nkeepalive = \"60s\"\n")).empty());
  EXPECT_TRUE(to(replaced("baud = 1\nlimit = nan\n", "limit = nan\nbaud = 1\n")).empty());
}

TEST(Difference, RoutesAndLogLevelsNeedNoRestart) {
  const Difference routes = to(before + "qos = 2\n");
  EXPECT_TRUE(routes.routes);
  EXPECT_FALSE(routes.empty());
  EXPECT_THAT(routes.needs_restart, IsEmpty());
  const Difference levels = to(before + "[log.levels]\nmqtt = \"debug\"\n");
  EXPECT_TRUE(levels.log_levels);
  EXPECT_FALSE(levels.routes);
  EXPECT_FALSE(levels.empty());
  EXPECT_THAT(levels.needs_restart, IsEmpty());
}

TEST(Difference, SectionsThatNeedARestartAreNamed) {
  EXPECT_THAT(to(before + "[log]\ntarget = \"stderr\"\n").needs_restart, ElementsAre("[log] target"));
  EXPECT_THAT(to(before + "[buffer]\nmax_age = \"1d\"\n").needs_restart, ElementsAre("[buffer]"));
  EXPECT_THAT(to(replaced("[mqtt]\n", "[mqtt]\nid = \"none\"\n")).needs_restart, ElementsAre("[mqtt]"));
  EXPECT_THAT(to(before + "[mqtt.tls]\ninsecure = true\n").needs_restart, ElementsAre("[mqtt]"));
  EXPECT_THAT(to(before + "[[mqtt.subscribe]]\nfilter = \"a\"\n").needs_restart, ElementsAre("[mqtt]"));
  const Difference agent = to(before + "[agent]\nplugin_dirs = []\n");
  EXPECT_TRUE(agent.agent);
  EXPECT_THAT(agent.needs_restart, ElementsAre("[agent]"));
}

TEST(Difference, AChangedSecretIsAChangeOfTheSession) {
  const sluice::test::TemporaryDirectory directory;
  Environment environment = test::gateway();
  environment.directory = directory.path();
  directory.write("pw", "one");
  const std::string text = "[mqtt]\npassword_file = \"pw\"\n";
  const auto first = test::read_text(text, environment).config;
  directory.write("pw", "two");
  const auto second = test::read_text(text, environment).config;
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(difference(*first, *second).mqtt);
}

TEST(Difference, InstancesAreNamedThatChangedCameOrWent) {
  EXPECT_THAT(to(replaced("baud = 1", "baud = 2")).needs_restart, ElementsAre("input \"a\""));
  EXPECT_THAT(to(replaced("baud = 1", "")).instances, ElementsAre("a"));
  EXPECT_THAT(to(replaced("baud = 1", "interval = \"2s\"\nbaud = 1")).instances, ElementsAre("a"));
  EXPECT_THAT(to(replaced("baud = 1", "enabled = false\nbaud = 1")).instances, ElementsAre("a"));
  EXPECT_THAT(to(replaced("\"a\"", "\"b\"")).needs_restart, ElementsAre("input \"b\"", "input \"a\""));
  EXPECT_THAT(to(replaced("name = \"o\"\n", "name = \"o\"\ndurable = true\n")).needs_restart,
              ElementsAre("output \"o\""));
}

TEST(Difference, TheBufferOfADurableOutputNeedsARestart) {
  const auto with = [](const std::string& buffer) {
    return replaced("name = \"o\"\n", "name = \"o\"\ndurable = true\n[output.buffer]\n" + buffer);
  };
  const auto first = test::read_text(with("max_bytes = \"2MiB\"\n")).config;
  const auto second = test::read_text(with("max_bytes = \"3MiB\"\n")).config;
  ASSERT_TRUE(first && second);
  EXPECT_THAT(difference(*first, *second).needs_restart, ElementsAre("output \"o\""));
}

}  // namespace
}  // namespace sluice::config
