// SPDX-License-Identifier: Apache-2.0
// order = "live-first": what comes with the link overtakes what waited.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "queue/lanes_fixture.hpp"

namespace sluice::queue {
namespace {

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

}  // namespace
}  // namespace sluice::queue
