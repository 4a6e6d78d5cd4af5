// SPDX-License-Identifier: Apache-2.0
// Holds a thread inside a system call, uninterruptibly, as a disk that does not answer does. For several threads.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

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

  /// Holds the calling thread until release(): the kernel keeps the parent of vfork() so until its child has ended.
  void hold() {
    const pid_t child = ::vfork();
    if (child == 0) {
      char byte = 0;
      ::_exit(::read(ends_[0], &byte, 1) == 1 ? 0 : 1);
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
