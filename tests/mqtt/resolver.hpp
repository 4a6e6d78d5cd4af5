// SPDX-License-Identifier: Apache-2.0
// A resolver that does as the test wants with a few names: this program's getaddrinfo() stands before the system's.
// For every thread.
#pragma once

#include <string>
#include <vector>

namespace sluice::mqtt::test {

/// One name, at which the resolver hangs as long as this lives.
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

/// One name that has these addresses as long as this lives. One at a time.
class KnownName {
 public:
  static constexpr const char* host = "known.test";

  explicit KnownName(std::vector<std::string> addresses);
  ~KnownName();
  KnownName(const KnownName&) = delete;
  KnownName& operator=(const KnownName&) = delete;

  /// From now on it has these. None: it cannot be resolved.
  void move(std::vector<std::string> addresses);
};

}  // namespace sluice::mqtt::test
