// SPDX-License-Identifier: Apache-2.0
#include "plugin/convert.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "plugin/descriptor.hpp"
#include "plugin/handed_out.hpp"
#include "plugin/inbox.hpp"

namespace sluice::plugin {
namespace {

const Stamp now{1'700'000'000'000'000'000, 5'000'000'000, 77};

sluice_sample sample(const char* name) {
  sluice_sample sample{};
  sample.size = sizeof sample;
  sample.name = str(name);
  sample.value = whole(5);
  return sample;
}

// A message that is right in every respect, and what it points to.
struct Emitted {
  std::vector<sluice_sample> samples{sample("value")};
  std::vector<sluice_pair> pairs{{sizeof(sluice_pair), str("tag"), str("a/b+c#d")}};
  std::vector<sluice_pair> properties{{sizeof(sluice_pair), str("key"), str("text")}};
  sluice_message message{};

  Emitted() {
    message.size = sizeof message;
    message.samples = array(samples);
    message.placeholders = array(pairs);
    message.user_properties = array(properties);
  }
  void set(std::vector<sluice_sample> to) {
    samples = std::move(to);
    message.samples = array(samples);
  }
};

class ConvertTest : public ::testing::Test {
 protected:
  Message good(const Emitted& emitted) const {
    Message message;
    const Fault fault = converter_.convert(emitted.message, now, message);
    EXPECT_FALSE(fault) << to_string(fault);
    return message;
  }

  std::string refusal(const std::function<void(Emitted&)>& change) const {
    Emitted emitted;
    change(emitted);
    Message message;
    const Fault fault = converter_.convert(emitted.message, now, message);
    return fault ? to_string(fault) : "";
  }

  Converter converter_{TopicTemplate("{agent}/{input}/{tag}", "g/w", "line1", {{"tag", ""}, {"unit", ""}}),
                       "line1"};
};

const sluice_str null_text = {nullptr, 3};

TEST_F(ConvertTest, FillsInTheTopic) {
  Emitted emitted;
  EXPECT_EQ(good(emitted).topic, "g_w/line1/a_b_c_d") << "a value is one level";
  EXPECT_EQ(good(emitted).input, "line1");
  emitted.message.topic = str("its/own");
  EXPECT_EQ(good(emitted).topic, "its/own");
}

TEST_F(ConvertTest, TakesEveryValue) {
  Emitted emitted;
  std::vector<sluice_sample> samples = {sample("none"),   sample("bool"),   sample("int"),  sample("uint"),
                                        sample("double"), sample("string"), sample("bytes")};
  samples[0].value = {};
  samples[1].value.type = SLUICE_BOOL;
  samples[1].value.as.boolean = 1;
  samples[2].value.as.i64 = std::numeric_limits<std::int64_t>::min();
  samples[3].value.type = SLUICE_UINT64;
  samples[3].value.as.u64 = std::numeric_limits<std::uint64_t>::max();
  samples[4].value.type = SLUICE_DOUBLE;
  samples[4].value.as.f64 = 1.5;
  samples[5].value.type = SLUICE_STRING;
  samples[5].value.as.text = str("\xff not UTF-8 is allowed here");
  samples[6].value.type = SLUICE_BYTES;
  samples[6].value.as.text = {"\0\1", 2};
  samples[6].quality = SLUICE_BAD;
  samples[6].error = str("why");
  emitted.set(samples);
  const Message message = good(emitted);
  ASSERT_EQ(message.samples.size(), 7U);
  EXPECT_EQ(message.samples[0].value, Value());
  EXPECT_EQ(message.samples[1].value, Value(true));
  EXPECT_EQ(message.samples[2].value, Value(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(message.samples[3].value, Value(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ(message.samples[4].value, Value(1.5));
  EXPECT_EQ(message.samples[5].value, Value(std::string("\xff not UTF-8 is allowed here")));
  EXPECT_EQ(message.samples[6].value, Value(Bytes{std::string("\0\1", 2)}));
  EXPECT_EQ(message.samples[6].quality, Quality::bad);
  EXPECT_EQ(message.samples[6].error, "why");
}

TEST_F(ConvertTest, TakesAPayloadAndEveryProperty) {
  Emitted emitted;
  emitted.set({});
  emitted.message.flags = SLUICE_MESSAGE_PAYLOAD | SLUICE_MESSAGE_RETAIN;
  emitted.message.content_type = str("text/plain");
  emitted.message.response_topic = str("answer/here");
  emitted.message.correlation_data = {"\0", 1};
  emitted.message.expiry_s = 9;
  Message message = good(emitted);
  EXPECT_EQ(message.payload, "") << "empty, and there";
  EXPECT_TRUE(message.retain);
  EXPECT_EQ(message.content_type, "text/plain");
  EXPECT_EQ(message.response_topic, "answer/here");
  EXPECT_EQ(message.correlation_data, std::string(1, '\0'));
  EXPECT_EQ(message.expiry, std::chrono::seconds(9));
  EXPECT_EQ(message.user_properties, (std::vector<Property>{{"key", "text"}}));
  emitted.message.payload = {"a\0b", 3};
  EXPECT_EQ(good(emitted).payload, std::string("a\0b", 3));
}

TEST_F(ConvertTest, StampsByEachClock) {
  Emitted emitted;
  EXPECT_EQ(good(emitted).time, (Time{now.wall_ns, now.monotonic_ns, 77, TimeKind::host, TimeMark::plain}));
  emitted.message.time_kind = SLUICE_TIME_DEVICE;
  emitted.message.time_ns = -5;
  EXPECT_EQ(good(emitted).time, (Time{-5, now.monotonic_ns, 77, TimeKind::device, TimeMark::plain}));
  emitted.message.time_kind = SLUICE_TIME_HOST_MONOTONIC;
  emitted.message.time_ns = now.monotonic_ns - 300;
  EXPECT_EQ(good(emitted).time,
            (Time{now.wall_ns - 300, now.monotonic_ns - 300, 77, TimeKind::host, TimeMark::plain}));
  emitted.message.time_kind = SLUICE_TIME_HOST_WALL;
  emitted.message.time_ns = now.wall_ns - 300;
  EXPECT_EQ(good(emitted).time,
            (Time{now.wall_ns - 300, now.monotonic_ns - 300, 77, TimeKind::host, TimeMark::plain}));
  emitted.message.time_ns = now.wall_ns - 6'000'000'000;
  EXPECT_EQ(good(emitted).time, (Time{now.wall_ns - 6'000'000'000, 0, 0, TimeKind::host, TimeMark::plain}))
      << "before this boot";
}

TEST_F(ConvertTest, RefusesWhatBreaksARule) {
  const std::string reserved = "sample 0: name is one of ts, quality, error, encoding, id, time";
  const std::string long_text(65536, 'x');
  EXPECT_EQ(refusal([](Emitted&) {}), "");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.flags = 4; }), "flags has unknown bits");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.token = 1; }), "token is not 0");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.time_kind = 4; }), "time_kind is unknown");
  EXPECT_EQ(refusal([](Emitted& e) {
              e.message.time_kind = SLUICE_TIME_HOST_MONOTONIC;
              e.message.time_ns = -1;
            }),
            "time_ns is out of range");
  EXPECT_EQ(refusal([](Emitted& e) {
              e.message.time_kind = SLUICE_TIME_HOST_WALL;
              e.message.time_ns = std::numeric_limits<std::int64_t>::min();
            }),
            "time_ns is out of range");
  // the topic
  EXPECT_EQ(refusal([](Emitted& e) { e.message.topic = str("a/+"); }), "topic has a wildcard");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.topic = str("a/#"); }), "topic has a wildcard");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.topic = {"a\0b", 3}; }), "topic has a NUL character");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.topic = str("\xc0\xaf"); }), "topic is not UTF-8");
  EXPECT_EQ(refusal([&](Emitted& e) { e.message.topic = str(long_text.c_str()); }),
            "topic is longer than 65535 bytes");
  EXPECT_EQ(refusal([&](Emitted& e) { e.message.topic = {long_text.data(), 65535}; }), "");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.topic = null_text; }), "topic is NULL and has a size");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.placeholders = {}; }), "\"tag\": placeholder is not given");
  EXPECT_EQ(refusal([](Emitted& e) { e.pairs[0].name = str("colour"); }),
            "\"colour\": placeholder is not declared");
  EXPECT_EQ(refusal([](Emitted& e) { e.pairs[0].value = null_text; }), "placeholder is NULL and has a size");
  EXPECT_EQ(refusal([](Emitted& e) { e.pairs[0].value = str("\xff"); }), "topic is not UTF-8");
  EXPECT_EQ(refusal([](Emitted& e) { e.pairs[0].size = 1; }),
            "placeholder has a size that is not within its stride");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.placeholders.stride = 4; }),
            "placeholder has a stride that is too short");
  // the body
  EXPECT_EQ(refusal([](Emitted& e) { e.message.samples = {}; }),
            "samples are missing, and there is no payload");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.payload = str("x"); }),
            "payload is given without SLUICE_MESSAGE_PAYLOAD");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.flags = SLUICE_MESSAGE_PAYLOAD; }),
            "samples are given beside a payload");
  EXPECT_EQ(refusal([](Emitted& e) {
              e.message.samples = {};
              e.message.flags = SLUICE_MESSAGE_PAYLOAD;
              e.message.payload = null_text;
            }),
            "payload is NULL and has a size");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.samples.data = nullptr; }), "samples is NULL and has a count");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.samples.stride = 12; }), "samples is not aligned");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.samples.count = SIZE_MAX; }), "samples has too many elements");
  EXPECT_EQ(refusal([](Emitted& e) { e.samples[0].size = 0; }),
            "sample 0: sample has a size that is not within its stride");
  EXPECT_EQ(refusal([](Emitted& e) { e.samples[0].size = 1000; }),
            "sample 0: sample has a size that is not within its stride");
  // samples
  EXPECT_EQ(refusal([](Emitted& e) { e.samples[0].name = {}; }), "sample 0: name is empty");
  EXPECT_EQ(refusal([](Emitted& e) { e.samples[0].name = null_text; }),
            "sample 0: name is NULL and has a size");
  EXPECT_EQ(refusal([](Emitted& e) { e.samples[0].name = str("\x80"); }), "sample 0: name is not UTF-8");
  for (const char* name : {"ts", "quality", "error", "encoding", "id", "time", "replayed"}) {
    EXPECT_EQ(refusal([&](Emitted& e) { e.samples[0].name = str(name); }), reserved);
  }
  EXPECT_EQ(refusal([](Emitted& e) {
              e.set({sample("a"), sample("b"), sample("a")});
            }),
            "sample 2: name is that of another sample too");
  EXPECT_EQ(refusal([](Emitted& e) { e.samples[0].quality = 3; }), "sample 0: quality is unknown");
  EXPECT_EQ(refusal([](Emitted& e) { e.samples[0].error = str("\xed\xa0\x80"); }),
            "sample 0: error is not UTF-8");
  EXPECT_EQ(refusal([](Emitted& e) { e.samples[0].value.reserved = 1; }),
            "sample 0: value has `reserved` set");
  for (const std::uint32_t type : {7U, 8U, 9U, 10U, 11U}) {
    EXPECT_EQ(refusal([&](Emitted& e) { e.samples[0].value.type = type; }),
              "sample 0: value is of a type that is unknown, or for settings only");
  }
  EXPECT_EQ(refusal([](Emitted& e) {
              e.samples[0].value.type = SLUICE_BOOL;
              e.samples[0].value.as.i64 = 2;
            }),
            "sample 0: value is a boolean that is not 0 or 1");
  EXPECT_EQ(refusal([](Emitted& e) {
              e.samples[0].value.type = SLUICE_BYTES;
              e.samples[0].value.as.text = null_text;
            }),
            "sample 0: value is NULL and has a size");
  // properties
  EXPECT_EQ(refusal([](Emitted& e) { e.message.content_type = str("\xff"); }), "content_type is not UTF-8");
  EXPECT_EQ(refusal([](Emitted& e) {
              e.message.content_type = {"\0", 1};
            }),
            "content_type has a NUL character");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.response_topic = str("a/#"); }),
            "response_topic has a wildcard");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.response_topic = null_text; }),
            "response_topic is NULL and has a size");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.correlation_data = null_text; }),
            "correlation_data is NULL and has a size");
  EXPECT_EQ(refusal([&](Emitted& e) { e.message.correlation_data = str(long_text.c_str()); }),
            "correlation_data is longer than 65535 bytes");
  EXPECT_EQ(refusal([](Emitted& e) { e.properties[0].value = str("\xff"); }), "user_properties is not UTF-8");
  EXPECT_EQ(refusal([](Emitted& e) { e.properties[0].size = 4; }),
            "user_properties has a size that is not within its stride");
  EXPECT_EQ(refusal([](Emitted& e) { e.message.user_properties.stride = 3; }),
            "user_properties has a stride that is too short");
}

TEST_F(ConvertTest, FindsDuplicatesAmongManySamples) {
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back("n" + std::to_string(i));
  std::vector<sluice_sample> samples;
  for (const std::string& name : names) samples.push_back(sample(name.c_str()));
  EXPECT_EQ(refusal([&](Emitted& e) { e.set(samples); }), "");
  samples[400].name = str("n7");
  EXPECT_EQ(refusal([&](Emitted& e) { e.set(samples); }), "sample 400: name is that of another sample too");
}

TEST_F(ConvertTest, HandsOutWhatItTookIn) {
  Emitted emitted;
  std::vector<sluice_sample> samples = {sample("a"), sample("b"), sample("c")};
  samples[1].value.type = SLUICE_STRING;
  samples[1].value.as.text = str("text");
  samples[2].quality = SLUICE_STALE;
  samples[2].error = str("old");
  emitted.set(samples);
  emitted.message.flags = SLUICE_MESSAGE_RETAIN;
  emitted.message.content_type = str("json");
  emitted.message.response_topic = str("r");
  emitted.message.correlation_data = str("c");
  emitted.message.expiry_s = 60;
  emitted.message.time_kind = SLUICE_TIME_DEVICE;
  emitted.message.time_ns = 5;
  const auto message = std::make_shared<const Message>(good(emitted));
  auto payload = std::make_shared<Message>();
  payload->topic = "cmd";
  payload->payload = "";
  HandedOut handed;
  handed.assign({{11, {message, "rewritten/topic", {}}}, {12, {payload, "", {}}}});
  ASSERT_EQ(handed.size(), 2U);
  EXPECT_EQ(handed.at(1)->token, 12U);
  EXPECT_EQ(handed.at(1)->flags, SLUICE_MESSAGE_PAYLOAD);
  EXPECT_EQ(handed.at(1)->samples.count, 0U);
  sluice_message back = *handed.at(0);
  EXPECT_EQ(back.token, 11U);
  EXPECT_EQ(back.samples.count, 3U);
  back.token = 0;
  Message again;
  const Fault fault = converter_.convert(back, now, again);
  EXPECT_FALSE(fault) << to_string(fault);
  EXPECT_EQ(again.topic, "rewritten/topic");
  again.topic = message->topic;
  EXPECT_EQ(again, *message);
}

}  // namespace
}  // namespace sluice::plugin
