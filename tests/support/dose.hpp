// SPDX-License-Identifier: Apache-2.0
// How much of something a test does: a little in CI, all of it with SLUICE_FULL=1, or what a variable of its own says. For
// every thread.
#pragma once

#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>
#include <string>

namespace sluice::test {

inline std::optional<unsigned> number_in_environment(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  return static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

inline int dose(const char* variable, int small, int full) {
  const auto asked = number_in_environment(variable);
  if (asked) return static_cast<int>(*asked);
  return number_in_environment("SLUICE_FULL") == 1U ? full : small;
}

/// SLUICE_SEED, or another each time; printed, so that a run can be repeated.
inline unsigned seed() {
  const unsigned number = number_in_environment("SLUICE_SEED").value_or(std::random_device{}());
  std::cout << "SLUICE_SEED=" << number << '\n';
  return number;
}

}  // namespace sluice::test
