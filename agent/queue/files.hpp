// SPDX-License-Identifier: Apache-2.0
// All files of a queue, opened together, and mended where one is damaged. Owned by the keeper, used by the storage
// thread. Layout of the queue's folder:
//   state.sqlite, dead_letters.sqlite, mirror, reserve, quarantine/, LANE/NUMBER.sqlite, last/values.sqlite
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/log.hpp"
#include "queue/dead_letters.hpp"
#include "queue/lanes.hpp"
#include "queue/losses.hpp"
#include "queue/mirror.hpp"
#include "queue/options.hpp"
#include "queue/quarantine.hpp"
#include "queue/reserve.hpp"
#include "queue/room.hpp"
#include "queue/state_file.hpp"

namespace sluice::queue {

class Files {
 public:
  /// `options` and what `now` and `space` use outlive it.
  Files(const Options& options, std::function<Moment()> now, Room::SpaceNow space, const Log& log);

  /// Opens everything and puts damage aside. Throws sqlite::Error, FormatError, std::system_error.
  void load();
  /// After a failure: what is on disk now, with what memory knows later.
  void reload(bool doubtful);
  void close();

  /// Puts aside and replaces the file that `error` is about; false: that is none of ours, or it is not damaged.
  bool mend(const sqlite::Error& error);
  /// The same for what has been removed, be it the whole folder.
  void mend_missing();

  /// Nothing is known of earlier starts, though there were some.
  bool starts_are_lost() const { return starts_are_lost_; }

  StateFile& state() { return state_; }
  const StateFile& state() const { return state_; }
  DeadLetters& dead_letters() { return dead_letters_; }
  const DeadLetters& dead_letters() const { return dead_letters_; }
  Quarantine& quarantine() { return quarantine_; }
  const Quarantine& quarantine() const { return quarantine_; }
  Losses& losses() { return losses_; }
  const Room& room() const { return room_; }
  Reserve& reserve() { return reserve_; }
  Clocks& clocks() { return clocks_; }
  const Clocks& clocks() const { return clocks_; }
  /// Looks whether the clock is synchronised by now, and keeps by how much it was off.
  void look_at_clock();
  Lanes& lanes() { return lanes_; }
  const Lanes& lanes() const { return lanes_; }

  /// Makes room, as far as the limits' policy allows, and says whether `bytes` more may be written in that lane.
  /// Where they may not: room() says which limit it was.
  bool make_room(Lane lane, std::uint64_t bytes);
  /// The same, without that anything is dropped.
  bool has_room(Lane lane, std::uint64_t bytes);

  std::uint64_t bytes() const;
  /// Has the reserve for a full disk where there is room for it.
  void keep_reserve();
  /// The wall clock of the oldest stored message of a lane, where there is one that can be read.
  std::optional<std::int64_t> oldest_time(Lane lane);

 private:
  void load_state();
  void load_dead_letters();
  std::uint64_t bytes_beside() const;
  bool fits(Lane lane, std::uint64_t bytes, std::uint64_t less);
  std::array<std::unique_ptr<Store>, lane_count> make_stores();

  const Options& options_;
  const std::function<Moment()> now_;
  const Log log_;
  Mirror mirror_;
  Quarantine quarantine_;
  StateFile state_;
  DeadLetters dead_letters_;
  Losses losses_;
  Room room_;
  Reserve reserve_;
  Clocks clocks_;
  Lanes lanes_;
  bool starts_are_lost_ = false;
};

}  // namespace sluice::queue
