// SPDX-License-Identifier: Apache-2.0
// Lanes by priority, what of the backlog and of the live messages goes first, and routes of which the last value is kept.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <fstream>
#include <map>
#include <random>
#include <set>

#include "queue/fixture.hpp"
#include "queue/lane.hpp"
#include "queue/shim_vfs.hpp"

namespace sluice::queue {
namespace {

class LanesTest : public QueueTest {
 protected:
  void append_in(Priority priority, std::uint64_t from, std::uint64_t to, std::size_t payload_bytes = 0) {
    for (std::uint64_t i = from; i <= to; ++i) {
      Delivery delivery = delivery_of(i, payload_bytes, priority);
      while (queue->append(std::move(delivery)) == Push::full) ASSERT_TRUE(queue->wait_room(long_enough));
    }
  }
  const LaneStats stats_of(Lane lane) { return queue->stats().lanes[index_of(lane)]; }
  void acknowledge(const std::vector<Outgoing>& taken) {
    for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
  }
};

TEST_F(LanesTest, HighGoesBeforeNormalAndNormalBeforeLow) {
  append_in(Priority::low, 1, 3);
  append_in(Priority::normal, 4, 6);
  append_in(Priority::high, 7, 9);
  EXPECT_EQ(numbers(take_all()), (std::vector<std::uint64_t>{7, 8, 9, 4, 5, 6, 1, 2, 3}));
}

TEST_F(LanesTest, HighOvertakesABacklogOnDisk) {
  append_in(Priority::normal, 1, 5000, 200);
  queue->flush();
  restart();
  std::vector<Outgoing> taken;
  while (queue->take(taken, 10) == 0) look();
  append_in(Priority::high, 9001, 9001);
  std::vector<Outgoing> next;
  ASSERT_GT(queue->take(next, 1), 0U);
  EXPECT_EQ(number_in(next.front().delivery), 9001U);
  const auto rest = take_all();
  EXPECT_EQ(taken.size() + rest.size(), 5000U);
  EXPECT_EQ(number_in(rest.back().delivery), 5000U);
}

TEST_F(LanesTest, EachIsThereAfterAKillWithItsIdsAndItsOrder) {
  append_in(Priority::low, 1, 300);
  append_in(Priority::normal, 301, 600);
  append_in(Priority::high, 601, 900);
  std::set<std::string> ids;
  for (const Outgoing& one : take_all()) ids.insert(one.id);
  EXPECT_EQ(ids.size(), 900U);
  queue->flush();
  restart();
  const auto taken = take_all();
  // Lanes are read from disk side by side; in each the order is kept.
  std::map<Lane, std::vector<std::uint64_t>> by_lane;
  for (const Outgoing& one : taken) {
    EXPECT_EQ(ids.count(one.id), 1U) << one.id;
    by_lane[lane_of(one.sequence)].push_back(number_in(one.delivery));
  }
  EXPECT_EQ(by_lane[Lane::high], range(601, 900));
  EXPECT_EQ(by_lane[Lane::normal], range(301, 600));
  EXPECT_EQ(by_lane[Lane::low], range(1, 300));
  for (const Lane lane : {Lane::high, Lane::normal, Lane::low}) {
    EXPECT_EQ(stats_of(lane).messages, 300U);
    EXPECT_TRUE(std::filesystem::exists(options.directory / name_of(lane)));
  }
  expect_balanced();
  acknowledge(taken);
  queue->flush();
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 900U);
  expect_balanced();
  restart();
  EXPECT_EQ(queue->stats().messages, 0U);
  // Sequences are not used again, whichever lane had the highest.
  append_in(Priority::low, 1, 1);
  EXPECT_GT(take_all().front().sequence, base_of(Lane::low) + 300);
}

TEST_F(LanesTest, HighIsCommittedAtOnceAndAlone) {
  append_in(Priority::normal, 1, 10);
  append_in(Priority::high, 11, 11);
  look();
  EXPECT_EQ(queue->stats().messages, 1U);
  EXPECT_EQ(stats_of(Lane::high).messages, 1U);
  EXPECT_EQ(stats_of(Lane::normal).in_memory, 10U);
}

TEST_F(LanesTest, WhatMattersLeastGivesWayFirst) {
  options.max_bytes = 4 << 20;
  restart();
  append_in(Priority::low, 1, 1500, 1000);
  append_in(Priority::high, 2001, 2500, 1000);
  queue->flush();
  append_in(Priority::normal, 3001, 6000, 1000);
  queue->flush();
  EXPECT_EQ(stats_of(Lane::low).messages, 0U);
  EXPECT_EQ(stats_of(Lane::low).dropped, 1500U);
  EXPECT_EQ(stats_of(Lane::high).messages, 500U);
  EXPECT_GT(stats_of(Lane::normal).dropped, 0U);
  EXPECT_LE(bytes_below(), options.max_bytes);
  const Stats before = queue->stats();
  EXPECT_EQ(before.ledger.counts[Way::dropped_by_size],
            stats_of(Lane::low).dropped + stats_of(Lane::normal).dropped);
  expect_balanced();
  // What each lane has dropped is known after a restart, too, and without the state file.
  restart();
  EXPECT_EQ(stats_of(Lane::low).dropped, 1500U);
  close();
  std::filesystem::remove(options.directory / "state.sqlite");
  std::filesystem::remove(options.directory / "state.sqlite-wal");
  restart();
  EXPECT_EQ(stats_of(Lane::low).dropped, 1500U);
}

TEST_F(LanesTest, CopiesInSeveralLanesAreTakenTogetherOrNotAtAll) {
  options.memory = 64 << 10;
  ShimVfs vfs;
  restart();
  vfs.fail_writes(true);
  append_in(Priority::normal, 1, 1, 40'000);
  std::vector<Delivery> two = {delivery_of(2, 100, Priority::high), delivery_of(2, 40'000)};
  EXPECT_EQ(queue->append_all(two), Push::full);
  ASSERT_NE(two[0].message, nullptr);
  EXPECT_EQ(stats_of(Lane::high).in_memory, 0U);
  vfs.fail_writes(false);
  advance(std::chrono::minutes(1));
  ASSERT_TRUE(queue->wait_room(long_enough));
  EXPECT_EQ(queue->append_all(two), Push::ok);
  EXPECT_EQ(numbers(take_all()), (std::vector<std::uint64_t>{2, 1, 2}));
  close();
}

TEST_F(LanesTest, DropsAndReadsAcrossThem) {
  append_in(Priority::low, 1, 10);
  append_in(Priority::normal, 11, 20);
  append_in(Priority::high, 21, 30);
  queue->flush();
  std::uint64_t after = 0;
  std::set<std::uint64_t> seen;
  while (true) {
    const auto stored = queue->read(after, 7);
    if (stored.empty()) break;
    for (const Stored& one : stored) seen.insert(number_in(one.delivery));
    after = stored.back().sequence;
  }
  EXPECT_EQ(seen.size(), 30U);
  EXPECT_EQ(queue->drop([](const Stored& one) { return number_in(one.delivery) % 2 == 0; }), 15U);
  EXPECT_EQ(queue->drop(), 15U);
  EXPECT_EQ(stats_of(Lane::low).dropped, 10U);
  expect_balanced();
}

TEST_F(LanesTest, AStateFileOfTheVersionBeforeIsTakenOver) {
  append_in(Priority::normal, 1, 100);
  queue->flush();
  EXPECT_EQ(queue->drop(), 100U);
  close();
  // As version 3 had it.
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((options.directory / "state.sqlite").c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "DROP TABLE lanes; PRAGMA user_version=3", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  std::filesystem::remove(options.directory / "mirror");
  restart();
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_user], 100U);
  EXPECT_EQ(stats_of(Lane::normal).dropped, 100U);
}

class LiveFirstTest : public LanesTest {
 protected:
  LiveFirstTest() {
    options.order = Order::live_first;
    options.persist_after = std::chrono::seconds(0);
    options.commit_interval = std::chrono::milliseconds(50);
    restart();
  }
  // At most `max`, waiting for the disk.
  std::vector<Outgoing> take_some(std::size_t max) {
    std::vector<Outgoing> taken;
    for (int looks = 0; taken.size() < max && looks < 100; ++looks) {
      if (queue->take(taken, max - taken.size()) == 0) look();
    }
    return taken;
  }
};

TEST_F(LiveFirstTest, WhatComesWithTheLinkOvertakesWhatWaited) {
  append(1, 5000, 200);
  queue->flush();
  restart();
  queue->link_up();
  EXPECT_EQ(numbers(take_some(10)), range(1, 10));
  append(6001, 6005);
  const auto next = take_some(8);
  EXPECT_EQ(numbers(next), (std::vector<std::uint64_t>{6001, 6002, 6003, 6004, 6005, 11, 12, 13}));
  EXPECT_FALSE(next.front().replayed);
  EXPECT_TRUE(next.back().replayed);
  const auto rest = take_all();
  EXPECT_EQ(numbers(rest), range(14, 5000));
}

TEST_F(LiveFirstTest, WithoutTheBacklogOnlyLiveMessagesAreTaken) {
  append(1, 1000);
  queue->flush();
  queue->link_up();
  append(2001, 2003);
  std::vector<Outgoing> taken;
  while (queue->take(taken, 100, false) > 0) {
  }
  EXPECT_EQ(numbers(taken), range(2001, 2003));
  EXPECT_EQ(numbers(take_all()), range(1, 1000));
  append(3001, 3001);
  taken.clear();
  EXPECT_EQ(queue->take(taken, 100, false), 1U);
}

TEST_F(LiveFirstTest, InStrictOrderNothingIsTakenBeforeTheBacklog) {
  options.order = Order::strict;
  restart();
  append(1, 1000);
  queue->flush();
  restart();
  queue->link_up();
  append(2001, 2003);
  std::vector<Outgoing> taken;
  EXPECT_EQ(queue->take(taken, 100, false), 0U);
  EXPECT_EQ(take_all().size(), 1003U);
  append(3001, 3001);
  EXPECT_EQ(queue->take(taken, 100, false), 1U);
}

// A live message that was committed before it was taken is still live; it is taken once.
TEST_F(LiveFirstTest, WhatWasCommittedMeanwhileIsTakenOnce) {
  append(1, 3000, 200);
  queue->flush();
  restart();
  queue->link_up();
  ASSERT_EQ(take_some(1).size(), 1U);
  append(5001, 5100, 200);
  queue->flush();
  EXPECT_EQ(numbers(take_some(100)), range(5001, 5100));
  EXPECT_EQ(numbers(take_all()), range(2, 3000));
  expect_balanced();
}

TEST_F(LiveFirstTest, LiveMessagesThatTheMemoryCannotHoldBecomeBacklog) {
  options.memory = 64 << 10;
  restart();
  append(1, 2000, 200);
  queue->flush();
  restart();
  queue->link_up();
  append(5001, 6000, 200);  // many times the memory
  queue->flush();
  std::map<std::uint64_t, int> times;
  const auto taken = take_all();
  for (const Outgoing& one : taken) ++times[number_in(one.delivery)];
  EXPECT_EQ(taken.size(), 3000U);
  EXPECT_EQ(times.size(), 3000U);
  EXPECT_GT(number_in(taken.front().delivery), 5000U);
  acknowledge(taken);
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 0U);
  expect_balanced();
}

TEST_F(LiveFirstTest, AnotherOutageMakesABacklogOfWhatWasLive) {
  append(1, 500);
  queue->flush();
  queue->link_up();
  append(1001, 1010);
  EXPECT_EQ(numbers(take_some(5)), range(1001, 1005));
  queue->link_up();  // it was away for a moment
  append(2001, 2003);
  EXPECT_EQ(numbers(take_some(3)), range(2001, 2003));
  std::vector<std::uint64_t> rest = range(1, 500);
  for (const std::uint64_t number : range(1006, 1010)) rest.push_back(number);
  EXPECT_EQ(numbers(take_all()), rest);
}

TEST_F(LiveFirstTest, AfterAStopInTheMiddleWhatIsLeftComesOnceMore) {
  append(1, 3000, 100);
  queue->flush();
  queue->link_up();
  append(5001, 5100, 100);
  std::set<std::uint64_t> delivered;
  for (const Outgoing& one : take_some(600)) {
    delivered.insert(number_in(one.delivery));
    queue->acknowledge(one.sequence);
  }
  restart();
  for (const Outgoing& one : take_all()) EXPECT_TRUE(delivered.insert(number_in(one.delivery)).second);
  EXPECT_EQ(delivered.size(), 3100U);
  expect_balanced();
}

TEST_F(LiveFirstTest, TheLiveEdgeBeginsASegmentOfItsOwnWhereThatIsWorthIt) {
  options.max_bytes = 16 << 20;
  restart();
  append(1, 10);
  queue->flush();
  queue->link_up();
  append(11, 20);
  queue->flush();
  EXPECT_EQ(segment_files().size(), 1U);
  append(21, 300, 1000);
  queue->flush();
  queue->link_up();
  append(301, 310);
  queue->flush();
  EXPECT_EQ(segment_files().size(), 2U);
}

// Whatever happens in whatever order: everything once, nothing left out.
TEST_F(LiveFirstTest, NothingIsLeftOutNorTakenTwiceInAnyOrderOfEvents) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    options.memory = 64 << 10;
    options.directory = directory.path() / ("queue" + std::to_string(seed));
    restart();
    std::mt19937 random(seed);
    std::uint64_t appended = 0;
    std::set<std::uint64_t> seen;
    const auto take_up_to = [&](std::size_t max, bool backlog) {
      std::vector<Outgoing> taken;
      queue->take(taken, max, backlog);
      for (const Outgoing& one : taken) {
        EXPECT_TRUE(seen.insert(number_in(one.delivery)).second) << number_in(one.delivery);
        if (random() % 4 != 0) queue->acknowledge(one.sequence);
      }
    };
    for (int step = 0; step < 200; ++step) {
      switch (random() % 6) {
        case 0:
        case 1: {
          const std::uint64_t count = random() % 40;
          append(appended + 1, appended + count, 300);
          appended += count;
          break;
        }
        case 2:
          if (random() % 4 == 0) queue->link_up();
          break;
        case 3:
          advance(std::chrono::milliseconds(100));
          break;
        default:
          take_up_to(random() % 30, random() % 3 != 0);
      }
    }
    for (const Outgoing& one : take_all()) {
      EXPECT_TRUE(seen.insert(number_in(one.delivery)).second) << number_in(one.delivery);
    }
    EXPECT_EQ(seen.size(), appended);
    expect_balanced();
  }
}

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
