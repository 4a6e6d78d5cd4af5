// SPDX-License-Identifier: Apache-2.0
// The plugin against a server that misbehaves as it is told: late, stale, wrong or no replies.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <set>
#include <sluice/testing.hpp>
#include <stdexcept>

#include "pdu.hpp"
#include "server.hpp"

extern "C" const sluice_plugin sluice_plugin_v1;

namespace sluice::modbus {
namespace {

using test::Emitted;
using test::Instance;
using Bytes = std::vector<std::uint8_t>;

// Reads so many bytes. Throws where they do not come.
Bytes read_all(int fd, std::size_t count) {
  Bytes out;
  while (out.size() < count) {
    ::pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 30000) != 1) throw std::runtime_error("no request came");
    std::uint8_t buffer[300];
    const ::ssize_t got = ::read(fd, buffer, count - out.size());
    if (got <= 0) throw std::runtime_error("the connection was closed");
    out.insert(out.end(), buffer, buffer + got);
  }
  return out;
}

void write_all(int fd, const Bytes& bytes) {
  ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<::ssize_t>(bytes.size()));
}

class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof(address);
    if (::bind(fd_, reinterpret_cast<::sockaddr*>(&address), size) != 0 || ::listen(fd_, 8) != 0 ||
        ::getsockname(fd_, reinterpret_cast<::sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port = ntohs(address.sin_port);
  }
  ~Listener() {
    for (const int one : accepted_) ::close(one);
    ::close(fd_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int accept() {
    ::pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, 30000) != 1) throw std::runtime_error("nobody connects");
    accepted_.push_back(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
    return accepted_.back();
  }
  std::uint16_t port = 0;

 private:
  int fd_;
  std::vector<int> accepted_;
};

// A request for registers, 12 bytes, answered by registers that all hold `value`.
Bytes reply_to(const Bytes& request, std::uint16_t value) {
  const std::uint8_t count = request[11];
  const auto bytes = static_cast<std::uint8_t>(count * 2);
  Bytes out{request[0], request[1], 0,    0, 0, static_cast<std::uint8_t>(bytes + 3),
            request[6], request[7], bytes};
  for (int i = 0; i < count; ++i) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value & 255));
  }
  return out;
}

std::string settings(std::uint16_t port, const std::string& more) {
  return "server = \"127.0.0.1\"\nport = " + std::to_string(port) + "\ncycle = \"10ms\"\nretries = 0\n" +
         more + "\n[[unit]]\nid = 1\nput_aside_after = 1000\n[[unit.tag]]\nname = \"t\"\naddress = 0\n";
}

std::set<double> values(const std::vector<Emitted>& all) {
  std::set<double> out;
  for (const Emitted& one : all) {
    if (one.sample("value").quality == Quality::Good) out.insert(one.number("value"));
  }
  return out;
}

TEST(LateReply, DiesWithItsConnection) {
  Listener listener;
  Instance bus(sluice_plugin_v1, settings(listener.port, "response_timeout = \"200ms\""));
  bus.start();
  const int first = listener.accept();
  const Bytes late = read_all(first, 12);
  // It gives up, and asks again by another connection.
  const int second = listener.accept();
  const Bytes next = read_all(second, 12);
  const Bytes stale = reply_to(late, 111);
  static_cast<void>(::send(first, stale.data(), stale.size(), MSG_NOSIGNAL));
  write_all(second, reply_to(next, 222));
  const auto all = bus.wait_emitted(2);
  EXPECT_EQ(all[0].sample("value").error, "no reply within 200 ms");
  EXPECT_EQ(values(all), std::set<double>{222});
  EXPECT_EQ(bus.metric("reconnects").value, 1);
}

TEST(StaleReply, IsFoundByItsTransactionAndNeverShiftsTheOnesThatFollow) {
  Listener listener;
  Instance bus(sluice_plugin_v1, settings(listener.port, "response_timeout = \"20s\""));
  bus.start();
  const int first = listener.accept();
  const Bytes request = read_all(first, 12);
  Bytes stale = reply_to(request, 111);
  stale[1] = static_cast<std::uint8_t>(stale[1] - 1);
  write_all(first, stale);
  const int second = listener.accept();
  write_all(second, reply_to(read_all(second, 12), 222));
  write_all(second, reply_to(read_all(second, 12), 222));
  const auto all = bus.wait_emitted(3);
  EXPECT_EQ(all[0].sample("value").error, "a reply to another transaction");
  EXPECT_EQ(values(all), std::set<double>{222});
  EXPECT_EQ(bus.metric("garbled").value, 1);
}

TEST(StaleReply, ThatComesWhileNobodyAsksMakesANewConnection) {
  Listener listener;
  Instance bus(sluice_plugin_v1, settings(listener.port, "response_timeout = \"20s\""));
  bus.start();
  const int first = listener.accept();
  const Bytes request = read_all(first, 12);
  Bytes twice = reply_to(request, 222);
  const Bytes again = reply_to(request, 111);
  twice.insert(twice.end(), again.begin(), again.end());
  write_all(first, twice);
  const int second = listener.accept();
  write_all(second, reply_to(read_all(second, 12), 222));
  EXPECT_EQ(values(bus.wait_emitted(2)), std::set<double>{222});
}

TEST(WrongReply, OfAnotherUnitOrLengthIsNoValue) {
  for (const auto& spoil : std::vector<std::function<void(Bytes&)>>{
           [](Bytes& reply) { reply[6] = 9; },    // the unit
           [](Bytes& reply) { reply[7] = 4; },    // the function
           [](Bytes& reply) { reply[5] = 200; },  // the length in the header
           [](Bytes& reply) {
             reply[8] = 4, reply[5] = 7, reply.insert(reply.end(), {0, 111});
           }}) {
    Listener listener;
    Instance bus(sluice_plugin_v1, settings(listener.port, "response_timeout = \"20s\""));
    bus.start();
    const int first = listener.accept();
    Bytes wrong = reply_to(read_all(first, 12), 111);
    spoil(wrong);
    write_all(first, wrong);
    const int second = listener.accept();
    write_all(second, reply_to(read_all(second, 12), 222));
    const auto all = bus.wait_emitted(2);
    EXPECT_EQ(all[0].sample("value").quality, Quality::Bad);
    EXPECT_EQ(values(all), std::set<double>{222});
  }
}

TEST(IdleConnection, ThatTheServerClosedIsOpenedAgainWithoutAnError) {
  Listener listener;
  Instance bus(sluice_plugin_v1, settings(listener.port, "response_timeout = \"20s\""));
  bus.start();
  for (int i = 0; i < 3; ++i) {
    const int connection = listener.accept();
    write_all(connection, reply_to(read_all(connection, 12), 222));
    ::shutdown(connection, SHUT_RDWR);
  }
  EXPECT_EQ(values(bus.wait_emitted(3)), std::set<double>{222});
  EXPECT_EQ(bus.emitted()[2].sample("value").quality, Quality::Good);
}

TEST(SilentServer, DoesNotHoldUpTheEnd) {
  Listener listener;
  Instance bus(sluice_plugin_v1, settings(listener.port, "response_timeout = \"60s\""));
  bus.start();
  read_all(listener.accept(), 12);
  EXPECT_TRUE(bus.stop().ok());  // gives up after 20 s
}

TEST(SilentServer, OnASerialLineDoesNotHoldUpTheEnd) {
  PtyPair line;
  const int fd = ::open(line.theirs().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  Instance bus(
      sluice_plugin_v1,
      "transport = \"rtu\"\ndevice = \"" + line.ours() +
          "\"\nresponse_timeout = \"60s\"\n[[unit]]\nid = 1\n[[unit.tag]]\nname = \"t\"\naddress = 0");
  bus.start();
  read_all(fd, 8);
  EXPECT_TRUE(bus.stop().ok());
  ::close(fd);
}

TEST(SilentServer, MakesCyclesLateAndThatIsCounted) {
  Listener listener;
  Instance bus(sluice_plugin_v1, settings(listener.port, "response_timeout = \"60ms\""));
  bus.start();
  bus.wait_metric("overruns", 6);  // a time-out is six cycles long
}

std::uint16_t crc_of(const Bytes& bytes) {
  std::uint16_t crc = 0xFFFF;
  for (const std::uint8_t byte : bytes) {
    crc = static_cast<std::uint16_t>(crc ^ byte);
    for (int i = 0; i < 8; ++i)
      crc = static_cast<std::uint16_t>((crc & 1) != 0 ? crc >> 1 ^ 0xA001 : crc >> 1);
  }
  return crc;
}

Bytes rtu_reply(std::uint8_t unit, std::uint16_t value) {
  Bytes out{unit, 3, 2, static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value & 255)};
  const std::uint16_t crc = crc_of(out);
  out.push_back(static_cast<std::uint8_t>(crc & 255));
  out.push_back(static_cast<std::uint8_t>(crc >> 8));
  return out;
}

struct SerialBus : ::testing::Test {
  PtyPair line;
  int fd = ::open(line.theirs().c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ~SerialBus() override { ::close(fd); }

  std::string settings(const std::string& more) {
    return "transport = \"rtu\"\ndevice = \"" + line.ours() + "\"\ncycle = \"10ms\"\nretries = 0\n" + more +
           "\n[[unit]]\nid = 1\nput_aside_after = 1000\n[[unit.tag]]\nname = \"t\"\naddress = 0\n";
  }
  void answer(const Bytes& bytes) {
    ASSERT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<::ssize_t>(bytes.size()));
  }
};

TEST_F(SerialBus, ThrowsALateReplyAway) {
  Instance bus(sluice_plugin_v1, settings("response_timeout = \"2s\"\ntrace = true"));
  bus.start();
  read_all(fd, 8);
  bus.wait_metric("timeouts", 1);
  answer(rtu_reply(1, 111));  // in the 2 s that the unit is left alone
  bus.wait_log("discarded");
  read_all(fd, 8);
  answer(rtu_reply(1, 222));
  EXPECT_EQ(values(bus.wait_emitted(2)), std::set<double>{222});
}

TEST_F(SerialBus, WaitsOnWhereAnotherUnitAnswers) {
  Instance bus(sluice_plugin_v1, settings("response_timeout = \"20s\""));
  bus.start();
  read_all(fd, 8);
  Bytes both = rtu_reply(9, 111);
  const Bytes right = rtu_reply(1, 222);
  both.insert(both.end(), right.begin(), right.end());
  answer(both);
  const auto all = bus.wait_emitted(1);
  EXPECT_EQ(all[0].sample("value").quality, Quality::Good);
  EXPECT_EQ(values(all), std::set<double>{222});
}

TEST_F(SerialBus, CountsAWrongChecksumAndAsksAgain) {
  Instance bus(sluice_plugin_v1, settings("response_timeout = \"20s\""));
  bus.start();
  read_all(fd, 8);
  Bytes wrong = rtu_reply(1, 111);
  wrong[3] = static_cast<std::uint8_t>(wrong[3] ^ 1);
  answer(wrong);
  bus.wait_metric("garbled", 1);
  read_all(fd, 8);
  answer(rtu_reply(1, 222));
  EXPECT_EQ(values(bus.wait_emitted(2)), std::set<double>{222});
}

}  // namespace
}  // namespace sluice::modbus
