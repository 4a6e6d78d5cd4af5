// SPDX-License-Identifier: Apache-2.0
#include "file/line.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <sluice/message.hpp>

#include "file/text.hpp"

namespace {

using sluice::Message;

constexpr std::int64_t noon = 1'769'860'800'123'456'789;  // 2026-01-31T12:00:00.123456789Z
const sluice::Now now{noon, 5'000'000'000};

std::string line(Message message) {
  message.topic("a/b");
  return file::line_of(sluice::ReceivedMessage(message.raw()), now);
}

const std::string head = R"({"topic":"a/b","ts":"2026-01-31T12:00:00.123456789Z",)";

TEST(FileLine, HasTheSamplesUnderTheirNamesWithTheirTypes) {
  EXPECT_EQ(line(Message().sample("value", 21.5)), head + "\"samples\":{\"value\":21.5}}\n");
  EXPECT_EQ(line(Message()
                     .sample("b", true)
                     .sample("max", UINT64_MAX)
                     .sample("min", INT64_MIN)
                     .sample("s", "x\"\n")),
            head +
                R"("samples":{"b":true,"max":18446744073709551615,"min":-9223372036854775808,"s":"x\"\n"}})" +
                "\n");
}

TEST(FileLine, SaysWhatIsNotGoodAndWhy) {
  EXPECT_EQ(
      line(Message().sample("t", 1).bad("f", "no answer").stale("s", 2, "old")),
      head +
          R"("samples":{"t":1,"f":null,"s":2},"quality":{"f":"bad","s":"stale"},"error":{"f":"no answer","s":"old"}})" +
          "\n");
}

TEST(FileLine, WritesNumbersThatJsonLacksAsNullOfBadQuality) {
  EXPECT_EQ(line(Message().sample("a", NAN).sample("b", INFINITY)),
            head + R"("samples":{"a":null,"b":null},"quality":{"a":"bad","b":"bad"}})" + "\n");
}

TEST(FileLine, WritesBytesAndTextThatIsNotUtf8AsBase64) {
  EXPECT_EQ(line(Message().sample("b", sluice::Bytes{0, 255}).sample("t", "\xff")),
            head + R"("samples":{"b":{"base64":"AP8="},"t":{"base64":"/w=="}}})" + "\n");
}

TEST(FileLine, HasThePayloadAsItIsOrAsBase64) {
  EXPECT_EQ(line(Message().payload("{\"x\":1}")), head + R"("payload":"{\"x\":1}"})" + "\n");
  EXPECT_EQ(line(Message().payload("")), head + R"("payload":""})" + "\n");
  EXPECT_EQ(line(Message().payload("\xff")), head + R"("payload":{"base64":"/w=="}})" + "\n");
}

TEST(FileLine, HasWhatElseIsSet) {
  EXPECT_EQ(
      line(Message()
               .payload("p")
               .content_type("text/plain")
               .response_topic("r")
               .correlation_data("\x01\xff")
               .retain()
               .user_property("k", "1")
               .user_property("k", "2")),
      head +
          R"("payload":"p","content_type":"text/plain","response_topic":"r","correlation_data":{"base64":"Af8="},)"
          R"("properties":[["k","1"],["k","2"]],"retain":true})" +
          "\n");
}

TEST(FileLine, HasTheTimeOfTheMeasurement) {
  const std::string at = "2026-01-31T11:59:59.123456789Z";
  EXPECT_NE(line(Message().sample("v", 1).at_wall(noon - 1'000'000'000)).find(at), std::string::npos);
  EXPECT_NE(line(Message().sample("v", 1).at_device(noon - 1'000'000'000)).find(at), std::string::npos);
  EXPECT_NE(line(Message().sample("v", 1).at_monotonic(4'000'000'000)).find(at), std::string::npos);
}

TEST(FileText, WritesEveryTimeWithNineDigits) {
  EXPECT_EQ(file::rfc3339(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(file::rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(file::rfc3339(INT64_MAX), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(file::rfc3339(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
}

TEST(FileText, KnowsUtf8) {
  for (const char* good : {"", "abc", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(file::is_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc2", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xe2\x82\x41", "a\xff"}) {
    EXPECT_FALSE(file::is_utf8(bad)) << bad;
  }
}

TEST(FileText, WritesBase64AsRfc4648Does) {
  EXPECT_EQ(file::base64(""), "");
  EXPECT_EQ(file::base64("f"), "Zg==");
  EXPECT_EQ(file::base64("fo"), "Zm8=");
  EXPECT_EQ(file::base64("foo"), "Zm9v");
  EXPECT_EQ(file::base64("foobar"), "Zm9vYmFy");
}

}  // namespace
