// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a thread of this process.
#pragma once

#include <sys/types.h>

namespace sluice {

/// The kernel's id of the calling thread.
pid_t this_thread();

/// Is it in a system call that waits for the disk (uninterruptible sleep, state D)? A thread that waits for a lock, sleeps or
/// turns in a circle is not. False where the thread is gone. Any thread.
bool waits_for_disk(pid_t thread);

}  // namespace sluice
