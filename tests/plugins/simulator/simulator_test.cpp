// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <sluice/testing.hpp>

#include "plugins/settings_table.hpp"

extern "C" const sluice_plugin sluice_plugin_v1;

namespace {

using sluice::test::Emitted;
using sluice::test::FakeHost;
using sluice::test::Instance;

const sluice_plugin& plugin = sluice_plugin_v1;

void expect_counted_from_0(const std::vector<Emitted>& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    ASSERT_EQ(messages[i].samples.size(), 1u);
    ASSERT_EQ(messages[i].value<std::int64_t>("value"), static_cast<std::int64_t>(i));
  }
}

TEST(Simulator, CountsFromZeroAndEndsWhenAllAreSent) {
  Instance simulator(plugin, "rate = 0\ncount = 1000");
  simulator.start();
  EXPECT_TRUE(simulator.wait_end().ok());
  const auto messages = simulator.emitted();
  EXPECT_EQ(messages.size(), 1000u);
  expect_counted_from_0(messages);
}

TEST(Simulator, WaitsWhereTheAgentHasNoRoomAndLosesNothing) {
  Instance simulator(plugin, "rate = 0\ncount = 1000");
  simulator.room(10);
  simulator.start();
  EXPECT_EQ(simulator.wait_emitted(10).size(), 10u);
  simulator.room(700);
  EXPECT_EQ(simulator.wait_emitted(710).size(), 710u);
  simulator.room(FakeHost::unlimited);
  EXPECT_TRUE(simulator.wait_end().ok());
  const auto messages = simulator.emitted();
  EXPECT_EQ(messages.size(), 1000u);
  expect_counted_from_0(messages);
}

TEST(Simulator, IsNeverFasterThanItsRate) {
  const auto begin = std::chrono::steady_clock::now();
  Instance simulator(plugin, "rate = 500\ncount = 51");
  simulator.start();
  EXPECT_TRUE(simulator.wait_end().ok());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(100));
  EXPECT_EQ(simulator.emitted().size(), 51u);
  expect_counted_from_0(simulator.emitted());
}

TEST(Simulator, EndsInTheMiddleWhenToldTo) {
  Instance simulator(plugin, "rate = 1000");
  simulator.start();
  simulator.wait_emitted(3);
  EXPECT_TRUE(simulator.stop().ok());
  expect_counted_from_0(simulator.emitted());
}

TEST(Simulator, EndsWhileItWaitsForTheNextMessage) {
  Instance simulator(plugin, "rate = 0.0001");
  simulator.start();
  simulator.wait_emitted(1);
  EXPECT_TRUE(simulator.stop().ok());
  EXPECT_EQ(simulator.emitted().size(), 1u);
}

TEST(Simulator, EndsWhileItWaitsForRoom) {
  Instance simulator(plugin, "rate = 0");
  simulator.room(5);
  simulator.start();
  simulator.wait_emitted(5);
  EXPECT_TRUE(simulator.stop().ok());
  EXPECT_EQ(simulator.emitted().size(), 5u);
}

TEST(Simulator, AddsPadding) {
  Instance simulator(plugin, "rate = 0\ncount = 2\npayload_size = 100");
  simulator.start();
  const auto messages = simulator.wait_emitted(2);
  EXPECT_EQ(messages[1].value<std::int64_t>("value"), 1);
  EXPECT_EQ(messages[1].value<std::string>("padding"), std::string(100, 'x'));
}

TEST(Simulator, SwingsBetweenMinusOneAndOne) {
  Instance simulator(plugin, "signal = \"sine\"\nrate = 0\ncount = 100");
  simulator.start();
  const auto messages = simulator.wait_emitted(100);
  EXPECT_DOUBLE_EQ(messages[0].value<double>("value"), 0);
  EXPECT_DOUBLE_EQ(messages[25].value<double>("value"), 1);
  EXPECT_DOUBLE_EQ(messages[75].value<double>("value"), -1);
}

TEST(Simulator, WandersOffFromZeroInStepsOfOneAtMost) {
  Instance simulator(plugin, "signal = \"random-walk\"\nrate = 0\ncount = 1000");
  simulator.start();
  const auto messages = simulator.wait_emitted(1000);
  EXPECT_DOUBLE_EQ(messages[0].value<double>("value"), 0);
  for (std::size_t i = 1; i < messages.size(); ++i) {
    const double step = messages[i].value<double>("value") - messages[i - 1].value<double>("value");
    EXPECT_LE(std::fabs(step), 1);
    EXPECT_NE(step, 0);
  }
}

TEST(Simulator, RefusesSettingsThatCannotWork) {
  EXPECT_FALSE(sluice::test::check(plugin, "rate = -1.0").problems.empty());
  EXPECT_FALSE(sluice::test::check(plugin, "count = -1").problems.empty());
  EXPECT_FALSE(sluice::test::check(plugin, "signal = \"square\"").problems.empty());
  EXPECT_TRUE(sluice::test::check(plugin, "").problems.empty());
}

TEST(Simulator, ItsReadmeSaysWhatItDeclares) {
  EXPECT_EQ(plugin_test::missing_in_readme(plugin, SLUICE_SOURCE_DIR "/plugins/simulator"), "");
}

TEST(Simulator, ItsSampleLoads) {
  const std::string sample =
      plugin_test::content(SLUICE_SOURCE_DIR "/plugins/simulator/sample.toml");
  EXPECT_NO_THROW(Instance(plugin, sample));
}

}  // namespace
