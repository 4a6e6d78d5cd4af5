// SPDX-License-Identifier: Apache-2.0
// The second copy of what the files say: kept, read again, and never believed where it was to be forgotten.
#include "queue/mirror.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "queue/fixture.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t record_bytes = 192;

class MirrorTest : public testing::Test {
 protected:
  MirrorTest() { mirror.load(); }

  static Mirror::Numbers numbers(std::uint64_t n) { return {n, n + 1}; }
  std::map<Mirror::Key, std::uint64_t> in_the_file() const {
    Mirror read(file);
    read.load();
    std::map<Mirror::Key, std::uint64_t> found;
    for (const Mirror::Key key : read.keys(0, ~Mirror::Key{0})) found[key] = read.find(key)->front();
    return found;
  }
  void overwrite_head(std::uint64_t key) const {
    const std::uint64_t sum = Mirror::checksum_of(key, {});
    std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
    out.write(reinterpret_cast<const char*>(&key), sizeof key);
    out.seekp(record_bytes - sizeof sum);
    out.write(reinterpret_cast<const char*>(&sum), sizeof sum);
    ASSERT_TRUE(out.flush());
  }
  using Found = std::map<Mirror::Key, std::uint64_t>;

  TemporaryDirectory directory;
  const fs::path file = directory.path() / "mirror";
  Mirror mirror{file};
};

TEST_F(MirrorTest, KeepsRecords) {
  mirror.put(7, numbers(70));
  mirror.put(9, numbers(90));
  mirror.put(7, numbers(71));
  EXPECT_EQ(in_the_file(), (Found{{7, 71}, {9, 90}}));
  EXPECT_EQ(fs::file_size(file), 3 * record_bytes);
  EXPECT_EQ(mirror.bytes(), 3 * record_bytes);
}

TEST_F(MirrorTest, UsesPlacesAgain) {
  for (Mirror::Key key = 1; key <= 5; ++key) mirror.put(key, numbers(key));
  mirror.erase(std::array<Mirror::Key, 2>{2, 4});
  EXPECT_EQ(in_the_file(), (Found{{1, 1}, {3, 3}, {5, 5}}));
  Mirror again(file);
  again.load();
  again.put(6, numbers(6));
  again.put(7, numbers(7));
  EXPECT_EQ(in_the_file(), (Found{{1, 1}, {3, 3}, {5, 5}, {6, 6}, {7, 7}}));
  EXPECT_EQ(fs::file_size(file), 6 * record_bytes);
}

TEST_F(MirrorTest, LeavesDamagedRecordsOut) {
  for (Mirror::Key key = 1; key <= 3; ++key) mirror.put(key, numbers(key));
  std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(2 * record_bytes + 50);
  out << "x" << std::flush;
  EXPECT_EQ(in_the_file(), (Found{{1, 1}, {3, 3}}));
}

// Or a program of the version before would keep seals, and not break them.
TEST_F(MirrorTest, ReadsTheVersionBeforeAndWritesItsOwn) {
  mirror.put(1, numbers(1));
  mirror.close();
  constexpr std::uint64_t before = 0x3152524D434C5553;  // SULCMRR1
  overwrite_head(before);
  mirror.load();
  mirror.put(2, numbers(2));
  EXPECT_EQ(in_the_file(), (Found{{1, 1}, {2, 2}}));
  std::uint64_t head = 0;
  std::ifstream(file, std::ios::binary).read(reinterpret_cast<char*>(&head), sizeof head);
  EXPECT_EQ(head, before + (std::uint64_t{1} << 56U));
}

TEST_F(MirrorTest, OfALaterVersionNothingIsTaken) {
  mirror.put(1, numbers(1));
  mirror.close();
  overwrite_head(0x3952524D434C5553);
  mirror.load();
  EXPECT_FALSE(mirror.contains(1));
  mirror.put(2, numbers(2));
  mirror.close();
  mirror.put(3, numbers(3));  // which is not begun anew again
  EXPECT_EQ(in_the_file(), (Found{{2, 2}, {3, 3}}));
}

TEST_F(MirrorTest, IsWrittenWholeWhereItWasRemoved) {
  mirror.put(1, numbers(1));
  mirror.put(2, numbers(2));
  EXPECT_FALSE(mirror.was_removed());
  fs::remove(file);
  EXPECT_TRUE(mirror.was_removed());
  mirror.rewrite();
  EXPECT_FALSE(mirror.was_removed());
  EXPECT_EQ(in_the_file(), (Found{{1, 1}, {2, 2}}));
  mirror.close();
  fs::remove(file);
  mirror.put(3, numbers(3));
  EXPECT_EQ(in_the_file(), (Found{{1, 1}, {2, 2}, {3, 3}}));
}

TEST_F(MirrorTest, IsWrittenWholeWhereAnotherTookItsPlace) {
  mirror.put(1, numbers(1));
  fs::copy_file(file, directory.path() / "older");
  mirror.put(2, numbers(2));
  mirror.put(1, numbers(10));
  fs::rename(directory.path() / "older", file);
  EXPECT_TRUE(mirror.was_removed());
  mirror.rewrite();
  EXPECT_EQ(in_the_file(), (Found{{1, 10}, {2, 2}}));
}

TEST_F(MirrorTest, WhatCouldNotBeWrittenIsWrittenOnceItCan) {
  fs::create_directory(file);
  mirror.put(1, numbers(1));
  mirror.put(2, numbers(2));
  EXPECT_TRUE(mirror.contains(1));
  fs::remove(file);
  mirror.put(2, numbers(2));
  EXPECT_EQ(in_the_file(), (Found{{1, 1}, {2, 2}}));
}

TEST_F(MirrorTest, ForgetsWhereThereIsNoFileToBeBelieved) {
  fs::create_directory(file);
  mirror.put(1, numbers(1));
  mirror.erase(std::array<Mirror::Key, 1>{1});
  EXPECT_FALSE(mirror.contains(1));
  fs::remove(file);
  mirror.put(2, numbers(2));
  mirror.close();
  fs::remove_all(directory.path());
  mirror.erase(std::array<Mirror::Key, 1>{2});
  EXPECT_FALSE(mirror.contains(2)) << "its folder is gone";
}

TEST_F(MirrorTest, ErasesNothingWhereThereIsNothing) {
  mirror.erase(std::array<Mirror::Key, 1>{1});
  EXPECT_FALSE(fs::exists(file));
}

}  // namespace
}  // namespace sluice::queue
