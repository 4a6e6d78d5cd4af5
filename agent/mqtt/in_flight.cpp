// SPDX-License-Identifier: Apache-2.0
#include "mqtt/in_flight.hpp"

#include <algorithm>

namespace sluice::mqtt {

void InFlight::add(std::uint16_t id, const Entry& entry) {
  entries_[id] = {entry, next_number_};
  order_.emplace_back(id, next_number_++);
  if (entry.qos == 0) ++qos0_;
  if (entry.qos == 2) ++qos2_;
  tidy();
}

// One that is never answered must not let the answered ones behind it pile up.
void InFlight::tidy() {
  constexpr std::size_t slack = 64;
  if (order_.size() <= 2 * entries_.size() + slack) return;
  const auto answered = [this](const auto& item) {
    const auto found = entries_.find(item.first);
    return found == entries_.end() || found->second.number != item.second;
  };
  order_.erase(std::remove_if(order_.begin(), order_.end(), answered), order_.end());
}

std::optional<InFlight::Entry> InFlight::take(std::uint16_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  const Entry entry = found->second.entry;
  entries_.erase(found);
  if (entry.qos == 0) --qos0_;
  if (entry.qos == 2) --qos2_;
  return entry;
}

std::vector<InFlight::Entry> InFlight::take_qos0() {
  std::vector<Entry> taken;
  const auto order = order_;
  for (const auto& [id, number] : order) {
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.number != number) continue;
    if (found->second.entry.qos == 0) taken.push_back(*take(id));
  }
  return taken;
}

std::optional<InFlight::TimePoint> InFlight::oldest() {
  while (!order_.empty()) {
    const auto found = entries_.find(order_.front().first);
    if (found != entries_.end() && found->second.number == order_.front().second)
      return found->second.entry.sent;
    order_.pop_front();
  }
  return std::nullopt;
}

void InFlight::restart(TimePoint now) {
  for (auto& [id, numbered] : entries_) numbered.entry.sent = now;
}

void InFlight::clear() {
  entries_.clear();
  order_.clear();
  qos0_ = 0;
  qos2_ = 0;
}

}  // namespace sluice::mqtt
