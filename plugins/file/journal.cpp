// SPDX-License-Identifier: Apache-2.0
#include "journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace file {

namespace {

struct stat status_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) status.st_size = -1;
  return status;
}

}  // namespace

Journal::~Journal() {
  close();
}

void Journal::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Journal::moved() const {
  struct stat named {};
  if (::stat(path_.c_str(), &named) != 0) return true;
  const struct stat held = status_of(fd_);
  return named.st_ino != held.st_ino || named.st_dev != held.st_dev;
}

void Journal::open() {
  // Not blocking, since opening a pipe would wait for its reader.
  fd_ = ::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
  if (fd_ < 0) {
    const int error = errno;
    if (error == ENOENT) fail("cannot be made: its folder does not exist", error);
    fail("cannot be opened", error);
  }
  try {
    if (!S_ISREG(status_of(fd_).st_mode)) throw JournalError(path_ + ": expected a regular file");
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) fail("is written by another instance or program", errno);
    end_torn_line();
  } catch (...) {
    close();
    throw;
  }
  name_synced_ = false;
}

void Journal::end_torn_line() {
  const std::int64_t size = status_of(fd_).st_size;
  char last = '\n';
  if (size > 0 && ::pread(fd_, &last, 1, size - 1) != 1) fail("cannot be read", errno);
  if (last == '\n') return;
  if (::write(fd_, "\n", 1) != 1) fail("cannot be written", errno);
  ++torn_lines_;
}

void Journal::append(std::string_view lines) {
  if (fd_ >= 0 && moved()) {
    // The old file keeps what it has: it is synced too, whatever the new one is.
    if (!synced()) ::fdatasync(fd_);
    unsynced_ = 0;
    close();
    ++reopened_;
  }
  if (fd_ < 0) open();
  size_before_ = status_of(fd_).st_size;
  std::size_t written = 0;
  while (written < lines.size()) {
    const ssize_t count = ::write(fd_, lines.data() + written, lines.size() - written);
    if (count > 0) {
      written += static_cast<std::size_t>(count);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    const int error = count == 0 ? EIO : errno;
    take_back();
    fail("cannot be written", error);
  }
  unsynced_ += written;
}

void Journal::take_back() {
  // Where even that fails, the next open ends the torn line.
  if (fd_ >= 0 && ::ftruncate(fd_, size_before_) != 0) close();
}

void Journal::sync() {
  if (fd_ < 0) return;
  if (::fdatasync(fd_) != 0) fail("cannot be synced", errno);
  unsynced_ = 0;
  if (name_synced_) return;
  const std::string folder = std::filesystem::path(path_).parent_path();
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("is in a folder that cannot be synced", errno);
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some file systems cannot sync a folder, and need not.
  if (result != 0 && error != EINVAL) fail("is in a folder that cannot be synced", error);
  name_synced_ = true;
}

void Journal::fail(const std::string& what, int error) const {
  throw JournalError(path_ + " " + what + ": " + std::system_category().message(error));
}

}  // namespace file
