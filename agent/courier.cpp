// SPDX-License-Identifier: Apache-2.0
#include "courier.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "expiry.hpp"

namespace sluice {
namespace {

constexpr std::size_t taken_at_once = 16;
// Then the clock is looked at, and whether it is to stop.
constexpr int sent_at_once = 1000;
// So many that timed out wait for their next try, at most: beyond it nothing new is taken.
constexpr std::size_t most_timed_out = 1000;
constexpr std::chrono::seconds pause_min{1};
constexpr std::chrono::seconds pause_max{60};

// The plugin finds the id where a receiver on MQTT finds it. The message is shared, so it gets one of its own.
Delivery with_id(queue::Outgoing&& outgoing) {
  Delivery delivery = std::move(outgoing.delivery);
  auto message = std::make_shared<Message>(*delivery.message);
  message->user_properties.emplace_back("id", std::move(outgoing.id));
  delivery.message = std::move(message);
  delivery.token = outgoing.sequence;
  return delivery;
}

}  // namespace

Courier::Courier(const queue::Options& options, queue::Queue& queue, plugin::Upstream& upstream,
                 const Clock& clock, Metrics& metrics, Log log)
    : name_(options.name),
      queue_(queue),
      upstream_(upstream),
      clock_(clock),
      log_(std::move(log)),
      dead_lettered_(metrics.counter("output." + name_, "dead_lettered")),
      expired_(metrics.counter("output." + name_, "expired")),
      delivered_again_(metrics.counter("output." + name_, "delivered_again")),
      live_first_(options.order == queue::Order::live_first),
      replay_(options.replay_rate, clock),
      pause_(pause_min, pause_max) {
  queue_.on_ready([this](bool) { wake(); });
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Courier::~Courier() {
  stop();
}

void Courier::attach(Deliver deliver) {
  {
    const std::lock_guard lock(mutex_);
    deliver_ = std::move(deliver);
    attached_ = true;
  }
  wake();
}

void Courier::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

void Courier::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

Push Courier::accept(Message&& message, const std::shared_ptr<void>& until_committed) {
  return upstream_.accept(std::move(message), until_committed);
}

Push Courier::accept_all(std::vector<Message>&& messages, const std::shared_ptr<void>& until_committed) {
  return upstream_.accept_all(std::move(messages), until_committed);
}

bool Courier::wait_room(std::chrono::nanoseconds timeout) {
  return upstream_.wait_room(timeout);
}

void Courier::completed(const Delivery& delivery, const plugin::Completion& completion) {
  const bool done = completion.outcome == plugin::Outcome::done;
  const bool refused = completion.outcome == plugin::Outcome::refused;
  if (done) queue_.acknowledge(delivery.token);
  if (refused) {
    const std::string reason = completion.text.empty() ? "refused" : completion.text;
    log_.error("{}: a message is dead-lettered: {}; see `sluice buffer list --queue {} --dead`",
               delivery.topic(), reason, name_);
    dead_lettered_.add();
    queue_.dead_letter(delivery.token, "refused by the plugin: " + reason);
  }
  // A command is answered when it has been carried out, or never will be.
  if (done || refused) upstream_.completed(delivery, completion);

  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    if (done || refused) pause_.reset();
    if (completion.outcome == plugin::Outcome::stopped) returned_.push_back(delivery);
    if (completion.outcome == plugin::Outcome::timed_out) {
      // What timed out together is tried again together.
      if (timed_out_.empty()) retry_at_ = clock_.monotonic() + pause_.ceiling() / 2 + pause_.next() / 2;
      timed_out_.push_back(delivery);
    }
    // Some at once: a wake-up for each would cost more than the message.
    wake = full_at_ > 0 && in_flight_ + full_at_ / 10 < full_at_;
    if (wake) {
      full_at_ = 0;
      woken_ = true;
    }
  }
  if (wake) changed_.notify_one();
}

void Courier::run(const std::stop_token& stop) {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, stop, [this] { return woken_; });
      woken_ = false;
    }
    if (stop.stop_requested()) return;
    work();
  }
}

void Courier::work() {
  forget_losses();
  Deliver deliver;
  {
    const std::lock_guard lock(mutex_);
    full_at_ = 0;
    if (!deliver_) return;
    deliver = deliver_;
    take_back();
  }
  for (int sent = 0; sent < sent_at_once; ++sent) {
    const Place next = next_to_send();
    if (next != next_.end()) {
      if (!send(deliver, next)) return;
    } else if ((!next_.empty() && !live_first_) || !fetch()) {
      return;
    }
  }
  wake();
}

// What replay_rate holds back holds up what comes after it, unless live messages go first.
Courier::Place Courier::next_to_send() {
  if (next_.empty() || !next_.front().replayed || replay_.may_send()) return next_.begin();
  if (!live_first_) return next_.end();
  return std::find_if(next_.begin(), next_.end(), [](const Carried& carried) { return !carried.replayed; });
}

// With mutex_ held: what has come back goes before what was not delivered yet, in the order that it had.
void Courier::take_back() {
  const auto put_first = [this](std::deque<Delivery>& from) {
    delivered_again_.add(from.size());
    for (; !from.empty(); from.pop_back()) next_.push_front({std::move(from.back()), false});
  };
  if (clock_.monotonic() >= retry_at_) put_first(timed_out_);
  if (!std::exchange(attached_, false)) return;
  replay_.link_up();
  queue_.link_up();
  put_first(returned_);
}

bool Courier::fetch() {
  {
    const std::lock_guard lock(mutex_);
    if (timed_out_.size() >= most_timed_out) return false;
  }
  taken_.clear();
  if (queue_.take(taken_, taken_at_once, replay_.may_send()) == 0) return false;
  for (queue::Outgoing& outgoing : taken_) {
    const bool replayed = replay_.is_replayed(outgoing);
    next_.push_back({with_id(std::move(outgoing)), replayed});
  }
  return true;
}

// False: it cannot take another one now.
bool Courier::send(const Deliver& deliver, Place next) {
  if (drop_expired(next->delivery)) {
    next_.erase(next);
    return true;
  }
  {
    const std::lock_guard lock(mutex_);
    ++in_flight_;
  }
  const Push pushed = deliver(std::move(next->delivery));
  if (pushed == Push::ok) {
    if (next->replayed) replay_.sent();
    next_.erase(next);
    return true;
  }
  const std::lock_guard lock(mutex_);
  --in_flight_;
  if (pushed == Push::full) full_at_ = in_flight_;
  // All that it had may have been completed meanwhile: then nothing more will wake us.
  return pushed == Push::full && in_flight_ == 0;
}

bool Courier::drop_expired(const Delivery& delivery) {
  const auto left = remaining_expiry(delivery, clock_, queue_.clock_is_synchronised());
  if (!left || left->count() > 0) return false;
  expired_.add();
  queue_.expire(delivery.token);
  return true;
}

// They have been logged and are in the ledger; there is nobody whom an output could tell.
void Courier::forget_losses() {
  for (const queue::Loss& loss : queue_.take_losses()) queue_.acknowledge_loss(loss.id);
}

}  // namespace sluice
