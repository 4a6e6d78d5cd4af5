// SPDX-License-Identifier: Apache-2.0
#include "queue/sqlite.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "queue/fixture.hpp"
#include "queue/format_error.hpp"

namespace sluice::queue::sqlite {
namespace {

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(Sqlite, SetsWhatTheQueueReliesOn) {
  const TemporaryDirectory directory;
  Connection connection(directory.path() / "a.sqlite", {.schema = "CREATE TABLE t(a)"});
  EXPECT_TRUE(connection.created());
  EXPECT_EQ(connection.text("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(connection.text("PRAGMA locking_mode"), "exclusive");
  EXPECT_EQ(connection.number("PRAGMA page_size"), page_bytes);
  EXPECT_EQ(connection.number("PRAGMA auto_vacuum"), 0);
  EXPECT_EQ(connection.number("PRAGMA secure_delete"), 0);
  EXPECT_EQ(connection.number("PRAGMA synchronous"), 2);
  connection.set_sync(Sync::normal);
  EXPECT_EQ(connection.number("PRAGMA synchronous"), 1);
  EXPECT_EQ(connection.number("PRAGMA application_id"), application_id);
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "a.sqlite-shm"));
}

TEST(Sqlite, ForcesNothingToTheDiskByTheSwitchForTests) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the switch is read once a process
  EXPECT_EXIT(
      {
        ::setenv("SLUICE_TEST_SYNC", "off", 1);
        bool off = false;
        {
          const TemporaryDirectory directory;
          Connection connection(directory.path() / "a.sqlite", {.schema = "CREATE TABLE t(a)"});
          off = connection.number("PRAGMA synchronous") == 0;
        }
        ::_exit(off ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Sqlite, SaysWhichFileAndWhatIsWrong) {
  const TemporaryDirectory directory;
  Connection connection(directory.path() / "a.sqlite", {});
  try {
    connection.execute("SELECT * FROM missing");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("a.sqlite"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("no such table"), std::string::npos) << error.what();
  }
}

TEST(Sqlite, RollsBackWhatIsNotCommitted) {
  const TemporaryDirectory directory;
  Connection connection(directory.path() / "a.sqlite", {.schema = "CREATE TABLE t(a)"});
  {
    Transaction transaction(connection);
    connection.execute("INSERT INTO t VALUES(1)");
  }
  EXPECT_EQ(connection.number("SELECT count(*) FROM t"), 0);
}

TEST(Sqlite, RefusesALaterFormatAndLeavesItAlone) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "a.sqlite";
  {
    Connection connection(file, {.schema = "CREATE TABLE t(a)"});
    connection.execute("PRAGMA user_version=2");
  }
  const std::string before = content(file);
  try {
    Connection connection(file, {});
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_NE(std::string(error.what()).find("format 2"), std::string::npos) << error.what();
  }
  EXPECT_EQ(content(file), before);
}

TEST(Sqlite, RefusesAFileOfAnotherProgram) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "a.sqlite";
  {
    Connection connection(file, {.schema = "CREATE TABLE t(a)"});
    connection.execute("PRAGMA application_id=7");
  }
  const std::string before = content(file);
  EXPECT_THROW(Connection(file, {}), Error);
  EXPECT_EQ(content(file), before);
}

TEST(Sqlite, ReadsAFileAsItIsWithoutTouchingIt) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "100% mine?#1.sqlite";
  {
    Connection connection(file, {.user_version = 3, .schema = "CREATE TABLE t(a)"});
    connection.execute("INSERT INTO t VALUES(42)");
  }
  const auto written = std::filesystem::last_write_time(directory.path());
  {
    Connection connection(Connection::AsItIs(), file);
    EXPECT_EQ(connection.number("SELECT a FROM t"), 42);
    EXPECT_TRUE(connection.has_format(3));
    EXPECT_FALSE(connection.has_format(2));
    EXPECT_THROW(connection.execute("INSERT INTO t VALUES(43)"), Error);
    Connection beside(Connection::AsItIs(), file);  // no lock
    EXPECT_EQ(beside.number("SELECT a FROM t"), 42);
  }
  EXPECT_EQ(std::filesystem::last_write_time(directory.path()), written) << "a log was made";
  Connection(file, {.user_version = 3}).execute("PRAGMA application_id=7");
  EXPECT_FALSE(Connection(Connection::AsItIs(), file).has_format(3));
  EXPECT_THROW(Connection(Connection::AsItIs(), directory.path() / "missing"), Error);
}

TEST(Sqlite, CreatesNothingWhereItIsNotToldTo) {
  const TemporaryDirectory directory;
  EXPECT_THROW(Connection(directory.path() / "a.sqlite", {.create = false}), Error);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace sluice::queue::sqlite
