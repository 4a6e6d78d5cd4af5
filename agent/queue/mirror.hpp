// SPDX-License-Identifier: Apache-2.0
// A second copy of what the files of a queue say of themselves: how many messages each holds and has let go. It tells
// what was lost where one of them is damaged or missing, and stands in for a damaged state file; and what an opening of a
// file would tell, for a start that does not open it (segment_records.hpp). Owned by the keeper, used by the storage thread.
//
// One small file, `mirror`, rewritten in place: a page that the kernel writes back when it likes, so that keeping it
// costs next to nothing; sync() where it must not be older than something else, and erase() where it may never be believed
// again. A mirror that is missing or damaged costs knowledge, no message. Nothing here throws, but erase().
//
// Records of 192 bytes: key, 22 numbers, checksum; the first one is the file's head. Key 0: free.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
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
  static std::uint64_t checksum_of(Key key, const Numbers& numbers);

  void put(Key key, const Numbers& numbers) noexcept;
  /// Durably. Where the file refuses it is removed, and made anew from what is known when it is written next. Throws
  /// std::system_error where that cannot be either: then nothing is forgotten.
  void erase(std::span<const Key> keys);
  void sync() noexcept;
  std::uint64_t bytes() const noexcept;
  /// The file has been removed or replaced under us; rewrite() makes it anew.
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
  bool write_all() noexcept;
  void remove_file();
  std::uint64_t free_place();

  std::filesystem::path file_;
  FileDescriptor descriptor_;
  std::map<Key, Record> records_;
  std::uint64_t places_ = 1;  // with the head
  std::set<std::uint64_t> free_places_;
  bool unknown_ = false;  // what stands in the file is not, or not all, among the records
  bool behind_ = false;   // what is among the records does not all stand in the file
};

}  // namespace sluice::queue
