// SPDX-License-Identifier: Apache-2.0
// What verify() finds.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "queue/fixture.hpp"

namespace sluice::queue {
namespace {

class VerifyTest : public QueueTest {
 protected:
  void doctor(const std::filesystem::path& file, const char* sql) {
    close();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
    restart();
  }
};

TEST_F(VerifyTest, CountsAgain) {
  append(1, 20);
  queue->flush();
  for (const Outgoing& one : take_all()) {
    if (one.sequence <= 8) queue->acknowledge(one.sequence);
  }
  queue->flush();
  const Verification verification = queue->verify();
  EXPECT_TRUE(verification.differences.empty());
  EXPECT_EQ(verification.ledger.stored, 12U);
  ASSERT_EQ(verification.segments.size(), 1U);
  EXPECT_EQ(verification.segments[0].quick_check, "ok");
  EXPECT_EQ(verification.segments[0].rows, 20U);
  EXPECT_EQ(verification.segments[0].gone, 8U);
}

TEST_F(VerifyTest, FindsACountThatWasChanged) {
  append(1, 20);
  queue->flush();
  restart();
  doctor(segment_files().at(0), "UPDATE state SET committed = committed + 1");
  const Verification verification = queue->verify();
  ASSERT_FALSE(verification.differences.empty());
  EXPECT_NE(verification.differences[0].find("21"), std::string::npos) << verification.differences[0];
  EXPECT_FALSE(verification.ledger.balanced());
}

TEST_F(VerifyTest, FindsAWayOutThatWasChanged) {
  append(1, 20);
  queue->flush();
  restart();
  doctor(segment_files().at(0), "UPDATE state SET acknowledged = acknowledged + 3");
  EXPECT_FALSE(queue->verify().differences.empty());
}

TEST_F(VerifyTest, FindsARowThatIsMissing) {
  append(1, 20);
  queue->flush();
  restart();
  doctor(segment_files().at(0), "DELETE FROM messages WHERE id = 7");
  EXPECT_FALSE(queue->verify().differences.empty());
}

TEST_F(VerifyTest, FindsATotalThatWasChanged) {
  append(1, 1);
  queue->flush();
  doctor(options.directory / "state.sqlite", "UPDATE state SET expired = 5");
  const Verification verification = queue->verify();
  ASSERT_FALSE(verification.differences.empty());
  EXPECT_NE(verification.differences[0].find("state.sqlite"), std::string::npos);
}

}  // namespace
}  // namespace sluice::queue
