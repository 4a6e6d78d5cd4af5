// SPDX-License-Identifier: Apache-2.0
// What the tests of lanes, of live messages first and of last values share.
#pragma once

#include <vector>

#include "queue/fixture.hpp"
#include "queue/lane.hpp"

namespace sluice::queue {

class LanesTest : public QueueTest {
 protected:
  void append_in(Priority priority, std::uint64_t from, std::uint64_t to, std::size_t payload_bytes = 0) {
    for (std::uint64_t i = from; i <= to; ++i) {
      Delivery delivery = delivery_of(i, payload_bytes, priority);
      while (queue->append(std::move(delivery)) == Push::full) ASSERT_TRUE(queue->wait_room(long_enough));
    }
  }
  const LaneStats stats_of(Lane lane) { return queue->stats().lanes[index_of(lane)]; }
  void acknowledge(const std::vector<Outgoing>& taken) {
    for (const Outgoing& one : taken) queue->acknowledge(one.sequence);
  }
};

}  // namespace sluice::queue
