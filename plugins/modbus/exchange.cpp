// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"

namespace sluice::modbus {
namespace {

Link::Trace trace_of(Host host, bool wanted) {
  if (!wanted) return {};
  return [host](const std::string& line) { host.debug(line); };
}

}  // namespace

Exchange::Exchange(Host host, const Options& options)
    : link_(options.link, host.stop_fd(), trace_of(host, options.trace)),
      requests_(host.counter("requests")),
      timeouts_(host.counter("timeouts")),
      garbled_(host.counter("garbled")),
      exceptions_(host.counter("exceptions")),
      reconnects_(host.counter("reconnects")),
      response_time_(host.histogram("response_time")) {}

Reply Exchange::request(Unit& unit, const Pdu& pdu, unsigned retries) {
  for (unsigned attempt = 0;; ++attempt) {
    if (link_.serial_frames() && !link_.quiet(unit.late_until)) return Reply{Outcome::stopped, 0, {}, {}, {}};
    const Clock::time_point start = Clock::now();
    Reply reply = link_.exchange(unit.options().id, pdu);
    count(reply);
    const bool answered = reply.outcome == Outcome::ok || reply.outcome == Outcome::exception;
    if (answered) response_time_.record(reply.time - start);
    if (reply.outcome == Outcome::timeout && link_.serial_frames()) {
      unit.late_until = Clock::now() + link_.options().response_timeout;
    }
    const bool hopeless = reply.outcome == Outcome::down || reply.outcome == Outcome::stopped;
    if (answered || hopeless || attempt >= retries) return reply;
  }
}

void Exchange::count(const Reply& reply) {
  if (reply.outcome != Outcome::down && reply.outcome != Outcome::stopped) ++requests_;
  if (reply.outcome == Outcome::timeout) ++timeouts_;
  if (reply.outcome == Outcome::garbled) ++garbled_;
  if (reply.outcome == Outcome::exception) ++exceptions_;
  const std::uint64_t opened = link_.times_opened();
  if (opened_before_ > 0) reconnects_.add(static_cast<double>(opened - opened_before_));
  opened_before_ = opened;
}

}  // namespace sluice::modbus
