// SPDX-License-Identifier: Apache-2.0
#include "bus.hpp"

#include <algorithm>

namespace sluice::modbus {
namespace {

std::vector<std::unique_ptr<Unit>> units_of(Host host, const Options& options) {
  std::vector<std::unique_ptr<Unit>> units;
  for (const UnitOptions& unit : options.units) {
    units.push_back(std::make_unique<Unit>(host, unit, options.publish_errors));
  }
  return units;
}

// Perhaps only one of the tags is meant. (Some devices answer 3 or 4 to an address that they lack.)
bool may_be_one_tag(std::uint8_t exception) {
  return exception >= 2 && exception <= 4;
}
// Will the same request be refused again?
bool lasting(std::uint8_t exception) {
  return exception >= 1 && exception <= 4;
}
// A gateway's way to say that the unit does not answer.
bool unit_is_gone(std::uint8_t exception) {
  return exception == 10 || exception == 11;
}

}  // namespace

Bus::Bus(Host host, const Options& options)
    : host_(host),
      cycle_(options.cycle),
      retries_(options.retries),
      units_(units_of(host, options)),
      exchange_(host, options),
      writes_(host, units_, exchange_, options.retries),
      overruns_(host.counter("overruns")),
      cycles_(host.counter("cycles")),
      put_aside_(host.gauge("put_aside")) {
  count_aside();
}

void Bus::run() {
  Clock::time_point next = Clock::now();
  while (wait_until(next)) {
    cycle(next + cycle_);
    if (stopped_) return;
    ++cycles_;
    next += cycle_;
    const Clock::time_point now = Clock::now();
    if (now > next) {
      // Late: begin at once, leave out the cycles that are over, and keep to the grid.
      const auto left_out = (now - next) / cycle_;
      overruns_.add(1.0 + static_cast<double>(left_out));
      next += left_out * cycle_;
    }
  }
}

// Serves writes meanwhile. False: the instance is to end.
bool Bus::wait_until(Clock::time_point time) {
  for (;;) {
    const auto left = std::max(time - Clock::now(), Clock::duration::zero());
    const Wake wake = writes_.empty() ? host_.wait(left, -1) : host_.wait(std::chrono::nanoseconds(0), -1);
    if (wake.stopping || !writes_.take() || !writes_.serve_one()) return false;
    if (Clock::now() >= time) return true;
  }
}

void Bus::cycle(Clock::time_point end) {
  std::vector<Unit*> suspects;
  std::vector<Unit*> rest;
  std::vector<Unit*> order;
  for (const auto& unit : units_) {
    if (unit->state() == Unit::State::healthy) {
      order.push_back(unit.get());
    } else if (unit->state() == Unit::State::suspect) {
      suspects.push_back(unit.get());
    } else {
      rest.push_back(unit.get());
    }
  }
  Round round = Round::done;
  for (Unit* unit : order) {
    if (round == Round::done) round = read_unit(*unit, retries_);
    if (round == Round::stopped) return;
    if (round == Round::down) skip(*unit, down_error_);
  }
  bool tried = false;
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    Unit& unit = *suspects[(first_suspect_ + i) % suspects.size()];
    if (round == Round::done && (!tried || Clock::now() < end)) {
      round = read_unit(unit, 0);
      tried = true;
      if (round == Round::done) continue;
      if (round == Round::stopped) return;
    }
    skip(unit, round == Round::down ? down_error_ : unit.error());
  }
  ++first_suspect_;
  Unit* const probed = round == Round::done ? longest_due(Clock::now()) : nullptr;
  for (Unit* unit : rest) {
    if (unit == probed) {
      round = read_unit(*unit, 0);
      if (round == Round::stopped) return;
      if (round == Round::done) continue;
    }
    skip(*unit, unit->error());
  }
}

Bus::Round Bus::read_unit(Unit& unit, unsigned retries) {
  Publisher& publisher = unit.publisher();
  publisher.begin_cycle();
  if (unit.state() == Unit::State::aside) unit.renew_plan();
  std::string error;
  for (std::size_t step = 0; step < unit.steps().size();) {
    // One write between two reads, so that neither waits for many of the other kind.
    if (!writes_.take() || !writes_.serve_one()) {
      stopped_ = true;
      return Round::stopped;
    }
    const Step result = read_step(unit, step, retries, error);
    if (result == Step::stopped || !publisher.flush()) {
      stopped_ = true;
      return Round::stopped;
    }
    if (result == Step::down) {
      note_link(error);
      return Round::down;
    }
    note_link({});
    if (result == Step::failed) {
      failed(unit, error);
      break;
    }
    if (result == Step::done) ++step;
  }
  if (error.empty()) succeeded(unit);
  if (!publisher.end_cycle(error)) {
    stopped_ = true;
    return Round::stopped;
  }
  return Round::done;
}

Bus::Step Bus::read_step(Unit& unit, std::size_t step, unsigned retries, std::string& error) {
  const Unit::Step& planned = unit.steps()[step];
  const Request& request = planned.request;
  const auto all_bad = [&](const std::string& why) {
    for (const std::size_t tag : request.tags) unit.publisher().bad(tag, why);
  };
  if (!planned.error.empty() && Clock::now() < planned.not_before) {
    all_bad(planned.error);
    return Step::done;
  }
  const Pdu pdu = read_pdu(request.kind, request.address, request.count);
  const Reply reply = exchange_.request(unit, pdu, retries);
  switch (reply.outcome) {
    case Outcome::ok: {
      const std::vector<std::uint16_t> words = words_of(pdu, reply.pdu);
      for (const std::size_t tag : request.tags) {
        const Tag& which = unit.options().tags[tag];
        unit.publisher().value(tag, decode(which, words.data() + (which.address - request.address)),
                               reply.time);
      }
      unit.accept(step);
      return Step::done;
    }
    case Outcome::exception:
      if (unit_is_gone(reply.exception)) break;
      if (may_be_one_tag(reply.exception) && unit.split(step)) return Step::again;
      if (lasting(reply.exception)) {
        if (planned.error.empty()) {
          host_.warn("unit " + unit.options().name + ": " + describe(request, unit.options().tags) + ": " +
                     reply.error + "; the rest is read without it");
        }
        unit.refuse(step, reply.error, Clock::now());
      }
      all_bad(reply.error);
      return Step::done;
    case Outcome::down:
      error = reply.error;
      return Step::down;
    case Outcome::stopped:
      return Step::stopped;
    default:
      break;
  }
  error = reply.error;
  return Step::failed;
}

void Bus::failed(Unit& unit, const std::string& error) {
  if (!unit.fail(error, Clock::now())) return;
  const std::string who = "unit " + unit.options().name + ": " + error;
  if (unit.state() == Unit::State::aside) {
    host_.warn(who + "; it is put aside, and asked again every " +
               std::to_string(
                   std::chrono::duration_cast<std::chrono::seconds>(unit.options().put_aside_for).count()) +
               " s");
  } else {
    host_.warn(who);
  }
  count_aside();
}

void Bus::succeeded(Unit& unit) {
  if (!unit.succeed()) return;
  host_.info("unit " + unit.options().name + " answers again");
  count_aside();
}

// Not asked in this cycle.
void Bus::skip(Unit& unit, const std::string& error) {
  unit.publisher().begin_cycle();
  if (!unit.publisher().end_cycle(error)) stopped_ = true;
}

void Bus::note_link(const std::string& down_error) {
  if (down_error_.empty() && !down_error.empty()) host_.warn(down_error);
  if (!down_error_.empty() && down_error.empty()) {
    host_.info("the connection is there again");
    // It may be another device now, or the same with other registers.
    for (const auto& unit : units_) unit->renew_plan();
  }
  down_error_ = down_error;
}

Unit* Bus::longest_due(Clock::time_point now) {
  Unit* found = nullptr;
  for (const auto& unit : units_) {
    if (unit->due(now) && (found == nullptr || unit->aside_until() < found->aside_until()))
      found = unit.get();
  }
  return found;
}

void Bus::count_aside() {
  put_aside_.set(static_cast<double>(std::count_if(
      units_.begin(), units_.end(), [](const auto& unit) { return unit->state() == Unit::State::aside; })));
}

}  // namespace sluice::modbus
