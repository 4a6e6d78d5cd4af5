// SPDX-License-Identifier: Apache-2.0
#include "queue/storage.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <thread>

#include "queue/fixture.hpp"
#include "queue/state_lock.hpp"
#include "support/kernel_hold.hpp"
#include "support/wait_until.hpp"

namespace sluice::queue {
namespace {

TEST(Storage, RunsWorkOnItsThreadAndHandsBackWhatItThrows) {
  const ManualClock clock;
  Storage storage(clock);
  std::thread::id id;
  storage.execute([&] { id = std::this_thread::get_id(); });
  EXPECT_NE(id, std::this_thread::get_id());
  EXPECT_THROW(storage.execute([] { throw std::runtime_error("disk"); }), std::runtime_error);
  EXPECT_THROW(storage.execute([&] { storage.execute([] {}); }), std::logic_error);
}

TEST(Storage, ItsThreadTakesTheProcessorFromNobodyWhenItWakes) {
  const ManualClock clock;
  Storage storage(clock);
  int policy = -1;
  storage.execute([&] { policy = ::sched_getscheduler(0); });
  EXPECT_EQ(policy, SCHED_BATCH);
  EXPECT_NE(::sched_getscheduler(0), SCHED_BATCH);
}

TEST(Storage, ShowsAHeartbeat) {
  const ManualClock clock;
  Storage storage(clock);
  const std::uint64_t before = storage.heartbeat();
  while (storage.heartbeat() < before + 2) storage.execute([] {});
}

TEST(Storage, TellsThatTheDiskHoldsItUp) {
  const ManualClock clock;
  Storage storage(clock);
  test::KernelHold disk;
  std::thread waiting([&] { storage.execute([&] { disk.hold(); }); });
  EXPECT_TRUE(test::wait_until([&] { return storage.waits_for_disk(); }));
  disk.release();
  waiting.join();
  EXPECT_TRUE(test::wait_until([&] { return !storage.waits_for_disk(); }));
}

TEST(Storage, RefusesWorkAfterItsStop) {
  const ManualClock clock;
  Storage storage(clock);
  storage.stop();
  EXPECT_THROW(storage.execute([] {}), std::logic_error);
  storage.stop();
}

TEST(StateLock, IsHeldByOneAtATime) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(StateLock::is_held(directory.path()));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  auto lock = StateLock::try_lock(directory.path());
  ASSERT_TRUE(lock);
  EXPECT_TRUE(StateLock::is_held(directory.path()));
  EXPECT_FALSE(StateLock::try_lock(directory.path()));
  lock.reset();
  EXPECT_FALSE(StateLock::is_held(directory.path()));
  EXPECT_TRUE(StateLock::try_lock(directory.path()));
}

TEST(StateLock, EndsWithItsProcess) {
  const TemporaryDirectory directory;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = StateLock::try_lock(directory.path());
    [[maybe_unused]] const auto written = write(ready[1], "x", 1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_TRUE(StateLock::is_held(directory.path()));
  EXPECT_FALSE(StateLock::try_lock(directory.path()));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(StateLock::try_lock(directory.path()));
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(StateLock, ThrowsWhereThereIsNoDirectory) {
  const TemporaryDirectory directory;
  EXPECT_THROW(StateLock::try_lock(directory.path() / "missing"), std::system_error);
}

}  // namespace
}  // namespace sluice::queue
