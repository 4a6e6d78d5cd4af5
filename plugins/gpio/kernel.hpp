// SPDX-License-Identifier: Apache-2.0
//
// What is asked of the kernel: chips, and the ioctls of its GPIO character device, version 2 (linux/gpio.h). Tests put
// their own in its place. What it opens is a real file descriptor, which is polled, read and closed as such.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sluice::gpio {

class Kernel {
 public:
  virtual ~Kernel() = default;
  // The paths of all chips.
  virtual std::vector<std::string> chips() = 0;
  // As open(2) and ioctl(2): -1 and errno.
  virtual int open(const std::string& path) = 0;
  virtual int ioctl(int fd, unsigned long request, void* argument) = 0;
};

// The one of this machine. It has no state: any thread.
Kernel& linux_kernel();

// Owns a file descriptor.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File();
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace sluice::gpio
