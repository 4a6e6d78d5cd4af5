// SPDX-License-Identifier: Apache-2.0
// The one MQTT session of the agent: keeps a link to the first broker that takes it, publishes within a window
// and reports each answer to its listener. It stores nothing: what has no answer is its caller's to keep.
// Owned by the agent. One thread of its own runs everything, but what give_room_here() does in its place; each function says
// who may call it. "Session thread" is whichever of the two is at it: never both.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "mqtt/listener.hpp"
#include "mqtt/options.hpp"
#include "mqtt/publication.hpp"

namespace sluice::mqtt {

enum class LinkState : std::uint8_t { stopped, waiting, connecting, up };

/// "stopped", "waiting", "connecting", "up".
std::string_view to_string(LinkState state);

struct SubscriptionStatus {
  Subscription asked;
  bool answered = false;
  bool granted = false;
  std::uint8_t granted_qos = 0;  ///< may be lower than asked
  std::string refusal;           ///< in words
};

/// A snapshot, for people and for `status`.
struct SessionStatus {
  LinkState state = LinkState::stopped;
  std::string broker;    ///< "mqtt://host:1883": the one in use, or tried last
  Nanoseconds since{0};  ///< wall time at which `state` began
  std::string reason;    ///< why the link is not up, or was lost last, in words; empty: it never was
  std::size_t in_flight = 0;
  std::size_t window = 0;  ///< of this link: the smallest of max_inflight, Receive Maximum and limit_window()
  std::uint64_t reconnects = 0;
  bool session_present = false;
  std::vector<SubscriptionStatus> subscriptions;
};

class Session {
 public:
  /// Everything referred to outlives the session. Metrics are written under the scope "mqtt".
  Session(Options options, Listener& listener, const Clock& clock, Metrics& metrics, Log log);
  /// Stops, with a limit of 2 s.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Starts the thread. Once.
  void start();

  /// Publishes "offline", disconnects and ends the thread; answers that come meanwhile are still reported, and
  /// publish() answers `down` from now on. Returns after `limit` whatever happens: a thread that the resolver
  /// holds is left to end on its own, and calls nobody any more. Any thread but the session's; further calls
  /// do nothing.
  void stop(std::chrono::milliseconds limit);

  /// Session thread only, that is from inside the listener. With `refused`, `why` tells the reason.
  PublishResult publish(const Publication& publication, std::string* why = nullptr);

  /// Any thread: on_room() soon, if the link is up.
  void wake();
  /// Any thread: on_room() now and in this thread, if the session's own waits and nothing has been published for a moment;
  /// otherwise wake(). The way over another thread is most of what a single message costs, in time and in processor
  /// time. Returns when on_room() does, which blocks nowhere.
  void give_room_here();

  /// Session thread only: at most `n` unanswered publications at once, from now on; 0 = the usual window.
  void limit_window(std::size_t n);
  /// Session thread only, from inside on_room(): more is to be published once `n` answers have come. They are read soon
  /// after, where others may wait some milliseconds for company.
  void expect_answers(std::size_t n);
  /// Session thread only: how many unanswered publications there may be on this link.
  std::size_t window() const;

  /// Session thread only, while the link is down: the next one begins with on_link_up(false), whatever the broker kept.
  /// For a message at which the broker closes the connection, and which the library would send again by itself.
  void forget_in_flight();

  /// Any thread.
  SessionStatus status() const;

  /// Any thread: moves on at least once a second, unless the thread hangs or is_connecting().
  std::uint64_t heartbeat() const;

  /// Any thread: true while the thread may be held by the system's resolver, which has time limits of its own.
  bool is_connecting() const;

  /// Any thread, also after stop(): QoS 2 publications are unanswered. Where the program ends so, its next start
  /// needs Options::unclean_start.
  bool qos2_in_flight() const;

 private:
  class Thread;
  std::shared_ptr<Thread> thread_;  // shared with the thread itself, which may outlive stop()
};

}  // namespace sluice::mqtt
