// SPDX-License-Identifier: Apache-2.0
#include "queue/dead_letters.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <random>
#include <semaphore>
#include <set>
#include <thread>

#include "queue/fixture.hpp"
#include "queue/shim_vfs.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

bool every(const DeadLetter&) {
  return true;
}

class DeadLettersTest : public QueueTest {
 protected:
  // Messages from..to, refused by the broker.
  void refuse(std::uint64_t from, std::uint64_t to, std::size_t payload_bytes = 0) {
    append(from, to, payload_bytes);
    queue->flush();
    for (const Outgoing& one : take_all()) queue->dead_letter(one.sequence, "refused");
    queue->flush();
  }
  fs::path file() const { return options.directory / "dead_letters.sqlite"; }
  void run_sql(const std::string& sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  std::set<std::uint64_t> in_letters() {
    std::set<std::uint64_t> numbers;
    for (const DeadLetter& letter : queue->read_dead_letters(0, DeadLetters::max_letters)) {
      EXPECT_TRUE(numbers.insert(number_in(*letter.delivery)).second) << "twice";
    }
    return numbers;
  }
};

TEST_F(DeadLettersTest, AreReadInPagesOldestFirst) {
  refuse(1, 10);
  const auto first = queue->read_dead_letters(0, 4);
  ASSERT_EQ(first.size(), 4U);
  EXPECT_EQ(first[0].id, "1/1");
  EXPECT_EQ(first[0].reason, "refused");
  const auto rest = queue->read_dead_letters(first.back().number, 100);
  ASSERT_EQ(rest.size(), 6U);
  EXPECT_EQ(rest[0].id, "1/5");
  EXPECT_TRUE(queue->read_dead_letters(rest.back().number, 100).empty());
}

TEST_F(DeadLettersTest, AreRetriedAsNewMessagesWithEverythingThatTheyHad) {
  Delivery delivery = delivery_of(7);
  delivery.rewritten_topic = "other/topic";
  delivery.options.qos = 2;
  delivery.options.retain = true;
  delivery.options.expiry = std::chrono::hours(1);
  delivery.options.priority = Priority::low;
  ASSERT_EQ(queue->append(std::move(delivery)), Push::ok);
  queue->dead_letter(take_all().at(0).sequence, "refused");
  queue->flush();
  ASSERT_EQ(queue->stats().dead_letters, 1U);
  EXPECT_EQ(queue->retry_dead_letters(every).count, 1U);
  EXPECT_EQ(queue->stats().messages, 1U);  // committed, without that time had to pass
  EXPECT_EQ(queue->stats().dead_letters, 0U);
  const auto taken = take_all();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].id, id_of(1, base_of(Lane::low) + 2));
  EXPECT_EQ(taken[0].delivery.topic(), "other/topic");
  EXPECT_EQ(number_in(taken[0].delivery), 7U);
  EXPECT_EQ(taken[0].delivery.message->time.wall_ns, 7);
  EXPECT_EQ(taken[0].delivery.options.qos, 2);
  EXPECT_TRUE(taken[0].delivery.options.retain);
  EXPECT_EQ(taken[0].delivery.options.expiry, std::chrono::hours(1));
  EXPECT_EQ(taken[0].delivery.options.priority, Priority::low);
  expect_balanced();
}

TEST_F(DeadLettersTest, AreCountedWhateverBecomesOfThem) {
  refuse(1, 10);
  const auto chosen = [](std::set<std::uint64_t> numbers) {
    return [numbers](const DeadLetter& letter) { return numbers.count(number_in(*letter.delivery)) != 0; };
  };
  const auto retried = queue->retry_dead_letters(chosen({2, 5, 99}));
  EXPECT_EQ(retried.count, 2U);
  EXPECT_FALSE(retried.full);
  EXPECT_EQ(queue->drop_dead_letters(chosen({1, 2, 3, 10})), 3U);
  const LetterCounts expected{.added = 10, .kept = 5, .retried = 2, .dropped = 3, .removed = 0, .lost = 0};
  for (int start = 0; start < 2; ++start) {
    EXPECT_EQ(queue->stats().letters, expected);
    EXPECT_EQ(queue->verify().letters, expected);
    EXPECT_EQ(in_letters(), (std::set<std::uint64_t>{4, 6, 7, 8, 9}));
    // They have left as dead letters; what was retried is in the ledger once more.
    EXPECT_EQ(queue->stats().ledger.counts.committed, 12U);
    EXPECT_EQ(queue->stats().ledger.counts[Way::dead_lettered], 10U);
    EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_user], 0U);
    EXPECT_EQ(queue->stats().messages, 2U);
    expect_balanced();
    restart();
  }
}

TEST_F(DeadLettersTest, AreCountedByLaneAsTheyComeAndGo) {
  const auto kept = [&](Lane lane) { return queue->stats().lanes[index_of(lane)].dead_letters; };
  for (const Priority priority : {Priority::high, Priority::low, Priority::low}) {
    ASSERT_EQ(queue->append(delivery_of(1, 0, priority)), Push::ok);
  }
  for (const Outgoing& one : take_all()) queue->dead_letter(one.sequence, "refused");
  queue->flush();
  EXPECT_EQ(kept(Lane::high), 1U);
  EXPECT_EQ(kept(Lane::normal), 0U);
  EXPECT_EQ(kept(Lane::low), 2U);
  EXPECT_EQ(queue->drop_dead_letters(every), 3U);
  EXPECT_EQ(kept(Lane::high), 0U);
  EXPECT_EQ(kept(Lane::low), 0U);
}

TEST_F(DeadLettersTest, AWrongCountIsADifference) {
  refuse(1, 3);
  close();
  run_sql("UPDATE counts SET dropped = 1");
  restart();
  const Verification verification = queue->verify();
  ASSERT_EQ(verification.differences.size(), 1U);
  EXPECT_EQ(verification.differences[0], "dead letters: 3 were put there, but 1 have gone and 3 are there");
}

TEST_F(DeadLettersTest, AreBoundedInBytesAndTheOldestGoCounted) {
  options.max_bytes = 8 << 20;  // and 1 MiB for letters
  restart();
  refuse(1, 2000, 1000);
  const LetterCounts counts = queue->stats().letters;
  EXPECT_EQ(counts.added, 2000U);
  EXPECT_GT(counts.kept, 700U);
  EXPECT_LT(counts.kept, 1049U);
  EXPECT_EQ(counts.removed, 2000U - counts.kept);
  const auto kept = in_letters();
  EXPECT_EQ(*kept.begin(), counts.removed + 1);
  EXPECT_EQ(*kept.rbegin(), 2000U);
  expect_balanced();
}

TEST_F(DeadLettersTest, AreBoundedInNumberAndTheOldestGoCounted) {
  refuse(1, DeadLetters::max_letters + 50);
  EXPECT_EQ(queue->stats().letters.kept, DeadLetters::max_letters);
  EXPECT_EQ(queue->stats().letters.removed, 50U);
  EXPECT_EQ(queue->read_dead_letters(0, 1).at(0).id, "1/51");
  expect_balanced();
}

TEST_F(DeadLettersTest, GiveBackTheirRoomWhenTheLastOneGoes) {
  refuse(1, 500, 1000);
  ASSERT_GT(fs::file_size(file()), 500'000U);
  EXPECT_EQ(queue->drop_dead_letters(every), 500U);
  EXPECT_LT(fs::file_size(file()), 50'000U);
}

TEST_F(DeadLettersTest, OneThatCannotBeReadStaysAndIsNamed) {
  refuse(1, 3);
  close();
  run_sql("UPDATE letters SET data = x'ff00' WHERE number = 2");
  restart();
  const auto letters = queue->read_dead_letters(1, 1);
  ASSERT_FALSE(letters.at(0).delivery);
  EXPECT_EQ(letters[0].unreadable, std::string("\xff\x00", 2));
  const auto retried = queue->retry_dead_letters(every);
  EXPECT_EQ(retried.count, 2U);
  EXPECT_EQ(retried.unreadable, std::vector<std::string>{"1/2"});
  EXPECT_EQ(queue->stats().dead_letters, 1U);
  EXPECT_EQ(queue->drop_dead_letters(every), 1U);
  expect_balanced();
}

TEST_F(DeadLettersTest, WhatIsRefusedAgainIsNotRetriedByTheSameCommand) {
  refuse(1, 1200);  // three portions
  std::counting_semaphore<> ready(0);
  std::atomic<bool> ended = false;
  queue->on_ready([&](bool) { ready.release(); });
  std::thread broker([&] {
    std::vector<Outgoing> taken;
    while (!ended) {
      taken.clear();
      if (queue->take(taken, 10) == 0) ready.acquire();
      for (const Outgoing& one : taken) queue->dead_letter(one.sequence, "refused again");
    }
  });
  EXPECT_EQ(queue->retry_dead_letters(every).count, 1200U);
  ended = true;
  ready.release();
  broker.join();
}

TEST_F(DeadLettersTest, ARetryDropsNothingWhereTheQueueIsFull) {
  options.max_bytes = 8 << 20;
  restart();
  refuse(1, 300, 1000);
  std::uint64_t appended = 300;
  // Until the limit begins to drop.
  while (queue->stats().ledger.counts[Way::dropped_by_size] == 0) {
    append(appended + 1, appended + 200, 1000);
    queue->flush();
    appended += 200;
  }
  append(appended + 1, appended + 500, 1000);
  queue->flush();
  // As far as there is room, then no further.
  Queue::Retried retried;
  while (!retried.full) {
    const auto dropped = queue->stats().ledger.counts[Way::dropped_by_size];
    retried = queue->retry_dead_letters(every);
    EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_size], dropped);
    if (retried.full) break;
    append(appended + 1, appended + 200, 1000);
    queue->flush();
    appended += 200;
    refuse(appended + 1, appended + 1, 1000);
    ++appended;
  }
  EXPECT_TRUE(retried.full);
  EXPECT_GT(queue->stats().dead_letters, 0U);
  expect_balanced();
}

TEST_F(DeadLettersTest, TakesOverTheFormatBefore) {
  refuse(1, 3);
  close();
  run_sql(
      "DROP TABLE counts; CREATE TABLE removed(count INTEGER NOT NULL); INSERT INTO removed VALUES(4);"
      "PRAGMA user_version=1");
  fs::remove(options.directory / "mirror");
  restart();
  EXPECT_EQ(queue->stats().letters, (LetterCounts{.added = 7, .kept = 3, .removed = 4}));
  EXPECT_EQ(queue->drop_dead_letters(every), 3U);
  expect_balanced();
}

TEST_F(DeadLettersTest, WhatIsLostWithTheFileIsCounted) {
  refuse(1, 20);
  queue->drop_dead_letters([](const DeadLetter& letter) { return number_in(*letter.delivery) <= 5; });
  close();
  sqlite::remove_files(file());
  restart();
  EXPECT_EQ(queue->stats().letters, (LetterCounts{.added = 20, .kept = 0, .dropped = 5, .lost = 15}));
  expect_balanced();
  refuse(21, 22);
  EXPECT_EQ(queue->stats().letters, (LetterCounts{.added = 22, .kept = 2, .dropped = 5, .lost = 15}));
  expect_balanced();
  // Under the running queue, too.
  sqlite::remove_files(file());
  refuse(23, 23);
  EXPECT_EQ(queue->stats().letters, (LetterCounts{.added = 23, .kept = 1, .dropped = 5, .lost = 17}));
  restart();
  expect_balanced();
}

TEST_F(DeadLettersTest, WhatCanBeReadOfADamagedFileIsNotCountedAsLost) {
  refuse(1, 200, 1000);
  close();
  {
    std::fstream damaged(file(), std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(0);
    damaged << std::string(4096, '\xa5');
  }
  restart();
  const LetterCounts counts = queue->stats().letters;
  EXPECT_EQ(counts.added, 200U);
  EXPECT_GT(counts.kept, 150U);
  EXPECT_EQ(counts.lost, 200U - counts.kept);
  EXPECT_EQ(queue->retry_dead_letters(every).count, counts.kept);
  expect_balanced();
}

// A child retries everything and is killed at a random moment, many times over: each message is a letter, or stored, or
// both where the kill came between.
TEST(DeadLettersCrash, AKillBetweenTheCommitAndTheRemovalCostsADuplicateNeverALoss) {
  constexpr std::uint64_t count = 3000;
  constexpr unsigned kills = 12;
  const TemporaryDirectory directory;
  const ManualClock clock;
  Logging logging([](Level, std::string_view, std::string_view) {});
  Options options;
  options.directory = directory.path() / "queue";
  {
    Storage storage(clock);
    Queue queue(storage, options, logging.part("queue"));
    for (std::uint64_t i = 1; i <= count; ++i) ASSERT_EQ(queue.append(delivery_of(i)), Push::ok);
    std::vector<Outgoing> taken;
    while (queue.take(taken, count) > 0) {
    }
    for (const Outgoing& one : taken) queue.dead_letter(one.sequence, "refused");
    queue.flush();
    ASSERT_EQ(queue.stats().dead_letters, count);
  }
  std::mt19937 random(20260131);
  unsigned both_seen = 0;
  for (unsigned round = 0; round < kills; ++round) {
    const fs::path copy = directory.path() / std::to_string(round);
    fs::copy(options.directory, copy, fs::copy_options::recursive);
    Options copied = options;
    copied.directory = copy;
    int reached[2];
    ASSERT_EQ(pipe(reached), 0);
    const std::uint64_t target = 1 + random() % (count - 1);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      Storage storage(clock);
      Queue queue(storage, copied, logging.part("queue"));
      std::uint64_t looked_at = 0;
      queue.retry_dead_letters([&](const DeadLetter&) {
        if (++looked_at == target) [[maybe_unused]]
          const auto written = write(reached[1], "x", 1);
        return true;
      });
      pause();
      _exit(1);
    }
    char byte = 0;
    ASSERT_EQ(read(reached[0], &byte, 1), 1);
    // Some more of its steps, as chance will have it.
    for (auto yields = random() % 2000; yields > 0; --yields) std::this_thread::yield();
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    ::close(reached[0]);
    ::close(reached[1]);

    Storage storage(clock);
    Queue queue(storage, copied, logging.part("queue"));
    std::set<std::uint64_t> letters;
    std::set<std::uint64_t> stored;
    for (const DeadLetter& letter : queue.read_dead_letters(0, count))
      letters.insert(number_in(*letter.delivery));
    for (const Stored& one : queue.read(0, count)) {
      EXPECT_TRUE(stored.insert(number_in(one.delivery)).second) << "twice";
    }
    std::uint64_t both = 0;
    for (std::uint64_t i = 1; i <= count; ++i) {
      EXPECT_TRUE(letters.count(i) + stored.count(i) > 0) << i << " is lost, round " << round;
      both += letters.count(i) * stored.count(i);
    }
    EXPECT_LE(both, 500U);  // a portion
    if (both > 0) ++both_seen;
    EXPECT_EQ(queue.verify().differences, std::vector<std::string>());
  }
  std::cout << "killed " << kills << " times, between commit and removal " << both_seen << " times\n";
}

}  // namespace
}  // namespace sluice::queue
