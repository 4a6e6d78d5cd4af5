// SPDX-License-Identifier: Apache-2.0
#include "serial/port.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <memory>

#include "plugins/serial/pty.hpp"
#include "plugins/temporary_folder.hpp"
#include "serial/ports.hpp"
#include "support/wait_until.hpp"

namespace {

using plugin_test::Pty;
using serial::Line;
using serial::Port;
using serial::PortError;
using sluice::test::wait_until;

std::string refusal(const std::string& device) {
  try {
    const Port port(device, Line{});
  } catch (const PortError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Port, PassesAllBytesBothWays) {
  const Pty pty;
  Port port(pty.device(), Line{});
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  pty.write(all);
  std::string got;
  ASSERT_TRUE(wait_until([&] {
    std::array<char, 512> chunk{};
    got.append(chunk.data(), port.read(chunk.data(), chunk.size()));
    return got.size() >= all.size();
  }));
  EXPECT_EQ(got, all);
  EXPECT_EQ(port.write(all), all.size());
  EXPECT_EQ(pty.read(all.size()), all);
}

TEST(Port, IsOursAloneAndFreeAgainAfterwards) {
  const Pty pty;
  {
    const Port port(pty.device(), Line{});
    EXPECT_TRUE(contains(refusal(pty.device()), "another program has it open")) << refusal(pty.device());
  }
  EXPECT_EQ(refusal(pty.device()), "");
}

TEST(Port, ClosesTheDeviceToProgramsThatDoNotAskForALock) {
  // A virtual console: a terminal of the kernel's that is not a pseudo one, and that nobody looks at.
  const std::string console = "/dev/tty63";
  const int other = ::open(console.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (other < 0)
    GTEST_SKIP() << "needs a terminal that is not a pseudo one: " << console << " cannot be opened";
  int exclusive = -1;
  {
    const Port port(console, Line{});
    ASSERT_EQ(::ioctl(other, TIOCGEXCL, &exclusive), 0);
    EXPECT_EQ(exclusive, 1);
  }
  ASSERT_EQ(::ioctl(other, TIOCGEXCL, &exclusive), 0);
  EXPECT_EQ(exclusive, 0);
  ASSERT_EQ(::ioctl(other, TIOCEXCL), 0);
  EXPECT_TRUE(contains(refusal(console), "another program has it open")) << refusal(console);
  ::ioctl(other, TIOCNXCL);
  ::close(other);
}

TEST(Port, SaysWhatIsThereWhereTheDeviceIsMissing) {
  const std::string text = refusal("/dev/serial/by-id/nothing");
  EXPECT_TRUE(contains(text, "/dev/serial/by-id/nothing")) << text;
  EXPECT_TRUE(contains(text, "No such file")) << text;
  EXPECT_TRUE(contains(text, serial::describe_ports(serial::list_ports()))) << text;
}

TEST(Port, RefusesWhatIsNoSerialPort) {
  const plugin_test::TemporaryFolder folder;
  EXPECT_TRUE(contains(refusal("/dev/null"), "not a serial port"));
  std::ofstream(folder.file("plain")) << "text";
  EXPECT_TRUE(contains(refusal(folder.file("plain")), "not a serial port"));
  EXPECT_NE(refusal(folder.path()), "");
}

TEST(Port, SaysThatTheDeviceIsGone) {
  auto pty = std::make_unique<Pty>();
  Port port(pty->device(), Line{});
  pty.reset();
  char byte = 0;
  EXPECT_THROW(port.read(&byte, 1), PortError);
  EXPECT_THROW(port.write("x"), PortError);
}

TEST(Port, WarnsOfModemLinesThatTheDeviceDoesNotHave) {
  const Pty pty;
  Line line;
  line.dtr = serial::Signal::on;
  const Port port(pty.device(), line);
  ASSERT_EQ(port.warnings().size(), 1u);
  EXPECT_TRUE(contains(port.warnings()[0], "dtr cannot be set"));
}

TEST(Ports, AreListedForPeople) {
  EXPECT_EQ(serial::describe_ports({}), "this machine has no serial port now");
  EXPECT_EQ(serial::describe_ports({{"/dev/serial/by-id/usb-a", "Meter adapter"}, {"/dev/ttyS0", ""}}),
            "the ports here are /dev/serial/by-id/usb-a (Meter adapter), /dev/ttyS0");
}

}  // namespace
