// SPDX-License-Identifier: Apache-2.0
#include "command.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sluice::modbus {
namespace {

bool is_pump(std::string_view name) {
  return name == "pump" || name == "7";
}

Command parsed(std::string_view topic, std::string_view payload) {
  return parse_command(topic, payload, is_pump);
}

TEST(Command, TakesTagAndUnitFromTheTopic) {
  const Command command = parsed("cmd/gw/pump/speed", "12.5");
  EXPECT_EQ(command.unit, "pump");
  EXPECT_EQ(command.tag, "speed");
  EXPECT_EQ(command.value, Value(std::string("12.5")));
  EXPECT_EQ(parsed("cmd/gw/line/speed", "1").unit, "");
  EXPECT_EQ(parsed("speed", "1").tag, "speed");
}

TEST(Command, TakesThemFromThePayloadFirst) {
  const Command command = parsed("cmd/gw/pump/set", R"({"unit":7,"tag":"speed","value":12})");
  EXPECT_EQ(command.unit, "7");
  EXPECT_EQ(command.tag, "speed");
  EXPECT_EQ(command.value, Value(std::uint64_t{12}));
  EXPECT_EQ(parsed("cmd/pump/speed", R"( {"value":true} )").tag, "speed");
}

TEST(Command, KeepsIntegersExact) {
  EXPECT_EQ(parsed("t", R"({"value":18446744073709551615})").value,
            Value(std::uint64_t{18446744073709551615u}));
  EXPECT_EQ(parsed("t", R"({"value":-9223372036854775808})").value, Value(std::int64_t{INT64_MIN}));
  EXPECT_EQ(parsed("t", R"({"value":"text"})").value, Value(std::string("text")));
  EXPECT_EQ(parsed("t", R"({"value":1.5})").value, Value(1.5));
}

TEST(Command, RefusesWhatItCannotRead) {
  for (const char* payload : {"", "  ", "{", "{}", R"({"value":null})", R"({"value":[1]})",
                              R"({"tag":[],"value":1})", R"({"tag":"a"})", "{\"value\":\"\xff\"}"}) {
    EXPECT_THROW(parsed("a/b", payload), std::invalid_argument) << payload;
  }
}

}  // namespace
}  // namespace sluice::modbus
