// SPDX-License-Identifier: Apache-2.0
// Segments: rolled, retired, unlinked, found again.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "queue/fixture.hpp"
#include "queue/sqlite.hpp"

namespace sluice::queue {
namespace {

class ChainTest : public QueueTest {
 protected:
  ChainTest() {
    options.max_bytes = 16 << 20;  // segments of 1 MiB
    restart();
  }
  void run_sql(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
};

TEST_F(ChainTest, RollsFullSegmentsAndUnlinksThoseThatAreGone) {
  append(1, 3000, 1000);
  queue->flush();
  EXPECT_GE(segment_files().size(), 3U);
  EXPECT_EQ(queue->stats().segments, segment_files().size());
  const auto taken = take_all();
  EXPECT_EQ(numbers(taken), range(1, 3000));
  for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
  queue->flush();
  EXPECT_LE(segment_files().size(), 1U);
  EXPECT_LT(bytes_below(), 2U << 20U);  // with the reserve for a full disk
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 3000U);
  expect_balanced();
  restart();
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 3000U);
  EXPECT_EQ(queue->stats().messages, 0U);
  expect_balanced();
}

TEST_F(ChainTest, KeepsSegmentsInTheMiddleUntilTheyAreGone) {
  append(1, 3000, 1000);
  queue->flush();
  const std::size_t files = segment_files().size();
  for (const Outgoing& one : take_all()) {
    if (one.sequence != 1) queue->acknowledge(one.sequence);
  }
  queue->flush();
  EXPECT_LT(segment_files().size(), files);
  restart();
  const auto taken = take_all();
  EXPECT_EQ(numbers(taken), range(1, 1));
  expect_balanced();
}

TEST_F(ChainTest, ReplacesTheNewestWhenItHasGrownAndIsGone) {
  append(1, 300, 1000);
  queue->flush();
  const auto first = segment_files();
  ASSERT_EQ(first.size(), 1U);
  for (const Outgoing& one : take_all()) queue->acknowledge(one.sequence);
  queue->flush();
  EXPECT_TRUE(segment_files().empty());
  append(301, 301);
  queue->flush();
  ASSERT_EQ(segment_files().size(), 1U);
  EXPECT_NE(segment_files()[0], first[0]);
  expect_balanced();
}

TEST_F(ChainTest, UnlinksWhatARetirementLeftBehindAndCountsItOnce) {
  append(1, 300, 1000);
  queue->flush();
  const std::filesystem::path file = segment_files().at(0);
  const std::filesystem::path kept = directory.path() / "kept";
  const auto taken = take_all();
  close();
  std::filesystem::copy(file, kept);
  restart();
  for (const Outgoing& one : take_all()) queue->acknowledge(one.sequence);
  queue->flush();
  ASSERT_FALSE(std::filesystem::exists(file));
  close();
  // As if the power had gone before the unlinking.
  std::filesystem::copy(kept, file);
  restart();
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(queue->stats().messages, 0U);
  EXPECT_EQ(queue->stats().ledger.counts.committed, 300U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 300U);
  EXPECT_TRUE(take_all().empty());
  expect_balanced();
}

TEST_F(ChainTest, GoesOnWithSequencesThatAreLaterThanAllThatWere) {
  append(1, 300, 1000);
  for (const Outgoing& one : take_all()) queue->acknowledge(one.sequence);
  queue->flush();
  restart();
  append(301, 301);
  EXPECT_EQ(take_all().at(0).id, std::to_string(queue->stats().start) + "/301");
}

TEST_F(ChainTest, RefusesALaterFormatAndLeavesItAlone) {
  append(1, 1);
  close();
  const std::filesystem::path file = segment_files().at(0);
  run_sql(file, "PRAGMA user_version=3");
  const auto size = std::filesystem::file_size(file);
  try {
    restart();
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_NE(std::string(error.what()).find("format 3"), std::string::npos) << error.what();
  }
  EXPECT_EQ(std::filesystem::file_size(file), size);
  run_sql(file, "PRAGMA user_version=2");
  restart();
  EXPECT_EQ(numbers(take_all()), range(1, 1));
}

TEST_F(ChainTest, TakesOverTheFormatBefore) {
  append(1, 3000, 1000);
  close();
  ASSERT_GE(segment_files().size(), 3U);
  for (const std::filesystem::path& file : segment_files()) {
    run_sql(file, "ALTER TABLE state DROP COLUMN missing; PRAGMA user_version=1");
  }
  restart();
  EXPECT_EQ(queue->stats().quarantine.cases, 0U);
  EXPECT_EQ(numbers(take_all()), range(1, 3000));
  expect_balanced();
}

// What was written after the last checkpoint stands in a segment's log only: also in one that is not the newest any more.
TEST_F(ChainTest, FindsWhatStandsInTheLogOfAnOlderSegment) {
  append(1, 2000, 1000);
  queue->flush();
  const std::filesystem::path older = segment_files().at(0);
  close();
  const std::filesystem::path log = sqlite::with_suffix(older, "-wal");
  const std::filesystem::path kept = directory.path() / "kept-wal";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(older.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "UPDATE state SET expired = expired + 1, committed = committed + 1", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  std::filesystem::copy_file(log, kept);  // as kill -9 leaves it
  sqlite3_close(db);
  run_sql(older, "UPDATE state SET expired = expired - 1, committed = committed - 1");
  std::filesystem::remove(log);
  std::filesystem::copy_file(kept, log);
  restart();
  EXPECT_EQ(queue->stats().ledger.counts[Way::expired], 1U);
}

TEST_F(ChainTest, PutsARowThatCannotBeReadAside) {
  append(1, 3);
  const std::string start = std::to_string(queue->stats().start);
  close();
  run_sql(segment_files().at(0), "UPDATE messages SET data = x'ff00' WHERE id = 2");
  restart();
  EXPECT_EQ(numbers(take_all()), (std::vector<std::uint64_t>{1, 3}));
  queue->flush();
  EXPECT_EQ(queue->stats().ledger.counts[Way::quarantined], 1U);
  const auto letters = queue->read_dead_letters(0, 10);
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].id, start + "/2");
  EXPECT_FALSE(letters[0].delivery);
  expect_balanced();
}

TEST_F(ChainTest, TakesWhatFollowsRowsThatCannotBeRead) {
  append(1, 5);
  close();
  run_sql(segment_files().at(0), "UPDATE messages SET data = x'ff00' WHERE id <= 2");
  run_sql(segment_files().at(0), "UPDATE messages SET data = x'' WHERE id = 3");
  restart();
  std::vector<Outgoing> taken;
  EXPECT_EQ(queue->take(taken, 2, true), 0U);  // from now on it is read ahead
  queue->flush();
  queue->flush();  // what is to be read has been read, after the first
  EXPECT_EQ(queue->take(taken, 2, true), 1U);
  EXPECT_EQ(queue->take(taken, 2, true), 1U);
  EXPECT_EQ(numbers(taken), (std::vector<std::uint64_t>{4, 5}));
  queue->flush();
  EXPECT_EQ(queue->stats().ledger.counts[Way::quarantined], 3U);
  expect_balanced();
}

TEST_F(ChainTest, ReadsOnPastRowsThatCannotBeRead) {
  append(1, 5);
  close();
  run_sql(segment_files().at(0), "UPDATE messages SET data = x'ff00' WHERE id <= 3");
  restart(Use::inspect);
  std::vector<std::uint64_t> sequences;
  for (auto stored = queue->read(0, 2); !stored.empty(); stored = queue->read(sequences.back(), 2)) {
    for (const Stored& one : stored) sequences.push_back(one.sequence);
  }
  EXPECT_EQ(sequences, range(4, 5));
  EXPECT_EQ(queue->stats().dead_letters, 3U);
}

TEST_F(ChainTest, OpensWithoutReadingTheBacklog) {
  append(1, 5000, 1000);
  close();
  const auto files = segment_files();
  ASSERT_GT(files.size(), 3U);
  // The rows of a segment in the middle are not looked at before they are needed.
  run_sql(files[2], "UPDATE messages SET data = x'ff00'");
  restart();
  EXPECT_EQ(queue->stats().messages, 5000U);
  std::vector<Outgoing> taken;
  while (queue->take(taken, 1) == 0) look();
  EXPECT_EQ(number_in(taken.at(0).delivery), 1U);
  EXPECT_EQ(queue->stats().dead_letters, 0U);
}

}  // namespace
}  // namespace sluice::queue
