// SPDX-License-Identifier: Apache-2.0
#include "queue/dead_letters.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "queue/pages.hpp"

namespace sluice::queue {
namespace {

constexpr const char* schema =
    "CREATE TABLE letters(number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL,"
    " reason TEXT NOT NULL, time INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE counts(one INTEGER PRIMARY KEY CHECK(one = 1), added INTEGER NOT NULL,"
    " retried INTEGER NOT NULL, dropped INTEGER NOT NULL, removed INTEGER NOT NULL, lost INTEGER NOT NULL);"
    "INSERT INTO counts VALUES(1, 0, 0, 0, 0, 0);";

constexpr const char* upgrade =
    "CREATE TABLE counts(one INTEGER PRIMARY KEY CHECK(one = 1), added INTEGER NOT NULL,"
    " retried INTEGER NOT NULL, dropped INTEGER NOT NULL, removed INTEGER NOT NULL, lost INTEGER NOT NULL);"
    "INSERT INTO counts SELECT 1, count + (SELECT count(*) FROM letters), 0, 0, count, 0 FROM removed;"
    "DROP TABLE removed;";

constexpr Mirror::Key mirror_key = 2;

// What a row costs beside its texts and data.
constexpr std::uint64_t row_bytes = 64;

constexpr sqlite::Settings settings{.create = true,
                                    .sync = Sync::full,
                                    .cache_kib = 64,
                                    .checkpoint_pages = 64,
                                    .max_pages = 0,
                                    .user_version = 2,
                                    .schema = schema,
                                    .upgrade = upgrade};

constexpr const char* count_sql = "SELECT count(*) FROM letters";
constexpr const char* size_sql =
    "SELECT coalesce(sum(length(id) + length(topic) + length(reason) + length(data)), 0) FROM letters";

std::uint64_t unsigned_number(sqlite::Connection& connection, const char* sql) {
  return static_cast<std::uint64_t>(connection.number(sql));
}

LetterCounts read_counts(sqlite::Connection& connection) {
  LetterCounts counts;
  sqlite::Statement row(connection, "SELECT added, retried, dropped, removed, lost FROM counts");
  if (row.step()) {
    counts.added = row.unsigned_number(0);
    counts.retried = row.unsigned_number(1);
    counts.dropped = row.unsigned_number(2);
    counts.removed = row.unsigned_number(3);
    counts.lost = row.unsigned_number(4);
  }
  row.reset();
  counts.kept = unsigned_number(connection, count_sql);
  return counts;
}

// How many there are now. What is missing went with a file that was removed under us.
std::uint64_t recount(sqlite::Connection& connection, LetterCounts& counts) {
  const std::uint64_t present = unsigned_number(connection, count_sql);
  if (present < counts.kept) counts.lost += counts.kept - present;
  return present;
}

// An empty file gives back the room that it took; on a full disk it stays as it is.
void shrink(sqlite::Connection& connection) {
  try {
    connection.execute("VACUUM");
  } catch (const sqlite::Error&) {
  }
}

void write_counts(sqlite::Connection& connection, const LetterCounts& counts) {
  sqlite::Statement statement(connection, "INSERT OR REPLACE INTO counts VALUES(1, ?1, ?2, ?3, ?4, ?5)");
  statement.bind(1, counts.added).bind(2, counts.retried).bind(3, counts.dropped);
  statement.bind(4, counts.removed).bind(5, counts.lost).run();
}

// A row of the table of letters.
std::optional<DeadLetters::Letter> letter_in(const Record& record) {
  using Kind = Column::Kind;
  constexpr std::array<Kind, 6> kinds = {Kind::null,  Kind::bytes,   Kind::bytes,
                                         Kind::bytes, Kind::integer, Kind::bytes};
  const std::vector<Column>& columns = record.columns;
  if (!std::equal(columns.begin(), columns.end(), kinds.begin(), kinds.end(),
                  [](const Column& column, Kind kind) { return column.kind == kind; })) {
    return std::nullopt;
  }
  return DeadLetters::Letter{std::string(columns[1].bytes), std::string(columns[2].bytes),
                             std::string(columns[3].bytes), columns[4].integer,
                             std::string(columns[5].bytes), 0};
}

// "start/sequence".
Lane lane_in(std::string_view id) {
  std::uint64_t sequence = 0;
  const std::size_t slash = id.find('/');
  if (slash != std::string_view::npos)
    std::from_chars(id.data() + slash + 1, id.data() + id.size(), sequence);
  return lane_of(sequence);
}

}  // namespace

void DeadLetters::load() {
  counts_ = {};
  by_lane_ = {};
  bytes_ = 0;
  if (std::filesystem::exists(file_)) {
    sqlite::Connection connection(file_, settings);
    counts_ = read_counts(connection);
    count_lanes(connection);
    bytes_ = sqlite::bytes_on_disk(file_);
  }
  read_mirror();
}

// The mirror is never ahead of the file, but where the file was put aside, removed, or lost what was written last.
void DeadLetters::read_mirror() {
  const auto numbers = mirror_.find(mirror_key);
  if (!numbers) return;
  LetterCounts seen{.added = (*numbers)[0],
                    .kept = counts_.kept,
                    .retried = (*numbers)[1],
                    .dropped = (*numbers)[2],
                    .removed = (*numbers)[3],
                    .lost = (*numbers)[4]};
  if (seen.added <= counts_.added || seen.added < seen.kept + seen.gone()) return;
  seen.lost = seen.added - seen.kept - seen.retried - seen.dropped - seen.removed;
  counts_ = seen;
}

void DeadLetters::count_lanes(sqlite::Connection& connection) {
  by_lane_ = {};
  sqlite::Statement ids(connection, "SELECT id FROM letters");
  while (ids.step()) ++by_lane_[index_of(lane_in(ids.blob(0)))];
}

// They have been written.
void DeadLetters::keep(const LetterCounts& counts) {
  counts_ = counts;
  mirror_.put(mirror_key, {counts.added, counts.retried, counts.dropped, counts.removed, counts.lost});
}

void DeadLetters::add(std::span<const Letter> letters) {
  LetterCounts counts = counts_;
  {
    sqlite::Connection connection(file_, settings);
    sqlite::Transaction transaction(connection);
    const std::uint64_t before = recount(connection, counts);
    sqlite::Statement insert(connection,
                             "INSERT OR REPLACE INTO letters(id, topic, reason, time, data)"
                             " VALUES(?1, ?2, ?3, ?4, ?5)");
    for (const Letter& letter : letters) {
      insert.bind_text(1, letter.id).bind_text(2, letter.topic).bind_text(3, letter.reason);
      insert.bind(4, letter.time_ns).bind_blob(5, letter.data).run();
    }
    counts.added += unsigned_number(connection, count_sql) - before;
    counts.removed += remove_excess(connection);
    counts.kept = unsigned_number(connection, count_sql);
    write_counts(connection, counts);
    transaction.commit();
    count_lanes(connection);
  }
  keep(counts);
  bytes_ = sqlite::bytes_on_disk(file_);
}

// The oldest, beyond the bound; how many.
std::uint64_t DeadLetters::remove_excess(sqlite::Connection& connection) {
  std::uint64_t kept = unsigned_number(connection, count_sql);
  std::uint64_t bytes = unsigned_number(connection, size_sql) + kept * row_bytes;
  std::uint64_t excess = 0;
  std::int64_t remove_to = 0;
  {
    sqlite::Statement oldest(connection,
                             "SELECT number, length(id) + length(topic) + length(reason) + length(data)"
                             " FROM letters ORDER BY number");
    for (; (kept > max_letters || bytes > most_bytes_) && oldest.step(); --kept, ++excess) {
      remove_to = oldest.number(0);
      bytes -= oldest.unsigned_number(1) + row_bytes;
    }
  }
  if (excess == 0) return 0;
  sqlite::Statement remove(connection, "DELETE FROM letters WHERE number <= ?1");
  remove.bind(1, remove_to).run();
  return excess;
}

std::uint64_t DeadLetters::remove(std::span<const std::string> ids, Fate fate) {
  if (!std::filesystem::exists(file_)) return 0;
  LetterCounts counts = counts_;
  std::uint64_t removed = 0;
  {
    sqlite::Connection connection(file_, settings);
    sqlite::Transaction transaction(connection);
    const std::uint64_t before = recount(connection, counts);
    // By id: a number may be given again to a letter that comes later.
    sqlite::Statement remove(connection, "DELETE FROM letters WHERE id = ?1");
    for (const std::string& id : ids) remove.bind_text(1, id).run();
    counts.kept = unsigned_number(connection, count_sql);
    removed = before - counts.kept;
    (fate == Fate::retried ? counts.retried : counts.dropped) += removed;
    write_counts(connection, counts);
    transaction.commit();
    keep(counts);
    count_lanes(connection);
    if (counts.kept == 0 && removed > 0) shrink(connection);
  }
  bytes_ = sqlite::bytes_on_disk(file_);
  return removed;
}

LetterCounts DeadLetters::verify() {
  LetterCounts counts = counts_;
  counts.kept = 0;
  if (!std::filesystem::exists(file_)) return counts;
  sqlite::Connection connection(file_, settings);
  return read_counts(connection);
}

std::uint64_t DeadLetters::restore(const std::filesystem::path& damaged) {
  const Pages pages(damaged);
  std::map<std::int64_t, Letter> found;
  for (std::size_t i = 0; i < pages.count(); ++i) {
    pages.read_leaf(i, [&](const Record& record) {
      if (const auto letter = letter_in(record)) found[record.row] = *letter;
    });
  }
  std::vector<Letter> letters;
  for (auto& [number, letter] : found) letters.push_back(std::move(letter));
  load();
  if (letters.empty()) return 0;
  // Those have been counted as lost with the file, and as added once before.
  const std::uint64_t known = std::min<std::uint64_t>(letters.size(), counts_.lost);
  counts_.lost -= known;
  counts_.added -= known;
  add(letters);
  return letters.size();
}

std::vector<DeadLetters::Letter> DeadLetters::read(std::uint64_t after, std::size_t max) {
  std::vector<Letter> letters;
  if (!std::filesystem::exists(file_)) return letters;
  sqlite::Connection connection(file_, settings);
  sqlite::Statement select(connection,
                           "SELECT id, topic, reason, time, data, number FROM letters WHERE number > ?1"
                           " ORDER BY number LIMIT ?2");
  select.bind(1, after).bind(2, static_cast<std::uint64_t>(max));
  while (select.step()) {
    letters.push_back({std::string(select.blob(0)), std::string(select.blob(1)), std::string(select.blob(2)),
                       select.number(3), std::string(select.blob(4)), select.unsigned_number(5)});
  }
  return letters;
}

std::uint64_t DeadLetters::newest() {
  if (!std::filesystem::exists(file_)) return 0;
  sqlite::Connection connection(file_, settings);
  return unsigned_number(connection, "SELECT coalesce(max(number), 0) FROM letters");
}

}  // namespace sluice::queue
