// SPDX-License-Identifier: Apache-2.0
#include "replay.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

queue::Outgoing accepted_now(const Clock& clock) {
  auto message = std::make_shared<Message>();
  message->time.boot = clock.boot();
  message->time.monotonic_ns = clock.monotonic().count();
  queue::Outgoing outgoing;
  outgoing.delivery.message = std::move(message);
  return outgoing;
}

// How many may go out at this moment.
int send_all(Replay& replay) {
  int sent = 0;
  for (; sent < 10'000 && replay.may_send(); ++sent) replay.sent();
  return sent;
}

TEST(Replay, IsWhatWaitedForTheLink) {
  ManualClock clock;
  Replay replay(0, clock);
  const queue::Outgoing before = accepted_now(clock);
  clock.advance(seconds(1));
  replay.link_up();
  EXPECT_TRUE(replay.is_replayed(before));
  EXPECT_FALSE(replay.is_replayed(accepted_now(clock)));
  queue::Outgoing read_back = accepted_now(clock);
  read_back.replayed = true;
  EXPECT_TRUE(replay.is_replayed(read_back));
  const queue::Outgoing of_this_boot = accepted_now(clock);
  clock.reboot();
  EXPECT_TRUE(replay.is_replayed(of_this_boot));
}

TEST(Replay, SendsNoMoreThanItsRate) {
  ManualClock clock;
  Replay replay(50, clock);
  EXPECT_EQ(send_all(replay), 50);
  EXPECT_EQ(send_all(replay), 0);
  clock.advance(milliseconds(500));
  EXPECT_EQ(send_all(replay), 25);
  // What was not used is not saved up.
  clock.advance(seconds(60));
  EXPECT_EQ(send_all(replay), 50);
}

TEST(Replay, WithoutARateSendsAll) {
  const ManualClock clock;
  Replay replay(0, clock);
  EXPECT_EQ(send_all(replay), 10'000);
}

}  // namespace
}  // namespace sluice
