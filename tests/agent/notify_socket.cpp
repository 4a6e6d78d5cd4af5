// SPDX-License-Identifier: Apache-2.0
#include "agent/notify_socket.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "support/wait_until.hpp"

namespace sluice::test {

NotifySocket::NotifySocket(const std::string& path)
    : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("bind " + path);
}

const std::vector<std::string>& NotifySocket::lines() {
  char text[4096];
  for (;;) {
    const ssize_t bytes = ::recv(socket_.get(), text, sizeof text, 0);
    if (bytes < 0) return lines_;
    std::istringstream said(std::string(text, static_cast<std::size_t>(bytes)));
    for (std::string line; std::getline(said, line);) lines_.push_back(line);
  }
}

bool NotifySocket::wait_for(const std::string& start, int count) {
  return wait_until([&] {
    const auto& all = lines();
    return std::count_if(all.begin(), all.end(),
                         [&](const std::string& line) { return line.rfind(start, 0) == 0; }) >= count;
  });
}

std::vector<std::string> NotifySocket::only(const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (const std::string& line : lines()) {
    if (std::find(words.begin(), words.end(), line) != words.end()) found.push_back(line);
  }
  return found;
}

}  // namespace sluice::test
