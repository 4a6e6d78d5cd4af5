// SPDX-License-Identifier: Apache-2.0
// Holds a thread inside a system call, uninterruptibly, as a disk that does not answer does. For several threads.
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace sluice::test {

class KernelHold {
 public:
  KernelHold() {
    if (::pipe(ends_) != 0) throw std::runtime_error("pipe");
  }
  ~KernelHold() {
    for (const int end : ends_) ::close(end);
  }
  KernelHold(const KernelHold&) = delete;
  KernelHold& operator=(const KernelHold&) = delete;

  /// Holds the calling thread until release(): the kernel keeps it so until its child has ended. By the bare system calls,
  /// since the thread sanitizer turns vfork() into fork(), and watches read().
  void hold() {
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
    if (child == 0) {
      char byte = 0;
      const long got = ::syscall(SYS_read, ends_[0], &byte, 1);
      ::syscall(SYS_exit_group, got == 1 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
  }

  void release() {
    if (::write(ends_[1], "x", 1) != 1) throw std::runtime_error("write");
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace sluice::test
