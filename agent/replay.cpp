// SPDX-License-Identifier: Apache-2.0
#include "replay.hpp"

#include <algorithm>

namespace sluice {
namespace {

constexpr Nanoseconds at_once = std::chrono::seconds(1);

}  // namespace

bool Replay::is_replayed(const queue::Outgoing& outgoing) const {
  const Time& time = outgoing.delivery.message->time;
  return outgoing.replayed || time.boot != clock_.boot() || Nanoseconds(time.monotonic_ns) < link_up_;
}

bool Replay::may_send() {
  if (rate_ == 0) return true;
  paid_until_ = std::max(paid_until_, clock_.monotonic());
  return paid_until_ - clock_.monotonic() < at_once;
}

void Replay::sent(std::size_t messages) {
  if (rate_ > 0) paid_until_ += static_cast<std::int64_t>(messages) * at_once / rate_;
}

}  // namespace sluice
