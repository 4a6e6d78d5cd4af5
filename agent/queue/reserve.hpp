// SPDX-License-Identifier: Apache-2.0
// A file of some bytes that lies there for the day the disk is full: letting go of messages needs a little room to write
// down that they are gone, and gives room back. Owned by the files, used by the storage thread. Throws nothing.
#pragma once

#include <cstdint>
#include <filesystem>

namespace sluice::queue {

class Reserve {
 public:
  Reserve(std::filesystem::path file, std::uint64_t bytes) : file_(std::move(file)), wanted_(bytes) {}

  /// Makes the file where it is missing and `free_bytes` allow for it.
  void keep(std::uint64_t free_bytes) noexcept;
  /// Gives its room back; false: it was not there.
  bool release() noexcept;
  std::uint64_t bytes() const noexcept;

 private:
  std::filesystem::path file_;
  std::uint64_t wanted_;
};

}  // namespace sluice::queue
