// SPDX-License-Identifier: Apache-2.0
#include "sluice/message.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "allocations.hpp"
#include "layout.h"
#include "sluice/received.hpp"

namespace {

using sluice::Bytes;
using sluice::Message;
using sluice::MessageSpan;
using sluice::Quality;
using sluice::ReceivedMessage;
using sluice::Value;

// More text than any block that a message begins with.
std::string text(char c) {
  return std::string(300, c);
}

Message full() {
  Message message;
  message.topic(text('t'))
      .placeholder("tag", text('p'))
      .sample("string", text('s'))
      .sample("bytes", Bytes(300, 7), Quality::Stale, text('e'))
      .bad("broken", text('w'))
      .user_property("name", text('u'))
      .content_type(text('c'))
      .response_topic(text('r'))
      .correlation_data(text('d'));
  return message;
}

void expect_full(const Message& message) {
  const ReceivedMessage read(message.raw());
  EXPECT_EQ(read.topic(), text('t'));
  ASSERT_EQ(read.placeholders().size(), 1u);
  EXPECT_EQ(read.placeholders()[0].value, text('p'));
  ASSERT_EQ(read.samples().size(), 3u);
  EXPECT_EQ(read.sample("string")->value(), Value(text('s')));
  EXPECT_EQ(read.sample("bytes")->value(), Value(Bytes(300, 7)));
  EXPECT_EQ(read.sample("bytes")->quality(), Quality::Stale);
  EXPECT_EQ(read.sample("bytes")->error(), text('e'));
  EXPECT_EQ(read.sample("broken")->value(), Value());
  EXPECT_EQ(read.sample("broken")->quality(), Quality::Bad);
  EXPECT_EQ(read.sample("broken")->error(), text('w'));
  EXPECT_EQ(read.property("name"), text('u'));
  EXPECT_EQ(read.content_type(), text('c'));
  EXPECT_EQ(read.response_topic(), text('r'));
  EXPECT_EQ(read.correlation_data(), text('d'));
}

TEST(Message, OwnsItsTextWhateverGrows) {
  expect_full(full());
}

TEST(Message, IsCopiedWithItsText) {
  Message copy;
  {
    const Message original = full();
    copy = original;
    expect_full(original);
  }
  expect_full(copy);
  copy.sample("more", 1);  // the copy grows by itself
  EXPECT_EQ(ReceivedMessage(copy.raw()).samples().size(), 4u);
}

TEST(Message, IsMovedWithItsText) {
  Message original = full();
  Message moved(std::move(original));
  expect_full(moved);
  Message assigned;
  assigned.topic("old");
  assigned = std::move(moved);
  expect_full(assigned);
}

TEST(Message, KeepsEveryTypeOfValue) {
  Message message;
  message.sample("bool", true)
      .sample("int8", std::int8_t{-5})
      .sample("int64", INT64_MIN)
      .sample("uint16", std::uint16_t{5})
      .sample("uint64", UINT64_MAX)
      .sample("float", 1.5f)
      .sample("double", 2.5)
      .sample("literal", "text")
      .sample("value", Value(std::in_place_type<std::uint64_t>, 9u))
      .sample("none", nullptr);
  const ReceivedMessage read(message.raw());
  EXPECT_EQ(read.sample("bool")->value(), Value(true));
  EXPECT_EQ(read.sample("int8")->value(), Value(std::int64_t{-5}));
  EXPECT_EQ(read.sample("int64")->value(), Value(std::int64_t{INT64_MIN}));
  EXPECT_EQ(read.sample("uint16")->value(), Value(std::uint64_t{5}));
  EXPECT_EQ(read.sample("uint64")->value(), Value(std::uint64_t{UINT64_MAX}));
  EXPECT_EQ(read.sample("float")->value(), Value(1.5));
  EXPECT_EQ(read.sample("double")->value(), Value(2.5));
  EXPECT_EQ(read.sample("literal")->value(), Value(std::string("text")));
  EXPECT_EQ(read.sample("value")->value(), Value(std::uint64_t{9}));
  EXPECT_EQ(read.sample("none")->value(), Value());
}

TEST(Message, SaysItsTimeAndKind) {
  EXPECT_EQ(Message().raw().time_kind, std::uint32_t{SLUICE_TIME_NOW});
  EXPECT_EQ(Message().at_monotonic(3).raw().time_kind, std::uint32_t{SLUICE_TIME_HOST_MONOTONIC});
  EXPECT_EQ(Message().at_wall(3).raw().time_kind, std::uint32_t{SLUICE_TIME_HOST_WALL});
  EXPECT_EQ(Message().at_device(3).raw().time_kind, std::uint32_t{SLUICE_TIME_DEVICE});
  EXPECT_EQ(Message().at_device(3).raw().time_ns, 3);
  const std::chrono::steady_clock::time_point time(std::chrono::microseconds(2));
  EXPECT_EQ(Message().at(time).raw().time_ns, 2000);
  EXPECT_EQ(Message().at(time).raw().time_kind, std::uint32_t{SLUICE_TIME_HOST_MONOTONIC});
}

TEST(Message, TellsAnEmptyPayloadFromNone) {
  EXPECT_FALSE(ReceivedMessage(Message().raw()).has_payload());
  EXPECT_TRUE(ReceivedMessage(Message().payload("").raw()).has_payload());
}

TEST(Message, CarriesRetainAndExpiry) {
  Message message;
  message.retain().expiry(60);
  EXPECT_TRUE(ReceivedMessage(message.raw()).retained());
  EXPECT_EQ(message.raw().expiry_s, 60u);
}

TEST(Message, IsAsNewAfterClear) {
  Message message = full();
  message.retain().expiry(9).payload("p").clear();
  const Message fresh;
  EXPECT_EQ(std::memcmp(&message.raw(), &fresh.raw(), sizeof(sluice_message)), 0);
}

TEST(Message, AllocatesNothingWhenUsedAgain) {
  Message message;
  const auto fill = [&message](double value) {
    message.clear()
        .placeholder("tag", "a long name of a tag, beyond any small string")
        .sample("value", value)
        .at_monotonic(1);
  };
  fill(1);
  const std::size_t before = allocations_of_this_thread();
  for (int i = 0; i < 1000; ++i) fill(i);
  EXPECT_EQ(allocations_of_this_thread(), before);
}

TEST(Message, AllocatesOneBlockForTextAndOneForSamples) {
  Message message;
  const std::size_t before = allocations_of_this_thread();
  message.sample("value", 21.5);
  EXPECT_EQ(allocations_of_this_thread() - before, 2u);
}

TEST(MessageSpan, LeadsFromMessageToMessageWithoutACopy) {
  std::vector<Message> all(3);
  for (int i = 0; i < 3; ++i) all[static_cast<std::size_t>(i)].sample("value", i);
  const std::size_t before = allocations_of_this_thread();
  const sluice_array raw = MessageSpan(all).raw();
  EXPECT_EQ(allocations_of_this_thread(), before);
  const sluice::Messages read(raw);
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[2].sample("value")->value(), Value(std::int64_t{2}));
  const sluice::Messages rest(MessageSpan(all).from(2).raw());
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].sample("value")->value(), Value(std::int64_t{2}));
  EXPECT_EQ(MessageSpan(all).from(3).raw().count, 0u);
}

}  // namespace
