// SPDX-License-Identifier: Apache-2.0
#include "backlog_window.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace sluice {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A way to a broker that takes one message after the other: each is answered after the way, and what is before it.
class Link {
 public:
  Link(Nanoseconds way, Nanoseconds each) : way_(way), each_(each) {}

  /// The backlog is sent as the window allows until so many are answered; the most that were unanswered in the second half.
  std::size_t run(int messages, std::size_t session_window) {
    std::size_t most = 0;
    for (int answered = 0; answered < messages;) {
      while (window_.may_send(sent_.size(), session_window)) send();
      if (answered > messages / 2) most = std::max(most, sent_.size());
      clock_.advance(std::max(sent_.front().answered_at - clock_.monotonic(), Nanoseconds(0)));
      for (; !sent_.empty() && sent_.front().answered_at <= clock_.monotonic(); ++answered) {
        window_.answered(sent_.front().sent_at);
        sent_.pop_front();
      }
      window_.adapt(session_window);
    }
    return most;
  }
  /// What is unanswered is so for ever: another link.
  void up() {
    sent_.clear();
    window_.link_up();
  }
  void set_way(Nanoseconds way) { way_ = way; }
  ManualClock& clock() { return clock_; }
  BacklogWindow& window() { return window_; }

 private:
  struct Sent {
    Nanoseconds sent_at;
    Nanoseconds answered_at;
  };

  void send() {
    busy_until_ = std::max(busy_until_, clock_.monotonic() + way_) + each_;
    sent_.push_back({clock_.monotonic(), busy_until_});
  }

  ManualClock clock_;
  Nanoseconds way_;
  Nanoseconds each_;
  Nanoseconds busy_until_{0};
  std::deque<Sent> sent_;
  BacklogWindow window_{clock_};
};

TEST(BacklogWindow, ABrokerNearbyIsKeptBusyWithoutAQueue) {
  Link link(microseconds(40), microseconds(8));
  const std::size_t in_flight = link.run(10'000, 100);
  EXPECT_GE(in_flight, 5U) << "the broker idles";
  EXPECT_LE(in_flight, 16U) << "a live message would wait long";
}

TEST(BacklogWindow, ALongWayIsFilledButForAQuarterOfTheWindow) {
  Link link(milliseconds(100), microseconds(10));
  EXPECT_EQ(link.run(10'000, 100), 75U);
}

// 100 ms there and back, 40 messages a second: four on the way and one in the queue, where 75 would be two seconds.
TEST(BacklogWindow, ANarrowLinkIsNotFilledWithBacklog) {
  Link link(milliseconds(100), milliseconds(25));
  const std::size_t in_flight = link.run(2'000, 100);
  EXPECT_GE(in_flight, 4U);
  EXPECT_LE(in_flight, 8U);
}

TEST(BacklogWindow, NeverHasMoreThanThreeQuartersOfTheWindowAndNeverNothing) {
  Link link(milliseconds(100), microseconds(10));
  EXPECT_EQ(link.run(1'000, 4), 3U);
  EXPECT_EQ(link.run(1'000, 2), 1U);
  EXPECT_EQ(link.run(1'000, 1), 1U);
}

TEST(BacklogWindow, LearnsThatTheWayHasBecomeLonger) {
  Link link(milliseconds(1), microseconds(10));
  link.run(10'000, 100);
  link.set_way(milliseconds(200));
  link.run(100, 100);
  for (int minute = 0; minute < 3; ++minute) {
    link.clock().advance(std::chrono::minutes(1));
    link.run(100, 100);
  }
  EXPECT_EQ(link.run(10'000, 100), 75U);
}

TEST(BacklogWindow, BeginsAnewOnEachLink) {
  Link link(milliseconds(100), microseconds(10));
  link.run(10'000, 100);
  ASSERT_TRUE(link.window().may_send(50, 100));
  link.up();
  EXPECT_TRUE(link.window().may_send(1, 100));
  EXPECT_FALSE(link.window().may_send(2, 100));
  link.set_way(milliseconds(1));
  link.run(10'000, 100);
  link.up();
  link.set_way(milliseconds(100));
  EXPECT_GT(link.run(200, 100), 10U) << "the way of the link before is still aimed at";
}

TEST(BacklogWindow, HalfOfItIsWorthReadingTogether) {
  Link link(milliseconds(100), microseconds(10));
  EXPECT_EQ(link.window().worth_reading(), 1U);
  link.run(10'000, 100);
  EXPECT_GE(link.window().worth_reading(), 37U);
}

}  // namespace
}  // namespace sluice
