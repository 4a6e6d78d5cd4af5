// SPDX-License-Identifier: Apache-2.0
#include "poller.hpp"

namespace serial {

Poller::Poller(std::int64_t start_ns, std::int64_t interval_ns, std::int64_t timeout_ns)
    : interval_ns_(interval_ns), timeout_ns_(timeout_ns), due_ns_(start_ns) {}

std::uint64_t Poller::asked(std::int64_t now_ns) {
  const std::int64_t missed = (now_ns - due_ns_) / interval_ns_;
  due_ns_ += (missed + 1) * interval_ns_;
  answer_by_ns_ = now_ns + timeout_ns_;
  awaiting_ = true;
  return static_cast<std::uint64_t>(missed);
}

bool Poller::expire(std::int64_t now_ns) {
  if (!awaiting_ || now_ns < answer_by_ns_) return false;
  awaiting_ = false;
  return true;
}

}  // namespace serial
