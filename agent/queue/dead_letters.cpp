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
    "CREATE TABLE removed(count INTEGER NOT NULL);"
    "INSERT INTO removed VALUES(0);";

// What a row costs beside its texts and data.
constexpr std::uint64_t row_bytes = 64;

constexpr sqlite::Settings settings{.create = true,
                                    .sync = Sync::full,
                                    .cache_kib = 64,
                                    .checkpoint_pages = 64,
                                    .max_pages = 0,
                                    .user_version = 1,
                                    .schema = schema};

constexpr const char* size_sql =
    "SELECT coalesce(sum(length(id) + length(topic) + length(reason) + length(data)), 0) FROM letters";

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
                             std::string(columns[5].bytes)};
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
  count_ = data_bytes_ = removed_ = bytes_ = 0;
  by_lane_ = {};
  if (!std::filesystem::exists(file_)) return;
  sqlite::Connection connection(file_, settings);
  measure(connection);
}

void DeadLetters::measure(sqlite::Connection& connection) {
  count_ = static_cast<std::uint64_t>(connection.number("SELECT count(*) FROM letters"));
  data_bytes_ = static_cast<std::uint64_t>(connection.number(size_sql)) + count_ * row_bytes;
  removed_ = static_cast<std::uint64_t>(connection.number("SELECT count FROM removed"));
  bytes_ = sqlite::bytes_on_disk(file_);
  by_lane_ = {};
  sqlite::Statement ids(connection, "SELECT id FROM letters");
  while (ids.step()) ++by_lane_[index_of(lane_in(ids.blob(0)))];
}

void DeadLetters::add(std::span<const Letter> letters) {
  sqlite::Connection connection(file_, settings);
  {
    sqlite::Transaction transaction(connection);
    sqlite::Statement insert(connection,
                             "INSERT OR REPLACE INTO letters(id, topic, reason, time, data)"
                             " VALUES(?1, ?2, ?3, ?4, ?5)");
    for (const Letter& letter : letters) {
      insert.bind_text(1, letter.id).bind_text(2, letter.topic).bind_text(3, letter.reason);
      insert.bind(4, letter.time_ns).bind_blob(5, letter.data).run();
    }
    measure(connection);
    std::uint64_t excess = 0;
    sqlite::Statement oldest(connection,
                             "SELECT number, length(id) + length(topic) + length(reason) + length(data)"
                             " FROM letters ORDER BY number");
    std::int64_t remove_to = 0;
    for (std::uint64_t kept = count_, bytes = data_bytes_; kept > max_letters || bytes > most_bytes_;) {
      if (!oldest.step()) break;
      remove_to = oldest.number(0);
      bytes -= oldest.unsigned_number(1) + row_bytes;
      --kept;
      ++excess;
    }
    oldest.reset();
    if (excess > 0) {
      sqlite::Statement remove(connection, "DELETE FROM letters WHERE number <= ?1");
      remove.bind(1, remove_to).run();
      sqlite::Statement counted(connection, "UPDATE removed SET count = count + ?1");
      counted.bind(1, excess).run();
    }
    transaction.commit();
  }
  measure(connection);
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
  if (!letters.empty()) add(letters);
  return letters.size();
}

std::vector<DeadLetters::Letter> DeadLetters::read(std::size_t skip, std::size_t max) {
  std::vector<Letter> letters;
  if (!std::filesystem::exists(file_)) return letters;
  sqlite::Connection connection(file_, settings);
  sqlite::Statement select(
      connection, "SELECT id, topic, reason, time, data FROM letters ORDER BY number LIMIT ?1 OFFSET ?2");
  select.bind(1, static_cast<std::uint64_t>(max)).bind(2, static_cast<std::uint64_t>(skip));
  while (select.step()) {
    letters.push_back({std::string(select.blob(0)), std::string(select.blob(1)), std::string(select.blob(2)),
                       select.number(3), std::string(select.blob(4))});
  }
  return letters;
}

}  // namespace sluice::queue
