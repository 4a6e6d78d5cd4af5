// SPDX-License-Identifier: Apache-2.0
#include "backlog_window.hpp"

#include <algorithm>
#include <chrono>

namespace sluice {
namespace {

using std::chrono::microseconds;

// Time in the queue that is aimed at: a quarter of the way itself. On a machine of its own a broker answers within some
// ten microseconds, and less than this cannot be told from the threads' own waking up.
constexpr Nanoseconds least_target = microseconds(50);
// The way may change under a link that stays.
constexpr Nanoseconds period = std::chrono::minutes(1);
constexpr double least_size = 2;

}  // namespace

void BacklogWindow::link_up() {
  size_ = first_size;
  answered_ = 0;
  took_.reset();
  least_.reset();
  least_now_.reset();
  period_began_ = clock_.monotonic();
}

std::size_t BacklogWindow::size(std::size_t session_window) const {
  return std::min(static_cast<std::size_t>(size_), std::max<std::size_t>(session_window * 3 / 4, 1));
}

bool BacklogWindow::may_send(std::size_t in_flight, std::size_t session_window) const {
  return in_flight < size(session_window);
}

void BacklogWindow::answered(Nanoseconds sent_at) {
  took_ = clock_.monotonic() - sent_at;
  ++answered_;
}

void BacklogWindow::adapt(std::size_t session_window) {
  if (!took_) return;
  const Nanoseconds now = clock_.monotonic();
  if (now - period_began_ >= period) {
    period_began_ = now;
    least_ = least_now_;
    least_now_.reset();
  }
  least_now_ = std::min(*took_, least_now_.value_or(*took_));
  least_ = std::min(*took_, least_.value_or(*took_));

  const Nanoseconds target = std::max(*least_ / 4, least_target);
  const double queued = static_cast<double>((*took_ - *least_).count()) / static_cast<double>(target.count());
  const double change = std::max(1 - queued, -1.0) * static_cast<double>(answered_) / size_;
  size_ = std::clamp(size_ + change, least_size, std::max(static_cast<double>(session_window), least_size));
  answered_ = 0;
  took_.reset();
}

std::size_t BacklogWindow::worth_reading() const {
  return std::max<std::size_t>(static_cast<std::size_t>(size_) / 2, 1);
}

}  // namespace sluice
