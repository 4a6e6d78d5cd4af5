// SPDX-License-Identifier: Apache-2.0
// What an instance needs of the agent around it. Implemented by the agent, which keeps it alive longer than every
// Instance; called on threads of the plugins, several at once, and none of it may call back into the instance but
// deliver().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mailbox.hpp"
#include "base/message.hpp"

namespace sluice::plugin {

enum class Outcome : std::uint8_t {
  done,
  refused,    ///< by the plugin, for good
  timed_out,  ///< not answered within InstanceOptions::complete_within
  stopped     ///< the instance ended first: what is durable is handed out again after the next start
};

/// How a delivery ended. A plugin's "try again later" is not an end: the instance hands the message out again.
struct Completion {
  Outcome outcome = Outcome::done;
  std::string text;             ///< why it was refused
  std::vector<Sample> samples;  ///< the result, for the response topic of the message
};

class Upstream {
 public:
  virtual ~Upstream() = default;

  /// Routes a message. Never blocks. `full`: back-pressure, `message` is left as it was; `closed`: the agent ends.
  /// `until_committed` may be null; otherwise it is kept until all durable destinations have committed the message,
  /// or delivered it, and let go then, on any thread: that is the signal.
  virtual Push accept(Message&& message, const std::shared_ptr<void>& until_committed) = 0;

  /// The same for several, all or none.
  virtual Push accept_all(std::vector<Message>&& messages, const std::shared_ptr<void>& until_committed) = 0;

  /// Waits until accept has room again; false: it has not.
  virtual bool wait_room(std::chrono::nanoseconds timeout) = 0;

  /// Comes exactly once for each delivery that deliver() took. Never blocks.
  virtual void completed(const Delivery& delivery, const Completion& completion) = 0;
};

}  // namespace sluice::plugin
