// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

namespace sluice::queue {

/// A file is of a later version of Sluice. It was left alone.
class FormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace sluice::queue
