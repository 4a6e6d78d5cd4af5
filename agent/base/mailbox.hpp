// SPDX-License-Identifier: Apache-2.0
// A queue between threads, bounded in items and bytes. Any thread may push; one thread takes. Nothing blocks
// but take(). fd() lets the taker wait for the mailbox together with other descriptors.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/file_descriptor.hpp"

namespace sluice {

enum class Push { ok, full, closed };

template <typename T>
class Mailbox {
 public:
  Mailbox(std::size_t max_items, std::size_t max_bytes) : max_items_(max_items), max_bytes_(max_bytes) {}

  /// Takes `item`, which weighs `bytes`; an item heavier than the mailbox passes while it is empty.
  /// On `full` and `closed` the item is left as it was.
  Push push(T&& item, std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return Push::closed;
      if (!has_room(bytes)) return Push::full;
      items_.emplace_back(std::move(item), bytes);
      bytes_ += bytes;
      if (items_.size() == 1) event_.signal();
    }
    filled_.notify_one();
    return Push::ok;
  }

  /// Up to `max` items in order: waits up to `timeout` for the first. Empty: time-out, or closed and drained.
  std::vector<T> take(std::size_t max, std::chrono::nanoseconds timeout) {
    std::vector<T> taken;
    {
      std::unique_lock lock(mutex_);
      // Even a wait of no time is a system call.
      if (timeout > timeout.zero()) {
        filled_.wait_for(lock, std::min(timeout, longest_wait),
                         [this] { return !items_.empty() || closed_; });
      }
      if (items_.empty()) return taken;
      const std::size_t count = std::min(max, items_.size());
      taken.reserve(count);
      for (std::size_t i = 0; i < count; ++i) {
        bytes_ -= items_.front().second;
        taken.push_back(std::move(items_.front().first));
        items_.pop_front();
      }
      if (items_.empty() && !closed_) event_.clear();
    }
    emptied_.notify_all();
    return taken;
  }

  /// Waits until an item that weighs `bytes` could be pushed; false: time-out, or closed.
  bool wait_room(std::chrono::nanoseconds timeout, std::size_t bytes = 1) {
    std::unique_lock lock(mutex_);
    emptied_.wait_for(lock, std::min(timeout, longest_wait), [&] { return closed_ || has_room(bytes); });
    return !closed_ && has_room(bytes);
  }

  /// From now on nothing is accepted; what is inside can still be taken. Wakes everybody who waits.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      event_.signal();
    }
    filled_.notify_all();
    emptied_.notify_all();
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }
  std::size_t bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }
  /// Readable while there is something to take, or it is closed.
  int fd() const { return event_.fd(); }

 private:
  // As good as for ever, and the sum with any clock's time still fits.
  static constexpr std::chrono::nanoseconds longest_wait = std::chrono::hours(24 * 365);

  bool has_room(std::size_t bytes) const {
    return items_.empty() || (items_.size() < max_items_ && bytes_ + bytes <= max_bytes_);
  }

  const std::size_t max_items_;
  const std::size_t max_bytes_;
  EventFd event_;
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable emptied_;
  // guarded by mutex_
  std::deque<std::pair<T, std::size_t>> items_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

}  // namespace sluice
