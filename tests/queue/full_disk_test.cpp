// SPDX-License-Identifier: Apache-2.0
// Real file systems that are full, read-only, or gone: nothing committed is lost, draining goes on, and everything recovers
// by itself. Needs root, for mounts of its own; ext4 needs a loop device, too.
#include <gtest/gtest.h>

#include <set>

#include "queue/fixture.hpp"
#include "support/small_disk.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;
using sluice::test::SmallDisk;
using std::chrono::minutes;

class FullDiskTest : public QueueTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (!disk.mounted()) {
      GTEST_SKIP() << disk.why_not();
    }
    close();
    space = space_at;
    options.directory = disk.path() / "queue";
    options.reserve_free = 0;
    options.memory = 256 << 10;
    options.persist_after = options.commit_interval = Nanoseconds(0);
    restart();
  }
  ~FullDiskTest() override { close(); }

  // Until nothing more is taken in, or `most` are.
  std::uint64_t append_until_full(std::uint64_t from, std::uint64_t most) {
    std::uint64_t next = from;
    for (int refused = 0; next < from + most && refused < 3;) {
      if (queue->append(delivery_of(next, 1000)) == Push::ok) {
        ++next;
        refused = 0;
        continue;
      }
      ++refused;
      advance(minutes(1));
    }
    return next - from;
  }

  std::set<std::uint64_t> deliver_all() {
    std::set<std::uint64_t> delivered;
    while (true) {
      const auto taken = take_all();
      for (const Outgoing& one : taken) {
        EXPECT_TRUE(delivered.insert(number_in(one.delivery)).second)
            << number_in(one.delivery) << " came twice";
        queue->acknowledge(one.sequence);
      }
      advance(minutes(1));
      if (taken.empty()) return delivered;
    }
  }

  static constexpr std::uint64_t disk_bytes = 24 << 20;
  SmallDisk disk{GetParam(), disk_bytes};
};

TEST_P(FullDiskTest, FilledByTheQueueItselfDropsTheOldest) {
  EXPECT_EQ(append_until_full(1, 60'000), 60'000U);
  queue->flush();
  const Stats stats = queue->stats();
  EXPECT_FALSE(stats.degraded) << stats.problem;
  EXPECT_EQ(stats.ledger.counts.committed, 60'000U);
  EXPECT_EQ(stats.messages + stats.ledger.counts[Way::dropped_by_size], 60'000U);
  EXPECT_GT(stats.messages, 8'000U);
  expect_balanced();
  const auto delivered = deliver_all();
  EXPECT_EQ(delivered.size(), stats.messages);
  EXPECT_EQ(*delivered.rbegin(), 60'000U);
}

TEST_P(FullDiskTest, FilledByTheQueueItselfDropsTheNewestWhereThatIsThePolicy) {
  options.when_full = WhenFull::drop_newest;
  restart();
  EXPECT_EQ(append_until_full(1, 40'000), 40'000U);
  advance(minutes(1));
  const Stats stats = queue->stats();
  EXPECT_GT(stats.dropped_newest, 0U);
  EXPECT_EQ(stats.messages + stats.in_memory + stats.dropped_newest, 40'000U);
  const auto delivered = deliver_all();
  EXPECT_EQ(delivered.size(), stats.messages + stats.in_memory);
  EXPECT_EQ(append_until_full(40'001, 1000), 1000U);
  queue->flush();
  EXPECT_EQ(deliver_all().size(), 1000U);
  expect_balanced();
}

TEST_P(FullDiskTest, FilledByOthersHoldsTheInputsWhereTheQueueIsSmallAndRecovers) {
  EXPECT_EQ(append_until_full(1, 300), 300U);
  queue->flush();
  disk.fill();
  const std::uint64_t held = append_until_full(301, 100'000);
  EXPECT_LT(held, 2000U);
  EXPECT_TRUE(queue->stats().degraded);
  EXPECT_EQ(queue->stats().ledger.dropped_by_limit(), 0U);
  disk.free();
  advance(minutes(1));
  advance(minutes(1));
  EXPECT_FALSE(queue->stats().degraded) << queue->stats().problem;
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 300 + held);
  EXPECT_EQ(deliver_all().size(), 300 + held);
  expect_balanced();
}

TEST_P(FullDiskTest, FilledByOthersKeepsTheSizeOfALargeQueueAndDropsTheOldest) {
  EXPECT_EQ(append_until_full(1, 5000), 5000U);
  queue->flush();
  disk.fill();
  EXPECT_EQ(append_until_full(5001, 20'000), 20'000U);
  disk.free();
  advance(minutes(1));
  queue->flush();
  const Stats stats = queue->stats();
  EXPECT_EQ(stats.ledger.counts.committed, 25'000U);
  EXPECT_GT(stats.messages, 2000U);
  EXPECT_EQ(queue->take_losses().at(0).limit, Limit::disk_full);
  const auto delivered = deliver_all();
  EXPECT_EQ(delivered.size(), stats.messages);
  EXPECT_EQ(*delivered.rbegin(), 25'000U);
  expect_balanced();
}

TEST_P(FullDiskTest, FilledByOthersGoesOnDraining) {
  EXPECT_EQ(append_until_full(1, 6000), 6000U);
  queue->flush();
  const std::uint64_t before = bytes_below();
  disk.fill();
  append_until_full(6001, 10);
  std::set<std::uint64_t> delivered = deliver_all();
  EXPECT_EQ(delivered.size(), 6000U + 10);
  EXPECT_LT(bytes_below(), before / 2);
  // What was delivered is noted, so that a start, on the full disk still, does not send it again.
  restart();
  EXPECT_TRUE(deliver_all().empty());
  expect_balanced();
}

TEST_P(FullDiskTest, AtTheStartDeliversAndRecovers) {
  EXPECT_EQ(append_until_full(1, 3000), 3000U);
  close();
  fs::remove(options.directory / "reserve");
  disk.fill();
  restart();
  const auto delivered = deliver_all();
  EXPECT_EQ(delivered.size(), 3000U);
  disk.free();
  advance(minutes(1));
  EXPECT_EQ(append_until_full(3001, 100), 100U);
  advance(minutes(1));
  EXPECT_FALSE(queue->stats().degraded) << queue->stats().problem;
  restart();
  EXPECT_EQ(deliver_all().size(), 100U);
  expect_balanced();
}

TEST_P(FullDiskTest, ReadOnlyAtTheStartRecovers) {
  EXPECT_EQ(append_until_full(1, 100), 100U);
  close();
  if (!disk.remount(true)) GTEST_SKIP() << "cannot be mounted read-only";
  restart();
  EXPECT_TRUE(queue->stats().degraded);
  EXPECT_EQ(append_until_full(101, 10), 10U);
  advance(minutes(1));
  ASSERT_TRUE(disk.remount(false));
  advance(minutes(1));
  advance(minutes(1));
  EXPECT_FALSE(queue->stats().degraded) << queue->stats().problem;
  queue->flush();
  EXPECT_EQ(deliver_all().size(), 110U);
  EXPECT_EQ(queue->stats().quarantine.cases, 0U);
  expect_balanced();
}

TEST_P(FullDiskTest, TheFolderRemovedWhileItRunsCostsOnlyWhatWasNotOpen) {
  EXPECT_EQ(append_until_full(1, 500), 500U);
  queue->flush();
  fs::remove_all(options.directory);
  advance(minutes(1));
  advance(minutes(1));
  EXPECT_FALSE(queue->stats().degraded) << queue->stats().problem;
  EXPECT_EQ(append_until_full(501, 100), 100U);
  queue->flush();
  EXPECT_EQ(queue->stats().messages, 600U);
  expect_balanced();
  restart();
  EXPECT_EQ(queue->stats().ledger.counts.committed, 600U);
  EXPECT_EQ(deliver_all().size(), 600U);
  expect_balanced();
}

INSTANTIATE_TEST_SUITE_P(On, FullDiskTest, testing::Values("tmpfs", "ext4"),
                         [](const auto& disk) { return std::string(disk.param); });

}  // namespace
}  // namespace sluice::queue
