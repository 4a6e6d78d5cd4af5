// SPDX-License-Identifier: Apache-2.0
#include "support/free_port.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>

#include "base/file_descriptor.hpp"

namespace sluice::test {
namespace {

// Below net.ipv4.ip_local_port_range as Linux sets it.
constexpr unsigned first_port = 15000;
constexpr unsigned last_port = 31999;

bool nobody_listens(std::uint16_t port) {
  const FileDescriptor probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// A name in the abstract socket space belongs to one process and goes away with it, whatever happens to it.
bool reserve(std::uint16_t port) {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const std::string name = "sluice-test-port-" + std::to_string(port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;  // open until exit
  ::close(fd);
  return false;
}

}  // namespace

std::uint16_t free_port() {
  std::random_device random;
  std::uniform_int_distribution<unsigned> ports(first_port, last_port);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const auto port = static_cast<std::uint16_t>(ports(random));
    if (nobody_listens(port) && reserve(port)) return port;
  }
  throw std::runtime_error("no free port found");
}

}  // namespace sluice::test
