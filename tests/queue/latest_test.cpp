// SPDX-License-Identifier: Apache-2.0
// keep = "last": of what waits, only the newest of each topic.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "queue/lanes_fixture.hpp"
#include "queue/shim_vfs.hpp"

namespace sluice::queue {
namespace {

class LastValueTest : public LanesTest {
 protected:
  LastValueTest() {
    options.persist_after = std::chrono::seconds(0);
    options.commit_interval = std::chrono::milliseconds(50);
    restart();
  }
  static Delivery value_of(const std::string& topic, std::uint64_t number) {
    Delivery delivery = delivery_of(number);
    auto message = std::make_shared<Message>(*delivery.message);
    message->topic = topic;
    delivery.message = std::move(message);
    delivery.options.keep_last = true;
    return delivery;
  }
  void put(const std::string& topic, std::uint64_t number) {
    Delivery delivery = value_of(topic, number);
    while (queue->append(std::move(delivery)) == Push::full) ASSERT_TRUE(queue->wait_room(long_enough));
  }
  std::map<std::string, std::uint64_t> values(const std::vector<Outgoing>& taken) {
    std::map<std::string, std::uint64_t> values;
    for (const Outgoing& one : taken) {
      EXPECT_EQ(values.count(one.delivery.topic()), 0U) << one.delivery.topic();
      values[one.delivery.topic()] = number_in(one.delivery);
    }
    return values;
  }
  std::filesystem::path file() const { return options.directory / "last" / "values.sqlite"; }
};

TEST_F(LastValueTest, OnlyTheNewestOfEachTopicWaitsInMemory) {
  options.persist_after = std::chrono::hours(1);
  restart();
  for (std::uint64_t i = 1; i <= 100; ++i) put("plant/" + std::to_string(i % 3), i);
  EXPECT_EQ(queue->stats().in_memory, 3U);
  EXPECT_EQ(queue->stats().passed_other, 97U);
  EXPECT_EQ(values(take_all()),
            (std::map<std::string, std::uint64_t>{{"plant/0", 99}, {"plant/1", 100}, {"plant/2", 98}}));
}

TEST_F(LastValueTest, OnlyTheNewestOfEachTopicWaitsOnDisk) {
  for (std::uint64_t i = 1; i <= 100; ++i) {
    put("plant/" + std::to_string(i % 3), i);
    queue->flush();
  }
  EXPECT_EQ(queue->stats().messages, 3U);
  EXPECT_EQ(stats_of(Lane::last).messages, 3U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::superseded], 97U);
  EXPECT_EQ(queue->stats().ledger.counts.committed, 100U);
  expect_balanced();
  restart();
  const auto taken = take_all();
  EXPECT_EQ(values(taken),
            (std::map<std::string, std::uint64_t>{{"plant/0", 99}, {"plant/1", 100}, {"plant/2", 98}}));
  acknowledge(taken);
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 0U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 3U);
  expect_balanced();
  restart();
  EXPECT_EQ(queue->stats().ledger.counts.committed, 100U);
  EXPECT_TRUE(take_all().empty());
  expect_balanced();
}

// A topic that changes faster than commits are made is written all the same.
TEST_F(LastValueTest, WhatIsSupersededAgainAndAgainIsStillCommittedInTime) {
  options.persist_after = std::chrono::seconds(1);
  options.commit_interval = std::chrono::seconds(1);
  restart();
  for (std::uint64_t i = 1; i <= 30; ++i) {
    put("plant/fast", i);
    advance(std::chrono::milliseconds(100));
  }
  EXPECT_GT(queue->stats().ledger.counts.committed, 0U);
  EXPECT_EQ(queue->stats().messages + queue->stats().in_memory, stats_of(Lane::last).in_memory + 1);
}

TEST_F(LastValueTest, WhatIsOnItsWayIsNotTakenBackButCountsOnce) {
  put("plant/a", 1);
  queue->flush();
  const auto first = take_all();
  ASSERT_EQ(first.size(), 1U);
  put("plant/a", 2);
  queue->flush();
  acknowledge(first);
  const auto second = take_all();
  EXPECT_EQ(values(second), (std::map<std::string, std::uint64_t>{{"plant/a", 2}}));
  acknowledge(second);
  queue->flush();
  EXPECT_EQ(queue->stats().ledger.counts.committed, 2U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::superseded], 1U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 1U);
  expect_balanced();
}

TEST_F(LastValueTest, ItsSizeDoesNotGrowWithTheMessages) {
  for (std::uint64_t i = 1; i <= 5000; ++i) {
    put("plant/" + std::to_string(i % 50), i);
    if (i % 10 == 0) queue->flush();
  }
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 50U);
  EXPECT_LT(stats_of(Lane::last).bytes, 1U << 20U);
  expect_balanced();
}

TEST_F(LastValueTest, DamageCostsWhatCannotBeReadAndIsCounted) {
  for (std::uint64_t i = 1; i <= 2000; ++i) put("plant/" + std::to_string(i), i);
  queue->flush();
  close();
  {
    std::fstream damaged(file(), std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(4096 * 20);
    damaged << std::string(4096 * 3, 'x');
  }
  restart();
  const auto taken = take_all();
  const Stats stats = queue->stats();
  EXPECT_GT(taken.size(), 1000U);
  EXPECT_EQ(stats.quarantine.cases, 1U);
  EXPECT_EQ(stats.ledger.counts[Way::quarantined] + taken.size(), 2000U);
  expect_balanced();
}

TEST_F(LastValueTest, AFileThatIsGoneIsCountedAndAnotherBegun) {
  put("plant/a", 1);
  queue->flush();
  close();
  std::filesystem::remove_all(options.directory / "last");
  restart();
  EXPECT_EQ(queue->stats().ledger.counts[Way::quarantined], 1U);
  put("plant/a", 2);
  queue->flush();
  EXPECT_EQ(values(take_all()), (std::map<std::string, std::uint64_t>{{"plant/a", 2}}));
  expect_balanced();
  // Under the running agent, too.
  std::filesystem::remove_all(options.directory / "last");
  advance(std::chrono::seconds(2));
  put("plant/b", 3);
  queue->flush();
  EXPECT_EQ(queue->stats().messages,
            1U + queue->stats().ledger.counts.committed - queue->stats().ledger.counts.gone() - 1U);
  expect_balanced();
}

TEST_F(LastValueTest, AgeAndTheUserTakeThemCounted) {
  options.max_age = std::chrono::hours(1);
  restart();
  put("plant/a", 1);
  queue->flush();
  advance(std::chrono::minutes(50));
  put("plant/b", 2);
  queue->flush();
  advance(std::chrono::minutes(20));
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_age], 1U);
  EXPECT_EQ(stats_of(Lane::last).dropped, 1U);
  EXPECT_EQ(queue->drop(), 1U);
  EXPECT_EQ(stats_of(Lane::last).dropped, 2U);
  EXPECT_TRUE(take_all().empty());
  expect_balanced();
}

TEST_F(LastValueTest, MaxBytesTakesTheOlderHalfWhenNothingElseIsLeft) {
  options.max_bytes = 1 << 20;
  restart();
  for (std::uint64_t i = 1; i <= 6000; ++i) {
    Delivery delivery = value_of("plant/" + std::to_string(i), i);
    while (queue->append(std::move(delivery)) == Push::full) ASSERT_TRUE(queue->wait_room(long_enough));
  }
  queue->flush();
  EXPECT_GT(stats_of(Lane::last).dropped, 0U);
  EXPECT_LE(bytes_below(), options.max_bytes);
  expect_balanced();
  const auto taken = take_all();
  ASSERT_FALSE(taken.empty());
  EXPECT_EQ(number_in(taken.back().delivery), 6000U);
}

TEST_F(LastValueTest, GoesOnAfterADiskThatRefused) {
  ShimVfs vfs;
  restart();
  put("plant/a", 1);
  queue->flush();
  vfs.fail_writes(true);
  put("plant/a", 2);
  put("plant/b", 3);
  advance(std::chrono::seconds(1));
  EXPECT_TRUE(queue->stats().degraded);
  vfs.fail_writes(false);
  advance(std::chrono::minutes(1));
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 2U);
  EXPECT_EQ(values(take_all()), (std::map<std::string, std::uint64_t>{{"plant/a", 2}, {"plant/b", 3}}));
  expect_balanced();
  close();
}

}  // namespace
}  // namespace sluice::queue
