// SPDX-License-Identifier: Apache-2.0
// A broker that does what a script says (fake_broker.py tells the keys) and records what it receives.
// Not for several threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "support/process.hpp"

namespace sluice::test {

class FakeBroker {
 public:
  /// `script`: a JSON list with an object for each connection; the last one serves all further connections.
  /// `port`: of one that is gone, whose place it takes; 0: one of its own. Throws std::runtime_error.
  explicit FakeBroker(const std::string& script, std::uint16_t port = 0);
  ~FakeBroker();
  /// SIGKILL; what it has received until then can still be asked for.
  void kill();

  std::uint16_t port() const { return port_; }
  /// "mqtt://127.0.0.1:PORT"
  std::string url() const;

  /// All packets received so far, in order: {"connection":1,"packet":"PUBLISH","topic":…}.
  std::vector<nlohmann::json> packets() const;
  /// Those of one type, and of one connection unless 0.
  std::vector<nlohmann::json> packets(const std::string& type, int connection = 0) const;
  /// Waits until a packet satisfies `condition`.
  bool wait_for(const std::function<bool(const nlohmann::json&)>& condition,
                std::chrono::milliseconds timeout = patience) const;
  /// Waits for a packet of a type on a connection.
  bool wait_for(const std::string& type, int connection, std::chrono::milliseconds timeout = patience) const;

 private:
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace sluice::test
