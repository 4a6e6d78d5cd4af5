// SPDX-License-Identifier: Apache-2.0
#include "queue/room.hpp"

#include <algorithm>

namespace sluice::queue {

bool Room::fits(std::uint64_t present, std::uint64_t total) {
  limit_ = Limit::max_bytes;
  if (total > max_bytes_) return false;
  if (reserve_free_ == 0 || total <= present) return true;
  const std::optional<std::uint64_t> free = free_bytes_();
  if (!free || *free >= reserve_free_ + (total - present)) {
    ceiling_.reset();
    return true;
  }
  if (!ceiling_) ceiling_ = present;
  if (total <= *ceiling_) return true;
  limit_ = Limit::reserve_free;
  return false;
}

}  // namespace sluice::queue
