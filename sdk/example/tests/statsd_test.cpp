// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <sluice/testing.hpp>
#include <string>

namespace {

// Takes datagrams at a free port of the loopback interface.
class Server {
 public:
  Server() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, raw, size), 0);
    EXPECT_EQ(getsockname(socket_, raw, &size), 0);
    port_ = ntohs(address.sin_port);
    const timeval patience{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  ~Server() { close(socket_); }
  std::string setting() const { return "port = " + std::to_string(port_); }
  std::string take() const {
    char buffer[200];
    const ssize_t size = recv(socket_, buffer, sizeof(buffer), 0);
    return size < 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(size));
  }

 private:
  int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int port_ = 0;
};

const sluice_plugin& statsd() {
  return sluice::test::load(STATSD);
}

TEST(StatsD, SendsEachNumberAsAGauge) {
  const Server server;
  sluice::test::Instance output(statsd(), server.setting());
  const auto token = output.send(
      sluice::Message().topic("plant/line1").sample("speed", 1.5).sample("name", "a").sample("count", 3));
  EXPECT_EQ(server.take(), "plant.line1.speed:1.500000|g");
  EXPECT_EQ(server.take(), "plant.line1.count:3.000000|g");
  EXPECT_EQ(output.wait_completion(token).outcome, sluice::test::Outcome::Done);
  EXPECT_EQ(output.metric("gauges_sent").value, 2);
}

TEST(StatsD, RefusesPayloads) {
  sluice::test::Instance output(statsd(), "");
  const auto token = output.send(sluice::Message().topic("t").payload("21.5"));
  EXPECT_EQ(output.wait_completion(token).outcome, sluice::test::Outcome::Refused);
}

TEST(StatsD, WantsAnAddress) {
  const auto problems = sluice::test::check(statsd(), "address = \"localhost\"").problems;
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0], "settings:1: address: expected an IPv4 address, got \"localhost\"");
}

}  // namespace
