// SPDX-License-Identifier: Apache-2.0
//
// When to ask a device that answers only when asked: every interval, one question outstanding, an answer awaited for a
// limited time. Knows no port and no clock. Owned by the loop of one instance.
#pragma once

#include <cstdint>
#include <optional>

namespace serial {

class Poller {
 public:
  // The first question is due at `start_ns`, the others at whole intervals from there.
  Poller(std::int64_t start_ns, std::int64_t interval_ns, std::int64_t timeout_ns);

  bool awaiting() const { return awaiting_; }
  // When due() or expire() has something to say.
  std::int64_t next_ns() const { return awaiting_ ? answer_by_ns_ : due_ns_; }

  // Is it time to ask?
  bool due(std::int64_t now_ns) const { return !awaiting_ && now_ns >= due_ns_; }
  // The question is on its way. Says how many intervals were missed because the line was busy.
  std::uint64_t asked(std::int64_t now_ns);
  // A frame came.
  void answered() { awaiting_ = false; }
  // True, once, when an answer has not come in time.
  bool expire(std::int64_t now_ns);

 private:
  const std::int64_t interval_ns_;
  const std::int64_t timeout_ns_;
  std::int64_t due_ns_;
  std::int64_t answer_by_ns_ = 0;
  bool awaiting_ = false;
};

}  // namespace serial
