// SPDX-License-Identifier: Apache-2.0
// Brings what a queue keeps to an instance, until it is completed: for an output with durable = true. It stands between
// that instance and the router, and hears first how a delivery ended: done is acknowledged, refused goes to the dead
// letters, what timed out is tried again after a pause, and what a stopped instance leaves behind stays in the queue,
// for the next one. Owned by the agent (durable_outputs.hpp); has one thread, which waits for nothing but its wake-ups.
//
// What is on its way is bounded by the mailbox of the instance: where that is full, the rest stays in the queue.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "plugin/upstream.hpp"
#include "queue/queue.hpp"
#include "replay.hpp"

namespace sluice {

class Courier final : public plugin::Upstream {
 public:
  /// Into the mailbox of the instance; on `full` and `closed` the delivery is left as it was.
  using Deliver = std::function<Push(Delivery&& delivery)>;

  /// `options` are those of the queue. What the instance emits, and how messages ended, goes on to `upstream`, which like
  /// `queue` outlives the courier. `log` is the output's own.
  Courier(const queue::Options& options, queue::Queue& queue, plugin::Upstream& upstream, const Clock& clock,
          Metrics& metrics, Log log);
  ~Courier() override;  ///< stops
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  /// From now on there is an instance. Until then, and once it has closed its mailbox, everything stays in the queue.
  /// `deliver` is good until stop(), and is called without locks.
  void attach(Deliver deliver);

  /// Looks at the clock and at its work again: to be called about twice a second. Any thread.
  void wake();

  /// Delivers nothing more; what is on its way may still be completed. Waits for nothing. Later calls do nothing.
  void stop();

  // By the instance, on any thread.
  Push accept(Message&& message, const std::shared_ptr<void>& until_committed) override;
  Push accept_all(std::vector<Message>&& messages, const std::shared_ptr<void>& until_committed) override;
  bool wait_room(std::chrono::nanoseconds timeout) override;
  void completed(const Delivery& delivery, const plugin::Completion& completion) override;

 private:
  struct Carried {
    Delivery delivery;  // with the sequence as its token
    bool replayed = false;
  };
  using Place = std::deque<Carried>::iterator;

  void run(const std::stop_token& stop);
  void work();
  void take_back();
  bool fetch();
  Place next_to_send();
  bool send(const Deliver& deliver, Place next);
  bool drop_expired(const Delivery& delivery);
  void forget_losses();

  const std::string name_;
  queue::Queue& queue_;
  plugin::Upstream& upstream_;
  const Clock& clock_;
  const Log log_;
  Counter& dead_lettered_;
  Counter& expired_;
  Counter& delivered_again_;

  // Its own thread's.
  std::deque<Carried> next_;  // taken from the queue, to be delivered
  std::vector<queue::Outgoing> taken_;
  const bool live_first_;
  Replay replay_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  // guarded by mutex_
  Deliver deliver_;                // empty: there is no instance yet
  bool attached_ = false;          // a new one, since its thread looked last
  std::deque<Delivery> returned_;  // by an instance that has ended
  std::deque<Delivery> timed_out_;
  Nanoseconds retry_at_{0};  // those
  Backoff pause_;
  std::size_t in_flight_ = 0;  // handed to the instance and not completed
  std::size_t full_at_ = 0;    // so many were when its mailbox was full; 0: it was not
  bool woken_ = true;

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace sluice
