// SPDX-License-Identifier: Apache-2.0
#include "queue/queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "queue/fixture.hpp"
#include "queue/shim_vfs.hpp"

namespace sluice::queue {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(QueueTest, HandsOutInOrderFromMemory) {
  append(1, 300);
  const auto taken = take_all(7);
  EXPECT_EQ(numbers(taken), range(1, 300));
  EXPECT_FALSE(taken.front().replayed);
  EXPECT_EQ(taken.front().id, "1/1");
  EXPECT_EQ(taken.back().id, "1/300");
  std::vector<Outgoing> again;
  EXPECT_EQ(queue->take(again, 10), 0U);
}

TEST_F(QueueTest, KeepsOrderAndMessagesAcrossReopen) {
  append(1, 100);
  for (const Outgoing& one : take_all()) {
    if (one.sequence <= 30) queue->acknowledge(one.sequence);
  }
  restart();
  append(101, 150);
  const auto taken = take_all();
  EXPECT_EQ(numbers(taken), range(31, 150));
  EXPECT_EQ(taken.front().id, "1/31");
  EXPECT_TRUE(taken.front().replayed);
  EXPECT_EQ(taken.back().id, "2/150");
  EXPECT_FALSE(taken.back().replayed);
  expect_balanced();
}

TEST_F(QueueTest, KeepsEveryPartOfAMessage) {
  Delivery delivery = delivery_of(1);
  auto message = std::make_shared<Message>(*delivery.message);
  message->user_properties = {{"a", "b"}};
  delivery.message = message;
  delivery.rewritten_topic = "other/topic";
  delivery.options.qos = 2;
  delivery.options.retain = true;
  ASSERT_EQ(queue->append(std::move(delivery)), Push::ok);
  restart();
  const auto taken = take_all();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].delivery.topic(), "other/topic");
  EXPECT_EQ(taken[0].delivery.options.qos, 2);
  EXPECT_TRUE(taken[0].delivery.options.retain);
  EXPECT_EQ(taken[0].delivery.message->user_properties, message->user_properties);
}

TEST_F(QueueTest, NeverWritesWhatIsAcknowledgedInTime) {
  append(1, 100);
  const std::uint64_t bytes = bytes_below();
  for (const Outgoing& one : take_all()) queue->acknowledge(one.sequence);
  for (int second = 0; second < 5; ++second) advance(seconds(1));
  EXPECT_EQ(bytes_below(), bytes);
  EXPECT_TRUE(segment_files().empty());
  EXPECT_EQ(queue->stats().passed, 100U);
  EXPECT_EQ(queue->stats().in_memory, 0U);
  EXPECT_EQ(queue->stats().ledger.counts.committed, 0U);
}

TEST_F(QueueTest, CommitsTogetherWhatIsDue) {
  append(1, 10);
  advance(milliseconds(1500));
  append(11, 20);
  EXPECT_EQ(queue->stats().messages, 0U);
  // The first are due since a half second; after the other half they have to be on disk, the others need not.
  advance(milliseconds(500));
  EXPECT_EQ(queue->stats().messages, 10U);
  EXPECT_EQ(queue->stats().in_memory, 10U);
  advance(milliseconds(1500));
  EXPECT_EQ(queue->stats().messages, 20U);
  expect_balanced();
}

TEST_F(QueueTest, AnswersWhenTheMessageIsCommittedAndCommitsItAtOnce) {
  append(1, 5);
  Answer answer;
  ASSERT_EQ(queue->append(delivery_of(6), std::move(answer.token)), Push::ok);
  append(7, 9);
  ASSERT_EQ(answer.committed.wait_for(long_enough), std::future_status::ready);
  // What came before went along, so that rows stay in order.
  look();
  EXPECT_EQ(queue->stats().messages, 6U);
}

TEST_F(QueueTest, AnswersWhenTheMessageIsAcknowledged) {
  options.persist_after = options.commit_interval = std::chrono::hours(1);
  ShimVfs vfs;
  restart();
  vfs.hold_syncs();
  Answer answer;
  ASSERT_EQ(queue->append(delivery_of(1), std::move(answer.token)), Push::ok);
  vfs.wait_until_held();
  EXPECT_FALSE(answer.given());
  std::vector<Outgoing> taken;
  ASSERT_EQ(queue->take(taken, 1), 1U);
  queue->acknowledge(taken[0].sequence);
  EXPECT_TRUE(answer.given());
  vfs.release_syncs();
  close();
}

TEST_F(QueueTest, AnswersForADeadLetterOnceThatIsOnDisk) {
  options.persist_after = options.commit_interval = std::chrono::hours(1);
  for (const bool while_it_is_written : {false, true}) {
    SCOPED_TRACE(while_it_is_written);
    ShimVfs vfs;
    restart();
    if (while_it_is_written) vfs.hold_syncs();
    if (!while_it_is_written) vfs.fail_writes(true);
    Answer answer;
    ASSERT_EQ(queue->append(delivery_of(1), std::move(answer.token)), Push::ok);
    if (while_it_is_written) vfs.wait_until_held();
    std::vector<Outgoing> taken;
    ASSERT_EQ(queue->take(taken, 1), 1U);
    queue->dead_letter(taken[0].sequence, "not authorised");
    EXPECT_FALSE(answer.given());
    vfs.release_syncs();
    vfs.fail_writes(false);
    advance(std::chrono::minutes(1));
    ASSERT_EQ(answer.committed.wait_for(long_enough), std::future_status::ready);
    queue->flush();
    EXPECT_EQ(queue->read_dead_letters(0, 10).size(), while_it_is_written ? 2U : 1U);
    close();
  }
}

TEST_F(QueueTest, CommitsHighPriorityAtOnce) {
  ASSERT_EQ(queue->append(delivery_of(1, 0, Priority::high)), Push::ok);
  look();
  EXPECT_EQ(queue->stats().messages, 1U);
}

TEST_F(QueueTest, TakesAndAcknowledgesWhileACommitIsInItsSync) {
  ShimVfs vfs;
  restart();
  vfs.hold_syncs();
  Answer answer;
  ASSERT_EQ(queue->append(delivery_of(1), std::move(answer.token)), Push::ok);
  vfs.wait_until_held();
  append(2, 50);
  std::vector<Outgoing> taken;
  EXPECT_EQ(queue->take(taken, 100), 50U);
  for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
  EXPECT_EQ(queue->stats().passed, 49U);
  EXPECT_TRUE(queue->wait_room(milliseconds(0)));
  vfs.release_syncs();
  queue->flush();
  // The one that was being written is counted as committed and acknowledged.
  EXPECT_EQ(queue->stats().ledger.counts.committed, 1U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 1U);
  expect_balanced();
  close();
}

// Some of the committed ones have made room in memory, the others are both there and on disk when rows are read.
TEST_F(QueueTest, HandsOutOnceWhatIsReadWhileItIsStillInMemory) {
  options.memory = 1 << 20;
  restart();
  append(1, 30, 500);
  queue->flush();
  const std::uint64_t held = queue->stats().memory_bytes;
  const std::uint64_t room = options.memory * 3 / 4 - held;
  const Delivery large = delivery_of(0, room + held / 2);
  ASSERT_EQ(queue->reserve({&large, 1}, false), Push::ok);
  ASSERT_LT(queue->stats().memory_bytes, held);
  look();
  queue->cancel({&large, 1});
  append(31, 32);
  EXPECT_EQ(numbers(take_all(5)), range(1, 32));
}

TEST_F(QueueTest, HandsOutABacklogLargerThanItsMemory) {
  options.memory = 256 << 10;
  options.persist_after = options.commit_interval = milliseconds(0);
  restart();
  constexpr std::uint64_t count = 100'000;
  std::atomic<bool> too_much = false;
  std::thread producer([&] {
    for (std::uint64_t i = 1; i <= count; ++i) {
      Delivery delivery = delivery_of(i, 20);
      while (queue->append(std::move(delivery)) == Push::full) queue->wait_room(long_enough);
      if (queue->stats().memory_bytes > options.memory + 4096) too_much = true;
    }
  });
  producer.join();
  EXPECT_FALSE(too_much);
  queue->flush();
  EXPECT_EQ(queue->stats().messages, count);

  std::mutex mutex;
  std::condition_variable changed;
  bool ready = true;
  queue->on_ready([&](bool) {
    const std::lock_guard lock(mutex);
    ready = true;
    changed.notify_one();
  });
  std::uint64_t expected = 1;
  std::vector<Outgoing> taken;
  while (expected <= count) {
    taken.clear();
    if (queue->take(taken, 128) == 0) {
      std::unique_lock lock(mutex);
      ASSERT_TRUE(changed.wait_for(lock, long_enough, [&] { return ready; }));
      ready = false;
      continue;
    }
    for (const Outgoing& one : taken) {
      ASSERT_EQ(number_in(one.delivery), expected++);
      queue->acknowledge(one.sequence);
    }
    ASSERT_LE(queue->stats().memory_bytes, options.memory);
  }
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 0U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], count);
  expect_balanced();
}

TEST_F(QueueTest, HandsOutInOrderWhileItFillsAndDrains) {
  options.memory = 128 << 10;
  options.persist_after = options.commit_interval = milliseconds(0);
  restart();
  constexpr std::uint64_t count = 30'000;
  std::thread producer([&] { append(1, count); });
  std::uint64_t expected = 1;
  std::vector<Outgoing> taken;
  while (expected <= count) {
    taken.clear();
    queue->take(taken, 50);
    for (const Outgoing& one : taken) {
      ASSERT_EQ(number_in(one.delivery), expected++);
      queue->acknowledge(one.sequence);
    }
    if (taken.empty()) std::this_thread::yield();
  }
  producer.join();
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 0U);
  expect_balanced();
}

TEST_F(QueueTest, SaysFullWhenItsMemoryIsUsedUpAndTheDiskRefuses) {
  options.memory = 64 << 10;
  ShimVfs vfs;
  restart();
  vfs.fail_writes(true);
  Push push = Push::ok;
  std::uint64_t accepted = 0;
  while (push == Push::ok) {
    push = queue->append(delivery_of(accepted + 1));
    if (push == Push::ok) ++accepted;
  }
  EXPECT_EQ(push, Push::full);
  EXPECT_FALSE(queue->wait_room(milliseconds(1)));
  vfs.fail_writes(false);
  advance(std::chrono::minutes(1));
  EXPECT_TRUE(queue->wait_room(long_enough));
  restart();
  EXPECT_EQ(numbers(take_all()), range(1, accepted));
  close();
}

TEST_F(QueueTest, WaitsForAsMuchRoomAsWasRefused) {
  options.memory = 64 << 10;
  options.persist_after = options.commit_interval = std::chrono::hours(1);
  ShimVfs vfs;
  restart();
  vfs.fail_writes(true);
  std::uint64_t number = 0;
  while (queue->append(delivery_of(number + 1, 8000)) == Push::ok) ++number;
  // A small one still fits, a large one does not: no reason to try it again at once.
  ASSERT_EQ(queue->append(delivery_of(++number)), Push::ok);
  ASSERT_EQ(queue->append(delivery_of(1, 8000)), Push::full);
  EXPECT_FALSE(queue->wait_room(milliseconds(1)));
  vfs.fail_writes(false);
  advance(std::chrono::minutes(1));
  EXPECT_TRUE(queue->wait_room(long_enough));
  EXPECT_EQ(queue->append(delivery_of(++number, 8000)), Push::ok);
  close();
}

TEST_F(QueueTest, TakesSeveralTogetherOrNoneOfThem) {
  options.memory = 64 << 10;
  ShimVfs vfs;
  restart();
  vfs.fail_writes(true);
  append(1, 1, 30'000);
  std::vector<Delivery> two;
  for (const std::uint64_t number : {2U, 3U}) two.push_back(delivery_of(number, 20'000));
  EXPECT_EQ(queue->append_all(two), Push::full);
  ASSERT_NE(two[0].message, nullptr);
  EXPECT_EQ(queue->stats().in_memory, 1U);
  vfs.fail_writes(false);
  advance(std::chrono::minutes(1));
  EXPECT_TRUE(queue->wait_room(long_enough));
  EXPECT_EQ(queue->append_all(two), Push::ok);
  // Together larger than the whole memory: taken where there is nothing else, or they would be refused for good.
  std::vector<Delivery> larger;
  for (const std::uint64_t number : {4U, 5U}) larger.push_back(delivery_of(number, 50'000));
  Push pushed = queue->append_all(larger);
  for (int tries = 0; pushed == Push::full && tries < 10; ++tries) {
    ASSERT_TRUE(queue->wait_room(long_enough));
    pushed = queue->append_all(larger);
  }
  EXPECT_EQ(pushed, Push::ok);
  EXPECT_EQ(numbers(take_all()), range(1, 5));
  close();
}

TEST_F(QueueTest, HoldsRoomForWhatGoesToSeveralQueues) {
  options.memory = 64 << 10;
  ShimVfs vfs;
  restart();
  vfs.fail_writes(true);
  Delivery first = delivery_of(1, 30'000);
  ASSERT_EQ(queue->reserve({&first, 1}, false), Push::ok);
  EXPECT_EQ(queue->stats().in_memory, 0U);
  // What is reserved cannot be taken by others, and is there again once it is given back.
  EXPECT_EQ(queue->append(delivery_of(2, 30'000)), Push::full);
  queue->cancel({&first, 1});
  ASSERT_EQ(queue->reserve({&first, 1}, false), Push::ok);
  EXPECT_EQ(queue->append(delivery_of(2, 30'000)), Push::full);
  queue->append_reserved({&first, 1}, nullptr);
  EXPECT_EQ(queue->stats().in_memory, 1U);
  EXPECT_EQ(queue->append(delivery_of(2, 30'000)), Push::full);
  EXPECT_EQ(numbers(take_all()), range(1, 1));
  vfs.fail_writes(false);
  close();
}

TEST_F(QueueTest, CallsOnReadyAfterItHadNothing) {
  std::atomic<int> calls = 0;
  queue->on_ready([&](bool) { ++calls; });
  append(1, 1);
  EXPECT_EQ(calls, 0);  // nobody has asked in vain yet
  std::vector<Outgoing> taken;
  while (queue->take(taken, 10) > 0) {
  }
  append(2, 3);
  EXPECT_EQ(calls, 1);
}

TEST_F(QueueTest, TakesNoMoreThanItIsAskedFor) {
  append(1, 10);
  std::vector<Outgoing> taken;
  EXPECT_EQ(queue->take(taken, 3), 3U);
  EXPECT_EQ(queue->take(taken, 3), 3U);
  EXPECT_EQ(numbers(taken), range(1, 6));
}

TEST_F(QueueTest, RemembersAcknowledgementsOutOfOrder) {
  append(1, 100);
  queue->flush();
  for (const Outgoing& one : take_all()) {
    if (one.sequence % 3 != 0) queue->acknowledge(one.sequence);
  }
  restart();
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 3; i <= 100; i += 3) expected.push_back(i);
  EXPECT_EQ(numbers(take_all()), expected);
  expect_balanced();
}

TEST_F(QueueTest, LeavesGapsForWhatWasNeverWritten) {
  append(1, 100);
  for (const Outgoing& one : take_all()) {
    if (one.sequence % 2 == 0) queue->acknowledge(one.sequence);
  }
  queue->flush();
  EXPECT_EQ(queue->stats().ledger.counts.committed, 50U);
  EXPECT_EQ(queue->stats().passed, 50U);
  restart();
  const auto taken = take_all();
  ASSERT_EQ(taken.size(), 50U);
  for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 0U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 50U);
  expect_balanced();
}

TEST_F(QueueTest, WritesAcknowledgementsWithinASecond) {
  append(1, 10);
  queue->flush();
  const auto taken = take_all();
  for (int i = 0; i < 4; ++i) queue->acknowledge(taken[static_cast<std::size_t>(i)].sequence);
  advance(seconds(1));
  advance(seconds(1));
  // What a kill would leave, seen through a copy of the files.
  const std::filesystem::path copy = directory.path() / "copy";
  std::filesystem::copy(options.directory, copy, std::filesystem::copy_options::recursive);
  Options other = options;
  other.directory = copy;
  Storage second(clock);
  Queue killed(second, other, logging.part("queue"));
  EXPECT_EQ(killed.stats().messages, 6U);
  EXPECT_EQ(killed.stats().ledger.counts[Way::acknowledged], 4U);
}

TEST_F(QueueTest, NeverUsesAnIdTwice) {
  std::set<std::string> ids;
  for (int start = 0; start < 5; ++start) {
    append(1, 20);
    for (const Outgoing& one : take_all()) {
      EXPECT_TRUE(ids.insert(one.id).second) << one.id;
      queue->acknowledge(one.sequence);
    }
    restart();
  }
}

TEST_F(QueueTest, CountsEachWayOutApart) {
  append(1, 6);
  queue->flush();
  const auto taken = take_all();
  queue->acknowledge(taken[0].sequence);
  queue->expire(taken[1].sequence);
  queue->dead_letter(taken[2].sequence, "not authorised");
  queue->acknowledge(taken[0].sequence);  // a second time counts for nothing
  queue->expire(taken[0].sequence);
  queue->acknowledge(999);
  queue->flush();
  const Counts counts = queue->stats().ledger.counts;
  EXPECT_EQ(counts.committed, 6U);
  EXPECT_EQ(counts[Way::acknowledged], 1U);
  EXPECT_EQ(counts[Way::expired], 1U);
  EXPECT_EQ(counts[Way::dead_lettered], 1U);
  EXPECT_EQ(queue->stats().messages, 3U);
  expect_balanced();
  restart();
  EXPECT_EQ(queue->stats().ledger.counts, counts);
}

TEST_F(QueueTest, KeepsDeadLettersWithTheirReason) {
  append(1, 3);
  auto taken = take_all();
  queue->dead_letter(taken[0].sequence, "payload format invalid");  // never written
  queue->flush();
  queue->dead_letter(taken[1].sequence, "not authorised");  // on disk, and no longer in memory
  queue->flush();
  restart();
  EXPECT_EQ(queue->stats().dead_letters, 2U);
  const auto letters = queue->read_dead_letters(0, 10);
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_EQ(letters[0].id, "1/1");
  EXPECT_EQ(letters[0].topic, "plant/line1/temperature");
  EXPECT_EQ(letters[0].reason, "payload format invalid");
  EXPECT_EQ(letters[0].time_ns, clock.wall().count());
  ASSERT_TRUE(letters[1].delivery);
  EXPECT_EQ(number_in(*letters[1].delivery), 2U);
  EXPECT_EQ(queue->read_dead_letters(1, 10).size(), 1U);
  EXPECT_EQ(numbers(take_all()), range(3, 3));
  expect_balanced();
}

TEST_F(QueueTest, DropsByChoiceAndAll) {
  append(1, 1000);
  EXPECT_EQ(queue->drop([](const Stored& one) { return number_in(one.delivery) % 2 == 0; }), 500U);
  EXPECT_EQ(queue->stats().messages, 500U);
  expect_balanced();
  EXPECT_EQ(numbers(take_all()).size(), 500U);
  EXPECT_EQ(queue->drop(), 500U);
  EXPECT_EQ(queue->stats().messages, 0U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_user], 1000U);
  expect_balanced();
  restart();
  EXPECT_TRUE(take_all().empty());
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_user], 1000U);
}

TEST_F(QueueTest, ReadsWhatIsStoredInPortions) {
  append(1, 50);
  queue->flush();
  const auto first = queue->read(0, 20);
  ASSERT_EQ(first.size(), 20U);
  EXPECT_EQ(first.front().id, "1/1");
  EXPECT_EQ(number_in(first.back().delivery), 20U);
  const auto second = queue->read(first.back().sequence, 100);
  EXPECT_EQ(second.size(), 30U);
  EXPECT_EQ(number_in(second.back().delivery), 50U);
}

TEST_F(QueueTest, WorksForTheCommandLineWithoutAStart) {
  append(1, 10);
  restart(Use::inspect);
  EXPECT_EQ(queue->append(delivery_of(11)), Push::closed);
  EXPECT_EQ(queue->stats().messages, 10U);
  EXPECT_EQ(queue->read(0, 100).size(), 10U);
  EXPECT_EQ(queue->drop([](const Stored& one) { return number_in(one.delivery) <= 4; }), 4U);
  expect_balanced();
  restart();
  const auto taken = take_all();
  EXPECT_EQ(numbers(taken), range(5, 10));
  append(11, 11);
  EXPECT_EQ(take_all().at(0).id, "2/11");
}

TEST_F(QueueTest, CreatesNothingForTheCommandLine) {
  options.directory = directory.path() / "elsewhere";
  restart(Use::inspect);
  EXPECT_EQ(queue->stats().messages, 0U);
  EXPECT_EQ(queue->drop(), 0U);
  expect_balanced();
  close();
  EXPECT_FALSE(std::filesystem::exists(options.directory));
}

TEST_F(QueueTest, RefusesAfterItsStop) {
  append(1, 5);
  EXPECT_TRUE(queue->stop());
  EXPECT_EQ(queue->append(delivery_of(6)), Push::closed);
  EXPECT_FALSE(queue->wait_room(seconds(0)));
  EXPECT_EQ(queue->stats().messages, 5U);
}

TEST_F(QueueTest, IsWrittenWhenTheStorageStopsFirst) {
  append(1, 5);
  storage->stop();
  EXPECT_EQ(queue->stats().messages, 5U);
  EXPECT_TRUE(queue->stop());
  restart();
  EXPECT_EQ(numbers(take_all()), range(1, 5));
}

TEST_F(QueueTest, TellsTheOldestMessage) {
  EXPECT_FALSE(queue->stats().oldest_ts);
  append(5, 9);
  EXPECT_EQ(queue->stats().oldest_ts, 5);
  const auto taken = take_all();
  queue->acknowledge(taken[0].sequence);
  queue->flush();
  EXPECT_EQ(queue->stats().oldest_ts, 6);
}

}  // namespace
}  // namespace sluice::queue
