// SPDX-License-Identifier: Apache-2.0
// A link to a broker that can be cut, also in the middle of a packet (cutting_proxy.py). Not for several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "support/process.hpp"

namespace sluice::test {

class CuttingProxy {
 public:
  /// Passes connections on to that port. Throws std::runtime_error.
  explicit CuttingProxy(std::uint16_t target);

  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }
  void cut();  ///< all that are there
  /// Each connection, from the next one on, after so many bytes from the client, drawn in between.
  void cut_each(std::size_t least, std::size_t most, unsigned seed);
  void cut_none();
  std::size_t cuts() const;  ///< how many there were

 private:
  void tell(const std::string& line);
  std::size_t count(const std::string& line) const;

  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace sluice::test
