// SPDX-License-Identifier: Apache-2.0
#include "queue/sqlite.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file_descriptor.hpp"
#include "base/test_switches.hpp"
#include "queue/format_error.hpp"

namespace sluice::queue::sqlite {
namespace {

// Small blocks of a connection's own, instead of the 120 KB that SQLite sets aside by default.
constexpr int lookaside_bytes = 512;
constexpr int lookaside_count = 32;

// The name is there, its folder can be worked in, and yet the file, or its log, cannot be opened for use.
bool cannot_be_opened(const std::filesystem::path& file) {
  if (::access(file.parent_path().c_str(), R_OK | W_OK | X_OK) != 0) return false;
  return std::any_of(suffixes.begin(), suffixes.end(), [&](const char* suffix) {
    const FileDescriptor opened(::open(with_suffix(file, suffix).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    return !opened &&
           (errno == EACCES || errno == EPERM || errno == EISDIR || errno == ELOOP || errno == ENXIO);
  });
}

std::string in_uri(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      text += c == '%' ? "%25" : c == '?' ? "%3f" : "%23";
    } else {
      text += c;
    }
  }
  return text;
}

// For all connections. By default SQLite counts its memory, behind one lock of all threads, for figures that nobody asks
// for: a sixth of what it costs to open a file.
void configure() {
  static const int result = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(result);  // one who uses SQLite besides may have been first: then it stays as it was
}

}  // namespace

bool Error::is_damage() const {
  switch (code_) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_CORRUPTFS:
      return true;
    default:
      break;
  }
  constexpr int primary = 0xFF;
  switch (code_ & primary) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // our statements are right: the tables are not ours
      return true;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
      return cannot_be_opened(file_);
    default:
      return false;
  }
}

bool Error::is_full() const {
  constexpr int primary = 0xFF;
  return (code_ & primary) == SQLITE_FULL;
}

bool Error::is_sync() const {
  return code_ == SQLITE_IOERR_FSYNC;
}

std::filesystem::path with_suffix(const std::filesystem::path& file, const char* suffix) {
  return file.string() + suffix;
}

void Connection::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}

Connection::Connection(std::filesystem::path file, const Settings& settings) : file_(std::move(file)) {
  open(file_.c_str(), SQLITE_OPEN_READWRITE | (settings.create ? SQLITE_OPEN_CREATE : 0));
  sqlite3* handle = handle_.get();
  // A file that is refused is not to be checkpointed when it is closed.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  // There is a log where the last one to use it was killed, or gave up: perhaps after a sync that had failed.
  try {
    write_log_again();
  } catch (const Error&) {
    doubtful_ = true;
  }
  execute("PRAGMA locking_mode=EXCLUSIVE");
  created_ = begin(settings);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
}

Connection::Connection(AsItIs, std::filesystem::path file) : file_(std::move(file)) {
  open(("file:" + in_uri(file_.native()) + "?immutable=1").c_str(), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

void Connection::open(const char* name, int flags) {
  configure();
  sqlite3* handle = nullptr;
  const int result = sqlite3_open_v2(name, &handle, SQLITE_OPEN_NOMUTEX | flags, nullptr);
  handle_.reset(handle);
  if (handle == nullptr) throw Error(result, file_, "out of memory");
  sqlite3_extended_result_codes(handle, 1);
  if (result != SQLITE_OK) fail("open");
  sqlite3_db_config(handle, SQLITE_DBCONFIG_LOOKASIDE, nullptr, lookaside_bytes, lookaside_count);
}

bool Connection::has_format(int user_version) {
  return number("PRAGMA application_id") == application_id && number("PRAGMA user_version") == user_version;
}

Connection::~Connection() {
  if (!doubtful_) return;
  try {
    write_log_again();
  } catch (const Error&) {
    discard_on_close();  // the file stays as it is, and so does the log
  }
}

// The same bytes in the same places: for the kernel they are new, and the next sync is about them.
void Connection::write_log_again() const {
  const std::filesystem::path log = with_suffix(file_, "-wal");
  const auto failed = [&] {
    return Error(SQLITE_IOERR_FSYNC, file_,
                 std::generic_category().message(errno) + ", at: writing the log once more");
  };
  const FileDescriptor opened(::open(log.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!opened && errno == ENOENT) return;
  if (!opened || ::fstat(opened.get(), &status) != 0) throw failed();
  if (!S_ISREG(status.st_mode) || status.st_size == 0) return;
  std::array<char, std::size_t{64} << 10U> part{};
  for (off_t at = 0;;) {
    const ssize_t read = ::pread(opened.get(), part.data(), part.size(), at);
    if (read == 0) break;
    if (read < 0 || ::pwrite(opened.get(), part.data(), static_cast<std::size_t>(read), at) != read) {
      throw failed();
    }
    at += read;
  }
  if (::fdatasync(opened.get()) != 0) throw failed();
  doubtful_ = false;
}

// True: the file is new.
bool Connection::begin(const Settings& settings) {
  const std::int64_t id = number("PRAGMA application_id");
  const std::int64_t version = number("PRAGMA user_version");
  const bool fresh = id == 0 && version == 0 && number("SELECT count(*) FROM sqlite_schema") == 0;
  if (!fresh && id != application_id) {
    throw Error(SQLITE_NOTADB, file_, "is not a file of Sluice");
  }
  if (version > settings.user_version) {
    throw FormatError(file_.string() + ": has format " + std::to_string(version) + ", this program knows " +
                      std::to_string(settings.user_version) +
                      " at most; it was left alone, run the later version or move it away");
  }
  if (fresh) {
    execute("PRAGMA page_size=4096");
    execute("PRAGMA auto_vacuum=NONE");
  }
  if (const std::string mode = text("PRAGMA journal_mode=WAL"); mode != "wal") {
    throw Error(SQLITE_CANTOPEN, file_, "the journal mode is " + mode + " instead of wal");
  }
  execute("PRAGMA secure_delete=OFF");
  execute("PRAGMA temp_store=MEMORY");
  execute(("PRAGMA cache_size=-" + std::to_string(settings.cache_kib)).c_str());
  execute(("PRAGMA wal_autocheckpoint=" + std::to_string(settings.checkpoint_pages)).c_str());
  execute(("PRAGMA journal_size_limit=" + std::to_string(settings.checkpoint_pages * page_bytes)).c_str());
  if (settings.max_pages > 0) {
    execute(("PRAGMA max_page_count=" + std::to_string(settings.max_pages)).c_str());
  }
  set_sync(settings.sync);
  if (fresh) make(settings);
  if (!fresh && version < settings.user_version) upgrade(settings);
  return fresh;
}

void Connection::make(const Settings& settings) {
  Transaction transaction(*this);
  execute(settings.schema);
  execute(("PRAGMA application_id=" + std::to_string(application_id)).c_str());
  execute(("PRAGMA user_version=" + std::to_string(settings.user_version)).c_str());
  transaction.commit();
  sync_directory(file_.parent_path());
}

void Connection::upgrade(const Settings& settings) {
  Transaction transaction(*this);
  execute(settings.upgrade);
  execute(("PRAGMA user_version=" + std::to_string(settings.user_version)).c_str());
  transaction.commit();
}

void Connection::execute(const char* sql) {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

std::int64_t Connection::number(const char* sql) {
  Statement statement(*this, sql);
  const std::int64_t first = statement.step() ? statement.number(0) : 0;
  statement.run();
  return first;
}

std::string Connection::text(const char* sql) {
  Statement statement(*this, sql);
  std::string first = statement.step() ? std::string(statement.blob(0)) : std::string();
  statement.run();  // to its end: some do their work there, and may fail, though they have given their answer
  return first;
}

void Connection::set_sync(Sync sync) {
  if (sync_ == sync) return;
  const char* statement = sync == Sync::full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  execute(test_switches::sync_is_off() ? "PRAGMA synchronous=OFF" : statement);
  sync_ = sync;
}

void Connection::write_back() {
  set_sync(Sync::full);
  write_log_again();
  Statement checkpoint(*this, "PRAGMA wal_checkpoint(TRUNCATE)");
  if (!checkpoint.step() || checkpoint.number(0) != 0) {
    throw Error(SQLITE_BUSY, file_, "the write-ahead log cannot be written back");
  }
}

void Connection::discard_on_close() {
  sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void Connection::fail(const char* doing) const {
  const int code = sqlite3_extended_errcode(handle());
  constexpr std::size_t enough = 60;
  std::string text = sqlite3_errmsg(handle());
  if (const int number = sqlite3_system_errno(handle()); number != 0) {
    text += " (" + std::generic_category().message(number) + ")";
  }
  doubtful_ = doubtful_ || code == SQLITE_IOERR_FSYNC;
  throw Error(code, file_, text + ", at: " + std::string(doing).substr(0, enough));
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(Connection& connection, const char* sql) : connection_(connection) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(connection.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    connection.fail(sql);
  }
  statement_.reset(statement);
}

Statement& Statement::bind(int index, std::int64_t number) {
  if (sqlite3_bind_int64(statement_.get(), index, number) != SQLITE_OK) connection_.fail("bind");
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  if (sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(), SQLITE_STATIC) != SQLITE_OK) {
    connection_.fail("bind");
  }
  return *this;
}

Statement& Statement::bind_text(int index, std::string_view text) {
  if (sqlite3_bind_text64(statement_.get(), index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8) !=
      SQLITE_OK) {
    connection_.fail("bind");
  }
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  connection_.fail(sqlite3_sql(statement_.get()));
}

void Statement::run() {
  const ResetAtEnd reset_at_end(*this);
  while (step()) {
  }
}

void Statement::reset() noexcept {
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Transaction::Transaction(Connection& connection) : connection_(connection) {
  connection_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // Some errors have rolled it back already; then there is nothing left to do.
  if (open_) sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  connection_.execute("COMMIT");
  open_ = false;
}

std::uint64_t bytes_on_disk(const std::filesystem::path& file) {
  std::uint64_t bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    struct stat status {};
    if (::stat(with_suffix(file, suffix).c_str(), &status) == 0) {
      bytes += static_cast<std::uint64_t>(status.st_size);
    }
  }
  return bytes;
}

void remove_files(const std::filesystem::path& file) {
  for (const char* suffix : suffixes) {
    const std::filesystem::path name = with_suffix(file, suffix);
    if (::unlink(name.c_str()) != 0 && errno != ENOENT) {
      throw std::system_error(errno, std::generic_category(), "remove " + name.string());
    }
  }
}

void sync_directory(const std::filesystem::path& directory) {
  const std::string name = directory.empty() ? "." : directory.string();
  const FileDescriptor opened(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) {
    throw std::system_error(errno, std::generic_category(), "sync " + name);
  }
}

}  // namespace sluice::queue::sqlite
