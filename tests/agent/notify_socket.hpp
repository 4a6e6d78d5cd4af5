// SPDX-License-Identifier: Apache-2.0
// What systemd is to a service: a socket to which it says how it is. One owner.
#pragma once

#include <string>
#include <vector>

#include "base/file_descriptor.hpp"

namespace sluice::test {

class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path);  ///< throws std::runtime_error

  /// All that has been said so far, a line each.
  const std::vector<std::string>& lines();
  /// Waits until a line begins with `start`, `count` times in all.
  bool wait_for(const std::string& start, int count = 1);
  /// The lines that begin with one of the words, in their order.
  std::vector<std::string> only(const std::vector<std::string>& words);

 private:
  FileDescriptor socket_;
  std::vector<std::string> lines_;
};

}  // namespace sluice::test
