// SPDX-License-Identifier: Apache-2.0
#include "plugins/serial/pty.hpp"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

namespace plugin_test {

namespace {

// Only ends what would hang.
constexpr std::chrono::seconds patience{30};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Pty::Pty() : fd_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  if (fd_ < 0) fail("posix_openpt");
  std::array<char, 128> name{};
  if (::grantpt(fd_) != 0 || ::unlockpt(fd_) != 0 || ::ptsname_r(fd_, name.data(), name.size()) != 0)
    fail("pty");
  device_ = name.data();
}

Pty::~Pty() {
  ::close(fd_);
}

void Pty::link(const std::string& path) const {
  ::unlink(path.c_str());
  if (::symlink(device_.c_str(), path.c_str()) != 0) fail("symlink");
}

void Pty::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count < 0) fail("write to the pty");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string Pty::read(std::size_t count) const {
  std::string all;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (all.size() < count && std::chrono::steady_clock::now() < deadline) {
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, 100) <= 0 || (ready.revents & POLLIN) == 0) continue;
    std::array<char, 4096> chunk{};
    const ssize_t got = ::read(fd_, chunk.data(), std::min(chunk.size(), count - all.size()));
    if (got > 0) all.append(chunk.data(), static_cast<std::size_t>(got));
  }
  if (all.size() < count) throw std::runtime_error("the port wrote only \"" + all + "\"");
  return all;
}

bool Pty::readable() const {
  pollfd ready{fd_, POLLIN, 0};
  return ::poll(&ready, 1, 0) > 0 && (ready.revents & POLLIN) != 0;
}

}  // namespace plugin_test
