// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sluice/testing.hpp>

#include "plugins/settings_table.hpp"

extern "C" const sluice_plugin sluice_plugin_v1;

namespace sluice::modbus {
namespace {

std::string problems(const std::string& settings) {
  std::string all;
  for (const std::string& one : test::check(sluice_plugin_v1, settings).problems) all += one + "\n";
  return all;
}

std::string unit(const std::string& tag, const std::string& more = {}) {
  return "server = \"h\"\n[[unit]]\nid = 1\n" + more + "\n[[unit.tag]]\nname = \"t\"\n" + tag + "\n";
}

TEST(Settings, PlanNamesEveryRequest) {
  const auto reported = test::check(sluice_plugin_v1, R"(
    server = "h"
    [[unit]]
    id = 7
    name = "meter"
    address_base = 1
    [[unit.tag]]
    name = "a"
    address = 1
    type = "float64"
    [[unit.tag]]
    name = "b"
    address = 10
    [[unit.tag]]
    name = "c"
    reference = "30001"
  )");
  EXPECT_EQ(reported.problems, std::vector<std::string>{});
  EXPECT_EQ(reported.lines,
            (std::vector<std::string>{"unit meter (7): holding 0..9 (function 3, 10 registers): a, b",
                                      "unit meter (7): input 0 (function 4, 1 register): c"}));
}

TEST(Settings, AreRefusedWithWhatWouldWork) {
  const auto expect = [](const std::string& settings, const std::string& part) {
    EXPECT_NE(problems(settings).find(part), std::string::npos) << part << "\n got: " << problems(settings);
  };
  EXPECT_EQ(problems(unit("address = 1")), "");
  expect(unit("kind = \"holding\""), "expected address or reference");
  expect(unit("address = 0", "address_base = 1"), "expected 1..65536 with address_base 1, got 0");
  expect(unit("address = 65536"), "expected 0..65535 with address_base 0");
  expect(unit("address = 65535\ntype = \"int32\""), "ends after the last address");
  expect(unit("reference = \"4000\""), "such as \"40001\", got \"4000\"");
  expect(unit("reference = \"40001\"\naddress = 1"), "instead of kind and address");
  expect(unit("address = 1\nkind = \"coil\"\ntype = \"int16\""), "are of type bool");
  expect(unit("address = 1\nbit = 3\ntype = \"int16\""), "one bit is of type bool");
  expect(unit("address = 1\nkind = \"coil\"\nbit = 3"), "are bits already");
  expect(unit("address = 1\ntype = \"string\""), "needs length");
  expect(unit("address = 1\nlength = 3"), "only a string or bytes has a length");
  expect(unit("address = 1\nkind = \"input\"\nwritable = true"), "only coils and holding registers");
  expect(unit("address = 1\nscale = 0"), "other than 0");
  expect(unit("address = 1\nmin = 2\nmax = 1"), "at most max");
  expect(unit("address = 1\ntype = \"int64\"", "max_registers = 3"),
         "takes 4 registers, but max_registers is 3");
  expect(unit("address = 1\n[[unit.tag]]\nname = \"t\"\naddress = 2"),
         "another tag of the unit is called \"t\"");
  expect(unit("address = 1\n[[unit]]\nid = 1\n[[unit.tag]]\nname = \"t\"\naddress = 2"),
         "another unit has the same id");
  expect("server = \"h\"\n[[unit]]\nid = 1\n[[unit.tag]]\nname = \"error\"\naddress = 1",
         "cannot be called \"error\"");
  expect("[[unit]]\nid = 1\n[[unit.tag]]\nname = \"t\"\naddress = 1",
         "expected the name or address of the device");
  expect("transport = \"rtu\"\n[[unit]]\nid = 1\n[[unit.tag]]\nname = \"t\"\naddress = 1",
         "expected the serial device");
  expect(
      "transport = \"rtu\"\ndevice = \"/dev/null\"\nbaud = 9601\n[[unit]]\nid = 1\n[[unit.tag]]\nname = "
      "\"t\"\naddress = 1",
      "expected a standard rate");
  expect(
      "transport = \"rtu\"\ndevice = \"/dev/null\"\n[[unit]]\nid = 248\n[[unit.tag]]\nname = \"t\"\naddress "
      "= 1",
      "expected 1..247 on a serial line");
  expect("server = \"h\"", "expected at least one [[input.unit]]");
  expect("server = \"h\"\n[[unit]]\nid = 1", "expected at least one [[input.unit.tag]]");
}

TEST(Settings, AllProblemsAreReportedTogether) {
  const auto reported = test::check(sluice_plugin_v1, unit("address = 1\nscale = 0\nlength = 3"));
  EXPECT_EQ(reported.problems.size(), 2u);
}

TEST(Readme, SaysWhatThePluginDeclares) {
  EXPECT_EQ(plugin_test::missing_in_readme(sluice_plugin_v1, SLUICE_SOURCE_DIR "/plugins/modbus"), "");
}

}  // namespace
}  // namespace sluice::modbus
