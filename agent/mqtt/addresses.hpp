// SPDX-License-Identifier: Apache-2.0
// The addresses of a broker's name, and which of them is tried next: the library would only ever try the first that
// takes a SYN. Owned by the session's thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sluice::mqtt {

/// Whether it is an IPv4 or IPv6 address (with or without a zone), and no name.
bool is_address(const std::string& host);

/// The addresses of `host`, each once, the system's preferred first; of an address itself. Never empty. Blocks while the
/// system resolves. Throws std::runtime_error that says in words why there is none.
std::vector<std::string> resolve(const std::string& host);

/// Goes round the addresses of one name, whatever they are each time. An address that worked is kept.
class AddressRound {
 public:
  /// The one to try now: that of the last time, or the one behind it if that failed. `addresses` is not empty.
  const std::string& choose(std::vector<std::string> addresses);

  /// What choose() answered came to nothing. Whether this round has another one; otherwise a round begins.
  bool failed();
  /// It has answered, and wants nothing of us: a round begins, behind it.
  void refused();

  /// What choose() answered last, where there was a choice; otherwise empty.
  std::string chosen_of_several() const { return count_ > 1 ? current_ : std::string(); }

 private:
  std::string current_;
  std::size_t count_ = 0;
  std::size_t tried_ = 0;  // in this round
  bool failed_ = false;
};

}  // namespace sluice::mqtt
