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
    "CREATE TABLE clocks(number INTEGER PRIMARY KEY, boot INTEGER NOT NULL, offset_ns INTEGER NOT NULL);"
    "CREATE TABLE lanes(lane TEXT PRIMARY KEY, stored INTEGER NOT NULL, newest INTEGER NOT NULL)"
    " WITHOUT ROWID;";

// What formats 2, 3 and 4 have added. Until then there was one lane.
constexpr const char* upgrade =
    "CREATE TABLE IF NOT EXISTS losses(id TEXT PRIMARY KEY, cause INTEGER NOT NULL, newest INTEGER NOT NULL,"
    " filter TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS clocks(number INTEGER PRIMARY KEY, boot INTEGER NOT NULL,"
    " offset_ns INTEGER NOT NULL);"
    "CREATE TABLE lanes(lane TEXT PRIMARY KEY, stored INTEGER NOT NULL, newest INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "INSERT INTO lanes SELECT 'normal', dropped_by_size + dropped_by_age + dropped_by_user, dropped_newest"
    " FROM state;";

constexpr Mirror::Key mirror_key = 1;

constexpr sqlite::Settings settings{.create = true,
                                    .sync = Sync::full,
                                    .cache_kib = 32,
                                    .checkpoint_pages = 64,
                                    .max_pages = 0,
                                    .user_version = 4,
                                    .schema = schema,
                                    .upgrade = upgrade};

std::uint64_t total_newest(const StateFile::DroppedByLane& dropped) {
  std::uint64_t sum = 0;
  for (const StateFile::Dropped& lane : dropped) sum += lane.newest;
  return sum;
}

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
                        "SELECT start, next_sequence, last_segment, committed, acknowledged,"
                        " dead_lettered, expired, dropped_by_size, dropped_by_age, dropped_by_user,"
                        " superseded, quarantined FROM state");
  if (row.step()) {
    values_.start = row.unsigned_number(0);
    values_.next_sequence = row.unsigned_number(1);
    values_.last_segment = row.unsigned_number(2);
    values_.retired.committed = row.unsigned_number(3);
    for (std::size_t i = 0; i < way_count; ++i) {
      values_.retired.ways[i] = row.unsigned_number(static_cast<int>(4 + i));
    }
  }
  row.reset();
  sqlite::Statement lanes(connection, "SELECT lane, stored, newest FROM lanes");
  while (lanes.step()) {
    for (const Lane lane : all_lanes) {
      if (lanes.blob(0) != name_of(lane)) continue;
      values_.dropped[index_of(lane)] = {lanes.unsigned_number(1), lanes.unsigned_number(2)};
    }
  }
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
  const std::uint64_t newest = (*numbers)[at++];
  seen.retired.committed = (*numbers)[at++];
  for (std::uint64_t& way : seen.retired.ways) way = (*numbers)[at++];
  for (Dropped& dropped : seen.dropped) {
    dropped.stored = (*numbers)[at++];
    dropped.newest = (*numbers)[at++];
  }
  // Of a version that knew one lane.
  if (total_newest(seen.dropped) < newest) seen.dropped[index_of(Lane::normal)].newest = newest;
  values_.start = std::max(values_.start, seen.start);
  values_.next_sequence = std::max(values_.next_sequence, seen.next_sequence);
  values_.last_segment = std::max(values_.last_segment, seen.last_segment);
  for (std::size_t i = 0; i < lane_count; ++i) {
    values_.dropped[i].stored = std::max(values_.dropped[i].stored, seen.dropped[i].stored);
    values_.dropped[i].newest = std::max(values_.dropped[i].newest, seen.dropped[i].newest);
  }
  if (seen.retired.committed > values_.retired.committed) values_.retired = seen.retired;
}

// They have been written.
void StateFile::keep(const Values& values) {
  values_ = values;
  Mirror::Numbers numbers{values.start, values.next_sequence, values.last_segment,
                          total_newest(values.dropped), values.retired.committed};
  std::size_t at = 5;
  for (const std::uint64_t way : values.retired.ways) numbers[at++] = way;
  for (const Dropped& dropped : values.dropped) {
    numbers[at++] = dropped.stored;
    numbers[at++] = dropped.newest;
  }
  static_assert(5 + way_count + 2 * lane_count <= std::tuple_size_v<Mirror::Numbers>);
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
  statement.bind(4, total_newest(values.dropped)).bind(5, values.retired.committed);
  for (std::size_t i = 0; i < way_count; ++i) statement.bind(static_cast<int>(6 + i), values.retired.ways[i]);
  statement.run();
  sqlite::Statement lane(open(), "INSERT OR REPLACE INTO lanes VALUES(?1, ?2, ?3)");
  for (const Lane one : all_lanes) {
    const Dropped& dropped = values.dropped[index_of(one)];
    if (dropped.stored == 0 && dropped.newest == 0) continue;
    lane.bind_text(1, name_of(one)).bind(2, dropped.stored).bind(3, dropped.newest).run();
  }
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
  sqlite::Transaction transaction(open());
  write(values);
  transaction.commit();
  keep(values);
  mirror_.sync();
}

void StateFile::retire(Lane lane, std::uint64_t number, const Counts& counts, std::uint64_t next_sequence,
                       const std::vector<Loss>& losses) {
  Values values = values_;
  values.next_sequence = std::max(values.next_sequence, next_sequence);
  values.last_segment = std::max(values.last_segment, number);
  values.retired += counts;
  values.dropped[index_of(lane)].stored += dropped_of(counts);
  sqlite::Transaction transaction(open());
  write(values);
  write_losses(losses);
  sqlite::Statement insert(open(), "INSERT INTO retired VALUES(?1, ?2)");
  insert.bind_text(1, name_of(lane)).bind(2, number).run();
  sqlite::Statement remove(open(), "DELETE FROM retired WHERE lane = ?1 AND number = ?2");
  for (const Retired& retired : unfinished_) {
    if (retired.removed) remove.bind_text(1, retired.lane).bind(2, retired.number).run();
  }
  transaction.commit();
  keep(values);
  losses_ = losses;
  std::erase_if(unfinished_, [](const Retired& retired) { return retired.removed; });
  unfinished_.push_back({std::string(name_of(lane)), number, false});
}

void StateFile::removed(Lane lane, std::uint64_t number) {
  for (Retired& retired : unfinished_) {
    if (retired.lane == name_of(lane) && retired.number == number) retired.removed = true;
  }
}

void StateFile::save(std::uint64_t next_sequence, const DroppedByLane& dropped,
                     const std::vector<Loss>& losses) {
  Values values = values_;
  values.next_sequence = std::max(values.next_sequence, next_sequence);
  for (std::size_t i = 0; i < lane_count; ++i) values.dropped[i].newest = dropped[i].newest;
  sqlite::Transaction transaction(open());
  write(values);
  write_losses(losses);
  transaction.commit();
  keep(values);
  losses_ = losses;
}

}  // namespace sluice::queue
