// SPDX-License-Identifier: Apache-2.0
#include "queue/shim_vfs.hpp"

#include <sqlite3.h>

#include <cstring>

namespace sluice::queue {
namespace {

// SQLite hands out memory of szOsFile bytes: ours first, the real file after it.
struct File {
  sqlite3_file base;
  ShimVfs* shim;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* file_of(sqlite3_file* file) {
  return reinterpret_cast<File*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
  return file_of(file)->real();
}

int close_file(sqlite3_file* f) {
  return real(f)->pMethods != nullptr ? real(f)->pMethods->xClose(real(f)) : 0;
}
int read_file(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return real(f)->pMethods->xRead(real(f), to, n, at);
}
int write_file(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  const int result = file_of(f)->shim->on_write(static_cast<std::uint64_t>(n));
  return result != SQLITE_OK ? result : real(f)->pMethods->xWrite(real(f), from, n, at);
}
int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
  return real(f)->pMethods->xTruncate(real(f), size);
}
int sync_file(sqlite3_file* f, int flags) {
  const int result = file_of(f)->shim->on_sync();
  return result != SQLITE_OK ? result : real(f)->pMethods->xSync(real(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
  return real(f)->pMethods->xFileSize(real(f), size);
}
int lock_file(sqlite3_file* f, int level) {
  return real(f)->pMethods->xLock(real(f), level);
}
int unlock_file(sqlite3_file* f, int level) {
  return real(f)->pMethods->xUnlock(real(f), level);
}
int check_lock(sqlite3_file* f, int* out) {
  return real(f)->pMethods->xCheckReservedLock(real(f), out);
}
int control(sqlite3_file* f, int op, void* arg) {
  return real(f)->pMethods->xFileControl(real(f), op, arg);
}
int sector_size(sqlite3_file* f) {
  return real(f)->pMethods->xSectorSize(real(f));
}
int characteristics(sqlite3_file* f) {
  return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

// Version 1: no shared memory, so that a connection that is not exclusive could not use WAL here.
const sqlite3_io_methods methods = {1,         close_file,  read_file,       write_file,  truncate_file,
                                    sync_file, file_size,   lock_file,       unlock_file, check_lock,
                                    control,   sector_size, characteristics, nullptr,     nullptr,
                                    nullptr,   nullptr,     nullptr,         nullptr};

struct Vfs {
  sqlite3_vfs vfs{};
  sqlite3_vfs* usual = nullptr;
};

Vfs& vfs() {
  static Vfs shim;
  return shim;
}

int open_file(sqlite3_vfs* self, const char* name, sqlite3_file* f, int flags, int* out_flags) {
  File* file = file_of(f);
  file->shim = static_cast<ShimVfs*>(self->pAppData);
  file->base.pMethods = nullptr;
  const int result = vfs().usual->xOpen(vfs().usual, name, file->real(), flags, out_flags);
  if (file->real()->pMethods != nullptr) file->base.pMethods = &methods;
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) file->shim->on_open_database();
  return result;
}

}  // namespace

ShimVfs::ShimVfs() {
  Vfs& shim = vfs();
  shim.usual = sqlite3_vfs_find("unix");
  shim.vfs = *shim.usual;
  shim.vfs.zName = "shim";
  shim.vfs.szOsFile = static_cast<int>(sizeof(File)) + shim.usual->szOsFile;
  shim.vfs.pAppData = this;
  shim.vfs.xOpen = open_file;
  shim.vfs.pNext = nullptr;
  // The usual one's functions look into its own pAppData.
  shim.vfs.xDelete = [](sqlite3_vfs*, const char* name, int sync) {
    return vfs().usual->xDelete(vfs().usual, name, sync);
  };
  shim.vfs.xAccess = [](sqlite3_vfs*, const char* name, int flags, int* out) {
    return vfs().usual->xAccess(vfs().usual, name, flags, out);
  };
  shim.vfs.xFullPathname = [](sqlite3_vfs*, const char* name, int n, char* out) {
    return vfs().usual->xFullPathname(vfs().usual, name, n, out);
  };
  sqlite3_vfs_register(&shim.vfs, 1);
}

ShimVfs::~ShimVfs() {
  sqlite3_vfs_unregister(&vfs().vfs);
  sqlite3_vfs_register(vfs().usual, 1);
}

void ShimVfs::hold_syncs() {
  const std::lock_guard lock(mutex_);
  hold_ = true;
}

void ShimVfs::wait_until_held() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return held_ > 0; });
}

void ShimVfs::release_syncs() {
  const std::lock_guard lock(mutex_);
  hold_ = false;
  changed_.notify_all();
}

void ShimVfs::fail_writes(bool fail) {
  const std::lock_guard lock(mutex_);
  fail_writes_ = fail;
}

void ShimVfs::fail_syncs(bool fail) {
  const std::lock_guard lock(mutex_);
  fail_syncs_ = fail;
}

std::uint64_t ShimVfs::bytes_written() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::uint64_t ShimVfs::syncs() const {
  const std::lock_guard lock(mutex_);
  return syncs_;
}

std::uint64_t ShimVfs::databases_opened() const {
  const std::lock_guard lock(mutex_);
  return databases_opened_;
}

void ShimVfs::on_open_database() {
  const std::lock_guard lock(mutex_);
  ++databases_opened_;
}

int ShimVfs::on_write(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (fail_writes_) return SQLITE_FULL;
  bytes_ += bytes;
  return SQLITE_OK;
}

int ShimVfs::on_sync() {
  std::unique_lock lock(mutex_);
  ++syncs_;
  if (fail_syncs_) return SQLITE_IOERR_FSYNC;
  if (!hold_) return SQLITE_OK;
  ++held_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !hold_; });
  --held_;
  return SQLITE_OK;
}

}  // namespace sluice::queue
