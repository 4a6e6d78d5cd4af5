// SPDX-License-Identifier: Apache-2.0
// What the user puts into a queue: committed when commit() answers, and never at the cost of what is stored.
#include <gtest/gtest.h>

#include "queue/fixture.hpp"
#include "queue/shim_vfs.hpp"

namespace sluice::queue {
namespace {

class CommitTest : public QueueTest {
 protected:
  static std::vector<Delivery> deliveries(std::uint64_t from, std::uint64_t to,
                                          std::size_t payload_bytes = 0) {
    std::vector<Delivery> all;
    for (std::uint64_t i = from; i <= to; ++i) all.push_back(delivery_of(i, payload_bytes));
    return all;
  }
};

TEST_F(CommitTest, IsOnDiskWhenItAnswersAndComesAfterWhatWasThere) {
  append(1, 10);
  auto some = deliveries(11, 500);
  EXPECT_EQ(queue->commit(some), 490U);
  // What a kill leaves.
  const std::filesystem::path killed = directory.path() / "killed";
  std::filesystem::copy(options.directory, killed, std::filesystem::copy_options::recursive);
  close();
  options.directory = killed;
  restart();
  const auto taken = take_all();
  EXPECT_EQ(numbers(taken), range(1, 500));
  expect_balanced();
}

TEST_F(CommitTest, TakesMoreThanTheMemoryHolds) {
  options.memory = 64 << 10;
  restart();
  auto some = deliveries(1, 500, 2000);
  EXPECT_EQ(queue->commit(some), 500U);
  auto large = deliveries(501, 502, 200'000);
  EXPECT_EQ(queue->commit(large), 2U);
  EXPECT_EQ(queue->stats().messages, 502U);
  EXPECT_EQ(numbers(take_all()), range(1, 502));
}

TEST_F(CommitTest, TakesAPartWhereTheWholeDoesNotFit) {
  options.max_bytes = 1 << 20;
  restart();
  auto some = deliveries(1, 2000, 1000);
  std::size_t committed = 0;
  while (const std::size_t more = queue->commit(std::span(some).subspan(committed))) committed += more;
  EXPECT_GT(committed, 50U);
  EXPECT_LT(committed, 2000U);
  EXPECT_EQ(queue->stats().messages, committed);
  EXPECT_EQ(queue->stats().ledger.dropped_by_limit(), 0U);
  EXPECT_LE(bytes_below(), options.max_bytes);
}

TEST_F(CommitTest, DropsNothingOfAnyLaneWhereTheyAreMixed) {
  options.max_bytes = 4 << 20;
  restart();
  std::vector<Delivery> some;
  for (std::uint64_t i = 1; i <= 6000; ++i) {
    const Priority priority = i % 3 == 0 ? Priority::high : i % 3 == 1 ? Priority::low : Priority::normal;
    some.push_back(delivery_of(i, 1000, i < 3000 ? priority : Priority::low));
  }
  std::size_t committed = 0;
  while (const std::size_t more = queue->commit(std::span(some).subspan(committed))) committed += more;
  EXPECT_GT(committed, 500U);
  EXPECT_LT(committed, 6000U);
  EXPECT_EQ(queue->stats().ledger.dropped_by_limit(), 0U);
  EXPECT_EQ(queue->stats().messages, committed);
  EXPECT_LE(bytes_below(), options.max_bytes);
  expect_balanced();
}

class FullTest : public CommitTest, public testing::WithParamInterface<WhenFull> {};

TEST_P(FullTest, StopsBeforeAnythingWouldBeDropped) {
  options.max_bytes = 8 << 20;
  options.when_full = GetParam();
  restart();
  auto some = deliveries(1, 20'000, 1000);
  std::size_t committed = 0;
  while (const std::size_t more = queue->commit(std::span(some).subspan(committed))) committed += more;
  EXPECT_GT(committed, 3000U);
  EXPECT_LT(committed, 8000U);
  EXPECT_EQ(queue->stats().ledger.dropped_by_limit(), 0U);
  EXPECT_EQ(queue->stats().dropped_newest, 0U);
  EXPECT_EQ(queue->stats().messages, committed);
  EXPECT_LE(bytes_below(), options.max_bytes);
  // With room again it goes on where it was.
  for (const Outgoing& one : take_all()) queue->acknowledge(one.sequence);
  queue->flush();
  EXPECT_GT(queue->commit(std::span(some).subspan(committed)), 0U);
  EXPECT_EQ(number_in(take_all().at(0).delivery), committed + 1);
  expect_balanced();
}

INSTANTIATE_TEST_SUITE_P(Policies, FullTest, testing::Values(WhenFull::drop_oldest, WhenFull::drop_newest),
                         [](const auto& policy) {
                           return policy.param == WhenFull::drop_oldest ? "DropOldest" : "DropNewest";
                         });

TEST_F(CommitTest, SaysSoWhereTheDiskRefuses) {
  ShimVfs vfs;
  restart();
  auto first = deliveries(1, 1);
  ASSERT_EQ(queue->commit(first), 1U);
  vfs.fail_writes(true);
  auto some = deliveries(2, 3);
  EXPECT_THROW(queue->commit(some), std::runtime_error);
  EXPECT_EQ(queue->stats().messages, 1U);
  vfs.fail_writes(false);
  queue->flush();
  expect_balanced();
  close();
}

TEST_F(CommitTest, SaysSoWhereTheQueueIsStopping) {
  queue->stop();
  auto some = deliveries(1, 1);
  EXPECT_THROW(queue->commit(some), std::runtime_error);
}

}  // namespace
}  // namespace sluice::queue
