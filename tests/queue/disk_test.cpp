// SPDX-License-Identifier: Apache-2.0
// A disk that refuses: nothing crashes, nothing is lost, and it is said once.
#include <gtest/gtest.h>

#include <algorithm>

#include "queue/fixture.hpp"
#include "queue/shim_vfs.hpp"
#include "queue/sqlite.hpp"

namespace sluice::queue {
namespace {

using std::chrono::minutes;

class DiskTest : public QueueTest {
 protected:
  DiskTest() {
    options.persist_after = options.commit_interval = Nanoseconds(0);
    close();
  }
  ~DiskTest() override { close(); }
  std::size_t times_logged(const std::string& text) const {
    std::size_t times = 0;
    for (const std::string& line : logged()) times += line.find(text) != std::string::npos ? 1 : 0;
    return times;
  }
  ShimVfs vfs;
};

TEST_F(DiskTest, KeepsMessagesInMemoryAndWritesThemWhenItCan) {
  restart();
  append(1, 10);
  queue->flush();
  vfs.fail_writes(true);
  append(11, 20);
  for (int i = 0; i < 5; ++i) advance(minutes(1));
  EXPECT_TRUE(queue->stats().degraded);
  EXPECT_FALSE(queue->stats().problem.empty());
  EXPECT_EQ(queue->stats().in_memory, 10U);
  EXPECT_EQ(times_logged("writing fails"), 1U);
  // Draining goes on.
  const auto taken = take_all();
  EXPECT_EQ(numbers(taken), range(1, 20));
  for (const Outgoing& one : taken) {
    if (one.sequence <= 5) queue->acknowledge(one.sequence);
  }
  vfs.fail_writes(false);
  advance(minutes(1));
  EXPECT_FALSE(queue->stats().degraded);
  EXPECT_EQ(queue->stats().messages, 15U);
  EXPECT_EQ(times_logged("writing again"), 1U);
  expect_balanced();
  restart();
  EXPECT_EQ(numbers(take_all()), range(6, 20));
}

TEST_F(DiskTest, FindsOutWhatBecameOfACommitThatFailed) {
  restart();
  append(1, 10);
  queue->flush();
  vfs.fail_syncs(true);
  append(11, 20);
  advance(minutes(1));
  // It may have been tried again by now, and the rows be found in the log.
  const std::vector<std::string> lines = logged();
  EXPECT_TRUE(std::ranges::any_of(lines, [](const std::string& line) {
    return line.find("writing fails") != std::string::npos;
  })) << testing::PrintToString(lines);
  for (const Outgoing& one : take_all()) {
    if (one.sequence % 2 == 0) queue->acknowledge(one.sequence);
  }
  vfs.fail_syncs(false);
  advance(minutes(1));
  advance(minutes(1));
  EXPECT_FALSE(queue->stats().degraded);
  expect_balanced();
  const Stats stats = queue->stats();
  EXPECT_EQ(stats.messages, 10U);
  EXPECT_EQ(stats.ledger.counts[Way::acknowledged] + stats.passed, 10U);
  restart();
  EXPECT_EQ(numbers(take_all()), (std::vector<std::uint64_t>{1, 3, 5, 7, 9, 11, 13, 15, 17, 19}));
}

// The kernel reports a failed sync once and keeps what was written in memory, clean: a later sync does not write it.
TEST_F(DiskTest, WritesOnceMoreWhatASyncMayNotHaveBroughtToTheDisk) {
  restart();
  append(1, 10);
  queue->flush();
  vfs.fail_syncs(true);
  append(11, 11);
  advance(minutes(1));
  vfs.fail_syncs(false);
  advance(minutes(1));
  ASSERT_FALSE(queue->stats().degraded);
  ASSERT_EQ(queue->stats().messages, 11U);
  // The file without its log, which is where the sync failed.
  const std::filesystem::path copy = directory.path() / "copy.sqlite";
  std::filesystem::copy_file(segment_files().front(), copy);
  sqlite::Connection connection(copy, {.user_version = 2});
  EXPECT_EQ(connection.number("SELECT count(*) FROM messages"), 11);
}

TEST_F(DiskTest, StartsWithARandomNumberWhereTheStartCannotBeCommitted) {
  restart();
  const std::uint64_t start = queue->stats().start;
  append(1, 5);
  close();
  vfs.fail_writes(true);
  restart();
  EXPECT_TRUE(queue->stats().degraded);
  EXPECT_GE(queue->stats().start, std::uint64_t{1} << 63U);
  append(6, 10);
  const auto taken = take_all();
  EXPECT_EQ(numbers(taken), range(1, 10));
  EXPECT_EQ(taken.back().id, std::to_string(queue->stats().start) + "/10");
  vfs.fail_writes(false);
  advance(minutes(1));
  EXPECT_EQ(queue->stats().messages, 10U);
  const std::string id = taken.back().id;
  restart();
  const auto again = take_all();
  EXPECT_EQ(numbers(again), range(1, 10));
  EXPECT_EQ(again.back().id, id);
  EXPECT_EQ(queue->stats().start, start + 1);
}

TEST_F(DiskTest, TellsThatAStopCouldNotWrite) {
  restart();
  append(1, 1);
  queue->flush();
  vfs.fail_writes(true);
  append(2, 2);
  EXPECT_FALSE(queue->stop());
  vfs.fail_writes(false);
}

TEST_F(DiskTest, WaitsInMemoryWhereNothingCanBeOpened) {
  std::filesystem::remove_all(options.directory);
  std::filesystem::create_directories(options.directory);
  std::ofstream(options.directory / "normal") << "no folder";
  restart();
  EXPECT_TRUE(queue->stats().degraded);
  append(1, 10);
  EXPECT_TRUE(take_all().empty());
  std::filesystem::remove(options.directory / "normal");
  advance(minutes(1));
  EXPECT_FALSE(queue->stats().degraded);
  EXPECT_EQ(numbers(take_all()), range(1, 10));
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 10U);
}

TEST_F(DiskTest, KeepsADeadLetterUntilItCanBeWritten) {
  restart();
  append(1, 2);
  queue->flush();
  const auto taken = take_all();
  vfs.fail_writes(true);
  queue->dead_letter(taken[0].sequence, "refused");
  advance(minutes(1));
  EXPECT_EQ(queue->stats().messages, 2U);
  vfs.fail_writes(false);
  advance(minutes(1));
  EXPECT_EQ(queue->stats().messages, 1U);
  EXPECT_EQ(queue->stats().dead_letters, 1U);
  expect_balanced();
}

TEST_F(DiskTest, WritesALoneMessageInTwoPagesAtMost) {
  restart();
  append(1, 50);
  queue->flush();
  const std::uint64_t before = vfs.bytes_written();
  append(51, 51, 100);
  queue->flush();
  EXPECT_LE(vfs.bytes_written() - before, 2 * (4096 + 24));
}

}  // namespace
}  // namespace sluice::queue
