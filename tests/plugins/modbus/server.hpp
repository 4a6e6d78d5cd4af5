// SPDX-License-Identifier: Apache-2.0
// The Modbus server of pymodbus, and a pair of pseudo terminals. For one thread. (tests/support cannot be included beside
// the SDK's testing.hpp, whose names are in the same namespace; hence what is passed on from there.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sluice::modbus {

std::uint16_t free_port();
// Whether the condition came true in time.
bool eventually(const std::function<bool()>& condition);

class Server {
 public:
  // How: {"--tcp", "5020"}, or {"--rtu", "/dev/pts/3"}. Throws where it does not start.
  Server(std::vector<std::string> how, const std::string& units);
  ~Server();
  // Obeyed, and the answer.
  std::string operator()(const std::string& command);
  void stop();

 private:
  std::string line(std::size_t index);
  struct Running;
  std::unique_ptr<Running> running_;
  std::size_t commands_ = 0;
};

class PtyPair {
 public:
  PtyPair();
  ~PtyPair();
  const std::string& ours() const;
  const std::string& theirs() const;
  // A name in the directory of the two.
  std::string beside(const std::string& name) const;

 private:
  struct Running;
  std::unique_ptr<Running> running_;
};

}  // namespace sluice::modbus
