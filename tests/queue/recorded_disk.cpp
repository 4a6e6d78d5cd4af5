// SPDX-License-Identifier: Apache-2.0
#include "queue/recorded_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <utility>

namespace sluice::queue {
namespace {

using Kind = DiskOperation::Kind;

std::atomic<RecordedDisk*> recorder{nullptr};

}  // namespace

RecordedDisk::RecordedDisk(const std::filesystem::path& folder) : prefix_(folder.string() + "/") {
  recorder = this;
}

RecordedDisk::~RecordedDisk() {
  recorder = nullptr;
}

std::size_t RecordedDisk::position() const {
  const std::lock_guard lock(mutex_);
  return operations_.size();
}

void RecordedDisk::fail_syncs(unsigned count) {
  const std::lock_guard lock(mutex_);
  failing_syncs_ = count;
}

std::vector<DiskOperation> RecordedDisk::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

bool RecordedDisk::below(const char* path, std::string& name) const {
  const std::string text = std::string(path) + "/";
  if (text.compare(0, prefix_.size(), prefix_) != 0) return false;
  name = text.substr(prefix_.size());
  if (!name.empty()) name.pop_back();
  return true;
}

void RecordedDisk::opened(int descriptor, const char* path, bool folder) {
  std::string name;
  if (!below(path, name)) return;
  const std::lock_guard lock(mutex_);
  if (folder) {
    folders_[descriptor] = name;
    return;
  }
  const auto [at, fresh] = files_.emplace(name, next_file_);
  if (fresh) operations_.push_back({Kind::create, next_file_++, 0, {}, name});
  descriptors_[descriptor] = at->second;
}

void RecordedDisk::closed(int descriptor) {
  const std::lock_guard lock(mutex_);
  descriptors_.erase(descriptor);
  folders_.erase(descriptor);
}

void RecordedDisk::written(int descriptor, const void* data, std::size_t size, std::int64_t at) {
  const std::lock_guard lock(mutex_);
  const auto file = descriptors_.find(descriptor);
  if (file == descriptors_.end()) return;
  operations_.push_back({Kind::write,
                         file->second,
                         static_cast<std::uint64_t>(at),
                         std::string(static_cast<const char*>(data), size),
                         {}});
}

void RecordedDisk::resized(int descriptor, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  const auto file = descriptors_.find(descriptor);
  if (file != descriptors_.end()) operations_.push_back({Kind::resize, file->second, size, {}, {}});
}

bool RecordedDisk::synced(int descriptor) {
  const std::lock_guard lock(mutex_);
  if (const auto folder = folders_.find(descriptor); folder != folders_.end()) {
    operations_.push_back({Kind::sync_folder, 0, 0, {}, folder->second});
    return true;
  }
  const auto file = descriptors_.find(descriptor);
  if (file == descriptors_.end()) return true;
  const bool fails = failing_syncs_ > 0;
  if (fails) --failing_syncs_;
  operations_.push_back({fails ? Kind::failed_sync : Kind::sync, file->second, 0, {}, {}});
  return !fails;
}

void RecordedDisk::removed(const char* path) {
  std::string name;
  if (!below(path, name)) return;
  const std::lock_guard lock(mutex_);
  files_.erase(name);
  operations_.push_back({Kind::remove, 0, 0, {}, name});
}

void RecordedDisk::made_folder(const char* path) {
  std::string name;
  if (!below(path, name)) return;
  const std::lock_guard lock(mutex_);
  operations_.push_back({Kind::make_folder, 0, 0, {}, name});
}

namespace {

int open_recorded(const char* path, int flags, mode_t mode) {
  const auto descriptor = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  RecordedDisk* const disk = recorder;
  if (descriptor < 0 || disk == nullptr) return descriptor;
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return descriptor;
  // What is opened for reading only is watched, too: a sync by any descriptor counts.
  if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) {
    disk->opened(descriptor, path, S_ISDIR(status.st_mode));
    if (S_ISREG(status.st_mode) && (flags & O_TRUNC) != 0) disk->resized(descriptor, 0);
  }
  return descriptor;
}

ssize_t write_recorded(int descriptor, const void* data, std::size_t size, off_t at) {
  const ssize_t written = ::syscall(SYS_pwrite64, descriptor, data, size, at);
  if (RecordedDisk* const disk = recorder; disk != nullptr && written > 0) {
    disk->written(descriptor, data, static_cast<std::size_t>(written), at);
  }
  return written;
}

int resize_recorded(int descriptor, off_t size) {
  const auto result = static_cast<int>(::syscall(SYS_ftruncate, descriptor, size));
  if (RecordedDisk* const disk = recorder; disk != nullptr && result == 0) {
    disk->resized(descriptor, static_cast<std::uint64_t>(size));
  }
  return result;
}

// Images are opened without forcing anything to the disk, either: it takes time and shows nothing.
int sync_recorded(int descriptor) {
  RecordedDisk* const disk = recorder;
  if (disk == nullptr || disk->synced(descriptor)) return 0;
  errno = EIO;
  return -1;
}

}  // namespace
}  // namespace sluice::queue

// In the place of libc's, for this program and the libraries that it uses.
#define SLUICE_RECORDED extern "C" __attribute__((visibility("default")))

SLUICE_RECORDED int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return sluice::queue::open_recorded(path, flags, mode);
}
SLUICE_RECORDED int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return sluice::queue::open_recorded(path, flags, mode);
}
SLUICE_RECORDED int __open_2(const char* path, int flags) {
  return sluice::queue::open_recorded(path, flags, 0);
}
SLUICE_RECORDED int __open64_2(const char* path, int flags) {
  return sluice::queue::open_recorded(path, flags, 0);
}
SLUICE_RECORDED int close(int descriptor) {
  if (auto* const disk = sluice::queue::recorder.load()) disk->closed(descriptor);
  return static_cast<int>(::syscall(SYS_close, descriptor));
}
SLUICE_RECORDED ssize_t pwrite(int descriptor, const void* data, std::size_t size, off_t at) {
  return sluice::queue::write_recorded(descriptor, data, size, at);
}
SLUICE_RECORDED ssize_t pwrite64(int descriptor, const void* data, std::size_t size, off64_t at) {
  return sluice::queue::write_recorded(descriptor, data, size, at);
}
SLUICE_RECORDED int ftruncate(int descriptor, off_t size) noexcept {
  return sluice::queue::resize_recorded(descriptor, size);
}
SLUICE_RECORDED int ftruncate64(int descriptor, off64_t size) noexcept {
  return sluice::queue::resize_recorded(descriptor, size);
}
SLUICE_RECORDED int fsync(int descriptor) {
  return sluice::queue::sync_recorded(descriptor);
}
SLUICE_RECORDED int fdatasync(int descriptor) {
  return sluice::queue::sync_recorded(descriptor);
}
SLUICE_RECORDED int unlink(const char* path) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  if (auto* const disk = sluice::queue::recorder.load(); disk != nullptr && result == 0) disk->removed(path);
  return result;
}
SLUICE_RECORDED int mkdir(const char* path, mode_t mode) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
  if (auto* const disk = sluice::queue::recorder.load(); disk != nullptr && result == 0) {
    disk->made_folder(path);
  }
  return result;
}
