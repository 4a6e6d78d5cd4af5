// SPDX-License-Identifier: Apache-2.0
#include "queue/latest.hpp"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "base/packed.hpp"
#include "queue/mending.hpp"
#include "queue/pages.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

constexpr const char* schema =
    "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic TEXT NOT NULL UNIQUE, start INTEGER NOT NULL,"
    " data BLOB NOT NULL, wall INTEGER NOT NULL, monotonic INTEGER NOT NULL, boot INTEGER NOT NULL,"
    " synchronised INTEGER NOT NULL);"
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1), last INTEGER NOT NULL,"
    " committed INTEGER NOT NULL, acknowledged INTEGER NOT NULL, dead_lettered INTEGER NOT NULL,"
    " expired INTEGER NOT NULL, dropped_by_size INTEGER NOT NULL, dropped_by_age INTEGER NOT NULL,"
    " dropped_by_user INTEGER NOT NULL, superseded INTEGER NOT NULL, quarantined INTEGER NOT NULL);";

constexpr const char* insert_sql =
    "INSERT OR REPLACE INTO messages(id, topic, start, data, wall, monotonic, boot, synchronised)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

constexpr std::uint64_t only_part = 1;

Mirror::Key mirror_key() {
  return (((base_of(Lane::last) >> 60U) + 1) << 48U) + only_part;
}

sqlite::Settings settings(Sync sync) {
  return {.create = true,
          .sync = sync,
          .cache_kib = 64,
          .checkpoint_pages = 128,
          .max_pages = 0,
          .user_version = 1,
          .schema = schema,
          .upgrade = ""};
}

// A row as it is in the file.
struct Columns {
  std::string topic;
  std::uint64_t start = 0;
  std::string data;
  std::array<std::int64_t, 4> moment{};
};

std::optional<Columns> columns_in(const Record& record) {
  using Kind = Column::Kind;
  constexpr std::array<Kind, 8> kinds = {Kind::null,    Kind::bytes,   Kind::integer, Kind::bytes,
                                         Kind::integer, Kind::integer, Kind::integer, Kind::integer};
  const std::vector<Column>& columns = record.columns;
  if (!std::equal(columns.begin(), columns.end(), kinds.begin(), kinds.end(),
                  [](const Column& column, Kind kind) { return column.kind == kind; }) ||
      lane_of(static_cast<std::uint64_t>(record.row)) != Lane::last) {
    return std::nullopt;
  }
  Columns found{std::string(columns[1].bytes),
                static_cast<std::uint64_t>(columns[2].integer),
                std::string(columns[3].bytes),
                {}};
  for (std::size_t i = 0; i < found.moment.size(); ++i) found.moment[i] = columns[4 + i].integer;
  try {
    if (unpack(found.data).topic() != found.topic) return std::nullopt;
  } catch (const UnpackError&) {
    return std::nullopt;
  }
  return found;
}

}  // namespace

struct Latest::Opened {
  Opened(const fs::path& file, Sync sync) : connection(file, settings(sync)) {}

  sqlite::Connection connection;
  sqlite::Statement find{connection, "SELECT id FROM messages WHERE topic = ?1"};
  sqlite::Statement insert{connection, insert_sql};
  sqlite::Statement remove{connection, "DELETE FROM messages WHERE id = ?1"};
  sqlite::Statement range{connection, "SELECT id FROM messages WHERE id BETWEEN ?1 AND ?2"};
  sqlite::Statement select{connection, "SELECT id, start, data FROM messages WHERE id > ?1 ORDER BY id"};
};

Latest::Latest(const Chain::Common& common)
    : Store(Lane::last),
      options_(common.options),
      file_(common.options.directory / name_of(Lane::last) / "values.sqlite"),
      mirror_(common.mirror),
      quarantine_(common.quarantine),
      losses_(common.losses),
      clocks_(common.clocks),
      now_(common.now),
      log_(common.log) {}

Latest::~Latest() = default;

bool Latest::is_there() const {
  return opened_ || fs::exists(fs::symlink_status(file_));
}

Latest::Opened& Latest::open() {
  if (opened_) return *opened_;
  if (const fs::path folder = file_.parent_path(); !fs::exists(folder)) {
    fs::create_directories(folder);
    sqlite::sync_directory(folder.parent_path());
    sqlite::sync_directory(folder.parent_path().parent_path());
  }
  opened_ = std::make_unique<Opened>(file_, options_.sync);
  return *opened_;
}

void Latest::load() {
  close();
  last_ = 0;
  counts_ = {};
  unsaved_.clear();
  take_dropped();
  const auto known = mirror_.find(mirror_key());
  if (known) {
    last_ = (*known)[1];
    counts_.committed = (*known)[3];
    for (std::size_t i = 0; i < way_count; ++i) counts_.ways[i] = (*known)[4 + i];
  }
  try {
    if (is_there()) {
      const Counts by_mirror = counts_;
      read_state();
      if (counts_.committed < by_mirror.committed) {
        counts_ = by_mirror;
        mend_now("it holds less than was committed");
      }
    } else if (counts_.committed > 0) {
      mend_now("the file is missing");
    }
  } catch (const sqlite::Error& error) {
    if (!error.is_damage()) throw;
    mend_now(error.what());
  }
  note();
}

void Latest::read_state() {
  Opened& opened = open();
  sqlite::Statement state(opened.connection,
                          "SELECT last, committed, acknowledged, dead_lettered, expired, dropped_by_size,"
                          " dropped_by_age, dropped_by_user, superseded, quarantined FROM state");
  counts_ = {};
  if (!state.step()) return;
  last_ = std::max(last_, state.unsigned_number(0));
  counts_.committed = state.unsigned_number(1);
  for (std::size_t i = 0; i < way_count; ++i) {
    counts_.ways[i] = state.unsigned_number(static_cast<int>(2 + i));
  }
}

void Latest::reload(bool doubtful) {
  if (!is_there()) return;
  read_state();
  if (doubtful) open().connection.write_back();
  forget_applied();
  for (const auto& [sequence, way] : unsaved_) ++counts_[way];
  note();
}

// The transaction that failed may have happened all the same.
void Latest::forget_applied() {
  Opened& opened = open();
  std::erase_if(unsaved_, [&](const auto& settled) {
    const sqlite::ResetAtEnd reset_at_end(opened.range);
    return !opened.range.bind(1, settled.first).bind(2, settled.first).step();
  });
}

void Latest::close() {
  opened_.reset();
}

void Latest::write_unsaved(Opened& opened) {
  for (const auto& [sequence, way] : unsaved_) opened.remove.bind(1, sequence).run();
}

void Latest::write_state(Opened& opened, const Counts& counts, std::uint64_t last) const {
  sqlite::Statement statement(
      opened.connection, "INSERT OR REPLACE INTO state VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
  statement.bind(1, last).bind(2, counts.committed);
  for (std::size_t i = 0; i < way_count; ++i) statement.bind(static_cast<int>(3 + i), counts.ways[i]);
  statement.run();
}

void Latest::write(std::span<const Row> rows, std::uint64_t start) {
  if (rows.empty()) return;
  Opened& opened = open();
  opened.connection.set_sync(options_.sync);
  const Moment now = now_();
  Counts counts = counts_;
  std::vector<std::uint64_t> superseded;
  sqlite::Transaction transaction(opened.connection);
  write_unsaved(opened);
  for (const Row& row : rows) {
    const std::string topic = unpack(row.data).topic();
    {
      const sqlite::ResetAtEnd reset_at_end(opened.find);
      if (opened.find.bind_text(1, topic).step()) superseded.push_back(opened.find.unsigned_number(0));
    }
    opened.insert.bind(1, row.sequence).bind_text(2, topic).bind(3, start).bind_blob(4, row.data);
    opened.insert.bind(5, now.wall_ns).bind(6, now.monotonic_ns).bind(7, now.boot);
    opened.insert.bind(8, std::int64_t{now.synchronised}).run();
  }
  counts.committed += rows.size();
  counts[Way::superseded] += superseded.size();
  write_state(opened, counts, rows.back().sequence);
  transaction.commit();
  counts_ = counts;
  last_ = rows.back().sequence;
  unsaved_.clear();
  unsynced_ = false;
  for (const std::uint64_t sequence : superseded) note_dropped({sequence, sequence});
  note();
}

std::uint64_t Latest::settle(std::uint64_t first, std::uint64_t last, Way way) {
  if (counts_.stored() == 0 || !is_there()) return 0;
  std::uint64_t settled = 0;
  sqlite::Statement& range = open().range;
  const sqlite::ResetAtEnd reset_at_end(range);
  range.bind(1, first).bind(2, std::min(last, last_of(lane())));
  while (range.step()) {
    if (unsaved_.emplace(range.unsigned_number(0), way).second) ++settled;
  }
  counts_[way] += settled;
  return settled;
}

std::uint64_t Latest::settle_all(Way way) {
  return settle(base_of(lane()), last_of(lane()), way);
}

void Latest::save(bool durable) {
  if (unsaved_.empty() && !(durable && unsynced_)) return;
  Opened& opened = open();
  opened.connection.set_sync(durable ? options_.sync : Sync::normal);
  sqlite::Transaction transaction(opened.connection);
  write_unsaved(opened);
  write_state(opened, counts_, last_);
  transaction.commit();
  unsaved_.clear();
  unsynced_ = !durable;
  note();
}

void Latest::drop_old() {
  if (options_.max_age.count() == 0 || counts_.stored() == 0) return;
  drop_first(counts_.stored(), Limit::max_age, Way::dropped_by_age, true);
}

bool Latest::drop_oldest(Limit limit) {
  if (counts_.stored() == 0) return false;
  drop_first((counts_.stored() + 1) / 2, limit, Way::dropped_by_size, false);
  save(true);
  // Removed rows leave room in the file; this gives it back.
  open().connection.execute("VACUUM");
  open().connection.write_back();
  return true;
}

void Latest::drop_first(std::uint64_t most, Limit limit, Way way, bool only_old) {
  Loss loss;
  loss.limit = limit;
  {
    sqlite::Statement oldest(
        open().connection,
        "SELECT id, topic, wall, monotonic, boot, synchronised, data FROM messages ORDER BY id");
    while (loss.count < most && oldest.step()) {
      const Moment written{oldest.number(2), oldest.number(3), oldest.unsigned_number(4),
                           oldest.number(5) != 0};
      if (only_old && !is_older_than(written, now_(), clocks_, options_.max_age)) break;
      const std::uint64_t sequence = oldest.unsigned_number(0);
      if (!unsaved_.emplace(sequence, way).second) continue;
      ++counts_[way];
      ++loss.count;
      add_to(loss, oldest.blob(1), unpack(oldest.blob(6)).message->time.wall_ns);
      note_dropped({sequence, sequence});
    }
  }
  if (loss.count == 0) return;
  losses_.add(loss);
  log_.warn("{}: {} last values dropped, {} was reached", options_.name, loss.count, name_of(limit));
}

bool Latest::read(std::uint64_t after, std::size_t max_rows, std::size_t max_bytes,
                  std::vector<StoredRow>& out) {
  if (counts_.stored() == 0 || after >= last_) return true;
  sqlite::Statement& select = open().select;
  const sqlite::ResetAtEnd reset_at_end(select);
  select.bind(1, after);
  std::size_t rows = 0;
  std::size_t bytes = 0;
  while (select.step()) {
    const std::uint64_t sequence = select.unsigned_number(0);
    if (unsaved_.count(sequence) != 0) continue;
    if (rows >= max_rows || bytes >= max_bytes) return false;
    out.push_back({sequence, select.unsigned_number(1), std::string(select.blob(2))});
    bytes += out.back().data.size();
    ++rows;
  }
  return true;
}

std::optional<StoredRow> Latest::read_one(std::uint64_t sequence) {
  std::vector<StoredRow> rows;
  read(sequence - 1, 1, 1, rows);
  if (rows.empty() || rows.front().sequence != sequence) return std::nullopt;
  return std::move(rows.front());
}

bool Latest::mend(const fs::path& file, const std::string& reason) {
  if (file != file_) return false;
  mend_now(reason);
  return true;
}

void Latest::mend_missing() {
  if (counts_.committed > 0 && !fs::exists(fs::symlink_status(file_))) mend_now("the file was removed");
}

// What was stored and cannot be read is quarantined.
void Latest::mend_now(const std::string& reason) {
  const Moment now = now_();
  try {
    const fs::path kept = quarantine_.keep(file_, now.wall_ns);
    if (opened_) opened_->connection.discard_on_close();
    close();
    if (fs::exists(file_.parent_path())) sqlite::remove_files(file_);
    const std::uint64_t salvaged = fs::exists(kept) ? salvage(kept) : 0;
    const std::uint64_t quarantined = counts_[Way::quarantined];
    counts_ = settle_counts(counts_, salvaged);
    const std::uint64_t lost = counts_[Way::quarantined] - std::min(quarantined, counts_[Way::quarantined]);
    unsaved_.clear();
    Opened& opened = open();
    sqlite::Transaction transaction(opened.connection);
    write_state(opened, counts_, last_);
    transaction.commit();
    quarantine_.report({"", file_.string(), reason, now.wall_ns, salvaged, lost, false});
    quarantine_.limit(options_.max_bytes / 8);
    log_.error("{}: damaged, put aside in {}: {} last values could be read and are sent, {} are lost: {}",
               file_.string(), kept.parent_path().string(), salvaged, lost, reason);
  } catch (...) {
    quarantine_.abandon();
    throw;
  }
  note();
  mirror_.sync();
}

// Of every row that can be read, the latest of its topic. Some may have been delivered: they are sent once more.
std::uint64_t Latest::salvage(const fs::path& kept) {
  std::map<std::string, std::pair<std::uint64_t, Columns>> found;
  const Pages pages(kept);
  for (std::size_t i = 0; i < pages.count(); ++i) {
    pages.read_leaf(i, [&](const Record& record) {
      const auto columns = columns_in(record);
      const auto sequence = static_cast<std::uint64_t>(record.row);
      if (!columns || unsaved_.count(sequence) != 0) return;
      auto& latest = found[columns->topic];
      if (sequence >= latest.first) latest = {sequence, *columns};
    });
  }
  Opened& opened = open();
  sqlite::Transaction transaction(opened.connection);
  for (const auto& [topic, latest] : found) {
    opened.insert.bind(1, latest.first).bind_text(2, topic).bind(3, latest.second.start);
    opened.insert.bind_blob(4, latest.second.data);
    for (int i = 0; i < 4; ++i) opened.insert.bind(5 + i, latest.second.moment[static_cast<std::size_t>(i)]);
    opened.insert.run();
    last_ = std::max(last_, latest.first);
  }
  transaction.commit();
  return found.size();
}

// As of a segment (chain_mending.cpp), without intervals.
void Latest::note() {
  if (counts_.committed == 0) return;
  Mirror::Numbers numbers{0, last_, 0, counts_.committed};
  for (std::size_t i = 0; i < way_count; ++i) numbers[4 + i] = counts_.ways[i];
  mirror_.put(mirror_key(), numbers);
}

std::uint64_t Latest::bytes() const {
  return sqlite::bytes_on_disk(file_);
}

std::uint64_t Latest::bytes_with(std::uint64_t packed_bytes) const {
  // In the file with its index, and in the log.
  constexpr std::uint64_t pages = 16;
  const std::uint64_t grown =
      packed_bytes == 0 ? 0 : 3 * packed_bytes + pages * static_cast<std::uint64_t>(sqlite::page_bytes);
  return bytes() + grown;
}

std::vector<std::uint64_t> Latest::parts() const {
  if (!is_there()) return {};
  return {only_part};
}

void Latest::verify(std::uint64_t part, Verification& verification, bool may_mend) {
  if (part != only_part || !is_there()) return;
  save(true);
  sqlite::Connection& connection = open().connection;
  SegmentCheck check{file_.string(), connection.text("PRAGMA quick_check"), counts_, 0, 0};
  check.rows = static_cast<std::uint64_t>(connection.number("SELECT count(*) FROM messages"));
  verification.ledger.counts += counts_;
  verification.ledger.stored += check.rows;
  if (check.quick_check != "ok") {
    verification.differences.push_back(check.file + ": damaged: " + check.quick_check);
  }
  if (check.rows != counts_.stored()) {
    verification.differences.push_back(check.file + ": says " + std::to_string(counts_.stored()) +
                                       " messages, has " + std::to_string(check.rows));
  }
  verification.segments.push_back(check);
  if (check.quick_check != "ok" && may_mend) mend_now(check.quick_check);
}

}  // namespace sluice::queue
