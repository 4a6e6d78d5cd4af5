// SPDX-License-Identifier: Apache-2.0
// What an agent has called committed, through kills and faults, and what a subscriber has got of it. Messages are known by their
// ids; some are promised one by one, by the input `acknowledged`, which reports each that the agent has called safe.
// Not for several threads at once.
#pragma once

#include <cstdint>
#include <ostream>
#include <set>
#include <string>

#include "agent/agent_process.hpp"
#include "support/historian.hpp"

namespace sluice::test {

class Account {
 public:
  /// `agent` and `historian` outlive it; the latter has received nothing yet.
  Account(const AgentProcess& agent, Historian& historian);

  /// The table of the input that reports, at so many messages a second.
  std::string promising_input(double rate) const;
  /// Looks at the queue of an agent that was killed: what it holds must arrive. Throws std::runtime_error where the ledger
  /// does not add up, or says less than before.
  void look_at_the_queue();

  struct Balance {
    std::uint64_t committed = 0;
    std::uint64_t delivered = 0;  ///< different ones
    std::uint64_t duplicated = 0;
    std::uint64_t counted_away = 0;
    std::uint64_t lost = 0;
    std::uint64_t promised = 0;  ///< of those that are reported one by one
    std::uint64_t found = 0;     ///< in the queue, after a kill
  };
  /// Of an agent whose queue has been drained.
  Balance balance();

 private:
  nlohmann::json verified() const;

  const AgentProcess& agent_;
  Historian& historian_;
  const std::string report_;    // written by the input
  std::set<std::string> kept_;  // ids found in the queue
  std::uint64_t committed_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Account::Balance& balance);

}  // namespace sluice::test
