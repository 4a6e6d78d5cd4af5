// SPDX-License-Identifier: Apache-2.0
#include "queue/state_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <system_error>

namespace sluice::queue {
namespace {

constexpr int read_write_by_group = 0640;

// True: locked; false: somebody else holds it.
bool lock_file(int fd, const std::filesystem::path& path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  throw std::system_error(errno, std::generic_category(), "lock " + path.string());
}

}  // namespace

std::optional<StateLock> StateLock::try_lock(const std::filesystem::path& state_dir) {
  const std::filesystem::path path = state_dir / "lock";
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, read_write_by_group));
  // On a disk that is read-only for now the lock of the run before serves as well.
  if (!file && errno == EROFS) file = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw std::system_error(errno, std::generic_category(), "open " + path.string());
  if (!lock_file(file.get(), path)) return std::nullopt;
  return StateLock(std::move(file));
}

bool StateLock::is_held(const std::filesystem::path& state_dir) {
  const std::filesystem::path path = state_dir / "lock";
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return false;
    throw std::system_error(errno, std::generic_category(), "open " + path.string());
  }
  return !lock_file(file.get(), path);
}

}  // namespace sluice::queue
