// SPDX-License-Identifier: Apache-2.0
// Which broker is tried next, and when: in order, the first preferred, with full jitter and a pause that grows
// after each whole round. Owned by the session's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <random>
#include <vector>

#include "base/backoff.hpp"
#include "mqtt/options.hpp"

namespace sluice::mqtt {

class BrokerList {
 public:
  using Duration = std::chrono::milliseconds;

  explicit BrokerList(const Options& options, unsigned seed = std::random_device{}());

  std::size_t index() const { return index_; }
  const BrokerAddress& current() const { return brokers_[index_]; }
  bool first() const { return index_ == 0; }

  /// The attempt failed: the next broker is current, and is to be tried after the answer.
  Duration failed();
  /// The attempt failed, but the broker has another address, which is to be tried after the answer.
  Duration failed_at_one_address() { return jitter(min_); }
  /// The link to the current broker was lost, which is tried again after the answer. `proven`: it had worked.
  Duration lost(bool proven);
  /// Another client took the session over: after some times in a row a pause well above the usual.
  Duration taken_over(bool again_and_again);
  /// The first is current, and a round begins.
  void go_first();

 private:
  Duration jitter(Duration ceiling);

  std::vector<BrokerAddress> brokers_;
  Duration min_;
  Duration max_;
  Backoff backoff_;
  std::mt19937 random_;
  std::size_t index_ = 0;
  std::size_t failures_ = 0;  // in this round
};

}  // namespace sluice::mqtt
