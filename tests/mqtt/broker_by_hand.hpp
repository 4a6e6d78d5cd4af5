// SPDX-License-Identifier: Apache-2.0
// The broker's end of one connection, served by hand: what comes in which segment, and nothing answered but when told. For
// the test's thread.
#pragma once

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

class BrokerByHand {
 public:
  BrokerByHand() : BrokerByHand(INADDR_LOOPBACK, sluice::test::free_port()) {}
  BrokerByHand(in_addr_t host, std::uint16_t port)
      : port_(port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port_);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
  }
  std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

  std::uint16_t port() const { return port_; }

  /// Takes a connection, and does not speak.
  void take() { connection_ = FileDescriptor(::accept(listener_.get(), nullptr, nullptr)); }
  void accept() {
    take();
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
  /// "x" on "t", QoS 0: the smallest there is.
  void publish() { send(std::string("\x30\x05\x00\x01t\x00x", 7)); }
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
inline constexpr std::size_t publish_bytes = 9;

inline Options options_to(const BrokerByHand& broker, std::size_t window) {
  Options options = options_for({broker.url()});
  options.status_topic.clear();
  options.max_inflight = static_cast<std::uint16_t>(window);
  return options;
}

}  // namespace sluice::mqtt::test
