// SPDX-License-Identifier: Apache-2.0
// max_bytes, max_age, and what is dropped when they are reached.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <vector>

#include "queue/fixture.hpp"

namespace sluice::queue {
namespace {

using std::chrono::hours;

class LimitsTest : public QueueTest {
 protected:
  void limit(std::uint64_t max_bytes, WhenFull when_full) {
    options.max_bytes = max_bytes;
    options.when_full = when_full;
    options.persist_after = options.commit_interval = Nanoseconds(0);
    restart();
  }
};

TEST_F(LimitsTest, DropsTheOldestSegmentsAndStaysWithinItsBytes) {
  constexpr std::uint64_t max_bytes = 6 << 20;
  limit(max_bytes, WhenFull::drop_oldest);
  std::uint64_t number = 1;
  for (int round = 0; round < 40; ++round, number += 500) {
    append(number, number + 499, 1000);
    queue->flush();
    ASSERT_LE(bytes_below(), max_bytes) << files_below() << queue->stats().bytes;
  }
  const Stats stats = queue->stats();
  EXPECT_EQ(stats.ledger.counts.committed, 20'000U);
  EXPECT_GT(stats.ledger.counts[Way::dropped_by_size], 0U);
  EXPECT_EQ(stats.messages + stats.ledger.dropped_by_limit(), 20'000U);
  EXPECT_GT(stats.messages * 1000, max_bytes / 3);
  expect_balanced();
  const auto taken = take_all();
  EXPECT_EQ(numbers(taken), range(20'001 - stats.messages, 20'000));
  restart();
  EXPECT_EQ(queue->stats().ledger.counts, stats.ledger.counts);
}

TEST_F(LimitsTest, DoesNotHandOutWhatWasDropped) {
  limit(6 << 20, WhenFull::drop_oldest);
  append(1, 2000, 1000);
  queue->flush();
  std::vector<Outgoing> taken;
  while (queue->take(taken, 10) == 0) look();
  append(2001, 20'000, 1000);
  queue->flush();
  const std::uint64_t stored = queue->stats().messages;
  const auto rest = take_all();
  // Some of what had been read ahead of the drop may follow; nothing that is gone from disk and memory.
  EXPECT_EQ(numbers(rest), range(20'001 - stored, 20'000));
  for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
  queue->flush();
  EXPECT_EQ(queue->stats().messages, stored);
  expect_balanced();
}

TEST_F(LimitsTest, DropsTheNewestAndKeepsWhatIsStored) {
  constexpr std::uint64_t max_bytes = 4 << 20;
  limit(max_bytes, WhenFull::drop_newest);
  append(1, 8000, 1000);
  queue->flush();
  EXPECT_LE(bytes_below(), max_bytes);
  const Stats stats = queue->stats();
  EXPECT_GT(stats.dropped_newest, 0U);
  EXPECT_EQ(stats.messages + stats.dropped_newest, 8000U);
  EXPECT_EQ(stats.in_memory, 0U);
  const auto taken = take_all();
  EXPECT_EQ(taken.size(), stats.messages);
  EXPECT_EQ(numbers(taken).front(), 1U);
  EXPECT_TRUE(std::ranges::is_sorted(numbers(taken)));
  expect_balanced();

  // Who wants an answer is refused instead, once the last room is taken: a checkpoint may have left some.
  std::vector<std::uint64_t> kept;
  std::list<Answer> answers;
  bool refused = false;
  for (std::uint64_t i = 1; i <= 4000 && !refused; ++i) {
    Answer& answer = answers.emplace_back();
    refused = queue->append(delivery_of(i, 1000), std::move(answer.token)) == Push::full;
    if (!refused) kept.push_back(i);
  }
  EXPECT_TRUE(refused);
  answers.pop_back();

  for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
  // Room again: what was accepted is committed.
  const auto all_given = [&] { return std::ranges::all_of(answers, &Answer::given); };
  int tries = 0;
  do {
    advance(std::chrono::seconds(2));
  } while (++tries < 30 && !all_given());
  EXPECT_TRUE(all_given());
  Answer second;
  EXPECT_EQ(queue->append(delivery_of(9000, 1000), std::move(second.token)), Push::ok);
  EXPECT_EQ(second.committed.wait_for(long_enough), std::future_status::ready);
  restart();
  kept.push_back(9000);
  EXPECT_EQ(numbers(take_all()), kept);
  EXPECT_EQ(queue->stats().dropped_newest, stats.dropped_newest);
}

TEST_F(LimitsTest, DropsWhatIsTooOldWithinABoot) {
  options.max_age = hours(16);
  limit(1 << 30, WhenFull::drop_oldest);
  append(1, 10);
  queue->flush();
  clock.set_wall(clock.wall() + hours(1000));  // a wall clock that jumps says nothing within a boot
  advance(hours(2));
  append(11, 20);  // by now in a segment of its own
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 20U);
  advance(hours(15));
  EXPECT_EQ(queue->stats().messages, 10U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_age], 10U);
  EXPECT_EQ(numbers(take_all()), range(11, 20));
  expect_balanced();
}

TEST_F(LimitsTest, CountsWallTimeAcrossBoots) {
  options.max_age = hours(16);
  limit(1 << 30, WhenFull::drop_oldest);
  append(1, 10);
  close();
  clock.reboot();
  restart();
  advance(hours(15));
  EXPECT_EQ(queue->stats().messages, 10U);
  advance(hours(2));
  EXPECT_EQ(queue->stats().messages, 0U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_age], 10U);
}

TEST_F(LimitsTest, DoesNotTrustAClockThatNobodyHasSet) {
  options.max_age = hours(16);
  limit(1 << 30, WhenFull::drop_oldest);
  append(1, 10);
  close();
  clock.reboot();
  clock.set_wall(clock.wall() + hours(100'000));
  storage = std::make_unique<Storage>(clock, [] { return false; });
  queue = std::make_unique<Queue>(*storage, options, logging.part("queue"));
  advance(hours(1));
  EXPECT_EQ(queue->stats().messages, 10U);
}

TEST_F(LimitsTest, TellsWhatItHasDroppedUntilItIsAcknowledged) {
  limit(6 << 20, WhenFull::drop_oldest);
  append(1, 10'000, 1000);
  queue->flush();
  const std::uint64_t dropped = queue->stats().ledger.counts[Way::dropped_by_size];
  ASSERT_GT(dropped, 0U);
  EXPECT_EQ(queue->take_losses().size(), 1U);  // and the process ends before it is acknowledged
  restart();
  const auto losses = queue->take_losses();
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].limit, Limit::max_bytes);
  EXPECT_FALSE(losses[0].newest);
  EXPECT_EQ(losses[0].filter, "plant/line1/temperature");
  EXPECT_EQ(losses[0].first_ns, 1);
  EXPECT_EQ(losses[0].last_ns, static_cast<std::int64_t>(dropped));
  EXPECT_EQ(losses[0].count, dropped);
  queue->acknowledge_loss(losses[0].id);
  advance(std::chrono::seconds(2));
  restart();
  EXPECT_TRUE(queue->take_losses().empty());
}

TEST_F(LimitsTest, TellsWhatItHasNotTakenIn) {
  limit(4 << 20, WhenFull::drop_newest);
  append(1, 8000, 1000);
  queue->flush();
  advance(std::chrono::seconds(2));
  restart();
  const auto losses = queue->take_losses();
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_TRUE(losses[0].newest);
  EXPECT_EQ(losses[0].count, queue->stats().dropped_newest);
  EXPECT_GT(losses[0].first_ns, 0);
  EXPECT_LE(losses[0].last_ns, 8000);
}

TEST_F(LimitsTest, TellsWhatWasTooOld) {
  options.max_age = hours(16);
  limit(1 << 30, WhenFull::drop_oldest);
  append(1, 10);
  queue->flush();
  advance(hours(17));
  const auto losses = queue->take_losses();
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].limit, Limit::max_age);
  EXPECT_EQ(losses[0].count, 10U);
}

TEST_F(LimitsTest, LeavesTheReserveToOthersAndKeepsWhatItHas) {
  options.reserve_free = 64 << 20;
  limit(256 << 20, WhenFull::drop_oldest);  // segments of 16 MiB
  append(1, 40'000, 1000);
  queue->flush();
  const std::uint64_t before = bytes_below();
  ASSERT_EQ(queue->stats().messages, 40'000U);
  free_bytes = 1 << 20;  // somebody else has filled the disk
  append(40'001, 80'000, 1000);
  queue->flush();
  EXPECT_LE(bytes_below(), before);
  const Stats stats = queue->stats();
  EXPECT_GT(stats.ledger.counts[Way::dropped_by_size], 0U);
  EXPECT_GT(stats.messages, 10'000U);
  EXPECT_EQ(queue->take_losses().at(0).limit, Limit::reserve_free);
  expect_balanced();
  // Nobody's shortage empties the queue.
  for (int i = 0; i < 10; ++i) advance(std::chrono::seconds(1));
  EXPECT_EQ(queue->stats().messages, stats.messages);
}

TEST_F(LimitsTest, HoldsTheInputsWhereNothingCanBeDroppedForRoom) {
  options.reserve_free = 64 << 20;
  options.memory = 64 << 10;
  limit(256 << 20, WhenFull::drop_oldest);
  free_bytes = 1 << 20;
  std::uint64_t accepted = 0;
  while (queue->append(delivery_of(accepted + 1)) == Push::ok) ++accepted;
  advance(std::chrono::seconds(2));
  EXPECT_TRUE(queue->stats().degraded);
  EXPECT_NE(queue->stats().problem.find("reserve_free"), std::string::npos);
  EXPECT_EQ(queue->stats().in_memory, accepted);
  EXPECT_EQ(queue->stats().dropped_newest, 0U);
  free_bytes = std::uint64_t{1} << 40U;
  advance(std::chrono::seconds(2));
  EXPECT_FALSE(queue->stats().degraded);
  queue->flush();
  EXPECT_EQ(queue->stats().messages, accepted);
}

TEST_F(LimitsTest, BoundsTheDeadLetters) {
  constexpr std::uint64_t max_letters = 10'000;
  append(1, max_letters + 50);
  for (const Outgoing& one : take_all()) queue->dead_letter(one.sequence, "refused");
  queue->flush();
  EXPECT_EQ(queue->stats().dead_letters, max_letters);
  EXPECT_EQ(queue->read_dead_letters(0, 1).at(0).id, "1/51");
}

TEST_F(LimitsTest, DerivesTheSizeOfASegment) {
  Options any;
  any.max_bytes = 1 << 20;
  EXPECT_EQ(any.segment_bytes(), 1U << 20U);
  any.max_bytes = 320 << 20;
  EXPECT_EQ(any.segment_bytes(), 20U << 20U);
  any.max_bytes = std::uint64_t{1} << 40U;
  EXPECT_EQ(any.segment_bytes(), 64U << 20U);
}

TEST_F(LimitsTest, KnowsTheKeysOfEachLevel) {
  Options any;
  any.set(Durability::strict);
  EXPECT_EQ(any.persist_after, Nanoseconds(0));
  EXPECT_EQ(any.commit_interval, std::chrono::milliseconds(50));
  any.set(Durability::flash);
  EXPECT_EQ(any.persist_after, std::chrono::seconds(10));
  EXPECT_EQ(any.sync, Sync::full);
}

}  // namespace
}  // namespace sluice::queue
