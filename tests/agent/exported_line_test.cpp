// SPDX-License-Identifier: Apache-2.0
#include "exported_line.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/packed.hpp"

namespace sluice {
namespace {

using nlohmann::ordered_json;

Delivery delivery() {
  auto message = std::make_shared<Message>();
  message->topic = "plant/t";
  message->input = "sim";
  message->time = {.wall_ns = 1'769'860'800'123'456'789, .monotonic_ns = 5, .boot = 7};
  message->samples = {{"", 21.5, Quality::good, ""}};
  message->user_properties = {{"a", "b"}};
  Delivery delivery;
  delivery.message = std::move(message);
  delivery.rewritten_topic = "site/plant/t";
  delivery.options.qos = 2;
  delivery.options.retain = true;
  delivery.options.priority = Priority::high;
  delivery.options.format = Format::raw;
  delivery.options.expiry = std::chrono::seconds(60);
  return delivery;
}

ordered_json line() {
  return {{"id", "1/1"},
          {"topic", "site/plant/t"},
          {"ts", "2026-01-31T12:00:00.123456789Z"},
          {"input", "sim"},
          {"qos", 2},
          {"retain", true},
          {"payload", 21.5},
          {"packed", packed_value(delivery())}};
}

std::string refusal(const std::string& text) {
  try {
    read_exported_line(text);
  } catch (const BadLine& error) {
    return error.what();
  }
  return "";
}

TEST(ExportedLine, CarriesTheWholeMessage) {
  std::string packed;
  pack(delivery(), packed);
  std::string read;
  pack(read_packed(read_exported_line(line().dump())), read);
  EXPECT_EQ(read, packed);
}

TEST(ExportedLine, NeedsNothingButThePackedMessage) {
  EXPECT_EQ(refusal(ordered_json{{"packed", packed_value(delivery())}}.dump()), "");
}

TEST(ExportedLine, SaysWhatIsWrongAndWhatWasExpected) {
  EXPECT_EQ(
      refusal(""),
      "expected a JSON object as `sluice buffer export` writes it, got no JSON: is the line cut short?");
  EXPECT_EQ(refusal("[1]"), "expected a JSON object as `sluice buffer export` writes it");
  EXPECT_EQ(refusal("{}"), "packed: missing");
  EXPECT_EQ(refusal(R"({"packed":"x"})"), R"(packed: expected {"version":…,"base64":…}, got "x")");
  EXPECT_EQ(refusal(R"({"packed":{"base64":""}})"), "packed.version: missing");
  EXPECT_EQ(refusal(R"({"packed":{"version":2,"base64":""}})"),
            "packed.version: expected 1, got 2: it needs a later version of Sluice");
  EXPECT_EQ(refusal(R"({"packed":{"version":1}})"), "packed.base64: missing");
  EXPECT_EQ(refusal(R"({"packed":{"version":1,"base64":7}})"), "packed.base64: expected a string, got 7");
  EXPECT_EQ(refusal(R"({"packed":{"version":1,"base64":"Zm9"}})"),
            "packed.base64: expected base64 (RFC 4648, padded)");
  EXPECT_EQ(refusal(R"({"packed":{"version":1,"base64":"AQAA"}})"),
            "packed.base64: expected a stored message: stored message, byte 3: cut short");
  EXPECT_EQ(refusal(R"({"id":"1/2","topic":"","unreadable":"/wA="})"),
            "a dead letter that cannot be read: expected \"packed\"; take the line out");
}

TEST(ExportedLine, RefusesATopicThatCannotBePublished) {
  for (const std::string topic : {"a/+", "", "a\nb"}) {
    Delivery bad = delivery();
    bad.rewritten_topic.clear();
    auto message = std::make_shared<Message>(*bad.message);
    message->topic = topic;
    bad.message = message;
    EXPECT_EQ(refusal(ordered_json{{"packed", packed_value(bad)}}.dump()).rfind("packed.base64: topic: ", 0),
              0U)
        << topic;
  }
}

TEST(ExportedLine, RefusesWhatWasEditedForPeopleOnly) {
  const auto edited = [](const char* key, const ordered_json& value) {
    ordered_json changed = line();
    changed[key] = value;
    return refusal(changed.dump());
  };
  EXPECT_EQ(edited("topic", "other"),
            "topic: expected \"site/plant/t\" as in \"packed\", got \"other\"; only \"packed\" is imported");
  EXPECT_NE(edited("ts", "2026-01-31T13:00:00Z"), "");
  EXPECT_NE(edited("input", "x"), "");
  EXPECT_NE(edited("qos", 1), "");
  EXPECT_NE(edited("qos", "2"), "");
  EXPECT_NE(edited("retain", false), "");
  EXPECT_EQ(edited("id", "9/9"), "");  // it gets a new one anyway
}

}  // namespace
}  // namespace sluice
