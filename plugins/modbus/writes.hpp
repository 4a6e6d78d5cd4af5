// SPDX-License-Identifier: Apache-2.0
//
// Messages that write tags: taken from the host, checked, carried out one at a time, and answered with what the unit holds
// afterwards. Belongs to the thread of the instance.
#pragma once

#include "command.hpp"
#include "exchange.hpp"
#include "unit.hpp"

#include <sluice/host.hpp>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace sluice::modbus {

class Writes {
 public:
  // `units` and `exchange` must outlive it.
  Writes(Host host, const std::vector<std::unique_ptr<Unit>>& units, Exchange& exchange, unsigned retries);

  // Takes what waits; what cannot be is refused at once. False: the instance is to end.
  bool take();
  bool empty() const { return waiting_.empty(); }
  // Carries out the first message. False: the instance is to end.
  bool serve_one();

 private:
  struct Order {
    Unit* unit;
    const Tag* tag;
    Encoded encoded;
  };
  struct Job {
    std::uint64_t token;
    std::vector<Order> orders;
  };

  std::vector<Order> check(const ReceivedMessage& message) const;
  Order find(const Command& command) const;
  Sample carry_out(const Order& order);
  Reply ask(const Order& order, const Pdu& pdu);
  Sample read_back(const Order& order, const std::vector<std::uint16_t>& written);

  Host host_;
  const std::vector<std::unique_ptr<Unit>>& units_;
  Exchange& exchange_;
  const unsigned retries_;
  std::deque<Job> waiting_;  // at most what one receive gives
  Counter writes_;
  Counter refused_;
};

}  // namespace sluice::modbus
