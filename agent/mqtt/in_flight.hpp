// SPDX-License-Identifier: Apache-2.0
// The publications that have no answer yet, by packet id, in the order in which they were sent. Owned by the session's
// thread.
#pragma once

#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
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

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t qos0() const { return qos0_; }
  std::size_t qos2() const { return qos2_; }
  bool contains(std::uint16_t id) const { return ids_[id]; }

  /// An id that is not there.
  void add(std::uint16_t id, const Entry& entry);
  /// The entry, which is gone from here; nothing: no such id. Soonest where answers come in order.
  std::optional<Entry> take(std::uint16_t id);
  /// Takes out all of QoS 0, in the order in which they were sent.
  std::vector<Entry> take_qos0();
  /// When the oldest was sent; nothing: there is none.
  std::optional<TimePoint> oldest() const;
  /// All count as sent now.
  void restart(TimePoint now);
  void clear();

 private:
  struct Slot {
    std::uint16_t id = 0;
    bool answered = false;
    Entry entry;
  };

  void remove(Slot& slot);
  void tidy();

  std::deque<Slot> slots_;      // the first one is not answered
  std::bitset<1U << 16U> ids_;  // of those that are not answered
  std::size_t size_ = 0;
  std::size_t qos0_ = 0;
  std::size_t qos2_ = 0;
};

}  // namespace sluice::mqtt
