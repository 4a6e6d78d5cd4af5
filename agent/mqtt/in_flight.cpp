// SPDX-License-Identifier: Apache-2.0
#include "mqtt/in_flight.hpp"

#include <algorithm>

namespace sluice::mqtt {

void InFlight::add(std::uint16_t id, const Entry& entry) {
  tidy();
  slots_.push_back({id, false, entry});
  ids_.set(id);
  ++size_;
  if (entry.qos == 0) ++qos0_;
  if (entry.qos == 2) ++qos2_;
}

// One that is never answered must not let the answered ones behind it pile up.
void InFlight::tidy() {
  constexpr std::size_t slack = 64;
  if (slots_.size() <= 2 * size_ + slack) return;
  std::erase_if(slots_, [](const Slot& slot) { return slot.answered; });
}

std::optional<InFlight::Entry> InFlight::take(std::uint16_t id) {
  if (!contains(id)) return std::nullopt;
  const auto found = std::find_if(slots_.begin(), slots_.end(),
                                  [id](const Slot& slot) { return slot.id == id && !slot.answered; });
  const Entry entry = found->entry;
  remove(*found);
  return entry;
}

void InFlight::remove(Slot& slot) {
  slot.answered = true;
  ids_.reset(slot.id);
  --size_;
  if (slot.entry.qos == 0) --qos0_;
  if (slot.entry.qos == 2) --qos2_;
  while (!slots_.empty() && slots_.front().answered) slots_.pop_front();
}

std::vector<InFlight::Entry> InFlight::take_qos0() {
  std::vector<std::uint16_t> ids;
  for (const Slot& slot : slots_) {
    if (!slot.answered && slot.entry.qos == 0) ids.push_back(slot.id);
  }
  std::vector<Entry> taken;
  for (const std::uint16_t id : ids) taken.push_back(*take(id));
  return taken;
}

std::optional<InFlight::TimePoint> InFlight::oldest() const {
  if (slots_.empty()) return std::nullopt;
  return slots_.front().entry.sent;
}

void InFlight::restart(TimePoint now) {
  for (Slot& slot : slots_) slot.entry.sent = now;
}

void InFlight::clear() {
  slots_.clear();
  ids_.reset();
  size_ = 0;
  qos0_ = 0;
  qos2_ = 0;
}

}  // namespace sluice::mqtt
