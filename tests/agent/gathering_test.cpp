// SPDX-License-Identifier: Apache-2.0
#include "gathering.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sluice {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t plenty = 1U << 20U;

class GatheringTest : public testing::Test {
 protected:
  explicit GatheringTest(std::size_t max_bytes = plenty) : gathering_({}, max_bytes, clock_) {}

  queue::Outgoing outgoing(const std::string& topic, std::int64_t value,
                           Batching batch = {3, 16'384, seconds(5)}) {
    auto message = std::make_shared<Message>();
    message->topic = topic;
    message->samples = {{"value", value, Quality::good, ""}};
    queue::Outgoing made;
    made.sequence = ++sequence_;
    made.id = "1/" + std::to_string(made.sequence);
    made.delivery.message = std::move(message);
    made.delivery.options.batch = batch;
    return made;
  }

  queue::Outgoing with_payload(const std::string& topic) {
    queue::Outgoing made = outgoing(topic, 0);
    auto message = std::make_shared<Message>(*made.delivery.message);
    message->payload = "opaque";
    made.delivery.message = std::move(message);
    return made;
  }

  void add(queue::Outgoing made, bool replayed = false) { gathering_.add(std::move(made), replayed, ready_); }

  // What is to be published, as "topic: sequences"; nothing of it is left.
  std::vector<std::string> ready() {
    std::vector<std::string> texts;
    for (const Parcel& parcel : ready_) {
      std::string text = parcel.topic() + ":";
      for (const queue::Outgoing& part : parcel.parts) text += " " + std::to_string(part.sequence);
      if (!parcel.batched) text += " alone";
      texts.push_back(text);
    }
    ready_.clear();
    return texts;
  }

  ManualClock clock_;
  Gathering gathering_;
  std::vector<Parcel> ready_;
  std::uint64_t sequence_ = 0;
};

TEST_F(GatheringTest, PublishesAloneWhatAsksForNoBatch) {
  add(outgoing("a", 1, {}));
  EXPECT_THAT(ready(), ElementsAre("a: 1 alone"));
  EXPECT_EQ(gathering_.size(), 0U);
}

TEST_F(GatheringTest, PutsTogetherByTopicUpToTheCount) {
  for (const char* topic : {"a", "b", "a", "b", "a"}) add(outgoing(topic, 0));
  EXPECT_THAT(ready(), ElementsAre("a: 1 3 5"));
  EXPECT_EQ(gathering_.size(), 2U);
  add(outgoing("b", 0));
  EXPECT_THAT(ready(), ElementsAre("b: 2 4 6"));
  EXPECT_EQ(gathering_.size(), 0U);
}

TEST_F(GatheringTest, NeverExceedsTheBytesOfAPayload) {
  for (int i = 0; i < 100; ++i) add(outgoing("a", i, {1000, 512, seconds(5)}));
  ASSERT_GT(ready_.size(), 10U);
  for (const Parcel& parcel : ready_) {
    EXPECT_LE(encode_batch(parcel, {}).size(), 512U);
    EXPECT_GT(parcel.parts.size(), 3U);
  }
}

TEST_F(GatheringTest, WaitsNoLongerThanTheAge) {
  add(outgoing("a", 0));
  clock_.advance(seconds(4));
  add(outgoing("b", 0));
  gathering_.release_due(ready_);
  EXPECT_THAT(ready(), IsEmpty());
  clock_.advance(seconds(1));
  gathering_.release_due(ready_);
  EXPECT_THAT(ready(), ElementsAre("a: 1"));
  clock_.advance(seconds(4));
  gathering_.release_due(ready_);
  EXPECT_THAT(ready(), ElementsAre("b: 2"));
}

TEST_F(GatheringTest, KeepsTheOrderOfATopic) {
  add(outgoing("a", 0));
  add(with_payload("a"));
  EXPECT_THAT(ready(), ElementsAre("a: 1", "a: 2 alone"));
  add(outgoing("a", 0));
  queue::Outgoing other = outgoing("a", 0);
  other.delivery.options.qos = 2;
  add(std::move(other));
  EXPECT_THAT(ready(), ElementsAre("a: 3"));
  add(outgoing("a", 0), true);
  EXPECT_THAT(ready(), ElementsAre("a: 4"));
  add(outgoing("a", 0));
  EXPECT_THAT(ready(), ElementsAre("a: 5"));
}

TEST_F(GatheringTest, LeavesAloneWhatHasMoreThanSamples) {
  const auto is_batched = [&](auto change) {
    queue::Outgoing made = outgoing("a", 0);
    Message message = *made.delivery.message;
    change(message);
    made.delivery.message = std::make_shared<Message>(message);
    return is_batchable(made.delivery);
  };
  EXPECT_TRUE(is_batched([](Message&) {}));
  EXPECT_FALSE(is_batched([](Message& m) { m.payload = "x"; }));
  EXPECT_FALSE(is_batched([](Message& m) { m.retain = true; }));
  EXPECT_FALSE(is_batched([](Message& m) { m.content_type = "x"; }));
  EXPECT_FALSE(is_batched([](Message& m) { m.response_topic = "x"; }));
  EXPECT_FALSE(is_batched([](Message& m) { m.correlation_data = "x"; }));
  EXPECT_FALSE(is_batched([](Message& m) { m.user_properties = {{"a", "b"}}; }));
}

TEST_F(GatheringTest, WritesAnArrayAlsoOfOne) {
  add(outgoing("a", 7, {1, 16'384, seconds(5)}));
  ASSERT_EQ(ready_.size(), 1U);
  const auto one = nlohmann::json::parse(encode_batch(ready_[0], {}));
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0]["value"], 7);
  EXPECT_EQ(one[0]["id"], "1/1");
  EXPECT_TRUE(one[0].contains("ts"));
  ready_.clear();
  add(outgoing("a", 8, {2, 16'384, seconds(5)}));
  add(outgoing("a", 9, {2, 16'384, seconds(5)}));
  const auto two = nlohmann::json::parse(encode_batch(ready_.at(0), {.id = false, .replayed = true}));
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[1]["value"], 9);
  EXPECT_FALSE(two[1].contains("id"));
  EXPECT_EQ(two[1]["replayed"], true);
  EXPECT_FALSE(one[0].contains("replayed"));
}

class SmallGatheringTest : public GatheringTest {
 protected:
  SmallGatheringTest() : GatheringTest(1000) {}
};

TEST_F(SmallGatheringTest, IsBoundedInBytesOverAllTopics) {
  for (int i = 0; i < 100; ++i) add(outgoing("t" + std::to_string(i), i));
  // An element is some 60 bytes.
  EXPECT_LT(gathering_.size(), 20U);
  EXPECT_EQ(gathering_.size() + ready_.size(), 100U);
  EXPECT_EQ(ready().front(), "t0: 1");
}

}  // namespace
}  // namespace sluice
