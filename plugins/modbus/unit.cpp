// SPDX-License-Identifier: Apache-2.0
#include "unit.hpp"

#include <utility>

namespace sluice::modbus {

Unit::Unit(Host host, UnitOptions options, PublishErrors errors)
    : options_(std::move(options)), publisher_(host, options_, errors) {
  renew_plan();
}

void Unit::renew_plan() {
  steps_.clear();
  for (Request& request : make_plan(options_.tags, options_.limits))
    steps_.push_back(Step{std::move(request), {}, {}});
}

bool Unit::split(std::size_t step) {
  if (steps_[step].request.tags.size() < 2) return false;
  auto [first, second] = modbus::split(steps_[step].request, options_.tags);
  steps_[step] = Step{std::move(first), {}, {}};
  steps_.insert(steps_.begin() + static_cast<std::ptrdiff_t>(step) + 1, Step{std::move(second), {}, {}});
  return true;
}

void Unit::refuse(std::size_t step, const std::string& error, Clock::time_point now) {
  steps_[step].error = error;
  steps_[step].not_before = now + options_.put_aside_for;
}

bool Unit::fail(const std::string& error, Clock::time_point now) {
  error_ = error;
  const State before = state_;
  state_ = ++failed_cycles_ >= options_.put_aside_after ? State::aside : State::suspect;
  if (state_ == State::aside) aside_until_ = now + options_.put_aside_for;
  return state_ != before;
}

bool Unit::succeed() {
  failed_cycles_ = 0;
  error_.clear();
  return std::exchange(state_, State::healthy) != State::healthy;
}

}  // namespace sluice::modbus
