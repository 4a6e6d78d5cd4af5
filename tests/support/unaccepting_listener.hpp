// SPDX-License-Identifier: Apache-2.0
// A port whose connections never come about: it listens, and its backlog is full, so that the kernel drops every
// SYN. What a firewall without manners looks like. One owner.
#pragma once

#include <cstdint>
#include <vector>

#include "base/file_descriptor.hpp"

namespace sluice::test {

class UnacceptingListener {
 public:
  UnacceptingListener();  ///< throws std::system_error
  std::uint16_t port() const { return port_; }

 private:
  FileDescriptor listener_;
  std::vector<FileDescriptor> waiting_;  // fill the backlog
  std::uint16_t port_ = 0;
};

}  // namespace sluice::test
