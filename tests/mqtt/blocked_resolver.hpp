// SPDX-License-Identifier: Apache-2.0
// A resolver that hangs on one name for as long as the test wants: this program's getaddrinfo() stands before
// the system's. For every thread.
#pragma once

namespace sluice::mqtt::test {

class BlockedResolver {
 public:
  static constexpr const char* host = "blocked.test";

  BlockedResolver();
  /// Releases.
  ~BlockedResolver();
  BlockedResolver(const BlockedResolver&) = delete;
  BlockedResolver& operator=(const BlockedResolver&) = delete;

  /// Calls that hang now.
  int waiting() const;
  /// They return, with an error.
  void release();
};

}  // namespace sluice::mqtt::test
