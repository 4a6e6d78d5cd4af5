// SPDX-License-Identifier: Apache-2.0
#include "signal.hpp"

#include <cmath>

namespace simulator {

void Signal::next(sluice::Message& message) {
  constexpr double two_pi = 6.283185307179586;
  constexpr std::int64_t period = 100;
  const std::int64_t index = index_++;
  switch (kind_) {
    case Kind::counter:
      message.sample("value", index);
      break;
    case Kind::sine:
      message.sample("value", std::sin(two_pi * static_cast<double>(index % period) / period));
      break;
    case Kind::random_walk:
      message.sample("value", walked_);
      walked_ += std::uniform_real_distribution<double>(-1, 1)(random_);
      break;
  }
}

}  // namespace simulator
