// SPDX-License-Identifier: Apache-2.0
// How a link of the session comes about, is lost, and is given up; and what its client reports.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "mqtt/reason.hpp"
#include "mqtt/session_thread.hpp"

namespace sluice::mqtt {
namespace {

constexpr unsigned takeovers_before_alarm = 3;
constexpr unsigned short_links_before_hint = 3;
constexpr unsigned barren_links_before_discard = 2;
// A link that lived so long had nothing to do with the takeover before it.
constexpr auto settled = std::chrono::minutes(5);

}  // namespace

std::unique_ptr<Client> Session::Thread::make_client(bool purge) {
  ClientOptions how;
  how.clean_start = purge || !keeps_session_;
  if (keeps_session_ && !purge) how.session_expiry = options_.session_expiry;
  if (!options_.status_topic.empty() && !purge) {
    how.will = Will{options_.status_topic, status_payload("offline", "connection lost", false), will_qos_,
                    will_retain_};
  }
  return std::make_unique<Client>(options_, brokers_.current(), how, clock_);
}

bool Session::Thread::connect() {
  reconnect_now_ = false;
  const std::size_t index = brokers_.index();
  // The library resends what a handle has in flight, but only a broker that kept the session may have it so. One
  // that ends each link without any answer may do so because of what is in flight.
  // MQTT 3.1 does not tell whether it did.
  const bool reusable = client_ && keeps_session_ && options_.version != Version::v31 && !purging_ &&
                        client_index_ == index && !purge_[index] &&
                        barren_links_ < barren_links_before_discard && !forgets_;
  if (!reusable) discard_client(false);
  set_state(LinkState::connecting, {});
  connect_deadline_ = Steady::now() + options_.connect_timeout;
  phase_ = Phase::connecting;
  try {
    if (!client_) {
      purging_ = purge_[index];
      client_ = make_client(purging_);
      client_index_ = index;
    }
  } catch (const std::exception& error) {
    broker_failed(error.what());
    return true;
  }
  std::vector<std::string> addresses;
  std::string failure;
  if (!resolve_broker(addresses, failure)) return false;
  if (addresses.empty()) {
    broker_failed(failure);
    return true;
  }
  connect_deadline_ = Steady::now() + options_.connect_timeout;
  client_->connect(addresses_[index].choose(std::move(addresses)));
  return true;
}

bool Session::Thread::resolve_broker(std::vector<std::string>& addresses, std::string& failure) {
  {
    const std::lock_guard lock(mutex_);
    resolving_ = true;
  }
  try {
    addresses = resolve(brokers_.current().host);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  const std::lock_guard lock(mutex_);
  resolving_ = false;
  return !abandoned_;
}

void Session::Thread::discard_client(bool broker_forgot) {
  if (client_ && keeps_session_ && !broker_forgot && in_flight_.qos2() > 0) purge_[client_index_] = true;
  client_.reset();
  in_flight_.clear();
  purging_ = false;
  barren_links_ = 0;
  forgets_ = false;
}

void Session::Thread::address_failed(const std::string& words, std::optional<std::uint8_t> reason) {
  AddressRound& addresses = addresses_[brokers_.index()];
  const std::string address = addresses.chosen_of_several();
  const std::string where = to_string(brokers_.current()) + (address.empty() ? "" : " (" + address + ")");
  attempt_failed(where, words, addresses.failed() ? brokers_.failed_at_one_address() : brokers_.failed(),
                 reason);
}

void Session::Thread::broker_failed(const std::string& words, std::optional<std::uint8_t> reason) {
  const std::string where = to_string(brokers_.current());
  attempt_failed(where, words, brokers_.failed(), reason);
}

void Session::Thread::attempt_failed(const std::string& where, const std::string& words, Duration pause,
                                     std::optional<std::uint8_t> reason) {
  if (reconnect_now_) discard_client(false);
  reconnect_now_ = false;
  phase_ = Phase::waiting;
  meters_.failed_attempts.add();
  attempt_at_ = Steady::now() + pause;
  const std::string what = where + ": " + words;
  set_state(LinkState::waiting, what);
  // The same failure again and again is one line of the log.
  const bool again = std::exchange(last_failures_[where], words) == words;
  const Level level = again ? Level::debug : Level::warn;
  if (log_.enabled(level))
    log_about(reason).line(level, what + "; next attempt in " + std::to_string(pause.count()) + " ms");
}

Log Session::Thread::log_about(std::optional<std::uint8_t> reason) const {
  return reason ? log_.with(LogField::reason_code, *reason) : log_;
}

void Session::Thread::down(const std::string& words) {
  phase_ = Phase::waiting;
  moving_back_ = false;
  offline_id_.reset();
  meters_.up.set(0);
  set_state(LinkState::waiting, words);
  for (const InFlight::Entry& entry : in_flight_.take_qos0()) {
    if (!entry.own) listener_.on_refused(entry.token, 0, false);
  }
  listener_.on_link_down(words);
}

void Session::Thread::link_lost(const std::string& words, std::optional<std::uint8_t> reason) {
  const bool kept_something = in_flight_.size() > in_flight_.qos0();
  barren_links_ = kept_something && !answered_ ? barren_links_ + 1 : 0;
  meters_.lost_links.add();
  const Duration pause = pause_after_loss(reason);
  attempt_at_ = Steady::now() + pause;
  const std::string what = to_string(brokers_.current()) + ": " + words;
  log_about(reason).warn("{}; next attempt in {} ms", what, pause.count());
  down(what);
}

Session::Thread::Duration Session::Thread::pause_after_loss(std::optional<std::uint8_t> reason) {
  const auto lived = Steady::now() - up_since_;
  if (lived > settled) takeovers_ = 0;
  if (reason == std::uint8_t{0x8E}) return brokers_.taken_over(taken_over_again());
  takeovers_ = 0;
  // Many brokers close without a word where another client takes the session, and before MQTT 5 all do.
  short_links_ = lived > settled || reason ? 0 : short_links_ + 1;
  if (short_links_ == short_links_before_hint) {
    log_.error(
        "the link was lost {} times in a row soon after it had come up, without a reason: do two gateways "
        "use the "
        "mqtt.client_id \"{}\", or does the broker close over a message?",
        short_links_, options_.client_id);
  }
  return brokers_.lost(lived > options_.reconnect_max);
}

bool Session::Thread::taken_over_again() {
  meters_.taken_over.add();
  if (++takeovers_ < takeovers_before_alarm) return false;
  meters_.takeover_alarms.add();
  log_.error(
      "another client with the client id \"{}\" takes the session over, {} times in a row: two gateways with "
      "one mqtt.client_id? Each needs its own",
      options_.client_id, takeovers_);
  return true;
}

void Session::Thread::leave(const std::string& why, TimePoint deadline) {
  const TimePoint now = Steady::now();
  phase_ = Phase::leaving;
  leaving_ = Leaving::draining;
  leaving_reason_ = why;
  // What remains after draining is for the status and the DISCONNECT.
  leave_deadline_ = deadline;
  drain_deadline_ = now + std::max(deadline - now, TimePoint::duration::zero()) / 2;
}

void Session::Thread::serve_leaving() {
  const TimePoint now = Steady::now();
  if (leaving_ == Leaving::draining && (in_flight_.empty() || now >= drain_deadline_)) {
    leaving_ = Leaving::saying_offline;
    publish_status("offline", leaving_reason_);
  }
  if (leaving_ == Leaving::saying_offline && (!offline_id_ || now >= leave_deadline_)) {
    leaving_ = Leaving::disconnecting;
    client_->disconnect();
  }
  if (leaving_ == Leaving::disconnecting && (client_->fd() < 0 || now >= leave_deadline_)) {
    client_->drop();
    left();
  }
}

void Session::Thread::left() {
  log_.info("{}: disconnected: {}", to_string(brokers_.current()), leaving_reason_);
  down(leaving_reason_);
  brokers_.go_first();
  attempt_at_ = Steady::now();
}

void Session::Thread::handle_events() {
  if (!client_) return;
  // A handler may discard the client, and what else it had to say then does not count any more.
  client_->take_events(events_);
  for (Event& event : events_) {
    const Client* before = client_.get();
    std::visit([this](auto& each) { handle(each); }, event);
    if (client_.get() != before) return;
  }
}

void Session::Thread::handle(const Connected& event) {
  if (phase_ != Phase::connecting) return;
  if (event.code != 0) {
    refused_connect(event);
    return;
  }
  if (purging_) {
    purge_[client_index_] = false;
    client_->disconnect();
    reconnect_now_ = true;
  } else if (!event.usable) {
    log_.info(
        "{}: {}; everything unacknowledged is published again", to_string(client_->broker()),
        event.session_present ? "the broker's limits have changed" : "the broker has not kept the session");
    // Nothing was sent on this connection, and where the broker forgot, no packet id is in use any more.
    if (!event.session_present) in_flight_.clear();
    reconnect_now_ = true;
  } else {
    link_up(event);
  }
}

void Session::Thread::refused_connect(const Connected& event) {
  if (event.code == 0x9A) will_retain_ = false;
  if (event.code == 0x9B) will_qos_ = 0;
  std::string words = "connection refused: " + connack_in_words(event.code, options_.version);
  if (!event.text.empty()) words += " (" + event.text + ")";
  client_->drop();
  // Its will does not fit, and the next one must be another.
  if (event.code == 0x9A || event.code == 0x9B) discard_client(false);
  addresses_[brokers_.index()].refused();
  broker_failed(words, event.code);
}

void Session::Thread::link_up(const Connected& event) {
  const TimePoint now = Steady::now();
  const bool kept = event.session_present && !in_flight_.empty();
  phase_ = Phase::up;
  limits_ = event.limits;
  session_present_ = event.session_present;
  answered_ = false;
  up_since_ = now;
  misc_at_ = now + std::chrono::seconds(1);
  last_failures_.clear();
  ++connected_count_;
  meters_.connections.add();
  meters_.up.set(1);
  in_flight_.restart(now);
  log_.info("{}: connected, session {}, window {}", to_string(client_->broker()),
            event.session_present ? "present" : "new", window());
  if (client_->broker().tls && options_.tls.insecure) {
    log_.warn("{}: insecure = true: anybody could be this broker; neither certificate nor name is checked",
              to_string(client_->broker()));
  }
  set_state(LinkState::up, {});
  publish_status("online", {});
  subscriptions_.subscribe_all(*client_, now);
  subscriptions_changed_ = true;
  room_ = true;
  update_status();
  listener_.on_link_up(kept);
}

void Session::Thread::handle(const Disconnected& event) {
  switch (phase_) {
    case Phase::waiting:
      return;
    case Phase::connecting:
      if (reconnect_now_) {
        discard_client(false);
        phase_ = Phase::waiting;
        attempt_at_ = Steady::now();
      } else {
        address_failed(event.words, event.reason);
      }
      return;
    case Phase::up:
      link_lost(event.words, event.reason);
      return;
    case Phase::leaving:
      left();
      return;
  }
}

void Session::Thread::handle(const Answered& event) {
  const auto entry = in_flight_.take(event.id);
  if (!entry) return;
  room_ = true;
  if (offline_id_ == event.id) offline_id_.reset();
  const bool good = event.reason < 0x80;
  if (entry->own) {
    if (!good) {
      log_about(event.reason)
          .warn("status \"{}\" refused: {}", options_.status_topic, reason_in_words(event.reason));
    }
    return;
  }
  if (good) {
    answered_ = true;
    meters_.acknowledged.add();
    listener_.on_acknowledged(entry->token);
    return;
  }
  answered_ = true;
  meters_.refused.add();
  listener_.on_refused(entry->token, event.reason, refused_for_good(event.reason));
}

void Session::Thread::handle(const SubscriptionAnswered& event) {
  meters_.refused_subscriptions.add(subscriptions_.answered(event.id, event.code, Steady::now()));
  subscriptions_changed_ = true;
}

void Session::Thread::handle(Arrived& event) {
  meters_.received.add();
  listener_.on_message(std::move(event.message), event.inbound);
}

}  // namespace sluice::mqtt
