// SPDX-License-Identifier: Apache-2.0
// Every file of a queue damaged in turn, in every way: collection goes on, at most what that file held is lost, and it is
// counted.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "queue/fixture.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t messages = 3000;

enum class Damage {
  random_bytes,
  one_random_page,
  half_a_page,
  zero_bytes,
  cut,
  empty,
  foreign_text,
  foreign_database,
  removed,
  folder,
  unreadable
};

constexpr std::array<std::pair<Damage, const char*>, 11> all_damage = {
    {{Damage::random_bytes, "RandomBytes"},
     {Damage::one_random_page, "OneRandomPage"},
     {Damage::half_a_page, "HalfAPage"},
     {Damage::zero_bytes, "ZeroBytes"},
     {Damage::cut, "Cut"},
     {Damage::empty, "Empty"},
     {Damage::foreign_text, "ForeignText"},
     {Damage::foreign_database, "ForeignDatabase"},
     {Damage::removed, "Removed"},
     {Damage::folder, "Folder"},
     {Damage::unreadable, "Unreadable"}}};

std::string random_bytes(std::size_t count) {
  std::mt19937 random(20260131);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void overwrite(const fs::path& file, std::size_t at, const std::string& bytes) {
  std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(static_cast<std::streamoff>(at));
  out << bytes;
  ASSERT_TRUE(out.flush());
}

void make_foreign_database(const fs::path& file) {
  fs::remove(file);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE other(a); INSERT INTO other VALUES(1)", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
}

void damage(const fs::path& file, Damage way) {
  const auto size = static_cast<std::size_t>(fs::file_size(file));
  constexpr std::size_t page = 4096;
  switch (way) {
    case Damage::random_bytes:
      return overwrite(file, 0, random_bytes(size));
    case Damage::one_random_page:
      return overwrite(file, size / 2 / page * page, random_bytes(std::min(size, page)));
    case Damage::half_a_page:
      return overwrite(file, size / 2 / page * page + page / 2, std::string(std::min(size, page) / 2, '\0'));
    case Damage::zero_bytes:
      return overwrite(file, 0, std::string(size, '\0'));
    case Damage::cut:
      return fs::resize_file(file, size / 2);
    case Damage::empty:
      return fs::resize_file(file, 0);
    case Damage::foreign_text:
      std::ofstream(file, std::ios::trunc) << "something else\n";
      return;
    case Damage::foreign_database:
      return make_foreign_database(file);
    case Damage::removed:
      fs::remove(file);
      return;
    case Damage::folder:
      fs::remove(file);
      fs::create_directory(file);
      return;
    case Damage::unreadable:
      ASSERT_EQ(chmod(file.c_str(), 0), 0);
      return;
  }
}

// Root may read everything: somebody else for as long as it lives.
class Nobody {
 public:
  explicit Nobody(const fs::path& folder) {
    constexpr uid_t nobody = 65534;
    if (geteuid() != 0) return;
    give(folder.parent_path(), nobody);
    give(folder, nobody);
    for (const auto& entry : fs::recursive_directory_iterator(folder)) give(entry.path(), nobody);
    if (seteuid(nobody) != 0) throw std::runtime_error("seteuid");
  }
  ~Nobody() {
    if (seteuid(getuid()) != 0) std::abort();
  }

 private:
  static void give(const fs::path& path, uid_t owner) {
    if (chown(path.c_str(), owner, static_cast<gid_t>(-1)) != 0) throw std::runtime_error("chown");
  }
};

class DamageTest : public QueueTest, public testing::WithParamInterface<std::pair<Damage, const char*>> {
 protected:
  DamageTest() {
    options.max_bytes = 16 << 20;  // segments of 1 MiB
    options.persist_after = options.commit_interval = Nanoseconds(0);
    restart();
    append(1, messages, 1000);
    for (const Outgoing& one : take_all()) {
      const std::uint64_t number = number_in(one.delivery);
      if (number == 2) {
        queue->dead_letter(one.sequence, "refused");
      } else if (number <= 700 || (number > 1500 && number <= 1600) || number == messages) {
        queue->acknowledge(one.sequence);
      } else {
        waiting_.insert(number);
      }
    }
    queue->flush();
    before_ = queue->stats().ledger;
    start_ = std::to_string(queue->stats().start);
    // What a kill leaves, and what a clean stop leaves.
    fs::copy(options.directory, directory.path() / "killed", fs::copy_options::recursive);
    close();
    fs::copy(options.directory, directory.path() / "stopped", fs::copy_options::recursive);
  }
  ~DamageTest() override { close(); }

  static std::vector<fs::path> files_in(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) files.push_back(fs::relative(entry.path(), folder));
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  // The messages between the segments before and after that one.
  std::pair<std::uint64_t, std::uint64_t> held_by(const fs::path& folder, const fs::path& file) const {
    if (file.parent_path() != "normal") return {1, 0};
    const std::string stem = file.stem().string();
    sqlite3* db = nullptr;
    const fs::path copy = directory.path() / "looked_at.sqlite";
    for (const char* suffix : {"", "-wal"}) {
      const fs::path from = (folder / "normal" / (stem + ".sqlite")).string() + suffix;
      fs::remove(copy.string() + suffix);
      if (fs::exists(from)) fs::copy(from, copy.string() + suffix);
    }
    EXPECT_EQ(sqlite3_open(copy.c_str(), &db), SQLITE_OK);
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db, "SELECT min(id), max(id) FROM messages", -1, &statement, nullptr),
              SQLITE_OK);
    EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
    const std::pair held(static_cast<std::uint64_t>(sqlite3_column_int64(statement, 0)),
                         static_cast<std::uint64_t>(sqlite3_column_int64(statement, 1)));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return held;
  }

  void expect_only_its_own_lost(const fs::path& pristine, const fs::path& file) {
    const auto held = held_by(pristine, file);
    fs::remove_all(options.directory);
    fs::copy(pristine, options.directory, fs::copy_options::recursive);
    damage(options.directory / file, GetParam().first);
    restart();
    ASSERT_FALSE(queue->stats().degraded) << queue->stats().problem;

    std::set<std::uint64_t> delivered;
    for (const Outgoing& one : take_all()) {
      EXPECT_EQ(one.delivery.message->payload->size(), 1000U);
      EXPECT_EQ(one.id, start_ + "/" + std::to_string(number_in(one.delivery)));
      EXPECT_TRUE(delivered.insert(number_in(one.delivery)).second) << "twice";
    }
    queue->verify();  // finds what nobody had to read
    std::uint64_t lost = 0;
    for (const std::uint64_t number : waiting_) {
      if (delivered.count(number) != 0) continue;
      ++lost;
      EXPECT_TRUE(number >= held.first && number <= held.second) << number << " was in another file";
    }
    const Stats stats = queue->stats();
    EXPECT_EQ(stats.ledger.counts.committed, before_.counts.committed);
    EXPECT_EQ(stats.ledger.counts[Way::quarantined], lost);
    EXPECT_EQ(stats.messages, delivered.size());
    EXPECT_EQ(stats.quarantine.lost, lost);
    EXPECT_TRUE(lost == 0 || stats.quarantine.cases > 0);
    lost_ += lost;
    EXPECT_NE(std::to_string(stats.start), start_);
    expect_balanced();

    // Collection goes on, and the next start sees the same.
    append(messages + 1, messages + 1, 1000);
    queue->flush();
    EXPECT_EQ(queue->stats().ledger.counts.committed, before_.counts.committed + 1);
    restart();
    EXPECT_EQ(queue->stats().messages, delivered.size() + 1);
    EXPECT_EQ(queue->stats().ledger.counts[Way::quarantined], lost);
    expect_balanced();
    close();
  }

  std::set<std::uint64_t> waiting_;
  Ledger before_;
  std::string start_;
  std::uint64_t lost_ = 0;
};

TEST_P(DamageTest, OfAFileLosesAtMostWhatItHeldAndCountsIt) {
  std::vector<std::pair<fs::path, fs::path>> cases;
  for (const char* state : {"killed", "stopped"}) {
    const fs::path pristine = directory.path() / state;
    const auto files = files_in(pristine);
    ASSERT_GE(files.size(), 6U);
    for (const fs::path& file : files) cases.emplace_back(pristine, file);
  }
  fs::create_directories(options.directory);
  fs::permissions(directory.path(), fs::perms::all);
  for (const fs::path& pristine : {directory.path() / "killed", directory.path() / "stopped"}) {
    const Nobody nobody(directory.path());
    for (const auto& [folder, file] : cases) {
      if (folder != pristine) continue;
      SCOPED_TRACE(folder.filename().string() + ": " + file.string());
      expect_only_its_own_lost(folder, file);
    }
  }
  std::cout << cases.size() << " files, committed " << cases.size() * before_.counts.committed
            << ", quarantined " << lost_ << ", lost 0\n";
}

// While it runs.
class RunningDamageTest : public QueueTest {
 protected:
  RunningDamageTest() {
    options.max_bytes = 16 << 20;  // segments of 1 MiB
    options.memory = 256 << 10;
    options.persist_after = options.commit_interval = Nanoseconds(0);
    restart();
    append(1, messages, 1000);
    queue->flush();
  }
  // Until everything there is has been handed out, whatever the storage thread has to do meanwhile.
  std::vector<std::uint64_t> drain() {
    std::vector<std::uint64_t> all;
    while (true) {
      const auto taken = take_all();
      for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
      const auto some = numbers(taken);
      all.insert(all.end(), some.begin(), some.end());
      if (taken.empty()) return all;
      advance(std::chrono::seconds(2));
    }
  }
};

TEST_F(RunningDamageTest, OfAFileThatIsToBeReadCostsWhatItHeld) {
  const auto files = segment_files();
  ASSERT_GE(files.size(), 4U);
  damage(files[1], Damage::random_bytes);
  const auto delivered = drain();
  queue->flush();
  const Stats stats = queue->stats();
  EXPECT_FALSE(stats.degraded) << stats.problem;
  EXPECT_LT(delivered.size(), messages);
  EXPECT_GT(delivered.size(), messages / 2);
  EXPECT_TRUE(std::ranges::is_sorted(delivered));
  EXPECT_EQ(stats.ledger.counts[Way::quarantined], messages - delivered.size());
  EXPECT_EQ(stats.ledger.counts[Way::acknowledged], delivered.size());
  EXPECT_EQ(stats.quarantine.cases, 1U);
  expect_balanced();
}

TEST_F(RunningDamageTest, SavesWhatIsInAnOpenFileThatWasRemoved) {
  const auto newest = segment_files().back();
  std::filesystem::remove(newest);
  std::filesystem::remove(newest.string() + "-wal");
  advance(std::chrono::seconds(2));
  EXPECT_EQ(queue->stats().quarantine.cases, 1U);
  EXPECT_EQ(queue->stats().quarantine.lost, 0U);
  append(messages + 1, messages + 10, 1000);
  EXPECT_EQ(drain(), range(1, messages + 10));
  expect_balanced();
}

TEST_F(RunningDamageTest, CountsWhatAClosedFileThatWasRemovedHeld) {
  restart();
  std::filesystem::remove(segment_files()[1]);
  advance(std::chrono::seconds(2));
  const std::uint64_t lost = queue->stats().quarantine.lost;
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(drain().size(), messages - lost);
  expect_balanced();
}

TEST_F(RunningDamageTest, IsFoundByAVerificationAndPutAside) {
  damage(segment_files()[1], Damage::one_random_page);
  EXPECT_FALSE(queue->verify().differences.empty());
  EXPECT_EQ(queue->stats().quarantine.cases, 1U);
  EXPECT_GT(queue->stats().quarantine.salvaged, 0U);
  expect_balanced();
}

TEST_F(RunningDamageTest, IsSaidUntilTheUserTakesNote) {
  damage(segment_files()[1], Damage::random_bytes);
  restart();
  EXPECT_EQ(queue->stats().quarantine.cases, 1U);
  restart();
  EXPECT_EQ(queue->stats().quarantine.cases, 1U);
  EXPECT_NE(queue->stats().quarantine.latest.find(".sqlite"), std::string::npos);
  EXPECT_EQ(queue->acknowledge_damage(), 1U);
  EXPECT_EQ(queue->stats().quarantine.cases, 0U);
  restart();
  EXPECT_EQ(queue->stats().quarantine.cases, 0U);
  EXPECT_GT(queue->stats().quarantine.bytes, 0U);
  EXPECT_EQ(queue->acknowledge_damage(), 0U);
}

TEST_F(RunningDamageTest, FinishesAMendingThatWasCutShort) {
  close();
  const auto file = segment_files()[1];
  // Whole, but not yet in its place; another one only begun.
  std::filesystem::rename(file, std::filesystem::path(file).replace_extension(".salvaged"));
  std::ofstream(file) << "damaged";
  std::ofstream(std::filesystem::path(segment_files()[2]).replace_extension(".salvage")) << "begun";
  restart();
  EXPECT_EQ(drain(), range(1, messages));
  for (const auto& entry : std::filesystem::directory_iterator(options.directory / "normal")) {
    EXPECT_EQ(entry.path().extension().string().find(".salvage"), std::string::npos) << entry.path();
  }
}

TEST_F(RunningDamageTest, KeepsTheQuarantineWithinABound) {
  for (int i = 0; i < 6; ++i) {
    ASSERT_GE(segment_files().size(), 2U);
    damage(segment_files()[1], Damage::random_bytes);
    restart();
    append(messages + 1, messages + 1000, 1000);
    queue->flush();
  }
  EXPECT_EQ(queue->stats().quarantine.cases, 6U);
  EXPECT_LE(queue->stats().quarantine.bytes, options.max_bytes / 8 + 64 * 1024);
  expect_balanced();
}

INSTANTIATE_TEST_SUITE_P(Ways, DamageTest, testing::ValuesIn(all_damage),
                         [](const auto& way) { return std::string(way.param.second); });

}  // namespace
}  // namespace sluice::queue
