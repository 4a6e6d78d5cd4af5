// SPDX-License-Identifier: Apache-2.0
// Commands from the broker: refuses those that are retained or old, routes the others, and answers each that asks for
// it on its response topic, with its correlation data. Owned by the agent; received() comes on the session's thread,
// completed() on those of plugins.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/message.hpp"
#include "base/metrics.hpp"
#include "plugin/upstream.hpp"
#include "router.hpp"

namespace sluice {

class Downlink {
 public:
  /// A command whose payload has a `ts` older than this is not carried out any more.
  static constexpr std::chrono::seconds oldest{60};

  using Route = std::function<Router::Outcome(Message&& command)>;
  using Reply = std::function<void(Delivery&& answer)>;

  Downlink(Route route, Reply reply, const Clock& clock, Metrics& metrics, Log log);

  /// A message from a subscription; `retained`: the broker had kept it, so nobody knows how old it is.
  void received(Message&& command, bool retained);

  /// How a delivery to an instance ended. Answers commands; what came from inputs is none.
  void completed(const Delivery& delivery, const plugin::Completion& completion);

 private:
  void answer(const Message& command, bool ok, const std::string& error, const std::vector<Sample>& result);
  void refuse(const Message& command, const std::string& why);

  const Route route_;
  const Reply reply_;
  const Clock& clock_;
  const Log log_;
  Counter& received_;
  Counter& expired_;
  Counter& refused_;
  Counter& answered_;
};

}  // namespace sluice
