// SPDX-License-Identifier: Apache-2.0
#include "sluice/received.hpp"

#include <gtest/gtest.h>
#include <stddef.h>

#include "sluice/message.hpp"

namespace {

using sluice::Message;
using sluice::ReceivedMessage;

TEST(ReceivedMessage, ReadsZeroPastTheEndOfAnOlderStruct) {
  Message made;
  made.topic("a/b")
      .payload("body")
      .content_type("text/plain")
      .response_topic("r")
      .user_property("n", "v")
      .expiry(5);
  sluice_message raw = made.raw();
  raw.token = 9;
  raw.size = offsetof(sluice_message, content_type);
  const ReceivedMessage read(raw);
  EXPECT_EQ(read.topic(), "a/b");
  EXPECT_EQ(read.payload(), "body");
  EXPECT_EQ(read.content_type(), "");
  EXPECT_EQ(read.response_topic(), "");
  EXPECT_TRUE(read.properties().empty());
  EXPECT_EQ(read.expiry_s(), 0u);
  EXPECT_EQ(read.token(), 0u);
}

TEST(ReceivedMessage, ReadsZeroWhereAFieldIsCutInTwo) {
  Message made;
  made.topic("a/b");
  sluice_message raw = made.raw();
  raw.size = offsetof(sluice_message, topic) + 8;
  EXPECT_EQ(ReceivedMessage(raw).topic(), "");
}

// What a newer host hands over: elements that are longer than those known here.
struct NewerSample {
  sluice_sample known;
  char later[40];
};
struct NewerMessage {
  sluice_message known;
  char later[24];
};

TEST(ReceivedMessage, StepsByStrideOverLongerElements) {
  NewerSample samples[3] = {};
  for (int i = 0; i < 3; ++i) {
    samples[i].known.size = sizeof(NewerSample);
    samples[i].known.value = sluice::abi::to_c(i);
    for (char& c : samples[i].later) c = 'x';
  }
  NewerMessage messages[2] = {};
  for (NewerMessage& message : messages) {
    message.known.size = sizeof(NewerMessage);
    message.known.samples = sluice_array{samples, 3, sizeof(NewerSample)};
    for (char& c : message.later) c = 'x';
  }
  messages[1].known.token = 7;
  const sluice::Messages read(sluice_array{messages, 2, sizeof(NewerMessage)});
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1].token(), 7u);
  double sum = 0;
  int count = 0;
  for (const ReceivedMessage& message : read) {
    for (const sluice::SampleView& sample : message.samples()) {
      sum += *sample.number();
      ++count;
    }
  }
  EXPECT_EQ(count, 6);
  EXPECT_EQ(sum, 6);
}

TEST(ReceivedMessage, StepsByStrideOverShorterElements) {
  // What an older host hands over: samples that end before `error`.
  constexpr size_t size = offsetof(sluice_sample, error);
  alignas(sluice_sample) char memory[2 * size];
  for (size_t i = 0; i < 2; ++i) {
    sluice_sample sample{};
    sample.size = size;
    sample.value = sluice::abi::to_c(static_cast<int>(i) + 1);
    memcpy(memory + i * size, &sample, size);
  }
  sluice_message raw{};
  raw.size = sizeof(raw);
  raw.samples = sluice_array{memory, 2, size};
  const ReceivedMessage read(raw);
  ASSERT_EQ(read.samples().size(), 2u);
  EXPECT_EQ(read.samples()[1].number(), 2);
  EXPECT_EQ(read.samples()[1].error(), "");
}

TEST(ReceivedMessage, SaysWhatIsANumberAndWhatIsText) {
  Message made;
  made.sample("a", true).sample("b", UINT64_MAX).sample("c", "t").sample("d", nullptr);
  const ReceivedMessage read(made.raw());
  EXPECT_EQ(read.sample("a")->number(), 1.0);
  EXPECT_EQ(read.sample("b")->number(), static_cast<double>(UINT64_MAX));
  EXPECT_EQ(read.sample("c")->number(), std::nullopt);
  EXPECT_EQ(read.sample("c")->text(), "t");
  EXPECT_EQ(read.sample("d")->text(), std::nullopt);
  EXPECT_FALSE(read.sample("e").has_value());
  EXPECT_EQ(read.property("none"), std::nullopt);
}

TEST(Messages, AreNoneWhereThereIsNoArray) {
  const sluice::Messages none(sluice_array{nullptr, 3, 0});
  EXPECT_TRUE(none.empty());
  for (const ReceivedMessage& message : none) FAIL() << message.topic();
}

}  // namespace
