// SPDX-License-Identifier: Apache-2.0
#include "base/mailbox.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <limits>
#include <memory>
#include <thread>

namespace sluice {
namespace {

using namespace std::chrono_literals;

bool readable(int fd) {
  pollfd wanted{fd, POLLIN, 0};
  return ::poll(&wanted, 1, 0) == 1;
}

TEST(Mailbox, KeepsOrder) {
  Mailbox<int> mailbox(10, 1000);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(mailbox.push(int(i), 1), Push::ok);
  EXPECT_EQ(mailbox.take(3, 0s), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(mailbox.take(10, 0s), (std::vector<int>{3, 4}));
  EXPECT_TRUE(mailbox.take(10, 0s).empty());
}

TEST(Mailbox, IsBoundedInItems) {
  Mailbox<int> mailbox(2, 1000);
  EXPECT_EQ(mailbox.push(1, 1), Push::ok);
  EXPECT_EQ(mailbox.push(2, 1), Push::ok);
  EXPECT_EQ(mailbox.push(3, 1), Push::full);
  mailbox.take(1, 0s);
  EXPECT_EQ(mailbox.push(4, 1), Push::ok);
}

TEST(Mailbox, IsBoundedInBytes) {
  Mailbox<int> mailbox(100, 10);
  EXPECT_EQ(mailbox.push(1, 6), Push::ok);
  EXPECT_EQ(mailbox.push(2, 5), Push::full);
  EXPECT_EQ(mailbox.push(3, 4), Push::ok);
  EXPECT_EQ(mailbox.bytes(), 10U);
  EXPECT_EQ(mailbox.size(), 2U);
  mailbox.take(1, 0s);
  EXPECT_EQ(mailbox.bytes(), 4U);
}

TEST(Mailbox, LetsAnItemHeavierThanItselfPassWhileItIsEmpty) {
  Mailbox<int> mailbox(100, 10);
  EXPECT_EQ(mailbox.push(1, 1000), Push::ok);
  EXPECT_EQ(mailbox.push(2, 1), Push::full);
  mailbox.take(1, 0s);
  EXPECT_EQ(mailbox.bytes(), 0U);
  EXPECT_EQ(mailbox.push(2, 1), Push::ok);
}

TEST(Mailbox, LeavesARefusedItemAsItWas) {
  Mailbox<std::unique_ptr<int>> mailbox(1, 10);
  mailbox.push(std::make_unique<int>(1), 1);
  auto refused = std::make_unique<int>(2);
  EXPECT_EQ(mailbox.push(std::move(refused), 1), Push::full);
  EXPECT_TRUE(refused);
  mailbox.close();
  EXPECT_EQ(mailbox.push(std::move(refused), 1), Push::closed);
  EXPECT_TRUE(refused);
}

TEST(Mailbox, GivesOutWhatIsInsideAfterItWasClosed) {
  Mailbox<int> mailbox(10, 10);
  mailbox.push(1, 1);
  mailbox.close();
  EXPECT_EQ(mailbox.push(2, 1), Push::closed);
  EXPECT_EQ(mailbox.take(10, 10s), (std::vector<int>{1}));
  EXPECT_TRUE(mailbox.take(10, 10s).empty());
}

TEST(Mailbox, IsReadableWhileThereIsSomethingToTake) {
  Mailbox<int> mailbox(10, 10);
  EXPECT_FALSE(readable(mailbox.fd()));
  mailbox.push(1, 1);
  mailbox.push(2, 1);
  EXPECT_TRUE(readable(mailbox.fd()));
  mailbox.take(1, 0s);
  EXPECT_TRUE(readable(mailbox.fd()));
  mailbox.take(1, 0s);
  EXPECT_FALSE(readable(mailbox.fd()));
  mailbox.push(3, 1);
  EXPECT_TRUE(readable(mailbox.fd()));
}

TEST(Mailbox, StaysReadableOnceItIsClosed) {
  Mailbox<int> mailbox(10, 10);
  mailbox.push(1, 1);
  mailbox.close();
  mailbox.take(10, 0s);
  EXPECT_TRUE(readable(mailbox.fd()));
  mailbox.take(10, 0s);
  EXPECT_TRUE(readable(mailbox.fd()));
}

TEST(Mailbox, WakesTheTakerForAnItem) {
  Mailbox<int> mailbox(10, 10);
  const std::jthread pusher([&] { mailbox.push(1, 1); });
  EXPECT_EQ(mailbox.take(1, 30s), (std::vector<int>{1}));
}

TEST(Mailbox, WakesTheTakerWhenItIsClosed) {
  Mailbox<int> mailbox(10, 10);
  const std::jthread closer([&] { mailbox.close(); });
  EXPECT_TRUE(mailbox.take(1, 24h).empty());
}

TEST(Mailbox, WakesWhoWaitsForRoom) {
  Mailbox<int> mailbox(1, 10);
  mailbox.push(1, 1);
  EXPECT_FALSE(mailbox.wait_room(0s));
  const std::jthread taker([&] { mailbox.take(1, 0s); });
  EXPECT_TRUE(mailbox.wait_room(24h));
  EXPECT_EQ(mailbox.push(2, 1), Push::ok);
}

TEST(Mailbox, WakesWhoWaitsForRoomWhenItIsClosed) {
  Mailbox<int> mailbox(1, 10);
  mailbox.push(1, 1);
  const std::jthread closer([&] { mailbox.close(); });
  EXPECT_FALSE(mailbox.wait_room(24h));
}

TEST(Mailbox, WaitsForAsMuchRoomAsAnItemNeeds) {
  Mailbox<int> mailbox(10, 10);
  mailbox.push(1, 3);
  mailbox.push(2, 3);
  EXPECT_TRUE(mailbox.wait_room(0s, 4));
  EXPECT_FALSE(mailbox.wait_room(0s, 5));
  mailbox.take(1, 0s);
  EXPECT_TRUE(mailbox.wait_room(0s, 5));
  EXPECT_FALSE(mailbox.wait_room(0s, 1000));
  mailbox.take(1, 0s);
  EXPECT_TRUE(mailbox.wait_room(0s, 1000));
}

TEST(Mailbox, WaitsWithoutLimitForTheLongestTime) {
  Mailbox<int> mailbox(1, 10);
  std::jthread pusher([&] { mailbox.push(1, 1); });
  EXPECT_EQ(mailbox.take(1, std::chrono::nanoseconds::max()), (std::vector<int>{1}));
  pusher.join();
  mailbox.push(2, 1);
  const std::jthread taker([&] { mailbox.take(1, 0s); });
  EXPECT_TRUE(mailbox.wait_room(std::chrono::nanoseconds::max()));
}

TEST(Mailbox, CarriesEverythingFromSeveralThreadsToOne) {
  constexpr int threads = 4;
  constexpr int each = 5000;
  Mailbox<int> mailbox(16, 1000);
  std::vector<std::jthread> pushers;
  for (int t = 0; t < threads; ++t) {
    pushers.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        while (mailbox.push(t * each + i, 1) != Push::ok) mailbox.wait_room(30s);
      }
    });
  }
  std::vector<int> next(threads);
  for (int received = 0; received < threads * each;) {
    const auto taken = mailbox.take(7, 30s);
    ASSERT_FALSE(taken.empty());
    for (int item : taken) {
      ASSERT_EQ(item % each, next[static_cast<std::size_t>(item / each)]++);
      ++received;
    }
  }
  EXPECT_EQ(mailbox.size(), 0U);
  EXPECT_EQ(mailbox.bytes(), 0U);
}

}  // namespace
}  // namespace sluice
