// SPDX-License-Identifier: Apache-2.0
#include "line.hpp"

// The kernel's own header, since that of libc knows no other rates than the standard ones. The two exclude each other.
#include <asm/termbits.h>

namespace serial {

void apply(const Line& line, termios2& to) {
  to.c_iflag = IGNBRK;
  to.c_oflag = 0;
  to.c_lflag = 0;
  for (cc_t& character : to.c_cc) character = 0;
  to.c_cc[VMIN] = 1;

  tcflag_t control = CREAD | CLOCAL | BOTHER;
  static constexpr tcflag_t sizes[] = {CS5, CS6, CS7, CS8};
  control |= sizes[line.data_bits - 5];
  if (line.stop_bits == 2) control |= CSTOPB;
  switch (line.parity) {
    case Parity::none:
      break;
    case Parity::odd:
      control |= PARENB | PARODD;
      break;
    case Parity::even:
      control |= PARENB;
      break;
    case Parity::mark:
      control |= PARENB | CMSPAR | PARODD;
      break;
    case Parity::space:
      control |= PARENB | CMSPAR;
      break;
  }
  // A byte with a wrong parity bit is dropped by the kernel: a frame without it fails its checks, one with it might not.
  if (line.parity != Parity::none) to.c_iflag |= INPCK | IGNPAR;
  if (line.flow == Flow::rts_cts) control |= CRTSCTS;
  if (line.flow == Flow::xon_xoff) {
    to.c_iflag |= IXON | IXOFF;
    to.c_cc[VSTART] = 0x11;
    to.c_cc[VSTOP] = 0x13;
  }
  to.c_cflag = control;
  to.c_ispeed = line.baud;
  to.c_ospeed = line.baud;
}

}  // namespace serial
