// SPDX-License-Identifier: Apache-2.0
// Lanes by priority.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <map>
#include <set>

#include "queue/lanes_fixture.hpp"
#include "queue/shim_vfs.hpp"

namespace sluice::queue {
namespace {

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

}  // namespace
}  // namespace sluice::queue
