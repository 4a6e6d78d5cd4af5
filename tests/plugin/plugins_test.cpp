// SPDX-License-Identifier: Apache-2.0
// Plugins that were built as plugins are: loaded from their files and run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "plugin/catalogue.hpp"
#include "plugin/doubles.hpp"
#include "plugin/schema.hpp"

namespace sluice::plugin {
namespace {

class PluginsTest : public ::testing::Test {
 protected:
  PluginsTest() {
    options_.name = "test";
    options_.agent_id = "gw";
    options_.interval = std::chrono::milliseconds(1);
    options_.backoff_min = std::chrono::milliseconds(1);
    options_.backoff_max = std::chrono::milliseconds(4);
    options_.settings.path = "input \"test\"";
  }

  std::unique_ptr<Instance> start(const std::string& name, std::vector<Setting> settings = {}) {
    const Library& library = catalogue_.find(name);
    options_.settings.children = std::move(settings);
    Problems problems;
    options_.settings = check_settings(options_.settings, library, problems);
    EXPECT_TRUE(problems.empty());
    auto instance = std::make_unique<Instance>(library, options_, upstream_, clock_, metrics_, lines_.log());
    instance->start();
    return instance;
  }

  static bool stop(Instance& instance) {
    instance.request_stop();
    return instance.join(std::chrono::steady_clock::now() + patience);
  }

  static Setting text(const std::string& key, const std::string& value) {
    Setting setting;
    setting.key = key;
    setting.kind = SettingKind::string;
    setting.value = value;
    return setting;
  }

  Catalogue catalogue_{{SLUICE_TEST_PLUGINS}};
  SystemClock clock_;
  Metrics metrics_;
  Lines lines_;
  TestUpstream upstream_;
  InstanceOptions options_;
};

TEST_F(PluginsTest, InPlainCEmitsAndTakesMessages) {
  options_.topic_template = "{input}/{tag}";
  auto instance = start("plain");
  auto command = std::make_shared<Message>();
  command->topic = "cmd/test";
  command->samples = {{"set", 2.5, Quality::good, ""}, {"unit", std::string("bar"), Quality::stale, "old"}};
  EXPECT_EQ(instance->deliver({command, "", {}}), Push::ok);
  const auto completions = upstream_.completions(1);
  const auto messages = upstream_.messages(2);
  EXPECT_TRUE(stop(*instance));
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].topic, "test/a_b");
  EXPECT_EQ(messages[0].samples, (std::vector<Sample>{{"start", std::int64_t{7}, Quality::good, ""}}));
  EXPECT_EQ(messages[1].samples, command->samples);
  ASSERT_EQ(completions.size(), 1U);
  EXPECT_EQ(completions[0].first, "cmd/test");
  EXPECT_EQ(completions[0].second.outcome, Outcome::done);
  EXPECT_EQ(completions[0].second.samples, command->samples);
}

TEST_F(PluginsTest, ByClangAndLibcxxRunInAnAgentOfAnother) {
  if (!std::filesystem::exists(std::filesystem::path(SLUICE_TEST_PLUGINS) / "foreign" /
                               "sluice-foreign.so")) {
    const char* ci = std::getenv("CI");
    ASSERT_FALSE(ci != nullptr && std::string_view(ci) == "true") << "clang++ and libc++ are needed in CI";
    GTEST_SKIP() << "there is no clang++ with libc++ here, so there is no plugin that was built with it";
  }
  auto instance = start("foreign");
  const auto messages = upstream_.messages(2);
  ASSERT_GE(messages.size(), 2U);
  EXPECT_EQ(messages[0].samples[0].value, Value(std::string(100, 'x') + " by libc++"));
  EXPECT_EQ(messages[1].samples[0].value, Value(std::string("still here")));
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(instance->status().restarts, 2U);
  EXPECT_EQ(lines_.count("failed: caught inside"), 1U) << lines_.all();
  EXPECT_EQ(lines_.count("failed: `poll` let an exception out"), 1U) << lines_.all();
}

TEST_F(PluginsTest, OfALaterVersionEmitWhatHasGrown) {
  for (const char* name : {"longer", "shorter"}) {
    options_.topic_template = "{first}/{second}";
    auto instance = start(name);
    const auto messages = upstream_.messages(2);
    EXPECT_TRUE(stop(*instance));
    ASSERT_GE(messages.size(), 2U);
    for (const Message& message : {messages[0], messages[1]}) {
      EXPECT_EQ(message.topic, "a/b");
      const std::vector<Sample> expected = {{"one", std::int64_t{1}, Quality::good, ""},
                                            {"two", std::int64_t{2}, Quality::good, ""}};
      EXPECT_EQ(message.samples, expected);
    }
  }
}

class ThrowingTest : public PluginsTest, public ::testing::WithParamInterface<const char*> {
 protected:
  // The agent has gone on when this returns: the instance was created anew `restarts` times.
  void run_throwing(const std::string& where, std::uint64_t restarts, const std::string& line) {
    auto instance = start(GetParam(), {text("where", where)});
    for (int i = 0; i < 3; ++i) instance->deliver(make_delivery("cmd"));
    EXPECT_TRUE(eventually([&] {
      upstream_.commit();
      return instance->status().restarts >= restarts && (restarts > 0 || instance->status().emitted > 0);
    }));
    upstream_.commit();
    EXPECT_TRUE(stop(*instance));
    EXPECT_EQ(instance->status().state, InstanceState::stopped);
    if (!line.empty()) {
      EXPECT_GE(lines_.count(line), 1U) << where << "\n" << lines_.all();
    }
  }
};

TEST_P(ThrowingTest, FromItsWork) {
  const std::string function = std::string(GetParam()).substr(9);
  run_throwing("work", 2, "failed: `" + function + "` let an exception out: thrown by work");
}
TEST_P(ThrowingTest, WhatIsNoExceptionFromItsWork) {
  const std::string function = std::string(GetParam()).substr(9);
  run_throwing("work int", 2, "failed: `" + function + "` let an exception out;");
}
TEST_P(ThrowingTest, FromCreate) {
  run_throwing("create", 2, "failed: `create` let an exception out: thrown by create");
}
TEST_P(ThrowingTest, FromDestroy) {
  run_throwing("destroy", 0, "`destroy` let an exception out: thrown by destroy");
}
TEST_P(ThrowingTest, FromCommitted) {
  run_throwing("committed", 0, "`committed` let an exception out");
}
TEST_P(ThrowingTest, FromStop) {
  // Whether stop is still called depends on who is faster; that the agent goes on does not.
  run_throwing("stop", 0, "");
}
TEST_P(ThrowingTest, FromValidateAndPlan) {
  const Library& library = catalogue_.find(GetParam());
  Setting table;
  Problems problems;
  table.children = {text("where", "validate")};
  validate(library, table, problems);
  table.children = {text("where", "plan int")};
  EXPECT_TRUE(plan(library, table, problems).empty());
  ASSERT_EQ(problems.all().size(), 2U);
  const std::string plugin = " of plugin \"" + library.name() + "\" let an exception out";
  EXPECT_EQ(problems.all()[0].text, "`validate`" + plugin + ": thrown by validate");
  EXPECT_EQ(problems.all()[1].text, "`plan`" + plugin);
}

INSTANTIATE_TEST_SUITE_P(EveryKind, ThrowingTest,
                         ::testing::Values("throwing_run", "throwing_poll", "throwing_handle"),
                         [](const auto& test) { return std::string(test.param).substr(9); });

}  // namespace
}  // namespace sluice::plugin
