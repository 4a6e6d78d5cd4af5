// SPDX-License-Identifier: Apache-2.0
#include "queue/state_file.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace sluice::queue {
namespace {

constexpr const char* schema =
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), start INTEGER NOT NULL,"
    " next_sequence INTEGER NOT NULL, last_segment INTEGER NOT NULL, dropped_newest INTEGER NOT NULL,"
    " committed INTEGER NOT NULL, acknowledged INTEGER NOT NULL, dead_lettered INTEGER NOT NULL,"
    " expired INTEGER NOT NULL, dropped_by_size INTEGER NOT NULL, dropped_by_age INTEGER NOT NULL,"
    " dropped_by_user INTEGER NOT NULL, superseded INTEGER NOT NULL, quarantined INTEGER NOT NULL);"
    "CREATE TABLE retired(lane TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(lane, number))"
    " WITHOUT ROWID;"
    "CREATE TABLE losses(id TEXT PRIMARY KEY, cause INTEGER NOT NULL, newest INTEGER NOT NULL,"
    " filter TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE clocks(number INTEGER PRIMARY KEY, boot INTEGER NOT NULL, offset_ns INTEGER NOT NULL);";

// What formats 2 and 3 have added.
constexpr const char* upgrade =
    "CREATE TABLE IF NOT EXISTS losses(id TEXT PRIMARY KEY, cause INTEGER NOT NULL, newest INTEGER NOT NULL,"
    " filter TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE clocks(number INTEGER PRIMARY KEY, boot INTEGER NOT NULL, offset_ns INTEGER NOT NULL);";

constexpr Mirror::Key mirror_key = 1;

constexpr sqlite::Settings settings{.create = true,
                                    .sync = Sync::full,
                                    .cache_kib = 32,
                                    .checkpoint_pages = 64,
                                    .max_pages = 0,
                                    .user_version = 3,
                                    .schema = schema,
                                    .upgrade = upgrade};

}  // namespace

sqlite::Connection& StateFile::open() {
  if (!connection_) connection_ = std::make_unique<sqlite::Connection>(file_, settings);
  return *connection_;
}

void StateFile::load() {
  values_ = {};
  unfinished_.clear();
  losses_.clear();
  clocks_.clear();
  if (std::filesystem::exists(std::filesystem::symlink_status(file_))) read_file();
  read_mirror();
}

void StateFile::read_file() {
  sqlite::Connection& connection = open();
  sqlite::Statement row(connection,
                        "SELECT start, next_sequence, last_segment, dropped_newest, committed, acknowledged,"
                        " dead_lettered, expired, dropped_by_size, dropped_by_age, dropped_by_user,"
                        " superseded, quarantined FROM state");
  if (row.step()) {
    values_.start = row.unsigned_number(0);
    values_.next_sequence = row.unsigned_number(1);
    values_.last_segment = row.unsigned_number(2);
    values_.dropped_newest = row.unsigned_number(3);
    values_.retired.committed = row.unsigned_number(4);
    for (std::size_t i = 0; i < way_count; ++i) {
      values_.retired.ways[i] = row.unsigned_number(static_cast<int>(5 + i));
    }
  }
  row.reset();
  sqlite::Statement retired(connection, "SELECT lane, number FROM retired");
  while (retired.step()) {
    unfinished_.push_back({std::string(retired.blob(0)), retired.unsigned_number(1), false});
  }
  sqlite::Statement clocks(connection, "SELECT boot, offset_ns FROM clocks ORDER BY number");
  while (clocks.step()) clocks_.push_back({clocks.unsigned_number(0), clocks.number(1)});
  sqlite::Statement losses(connection, "SELECT id, cause, newest, filter, first, last, count FROM losses");
  while (losses.step()) {
    losses_.push_back({std::string(losses.blob(0)), static_cast<Limit>(losses.number(1)),
                       losses.number(2) != 0, std::string(losses.blob(3)), losses.number(4), losses.number(5),
                       losses.unsigned_number(6)});
  }
}

// The mirror is never ahead of the file, but where the file has lost what was written last.
void StateFile::read_mirror() {
  const auto numbers = mirror_.find(mirror_key);
  if (!numbers) return;
  Values seen;
  std::size_t at = 0;
  seen.start = (*numbers)[at++];
  seen.next_sequence = (*numbers)[at++];
  seen.last_segment = (*numbers)[at++];
  seen.dropped_newest = (*numbers)[at++];
  seen.retired.committed = (*numbers)[at++];
  for (std::uint64_t& way : seen.retired.ways) way = (*numbers)[at++];
  values_.start = std::max(values_.start, seen.start);
  values_.next_sequence = std::max(values_.next_sequence, seen.next_sequence);
  values_.last_segment = std::max(values_.last_segment, seen.last_segment);
  values_.dropped_newest = std::max(values_.dropped_newest, seen.dropped_newest);
  if (seen.retired.committed > values_.retired.committed) values_.retired = seen.retired;
}

// They have been written.
void StateFile::keep(const Values& values) {
  values_ = values;
  Mirror::Numbers numbers{values.start, values.next_sequence, values.last_segment, values.dropped_newest,
                          values.retired.committed};
  std::size_t at = 5;
  for (const std::uint64_t way : values.retired.ways) numbers[at++] = way;
  mirror_.put(mirror_key, numbers);
}

void StateFile::write(const Values& values) {
  sqlite::Statement statement(
      open(),
      "INSERT INTO state VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
      " ON CONFLICT(one) DO UPDATE SET start = ?1, next_sequence = ?2, last_segment = ?3,"
      " dropped_newest = ?4, committed = ?5, acknowledged = ?6, dead_lettered = ?7, expired = ?8,"
      " dropped_by_size = ?9, dropped_by_age = ?10, dropped_by_user = ?11, superseded = ?12,"
      " quarantined = ?13");
  statement.bind(1, values.start).bind(2, values.next_sequence).bind(3, values.last_segment);
  statement.bind(4, values.dropped_newest).bind(5, values.retired.committed);
  for (std::size_t i = 0; i < way_count; ++i) statement.bind(static_cast<int>(6 + i), values.retired.ways[i]);
  statement.run();
}

// A handful of rows.
void StateFile::write_losses(const std::vector<Loss>& losses) {
  if (losses == losses_) return;
  open().execute("DELETE FROM losses");
  sqlite::Statement insert(open(), "INSERT INTO losses VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  for (const Loss& loss : losses) {
    insert.bind_text(1, loss.id).bind(2, static_cast<std::int64_t>(loss.limit));
    insert.bind(3, std::int64_t{loss.newest}).bind_text(4, loss.filter);
    insert.bind(5, loss.first_ns).bind(6, loss.last_ns).bind(7, loss.count).run();
  }
}

void StateFile::write_clocks(const std::vector<BootClock>& clocks) {
  open().execute("DELETE FROM clocks");
  sqlite::Statement insert(open(), "INSERT INTO clocks(boot, offset_ns) VALUES(?1, ?2)");
  for (const BootClock& clock : clocks) insert.bind(1, clock.boot).bind(2, clock.offset_ns).run();
}

void StateFile::save_clocks(const std::vector<BootClock>& clocks) {
  sqlite::Transaction transaction(open());
  write_clocks(clocks);
  transaction.commit();
  clocks_ = clocks;
}

bool StateFile::was_removed() const {
  return values_.start != 0 && !std::filesystem::exists(std::filesystem::symlink_status(file_));
}

void StateFile::rewrite() {
  connection_.reset();
  const std::vector<Loss> losses = std::exchange(losses_, {});
  sqlite::Transaction transaction(open());
  write(values_);
  write_losses(losses);
  write_clocks(clocks_);
  transaction.commit();
  losses_ = losses;
}

void StateFile::begin_start(std::uint64_t start, std::uint64_t next_sequence) {
  Values values = values_;
  values.start = start;
  values.next_sequence = std::max(values.next_sequence, next_sequence);
  write(values);
  keep(values);
  mirror_.sync();
}

void StateFile::retire(std::string_view lane, std::uint64_t number, const Counts& counts,
                       std::uint64_t next_sequence, const std::vector<Loss>& losses) {
  Values values = values_;
  values.next_sequence = std::max(values.next_sequence, next_sequence);
  values.last_segment = std::max(values.last_segment, number);
  values.retired += counts;
  sqlite::Transaction transaction(open());
  write(values);
  write_losses(losses);
  sqlite::Statement insert(open(), "INSERT INTO retired VALUES(?1, ?2)");
  insert.bind_text(1, lane).bind(2, number).run();
  sqlite::Statement remove(open(), "DELETE FROM retired WHERE lane = ?1 AND number = ?2");
  for (const Retired& retired : unfinished_) {
    if (retired.removed) remove.bind_text(1, retired.lane).bind(2, retired.number).run();
  }
  transaction.commit();
  keep(values);
  losses_ = losses;
  std::erase_if(unfinished_, [](const Retired& retired) { return retired.removed; });
  unfinished_.push_back({std::string(lane), number, false});
}

void StateFile::removed(std::string_view lane, std::uint64_t number) {
  for (Retired& retired : unfinished_) {
    if (retired.lane == lane && retired.number == number) retired.removed = true;
  }
}

void StateFile::save(std::uint64_t next_sequence, std::uint64_t dropped_newest,
                     const std::vector<Loss>& losses) {
  Values values = values_;
  values.next_sequence = std::max(values.next_sequence, next_sequence);
  values.dropped_newest = dropped_newest;
  sqlite::Transaction transaction(open());
  write(values);
  write_losses(losses);
  transaction.commit();
  keep(values);
  losses_ = losses;
}

}  // namespace sluice::queue
