// SPDX-License-Identifier: Apache-2.0
// How much of the backlog may be unanswered at once where live messages go first: so much that it keeps the link busy, and
// does not stand in a queue before the broker, in which live messages would wait as well. Owned by the forwarder, on the
// session's thread.
//
// As background transfers on the Internet do (RFC 6817, LEDBAT): what an answer takes beyond the least it ever took is
// time in a queue, and the window aims at a little of that. A quarter of the session's window is left to live messages
// in any case.
#pragma once

#include <cstddef>
#include <optional>

#include "base/clock.hpp"

namespace sluice {

class BacklogWindow {
 public:
  explicit BacklogWindow(const Clock& clock) : clock_(clock) {}

  /// Another way to the broker, perhaps: everything is measured anew.
  void link_up();
  /// May one more be sent, with `in_flight` of the backlog unanswered and the session's window?
  bool may_send(std::size_t in_flight, std::size_t session_window) const;
  /// One of the backlog that was sent then is answered.
  void answered(Nanoseconds sent_at);
  /// Judges by what has been answered since the last call; what was read from the socket together counts once.
  void adapt(std::size_t session_window);
  /// So many answers are worth being read together, while the backlog waits for them.
  std::size_t worth_reading() const;

 private:
  std::size_t size(std::size_t session_window) const;

  const Clock& clock_;
  double size_ = first_size;
  std::size_t answered_ = 0;
  std::optional<Nanoseconds> took_;       // the last of them; it has waited least for the others
  std::optional<Nanoseconds> least_;      // within this period and the one before
  std::optional<Nanoseconds> least_now_;  // within this period
  Nanoseconds period_began_{0};

  static constexpr double first_size = 2;
};

}  // namespace sluice
