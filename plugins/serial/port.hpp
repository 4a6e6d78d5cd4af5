// SPDX-License-Identifier: Apache-2.0
//
// An open serial port: a tty that is ours alone. Owned by one instance; every function belongs to its thread. Nothing here
// waits: readiness is asked for with poll(2) on fd().
//
// Exclusive by flock(2), which other programs that care for it respect, root's too, and by TIOCEXCL, by which the kernel
// refuses the others. A pseudo terminal gets the flock only: there the kernel keeps TIOCEXCL after the death of its
// holder for as long as the other side is open, and the agent would lock itself out.
#pragma once

#include "line.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace serial {

// The port cannot be opened, or is gone. The text says which, and what helps.
struct PortError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Port {
 public:
  // Opens and sets up the device, and drops what came in before. Throws PortError.
  Port(const std::string& device, const Line& line);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  int fd() const { return fd_; }
  // What was wished for and the device cannot do: for the log.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // Up to `capacity` bytes that are there; 0: none now. Throws PortError where the device is gone.
  std::size_t read(char* to, std::size_t capacity);
  // Hands bytes to the kernel, and says how many it took. Throws PortError.
  std::size_t write(std::string_view bytes);
  // Bytes that the kernel holds and has not sent.
  std::size_t unsent() const;
  // Drops those.
  void drop_unsent();
  // Parity, framing and overrun errors that the driver has counted since the machine started; 0 where it counts none.
  std::uint64_t line_errors() const;

 private:
  void claim();
  void configure(const Line& line);
  void set_signal(Signal to, int bit, const char* name);
  [[noreturn]] void fail(const std::string& what, int error) const;

  const std::string device_;
  std::vector<std::string> warnings_;
  int fd_ = -1;
  bool pseudo_terminal_ = false;
};

}  // namespace serial
