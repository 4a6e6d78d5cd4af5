// SPDX-License-Identifier: Apache-2.0
// What this program asks of the kernel for the files below one folder, while it lives; and what a power cut would have left of
// it on the disk. A VFS of SQLite would not see all of that: the second copy of the counts, and the names of files, are not
// SQLite's. So the calls themselves are recorded, in the place of libc's. One at a time; its functions are for every thread.
//
// Nothing is really forced to the disk meanwhile: what it would be is worked out afterwards, by simulated_disk.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace sluice::queue {

/// A call that has changed something, or has made it durable.
struct DiskOperation {
  enum class Kind : std::uint8_t {
    write,
    resize,
    sync,
    failed_sync,  ///< the kernel has said so, once
    create,       ///< of a name for a new file
    remove,
    make_folder,
    sync_folder,
  };
  Kind kind = Kind::sync;
  std::size_t file = 0;  ///< of the file, from 0; nothing for folders
  std::uint64_t at = 0;  ///< where a write begins, or the size
  std::string data;      ///< of a write
  std::string name;      ///< of what is created, removed or synced, below the folder; "" is the folder itself
};

class RecordedDisk {
 public:
  explicit RecordedDisk(const std::filesystem::path& folder);
  ~RecordedDisk();
  RecordedDisk(const RecordedDisk&) = delete;
  RecordedDisk& operator=(const RecordedDisk&) = delete;

  /// How many operations there have been: what is known now is on record before this position.
  std::size_t position() const;
  /// The next so many syncs of files fail.
  void fail_syncs(unsigned count);
  std::vector<DiskOperation> operations() const;

  // For the calls themselves.
  void opened(int descriptor, const char* path, bool folder);
  void closed(int descriptor);
  void written(int descriptor, const void* data, std::size_t size, std::int64_t at);
  void resized(int descriptor, std::uint64_t size);
  bool synced(int descriptor);  ///< false: it is to fail
  void removed(const char* path);
  void made_folder(const char* path);

 private:
  bool below(const char* path, std::string& name) const;

  const std::string prefix_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::vector<DiskOperation> operations_;
  std::map<std::string, std::size_t> files_;  // by name
  std::map<int, std::size_t> descriptors_;    // of files
  std::map<int, std::string> folders_;        // of open folders
  std::size_t next_file_ = 0;
  unsigned failing_syncs_ = 0;
};

}  // namespace sluice::queue
