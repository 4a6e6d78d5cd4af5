// SPDX-License-Identifier: Apache-2.0
// Seals of closed segments: a start knows those that are as they were without opening them, and looks at all others.
#include "queue/segment_records.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <limits>

#include "queue/fixture.hpp"
#include "queue/seals.hpp"
#include "queue/shim_vfs.hpp"
#include "queue/sqlite.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t second_ns = 1'000'000'000;

// Until a change gets a later time than that file's.
void wait_for_the_next_tick(const fs::path& file) {
  const fs::path scratch = file.string() + ".scratch";
  do {
    std::ofstream(scratch) << "x";
  } while (changed_ns(scratch) <= changed_ns(file));
  fs::remove(scratch);
}

TEST(IsSettled, AfterManyTicksOrTwoSecondsWhereTimesAreWholeSeconds) {
  const std::int64_t fine = 7 * second_ns + 1;
  EXPECT_FALSE(is_settled(fine, fine + second_ns / 10 - 1));
  EXPECT_TRUE(is_settled(fine, fine + second_ns / 10));
  const std::int64_t coarse = 7 * second_ns;
  EXPECT_FALSE(is_settled(coarse, coarse + 2 * second_ns - 1));
  EXPECT_TRUE(is_settled(coarse, coarse + 2 * second_ns));
  EXPECT_FALSE(is_settled(fine, fine - 3600 * second_ns)) << "the clock was set back";
}

class SegmentRecordsTest : public testing::Test {
 protected:
  SegmentRecordsTest() { mirror.load(); }

  void write(std::uint64_t from, std::uint64_t to, std::uint64_t start) {
    std::vector<Row> rows;
    for (std::uint64_t i = from; i <= to; ++i) rows.push_back({i, "data"});
    segment.write(rows, start, moment);
  }
  void close() {
    segment.save(true);
    segment.close();
    records.note(segment);
  }
  void seal() { records.seal(segment, changed_ns(file) + second_ns); }
  /// As another start would: with a mirror that has been read from its file.
  bool recall(Segment& into) {
    Mirror read(mirror_file);
    read.load();
    return SegmentRecords(read, Lane::high).recall(into);
  }
  bool is_recalled() {
    Segment other(file, 3, {});
    return recall(other);
  }

  TemporaryDirectory directory;
  const fs::path mirror_file = directory.path() / "mirror";
  const fs::path file = directory.path() / "00000003.sqlite";
  const Moment moment{1'700'000'000'123'456'789, 55, 0xABCDEF0123456789, true};
  Mirror mirror{mirror_file};
  SegmentRecords records{mirror, Lane::high};
  Segment segment{file, 3, {}};
};

TEST_F(SegmentRecordsTest, ASealTellsAllThatTheFileWould) {
  write(11, 20, 7);
  write(25, 60, 8);
  segment.settle(11, 12, Way::acknowledged);
  segment.settle(30, 40, Way::expired);
  Counts counts = segment.counts();
  counts.committed += 5;
  counts[Way::quarantined] += 5;
  segment.take_over(counts);  // five are missing
  close();
  seal();

  Segment looked(file, 3, {});
  looked.look({});
  Segment recalled(file, 3, {});
  ASSERT_TRUE(recall(recalled));
  EXPECT_FALSE(recalled.is_open());
  EXPECT_EQ(recalled.first(), looked.first());
  EXPECT_EQ(recalled.last(), 60U);
  EXPECT_EQ(recalled.last(), looked.last());
  EXPECT_EQ(recalled.counts(), looked.counts());
  EXPECT_EQ(recalled.counts()[Way::expired], 11U);
  EXPECT_EQ(recalled.gone().list(), looked.gone().list());
  EXPECT_EQ(recalled.starts(), looked.starts());
  EXPECT_EQ(recalled.starts().size(), 2U);
  EXPECT_EQ(recalled.missing(), 5U);
  EXPECT_EQ(recalled.newest().wall_ns, moment.wall_ns);
  EXPECT_EQ(recalled.newest().monotonic_ns, moment.monotonic_ns);
  EXPECT_EQ(recalled.newest().boot, moment.boot);
  EXPECT_EQ(recalled.newest().synchronised, moment.synchronised);
  EXPECT_EQ(recalled.bytes(), looked.bytes());
  EXPECT_EQ(recalled.full_bytes(), looked.full_bytes());
  EXPECT_TRUE(recalled.is_written());

  std::vector<StoredRow> rows;
  EXPECT_TRUE(recalled.read(0, 100, 100'000, rows));
  ASSERT_EQ(rows.size(), 46U - 13U);
  EXPECT_EQ(rows.front().sequence, 13U);
  EXPECT_EQ(rows.front().start, 7U);
  EXPECT_EQ(rows.back().start, 8U);
}

TEST_F(SegmentRecordsTest, NothingIsRecalledWithoutASeal) {
  write(11, 20, 7);
  close();
  EXPECT_FALSE(is_recalled());
  seal();
  EXPECT_TRUE(is_recalled());
  records.break_seal(3);
  EXPECT_FALSE(is_recalled());
  EXPECT_TRUE(records.find(3)) << "what it held is known all the same";
}

TEST_F(SegmentRecordsTest, NothingIsRecalledOfAFileThatHasChanged) {
  write(11, 20, 7);
  close();
  seal();
  wait_for_the_next_tick(file);
  std::fstream(file, std::ios::binary | std::ios::in | std::ios::out) << "S";
  EXPECT_FALSE(is_recalled());
}

TEST_F(SegmentRecordsTest, NothingIsRecalledOfAFileWhoseTimeHasBeenSetBack) {
  write(11, 20, 7);
  close();
  seal();
  wait_for_the_next_tick(file);
  const auto written = fs::last_write_time(file);
  std::fstream(file, std::ios::binary | std::ios::in | std::ios::out) << "S";
  fs::last_write_time(file, written);
  EXPECT_FALSE(is_recalled());
}

// As a repair of the file system may leave it.
TEST_F(SegmentRecordsTest, NothingIsRecalledOfAFileOfAnotherSize) {
  write(11, 20, 7);
  close();
  seal();
  std::ofstream(file, std::ios::binary | std::ios::app) << "S";
  make_seals_fit(mirror_file, Lane::high, directory.path());
  EXPECT_FALSE(is_recalled());
  fs::resize_file(file, fs::file_size(file) - 1);
  make_seals_fit(mirror_file, Lane::high, directory.path());
  EXPECT_TRUE(is_recalled()) << "the size was the reason";
}

TEST_F(SegmentRecordsTest, NothingIsRecalledOfAnotherFile) {
  write(11, 20, 7);
  close();
  const fs::path other = directory.path() / "other";
  fs::copy_file(file, other);
  seal();
  wait_for_the_next_tick(file);
  fs::rename(other, file);
  EXPECT_FALSE(is_recalled());
}

TEST_F(SegmentRecordsTest, NothingIsRecalledWithALog) {
  write(11, 20, 7);
  close();
  seal();
  std::ofstream(sqlite::with_suffix(file, "-wal")) << "";
  EXPECT_FALSE(is_recalled());
}

TEST_F(SegmentRecordsTest, NothingIsRecalledOfAMissingFileOrAFolder) {
  write(11, 20, 7);
  close();
  seal();
  fs::remove(file);
  EXPECT_FALSE(is_recalled());
  fs::create_directory(file);
  EXPECT_FALSE(is_recalled());
}

// The two records of a segment are two writes: a crash may keep one of them.
TEST_F(SegmentRecordsTest, NothingIsRecalledBesideARecordOfAnotherTime) {
  write(11, 20, 7);
  close();
  seal();
  ASSERT_TRUE(is_recalled());
  Segment later(file, 3, {});
  later.look({});
  later.settle(11, 11, Way::acknowledged);
  records.note(later);
  EXPECT_FALSE(is_recalled());
}

// Counts do not tell one record from another: gaps between rows are closed where they are met.
TEST_F(SegmentRecordsTest, NothingIsRecalledBesideARecordWithOtherGaps) {
  write(11, 20, 7);
  write(31, 40, 7);
  write(61, 70, 7);
  segment.close();  // as a kill leaves it: its state does not stand in the file
  Segment looked(file, 3, {});
  looked.look({});
  looked.save(true);
  looked.close();
  records.note(looked);
  records.seal(looked, changed_ns(file) + second_ns);
  ASSERT_TRUE(is_recalled());
  std::vector<StoredRow> rows;
  EXPECT_TRUE(looked.read(0, 100, 100'000, rows));
  looked.close();
  records.note(looked);
  EXPECT_FALSE(is_recalled());
}

TEST_F(SegmentRecordsTest, OneThatIsOpenIsNotSealed) {
  write(11, 20, 7);
  segment.save(true);
  records.note(segment);
  seal();
  EXPECT_EQ(seals_in(mirror_file), 0U);
}

TEST_F(SegmentRecordsTest, OneThatHasJustChangedIsNotSealed) {
  write(11, 20, 7);
  close();
  records.seal(segment, changed_ns(file));
  EXPECT_FALSE(is_recalled());
}

TEST_F(SegmentRecordsTest, OneOfWhichMoreIsKnownThanTheFileSaysIsNotSealed) {
  write(11, 20, 7);
  close();
  segment.settle(11, 11, Way::acknowledged);
  seal();
  EXPECT_FALSE(is_recalled());
}

// What has no room in a record would be forgotten.
TEST_F(SegmentRecordsTest, OneWithManyGapsIsNotSealed) {
  write(11, 40, 7);
  for (std::uint64_t i = 11; i < 20; i += 2) segment.settle(i, i, Way::acknowledged);
  close();
  seal();
  EXPECT_TRUE(is_recalled()) << "five gaps";
  records.break_seal(3);
  segment.settle(30, 30, Way::acknowledged);
  close();
  seal();
  EXPECT_FALSE(is_recalled()) << "six gaps";
}

TEST_F(SegmentRecordsTest, OneWithManyStartsIsNotSealed) {
  for (std::uint64_t start = 1; start <= 7; ++start) write(10 * start, 10 * start, start);
  segment.settle(10, 69, Way::acknowledged);  // so that the gaps between do not count
  close();
  seal();
  EXPECT_TRUE(is_recalled()) << "seven starts";
  records.break_seal(3);
  write(80, 80, 8);
  segment.settle(70, 79, Way::acknowledged);
  close();
  seal();
  EXPECT_FALSE(is_recalled()) << "eight starts";
}

TEST_F(SegmentRecordsTest, WhatIsErasedLeavesNothing) {
  write(11, 20, 7);
  close();
  seal();
  EXPECT_EQ(records.numbers(), std::vector<std::uint64_t>{3}) << "a seal is no segment of its own";
  records.erase(3);
  EXPECT_TRUE(records.numbers().empty());
  EXPECT_EQ(seals_in(mirror_file), 0U);
}

class SealTest : public QueueTest {
 protected:
  SealTest() {
    options.max_bytes = 16 << 20;                        // segments of 1 MiB
    clock.set_wall(std::chrono::hours(24 * 365 * 100));  // long after the files have changed
    restart();
  }
  fs::path mirror_file() const { return options.directory / "mirror"; }
  /// How many databases a start opens.
  std::uint64_t opened_by_a_start() {
    close();
    const std::uint64_t before = shim.databases_opened();
    restart();
    look();
    return shim.databases_opened() - before;
  }

  ShimVfs shim;
};

TEST_F(SealTest, OlderSegmentsThatAreAsTheyWereAreNotOpened) {
  append(1, 5000, 1000);
  close();
  const std::size_t segments = segment_files().size();
  ASSERT_GT(segments, 4U);
  fs::remove(mirror_file());
  const std::uint64_t without = opened_by_a_start();
  const std::uint64_t with = opened_by_a_start();
  EXPECT_EQ(seals_in(mirror_file()), segments - 1);
  EXPECT_EQ(with + segments - 1, without);
  EXPECT_EQ(queue->stats().messages, 5000U);
  EXPECT_EQ(numbers(take_all()), range(1, 5000));
  expect_balanced();
}

TEST_F(SealTest, WhatIsAcknowledgedOfASealedSegmentIsKnownToTheNextStart) {
  append(1, 5000, 1000);
  restart();
  std::vector<Outgoing> taken;
  while (queue->take(taken, 10 - taken.size()) == 0 || taken.size() < 10) look();
  for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
  restart();
  EXPECT_EQ(numbers(take_all()), range(11, 5000));
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 10U);
  restart();
  EXPECT_EQ(queue->stats().ledger.counts[Way::acknowledged], 10U);
  expect_balanced();
}

TEST_F(SealTest, AgeTakesASealedSegment) {
  append(1, 5000, 1000);
  restart();
  restart();
  close();
  const std::size_t segments = segment_files().size();
  ASSERT_EQ(seals_in(mirror_file()), segments - 1);
  options.max_age = std::chrono::hours(1);
  clock.advance(std::chrono::minutes(59));
  restart();
  look();
  EXPECT_EQ(queue->stats().messages, 5000U);
  advance(std::chrono::minutes(2));
  EXPECT_EQ(queue->stats().messages, 0U);
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_age], 5000U);
  EXPECT_EQ(seals_in(mirror_file()), 0U);
}

TEST_F(SealTest, DamageToASealedSegmentIsFoundByTheNextStart) {
  append(1, 5000, 1000);
  restart();
  close();
  const fs::path file = segment_files().at(1);
  ASSERT_EQ(seals_in(mirror_file()), segment_files().size() - 1);
  wait_for_the_next_tick(file);
  std::fstream(file, std::ios::binary | std::ios::in | std::ios::out) << std::string(4096, 'x');
  restart();
  EXPECT_EQ(queue->stats().quarantine.cases, 1U);
  expect_balanced();
}

// As on a medium that forgets: nothing has been written, and what is read is not what was.
TEST_F(SealTest, DamageThatNoTimeTellsIsFoundWhereItIsRead) {
  append(1, 5000, 1000);
  restart();
  close();
  const fs::path file = segment_files().at(1);
  std::fstream(file, std::ios::binary | std::ios::in | std::ios::out) << std::string(4096, 'x');
  make_seals_fit(mirror_file(), Lane::normal, file.parent_path());
  restart();
  EXPECT_EQ(queue->stats().quarantine.cases, 0U);
  const auto taken = take_all();
  EXPECT_EQ(queue->stats().quarantine.cases, 1U);
  const Counts counts = queue->stats().ledger.counts;
  EXPECT_EQ(counts.committed, 5000U);
  EXPECT_EQ(taken.size() + counts[Way::quarantined], 5000U);
  EXPECT_GT(taken.size(), 3000U);
  expect_balanced();
}

}  // namespace
}  // namespace sluice::queue
