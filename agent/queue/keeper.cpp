// SPDX-License-Identifier: Apache-2.0
#include "queue/keeper.hpp"

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

#include "queue/format_error.hpp"

namespace sluice::queue {
namespace {

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

Keeper::Keeper(const Storage& storage, Options options, const Tails& tails, std::function<void()> ready,
               Log log)
    : storage_(storage),
      options_(within_disk(std::move(options), storage)),
      ready_(std::move(ready)),
      log_(log),
      files_(
          options_, [this] { return moment(); }, [this] { return storage_.space(options_.directory); }, log),
      writing_(log, options_.name + ": writing"),
      reading_(log, options_.name + ": reading") {
  for (const Lane lane : all_lanes) {
    lanes_.emplace_back(lane, storage_, options_, *tails[index_of(lane)], files_, ready_, log_);
  }
}

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
  dropped_before_ = files_.state().values().dropped;
  if (!begin_start) look_for_oldest();  // the agent's start does not wait for it: work() looks at once
  open_ = true;
  if (begin_start) this->begin_start();
}

void Keeper::begin_start() {
  StateFile& state = files_.state();
  const std::uint64_t next = std::max(state.values().next_sequence, files_.lanes().last_index() + 1);
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
  for (LaneKeeper& lane : lanes_) lane.begin(start_, next);
}

// A failed transaction may have happened or not: the files tell.
void Keeper::recover() {
  files_.reload(doubtful_);
  doubtful_ = false;
  for (LaneKeeper& lane : lanes_) lane.recover();
  stale_ = false;
}

Nanoseconds Keeper::work() noexcept {
  const Nanoseconds now = storage_.clock().monotonic();
  writing_.attempt(now, [&] {
    try {
      mending([&] {
        if (!open_) {
          load(begin_start_);
          ready_();
        }
        settle();
        write_due(now);
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
  if (writing_.is_on()) next = std::min(next, writing_.retry_at());
  if (reading_.is_on()) next = std::min(next, reading_.retry_at());
  for (const LaneKeeper& lane : lanes_) {
    if (const auto at = lane.next(now); at && !writing_.is_on()) next = std::min(next, *at);
    if (open_ && !reading_.is_on() && lane.tail().wants_rows()) next = now;
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
      files_.lanes().save(true);
    });
  } catch (const std::exception&) {
    stale_ = open_;  // no room even for that
  }
  for (LaneKeeper& lane : lanes_) lane.drop_due(now, Limit::disk_full);
}

void Keeper::settle() {
  for (LaneKeeper& lane : lanes_) lane.settle();
  files_.lanes().retire_finished();
  if (files_.lanes().unsaved_sequences() >= unsaved_at_most) files_.lanes().save(false);
}

void Keeper::write_due(Nanoseconds now) {
  for (LaneKeeper& lane : lanes_) {
    lane.write_due(now);
    forget_dropped();  // of other lanes, too: they share the room
  }
}

void Keeper::forget_dropped() {
  for (LaneKeeper& lane : lanes_) lane.forget_dropped();
}

void Keeper::look_after_files(Nanoseconds now) {
  if (now - looked_at_ < look_interval) return;
  looked_at_ = now;
  if (begin_start_) files_.look_at_clock();
  if (begin_start_) {
    files_.mend_missing();
    files_.lanes().drop_old();
  }
  forget_dropped();
  for (LaneKeeper& lane : lanes_) lane.tail().hand_back({});
  files_.lanes().save(true);
  save_state();
  files_.keep_reserve();
  look_for_oldest();
}

void Keeper::look_for_oldest() {
  for (const Lane lane : all_lanes) oldest_[index_of(lane)] = files_.oldest_time(lane);
}

// Those of the segments that are gone as the state file knows them, the new ones up to now.
StateFile::DroppedByLane Keeper::dropped() const {
  StateFile::DroppedByLane dropped = files_.state().values().dropped;
  for (const LaneKeeper& lane : lanes_) {
    const std::size_t i = index_of(lane.lane());
    dropped[i].newest = dropped_before_[i].newest + lane.dropped_newest();
  }
  return dropped;
}

std::uint64_t Keeper::next_index() const {
  std::uint64_t next = 0;
  for (const LaneKeeper& lane : lanes_) {
    next = std::max(next, lane.tail().next_sequence() - base_of(lane.lane()));
  }
  return next;
}

LaneKeeper& Keeper::keeper_of(std::uint64_t sequence) {
  return lanes_[index_of(lane_of(sequence))];
}

// Where it has changed.
void Keeper::save_state() {
  const bool told = files_.losses().take_changed();
  if (told && files_.losses().all().empty() && files_.state().losses().empty()) return;
  const StateFile::DroppedByLane dropped = this->dropped();
  if (!told && dropped == files_.state().values().dropped) return;
  files_.state().save(next_index(), dropped, files_.losses().all());
  ready_();
}

void Keeper::read_ahead() {
  for (LaneKeeper& lane : lanes_) lane.read_ahead();
}

void Keeper::flush() {
  need_open();
  for (LaneKeeper& lane : lanes_) lane.tail().make_all_due();
  try {
    mending([&] {
      settle();
      for (LaneKeeper& lane : lanes_) {
        lane.look_for_room();
        while (lane.write_due(storage_.clock().monotonic())) {
        }
        forget_dropped();
      }
      files_.lanes().save(true);
      look_for_oldest();
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
  for (LaneKeeper& lane : lanes_) lane.tail().close();
  try {
    if (!open_) load(begin_start_);
    flush();
    files_.lanes().finish();
    if (begin_start_) files_.state().save(next_index(), dropped(), files_.losses().all());
  } catch (const std::exception& error) {
    log_.error("{}: what was only in memory is lost, the disk refuses: {}", options_.name, error.what());
  }
  finished_well_ = std::all_of(lanes_.begin(), lanes_.end(), [](const LaneKeeper& lane) {
    return lane.tail().reading().in_memory == 0 && !lane.tail().has_outcomes();
  });
  publish();
  files_.close();
}

}  // namespace sluice::queue
