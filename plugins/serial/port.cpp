// SPDX-License-Identifier: Apache-2.0
#include "port.hpp"

#include "ports.hpp"

#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <system_error>

namespace serial {

namespace {

std::string reason(int error) {
  return std::system_category().message(error);
}

// UNIX98_PTY_SLAVE_MAJOR of the kernel, and its seven successors.
bool is_pseudo_terminal(const struct stat& file) {
  return major(file.st_rdev) >= 136 && major(file.st_rdev) <= 143;
}

std::string cannot_open(const std::string& device, int error) {
  const std::string what = "cannot open " + device + ": " + reason(error);
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return what + "; " + describe_ports(list_ports());
    case EACCES:
      return what + "; the agent's user must be in the group that owns the device, mostly dialout";
    case EBUSY:
      return what + ": another program has it open for itself";
    default:
      return what;
  }
}

}  // namespace

Port::Port(const std::string& device, const Line& line) : device_(device) {
  // Without O_NONBLOCK, opening waits for a modem's carrier.
  fd_ = ::open(device.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) throw PortError(cannot_open(device, errno));
  try {
    claim();
    configure(line);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

Port::~Port() {
  // What flow control holds back would make close(2) wait, up to 30 s.
  drop_unsent();
  if (!pseudo_terminal_) ::ioctl(fd_, TIOCNXCL);
  ::close(fd_);
}

void Port::claim() {
  struct stat file {};
  if (::fstat(fd_, &file) != 0) fail("cannot stat", errno);
  if (!S_ISCHR(file.st_mode) || ::isatty(fd_) == 0) throw PortError(device_ + " is not a serial port");
  pseudo_terminal_ = is_pseudo_terminal(file);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0)
    throw PortError(cannot_open(device_, errno == EWOULDBLOCK ? EBUSY : errno));
  if (pseudo_terminal_) return;
  int exclusive = 0;
  // The kernel lets root pass, so that root has to ask.
  if (::ioctl(fd_, TIOCGEXCL, &exclusive) == 0 && exclusive != 0)
    throw PortError(cannot_open(device_, EBUSY));
  if (::ioctl(fd_, TIOCEXCL) != 0) fail("cannot be had alone (TIOCEXCL)", errno);
}

void Port::configure(const Line& line) {
  termios2 settings{};
  if (::ioctl(fd_, TCGETS2, &settings) != 0) fail("cannot be set up", errno);
  apply(line, settings);
  if (::ioctl(fd_, TCSETS2, &settings) != 0) fail("refuses its settings", errno);
  ::ioctl(fd_, TCFLSH, TCIFLUSH);

  termios2 taken{};
  if (::ioctl(fd_, TCGETS2, &taken) != 0) fail("cannot be set up", errno);
  // A receiver loses the bits of a character where the rates differ by more than this.
  if (std::abs(static_cast<double>(taken.c_ospeed) - line.baud) > 0.03 * line.baud) {
    warnings_.push_back("the device makes " + std::to_string(taken.c_ospeed) + " Bd instead of " +
                        std::to_string(line.baud));
  }
  constexpr tcflag_t character = CSIZE | PARENB | PARODD | CMSPAR | CSTOPB;
  if (!pseudo_terminal_ && (taken.c_cflag & character) != (settings.c_cflag & character)) {
    warnings_.push_back("the device has not taken data_bits, parity or stop_bits as they were set");
  }
  set_signal(line.dtr, TIOCM_DTR, "dtr");
  set_signal(line.rts, TIOCM_RTS, "rts");
}

void Port::set_signal(Signal to, int bit, const char* name) {
  if (to == Signal::leave) return;
  if (::ioctl(fd_, to == Signal::on ? TIOCMBIS : TIOCMBIC, &bit) == 0) return;
  warnings_.push_back(std::string(name) + " cannot be set: " + reason(errno));
}

std::size_t Port::read(char* to, std::size_t capacity) {
  for (;;) {
    const ssize_t count = ::read(fd_, to, capacity);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) throw PortError(device_ + " is gone: unplugged?");
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return 0;
    if (errno == EIO || errno == ENXIO || errno == ENODEV) throw PortError(device_ + " is gone: unplugged?");
    fail("cannot be read", errno);
  }
}

std::size_t Port::write(std::string_view bytes) {
  for (;;) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return 0;
    if (errno == EIO || errno == ENXIO || errno == ENODEV) throw PortError(device_ + " is gone: unplugged?");
    fail("cannot be written", errno);
  }
}

std::size_t Port::unsent() const {
  int bytes = 0;
  return ::ioctl(fd_, TIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

void Port::drop_unsent() {
  ::ioctl(fd_, TCFLSH, TCOFLUSH);
}

std::uint64_t Port::line_errors() const {
  serial_icounter_struct counts{};
  if (::ioctl(fd_, TIOCGICOUNT, &counts) != 0) return 0;
  return static_cast<std::uint64_t>(counts.parity) + static_cast<std::uint64_t>(counts.frame) +
         static_cast<std::uint64_t>(counts.overrun) + static_cast<std::uint64_t>(counts.buf_overrun);
}

void Port::fail(const std::string& what, int error) const {
  throw PortError(device_ + " " + what + ": " + reason(error));
}

}  // namespace serial
