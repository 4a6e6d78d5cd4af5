// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/testing.hpp>

#include "plugins/settings_table.hpp"
#include "serial/options.hpp"

extern "C" const sluice_plugin sluice_plugin_v1;

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const sluice_plugin& plugin = sluice_plugin_v1;

std::vector<std::string> problems(const std::string& settings) {
  return sluice::test::check(plugin, "device = \"/dev/ttyUSB0\"\n" + settings).problems;
}

serial::Options options(const std::string& settings) {
  const sluice::test::CheckedSettings checked(
      plugin, sluice::test::Source("device = \"/dev/ttyUSB0\"\n" + settings).node);
  return serial::read_options(sluice::Settings(checked.raw()));
}

TEST(SerialSettings, DefaultsWork) {
  EXPECT_THAT(problems(""), ElementsAre());
}

TEST(SerialSettings, ThatCannotWorkAreRefusedWithTheirKey) {
  EXPECT_THAT(problems("baud = 49"), ElementsAre(HasSubstr("baud")));
  EXPECT_THAT(problems("baud = 4000001"), ElementsAre(HasSubstr("baud")));
  EXPECT_THAT(problems("parity = \"both\""), ElementsAre(HasSubstr("parity")));
  EXPECT_THAT(problems("delimiter = \"\""), ElementsAre(HasSubstr("delimiter")));
  EXPECT_THAT(problems("delimiter = \"\\\\q\""), ElementsAre(HasSubstr("delimiter")));
  EXPECT_THAT(problems("framing = \"length\""), ElementsAre(HasSubstr("length")));
  EXPECT_THAT(problems("framing = \"length\"\nlength = 40000"),
              ElementsAre(HasSubstr("at most max_frame, 32768")));
  EXPECT_THAT(problems("number = true\npayload = \"json\""), ElementsAre(HasSubstr("number")));
  EXPECT_THAT(problems("flow = \"rts-cts\"\nrts = \"on\""), ElementsAre(HasSubstr("rts")));
  EXPECT_THAT(sluice::test::check(plugin, "device = \"ttyUSB0\"").problems,
              ElementsAre(HasSubstr("absolute path")));
  EXPECT_THAT(sluice::test::check(plugin, "").problems, ElementsAre(HasSubstr("device")));
}

TEST(SerialSettings, AllProblemsAreReportedTogether) {
  EXPECT_THAT(
      problems("poll = \"\\\\\"\ninit = \"\\\\x0\"\nframing = \"length\"\nnumber = true\npayload = \"hex\""),
      ElementsAre(HasSubstr("init"), HasSubstr("poll"), HasSubstr("length"), HasSubstr("number")));
}

TEST(SerialSettings, EscapesAreRead) {
  const serial::Options read = options("delimiter = \"\\\\r\\\\n\"\npoll = \"\\\\x02Q\"");
  EXPECT_EQ(read.framer.delimiter, "\r\n");
  EXPECT_EQ(read.poll, "\x02Q");
  EXPECT_EQ(options("delimiter = \"\\r\\n\"").framer.delimiter, "\r\n");
}

TEST(SerialSettings, WhatIsWrittenEndsWithTheDelimiterUnlessToldOtherwise) {
  EXPECT_EQ(options("delimiter = \";\"").write_end, ";");
  EXPECT_EQ(options("write_end = \"\"").write_end, "");
  EXPECT_EQ(options("framing = \"silence\"").write_end, "");
  EXPECT_EQ(options("framing = \"silence\"\nwrite_end = \"\\\\r\"").write_end, "\r");
}

TEST(SerialSettings, ThePlanSaysHowTheLineIsDrivenAndWhichPortsThereAre) {
  const auto lines = sluice::test::check(plugin,
                                         "device = \"/dev/ttyUSB0\"\nparity = \"even\"\ndata_bits = 7\n"
                                         "poll = \"Q\\r\"\npoll_interval = \"5s\"\npayload = \"hex\"")
                         .lines;
  EXPECT_THAT(lines, ElementsAre("/dev/ttyUSB0: 9600 Bd, 7E1, flow control none",
                                 "frames end at \"\\n\", and are read as hex",
                                 "every 5000 ms writes \"Q\\r\", and waits 1000 ms for the answer",
                                 HasSubstr("port")));
}

TEST(SerialSettings, TheReadmeSaysWhatIsDeclared) {
  EXPECT_EQ(plugin_test::missing_in_readme(plugin, SLUICE_SOURCE_DIR "/plugins/serial"), "");
}

TEST(SerialSettings, TheSampleLoads) {
  const std::string sample = plugin_test::content(SLUICE_SOURCE_DIR "/plugins/serial/sample.toml");
  EXPECT_NO_THROW(sluice::test::Instance(plugin, sample));
}

}  // namespace
