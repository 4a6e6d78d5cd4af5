// SPDX-License-Identifier: Apache-2.0
// What SQLite alone does: rows inserted 1000 a transaction at synchronous=FULL.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string_view>

namespace sluice::bench {

/// Rows a second, each of them `data`, into a new file that stays behind. Throws std::runtime_error.
inline double bare_inserts_per_second(const std::filesystem::path& file, std::uint64_t rows,
                                      std::string_view data) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open(file.c_str(), &opened);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(opened, sqlite3_close);
  const auto check = [&](int code) {
    if (code != SQLITE_OK && code != SQLITE_DONE) throw std::runtime_error(sqlite3_errmsg(db.get()));
  };
  const auto execute = [&](const char* sql) {
    check(sqlite3_exec(db.get(), sql, nullptr, nullptr, nullptr));
  };
  check(result);
  execute(
      "PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
      "PRAGMA synchronous=FULL; CREATE TABLE messages(id INTEGER PRIMARY KEY, data BLOB)");
  sqlite3_stmt* prepared = nullptr;
  check(sqlite3_prepare_v2(db.get(), "INSERT INTO messages VALUES(?1, ?2)", -1, &prepared, nullptr));
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> insert(prepared, sqlite3_finalize);
  const auto begin = std::chrono::steady_clock::now();
  constexpr std::uint64_t rows_a_transaction = 1000;
  for (std::uint64_t i = 1; i <= rows; ++i) {
    if (i % rows_a_transaction == 1) execute("BEGIN");
    sqlite3_bind_int64(insert.get(), 1, static_cast<sqlite3_int64>(i));
    sqlite3_bind_blob(insert.get(), 2, data.data(), static_cast<int>(data.size()), SQLITE_STATIC);
    check(sqlite3_step(insert.get()));
    sqlite3_reset(insert.get());
    if (i % rows_a_transaction == 0 || i == rows) execute("COMMIT");
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(rows) / taken.count();
}

}  // namespace sluice::bench
