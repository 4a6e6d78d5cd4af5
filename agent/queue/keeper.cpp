// SPDX-License-Identifier: Apache-2.0
#include "queue/keeper.hpp"

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

#include "base/packed.hpp"
#include "queue/format_error.hpp"

namespace sluice::queue {
namespace {

constexpr const char* lane = "normal";

constexpr std::size_t rows_a_transaction = 8192;
constexpr std::size_t rows_a_read = 500;
constexpr Nanoseconds look_interval = std::chrono::seconds(1);
// Acknowledgements that a kill may make us forget, beside those of the last second.
constexpr std::uint64_t unsaved_at_most = 512;

std::string id_of(std::uint64_t start, std::uint64_t sequence) {
  return std::to_string(start) + '/' + std::to_string(sequence);
}

// Never one that is counted up to.
std::uint64_t random_start() {
  std::random_device device;
  const std::uint64_t high = device();
  return high << 32U | device() | std::uint64_t{1} << 63U;
}

}  // namespace

Keeper::Keeper(const Storage& storage, Options options, Tail& tail, std::function<void()> ready, Log log)
    : storage_(storage),
      options_(std::move(options)),
      tail_(tail),
      ready_(std::move(ready)),
      log_(log),
      state_(options_.directory / "state.sqlite"),
      dead_letters_(options_.directory / "dead_letters.sqlite"),
      chain_(
          options_, lane, state_, [this] { return moment(); }, log) {}

Moment Keeper::moment() const {
  const Clock& clock = storage_.clock();
  return {clock.wall().count(), clock.monotonic().count(), clock.boot(), storage_.clock_is_synchronised()};
}

// Runs a step that may fail for now, unless it failed a moment ago.
template <typename Step>
void Keeper::attempt(Trouble& trouble, const char* what, Nanoseconds now, const Step& step) noexcept {
  if (trouble.on && now < trouble.retry_at) return;
  try {
    step();
    if (trouble.on) log_.info("{}: {} again", options_.name, what);
    trouble.on = false;
    trouble.backoff.reset();
  } catch (const std::exception& error) {
    if (!trouble.on) log_.error("{}: {} fails, and is tried again: {}", options_.name, what, error.what());
    trouble.on = true;
    trouble.text = error.what();
    // Half of it for certain, so that a disk that refuses at once is not asked in a loop.
    trouble.retry_at = now + trouble.backoff.ceiling() / 2;
    trouble.retry_at += trouble.backoff.next() / 2;
  }
}

void Keeper::open(bool begin_start) {
  begin_start_ = begin_start;
  try {
    load(begin_start);
  } catch (const FormatError&) {
    throw;
  } catch (const std::exception& error) {
    log_.error("{}: the queue cannot be opened, messages wait in memory: {}", options_.name, error.what());
    writing_.on = true;
    writing_.text = error.what();
    writing_.retry_at = storage_.clock().monotonic() + writing_.backoff.ceiling();
  }
  publish();
}

void Keeper::load(bool begin_start) {
  state_.close();
  chain_.close();
  state_.load();
  chain_.load();
  dead_letters_.load();
  dropped_newest_before_ = state_.values().dropped_newest;
  chain_.set_other_bytes(state_.bytes() + dead_letters_.bytes());
  oldest_ = oldest_time();
  open_ = true;
  if (!begin_start) return;

  const std::uint64_t next = std::max(state_.values().next_sequence, chain_.last() + 1);
  start_ = state_.values().start + 1;
  try {
    const std::filesystem::path& directory = options_.directory;
    if (!std::filesystem::exists(directory)) {
      std::filesystem::create_directories(directory);
      sqlite::sync_directory(directory.parent_path());
    }
    state_.begin_start(start_, next);
  } catch (const FormatError&) {
    open_ = false;
    throw;
  } catch (const std::exception& error) {
    start_ = random_start();
    stale_ = true;
    log_.error("{}: the start cannot be committed, ids use a random number: {}", options_.name, error.what());
    writing_.on = true;
    writing_.text = error.what();
    writing_.retry_at = storage_.clock().monotonic() + writing_.backoff.ceiling();
  }
  tail_.open(start_, next, chain_.counts().stored() > 0);
  if (tail_.wants_rows()) ready_();
}

// A failed transaction may have happened or not: the files tell.
void Keeper::recover() {
  chain_.close();
  state_.close();
  state_.load();
  chain_.reload();
  dead_letters_.load();
  Tail::Released released;
  tail_.finish_write(chain_.last(), released);
  stale_ = false;
}

Nanoseconds Keeper::work() noexcept {
  const Nanoseconds now = storage_.clock().monotonic();
  bool more = false;
  attempt(writing_, "writing", now, [&] {
    try {
      if (!open_) {
        load(begin_start_);
        ready_();
      }
      if (stale_) recover();
      settle();
      more = write_due(now);
      look_after_files(now);
    } catch (...) {
      stale_ = open_;
      throw;
    }
  });
  if (open_) attempt(reading_, "reading", now, [&] { read_ahead(); });
  publish();

  Nanoseconds next = now + look_interval;
  if (writing_.on) {
    next = std::min(next, writing_.retry_at);
  } else if (disk_full_) {
    next = std::min(next, full_retry_at_);
  } else if (more) {
    next = now;
  } else if (const auto at = tail_.write_at(now)) {
    next = std::min(next, *at);
  }
  if (reading_.on) {
    next = std::min(next, reading_.retry_at);
  } else if (open_ && tail_.wants_rows()) {
    next = now;
  }
  return next;
}

void Keeper::settle() {
  settle_dead();
  for (const Tail::Outcome& outcome : tail_.take_outcomes()) {
    chain_.settle(outcome.first, outcome.last, outcome.way);
  }
  chain_.retire_finished();
  if (chain_.unsaved_sequences() >= unsaved_at_most) chain_.save(false);
}

// The letter is on disk before its message is gone.
void Keeper::settle_dead() {
  std::vector<Tail::Dead> dead = tail_.take_dead();
  if (dead.empty()) return;
  try {
    std::vector<DeadLetters::Letter> letters;
    const std::int64_t time = storage_.clock().wall().count();
    for (const Tail::Dead& one : dead) {
      DeadLetters::Letter letter{"", "", one.reason, time, ""};
      if (one.delivery) {
        letter.id = id_of(start_, one.sequence);
        letter.topic = one.delivery->topic();
        pack(*one.delivery, letter.data);
      } else {
        std::optional<StoredRow> row = chain_.read_one(one.sequence);
        if (!row) continue;
        letter.id = id_of(row->start, one.sequence);
        letter.data = std::move(row->data);
        letter.topic = unpack(letter.data).topic();
      }
      letters.push_back(std::move(letter));
    }
    dead_letters_.add(letters);
  } catch (...) {
    tail_.give_back_dead(std::move(dead));
    throw;
  }
  for (const Tail::Dead& one : dead) {
    if (!one.delivery) chain_.settle(one.sequence, one.sequence, Way::dead_lettered);
  }
}

// True: there is more to write at once.
bool Keeper::write_due(Nanoseconds now) {
  if (disk_full_ && now < full_retry_at_) {
    drop_due(now);
    return false;
  }
  if (disk_full_) {
    disk_full_ = !chain_.make_room(0);
    full_retry_at_ = now + look_interval;
    tail_.set_disk_full(disk_full_);
    if (disk_full_) {
      drop_due(now);
      return false;
    }
  }
  const auto at = tail_.write_at(now);
  if (!at || *at > now) return false;
  const std::vector<Tail::Pending> pending =
      tail_.begin_write(rows_a_transaction, static_cast<std::size_t>(options_.segment_bytes() / 4), now);
  if (pending.empty()) return false;

  packed_.clear();
  std::vector<std::size_t> ends;
  ends.reserve(pending.size());
  for (const Tail::Pending& entry : pending) {
    pack(*entry.delivery, packed_);
    ends.push_back(packed_.size());
  }
  std::vector<Row> rows;
  rows.reserve(pending.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < pending.size(); begin = ends[i++]) {
    rows.push_back({pending[i].sequence, std::string_view(packed_).substr(begin, ends[i] - begin)});
  }

  Tail::Released released;
  const bool room = chain_.make_room(packed_.size());
  forget_dropped();
  if (!room) {
    tail_.finish_write(0, released);
    disk_full_ = true;
    full_retry_at_ = now + look_interval;
    tail_.set_disk_full(true);
    drop_due(now);
    return false;
  }
  chain_.write(rows, start_);
  tail_.finish_write(chain_.last(), released);
  // What a large message or a burst needed is not kept.
  constexpr std::size_t usual = 256U << 10U;
  if (packed_.capacity() > usual) std::string().swap(packed_);
  return true;
}

void Keeper::drop_due(Nanoseconds now) {
  Tail::Released released;
  const std::uint64_t dropped = tail_.drop_due(now, released);
  if (dropped > 0) {
    log_.warn("{}: {} new messages dropped: max_bytes is reached, when_full = \"drop-newest\"", options_.name,
              dropped);
  }
}

void Keeper::forget_dropped() {
  Tail::Released released;
  for (const Interval& range : chain_.take_dropped()) tail_.forget(range, released);
}

void Keeper::look_after_files(Nanoseconds now) {
  if (now - looked_at_ < look_interval) return;
  looked_at_ = now;
  if (begin_start_) chain_.drop_old();
  forget_dropped();
  chain_.save(true);
  const std::uint64_t dropped_newest = dropped_newest_before_ + tail_.reading().dropped_newest;
  if (dropped_newest != state_.values().dropped_newest) state_.save(tail_.next_sequence(), dropped_newest);
  chain_.set_other_bytes(state_.bytes() + dead_letters_.bytes());
  oldest_ = oldest_time();
}

std::optional<std::int64_t> Keeper::oldest_time() {
  std::vector<StoredRow> rows;
  chain_.read(0, 1, 1, rows);
  if (rows.empty()) return std::nullopt;
  try {
    return unpack(rows.front().data).message->time.wall_ns;
  } catch (const UnpackError&) {
    return std::nullopt;
  }
}

void Keeper::read_ahead() {
  const auto after = tail_.wants_rows();
  if (!after) return;
  // The other half may still be there. In memory a message takes several times the bytes that it is stored as.
  const std::size_t room = tail_.read_ahead_bytes() / 2;
  constexpr std::size_t unpacked = 4;
  std::vector<StoredRow> rows;
  bool end = chain_.read(*after, rows_a_read, room / unpacked, rows);
  std::vector<Tail::ReadAhead> messages;
  messages.reserve(rows.size());
  std::uint64_t reached = *after;
  std::size_t used = 0;
  for (const StoredRow& row : rows) {
    if (used >= room) {
      end = false;
      break;
    }
    reached = row.sequence;
    try {
      Delivery delivery = unpack(row.data);
      const std::size_t bytes = footprint(delivery) + sizeof(Tail::ReadAhead);
      used += bytes;
      messages.push_back({row.sequence, row.start, std::move(delivery), bytes});
    } catch (const UnpackError& error) {
      put_aside(row, error.what());
    }
  }
  Tail::Released released;
  if (tail_.add_rows(std::move(messages), reached, end, released)) ready_();
}

// A row that cannot be read must not stop those after it.
void Keeper::put_aside(const StoredRow& row, const std::string& reason) {
  log_.error("{}: message {} cannot be read and goes to the dead letters: {}", options_.name,
             id_of(row.start, row.sequence), reason);
  const DeadLetters::Letter letter{id_of(row.start, row.sequence), "", reason,
                                   storage_.clock().wall().count(), row.data};
  dead_letters_.add({&letter, 1});
  chain_.settle(row.sequence, row.sequence, Way::quarantined);
}

void Keeper::need_open() const {
  if (!open_) throw std::runtime_error(options_.name + ": the queue is not open: " + writing_.text);
}

void Keeper::flush() {
  need_open();
  tail_.make_all_due();
  try {
    if (stale_) recover();
    settle();
    full_retry_at_ = Nanoseconds(0);
    while (write_due(storage_.clock().monotonic())) {
    }
    chain_.save(true);
    oldest_ = oldest_time();
  } catch (...) {
    stale_ = true;
    throw;
  }
  publish();
}

void Keeper::finish() noexcept {
  if (finished_) return;
  finished_ = true;
  tail_.close();
  try {
    if (!open_) load(begin_start_);
    flush();
    for (Segment& segment : chain_.list()) segment.save(true);
    if (begin_start_) {
      state_.save(tail_.next_sequence(), dropped_newest_before_ + tail_.reading().dropped_newest);
    }
  } catch (const std::exception& error) {
    log_.error("{}: what was only in memory is lost, the disk refuses: {}", options_.name, error.what());
  }
  finished_well_ = tail_.reading().in_memory == 0 && !tail_.has_outcomes();
  publish();
  chain_.close();
  state_.close();
}

std::vector<Stored> Keeper::read(std::uint64_t after, std::size_t max) {
  need_open();
  std::vector<StoredRow> rows;
  constexpr std::size_t at_once_bytes = 16U << 20U;
  chain_.read(after, max, at_once_bytes, rows);
  std::vector<Stored> stored;
  stored.reserve(rows.size());
  for (const StoredRow& row : rows) {
    try {
      stored.push_back({row.sequence, id_of(row.start, row.sequence), unpack(row.data)});
    } catch (const UnpackError& error) {
      put_aside(row, error.what());
    }
  }
  return stored;
}

std::vector<DeadLetter> Keeper::read_dead_letters(std::size_t skip, std::size_t max) {
  std::vector<DeadLetter> letters;
  for (DeadLetters::Letter& letter : dead_letters_.read(skip, max)) {
    DeadLetter& read = letters.emplace_back();
    try {
      read.delivery = unpack(letter.data);
    } catch (const UnpackError&) {
      read.delivery = std::nullopt;
    }
    read.id = std::move(letter.id);
    read.topic = std::move(letter.topic);
    read.reason = std::move(letter.reason);
    read.time_ns = letter.time_ns;
  }
  return letters;
}

std::uint64_t Keeper::drop(const std::vector<std::uint64_t>& sequences) {
  need_open();
  Tail::Released released;
  std::uint64_t dropped = 0;
  for (const std::uint64_t sequence : sequences) {
    dropped += chain_.settle(sequence, sequence, Way::dropped_by_user);
    tail_.forget({sequence, sequence}, released);
  }
  try {
    chain_.retire_finished();
    chain_.save(true);
  } catch (...) {
    stale_ = true;
    throw;
  }
  publish();
  return dropped;
}

std::uint64_t Keeper::drop_all() {
  need_open();
  Tail::Released released;
  std::uint64_t dropped = 0;
  try {
    settle();
    dropped = chain_.settle_all(Way::dropped_by_user);
    tail_.forget({0, chain_.last()}, released);
    chain_.retire_finished();
    chain_.save(true);
  } catch (...) {
    stale_ = true;
    throw;
  }
  publish();
  return dropped;
}

Verification Keeper::verify_totals() {
  need_open();
  Verification verification;
  const Counts& retired = state_.values().retired;
  verification.ledger.counts = retired;
  if (retired.gone() != retired.committed) {
    verification.differences.push_back("state.sqlite: of the segments that are gone, " +
                                       std::to_string(retired.committed) + " messages were committed, but " +
                                       std::to_string(retired.gone()) + " have left");
  }
  return verification;
}

std::vector<std::uint64_t> Keeper::segments() {
  std::vector<std::uint64_t> numbers;
  for (const Segment& segment : chain_.list()) numbers.push_back(segment.number());
  return numbers;
}

void Keeper::verify_segment(std::uint64_t number, Verification& verification) {
  for (Segment& segment : chain_.list()) {
    if (segment.number() != number) continue;
    const bool was_open = segment.is_open();
    const Segment::Recount recount = segment.recount();
    if (!was_open) segment.close();
    const Counts& kept = segment.counts();
    const std::string file = segment.file().string();
    verification.segments.push_back({file, recount.quick_check, kept, recount.rows, recount.gone});
    verification.ledger.counts += kept;
    verification.ledger.stored += recount.rows - recount.gone;
    if (recount.quick_check != "ok") {
      verification.differences.push_back(file + ": damaged: " + recount.quick_check);
    }
    if (recount.rows != kept.committed) {
      verification.differences.push_back(file + ": says " + std::to_string(kept.committed) +
                                         " messages, has " + std::to_string(recount.rows));
    }
    if (recount.gone != kept.gone()) {
      verification.differences.push_back(file + ": says that " + std::to_string(kept.gone()) +
                                         " messages have left, but " + std::to_string(recount.gone) +
                                         " have");
    }
  }
}

void Keeper::publish() {
  Stats stats;
  stats.ledger.counts = state_.values().retired;
  const Counts present = chain_.counts();
  stats.ledger.counts += present;
  stats.ledger.stored = stats.messages = present.stored();
  stats.segments = chain_.segments();
  stats.dead_letters = dead_letters_.count();
  stats.bytes = chain_.bytes() + state_.bytes() + dead_letters_.bytes();
  stats.start = start_;
  stats.dropped_newest = dropped_newest_before_;
  stats.degraded = writing_.on || reading_.on;
  if (stats.degraded) stats.problem = writing_.on ? writing_.text : reading_.text;
  if (stats.messages > 0) stats.oldest_ts = oldest_;
  const std::lock_guard lock(mutex_);
  published_ = std::move(stats);
}

Stats Keeper::stats() const {
  const Tail::Reading memory = tail_.reading();
  const std::lock_guard lock(mutex_);
  Stats stats = published_;
  stats.in_memory = memory.in_memory;
  stats.memory_bytes = memory.bytes;
  stats.passed = memory.passed;
  stats.passed_other = memory.passed_other;
  stats.dropped_newest += memory.dropped_newest;
  if (!stats.oldest_ts) stats.oldest_ts = memory.oldest_ts;
  return stats;
}

}  // namespace sluice::queue
