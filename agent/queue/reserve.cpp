// SPDX-License-Identifier: Apache-2.0
#include "queue/reserve.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"

namespace sluice::queue {

void Reserve::keep(std::uint64_t free_bytes) noexcept {
  const std::uint64_t present = bytes();
  // The limits have been lowered.
  if (present > wanted_ && ::truncate(file_.c_str(), static_cast<off_t>(wanted_)) != 0) release();
  // With a margin, so that it is not made and let go in turns.
  if (free_bytes < 4 * wanted_ || present >= wanted_) return;
  constexpr int read_write_by_group = 0640;
  const FileDescriptor file(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, read_write_by_group));
  if (file && ::posix_fallocate(file.get(), 0, static_cast<off_t>(wanted_)) != 0) ::unlink(file_.c_str());
}

bool Reserve::release() noexcept {
  return ::unlink(file_.c_str()) == 0;
}

std::uint64_t Reserve::bytes() const noexcept {
  struct stat status {};
  return ::stat(file_.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace sluice::queue
