// SPDX-License-Identifier: Apache-2.0
// The loop, and what other threads may call. How a link comes and goes is in session_link.cpp.
#include "mqtt/session_thread.hpp"

#include <poll.h>

#include <pthread.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/test_switches.hpp"

namespace sluice::mqtt {
namespace {

constexpr auto beat = std::chrono::seconds(1);  // the loop turns at least so often
// What follows so soon on another goes out together with those that follow on it.
constexpr auto burst = std::chrono::microseconds(200);
constexpr int never_so_many_bytes = 1 << 16;
// Of a full window, how much is read together: more of it would leave a broker on the same machine without work, or
// without a processor.
constexpr std::size_t gathered_part = 8;
constexpr int shortest_answer_bytes = 4;  // PUBACK without a reason
constexpr int rounds_before_poll = 64;    // of publishing and answering, before the socket is read again

}  // namespace

Session::Thread::Meters::Meters(Metrics& metrics)
    : connections(metrics.counter("mqtt", "connections")),
      failed_attempts(metrics.counter("mqtt", "failed_attempts")),
      lost_links(metrics.counter("mqtt", "lost_links")),
      published(metrics.counter("mqtt", "published")),
      acknowledged(metrics.counter("mqtt", "acknowledged")),
      refused(metrics.counter("mqtt", "refused")),
      received(metrics.counter("mqtt", "received")),
      ack_timeouts(metrics.counter("mqtt", "ack_timeouts")),
      taken_over(metrics.counter("mqtt", "taken_over")),
      takeover_alarms(metrics.counter("mqtt", "takeover_alarms")),
      refused_subscriptions(metrics.counter("mqtt", "refused_subscriptions")),
      up(metrics.gauge("mqtt", "up")),
      in_flight(metrics.gauge("mqtt", "in_flight")) {}

Session::Thread::Thread(Options options, Listener& listener, const Clock& clock, Metrics& metrics, Log log)
    : options_(std::move(options)),
      keeps_session_(!options_.clean_start &&
                     (options_.version != Version::v5 || options_.session_expiry.count() > 0)),
      ack_patience_(options_.subscriptions.empty() ? 15 : 5),
      listener_(listener),
      clock_(clock),
      log_(std::move(log)),
      meters_(metrics),
      brokers_(options_),
      subscriptions_(options_, log_),
      purge_(options_.brokers.size(), keeps_session_ && options_.unclean_start),
      addresses_(options_.brokers.size()) {
  qos2_in_flight_ = keeps_session_ && options_.unclean_start;
}

void Session::Thread::start() {
  const std::lock_guard lock(mutex_);
  // The thread takes no signals: those are the main thread's.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([self = shared_from_this()] { self->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Session::Thread::stop(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) return;
  const TimePoint deadline = Steady::now() + limit;
  if (!stop_by_) stop_by_ = deadline;
  event_.signal();
  constexpr auto again = std::chrono::milliseconds(50);
  while (!finished_changed_.wait_until(lock, std::max(deadline, Steady::now() + again),
                                       [this] { return finished_; })) {
    if (!resolving_) continue;  // it is on its way: its own deadline is the same
    abandoned_ = true;
    thread_.detach();
    status_.state = LinkState::stopped;
    return;
  }
  std::thread ended = std::move(thread_);
  lock.unlock();
  ended.join();
}

void Session::Thread::wake() {
  woken_ = true;
  event_.signal();
}

void Session::Thread::give_room_here() {
  // From inside the listener, or while the session's thread is awake: it will look.
  std::unique_lock turn(turn_, std::defer_lock);
  if (turning_ == std::this_thread::get_id() || !turn.try_lock()) return wake();
  const TimePoint now = Steady::now();
  const bool in_bursts = published_together_ > 1 || now < published_at_ + burst;
  if (phase_ != Phase::up || moving_back_ || in_flight_.size() >= window() || in_bursts) {
    turn.unlock();
    return wake();
  }
  turning_ = std::this_thread::get_id();
  const bool first = in_flight_.empty();
  if (first)
    client_->gather_answers(never_so_many_bytes);  // it waits for whatever comes, and is to wait for more
  room_ = true;
  give_room();
  client_->flush();
  // The session's thread waits as if nothing had been published: has it anything else to wait for now?
  const bool waits = expected_answers_ > 0 ? waits_for_answers_ : may_let_answers_wait();
  const bool changed = first || !waits || client_->has_events();
  turning_ = std::thread::id();
  turn.unlock();
  if (changed) event_.signal();
}

void Session::Thread::begin_turn() {
  turn_.lock();
  turning_ = std::this_thread::get_id();
}

void Session::Thread::end_turn() {
  turning_ = std::thread::id();
  turn_.unlock();
}

SessionStatus Session::Thread::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Session::Thread::run() {
  if (!options_.clean_start && !keeps_session_) {
    log_.warn("clean_start = false keeps nothing with MQTT 5 unless session_expiry is above 0");
  }
  begin_turn();
  attempt_at_ = Steady::now();
  set_state(LinkState::waiting, {});
  bool touchable = true;
  while ((touchable = turn()) && !(phase_ == Phase::waiting && stopping())) {
  }
  if (touchable) {
    discard_client(false);
    update_status();
  }
  end_turn();
  if (!touchable) return;
  set_state(LinkState::stopped, "stopped");
  const std::lock_guard lock(mutex_);
  finished_ = true;
  finished_changed_.notify_all();
}

bool Session::Thread::turn() {
  ++heartbeat_;
  test_switches::stall("session");
  wait();
  handle_events();
  if (phase_ == Phase::waiting && !stopping() && Steady::now() >= attempt_at_ && !connect()) return false;
  serve_timers();
  for (int round = 0; round < rounds_before_poll; ++round) {
    handle_events();
    give_room();
    if (!client_ || !client_->has_events()) break;
  }
  if (client_) client_->flush();
  if (std::exchange(looks_after_, false)) {
    poll_for(wanted(), Duration(0));
    note_wake();
  }
  update_status();
  return true;
}

void Session::Thread::wait() {
  const auto left = std::chrono::ceil<Duration>(next_timer() - Steady::now());
  const bool busy = may_give_room() || (client_ && client_->has_events());
  const Duration timeout = busy ? Duration(0) : std::clamp(left, Duration(0), Duration(beat));
  if (const std::size_t answers = answers_worth_waiting_for(); timeout.count() > 0 && answers > 0) {
    wait_for_answers(answers, timeout);
  } else {
    if (wanted() != 0) client_->gather_answers(1);
    if (timeout.count() > 0 && may_let_answers_wait()) {
      wait_for_news(timeout);
    } else {
      poll_for(wanted(), timeout);
    }
  }
  note_wake();
}

// After whatever may have cleared the event: a wake that is not noted then would wait for the next beat.
void Session::Thread::note_wake() {
  if (woken_.exchange(false)) room_ = true;
}

// Waits for the event and for what is wanted of the socket, and serves the socket. False: nothing came.
bool Session::Thread::poll_for(short wanted, Duration timeout) {
  const int fd = client_ && phase_ != Phase::waiting ? client_->fd() : -1;
  std::array<pollfd, 2> polled{pollfd{event_.fd(), POLLIN, 0}, pollfd{fd, fd < 0 ? short{0} : wanted, 0}};
  end_turn();
  const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(timeout.count()));
  begin_turn();
  if (ready <= 0) return false;
  if ((polled[0].revents & POLLIN) != 0) event_.clear();
  if (fd >= 0 && polled[1].revents != 0 && client_->fd() == fd) client_->on_socket(polled[1].revents);
  return true;
}

short Session::Thread::wanted() const {
  return client_ && client_->fd() >= 0 ? client_->wanted() : short{0};
}

// An acknowledgement that nobody waits for is read together with others, after the next message has gone out: to wake
// for each costs more than all the rest of it.
bool Session::Thread::may_let_answers_wait() const {
  return phase_ == Phase::up && wanted() == POLLIN && !in_flight_.empty() && in_flight_.size() < window() / 2;
}

void Session::Thread::wait_for_news(Duration timeout) {
  const auto patience = std::chrono::ceil<Duration>(answers_due_ - Steady::now());
  const bool woken = poll_for(0, std::clamp(patience, Duration(0), timeout));
  const TimePoint now = Steady::now();
  if (woken && now < answers_due_ - ack_patience_ / 2) return;
  answers_due_ = now + ack_patience_;
  looks_after_ = woken;
  if (!woken) poll_for(wanted(), Duration(0));
}

// With the window full, nothing can be done about one answer that is not done better about several.
std::size_t Session::Thread::answers_worth_waiting_for() const {
  if (phase_ != Phase::up || wanted() != POLLIN) return 0;
  if (expected_answers_ > 0) return std::min(expected_answers_, in_flight_.size());
  return in_flight_.size() >= window() ? window() / gathered_part : 0;
}

void Session::Thread::wait_for_answers(std::size_t count, Duration timeout) {
  client_->gather_answers(shortest_answer_bytes * static_cast<int>(count));
  waits_for_answers_ = true;
  if (!poll_for(wanted(), std::min(timeout, ack_patience_))) {
    client_->gather_answers(1);
    poll_for(wanted(), timeout);
  }
  waits_for_answers_ = false;
}

Session::Thread::TimePoint Session::Thread::next_timer() {
  TimePoint next = Steady::now() + beat;
  const auto consider = [&](TimePoint at) { next = std::min(next, at); };
  switch (phase_) {
    case Phase::waiting:
      consider(attempt_at_);
      break;
    case Phase::connecting:
      consider(connect_deadline_);
      break;
    case Phase::leaving:
      consider(misc_at_);
      consider(leaving_ == Leaving::draining ? drain_deadline_ : leave_deadline_);
      break;
    case Phase::up:
      consider(misc_at_);
      if (const auto since = in_flight_.oldest()) consider(*since + options_.ack_timeout);
      if (const auto since = subscriptions_.unanswered_since()) consider(*since + options_.ack_timeout);
      if (const auto at = subscriptions_.retry_at()) consider(*at);
      if (may_fail_back() && !moving_back_) consider(up_since_ + options_.failback_after);
      break;
  }
  return next;
}

bool Session::Thread::stopping() const {
  const std::lock_guard lock(mutex_);
  return stop_by_.has_value();
}

void Session::Thread::serve_timers() {
  std::optional<TimePoint> stop_by;
  {
    const std::lock_guard lock(mutex_);
    stop_by = stop_by_;
  }
  const TimePoint now = Steady::now();
  if (phase_ == Phase::connecting && (stop_by || now >= connect_deadline_)) {
    const std::string words = client_->connecting_in_tcp()
                                  ? "no answer to the TCP connection within connect_timeout"
                                  : "no CONNACK within connect_timeout";
    client_->drop();
    address_failed(stop_by ? "stopped" : words);
  }
  if ((phase_ == Phase::up || phase_ == Phase::leaving) && now >= misc_at_) {
    misc_at_ = now + beat;
    client_->misc();
  }
  if (phase_ == Phase::up && stop_by) leave("stopped", *stop_by);
  if (phase_ == Phase::up) serve_up();
  if (phase_ == Phase::leaving) serve_leaving();
}

void Session::Thread::serve_up() {
  const TimePoint now = Steady::now();
  const auto oldest = in_flight_.oldest();
  const auto asked = subscriptions_.unanswered_since();
  if ((oldest && now >= *oldest + options_.ack_timeout) || (asked && now >= *asked + options_.ack_timeout)) {
    meters_.ack_timeouts.add();
    client_->drop();
    link_lost("no answer within ack_timeout: the link is taken for dead", std::nullopt);
    return;
  }
  subscriptions_.retry(*client_, now);
  if (may_fail_back() && now >= up_since_ + options_.failback_after) {
    moving_back_ = true;
    if (in_flight_.empty()) leave("moving back to the preferred broker", now + options_.connect_timeout);
  }
}

bool Session::Thread::may_fail_back() const {
  return !brokers_.first() && options_.failback_after.count() > 0;
}

bool Session::Thread::may_give_room() const {
  return room_ && phase_ == Phase::up && !moving_back_ && in_flight_.size() < window();
}

void Session::Thread::give_room() {
  if (!may_give_room()) return;
  room_ = false;
  expected_answers_ = 0;
  const std::uint64_t before = publications_;
  listener_.on_room();
  if (publications_ > before) published_together_ = publications_ - before;
}

void Session::Thread::limit_window(std::size_t n) {
  window_limit_ = n;
  room_ = true;
}

std::size_t Session::Thread::window() const {
  std::size_t size = std::min<std::size_t>(options_.max_inflight, limits_.receive_maximum);
  if (window_limit_ != 0) size = std::min(size, window_limit_);
  return std::max<std::size_t>(size, 1);
}

void Session::Thread::set_state(LinkState state, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (status_.state != state) status_.since = clock_.wall();
  status_.state = state;
  if (!reason.empty()) status_.reason = reason;
  if (state == LinkState::connecting || status_.broker.empty())
    status_.broker = to_string(brokers_.current());
}

void Session::Thread::update_status() {
  bool ids_at_stake = in_flight_.qos2() > 0;
  for (const bool purge : purge_) ids_at_stake = ids_at_stake || purge;
  qos2_in_flight_ = keeps_session_ && ids_at_stake;
  meters_.in_flight.set(static_cast<double>(in_flight_.size()));
  const std::lock_guard lock(mutex_);
  status_.in_flight = in_flight_.size();
  status_.window = phase_ == Phase::up ? window() : 0;
  status_.reconnects = connected_count_ == 0 ? 0 : connected_count_ - 1;
  status_.session_present = session_present_;
  if (subscriptions_changed_) status_.subscriptions = subscriptions_.status();
  subscriptions_changed_ = false;
}

}  // namespace sluice::mqtt
