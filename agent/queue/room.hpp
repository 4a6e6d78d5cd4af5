// SPDX-License-Identifier: Apache-2.0
// How many bytes a queue may have on disk: max_bytes, and less where the file system runs short of what is to be left for
// others, or is full. Owned by the files, used by the storage thread.
//
// Below reserve_free the queue may not grow: it keeps the size that it had then, and drops as at max_bytes, until there is
// enough again. It never shrinks for others: the disk may be filled by somebody who would not even notice.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "queue/losses.hpp"

namespace sluice::queue {

/// Of a file system.
struct Space {
  std::uint64_t free = 0;  ///< that a user may still write
  std::uint64_t total = 0;
};

class Room {
 public:
  using SpaceNow = std::function<std::optional<Space>()>;

  Room(std::uint64_t max_bytes, std::uint64_t reserve_free, SpaceNow space)
      : max_bytes_(max_bytes), reserve_free_(reserve_free), space_(std::move(space)) {}

  /// May a queue that now has `present` bytes have `total`?
  bool fits(std::uint64_t present, std::uint64_t total);
  /// The file system; where it is not known, as if it had no end.
  Space space() const;
  /// What refused last.
  Limit limit() const { return limit_; }

 private:
  const std::uint64_t max_bytes_;
  const std::uint64_t reserve_free_;
  const SpaceNow space_;
  std::optional<std::uint64_t> ceiling_;  // while there is too little free space
  Limit limit_ = Limit::max_bytes;
};

}  // namespace sluice::queue
