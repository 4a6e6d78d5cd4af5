// SPDX-License-Identifier: Apache-2.0
// What a tail does with the memory of messages that have been written, and when it wants some read. Everything else about it is tested through the
// queue.
#include "queue/tail.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "queue/fixture.hpp"

namespace sluice::queue {
namespace {

constexpr std::size_t messages = 6;  // more than one append frees

class HandedBackTest : public ::testing::Test {
 protected:
  HandedBackTest() {
    tail_.open(1, 1, false);
    for (std::size_t i = 0; i < messages; ++i) {
      auto message = std::make_shared<Message>();
      message->topic = "t";
      watched_.push_back(message);
      released_.emplace_back(Delivery{std::move(message), {}, {}}, nullptr);
    }
  }

  std::size_t held() const {
    return static_cast<std::size_t>(std::count_if(watched_.begin(), watched_.end(),
                                                  [](const auto& message) { return !message.expired(); }));
  }

  void append() {
    auto message = std::make_shared<Message>();
    message->topic = "t";
    Delivery delivery{std::move(message), {}, {}};
    Tail::Released released;
    ASSERT_EQ(tail_.append(std::span(&delivery, 1), nullptr, Nanoseconds(0), released).push, Push::ok);
  }

  Tail tail_{Tail::Limits{.memory = 1U << 20U}};
  std::vector<std::weak_ptr<Message>> watched_;
  Tail::Released released_;
};

TEST_F(HandedBackTest, IsFreedByThoseWhoAppendAFewAtATime) {
  tail_.hand_back(std::move(released_));
  EXPECT_EQ(held(), messages);
  append();
  EXPECT_LT(held(), messages);
  EXPECT_GT(held(), 0U);
  append();
  EXPECT_EQ(held(), 0U);
}

TEST_F(HandedBackTest, WhoeverWaitsIsToldAtOnce) {
  bool told = false;
  released_.emplace_back(Delivery{}, std::shared_ptr<void>(nullptr, [&](void*) { told = true; }));
  tail_.hand_back(std::move(released_));
  EXPECT_TRUE(told);
  EXPECT_EQ(held(), messages);
}

TEST_F(HandedBackTest, WhereNobodyAppendsTheNextTimeFreesIt) {
  tail_.hand_back(std::move(released_));
  tail_.hand_back({});
  EXPECT_EQ(held(), 0U);
}

// As the keeper does once a second, where there is a backlog: what is written is not kept in memory then.
TEST_F(QueueTest, FreesWhatHasBeenWrittenWhereNobodyAppendsAnyMore) {
  options.memory = 64U << 10U;
  restart();
  append(2, 20, 10'000);
  Delivery delivery = delivery_of(1);
  const std::weak_ptr<const Message> watched = delivery.message;
  ASSERT_EQ(queue->append(std::move(delivery)), Push::ok);
  delivery = {};
  advance(std::chrono::seconds(2));
  ASSERT_EQ(queue->stats().messages, 20U);
  advance(std::chrono::seconds(1));
  EXPECT_TRUE(watched.expired());
}

TEST(Tail, WantsNothingFromTheDiskUntilSomebodyTakes) {
  Tail tail{Tail::Limits{.memory = 1U << 20U}};
  tail.open(1, 101, true);
  EXPECT_FALSE(tail.wants_rows());
  bool read_ahead = false;
  Tail::Released released;
  EXPECT_TRUE(tail.take(1, true, read_ahead, released).empty());
  EXPECT_TRUE(read_ahead);
  EXPECT_TRUE(tail.wants_rows());
}

}  // namespace
}  // namespace sluice::queue
