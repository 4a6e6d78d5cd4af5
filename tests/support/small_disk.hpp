// SPDX-License-Identifier: Apache-2.0
// A file system of its own that is soon full: tmpfs, or ext4 in a file. Seen by this process, and those it starts from then on,
// for as long as it lives. Needs root, and a loop device for ext4. Not for several threads at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace sluice::test {

class SmallDisk {
 public:
  /// `type`: "tmpfs" or "ext4".
  SmallDisk(const std::string& type, std::uint64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  /// What is missing where it is not mounted.
  const std::string& why_not() const { return why_not_; }
  const std::filesystem::path& path() const { return path_; }

  /// Somebody else takes all there is, but `less` bytes.
  void fill(std::uint64_t less = 0);
  void free();
  bool remount(bool read_only);  ///< false: something holds it
  /// ext4, under whoever writes to it: read-only from now on, as after an error, until mount_again(), which nobody may hold up.
  bool fail();
  bool mount_again();

 private:
  bool mount_it(const std::string& type, std::uint64_t bytes);
  bool run(const std::string& command);
  std::string image() const { return (directory_ / "image").string(); }
  std::filesystem::path filler() const { return path_ / "filler"; }

  std::filesystem::path directory_;
  std::filesystem::path path_;
  bool mounted_ = false;
  std::string why_not_;
};

}  // namespace sluice::test
