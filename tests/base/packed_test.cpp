// SPDX-License-Identifier: Apache-2.0
#include "base/packed.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace sluice {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

Message small_message() {
  Message message;
  message.topic = "a";
  return message;
}

Delivery delivery(Message message, DeliveryOptions options = {}) {
  return {std::make_shared<const Message>(std::move(message)), {}, options};
}

/// Every field set to something that is not its default.
Message full_message() {
  Message message;
  message.topic = "plant/line1/°C";
  message.input = "line1";
  message.time = {-1'769'860'800'123'456'789, 123'456'789, 0xFEDCBA9876543210U, TimeKind::device,
                  TimeMark::unsynchronised};
  message.samples = {
      {"none", {}, Quality::good, ""},
      {"false", false, Quality::good, ""},
      {"true", true, Quality::stale, "old"},
      {"i64", std::numeric_limits<std::int64_t>::min(), Quality::good, ""},
      {"u64", std::numeric_limits<std::uint64_t>::max(), Quality::bad, "no answer"},
      {"f64", -0.1, Quality::good, ""},
      {"text", "with \0 and \xff"s, Quality::bad, ""},
      {"bytes", Bytes{"\0\1\2"s}, Quality::stale, std::string(300, 'e')},
      {"", std::string(100'000, 'x'), Quality::good, ""},
  };
  message.content_type = "application/x";
  message.response_topic = "reply/1";
  message.correlation_data = "\0\xff"s;
  message.user_properties = {{"a", "1"}, {"a", "2"}, {"", ""}};
  message.expiry = 4294967295s;
  message.retain = true;
  return message;
}

DeliveryOptions full_options() {
  return {2, true, Format::raw, Priority::low, 86400s, {10'000, 262'144, 3600s}};
}

std::string packed(const Delivery& given) {
  std::string bytes;
  pack(given, bytes);
  return bytes;
}

void expect_same(const Delivery& given) {
  const Delivery read = unpack(packed(given));
  EXPECT_EQ(*read.message, *given.message);
  EXPECT_EQ(read.options, given.options);
  EXPECT_EQ(read.topic(), given.topic());
}

TEST(Packed, ReadsBackWhatIsThere) {
  expect_same(delivery(full_message(), full_options()));
}

TEST(Packed, ReadsBackWhatIsNotThere) {
  expect_same(delivery(small_message(), {}));
  expect_same(delivery(Message{}, {}));
}

TEST(Packed, ReadsBackEachOption) {
  for (unsigned qos = 0; qos <= 2; ++qos) {
    for (bool retain : {false, true}) {
      for (Format format : {Format::json, Format::raw}) {
        for (Priority priority : {Priority::high, Priority::normal, Priority::low}) {
          for (auto expiry : {0s, 1s, 127s, 128s, 4294967295s}) {
            expect_same(delivery(small_message(),
                                 {static_cast<std::uint8_t>(qos), retain, format, priority, expiry, {}}));
          }
        }
      }
    }
  }
}

TEST(Packed, ReadsBackEachPropertyAlone) {
  using Change = void (*)(Message&);
  for (Change change : std::initializer_list<Change>{
           [](Message& m) { m.content_type = "x"; }, [](Message& m) { m.response_topic = "x"; },
           [](Message& m) { m.correlation_data = "x"; },
           [](Message& m) {
             m.user_properties = {{"n", "v"}};
           },
           [](Message& m) { m.expiry = 5s; }, [](Message& m) { m.retain = true; },
           [](Message& m) { m.time.kind = TimeKind::device; },
           [](Message& m) { m.time.mark = TimeMark::corrected; }}) {
    Message message = small_message();
    change(message);
    expect_same(delivery(message));
  }
}

TEST(Packed, TellsAnEmptyPayloadFromNone) {
  Message message = small_message();
  message.payload = "";
  expect_same(delivery(message));
  message.payload = "\0\xff payload"s;
  expect_same(delivery(message));
}

TEST(Packed, KeepsTheBitsOfADouble) {
  std::mt19937_64 random(20260131);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t bits = i == 0 ? 0x7FF8000000000001U : random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    Message message = small_message();
    message.samples = {{"x", number, Quality::good, ""}};
    const Delivery read = unpack(packed(delivery(message)));
    const double back = std::get<double>(read.message->samples.at(0).value);
    EXPECT_EQ(std::memcmp(&back, &number, sizeof number), 0);
  }
}

TEST(Packed, HoldsTheRewrittenTopic) {
  Delivery rewritten = delivery(full_message());
  rewritten.rewritten_topic = "v2/x";
  const Delivery read = unpack(packed(rewritten));
  EXPECT_EQ(read.topic(), "v2/x");
  EXPECT_EQ(read.message->topic, "v2/x");
}

TEST(Packed, IsAppended) {
  std::string bytes = "before";
  pack(delivery(small_message()), bytes);
  EXPECT_EQ(bytes, "before" + packed(delivery(small_message())));
}

// The bytes on disk are a contract: a stored queue is read by later versions.
TEST(Packed, IsTheseBytes) {
  Message message;
  message.topic = "a/b";
  message.input = "in";
  message.time = {1, 2, 3, TimeKind::host, TimeMark::corrected};
  message.samples = {{"v", std::int64_t{5}, Quality::stale, "e"}};
  const std::string expected =
      "\x01"                              // version
      "\x04"                              // flags: an expiry of the route
      "\x55"                              // QoS 1, raw, normal, corrected
      "\x03"                              // topic
      "a/b"                               //
      "\x02"                              // input
      "in"                                //
      "\x01\x00\x00\x00\x00\x00\x00\x00"  // wall
      "\x02\x00\x00\x00\x00\x00\x00\x00"  // monotonic
      "\x03\x00\x00\x00\x00\x00\x00\x00"  // boot
      "\xAC\x02"                          // 300 s
      "\x01"                              // name
      "v"                                 //
      "\x13"                              // stale, int64
      "\x05\x00\x00\x00\x00\x00\x00\x00"  //
      "\x01"                              // error
      "e"s;
  EXPECT_EQ(packed(delivery(message, {1, false, Format::raw, Priority::normal, 300s, {}})), expected);
}

TEST(Packed, RefusesEveryCutOrReadsLess) {
  Message message = full_message();
  message.samples.back().value = std::string(200, 'x');
  const Delivery whole = delivery(message, full_options());
  const std::string bytes = packed(whole);
  std::size_t refused = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // In a block of its own size, so that a sanitizer sees a read past the end.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    try {
      const Delivery read = unpack({cut.data(), cut.size()});
      // A cut between two samples is a message with fewer of them: the storage knows the size of a row.
      EXPECT_LT(read.message->samples.size(), message.samples.size());
    } catch (const UnpackError&) {
      ++refused;
    }
  }
  EXPECT_EQ(refused, bytes.size() - message.samples.size());
}

TEST(Packed, RefusesALaterVersion) {
  std::string bytes = packed(delivery(small_message()));
  bytes[0] = 2;
  try {
    unpack(bytes);
    FAIL() << "read";
  } catch (const UnpackError& error) {
    EXPECT_STREQ(error.what(), "stored message, byte 1: a version this program does not know");
  }
  bytes[0] = 0;
  EXPECT_THROW(unpack(bytes), UnpackError);
}

TEST(Packed, KnowsWhatIsKeptByTopicOnly) {
  Delivery kept = delivery(small_message());
  kept.options.keep_last = true;
  const Delivery read = unpack(packed(kept));
  EXPECT_TRUE(read.options.keep_last);
  EXPECT_EQ(read.options, kept.options);
  EXPECT_FALSE(unpack(packed(delivery(small_message()))).options.keep_last);
}

TEST(Packed, RefusesValuesOutOfRange) {
  const std::string good = packed(delivery(small_message()));
  for (const char options : {'\x03', '\xC1'}) {  // QoS 3, mark 3
    std::string bytes = good;
    bytes[2] = options;
    EXPECT_THROW(unpack(bytes), UnpackError);
  }
  for (const char head : {'\x08', '\x0F', '\x30'}) {  // unknown types, an unknown quality
    EXPECT_THROW(unpack(good + "\x01v"s + head), UnpackError);
  }
}

TEST(Packed, RefusesLengthsThatDoNotFit) {
  const std::string head = "\x01\x20\x01"s;
  EXPECT_THROW(unpack(head + "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s), UnpackError);
  EXPECT_THROW(unpack(head + std::string(20, '\xFF')), UnpackError);
  EXPECT_THROW(unpack(head + "\x80"s), UnpackError);
}

TEST(Packed, OfRandomBytesIsAMessageOrAnError) {
  std::mt19937 random(20260131);
  std::uniform_int_distribution<int> byte(0, 255);
  const std::string whole = packed(delivery(full_message(), full_options())).substr(0, 400);
  std::size_t read = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes;
    if (i % 2 == 0) {
      bytes = whole;
      for (int flips = 0; flips < 3; ++flips)
        bytes[random() % bytes.size()] = static_cast<char>(byte(random));
    } else {
      bytes = "\x01";
      for (int n = byte(random); n > 0; --n) bytes += static_cast<char>(byte(random));
    }
    try {
      // What could be read can be stored again, and is the same.
      const Delivery once = unpack(bytes);
      const std::string again = packed(once);
      EXPECT_EQ(packed(unpack(again)), again);
      ++read;
    } catch (const UnpackError&) {
    }
  }
  EXPECT_GT(read, 0U);
}

TEST(Footprint, CountsWhatAMessageHolds) {
  const Delivery small = delivery(small_message());
  EXPECT_GE(footprint(small), sizeof(Delivery) + sizeof(Message));
  EXPECT_LT(footprint(small), 1000U);
  const auto grown = [&](void (*change)(Message&)) {
    Message message = small_message();
    change(message);
    return footprint(delivery(message)) - footprint(small);
  };
  const std::size_t size = 10'000;
  EXPECT_GE(grown([](Message& m) { m.topic.assign(size, 'x'); }), size);
  EXPECT_GE(grown([](Message& m) { m.payload = std::string(size, 'x'); }), size);
  EXPECT_GE(grown([](Message& m) { m.correlation_data.assign(size, 'x'); }), size);
  EXPECT_GE(grown([](Message& m) { m.user_properties = {{"n", std::string(size, 'x')}}; }), size);
  EXPECT_GE(grown([](Message& m) { m.samples = {{"n", std::string(size, 'x'), Quality::good, ""}}; }), size);
  EXPECT_GE(grown([](Message& m) {
              m.samples = {{"n", Bytes{std::string(size, 'x')}, Quality::good, ""}};
            }),
            size);
  EXPECT_GE(grown([](Message& m) { m.samples = {{"n", {}, Quality::bad, std::string(size, 'x')}}; }), size);
  Delivery rewritten = delivery(small_message());
  rewritten.rewritten_topic.assign(size, 'x');
  EXPECT_GE(footprint(rewritten), footprint(small) + size);
}

}  // namespace
}  // namespace sluice
