// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <sluice/testing.hpp>

#include "kernel.hpp"
#include "plugins/settings_table.hpp"

extern "C" const sluice_plugin sluice_plugin_v1;

namespace sluice::gpio {
namespace {

std::string problems(const std::string& settings) {
  std::string all;
  for (const std::string& one : test::check(sluice_plugin_v1, settings).problems) all += one + "\n";
  return all;
}

TEST(Settings, AreRefusedWithWhatWouldWork) {
  const auto expect = [](const std::string& line, const std::string& part) {
    const std::string got = problems("chip = \"c\"\n[[line]]\nname = \"a\"\n" + line);
    EXPECT_NE(got.find(part), std::string::npos) << part << "\n got: " << got;
  };
  EXPECT_EQ(problems("chip = \"c\"\n[[line]]\nname = \"a\"\n"), "");
  expect("direction = \"out\"\nedge = \"both\"", "only an input has edges");
  expect("direction = \"out\"\ndebounce = \"1ms\"", "only an input is debounced");
  expect("initial = 1", "only an output has this");
  expect("at_exit = 1", "only an output has this");
  expect("drive = \"open-drain\"", "only an output has this");
  expect("offset = 1\nline_name = \"x\"", "either offset or line_name");
  expect("[[line]]\nname = \"a\"\nline_name = \"b\"", "another line is called \"a\"");
  expect("offset = 1\n[[line]]\nname = \"b\"\noffset = 1", "another line has the same offset");
  expect("[[line]]\nname = \"b\"\nline_name = \"a\"", "the line is there twice");
  EXPECT_NE(problems("chip = \"c\"\n[[line]]\nname = \"time\"").find("cannot be called \"time\""),
            std::string::npos);
  EXPECT_NE(problems("chip = \"c\"").find("expected at least one [[input.line]]"), std::string::npos);
  EXPECT_NE(problems("chip = \"\"\n[[line]]\nname = \"a\"").find("path, name or label"), std::string::npos);
}

TEST(Readme, SaysWhatThePluginDeclares) {
  EXPECT_EQ(plugin_test::missing_in_readme(sluice_plugin_v1, SLUICE_SOURCE_DIR "/plugins/gpio"), "");
}

// On a machine with gpio-sim: SLUICE_TEST_GPIO_CHIP names a chip whose line 0 nobody uses.
TEST(RealKernel, AnswersAsTheOneInMemory) {
  const char* const chip = std::getenv("SLUICE_TEST_GPIO_CHIP");
  if (chip == nullptr)
    GTEST_SKIP() << "SLUICE_TEST_GPIO_CHIP names no chip; this machine has " << linux_kernel().chips().size();
  test::Instance gpio(sluice_plugin_v1, std::string("chip = \"") + chip +
                                            "\"\n[[line]]\nname = \"a\"\noffset = 0\ndebounce = \"1ms\"\n");
  gpio.start();
  EXPECT_EQ(gpio.wait_emitted(1)[0].sample("value").quality, Quality::Good);
  EXPECT_TRUE(gpio.stop().ok());
}

}  // namespace
}  // namespace sluice::gpio
