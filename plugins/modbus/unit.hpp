// SPDX-License-Identifier: Apache-2.0
//
// One unit of the bus: the requests that read it, and whether it is worth asking. No input or output; the time is handed
// in. Belongs to the thread of the instance.
//
// A unit is healthy until a cycle fails. Then it is suspect: asked after the healthy ones, without retries. After
// put_aside_after failed cycles in a row it is put aside, and asked again every put_aside_for.
#pragma once

#include "options.hpp"
#include "publisher.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace sluice::modbus {

class Unit {
 public:
  enum class State : std::uint8_t { healthy, suspect, aside };

  struct Step {
    Request request;
    Clock::time_point not_before{};  // of one that the unit refused
    std::string error;               // why
  };

  Unit(Host host, UnitOptions options, PublishErrors errors);
  Unit(const Unit&) = delete;  // the publisher refers to the options
  Unit& operator=(const Unit&) = delete;

  const UnitOptions& options() const { return options_; }
  Publisher& publisher() { return publisher_; }
  State state() const { return state_; }
  // Put aside, and the time has come to ask it again?
  bool due(Clock::time_point now) const { return state_ == State::aside && now >= aside_until_; }
  Clock::time_point aside_until() const { return aside_until_; }
  const std::string& error() const { return error_; }  // of the last failed cycle

  const std::vector<Step>& steps() const { return steps_; }
  // The plan as it was before the unit refused anything.
  void renew_plan();
  // Replaces the step by its two halves, for good or until renew_plan. False: it has only one tag.
  bool split(std::size_t step);
  // The unit refuses this step, which is left out for put_aside_for.
  void refuse(std::size_t step, const std::string& error, Clock::time_point now);
  void accept(std::size_t step) { steps_[step].error.clear(); }

  // A cycle failed, or went well. True: the state is another one now.
  bool fail(const std::string& error, Clock::time_point now);
  bool succeed();

  // RTU: until then it may still be sending a late reply.
  Clock::time_point late_until{};

 private:
  const UnitOptions options_;
  Publisher publisher_;
  std::vector<Step> steps_;
  State state_ = State::healthy;
  unsigned failed_cycles_ = 0;
  Clock::time_point aside_until_{};
  std::string error_;
};

}  // namespace sluice::modbus
