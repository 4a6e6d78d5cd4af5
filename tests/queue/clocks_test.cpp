// SPDX-License-Identifier: Apache-2.0
// Times that the host took before somebody set its clock, and ages by clocks that jump.
#include "queue/clocks.hpp"

#include <gtest/gtest.h>

#include "queue/fixture.hpp"

namespace sluice::queue {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr Nanoseconds right_time = std::chrono::hours(24 * 365 * 56);
constexpr Nanoseconds wrong_time = std::chrono::hours(24);

class ClocksTest : public QueueTest {
 protected:
  ClocksTest() {
    close();
    clock.reboot();  // of the boot before, the clock is known
    clock.set_wall(wrong_time);
    synchronised = false;
    restart();
  }

  void append_host_time(std::uint64_t number, TimeKind kind = TimeKind::host) {
    Delivery delivery = delivery_of(number);
    auto message = std::make_shared<Message>(*delivery.message);
    message->time = {clock.wall().count(), clock.monotonic().count(), clock.boot(), kind,
                     synchronised ? TimeMark::plain : TimeMark::unsynchronised};
    delivery.message = std::move(message);
    ASSERT_EQ(queue->append(std::move(delivery)), Push::ok);
  }
  void set_clock(Nanoseconds wall) {
    clock.set_wall(wall);
    synchronised = true;
    advance(seconds(2));
  }
  Time only_time() {
    const auto taken = take_all();
    EXPECT_EQ(taken.size(), 1U);
    return taken.empty() ? Time() : taken[0].delivery.message->time;
  }
};

TEST_F(ClocksTest, CorrectsHostTimeOnceTheClockIsSet) {
  append_host_time(1);
  queue->flush();
  advance(seconds(10));
  EXPECT_FALSE(queue->clock_is_synchronised());
  set_clock(right_time);
  EXPECT_TRUE(queue->clock_is_synchronised());
  const Time time = only_time();
  EXPECT_EQ(time.mark, TimeMark::corrected);
  EXPECT_EQ(Nanoseconds(time.wall_ns), right_time - seconds(10));
}

TEST_F(ClocksTest, CorrectsByTheSameAtEachResendHoweverTheClockJumpsLater) {
  append_host_time(1);
  set_clock(right_time);
  for (const Nanoseconds jump : {Nanoseconds(hours(24)), Nanoseconds(hours(-24)), Nanoseconds(0)}) {
    clock.set_wall(right_time + jump);
    advance(seconds(2));
    EXPECT_EQ(Nanoseconds(only_time().wall_ns), right_time);
    restart();
  }
  // And after a restart of the machine, with a clock that is wrong again.
  close();
  clock.reboot();
  clock.set_wall(wrong_time);
  synchronised = false;
  restart();
  EXPECT_EQ(Nanoseconds(only_time().wall_ns), right_time);
  EXPECT_EQ(Nanoseconds(queue->read(0, 1).at(0).delivery.message->time.wall_ns), right_time);
}

TEST_F(ClocksTest, LeavesWhatItDoesNotKnowAndSaysSo) {
  append_host_time(1);
  close();
  clock.reboot();
  clock.set_wall(right_time);
  synchronised = true;
  restart();
  const Time time = only_time();
  EXPECT_EQ(time.mark, TimeMark::unsynchronised);
  EXPECT_EQ(Nanoseconds(time.wall_ns), wrong_time);
}

TEST_F(ClocksTest, NeverTouchesTheTimeOfADevice) {
  append_host_time(1, TimeKind::device);
  set_clock(right_time);
  EXPECT_EQ(Nanoseconds(only_time().wall_ns), wrong_time);
}

TEST_F(ClocksTest, LeavesTimesTakenAfterTheClockWasSet) {
  set_clock(right_time);
  append_host_time(1);
  clock.set_wall(right_time + hours(24));
  advance(seconds(2));
  const Time time = only_time();
  EXPECT_EQ(time.mark, TimeMark::plain);
  EXPECT_EQ(Nanoseconds(time.wall_ns), right_time + seconds(2));
}

TEST_F(ClocksTest, RemembersABoundedNumberOfBoots) {
  Clocks clocks;
  for (std::uint64_t boot = 1; boot <= Clocks::most_boots + 3; ++boot) {
    EXPECT_TRUE(clocks.look(boot, 100, 40, true));
    EXPECT_FALSE(clocks.look(boot, 200, 50, true));
  }
  EXPECT_EQ(clocks.all().size(), Clocks::most_boots);
  EXPECT_FALSE(clocks.offset_of(3));
  EXPECT_EQ(clocks.offset_of(4), 60);
}

TEST_F(ClocksTest, NoJumpOfADayMakesAMessageOldWithinABoot) {
  options.max_age = hours(16);
  set_clock(right_time);
  restart();
  append(1, 10);
  queue->flush();
  for (const Nanoseconds jump : {Nanoseconds(hours(24)), Nanoseconds(hours(-24)), Nanoseconds(hours(24))}) {
    clock.set_wall(clock.wall() + jump);
    advance(seconds(2));
    EXPECT_EQ(queue->stats().messages, 10U);
  }
  advance(hours(17));
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_age], 10U);
}

// While it fills and drains, also across restarts: nothing is dropped for its age, and the order stays.
TEST_F(ClocksTest, JumpsBackAndForthByADayWhileItRunsWithoutLossAndInOrder) {
  options.max_age = hours(16);
  set_clock(right_time);
  restart();
  std::uint64_t appended = 0;
  std::vector<std::uint64_t> delivered;
  for (int jump = 0; jump < 40; ++jump) {
    clock.set_wall(clock.wall() + hours(jump % 2 == 0 ? 24 : -24) + hours(jump % 4 == 3 ? -24 : 0));
    advance(seconds(2));
    append(appended + 1, appended + 50);
    appended += 50;
    if (jump % 3 == 0) queue->flush();
    if (jump % 2 != 0) {
      std::vector<Outgoing> taken;
      queue->take(taken, 60);
      for (const Outgoing& one : taken) {
        delivered.push_back(number_in(one.delivery));
        queue->acknowledge(one.sequence);
      }
    }
    advance(seconds(2));
    if (jump % 10 == 9) restart();
    EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_age], 0U);
  }
  for (const Outgoing& one : take_all()) delivered.push_back(number_in(one.delivery));
  EXPECT_EQ(delivered, range(1, appended));
  expect_balanced();
}

TEST_F(ClocksTest, CountsTheAgeOfAnEarlierBootByItsCorrectedClock) {
  options.max_age = hours(16);
  restart();
  append(1, 10);
  queue->flush();
  set_clock(right_time);
  close();
  clock.reboot();
  clock.set_wall(right_time + hours(15));
  restart();
  advance(seconds(2));
  EXPECT_EQ(queue->stats().messages, 10U);
  // As long as nobody has set the clock, it proves nothing.
  close();
  clock.reboot();
  clock.set_wall(right_time + hours(100));
  synchronised = false;
  restart();
  advance(seconds(2));
  EXPECT_EQ(queue->stats().messages, 10U);
  clock.set_wall(right_time + hours(17));
  synchronised = true;
  advance(seconds(2));
  EXPECT_EQ(queue->stats().ledger.counts[Way::dropped_by_age], 10U);
}

}  // namespace
}  // namespace sluice::queue
