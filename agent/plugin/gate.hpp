// SPDX-License-Identifier: Apache-2.0
// Lets calls pass until it is closed; closing waits for those inside. Calls may nest, so it is no lock. Safe from
// every thread, but a call that is inside must not close it.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::plugin {

class Gate {
 public:
  /// A call on its way through; false: the gate was closed.
  class Pass {
   public:
    explicit Pass(Gate& gate) noexcept : gate_(gate), inside_(gate.enter()) {}
    ~Pass() {
      if (inside_) gate_.leave();
    }
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    explicit operator bool() const { return inside_; }

   private:
    Gate& gate_;
    const bool inside_;
  };

  void close() noexcept {
    state_.fetch_or(closed);
    for (std::uint32_t state = state_.load(); state != closed; state = state_.load()) state_.wait(state);
  }

 private:
  static constexpr std::uint32_t closed = 1U << 31U;

  bool enter() noexcept {
    if ((state_.fetch_add(1) & closed) == 0) return true;
    leave();
    return false;
  }
  void leave() noexcept {
    if (state_.fetch_sub(1) == closed + 1) state_.notify_all();
  }

  std::atomic<std::uint32_t> state_{0};  // closed, and the number of calls inside
};

}  // namespace sluice::plugin
