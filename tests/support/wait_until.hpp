// SPDX-License-Identifier: Apache-2.0
// Waiting for a condition that nothing announces: the one place of the tests that sleeps. For every thread.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace sluice::test {

/// Far more than anything takes, also under a sanitizer on a busy machine: it only ends what would hang.
inline constexpr std::chrono::seconds patience{60};

/// Whether `condition` came true within `timeout`.
inline bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds timeout = patience) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace sluice::test
