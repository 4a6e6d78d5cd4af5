// SPDX-License-Identifier: Apache-2.0
// The subscriptions of the session and what the broker said to each. A refused one is asked for again after a
// while. Owned by the session's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "mqtt/client.hpp"
#include "mqtt/options.hpp"
#include "mqtt/session.hpp"

namespace sluice::mqtt {

class Subscriptions {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Subscriptions(const Options& options, Log log);

  /// Asks for all of them on a link that has just come up.
  void subscribe_all(Client& client, TimePoint now);
  /// Asks again for those that were refused, where it is time.
  void retry(Client& client, TimePoint now);
  /// The answer to the packet `id`; how many refusals it brought.
  std::size_t answered(std::uint16_t id, std::uint8_t code, TimePoint now);

  /// The next time at which retry() has something to do.
  std::optional<TimePoint> retry_at() const { return retry_at_; }
  /// Since when the longest unanswered one has been asked for.
  std::optional<TimePoint> unanswered_since() const;
  const std::vector<SubscriptionStatus>& status() const { return status_; }

 private:
  void subscribe(Client& client, std::size_t which, TimePoint now);

  struct Asked {
    std::size_t which = 0;
    TimePoint at;
  };
  Version version_;
  Log log_;
  Backoff backoff_;
  std::vector<SubscriptionStatus> status_;
  std::map<std::uint16_t, Asked> asked_;  // by packet id
  std::optional<TimePoint> retry_at_;
};

}  // namespace sluice::mqtt
