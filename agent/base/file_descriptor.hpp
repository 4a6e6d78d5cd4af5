// SPDX-License-Identifier: Apache-2.0
// Owners of a file descriptor. Not for several threads at once, but EventFd, which any thread may signal.
#pragma once

#include <utility>

namespace sluice {

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// An eventfd: readable from signal() until clear().
class EventFd {
 public:
  EventFd();  ///< throws std::system_error
  void signal() const noexcept;
  void clear() const noexcept;
  int fd() const { return fd_.get(); }

 private:
  FileDescriptor fd_;
};

}  // namespace sluice
