// SPDX-License-Identifier: Apache-2.0
#include "serial/line.hpp"

#include <asm/termbits.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include "plugins/serial/pty.hpp"
#include "serial/port.hpp"

namespace {

using namespace serial;

termios2 applied(const Line& line) {
  termios2 settings{};
  settings.c_iflag = settings.c_oflag = settings.c_lflag = settings.c_cflag = ~0u;
  apply(line, settings);
  return settings;
}

TEST(Line, PassesAllBytesUnchangedByDefault) {
  const termios2 settings = applied(Line{});
  EXPECT_EQ(settings.c_oflag, 0u);
  EXPECT_EQ(settings.c_lflag, 0u);
  EXPECT_EQ(settings.c_iflag, static_cast<tcflag_t>(IGNBRK));
  EXPECT_EQ(settings.c_cflag, static_cast<tcflag_t>(CREAD | CLOCAL | BOTHER | CS8));
  EXPECT_EQ(settings.c_ospeed, 9600u);
}

TEST(Line, HasEveryCharacterLengthParityAndStopBit) {
  const std::pair<int, tcflag_t> sizes[] = {{5, CS5}, {6, CS6}, {7, CS7}, {8, CS8}};
  for (const auto& [bits, flag] : sizes) {
    Line line;
    line.data_bits = bits;
    EXPECT_EQ(applied(line).c_cflag & CSIZE, flag);
  }
  const std::pair<Parity, tcflag_t> parities[] = {{Parity::none, 0},
                                                  {Parity::odd, PARENB | PARODD},
                                                  {Parity::even, PARENB},
                                                  {Parity::mark, PARENB | PARODD | CMSPAR},
                                                  {Parity::space, PARENB | CMSPAR}};
  for (const auto& [parity, flags] : parities) {
    Line line;
    line.parity = parity;
    EXPECT_EQ(applied(line).c_cflag & (PARENB | PARODD | CMSPAR), flags);
    EXPECT_EQ((applied(line).c_iflag & INPCK) != 0, parity != Parity::none);
  }
  Line line;
  line.stop_bits = 2;
  EXPECT_NE(applied(line).c_cflag & CSTOPB, 0u);
}

TEST(Line, HasBothKindsOfFlowControl) {
  Line line;
  line.flow = Flow::rts_cts;
  EXPECT_NE(applied(line).c_cflag & CRTSCTS, 0u);
  line.flow = Flow::xon_xoff;
  const termios2 settings = applied(line);
  EXPECT_EQ(settings.c_iflag & (IXON | IXOFF), static_cast<tcflag_t>(IXON | IXOFF));
  EXPECT_EQ(settings.c_cc[VSTART], 0x11);
  EXPECT_EQ(settings.c_cc[VSTOP], 0x13);
}

TEST(Line, TakesRatesThatAreNotStandard) {
  for (const std::uint32_t baud : {50u, 12'345u, 250'000u, 4'000'000u}) {
    const plugin_test::Pty pty;
    Line line;
    line.baud = baud;
    const Port port(pty.device(), line);
    termios2 settings{};
    ASSERT_EQ(::ioctl(pty.fd(), TCGETS2, &settings), 0);
    EXPECT_EQ(settings.c_ospeed, baud);
    EXPECT_EQ(settings.c_ispeed, baud);
    EXPECT_TRUE(port.warnings().empty());
  }
}

}  // namespace
