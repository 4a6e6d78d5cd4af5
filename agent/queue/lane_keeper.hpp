// SPDX-License-Identifier: Apache-2.0
// What a queue does for one of its lanes on the storage thread: writes from the tail what is due, settles what has been
// acknowledged, reads ahead for the reader. Owned by the keeper. Functions that touch the disk throw sqlite::Error; the
// files have to be read again then.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "queue/files.hpp"
#include "queue/options.hpp"
#include "queue/storage.hpp"
#include "queue/store.hpp"
#include "queue/tail.hpp"

namespace sluice::queue {

class LaneKeeper {
 public:
  /// `ready` is called when the reader may find something again. All but `lane` outlive it.
  LaneKeeper(Lane lane, const Storage& storage, const Options& options, Tail& tail, Files& files,
             const std::function<void()>& ready, Log log);

  Lane lane() const { return store_.lane(); }
  Tail& tail() { return tail_; }
  const Tail& tail() const { return tail_; }

  /// From now on something can be taken; rows belong to that start.
  void begin(std::uint64_t start, std::uint64_t next_index);
  /// After the files have been read again: what of the last transaction has been written.
  void recover();

  void settle();
  /// True: there is more to write at once.
  bool write_due(Nanoseconds now);
  /// There is no room: by the policy what is due goes, or waits in memory, and with that the inputs.
  void drop_due(Nanoseconds now, Limit limit);
  void forget_dropped();
  void read_ahead();
  /// A row that cannot be read must not stop those after it.
  void put_aside(const StoredRow& row, const std::string& reason);
  /// The next write_due() looks again whether there is room.
  void look_for_room() { full_retry_at_ = Nanoseconds(0); }

  bool has_no_room() const { return full_; }
  /// When to call again; nothing: when there is something new.
  std::optional<Nanoseconds> next(Nanoseconds now) const;
  /// New messages that were dropped since the start.
  std::uint64_t dropped_newest() const { return tail_.reading().dropped_newest; }

 private:
  void settle_dead();
  void set_full(bool full, Nanoseconds now);

  const Storage& storage_;
  const Options& options_;
  Tail& tail_;
  Files& files_;
  Store& store_;
  const std::function<void()>& ready_;
  const Log log_;
  std::uint64_t start_ = 0;
  bool full_ = false;
  bool more_ = false;
  Nanoseconds full_retry_at_{0};
  std::string packed_;  // reused by every transaction
};

}  // namespace sluice::queue
