// SPDX-License-Identifier: Apache-2.0
// Which messages waited for the link, and how fast those may go out. Owned by the forwarder, on the session's thread.
//
// A message is replayed if it was accepted before the link came up, or had to be read back from disk. It is marked by the
// MQTT 5 user property `replayed` = `true`. With a rate, so many of them are sent in a second, and at most those of a
// second at once; what comes in meanwhile waits behind them, as the order of acceptance wants it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.hpp"
#include "queue/queue.hpp"

namespace sluice {

class Replay {
 public:
  /// `rate` messages a second; 0: as fast as they are acknowledged.
  Replay(std::uint32_t rate, const Clock& clock) : rate_(rate), clock_(clock) {}

  void link_up() { link_up_ = clock_.monotonic(); }
  bool is_replayed(const queue::Outgoing& outgoing) const;
  /// May one more be sent now?
  bool may_send();
  /// So many have been.
  void sent(std::size_t messages = 1);

 private:
  const std::uint32_t rate_;
  const Clock& clock_;
  Nanoseconds link_up_{0};
  Nanoseconds paid_until_{0};  // what was sent is paid for by then
};

}  // namespace sluice
