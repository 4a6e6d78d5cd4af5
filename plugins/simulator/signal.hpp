// SPDX-License-Identifier: Apache-2.0
//
// The values that a simulated instrument shows, one after the other; the same at every start. Owned by one instance.
#pragma once

#include <sluice/message.hpp>

#include <cstdint>
#include <random>

namespace simulator {

enum class Kind {
  counter,     // 0, 1, 2, …
  sine,        // between -1 and 1, 100 values a period, from 0 upwards
  random_walk  // from 0, each step between -1 and 1
};

class Signal {
 public:
  explicit Signal(Kind kind) : kind_(kind) {}

  // Adds the next value to `message` as the sample `value`: an integer of the counter, else a double.
  void next(sluice::Message& message);

 private:
  const Kind kind_;
  std::int64_t index_ = 0;
  double walked_ = 0;
  std::mt19937_64 random_{0};
};

}  // namespace simulator
