// SPDX-License-Identifier: Apache-2.0
// What the mirror says of the segments of one lane. Two records for each: how many messages it holds and has let go, for
// when its file is damaged or missing; and, for one that is closed, a seal: all the rest that an opening would tell, and
// the size and the time of change that its file had then. As long as these are the same, and there is no log, a start
// knows the segment without opening it.
//
// The time of change (ctime) is the kernel's: no program sets it, and another file under this name has another one. What
// it cannot tell is a change in the same tick of the clock, so a file is sealed when it has been as it is for a while. A
// power cut may lose the time of a change and keep the change, so the seal is broken before the file is written, durably.
//
// Owned by the chain, used by the storage thread. Nothing here throws, but what takes records away.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "queue/lane.hpp"
#include "queue/mirror.hpp"
#include "queue/segment.hpp"

namespace sluice::queue {

/// Would a change from now on get a later time than `changed_ns`? Times move on with the kernel's ticks, of 10 ms at most,
/// and where a file system keeps whole seconds only, by one or two of them.
bool is_settled(std::int64_t changed_ns, std::int64_t now_ns);

class SegmentRecords {
 public:
  struct Record {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t start = 0;  ///< of the last rows
    Counts counts;
    Intervals gone;  ///< not more than have room, the longest: what is left out would be sent once more
  };

  SegmentRecords(Mirror& mirror, Lane lane);

  std::vector<std::uint64_t> numbers() const;
  std::optional<Record> find(std::uint64_t number) const;
  void note(const Segment& segment);
  /// The segment is gone, durably: one that has a record and no file is a loss. Throws as break_seals().
  void erase(std::uint64_t number);
  void sync() { mirror_.sync(); }

  /// Seals a closed segment whose file says all that is known of it. One with more starts or gaps than a record has room
  /// for stays without.
  void seal(const Segment& segment, std::int64_t wall_ns);
  /// Before these files are written. Throws std::system_error where the disk refuses: then they may not be.
  void break_seals(std::span<const std::uint64_t> numbers);
  void break_seal(std::uint64_t number) { break_seals({&number, 1}); }
  /// Tells the segment what it would find in its file; false: there is no seal, or the file is another one.
  bool recall(Segment& segment) const;

 private:
  Mirror::Key key_of(std::uint64_t number) const { return first_key_ + number; }

  Mirror& mirror_;
  const Mirror::Key first_key_;
};

}  // namespace sluice::queue
