// SPDX-License-Identifier: Apache-2.0
// A broker of another make, aedes in node, which speaks MQTT 3.1.1. Its package is installed by npm, once a build tree, when a
// test first asks for it. Not for several threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "support/process.hpp"

namespace sluice::test {

class AedesBroker {
 public:
  /// Installs the package where that has not been done; where it cannot be had, why_not() says so, and nothing can be started.
  AedesBroker();

  const std::string& why_not() const { return why_not_; }  ///< empty: it can be used
  void start();  ///< on the same port each time; throws std::runtime_error
  void kill();
  std::uint16_t port() const { return port_; }
  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

 private:
  std::string install() const;

  std::string folder_;
  std::string why_not_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace sluice::test
