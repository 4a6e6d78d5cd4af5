// SPDX-License-Identifier: Apache-2.0
// Takes deliveries from the queue, encodes and publishes them within the session's window, and gives the answers back to
// the queue: queue -> encode -> session -> acknowledgement -> queue. It alone knows the three of them together.
//
// Works on the session's thread, and in its place on one that appends to the queue (Session::give_room_here); reply(), wake()
// and status() are for any thread.
//
// What it took from the queue it keeps until it is answered, so that a session that was lost costs nothing: everything
// unanswered is published again, in order. A message that the broker keeps refusing, or at which it keeps closing the
// connection, is tried alone and then dead-lettered: one poison message never blocks the rest.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backlog_window.hpp"
#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mailbox.hpp"
#include "base/message.hpp"
#include "base/metrics.hpp"
#include "gathering.hpp"
#include "loss_report.hpp"
#include "mqtt/options.hpp"
#include "mqtt/session.hpp"
#include "publication_writer.hpp"
#include "queue/queue.hpp"
#include "replay.hpp"

namespace sluice {

struct ForwarderOptions {
  PublicationOptions publication = {};
  std::uint32_t replay_rate = 0;  ///< messages of the backlog a second; 0 = as fast as acknowledged
  bool live_first = false;        ///< the backlog holds up no live message, and leaves it room in the window
  unsigned refusals = 5;          ///< so often refused while others pass: suspect
  unsigned disconnections =
      3;  ///< so often at the head of the window when the broker closed the connection: suspect
  std::chrono::milliseconds retry_min{1000};  ///< pause after a refusal, with jitter, doubling to retry_max
  std::chrono::milliseconds retry_max{60'000};
};

class Forwarder : public mqtt::Listener {
 public:
  /// Receives what comes from the broker, on the session's thread; may not block.
  using Receive = std::function<void(Message&& message, const mqtt::Inbound& inbound)>;

  Forwarder(ForwarderOptions options, mqtt::Options session, queue::Queue& queue, Receive receive,
            const Clock& clock, Metrics& metrics, const Log& log);

  void start();
  /// Says goodbye to the broker; what is unanswered stays in the queue.
  void stop(std::chrono::milliseconds within);

  /// Looks again for what can be sent; at least once a second, since pauses end by the clock.
  void wake();

  /// Publishes ahead of the queue, once, without keeping it: results of commands. Full: counted, and gone.
  Push reply(Delivery&& delivery);

  mqtt::SessionStatus status() const { return session_.status(); }
  std::uint64_t heartbeat() const { return session_.heartbeat(); }
  bool is_connecting() const { return session_.is_connecting(); }
  bool qos2_in_flight() const { return session_.qos2_in_flight(); }

  void on_link_up(bool in_flight_kept) override;
  void on_link_down(std::string_view reason) override;
  void on_room() override;
  void on_acknowledged(std::uint64_t token) override;
  void on_refused(std::uint64_t token, std::uint8_t reason, bool for_good) override;
  void on_message(Message&& message, const mqtt::Inbound& inbound) override;

 private:
  struct Held {
    Parcel parcel;
    std::uint64_t token = 0;  // the first sequence that was in it
    bool published = false;   // and not answered
    bool sent_as_replayed = false;
    std::optional<Nanoseconds> sent_at = {};  // where the backlog has a window of its own
    unsigned refusals = 0;                    // while others passed
    std::uint64_t passed_before = 0;          // acknowledged_ at the last refusal
    std::uint64_t round = 0;                  // rounds_ when it was published
  };
  using Place = std::deque<Held>::iterator;
  enum class Sent { yes, not_now, not_its_turn, gone };

  bool send_replies();
  bool send_held();
  Sent send(Held& held);
  bool take(bool backlog);
  void hold(std::vector<Parcel>& parcels);
  static bool may_overtake(std::uint64_t token, const Held& held);
  std::chrono::seconds drop_expired(Parcel& parcel);
  Place find(std::uint64_t token);
  void bury(Place held, const std::string& reason, std::optional<std::uint8_t> code = {});
  void split(Place held, const std::string& why);
  void suspect(std::uint64_t token, const std::string& why);
  void clear_suspect();
  bool is_pausing() const;
  bool may_send_backlog();
  std::size_t backlog_in_flight() const;

  const ForwarderOptions options_;
  queue::Queue& queue_;
  const Receive receive_;
  const Clock& clock_;
  const Log log_;
  Counter& forwarded_;
  Counter& refused_;
  Counter& dead_lettered_;
  Counter& expired_;
  Counter& replies_dropped_;
  Mailbox<Delivery> replies_;

  // The session thread's.
  std::deque<Held> held_;        // taken from the queue and not answered, in the order of taking
  std::size_t unpublished_ = 0;  // of them
  std::deque<Delivery> waiting_replies_;
  std::vector<queue::Outgoing> taken_;
  std::vector<Parcel> ready_;  // to be held
  std::uint64_t next_reply_ = 0;
  std::uint64_t acknowledged_ = 0;
  Backoff pause_;
  Nanoseconds paused_until_{0};
  std::uint64_t rounds_ = 0;        // pauses so far
  std::uint64_t head_at_loss_ = 0;  // the token of the oldest unanswered when the link went down last
  unsigned losses_at_head_ = 0;
  std::optional<std::uint64_t> suspect_;  // tried alone
  unsigned losses_alone_ = 0;

  PublicationWriter writer_;
  LossReport losses_;
  Replay replay_;
  BacklogWindow backlog_window_;
  Gathering gathering_;

  mqtt::Session session_;  // last: its thread uses all of the above
};

}  // namespace sluice
