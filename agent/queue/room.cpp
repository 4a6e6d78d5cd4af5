// SPDX-License-Identifier: Apache-2.0
#include "queue/room.hpp"

#include <algorithm>

namespace sluice::queue {

bool Room::fits(std::uint64_t present, std::uint64_t total) {
  limit_ = Limit::max_bytes;
  if (total > max_bytes_) return false;
  if (total <= present) return true;
  const std::uint64_t free = space().free;
  if (free >= reserve_free_ + (total - present)) {
    ceiling_.reset();
    return true;
  }
  if (!ceiling_) ceiling_ = present;
  if (total <= *ceiling_) return true;
  constexpr std::uint64_t next_to_nothing = std::uint64_t{1} << 20U;
  limit_ = reserve_free_ == 0 || free < next_to_nothing ? Limit::disk_full : Limit::reserve_free;
  return false;
}

Space Room::space() const {
  constexpr std::uint64_t endless = std::uint64_t{1} << 62U;
  return space_().value_or(Space{endless, endless});
}

}  // namespace sluice::queue
