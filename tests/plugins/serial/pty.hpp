// SPDX-License-Identifier: Apache-2.0
// The far end of a serial line: a pseudo terminal whose other side the plugin opens as its port. One owner. No termios.h
// here, so that a test may include the kernel's own header.
#pragma once

#include <string>
#include <string_view>

namespace plugin_test {

class Pty {
 public:
  Pty();   ///< throws std::system_error
  ~Pty();  ///< unplugs the port
  Pty(const Pty&) = delete;
  Pty& operator=(const Pty&) = delete;

  const std::string& device() const { return device_; }
  int fd() const { return fd_; }
  /// Lets the port be found under this path too, as udev does it for /dev/serial/by-id.
  void link(const std::string& path) const;

  void write(std::string_view bytes) const;
  /// Waits for so many bytes. Throws std::runtime_error with what came, when they do not.
  std::string read(std::size_t count) const;
  /// Has anything come that was not read?
  bool readable() const;

 private:
  int fd_ = -1;
  std::string device_;
};

}  // namespace plugin_test
