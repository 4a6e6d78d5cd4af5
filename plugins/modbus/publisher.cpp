// SPDX-License-Identifier: Apache-2.0
#include "publisher.hpp"

#include <algorithm>

namespace sluice::modbus {

Publisher::Publisher(Host host, const UnitOptions& unit, PublishErrors errors)
    : host_(host), unit_(unit), errors_(errors), states_(unit.tags.size()) {
  if (!unit_.group) return;
  for (const Tag& tag : unit_.tags) group_.push_back(Sample{tag.name, {}, Quality::Bad, {}});
}

void Publisher::begin_cycle() {
  for (State& state : states_) state.seen = state.changed = false;
  group_time_ = {};
}

void Publisher::value(std::size_t tag, const Decoded& decoded, std::chrono::steady_clock::time_point time) {
  if (!decoded.error.empty()) return bad(tag, decoded.error);
  note(tag, {});
  if (unit_.group) {
    group_[tag].value = decoded.value;
    group_[tag].quality = Quality::Good;
    group_[tag].error.clear();
    group_time_ = time;
    return;
  }
  Message& message = next();
  message.placeholder("tag", unit_.tags[tag].name).sample("value", decoded.value).at(time);
  if (!unit_.tags[tag].unit.empty()) message.user_property("unit", unit_.tags[tag].unit);
}

void Publisher::bad(std::size_t tag, std::string_view error) {
  note(tag, error);
  if (unit_.group) {
    group_[tag].value = Value();
    group_[tag].quality = Quality::Bad;
    group_[tag].error = std::string(error);
    return;
  }
  if (errors_ == PublishErrors::none || (errors_ == PublishErrors::change && !states_[tag].changed)) return;
  next().placeholder("tag", unit_.tags[tag].name).bad("value", error).at(std::chrono::steady_clock::now());
}

bool Publisher::flush() {
  const bool taken = used_ == 0 || host_.emit_waiting(MessageSpan(messages_.data(), used_));
  used_ = 0;
  return taken;
}

bool Publisher::end_cycle(std::string_view error) {
  for (std::size_t tag = 0; tag < states_.size(); ++tag) {
    if (!states_[tag].seen) bad(tag, error);
  }
  if (unit_.group) add_group();
  return flush();
}

// An empty error is a good value.
void Publisher::note(std::size_t tag, std::string_view error) {
  State& state = states_[tag];
  state.seen = true;
  const bool bad = !error.empty();
  state.changed = bad != state.bad || error != state.error;
  if (!state.changed) return;
  state.bad = bad;
  state.error = std::string(error);
}

Message& Publisher::next() {
  if (used_ == messages_.size()) messages_.emplace_back();
  return messages_[used_++].clear().placeholder("unit", unit_.name);
}

void Publisher::add_group() {
  const bool some_good =
      std::any_of(states_.begin(), states_.end(), [](const State& state) { return !state.bad; });
  const bool changed =
      std::any_of(states_.begin(), states_.end(), [](const State& state) { return state.changed; });
  if (!some_good && (errors_ == PublishErrors::none || (errors_ == PublishErrors::change && !changed)))
    return;
  Message& message = next().placeholder("tag", "all");
  message.at(some_good ? group_time_ : std::chrono::steady_clock::now());
  for (const Sample& sample : group_) {
    if (sample.quality == Quality::Good || errors_ != PublishErrors::none) message.sample(sample);
  }
}

}  // namespace sluice::modbus
