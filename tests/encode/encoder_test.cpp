// SPDX-License-Identifier: Apache-2.0
#include "encode/encoder.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.hpp"

namespace sluice::encode {
namespace {

using namespace std::string_literals;
using nlohmann::json;

constexpr std::int64_t noon_ns = 1'769'860'800'123'456'789;  // 2026-01-31T12:00:00.123456789Z
const std::string head = R"({"ts":"2026-01-31T12:00:00.123456789Z")";

Delivery delivery(std::vector<Sample> samples, Format format = Format::json) {
  auto message = std::make_shared<Message>();
  message->topic = "a/b";
  message->time.wall_ns = noon_ns;
  message->samples = std::move(samples);
  Delivery made;
  made.message = message;
  made.options.format = format;
  return made;
}

Delivery changed(const Delivery& from, const std::function<void(Message&)>& change) {
  auto message = std::make_shared<Message>(*from.message);
  change(*message);
  Delivery made = from;
  made.message = message;
  return made;
}

Sample sample(Value value, std::string name = "temperature") {
  return {std::move(name), std::move(value), Quality::good, {}};
}

/// What stands after ts in the JSON of one sample.
std::string one(Value value) {
  const std::string text = encode(delivery({sample(std::move(value))}));
  EXPECT_EQ(text.substr(0, head.size()), head);
  EXPECT_TRUE(json::accept(text)) << text;
  return text.substr(head.size());
}

std::string raw(Value value) {
  return encode(delivery({sample(std::move(value))}, Format::raw));
}

// ---- Times ----

TEST(Rfc3339, HasNineDigitsOfASecond) {
  EXPECT_EQ(rfc3339(noon_ns), "2026-01-31T12:00:00.123456789Z");
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(rfc3339(1'709'210'096'000'000'001), "2024-02-29T12:34:56.000000001Z");
}

TEST(Rfc3339, HoldsEveryTimeThatNanosecondsHold) {
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(rfc3339(std::numeric_limits<std::int64_t>::min()), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(rfc3339(std::numeric_limits<std::int64_t>::max()), "2262-04-11T23:47:16.854775807Z");
}

// ---- JSON ----

TEST(Json, WritesASingleSampleUnderValue) {
  EXPECT_EQ(encode(delivery({sample(21.5)})), R"({"ts":"2026-01-31T12:00:00.123456789Z","value":21.5})");
}

TEST(Json, WritesSeveralSamplesUnderTheirNames) {
  EXPECT_EQ(encode(delivery({sample(21.5), sample(std::int64_t{3}, "count"), sample(true, "door \"1\"")})),
            head + R"(,"temperature":21.5,"count":3,"door \"1\"":true})");
}

TEST(Json, WithoutSamplesTellsTheTime) {
  EXPECT_EQ(encode(delivery({})), head + "}");
}

TEST(Json, KeepsIntegersOf64BitsExact) {
  EXPECT_EQ(one(std::numeric_limits<std::int64_t>::min()), R"(,"value":-9223372036854775808})");
  EXPECT_EQ(one(std::numeric_limits<std::int64_t>::max()), R"(,"value":9223372036854775807})");
  EXPECT_EQ(one(std::numeric_limits<std::uint64_t>::max()), R"(,"value":18446744073709551615})");
}

TEST(Json, WritesDoublesAsShortAsTheyReadBack) {
  EXPECT_EQ(one(0.1), R"(,"value":0.1})");
  EXPECT_EQ(one(0.1 + 0.2), R"(,"value":0.30000000000000004})");
  EXPECT_EQ(one(-0.0), R"(,"value":-0})");
  EXPECT_EQ(one(21.0), R"(,"value":21})");
  EXPECT_EQ(one(1e300), R"(,"value":1e+300})");
  EXPECT_EQ(one(5e-324), R"(,"value":5e-324})");
}

TEST(Json, ReadsBackEveryDouble) {
  std::mt19937_64 random(20260131);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) continue;
    const std::string text = one(number);
    const std::string digits = text.substr(9, text.size() - 10);
    ASSERT_EQ(std::strtod(digits.c_str(), nullptr), number) << text;
    ASSERT_TRUE(json::parse(digits).is_number()) << text;
  }
}

TEST(Json, MakesNotANumberAndInfinityNullOfBadQuality) {
  for (double number : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    EXPECT_EQ(one(number), R"(,"value":null,"quality":"bad"})");
  }
  EXPECT_EQ(encode(delivery({sample(std::nan(""), "a"), sample(1.0, "b")})),
            head + R"(,"a":null,"b":1,"quality":{"a":"bad"}})");
}

TEST(Json, WritesTruthAndAbsence) {
  EXPECT_EQ(one(true), R"(,"value":true})");
  EXPECT_EQ(one(false), R"(,"value":false})");
  EXPECT_EQ(one(std::monostate()), R"(,"value":null})");
}

TEST(Json, EscapesText) {
  EXPECT_EQ(one("plain ä €"s), R"(,"value":"plain ä €"})");
  EXPECT_EQ(one("a\"b\\c/d\n\r\t\b\f\x01\x1f\x7f"s),
            R"(,"value":"a\"b\\c/d\n\r\t\u0008\u000c\u0001\u001f\u007f"})");
  EXPECT_EQ(one("\0"s), R"(,"value":"\u0000"})");
  EXPECT_EQ(one(""s), R"(,"value":""})");
}

TEST(Json, EscapesAndMarksTextThatIsNotUtf8) {
  EXPECT_EQ(one("caf\xe9 \\ \"x\"\n€"s), R"(,"value":"caf\\xe9 \\\\ \"x\"\n€","encoding":"escaped"})");
  EXPECT_EQ(one("\xff\x00"s), R"(,"value":"\\xff\u0000","encoding":"escaped"})");
  EXPECT_EQ(encode(delivery({sample("\xff"s, "a"), sample("b"s, "b"), sample("\xc3"s, "c")})),
            head + R"(,"a":"\\xff","b":"b","c":"\\xc3","encoding":{"a":"escaped","c":"escaped"}})");
}

// The bytes that `escaped` stands for, as the header describes it.
std::string unescaped(const std::string& escaped) {
  std::string bytes;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (escaped[i] != '\\') {
      bytes += escaped[i];
    } else if (escaped[i + 1] == '\\') {
      bytes += '\\';
      ++i;
    } else {
      bytes += static_cast<char>(std::stoi(escaped.substr(i + 2, 2), nullptr, 16));
      i += 3;
    }
  }
  return bytes;
}

TEST(Json, LosesNoByteOfAnyText) {
  std::mt19937 random(20260131);
  const auto pick = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
  for (int i = 0; i < 5'000; ++i) {
    std::string text;
    for (int n = pick(12); n > 0; --n) text += pick(2) == 0 ? '\\' : static_cast<char>(pick(255));
    const json read = json::parse(encode(delivery({sample(text)})));
    const std::string value = read["value"];
    ASSERT_EQ(read.contains("encoding"), !is_utf8(text));
    ASSERT_EQ(is_utf8(text) ? value : unescaped(value), text);
  }
}

TEST(Json, WritesBytesInBase64) {
  // The examples of RFC 4648.
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(one(Bytes{bytes}), ",\"value\":\"" + std::string(text) + "\"}");
  }
  EXPECT_EQ(one(Bytes{"\xfb\xff\x00"s}), R"(,"value":"+/8A"})");
}

TEST(Json, TellsQualityAndErrorOfASingleSample) {
  EXPECT_EQ(encode(delivery({{"t", 1.5, Quality::stale, ""}})), head + R"(,"value":1.5,"quality":"stale"})");
  EXPECT_EQ(encode(delivery({{"t", {}, Quality::bad, "no \"answer\""}})),
            head + R"(,"value":null,"quality":"bad","error":"no \"answer\""})");
}

TEST(Json, TellsQualityAndErrorOfSeveralSamplesByName) {
  EXPECT_EQ(encode(delivery({{"a", 1.0, Quality::good, ""},
                             {"b", {}, Quality::bad, "no answer"},
                             {"c", 2.0, Quality::stale, ""}})),
            head + R"(,"a":1,"b":null,"c":2,"quality":{"b":"bad","c":"stale"},"error":{"b":"no answer"}})");
}

TEST(Json, CarriesTheIdWhereAskedFor) {
  const Delivery made = delivery({sample(1.0)});
  EXPECT_EQ(encode(made, {.id_in_payload = true, .id = "12/345"}), head + R"(,"value":1,"id":"12/345"})");
  EXPECT_EQ(encode(made, {.id_in_payload = false, .id = "12/345"}), head + R"(,"value":1})");
  EXPECT_EQ(encode(made, {.id_in_payload = true, .id = ""}), head + R"(,"value":1})");
}

TEST(Json, MarksWhatWasReplayedWhereAskedFor) {
  const Delivery made = delivery({sample(1.0)});
  EXPECT_EQ(encode(made, {.replayed = true}), head + R"(,"value":1,"replayed":true})");
  EXPECT_EQ(encode(made, {}), head + R"(,"value":1})");
}

TEST(Json, TellsHowFarTheTimeCanBeTrusted) {
  const auto marked = [](TimeMark mark) {
    return encode(changed(delivery({sample(1.0)}), [&](Message& m) { m.time.mark = mark; }));
  };
  EXPECT_EQ(marked(TimeMark::plain), head + R"(,"value":1})");
  EXPECT_EQ(marked(TimeMark::corrected), head + R"(,"value":1,"time":"corrected"})");
  EXPECT_EQ(marked(TimeMark::unsynchronised), head + R"(,"value":1,"time":"unsynchronised"})");
}

TEST(Json, KeepsTheOrderOfItsKeys) {
  const Delivery made = changed(delivery({{"t", "\xff"s, Quality::bad, "why"}}),
                                [](Message& m) { m.time.mark = TimeMark::corrected; });
  EXPECT_EQ(
      encode(made, {.id_in_payload = true, .id = "1/2"}),
      head +
          R"(,"value":"\\xff","quality":"bad","error":"why","encoding":"escaped","id":"1/2","time":"corrected"})");
}

TEST(Json, PassesAPayloadAsItIs) {
  for (Format format : {Format::json, Format::raw}) {
    const Delivery made = changed(delivery({}, format), [](Message& m) { m.payload = "\x00\xff{\"x\":1}"s; });
    EXPECT_EQ(encode(made, {.id_in_payload = true, .id = "1/2"}), "\x00\xff{\"x\":1}"s);
  }
  EXPECT_EQ(encode(changed(delivery({}), [](Message& m) { m.payload = ""; })), "");
}

// ---- Raw ----

TEST(Raw, WritesTheValueOfASingleSample) {
  EXPECT_EQ(raw("text \xff\n"s), "text \xff\n");
  EXPECT_EQ(raw(Bytes{"\x00\x01"s}), "\x00\x01"s);
  EXPECT_EQ(raw(0.1), "0.1");
  EXPECT_EQ(raw(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(raw(std::int64_t{-7}), "-7");
  EXPECT_EQ(raw(true), "true");
  EXPECT_EQ(raw(false), "false");
  EXPECT_EQ(raw(std::monostate()), "");
  EXPECT_EQ(raw(std::nan("")), "nan");
  EXPECT_EQ(raw(HUGE_VAL), "inf");
  EXPECT_EQ(raw(-HUGE_VAL), "-inf");
}

TEST(Raw, WritesAnotherNumberOfSamplesAsJson) {
  EXPECT_EQ(encode(delivery({sample(1.0, "a"), sample(2.0, "b")}, Format::raw)), head + R"(,"a":1,"b":2})");
  EXPECT_EQ(encode(delivery({}, Format::raw)), head + "}");
}

// ---- Content types ----

TEST(ContentType, IsThatOfWhatIsWritten) {
  EXPECT_EQ(content_type(delivery({sample(1.0)})), "application/json");
  EXPECT_EQ(content_type(delivery({sample(1.0, "a"), sample(2.0, "b")}, Format::raw)), "application/json");
  EXPECT_EQ(content_type(delivery({sample(1.0)}, Format::raw)), "text/plain");
  EXPECT_EQ(content_type(delivery({sample("ä"s)}, Format::raw)), "text/plain");
  EXPECT_EQ(content_type(delivery({sample("\xe4"s)}, Format::raw)), "application/octet-stream");
  EXPECT_EQ(content_type(delivery({sample(Bytes{"x"})}, Format::raw)), "application/octet-stream");
}

TEST(ContentType, OfThePayloadOrARawValueIsTheMessagesOwn) {
  const auto image = [](Message& m) { m.content_type = "image/png"; };
  EXPECT_EQ(content_type(changed(delivery({sample(Bytes{"x"})}, Format::raw), image)), "image/png");
  EXPECT_EQ(content_type(changed(delivery({sample(Bytes{"x"})}), image)), "application/json");
  const Delivery payload = changed(delivery({}), [](Message& m) { m.payload = "x"; });
  EXPECT_EQ(content_type(payload), "");
  EXPECT_EQ(content_type(changed(payload, image)), "image/png");
}

}  // namespace
}  // namespace sluice::encode
