// SPDX-License-Identifier: Apache-2.0
#include "base/thread_state.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "support/kernel_hold.hpp"
#include "support/wait_until.hpp"

namespace sluice {
namespace {

using test::wait_until;

TEST(ThreadState, AThreadThatTheKernelHoldsWaitsForTheDisk) {
  test::KernelHold disk;
  std::atomic<pid_t> id{0};
  std::thread held([&] {
    id = this_thread();
    disk.hold();
  });
  EXPECT_TRUE(wait_until([&] { return waits_for_disk(id); }));
  disk.release();
  held.join();
  EXPECT_FALSE(waits_for_disk(id));  // it is gone
}

TEST(ThreadState, AThreadThatRunsOrWaitsForALockDoesNot) {
  EXPECT_FALSE(waits_for_disk(this_thread()));
  std::mutex mutex;
  std::atomic<pid_t> id{0};
  std::unique_lock lock(mutex);
  std::thread waiting([&] {
    id = this_thread();
    const std::lock_guard mine(mutex);
  });
  ASSERT_TRUE(wait_until([&] { return id != 0; }));
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(waits_for_disk(id));
  lock.unlock();
  waiting.join();
}

}  // namespace
}  // namespace sluice
