// SPDX-License-Identifier: Apache-2.0
#include "support/unaccepting_listener.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "support/free_port.hpp"

namespace sluice::test {

UnacceptingListener::UnacceptingListener()
    : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), port_(free_port()) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(listener_.get(), raw, sizeof address) != 0 || ::listen(listener_.get(), 0) != 0) {
    throw std::system_error(errno, std::generic_category(), "listener");
  }
  for (int i = 0; i < 4; ++i) {
    waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    [[maybe_unused]] const int connected = ::connect(waiting_.back().get(), raw, sizeof address);
  }
}

}  // namespace sluice::test
