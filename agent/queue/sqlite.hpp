// SPDX-License-Identifier: Apache-2.0
// SQLite, owned and checked: every call that fails becomes an Error with SQLite's text and the file's name.
// For the storage thread: a connection is made, used and closed by one thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "queue/options.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::queue::sqlite {

class Error : public std::runtime_error {
 public:
  Error(int code, std::filesystem::path file, const std::string& text)
      : std::runtime_error(file.string() + ": " + text), code_(code), file_(std::move(file)) {}
  int code() const { return code_; }  ///< SQLite's extended result code
  const std::filesystem::path& file() const { return file_; }
  /// This file is the trouble, not the disk: trying it again will not help.
  bool is_damage() const;
  /// There is no room on the disk.
  bool is_full() const;
  /// What was written may never get to the disk: the kernel says so once, and takes the pages for clean from then on.
  bool is_sync() const;

 private:
  int code_;
  std::filesystem::path file_;
};

/// The number that makes a file ours ("SLUC"), and the format that this program writes.
inline constexpr std::int64_t application_id = 0x534C5543;

struct Settings {
  bool create = true;  ///< false: a missing file is an Error
  Sync sync = Sync::full;
  int cache_kib = 64;
  int checkpoint_pages = 1000;
  std::int64_t max_pages = 0;     ///< 0 = no limit
  std::int64_t user_version = 1;  ///< of the format; a file with a higher one is refused
  const char* schema = "";        ///< run in a new file
  const char* upgrade = "";       ///< run in a file of the format before
};

inline constexpr std::int64_t page_bytes = 4096;

class Connection {
 public:
  /// Opens for exclusive use, in WAL mode. A new file gets the schema, the application's and the format's
  /// number. Throws Error, also for a file of another program, and FormatError for a later one; both are left as
  /// they were.
  Connection(std::filesystem::path file, const Settings& settings);
  /// For reading a file whose log has been written back, and which nobody writes meanwhile: without locks and without a log
  /// of its own, which takes a third of the time off. Whose file it is, and of which format, has not been looked at.
  struct AsItIs {};
  Connection(AsItIs, std::filesystem::path file);
  ~Connection();

  /// Of this program, and of this format.
  bool has_format(int user_version);
  void execute(const char* sql);
  std::int64_t number(const char* sql);  ///< the first column of the first row; 0 without rows
  std::string text(const char* sql);     ///< the same; empty without rows
  void set_sync(Sync sync);
  /// Writes everything from the log back into the file, durably, and empties the log. For when a sync has failed: the log is
  /// written once more before, or a power cut in the middle would find half a file, and half a log.
  void write_back();
  /// Nothing is written back when it is closed: for a file that is to be removed.
  void discard_on_close();
  bool created() const { return created_; }

  const std::filesystem::path& file() const { return file_; }
  sqlite3* handle() const { return handle_.get(); }
  /// Throws Error for what the handle says of the last call.
  [[noreturn]] void fail(const char* doing) const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  void open(const char* name, int flags);
  void write_log_again() const;
  bool begin(const Settings& settings);
  void make(const Settings& settings);
  void upgrade(const Settings& settings);

  std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> handle_;
  std::optional<Sync> sync_;
  mutable bool doubtful_ = false;  // a sync has failed: what is in the log may never get to the disk
  bool created_ = false;
};

/// A prepared statement. Text and blobs that are bound stay the caller's until reset(); columns that are
/// blobs end with the next step() or reset().
class Statement {
 public:
  Statement(Connection& connection, const char* sql);

  Statement& bind(int index, std::int64_t number);
  Statement& bind(int index, std::uint64_t number) { return bind(index, static_cast<std::int64_t>(number)); }
  Statement& bind_blob(int index, std::string_view bytes);
  Statement& bind_text(int index, std::string_view text);

  bool step();  ///< true: there is a row
  void run();   ///< to the end, then reset
  void reset() noexcept;

  std::int64_t number(int column) const;
  std::uint64_t unsigned_number(int column) const { return static_cast<std::uint64_t>(number(column)); }
  std::string_view blob(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Connection& connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Resets a statement at the end of a scope: an open reader would hold up checkpoints.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

/// Rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

/// Bytes on disk of a database and its write-ahead log; 0 for what is not there.
std::uint64_t bytes_on_disk(const std::filesystem::path& file);
/// What SQLite keeps beside a database, and the database itself (the empty one).
inline constexpr std::array<const char*, 4> suffixes = {"", "-wal", "-journal", "-shm"};
std::filesystem::path with_suffix(const std::filesystem::path& file, const char* suffix);
/// Removes a database and what SQLite keeps beside it. Throws std::system_error.
void remove_files(const std::filesystem::path& file);
/// Makes new and removed names in a directory durable. Throws std::system_error.
void sync_directory(const std::filesystem::path& directory);

}  // namespace sluice::queue::sqlite
