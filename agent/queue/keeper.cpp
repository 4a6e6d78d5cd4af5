// SPDX-License-Identifier: Apache-2.0
#include "queue/keeper.hpp"

#include <algorithm>
#include <exception>
#include <random>
#include <span>
#include <utility>

#include "base/packed.hpp"
#include "queue/format_error.hpp"

namespace sluice::queue {
namespace {

constexpr std::size_t rows_a_transaction = 8192;
constexpr std::size_t rows_a_read = 500;
constexpr Nanoseconds look_interval = std::chrono::seconds(1);
// Acknowledgements that a kill may make us forget, beside those of the last second.
constexpr std::uint64_t unsaved_at_most = 512;

// Never one that is counted up to.
std::uint64_t random_start() {
  std::random_device device;
  const std::uint64_t high = device();
  return high << 32U | device() | std::uint64_t{1} << 63U;
}

// No more than the whole disk, so that a segment is a small part of that, too.
Options within_disk(Options options, const Storage& storage) {
  if (const auto space = storage.space(options.directory)) {
    constexpr std::uint64_t least = std::uint64_t{1} << 20U;
    options.max_bytes = std::min(options.max_bytes, std::max(space->total, least));
  }
  return options;
}

}  // namespace

Keeper::Keeper(const Storage& storage, Options options, Tail& tail, std::function<void()> ready, Log log)
    : storage_(storage),
      options_(within_disk(std::move(options), storage)),
      tail_(tail),
      ready_(std::move(ready)),
      log_(log),
      files_(
          options_, [this] { return moment(); }, [this] { return storage_.space(options_.directory); }, log),
      writing_(log, options_.name + ": writing"),
      reading_(log, options_.name + ": reading") {}

Moment Keeper::moment() const {
  const Clock& clock = storage_.clock();
  return {clock.wall().count(), clock.monotonic().count(), clock.boot(), storage_.clock_is_synchronised()};
}

void Keeper::open(bool begin_start) {
  begin_start_ = begin_start;
  try {
    load(begin_start);
  } catch (const FormatError&) {
    throw;
  } catch (const std::exception& error) {
    log_.error("{}: the queue cannot be opened, messages wait in memory: {}", options_.name, error.what());
    writing_.begin(error.what(), storage_.clock().monotonic());
  }
  publish();
}

void Keeper::load(bool begin_start) {
  files_.load();
  dropped_newest_before_ = files_.state().values().dropped_newest;
  oldest_ = files_.oldest_time();
  open_ = true;
  if (begin_start) this->begin_start();
}

void Keeper::begin_start() {
  StateFile& state = files_.state();
  const std::uint64_t next = std::max(state.values().next_sequence, files_.chain().last() + 1);
  start_ = files_.starts_are_lost() ? random_start() : state.values().start + 1;
  try {
    const std::filesystem::path& directory = options_.directory;
    if (!std::filesystem::exists(directory)) {
      std::filesystem::create_directories(directory);
      sqlite::sync_directory(directory.parent_path());
    }
    state.begin_start(start_, next);
    files_.keep_reserve();
    files_.look_at_clock();
  } catch (const FormatError&) {
    open_ = false;
    throw;
  } catch (const std::exception& error) {
    start_ = random_start();
    stale_ = true;
    log_.error("{}: the start cannot be committed, ids use a random number: {}", options_.name, error.what());
    writing_.begin(error.what(), storage_.clock().monotonic());
  }
  files_.losses().begin(start_);
  const Moment at_start = moment();
  files_.clocks().look(at_start.boot, at_start.wall_ns, at_start.monotonic_ns, at_start.synchronised);
  tail_.open(start_, next, files_.chain().counts().stored() > 0);
  if (tail_.wants_rows()) ready_();
}

// A failed transaction may have happened or not: the files tell.
void Keeper::recover() {
  files_.reload(doubtful_);
  doubtful_ = false;
  Tail::Released released;
  tail_.finish_write(files_.chain().last(), released);
  stale_ = false;
}

Nanoseconds Keeper::work() noexcept {
  const Nanoseconds now = storage_.clock().monotonic();
  bool more = false;
  writing_.attempt(now, [&] {
    try {
      mending([&] {
        if (!open_) {
          load(begin_start_);
          ready_();
        }
        settle();
        more = write_due(now);
        look_after_files(now);
      });
    } catch (const sqlite::Error& error) {
      stale_ = open_;
      if (error.is_full()) drain_full_disk(now);
      throw;
    } catch (...) {
      stale_ = open_;
      throw;
    }
  });
  if (open_) reading_.attempt(now, [&] { mending([&] { read_ahead(); }); });
  publish();

  Nanoseconds next = now + look_interval;
  if (writing_.is_on()) {
    next = std::min(next, writing_.retry_at());
  } else if (disk_full_) {
    next = std::min(next, full_retry_at_);
  } else if (more) {
    next = now;
  } else if (const auto at = tail_.write_at(now)) {
    next = std::min(next, *at);
  }
  if (reading_.is_on()) {
    next = std::min(next, reading_.retry_at());
  } else if (open_ && tail_.wants_rows()) {
    next = now;
  }
  return next;
}

// With the room of the reserve, so that what is delivered meanwhile is let go of, which gives room back.
void Keeper::drain_full_disk(Nanoseconds now) {
  if (files_.reserve().release())
    log_.warn("{}: the disk is full, its reserve is used to drain", options_.name);
  try {
    mending([&] {
      settle();
      files_.chain().save(true);
    });
  } catch (const std::exception&) {
    stale_ = open_;  // no room even for that
  }
  drop_due(now, Limit::disk_full);
}

void Keeper::settle() {
  settle_dead();
  for (const Tail::Outcome& outcome : tail_.take_outcomes()) {
    files_.chain().settle(outcome.first, outcome.last, outcome.way);
  }
  files_.chain().retire_finished();
  if (files_.chain().unsaved_sequences() >= unsaved_at_most) files_.chain().save(false);
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
        std::optional<StoredRow> row = files_.chain().read_one(one.sequence);
        if (!row) continue;
        letter.id = id_of(row->start, one.sequence);
        letter.data = std::move(row->data);
        letter.topic = unpack(letter.data).topic();
      }
      letters.push_back(std::move(letter));
    }
    files_.dead_letters().add(letters);
  } catch (...) {
    tail_.give_back_dead(std::move(dead));
    throw;
  }
  for (const Tail::Dead& one : dead) {
    if (!one.delivery) files_.chain().settle(one.sequence, one.sequence, Way::dead_lettered);
  }
}

// True: there is more to write at once.
bool Keeper::write_due(Nanoseconds now) {
  if (disk_full_ && now < full_retry_at_) {
    drop_due(now, files_.room().limit());
    return false;
  }
  if (disk_full_) {
    disk_full_ = !files_.chain().make_room(0);
    full_retry_at_ = now + look_interval;
    tail_.set_disk_full(disk_full_);
    if (disk_full_) {
      drop_due(now, files_.room().limit());
      return false;
    }
  }
  const auto at = tail_.write_at(now);
  if (!at || *at > now) return false;
  const std::vector<Tail::Pending> pending =
      tail_.begin_write(rows_a_transaction, static_cast<std::size_t>(transaction_bytes()), now);
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
  const bool room = files_.chain().make_room(packed_.size());
  forget_dropped();
  if (!room) {
    tail_.finish_write(0, released);
    disk_full_ = true;
    full_retry_at_ = now + look_interval;
    tail_.set_disk_full(true);
    drop_due(now, files_.room().limit());
    return false;
  }
  files_.chain().write(rows, start_);
  tail_.finish_write(files_.chain().last(), released);
  // What a large message or a burst needed is not kept.
  constexpr std::size_t usual = 256U << 10U;
  if (packed_.capacity() > usual) std::string().swap(packed_);
  return true;
}

// There is no room: by the policy what is due goes, or waits in memory, and with that the inputs.
void Keeper::drop_due(Nanoseconds now, Limit limit) {
  if (options_.when_full != WhenFull::drop_newest) return;
  Tail::Released released;
  const std::uint64_t dropped = tail_.drop_due(now, released);
  if (dropped == 0) return;
  Loss loss;
  loss.limit = limit;
  loss.newest = true;
  // They come first in what was let go.
  for (const auto& [delivery, answer] : std::span(released).first(dropped)) {
    add_to(loss, delivery.topic(), delivery.message->time.wall_ns);
  }
  loss.count = dropped;
  files_.losses().add(loss);
  log_.warn("{}: {} new messages dropped: {} is reached, when_full = \"drop-newest\"", options_.name, dropped,
            name_of(loss.limit));
}

void Keeper::forget_dropped() {
  Tail::Released released;
  for (const Interval& range : files_.chain().take_dropped()) tail_.forget(range, released);
}

void Keeper::look_after_files(Nanoseconds now) {
  if (now - looked_at_ < look_interval) return;
  looked_at_ = now;
  if (begin_start_) files_.look_at_clock();
  if (begin_start_) {
    files_.mend_missing();
    files_.chain().drop_old();
  }
  forget_dropped();
  files_.chain().save(true);
  save_state();
  files_.keep_reserve();
  oldest_ = files_.oldest_time();
}

std::uint64_t Keeper::dropped_newest() const {
  return dropped_newest_before_ + tail_.reading().dropped_newest;
}

// Where it has changed.
void Keeper::save_state() {
  const bool told = files_.losses().take_changed();
  if (told && files_.losses().all().empty() && files_.state().losses().empty()) return;
  if (!told && dropped_newest() == files_.state().values().dropped_newest) return;
  files_.state().save(tail_.next_sequence(), dropped_newest(), files_.losses().all());
  ready_();
}

void Keeper::read_ahead() {
  const auto after = tail_.wants_rows();
  if (!after) return;
  // The other half may still be there. In memory a message takes several times the bytes that it is stored as.
  const std::size_t room = tail_.read_ahead_bytes() / 2;
  constexpr std::size_t unpacked = 4;
  std::vector<StoredRow> rows;
  bool end = files_.chain().read(*after, rows_a_read, room / unpacked, rows);
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
  files_.dead_letters().add({&letter, 1});
  files_.chain().settle(row.sequence, row.sequence, Way::quarantined);
}

void Keeper::flush() {
  need_open();
  tail_.make_all_due();
  try {
    mending([&] {
      settle();
      full_retry_at_ = Nanoseconds(0);
      while (write_due(storage_.clock().monotonic())) {
      }
      files_.chain().save(true);
      oldest_ = files_.oldest_time();
    });
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
    for (Segment& segment : files_.chain().list()) segment.save(true);
    if (begin_start_) {
      files_.state().save(tail_.next_sequence(), dropped_newest(), files_.losses().all());
    }
  } catch (const std::exception& error) {
    log_.error("{}: what was only in memory is lost, the disk refuses: {}", options_.name, error.what());
  }
  finished_well_ = tail_.reading().in_memory == 0 && !tail_.has_outcomes();
  publish();
  files_.close();
}

}  // namespace sluice::queue
