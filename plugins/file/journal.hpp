// SPDX-License-Identifier: Apache-2.0
//
// A file that lines are appended to, all of an append or nothing. Owned by one instance; one call at a time.
//
// The file is found anew by its path before every append, so that it may be moved away at any moment (logrotate). It is
// locked by flock(2), so that two instances cannot write to the same one.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace file {

// The file cannot be opened, written or synced; the text names it and says why.
struct JournalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Journal {
 public:
  explicit Journal(std::string path) : path_(std::move(path)) {}
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Whole lines. After a JournalError the file is as it was before, also after a short write to a full disk.
  void append(std::string_view lines);
  // What was appended since the last sync reaches the disk, and with a new file its name too. Throws JournalError; to
  // sync again would then prove nothing, since the kernel takes the pages for clean after a failure.
  void sync();
  bool synced() const { return unsynced_ == 0; }
  // Takes back the last append.
  void take_back();

  // Lines that a crash had left unfinished in the file; they were ended, so that the next one stands alone.
  std::uint64_t torn_lines() const { return torn_lines_; }
  // How often the file was found moved away or deleted, and made anew.
  std::uint64_t reopened() const { return reopened_; }

 private:
  bool moved() const;
  void open();
  void end_torn_line();
  void close();
  [[noreturn]] void fail(const std::string& what, int error) const;

  const std::string path_;
  int fd_ = -1;
  std::int64_t size_before_ = 0;  // of the file before the last append
  std::uint64_t unsynced_ = 0;    // bytes
  bool name_synced_ = false;      // the directory entry of the file
  std::uint64_t torn_lines_ = 0;
  std::uint64_t reopened_ = 0;
};

}  // namespace file
