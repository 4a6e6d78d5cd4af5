// SPDX-License-Identifier: Apache-2.0
#include "mqtt/broker_list.hpp"

namespace sluice::mqtt {

BrokerList::BrokerList(const Options& options, unsigned seed)
    : brokers_(options.brokers),
      min_(options.reconnect_min),
      max_(std::max(options.reconnect_min, options.reconnect_max)),
      backoff_(min_, max_, seed),
      random_(seed) {}

BrokerList::Duration BrokerList::jitter(Duration ceiling) {
  return Duration(std::uniform_int_distribution<Duration::rep>(0, ceiling.count())(random_));
}

BrokerList::Duration BrokerList::failed() {
  if (++failures_ >= brokers_.size()) {
    go_first();
    return backoff_.next();
  }
  index_ = (index_ + 1) % brokers_.size();
  return jitter(min_);
}

BrokerList::Duration BrokerList::lost(bool proven) {
  failures_ = 0;
  if (proven) backoff_.reset();
  return backoff_.next();
}

BrokerList::Duration BrokerList::taken_over(bool again_and_again) {
  failures_ = 0;
  return again_and_again ? max_ + jitter(max_) : backoff_.next();
}

void BrokerList::go_first() {
  index_ = 0;
  failures_ = 0;
}

}  // namespace sluice::mqtt
