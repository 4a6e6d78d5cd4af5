// SPDX-License-Identifier: Apache-2.0
// The publications that have no answer yet, by packet id. Owned by the session's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice::mqtt {

class InFlight {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Entry {
    std::uint64_t token = 0;
    std::uint8_t qos = 0;
    bool own = false;  ///< the session's own status message, which has no token
    TimePoint sent;
  };

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::size_t qos0() const { return qos0_; }
  std::size_t qos2() const { return qos2_; }
  bool contains(std::uint16_t id) const { return entries_.count(id) != 0; }

  void add(std::uint16_t id, const Entry& entry);
  /// The entry, which is gone from here; nothing: no such id.
  std::optional<Entry> take(std::uint16_t id);
  /// Takes out all of QoS 0, in the order in which they were sent.
  std::vector<Entry> take_qos0();
  /// When the oldest was sent; nothing: there is none.
  std::optional<TimePoint> oldest();
  /// All count as sent now.
  void restart(TimePoint now);
  void clear();

 private:
  void tidy();

  struct Numbered {
    Entry entry;
    std::uint64_t number = 0;
  };
  std::unordered_map<std::uint16_t, Numbered> entries_;
  std::deque<std::pair<std::uint16_t, std::uint64_t>> order_;  // id and number, answered ones among them
  std::uint64_t next_number_ = 0;
  std::size_t qos0_ = 0;
  std::size_t qos2_ = 0;
};

}  // namespace sluice::mqtt
