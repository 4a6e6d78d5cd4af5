// SPDX-License-Identifier: Apache-2.0
// The thread of a session: the loop that connects, waits and gives out what happens. Shared by the Session and
// the thread itself, since one that the resolver holds outlives stop(); it then touches nothing but itself.
// Functions without another word are the session thread's alone, or those of a thread that is in its place while it waits
// (give_room_here): whoever holds turn_.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.hpp"
#include "mqtt/addresses.hpp"
#include "mqtt/broker_list.hpp"
#include "mqtt/client.hpp"
#include "mqtt/in_flight.hpp"
#include "mqtt/session.hpp"
#include "mqtt/subscriptions.hpp"

namespace sluice::mqtt {

class Session::Thread : public std::enable_shared_from_this<Session::Thread> {
 public:
  Thread(Options options, Listener& listener, const Clock& clock, Metrics& metrics, Log log);

  // Any thread, as Session has them.
  void start();
  void stop(std::chrono::milliseconds limit);
  void wake();
  void give_room_here();
  SessionStatus status() const;
  std::uint64_t heartbeat() const { return heartbeat_; }
  bool is_connecting() const { return resolving_; }
  bool qos2_in_flight() const { return qos2_in_flight_; }

  PublishResult publish(const Publication& publication, std::string* why);
  void limit_window(std::size_t n);
  void expect_answers(std::size_t n) { expected_answers_ = n; }
  std::size_t window() const;
  void forget_in_flight() { forgets_ = true; }

 private:
  using Steady = std::chrono::steady_clock;
  using TimePoint = Steady::time_point;
  using Duration = std::chrono::milliseconds;

  /// `leaving`: the link is up, and is being given up in an orderly way: first what is in flight is waited for,
  /// then "offline" is published, then comes DISCONNECT.
  enum class Phase : std::uint8_t { waiting, connecting, up, leaving };
  enum class Leaving : std::uint8_t { draining, saying_offline, disconnecting };

  // Whose turn it is.
  void begin_turn();
  void end_turn();

  // The loop.
  void run();
  bool turn();
  void wait();
  bool poll_for(short wanted, std::chrono::milliseconds timeout);
  short wanted() const;
  void wait_for_news(std::chrono::milliseconds timeout);
  void wait_for_answers(std::size_t count, std::chrono::milliseconds timeout);
  void note_wake();
  bool may_let_answers_wait() const;
  std::size_t answers_worth_waiting_for() const;
  TimePoint next_timer();
  bool stopping() const;
  void serve_timers();
  void serve_up();
  void serve_leaving();
  bool may_fail_back() const;
  bool may_give_room() const;
  void give_room();

  // The life of a link.
  bool connect();  // false: the session was stopped meanwhile, and nothing may be touched any more
  bool resolve_broker(std::vector<std::string>& addresses, std::string& failure);  // likewise
  std::unique_ptr<Client> make_client(bool purge);
  void discard_client(bool broker_forgot);
  void address_failed(const std::string& words, std::optional<std::uint8_t> reason = {});
  void broker_failed(const std::string& words, std::optional<std::uint8_t> reason = {});
  void attempt_failed(const std::string& where, const std::string& words, Duration pause,
                      std::optional<std::uint8_t> reason);
  Log log_about(std::optional<std::uint8_t> reason) const;
  void link_lost(const std::string& words, std::optional<std::uint8_t> reason);
  void left();
  void leave(const std::string& why, TimePoint deadline);
  void down(const std::string& words);
  Duration pause_after_loss(std::optional<std::uint8_t> reason);
  bool taken_over_again();

  // What the client reports.
  void handle_events();
  void handle(const Connected& event);
  void handle(const Disconnected& event);
  void handle(const Answered& event);
  void handle(const SubscriptionAnswered& event);
  void handle(Arrived& event);
  void refused_connect(const Connected& event);
  void link_up(const Connected& event);

  // Publishing.
  bool is_valid(const std::string& topic);
  bool acceptable(const Publication& publication, std::string& why);
  PublishResult send(const Publication& publication, bool own, std::string& why);
  void publish_status(const char* state, const std::string& reason);
  std::string status_payload(const char* state, const std::string& reason, bool with_time) const;

  void set_state(LinkState state, const std::string& reason);
  void update_status();

  const Options options_;
  const bool keeps_session_;     // the broker is asked to keep the session between connections
  const Duration ack_patience_;  // so long an acknowledgement may wait to be read, and a command with it
  Listener& listener_;
  const Clock& clock_;
  const Log log_;
  struct Meters {
    Counter& connections;
    Counter& failed_attempts;
    Counter& lost_links;
    Counter& published;
    Counter& acknowledged;
    Counter& refused;
    Counter& received;
    Counter& ack_timeouts;
    Counter& taken_over;
    Counter& takeover_alarms;
    Counter& refused_subscriptions;
    Gauge& up;
    Gauge& in_flight;
    explicit Meters(Metrics& metrics);
  } meters_;

  std::mutex turn_;                         // held all the time, but while polling
  std::atomic<std::thread::id> turning_{};  // the holder

  // Self-synchronised.
  EventFd event_;
  std::atomic<bool> woken_{false};
  std::atomic<std::uint64_t> heartbeat_{0};
  std::atomic<bool> resolving_{false};  // changed under mutex_ too, since stop() decides by it
  std::atomic<bool> qos2_in_flight_{false};

  mutable std::mutex mutex_;
  std::condition_variable finished_changed_;
  // guarded by mutex_
  std::thread thread_;
  bool finished_ = false;
  bool abandoned_ = false;
  std::optional<TimePoint> stop_by_;
  SessionStatus status_;

  // guarded by turn_
  BrokerList brokers_;
  Subscriptions subscriptions_;
  InFlight in_flight_;
  std::unique_ptr<Client> client_;
  std::vector<Event> events_;     // of handle_events() alone
  std::size_t client_index_ = 0;  // the broker that client_ belongs to
  std::vector<bool> purge_;       // by broker: its session may hold packet ids that would be used again
  std::vector<AddressRound> addresses_;  // by broker
  Phase phase_ = Phase::waiting;
  Limits limits_;
  std::size_t window_limit_ = 0;
  std::size_t expected_answers_ = 0;  // by the listener, that it may go on
  bool room_ = false;                 // the listener is to be asked for more
  bool moving_back_ = false;          // in flight runs dry before the first broker is tried again
  bool purging_ = false;              // this connection only discards the broker's session
  bool reconnect_now_ = false;        // the connection was given up for a better one
  bool answered_ = false;             // something, since the link came up
  bool forgets_ = false;              // the next connection does not take up what is in flight
  unsigned barren_links_ = 0;         // in a row that kept what was in flight and brought no answer
  bool will_retain_ = true;
  std::uint8_t will_qos_ = 1;
  std::map<std::string, std::string> last_failures_;  // by broker and address, since the link was up
  unsigned short_links_ = 0;  // in a row, lost without a reason soon after they came up
  unsigned takeovers_ = 0;    // in a row
  bool session_present_ = false;
  std::string valid_topic_;  // of the last publication
  bool subscriptions_changed_ = true;
  std::uint64_t connected_count_ = 0;

  Leaving leaving_ = Leaving::draining;
  std::string leaving_reason_;
  TimePoint drain_deadline_;
  TimePoint leave_deadline_;
  std::optional<std::uint16_t> offline_id_;  // packet of the status that is waited for

  TimePoint attempt_at_;
  TimePoint connect_deadline_;
  TimePoint up_since_;
  TimePoint misc_at_;
  TimePoint published_at_;  // the last one
  std::uint64_t publications_ = 0;
  std::uint64_t published_together_ = 0;  // by on_room(), the last time that there was something
  TimePoint answers_due_;                 // by then the socket is read, where answers may wait
  bool waits_for_answers_ = false;
  bool looks_after_ = false;  // reads the socket once what woke it has been published
};

}  // namespace sluice::mqtt
