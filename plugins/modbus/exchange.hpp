// SPDX-License-Identifier: Apache-2.0
//
// Requests on the link, with retries and counters. Belongs to the thread of the instance.
#pragma once

#include "link.hpp"
#include "unit.hpp"

#include <sluice/host.hpp>

namespace sluice::modbus {

class Exchange {
 public:
  Exchange(Host host, const Options& options);
  // Repeated up to `retries` times where no good reply came. An exception is a good reply.
  Reply request(Unit& unit, const Pdu& pdu, unsigned retries);

 private:
  void count(const Reply& reply);

  Link link_;
  std::uint64_t opened_before_ = 0;
  Counter requests_;
  Counter timeouts_;
  Counter garbled_;
  Counter exceptions_;
  Counter reconnects_;
  Histogram response_time_;
};

}  // namespace sluice::modbus
