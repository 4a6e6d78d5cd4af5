// SPDX-License-Identifier: Apache-2.0
#include "serial/payload.hpp"

#include <gtest/gtest.h>

#include <sluice/testing.hpp>
#include <stdexcept>

namespace {

using serial::decode;
using serial::encode;
using serial::number_or_text;
using serial::Payload;
using sluice::Value;
using sluice::test::Emitted;

Emitted decoded(std::string_view frame, Payload payload, bool number = false) {
  sluice::Message message;
  decode(frame, payload, number, message);
  return Emitted(sluice::ReceivedMessage(message.raw()));
}

std::string refusal(std::string_view frame) {
  try {
    decoded(frame, Payload::json);
  } catch (const std::invalid_argument& refused) {
    return refused.what();
  }
  return "";
}

std::string encoded(const sluice::Message& message) {
  return encode(sluice::ReceivedMessage(message.raw()));
}

TEST(SerialPayload, TextPassesUntouchedAlsoWhereItIsNotUtf8) {
  const std::string odd("a\xff\xc3(\0\r", 6);
  EXPECT_EQ(decoded(odd, Payload::text).value<std::string>("value"), odd);
}

TEST(SerialPayload, HexHasTwoDigitsForEachByte) {
  EXPECT_EQ(decoded(std::string_view("\x00\x0a\xff", 3), Payload::hex).value<std::string>("value"), "000aff");
}

TEST(SerialPayload, BytesStayBytes) {
  EXPECT_EQ(decoded(std::string_view("\x00\xff", 2), Payload::bytes).value<sluice::Bytes>("value"),
            (sluice::Bytes{0, 255}));
}

TEST(SerialPayload, TextThatIsANumberBecomesOne) {
  EXPECT_EQ(number_or_text("21.5"), Value(21.5));
  EXPECT_EQ(number_or_text(" -3\r"), Value(std::int64_t{-3}));
  EXPECT_EQ(number_or_text("+7"), Value(std::int64_t{7}));
  EXPECT_EQ(number_or_text("1e3"), Value(1000.0));
  EXPECT_EQ(number_or_text("9223372036854775807"), Value(std::int64_t{INT64_MAX}));
  EXPECT_EQ(number_or_text("18446744073709551615"), Value(std::uint64_t{UINT64_MAX}));
  EXPECT_EQ(number_or_text("99999999999999999999"), Value(1e20));
}

TEST(SerialPayload, TextThatIsNoNumberStaysAsItIs) {
  for (const char* text : {"", " ", "abc", "1,5", "12 kg", "nan", "inf", "-inf", "0x10", "1e999", "+-1",
                           "--1", "1-", ".", "+"}) {
    EXPECT_EQ(number_or_text(text), Value(std::string(text))) << text;
  }
  EXPECT_EQ(decoded("21.5", Payload::text).value<std::string>("value"), "21.5");
}

TEST(SerialPayload, FieldsOfAJsonObjectBecomeSamplesAndKeepTheirTypes) {
  const Emitted message = decoded(
      R"({"b":true,"i":-5,"u":7,"max":18446744073709551615,"d":1.0,"s":"x\u00e4","n":null})", Payload::json);
  EXPECT_EQ(message.samples.size(), 7u);
  EXPECT_EQ(message.value<bool>("b"), true);
  EXPECT_EQ(message.value<std::int64_t>("i"), -5);
  EXPECT_EQ(message.value<std::int64_t>("u"), 7);
  EXPECT_EQ(message.value<std::uint64_t>("max"), UINT64_MAX);
  EXPECT_EQ(message.value<double>("d"), 1.0);
  EXPECT_EQ(message.value<std::string>("s"), "xä");
  EXPECT_EQ(message.sample("n").quality, sluice::Quality::Bad);
}

TEST(SerialPayload, NestedJsonIsNamedByItsPath) {
  const Emitted message = decoded(R"({"a":{"b":1,"c":[2,{"d":3}]}})", Payload::json);
  EXPECT_EQ(message.samples.size(), 3u);
  EXPECT_EQ(message.number("a.b"), 1);
  EXPECT_EQ(message.number("a.c.0"), 2);
  EXPECT_EQ(message.number("a.c.1.d"), 3);
}

TEST(SerialPayload, JsonNamesThatTheAgentKeepsForItselfGetAnUnderscore) {
  const Emitted message = decoded(R"({"ts":1,"id":2,"time":{"s":3}})", Payload::json);
  EXPECT_EQ(message.number("ts_"), 1);
  EXPECT_EQ(message.number("id_"), 2);
  EXPECT_EQ(message.number("time.s"), 3);
  for (const std::string name : {"quality", "error", "encoding", "replayed", "time"}) {
    EXPECT_EQ(decoded("{\"" + name + "\":1}", Payload::json).number(name + "_"), 1);
  }
}

TEST(SerialPayload, WhatIsNoJsonObjectIsRefusedWithAReason) {
  EXPECT_EQ(refusal("21.5 C"), "no JSON");
  EXPECT_EQ(refusal(""), "no JSON");
  EXPECT_EQ(refusal("{\"a\":1"), "no JSON");
  EXPECT_EQ(refusal("{\"a\":\"\xff\"}"), "no JSON");
  EXPECT_EQ(refusal("{\"a\":1e999}"), "no JSON");
  EXPECT_EQ(refusal("[1]"), "JSON, but no object");
  EXPECT_EQ(refusal("{}"), "a JSON object without a value");
  EXPECT_EQ(refusal("{\"\":1}"), "a JSON field without a name");
  EXPECT_EQ(refusal(R"({"a.b":1,"a":{"b":2}})"), "two JSON fields named a.b");
  EXPECT_EQ(refusal(R"({"ts":1,"ts_":2})"), "two JSON fields named ts_");
  EXPECT_EQ(refusal("{\"a\":" + std::string(20, '[') + "1" + std::string(20, ']') + "}"),
            "JSON nested more than 16 deep");
  EXPECT_EQ(refusal("{\"a\":" + std::string(30'000, '[') + std::string(30'000, ']') + "}"),
            "JSON nested more than 16 deep");
}

TEST(SerialPayload, AMessageIsWrittenAsItsPayloadOrItsSample) {
  EXPECT_EQ(encoded(sluice::Message().payload(std::string_view("a\0\xff", 3))), std::string("a\0\xff", 3));
  EXPECT_EQ(encoded(sluice::Message().sample("any", "text")), "text");
  EXPECT_EQ(encoded(sluice::Message().sample("any", 21.5)), "21.5");
  EXPECT_EQ(encoded(sluice::Message().sample("any", -7)), "-7");
  EXPECT_EQ(encoded(sluice::Message().sample("any", true)), "true");
  EXPECT_EQ(encoded(sluice::Message().sample("any", sluice::Bytes{1, 2})), "\x01\x02");
  EXPECT_EQ(encoded(sluice::Message().sample("a", 1).sample("value", "v")), "v");
}

TEST(SerialPayload, AMessageWithoutOneThingToWriteIsRefused) {
  EXPECT_THROW(encoded(sluice::Message().sample("a", 1).sample("b", 2)), sluice::Refused);
  EXPECT_THROW(encoded(sluice::Message().bad("a", "broken")), sluice::Refused);
  EXPECT_THROW(encoded(sluice::Message()), sluice::Refused);
}

}  // namespace
