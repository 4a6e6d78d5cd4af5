// SPDX-License-Identifier: Apache-2.0
#include "queue/segment.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace sluice::queue {
namespace {

constexpr const char* schema =
    "CREATE TABLE messages(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE starts(first INTEGER PRIMARY KEY, start INTEGER NOT NULL);"
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), counted_to INTEGER NOT NULL,"
    " wall INTEGER NOT NULL, monotonic INTEGER NOT NULL, boot INTEGER NOT NULL,"
    " synchronised INTEGER NOT NULL, committed INTEGER NOT NULL, acknowledged INTEGER NOT NULL,"
    " dead_lettered INTEGER NOT NULL, expired INTEGER NOT NULL, dropped_by_size INTEGER NOT NULL,"
    " dropped_by_age INTEGER NOT NULL, dropped_by_user INTEGER NOT NULL, superseded INTEGER NOT NULL,"
    " quarantined INTEGER NOT NULL, intervals BLOB NOT NULL, missing INTEGER NOT NULL DEFAULT 0);";

constexpr int format = 2;
constexpr const char* upgrade = "ALTER TABLE state ADD COLUMN missing INTEGER NOT NULL DEFAULT 0";

constexpr const char* write_state_sql =
    "INSERT OR REPLACE INTO state VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
    " ?15, ?16)";
constexpr int committed_column = 5;  // of the state, without `one`
constexpr int intervals_column = committed_column + 1 + static_cast<int>(way_count);
constexpr int missing_column = intervals_column + 1;

// A statement for many rows costs less for each of them. OR FAIL: it keeps no journal of its own, since whatever fails is
// rolled back with the whole transaction.
constexpr std::size_t rows_a_statement = 16;

std::string insert_sql(std::size_t rows) {
  std::string sql = "INSERT OR FAIL INTO messages VALUES(?, ?)";
  for (std::size_t i = 1; i < rows; ++i) sql += ",(?, ?)";
  return sql;
}

// Rows that an opening may have to count. The state is written at least that often.
constexpr std::uint64_t rows_between_states = 4096;

}  // namespace

struct Segment::Opened {
  Opened(const std::filesystem::path& file, const Limits& limits)
      : connection(file, {.create = true,
                          .sync = limits.sync,
                          .cache_kib = 128,
                          .checkpoint_pages = limits.checkpoint_pages,
                          .max_pages = 0,
                          .user_version = format,
                          .schema = schema,
                          .upgrade = upgrade}) {}

  sqlite::Connection connection;
  sqlite::Statement& insert(std::size_t rows) {
    std::optional<sqlite::Statement>& statement = rows == 1 ? insert_one : insert_many;
    if (!statement) statement.emplace(connection, insert_sql(rows).c_str());
    return *statement;
  }

  std::optional<sqlite::Statement> insert_one;
  std::optional<sqlite::Statement> insert_many;
  sqlite::Statement write_state{connection, write_state_sql};
  sqlite::Statement select{connection, "SELECT id, data FROM messages WHERE id >= ?1 ORDER BY id"};
};

Segment::Segment(std::filesystem::path file, std::uint64_t number, Limits limits)
    : file_(std::move(file)), number_(number), limits_(limits) {}

Segment::Opened& Segment::open() {
  if (!opened_) opened_ = std::make_shared<Opened>(file_, limits_);
  return *opened_;
}

void Segment::load(const Moment& now) {
  load(open().connection, now);
}

void Segment::look(const Moment& now) {
  const auto log = sqlite::with_suffix(file_, "-wal");
  const bool written_back = ::access(log.c_str(), F_OK) != 0 && errno == ENOENT;
  if (written_back && ::access(file_.c_str(), R_OK | W_OK) == 0) {
    sqlite::Connection connection(sqlite::Connection::AsItIs(), file_);
    if (connection.has_format(format)) return load(connection, now);
  }
  load(now);
  close();
}

void Segment::recall(Contents contents, std::uint64_t bytes) {
  first_ = contents.first;
  last_ = contents.last;
  counts_ = contents.counts;
  gone_ = std::move(contents.gone);
  starts_ = std::move(contents.starts);
  newest_ = contents.newest;
  missing_ = contents.missing;
  counted_to_ = last_;
  bytes_ = full_bytes_ = bytes;
}

void Segment::load(sqlite::Connection& connection, const Moment& now) {
  const std::uint64_t last_before = last_;
  sqlite::Statement ends(connection, "SELECT (SELECT min(id) FROM messages), (SELECT max(id) FROM messages)");
  ends.step();
  first_ = ends.unsigned_number(0);
  last_ = ends.unsigned_number(1);

  starts_.clear();
  sqlite::Statement starts(connection, "SELECT first, start FROM starts ORDER BY first");
  while (starts.step()) starts_.emplace_back(starts.unsigned_number(0), starts.unsigned_number(1));

  Counts kept;
  Intervals gone;
  Moment newest = now;
  counted_to_ = 0;
  sqlite::Statement state(connection,
                          "SELECT counted_to, wall, monotonic, boot, synchronised, committed, acknowledged,"
                          " dead_lettered, expired, dropped_by_size, dropped_by_age, dropped_by_user,"
                          " superseded, quarantined, intervals, missing FROM state");
  if (state.step()) {
    counted_to_ = state.unsigned_number(0);
    if (counted_to_ == last_) {
      newest = {state.number(1), state.number(2), state.unsigned_number(3), state.number(4) != 0};
    }
    kept.committed = state.unsigned_number(committed_column);
    for (std::size_t i = 0; i < way_count; ++i) {
      kept.ways[i] = state.unsigned_number(committed_column + 1 + static_cast<int>(i));
    }
    try {
      gone = Intervals::unpack(state.blob(intervals_column));
    } catch (const std::runtime_error& error) {
      throw sqlite::Error(SQLITE_CORRUPT, file_, error.what());
    }
    missing_ = state.unsigned_number(missing_column);
  }
  uncounted_rows_ = 0;
  if (counted_to_ < last_) {
    sqlite::Statement count(connection, "SELECT count(*) FROM messages WHERE id > ?1");
    count.bind(1, counted_to_).step();
    uncounted_rows_ = count.unsigned_number(0);
  }
  kept.committed += uncounted_rows_;

  if (last_before == 0) {
    counts_ = kept;
    gone_ = std::move(gone);
    newest_ = newest;
  } else {
    // What memory says of the ways out is later than the file, which only knows better about the rows.
    counts_.committed = kept.committed;
    newest_ = now;
  }
  refresh_bytes();
}

void Segment::write_state(sqlite::Statement& statement) const {
  statement.bind(1, last_);
  statement.bind(2, newest_.wall_ns).bind(3, newest_.monotonic_ns).bind(4, newest_.boot);
  statement.bind(5, std::int64_t{newest_.synchronised}).bind(6, counts_.committed);
  for (std::size_t i = 0; i < way_count; ++i) statement.bind(static_cast<int>(7 + i), counts_.ways[i]);
  const std::string packed = gone_.pack();
  statement.bind_blob(1 + intervals_column, packed).bind(1 + missing_column, missing_).run();
}

void Segment::take_over(const Counts& counts) {
  missing_ += counts.committed - counts_.committed;
  counts_ = counts;
  ++unsaved_;
  save(true);
}

void Segment::copy_to(const std::filesystem::path& file) {
  sqlite::Statement copy(open().connection, "VACUUM INTO ?1");
  copy.bind_text(1, file.native()).run();
}

void Segment::write_back() {
  if (opened_) opened_->connection.write_back();
}

void Segment::write(std::span<const Row> rows, std::uint64_t start, const Moment& now) {
  if (rows.empty()) return;
  Opened& opened = open();
  opened.connection.set_sync(limits_.sync);
  sqlite::Transaction transaction(opened.connection);
  if (starts_.empty() || starts_.back().second != start) {
    sqlite::Statement insert(opened.connection, "INSERT INTO starts VALUES(?1, ?2)");
    insert.bind(1, rows.front().sequence).bind(2, start).run();
  }
  for (std::span<const Row> left = rows; !left.empty();) {
    const std::size_t count = left.size() < rows_a_statement ? 1 : rows_a_statement;
    sqlite::Statement& insert = opened.insert(count);
    int parameter = 1;
    for (const Row& row : left.first(count)) {
      insert.bind(parameter, row.sequence).bind_blob(parameter + 1, row.data);
      parameter += 2;
    }
    insert.run();
    left = left.subspan(count);
  }

  // From here on for this transaction only, until it is committed.
  Segment after(*this);
  after.opened_ = nullptr;
  if (after.starts_.empty() || after.starts_.back().second != start) {
    after.starts_.emplace_back(rows.front().sequence, start);
  }
  for (const Row& row : rows) {
    if (after.first_ == 0) {
      after.first_ = row.sequence;
    } else if (row.sequence > after.last_ + 1) {
      after.gone_.add(after.last_ + 1, row.sequence - 1);
    }
    after.last_ = row.sequence;
  }
  after.counts_.committed += rows.size();
  after.uncounted_rows_ += rows.size();
  after.newest_ = now;
  if (!after.oldest_written_) after.oldest_written_ = now;
  if (after.unsaved_ > 0 || after.unsynced_ || after.uncounted_rows_ >= rows_between_states) {
    after.write_state(opened.write_state);
    after.counted_to_ = after.last_;
    after.uncounted_rows_ = 0;
    after.unsaved_ = 0;
    after.unsynced_ = false;
  }
  transaction.commit();
  after.opened_ = std::move(opened_);
  *this = std::move(after);
  refresh_bytes();
}

std::uint64_t Segment::settle(std::uint64_t first, std::uint64_t last, Way way) {
  const std::uint64_t fresh = gone_.add(first, last);
  counts_[way] += fresh;
  unsaved_ += fresh;
  return fresh;
}

std::uint64_t Segment::settle_all(Way way) {
  const std::uint64_t fresh = counts_.stored();
  if (fresh == 0) return 0;
  gone_.add(first_, last_);
  counts_[way] += fresh;
  unsaved_ += fresh;
  return fresh;
}

void Segment::save(bool durable) {
  const bool uncounted = durable && uncounted_rows_ > 0;
  if (unsaved_ == 0 && !uncounted && !(durable && unsynced_)) return;
  Opened& opened = open();
  opened.connection.set_sync(durable ? limits_.sync : Sync::normal);
  write_state(opened.write_state);
  counted_to_ = last_;
  uncounted_rows_ = 0;
  unsaved_ = 0;
  unsynced_ = !durable;
  refresh_bytes();
}

bool Segment::read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes,
                   std::vector<StoredRow>& out) {
  sqlite::Statement& select = open().select;
  std::uint64_t next = gone_.next_outside(std::max(after + 1, first_));
  std::size_t rows = 0;
  std::size_t bytes = 0;
  while (next <= last_) {
    const sqlite::ResetAtEnd reset_at_end(select);
    select.bind(1, next);
    std::uint64_t skip_to = 0;
    while (skip_to == 0) {
      if (!select.step()) return true;
      const std::uint64_t sequence = select.unsigned_number(0);
      // SQLite passes on what it finds on a damaged page where it still looks like a row.
      if (sequence < next) throw sqlite::Error(SQLITE_CORRUPT, file_, "its rows are out of order");
      if (sequence > last_) return true;
      if (sequence > next)
        gone_.add(next, sequence - 1);  // no rows there: closed, and never looked for again
      if (const std::uint64_t outside = gone_.next_outside(sequence); outside != sequence) {
        skip_to = outside;
        break;
      }
      const std::string_view data = select.blob(1);
      out.push_back({sequence, start_of(sequence), std::string(data)});
      bytes += data.size();
      next = sequence + 1;
      if (++rows >= max_rows || bytes >= max_bytes) return gone_.next_outside(next) > last_;
    }
    next = skip_to;
  }
  return true;
}

std::optional<StoredRow> Segment::read_one(std::uint64_t sequence) {
  if (gone_.contains(sequence)) return std::nullopt;
  sqlite::Statement& select = open().select;
  const sqlite::ResetAtEnd reset_at_end(select);
  if (!select.bind(1, sequence).step() || select.unsigned_number(0) != sequence) return std::nullopt;
  return StoredRow{sequence, start_of(sequence), std::string(select.blob(1))};
}

std::uint64_t Segment::start_of(std::uint64_t sequence) const {
  const auto after = std::partition_point(starts_.begin(), starts_.end(),
                                          [sequence](const auto& start) { return start.first <= sequence; });
  return after == starts_.begin() ? 0 : std::prev(after)->second;
}

void Segment::close(bool keep) {
  if (!opened_) return;
  if (!keep) opened_->connection.discard_on_close();
  opened_.reset();
  refresh_bytes();
}

void Segment::discard() {
  close(false);
  *this = Segment(std::move(file_), number_, limits_);
}

void Segment::refresh_bytes() {
  bytes_ = sqlite::bytes_on_disk(file_);
  if (opened_) {
    full_bytes_ = static_cast<std::uint64_t>(opened_->connection.number("PRAGMA page_count")) *
                  static_cast<std::uint64_t>(sqlite::page_bytes);
  } else {
    full_bytes_ = bytes_;
  }
}

Segment::Recount Segment::recount() {
  sqlite::Connection& connection = open().connection;
  Recount recount;
  recount.quick_check = connection.text("PRAGMA quick_check");
  recount.rows = static_cast<std::uint64_t>(connection.number("SELECT count(*) FROM messages"));
  sqlite::Statement count(connection, "SELECT count(*) FROM messages WHERE id BETWEEN ?1 AND ?2");
  for (const Interval& interval : gone_.list()) {
    count.bind(1, interval.first).bind(2, interval.last).step();
    recount.gone += count.unsigned_number(0);
    count.reset();
  }
  return recount;
}

}  // namespace sluice::queue
