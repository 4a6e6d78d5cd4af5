// SPDX-License-Identifier: Apache-2.0
#include "support/small_disk.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "base/file_descriptor.hpp"

namespace sluice::test {

namespace fs = std::filesystem;

SmallDisk::SmallDisk(const std::string& type, std::uint64_t bytes) {
  std::string name = (fs::temp_directory_path() / "sluice-disk-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  directory_ = name;
  path_ = directory_ / "disk";
  fs::create_directory(path_);
  mounted_ = mount_it(type, bytes);
  if (!mounted_) {
    why_not_ =
        type + " cannot be mounted here (" + why_not_ + "): that needs root, and a loop device for ext4";
  }
}

SmallDisk::~SmallDisk() {
  if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

bool SmallDisk::mount_it(const std::string& type, std::uint64_t bytes) {
  // Mounts of this process's own, that end with it.
  static const int apart =
      unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ? 0
                                                                                                   : errno;
  if (apart != 0) {
    why_not_ = std::strerror(apart);
    return false;
  }
  if (type == "tmpfs") {
    if (mount("none", path_.c_str(), "tmpfs", 0, ("size=" + std::to_string(bytes)).c_str()) == 0) return true;
    why_not_ = std::strerror(errno);
    return false;
  }
  std::ofstream(image()).close();
  fs::resize_file(image(), bytes);
  return run("mkfs.ext4 -q -m 0 " + image()) && run("mount -o loop " + image() + " " + path_.string());
}

void SmallDisk::fill(std::uint64_t less) {
  const FileDescriptor file(open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const std::string block(4096, 'x');
  while (write(file.get(), block.data(), block.size()) > 0) {
  }
  if (less > 0) fs::resize_file(filler(), fs::file_size(filler()) - less);
}

void SmallDisk::free() {
  fs::remove(filler());
}

bool SmallDisk::remount(bool read_only) {
  return run("mount -o remount," + std::string(read_only ? "ro " : "rw ") + path_.string());
}

bool SmallDisk::fail() {
  return run("mount -o remount,abort " + path_.string());
}

bool SmallDisk::mount_again() {
  if (umount2(path_.c_str(), 0) != 0) return false;
  return run("mount -o loop " + image() + " " + path_.string());
}

bool SmallDisk::run(const std::string& command) {
  if (std::system((command + " >/dev/null 2>&1").c_str()) == 0) return true;
  why_not_ = command;
  return false;
}

}  // namespace sluice::test
