// SPDX-License-Identifier: Apache-2.0
//
// How a line is driven: rate, character, flow control, modem lines. Plain data, and the one place that turns it into what
// the kernel takes. Any rate that the hardware can make is allowed, not only the standard ones.
#pragma once

#include <cstdint>

struct termios2;

namespace serial {

enum class Parity { none, odd, even, mark, space };
enum class Flow { none, rts_cts, xon_xoff };
enum class Signal { leave, on, off };

struct Line {
  std::uint32_t baud = 9600;  // 50..4000000
  int data_bits = 8;          // 5..8
  Parity parity = Parity::none;
  int stop_bits = 1;  // 1, 2
  Flow flow = Flow::none;
  Signal dtr = Signal::leave;
  Signal rts = Signal::leave;
};

// Puts `line` into what the kernel reported of a port; bytes pass unchanged in both directions.
void apply(const Line& line, termios2& to);

}  // namespace serial
