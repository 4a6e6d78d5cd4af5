// SPDX-License-Identifier: Apache-2.0
#include "plugin/inbox.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

namespace sluice::plugin {
namespace {

// Answers to tokens older than so many expired ones count as unknown instead of late.
constexpr std::size_t max_expired = 4096;
// Waiting is cut into pieces, so that a clock that is set by a test is noticed, and no duration overflows.
constexpr Nanoseconds longest_wait = std::chrono::seconds(10);

FileDescriptor checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return FileDescriptor(fd);
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

// `delay` from `now`, without overflow.
Nanoseconds later(Nanoseconds now, Nanoseconds delay) {
  return delay > Nanoseconds::max() - now ? Nanoseconds::max() : now + delay;
}

}  // namespace

Inbox::Inbox(const Clock& clock, std::size_t max_messages, std::size_t max_bytes, Nanoseconds complete_within)
    : clock_(clock),
      max_messages_(max_messages),
      max_bytes_(max_bytes),
      complete_within_(complete_within),
      timer_(checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")),
      epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
  watch(epoll_.get(), ready_.fd());
  watch(epoll_.get(), timer_.get());
}

Push Inbox::push(Delivery&& delivery) {
  const std::size_t bytes = footprint(delivery);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return Push::closed;
    if (count() > 0 && (count() >= max_messages_ || bytes_ + bytes > max_bytes_)) return Push::full;
    waiting_.push_back({std::move(delivery), bytes});
    bytes_ += bytes;
    update_event();
  }
  changed_.notify_one();
  return Push::ok;
}

std::vector<HandedOut::Item> Inbox::take(std::size_t max) {
  std::vector<HandedOut::Item> taken;
  const std::lock_guard lock(mutex_);
  requeue_due();
  const Nanoseconds limit = later(clock_.monotonic(), complete_within_);
  const std::size_t count = std::min(max, waiting_.size());
  taken.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    taken.emplace_back(++last_token_, waiting_.front().delivery);
    outstanding_.emplace_hint(outstanding_.end(), last_token_,
                              Outstanding{std::move(waiting_.front()), limit});
    waiting_.pop_front();
  }
  update_event();
  return taken;
}

void Inbox::wait(Nanoseconds at_most) {
  std::unique_lock lock(mutex_);
  requeue_due();
  if (!waiting_.empty() || closed_) return;
  const Nanoseconds now = clock_.monotonic();
  Nanoseconds pause = std::min(at_most, longest_wait);
  if (!put_off_.empty()) pause = std::min(pause, put_off_.begin()->first - now);
  if (!outstanding_.empty()) pause = std::min(pause, outstanding_.begin()->second.limit - now);
  if (pause.count() > 0) changed_.wait_for(lock, pause);
}

Inbox::Answer Inbox::complete(std::uint64_t token, std::optional<Delivery>& delivery) {
  const std::lock_guard lock(mutex_);
  const auto found = outstanding_.find(token);
  if (found == outstanding_.end()) return expired_.erase(token) != 0 ? Answer::late : Answer::unknown;
  forget(found->second.item);
  delivery = std::move(found->second.item.delivery);
  outstanding_.erase(found);
  return Answer::taken;
}

Inbox::Answer Inbox::put_off(std::uint64_t token, Nanoseconds delay) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = outstanding_.find(token);
    if (found == outstanding_.end()) return expired_.erase(token) != 0 ? Answer::late : Answer::unknown;
    put_off_.emplace(later(clock_.monotonic(), delay), std::move(found->second.item));
    outstanding_.erase(found);
    set_timer();
  }
  changed_.notify_one();
  return Answer::taken;
}

std::vector<Delivery> Inbox::expire() {
  std::vector<Delivery> passed;
  const std::lock_guard lock(mutex_);
  const Nanoseconds now = clock_.monotonic();
  while (!outstanding_.empty() && outstanding_.begin()->second.limit <= now) {
    auto& [token, outstanding] = *outstanding_.begin();
    forget(outstanding.item);
    passed.push_back(std::move(outstanding.item.delivery));
    expired_.insert(expired_.end(), token);
    if (expired_.size() > max_expired) expired_.erase(expired_.begin());
    outstanding_.erase(outstanding_.begin());
  }
  return passed;
}

void Inbox::hand_out_again() {
  const std::lock_guard lock(mutex_);
  for (auto it = outstanding_.rbegin(); it != outstanding_.rend(); ++it) {
    waiting_.push_front(std::move(it->second.item));
  }
  outstanding_.clear();
  expired_.clear();
  update_event();
}

void Inbox::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

std::vector<Delivery> Inbox::drain() {
  std::vector<Delivery> left;
  const std::lock_guard lock(mutex_);
  left.reserve(count());
  for (auto& [token, outstanding] : outstanding_) left.push_back(std::move(outstanding.item.delivery));
  for (auto& [due, item] : put_off_) left.push_back(std::move(item.delivery));
  for (Item& item : waiting_) left.push_back(std::move(item.delivery));
  outstanding_.clear();
  put_off_.clear();
  waiting_.clear();
  bytes_ = 0;
  update_event();
  return left;
}

std::size_t Inbox::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() + put_off_.size();
}

std::size_t Inbox::outstanding() const {
  const std::lock_guard lock(mutex_);
  return outstanding_.size();
}

void Inbox::requeue_due() {
  if (put_off_.empty()) return;
  const auto due = put_off_.upper_bound(clock_.monotonic());
  for (auto it = std::make_reverse_iterator(due); it != put_off_.rend(); ++it) {
    waiting_.push_front(std::move(it->second));
  }
  put_off_.erase(put_off_.begin(), due);
  set_timer();
  update_event();
}

void Inbox::update_event() {
  const bool wanted = !waiting_.empty();
  if (wanted == signalled_) return;
  signalled_ = wanted;
  wanted ? ready_.signal() : ready_.clear();
}

void Inbox::set_timer() {
  itimerspec timer{};
  if (!put_off_.empty()) {
    constexpr std::int64_t second = 1'000'000'000;
    // Zero would disarm the timer.
    const std::int64_t ns = std::max<std::int64_t>(1, (put_off_.begin()->first - clock_.monotonic()).count());
    timer.it_value.tv_sec = ns / second;
    timer.it_value.tv_nsec = ns % second;
  }
  ::timerfd_settime(timer_.get(), 0, &timer, nullptr);
}

}  // namespace sluice::plugin
