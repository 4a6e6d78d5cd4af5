// SPDX-License-Identifier: Apache-2.0
// Tells upstream what the limits of the queue have dropped: a message a record on <status_topic>/loss, QoS 1, until it is
// acknowledged. Owned by the forwarder, on the session's thread.
//
//   {"ts":…,"id":"loss/12/3","reason":"max_bytes","dropped":"oldest","filter":"plant/+/t","from":…,"to":…,"count":500}
// reason: max_bytes, max_age, reserve_free, disk_full. dropped: oldest (they were stored) or newest (they came in).
// from, to: when the first and the last of them were measured.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "mqtt/session.hpp"
#include "queue/queue.hpp"

namespace sluice {

class LossReport {
 public:
  /// Answers to it have this bit of their token set, and not the highest one.
  static constexpr std::uint64_t token_bit = std::uint64_t{1} << 62U;
  static bool is_token(std::uint64_t token) { return token >> 62U == 1; }

  /// `status_topic` empty: nothing is told, the records stay.
  LossReport(const std::string& status_topic, queue::Queue& queue, const Clock& clock, Log log);

  /// Publishes what is waiting; false: no room, or no link.
  bool send(mqtt::Session& session);
  void acknowledged(std::uint64_t token);
  /// Refused for good: it is told no more, only logged.
  void refused(std::uint64_t token, std::uint8_t reason, bool for_good);
  /// True: the link went down again and again while a record was on its way; no more are sent, so that it stays up.
  bool link_down();
  /// What was on its way has to be sent again.
  void link_lost();

 private:
  std::string payload_of(const queue::Loss& loss) const;
  std::string take(std::uint64_t token);

  const std::string topic_;
  queue::Queue& queue_;
  const Clock& clock_;
  const Log log_;
  std::map<std::uint64_t, std::string> on_their_way_;  // token -> id of the record
  std::uint64_t next_ = 0;
  unsigned cut_short_ = 0;  // so often in a row the link went down while one was on its way
};

}  // namespace sluice
