// SPDX-License-Identifier: Apache-2.0
// What travels together, seen from the broker's end of the connection, which is served by hand here.
#include <gtest/gtest.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "base/file_descriptor.hpp"
#include "harness.hpp"
#include "support/free_port.hpp"

namespace sluice::mqtt::test {
namespace {

class BrokerByHand {
 public:
  BrokerByHand()
      : port_(sluice::test::free_port()), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
  }
  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

  void accept() {
    connection_ = FileDescriptor(::accept(listener_.get(), nullptr, nullptr));
    EXPECT_EQ(receive(1).substr(0, 1), "\x10");  // CONNECT, small enough to come whole
    send(std::string("\x20\x03\x00\x00\x00", 5));
  }
  /// At least so many bytes; fewer: they did not come.
  std::string receive(std::size_t at_least) {
    std::string received;
    while (received.size() < at_least) {
      pollfd polled{connection_.get(), POLLIN, 0};
      const auto limit = std::chrono::milliseconds(sluice::test::patience).count();
      if (::poll(&polled, 1, static_cast<int>(limit)) <= 0) break;
      std::array<char, 4096> part{};
      const ssize_t size = ::recv(connection_.get(), part.data(), part.size(), 0);
      if (size <= 0) break;
      received.append(part.data(), static_cast<std::size_t>(size));
    }
    return received;
  }
  void acknowledge(int id) { send({'\x40', '\x02', '\x00', static_cast<char>(id)}); }
  unsigned segments_received() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    EXPECT_EQ(::getsockopt(connection_.get(), IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_data_segs_in;
  }

 private:
  void send(const std::string& bytes) {
    EXPECT_EQ(::send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }

  std::uint16_t port_;
  FileDescriptor listener_;
  FileDescriptor connection_;
};

// Fixed header 2, topic 2 + 1, packet id 2, no properties 1, payload 1.
constexpr std::size_t publish_bytes = 9;

Options options_to(const BrokerByHand& broker, std::size_t window) {
  Options options = options_for({broker.url()});
  options.status_topic.clear();
  options.max_inflight = static_cast<std::uint16_t>(window);
  return options;
}

TEST(Segments, WhatIsPublishedTogetherTravelsTogether) {
  BrokerByHand broker;
  Harness harness(options_to(broker, 100));
  constexpr int messages = 50;
  for (int i = 0; i < messages; ++i) harness.add("t", "x");
  harness.session().start();
  broker.accept();
  EXPECT_EQ(broker.receive(messages * publish_bytes).size(), messages * publish_bytes);
  // CONNECT, the first, which waits for no other, and the rest.
  EXPECT_LE(broker.segments_received(), 4U);
  for (int id = 1; id <= messages; ++id) broker.acknowledge(id);
  EXPECT_TRUE(harness.wait_acknowledged(messages));
}

TEST(Segments, AFullWindowMovesOnByASingleAnswer) {
  BrokerByHand broker;
  constexpr int window = 20;
  Harness harness(options_to(broker, window));
  for (int i = 0; i <= window; ++i) harness.add("t", "x");
  harness.session().start();
  broker.accept();
  ASSERT_EQ(broker.receive(window * publish_bytes).size(), window * publish_bytes);
  broker.acknowledge(1);
  EXPECT_EQ(broker.receive(publish_bytes).size(), publish_bytes);
  for (int id = 2; id <= window + 1; ++id) broker.acknowledge(id);
  EXPECT_TRUE(harness.wait_acknowledged(window + 1));
}

}  // namespace
}  // namespace sluice::mqtt::test
