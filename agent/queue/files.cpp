// SPDX-License-Identifier: Apache-2.0
#include "queue/files.hpp"

#include <algorithm>
#include <utility>

#include "base/packed.hpp"
#include "queue/chain.hpp"
#include "queue/latest.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

// What the logs of a segment and of the state may need, and a little more; small beside the whole.
std::uint64_t reserve_bytes(const Options& options) {
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;
  return std::min(std::min(options.segment_bytes() / 4, 4 * mebibyte) + mebibyte, options.max_bytes / 16);
}

}  // namespace

Files::Files(const Options& options, std::function<Moment()> now, Room::SpaceNow space, const Log& log)
    : options_(options),
      now_(std::move(now)),
      log_(log),
      mirror_(options.directory / "mirror"),
      quarantine_(options.directory / "quarantine"),
      state_(options.directory / "state.sqlite", mirror_),
      dead_letters_(options.directory / "dead_letters.sqlite", options.max_bytes / 8, mirror_),
      room_(options.max_bytes, options.reserve_free, std::move(space)),
      reserve_(options.directory / "reserve", reserve_bytes(options)),
      lanes_(make_stores()) {}

std::array<std::unique_ptr<Store>, lane_count> Files::make_stores() {
  const Chain::Common common{options_, state_, mirror_, quarantine_, losses_, clocks_, now_, log_};
  std::array<std::unique_ptr<Store>, lane_count> stores;
  for (const Lane lane : all_lanes) {
    std::unique_ptr<Store>& store = stores[index_of(lane)];
    if (lane == Lane::last) {
      store = std::make_unique<Latest>(common);
    } else {
      store = std::make_unique<Chain>(common, lane);
    }
  }
  return stores;
}

void Files::load() {
  close();
  mirror_.load();
  quarantine_.load();
  load_state();
  losses_.load(state_.losses());
  clocks_.load(state_.clocks());
  lanes_.load();
  load_dead_letters();
  starts_are_lost_ = starts_are_lost_ || (state_.values().start == 0 && lanes_.last_index() != 0);
  keep_reserve();
}

void Files::load_state() {
  try {
    state_.load();
  } catch (const sqlite::Error& error) {
    if (!mend(error)) throw;
  }
}

void Files::load_dead_letters() {
  try {
    dead_letters_.load();
  } catch (const sqlite::Error& error) {
    if (!mend(error)) throw;
  }
}

void Files::reload(bool doubtful) {
  close();
  load_state();
  if (doubtful) state_.write_back();
  lanes_.reload(doubtful);
  load_dead_letters();
}

void Files::close() {
  lanes_.close();
  state_.close();
  mirror_.close();
}

bool Files::mend(const sqlite::Error& error) {
  if (!error.is_damage()) return false;
  const fs::path& file = error.file();
  const std::int64_t now_ns = now_().wall_ns;
  if (file != state_.file() && file != dead_letters_.file()) return lanes_.mend(file, error.what());
  Quarantine::Case found{"", file.string(), error.what(), now_ns, 0, 0, false};
  try {
    const fs::path kept = quarantine_.keep(file, now_ns);
    state_.close();
    sqlite::remove_files(file);
    if (file == state_.file()) {
      state_.load();
      starts_are_lost_ = state_.values().start == 0;
    } else {
      found.salvaged = dead_letters_.restore(kept);
    }
    quarantine_.report(found);
    log_.error("{}: damaged, put aside in {}: {}", file.string(), kept.parent_path().string(), error.what());
  } catch (...) {
    quarantine_.abandon();
    throw;
  }
  return true;
}

void Files::mend_missing() {
  if (!fs::exists(options_.directory)) {
    log_.error("{}: the folder was removed; what is open is saved, what was not is lost",
               options_.directory.string());
    fs::create_directories(options_.directory);
  }
  if (mirror_.was_removed()) mirror_.rewrite();
  if (state_.was_removed()) {
    log_.error("{}: the file was removed; it is written again", state_.file().string());
    state_.rewrite();
  }
  lanes_.mend_missing();
}

std::uint64_t Files::bytes_beside() const {
  return state_.bytes() + dead_letters_.bytes() + quarantine_.bytes() + reserve_.bytes() + mirror_.bytes();
}

std::uint64_t Files::bytes() const {
  return lanes_.bytes() + bytes_beside();
}

void Files::look_at_clock() {
  const Moment now = now_();
  clocks_.look(now.boot, now.wall_ns, now.monotonic_ns, now.synchronised);
  if (state_.values().start != 0 && clocks_.all() != state_.clocks()) state_.save_clocks(clocks_.all());
}

void Files::keep_reserve() {
  if (state_.values().start != 0) reserve_.keep(room_.space().free);
}

// With so many bytes of rows more, and `less` of what is there?
bool Files::fits(Lane lane, std::uint64_t bytes, std::uint64_t less) {
  // What each drop adds to the log of the state.
  constexpr std::uint64_t state_bytes = 16 * static_cast<std::uint64_t>(sqlite::page_bytes);
  return room_.fits(this->bytes(), bytes_beside() + state_bytes + lanes_.bytes_with(lane, bytes) - less);
}

bool Files::has_room(Lane lane, std::uint64_t bytes) {
  lanes_.retire_finished();
  return fits(lane, bytes, 0);
}

bool Files::make_room(Lane lane, std::uint64_t bytes) {
  if (fits(lane, bytes, 0)) return true;
  lanes_.retire_finished();
  while (!fits(lane, bytes, 0)) {
    if (options_.when_full == WhenFull::drop_newest) return false;
    const Limit limit = room_.limit();
    if (limit != Limit::max_bytes) {
      // Where others have filled the disk, nothing is dropped that would not make room for something.
      const std::uint64_t droppable = lanes_.droppable_bytes();
      if (droppable == 0 || !fits(lane, bytes, droppable)) return false;
    }
    if (!lanes_.drop_oldest(limit)) return false;
  }
  return true;
}

std::optional<std::int64_t> Files::oldest_time(Lane lane) {
  std::vector<StoredRow> rows;
  lanes_[lane].read(0, 1, 1, rows);
  if (rows.empty()) return std::nullopt;
  try {
    return unpack(rows.front().data).message->time.wall_ns;
  } catch (const UnpackError&) {
    return std::nullopt;
  }
}

}  // namespace sluice::queue
