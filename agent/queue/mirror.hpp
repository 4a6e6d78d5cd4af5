// SPDX-License-Identifier: Apache-2.0
// A second copy of what the files of a queue say of themselves: how many messages each holds and has let go. It tells
// what was lost where one of them is damaged or missing, and stands in for a damaged state file. Owned by the keeper,
// used by the storage thread.
//
// One small file, `mirror`, rewritten in place: a page that the kernel writes back when it likes, so that keeping it
// costs next to nothing; sync() where it must not be older than something else. It is never right against a file that
// can be read: a mirror that is missing or damaged costs knowledge, no message. Nothing here throws.
//
// Records of 192 bytes: key, 22 numbers, checksum; the first one is the file's head. Key 0: free.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/file_descriptor.hpp"

namespace sluice::queue {

class Mirror {
 public:
  using Key = std::uint64_t;
  using Numbers = std::array<std::uint64_t, 22>;

  explicit Mirror(std::filesystem::path file) : file_(std::move(file)) {}

  /// Reads what is there; damaged records are left out.
  void load() noexcept;
  bool contains(Key key) const { return records_.count(key) != 0; }
  std::optional<Numbers> find(Key key) const;
  /// All keys in `first`..`last`, ascending.
  std::vector<Key> keys(Key first, Key last) const;

  void put(Key key, const Numbers& numbers) noexcept;
  void erase(Key key) noexcept;
  void sync() noexcept;
  std::uint64_t bytes() const noexcept;
  /// The file has been removed under us; rewrite() makes it anew.
  bool was_removed() const noexcept;
  void rewrite() noexcept;
  void close() noexcept { descriptor_ = FileDescriptor(); }

 private:
  struct Record {
    std::uint64_t place = 0;
    Numbers numbers{};
  };
  bool open() noexcept;
  bool write(std::uint64_t place, Key key, const Numbers& numbers) noexcept;
  std::uint64_t free_place() const;

  std::filesystem::path file_;
  FileDescriptor descriptor_;
  std::map<Key, Record> records_;
  bool later_version_ = false;
};

}  // namespace sluice::queue
