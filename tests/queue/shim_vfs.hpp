// SPDX-License-Identifier: Apache-2.0
// A SQLite VFS in front of the usual one, with which a test holds up syncs, makes writes fail, and counts the
// bytes written. It is the default one while it lives; one at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>

namespace sluice::queue {

class ShimVfs {
 public:
  ShimVfs();
  ~ShimVfs();
  ShimVfs(const ShimVfs&) = delete;
  ShimVfs& operator=(const ShimVfs&) = delete;

  void hold_syncs();       ///< from now on every sync waits
  void wait_until_held();  ///< until one does
  void release_syncs();
  /// Writes, and the opening of new files, fail as on a full disk.
  void fail_writes(bool fail);
  /// Syncs fail with an I/O error.
  void fail_syncs(bool fail);

  std::uint64_t bytes_written() const;
  std::uint64_t syncs() const;
  std::uint64_t databases_opened() const;

  // For the VFS itself.
  int on_write(std::uint64_t bytes);
  int on_sync();
  void on_open_database();

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  bool hold_ = false;
  int held_ = 0;
  bool fail_writes_ = false;
  bool fail_syncs_ = false;
  std::uint64_t bytes_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t databases_opened_ = 0;
};

}  // namespace sluice::queue
