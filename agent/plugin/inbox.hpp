// SPDX-License-Identifier: Apache-2.0
// The messages on their way to an instance, until it has completed them: waiting, handed out, or put off until a
// time. Bounded over all of these. Owned by the host; safe from every thread, and nothing blocks but wait().
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.hpp"
#include "base/file_descriptor.hpp"
#include "base/mailbox.hpp"
#include "base/message.hpp"
#include "plugin/handed_out.hpp"

namespace sluice::plugin {

class Inbox {
 public:
  Inbox(const Clock& clock, std::size_t max_messages, std::size_t max_bytes, Nanoseconds complete_within);

  /// On `full` and `closed` the delivery is left as it was.
  Push push(Delivery&& delivery);

  /// Hands out up to `max` messages, each under a token of its own; the limit of each begins now.
  std::vector<HandedOut::Item> take(std::size_t max);

  /// Waits for something to take, a time limit that passes, interrupt() or close(); returns early at times.
  void wait(Nanoseconds at_most);

  enum class Answer { taken, late, unknown };
  /// Ends an outstanding message; `delivery` is set where it was taken.
  Answer complete(std::uint64_t token, std::optional<Delivery>& delivery);
  /// Puts an outstanding message off: it is handed out again, before those that wait, after `delay`.
  Answer put_off(std::uint64_t token, Nanoseconds delay);

  /// The messages whose time limit has passed; a later answer to them is `late`.
  std::vector<Delivery> expire();

  /// What was handed out and not completed waits again, first: the instance begins anew.
  void hand_out_again();

  /// Refuses what comes from now on and wakes whoever waits.
  void close();
  /// Everything that is not completed; nothing is left.
  std::vector<Delivery> drain();

  std::size_t waiting() const;
  std::size_t outstanding() const;
  /// Readable (poll(2)) while something can be taken.
  int fd() const { return epoll_.get(); }

 private:
  struct Item {
    Delivery delivery;
    std::size_t bytes = 0;
  };
  struct Outstanding {
    Item item;
    Nanoseconds limit{};
  };

  void requeue_due();  // with mutex_ held, as all below
  void update_event();
  void set_timer();
  std::size_t count() const { return waiting_.size() + outstanding_.size() + put_off_.size(); }
  void forget(const Item& item) { bytes_ -= item.bytes; }

  const Clock& clock_;
  const std::size_t max_messages_;
  const std::size_t max_bytes_;
  const Nanoseconds complete_within_;
  EventFd ready_;
  FileDescriptor timer_;
  FileDescriptor epoll_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::deque<Item> waiting_;
  std::map<std::uint64_t, Outstanding> outstanding_;  // in order of tokens, and so of limits
  std::multimap<Nanoseconds, Item> put_off_;          // by when they are due
  std::set<std::uint64_t> expired_;                   // the latest tokens whose answers are late
  std::size_t bytes_ = 0;
  std::uint64_t last_token_ = 0;
  bool closed_ = false;
  bool signalled_ = false;
};

}  // namespace sluice::plugin
