// SPDX-License-Identifier: Apache-2.0
//
// An output: sends each number of each message to a StatsD server, as a gauge in a UDP datagram.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <sluice/plugin.hpp>
#include <string>
#include <system_error>

class StatsD {
 public:
  static sluice::Description describe() {
    return sluice::Description("statsd", "1.0.0", "Sends numbers to a StatsD server as gauges.")
        .takes()
        .settings({sluice::setting("address").string().defaults("127.0.0.1").help("An IPv4 address."),
                   sluice::setting("port").integer().range(1, 65535).defaults(8125).help("A UDP port.")});
  }

  // What types and ranges cannot say: `sluice check` tells it with file and line.
  static void validate(const sluice::Settings& settings, sluice::Report& report) {
    const auto address = settings["address"].as<std::string>();
    in_addr parsed{};
    if (inet_pton(AF_INET, address.c_str(), &parsed) != 1) {
      report.problem(settings["address"], "expected an IPv4 address, got \"" + address + "\"");
    }
  }

  StatsD(sluice::Host host, const sluice::Settings& settings) : sent_(host.counter("gauges_sent")) {
    server_.sin_family = AF_INET;
    server_.sin_port = htons(settings["port"].as<std::uint16_t>());
    inet_pton(AF_INET, settings["address"].as<std::string>().c_str(), &server_.sin_addr);
  }
  ~StatsD() {
    if (socket_ >= 0) close(socket_);
  }
  StatsD(const StatsD&) = delete;
  StatsD& operator=(const StatsD&) = delete;

  // The agent calls it for each message. To return is to have done it; Retry asks for it again, Refused gives it up.
  void handle(const sluice::ReceivedMessage& message) {
    if (message.has_payload()) throw sluice::Refused("StatsD takes numbers, and this is an opaque payload");
    for (const sluice::SampleView& sample : message.samples()) {
      if (const auto number = sample.number()) send(message.topic(), sample.name(), *number);
    }
  }

 private:
  void send(std::string_view topic, std::string_view sample, double number) {
    // plant/line1 and speed become plant.line1.speed:21.500000|g
    std::string line = std::string(topic) + '/' + std::string(sample);
    for (char& c : line) c = c == '/' ? '.' : c;
    line += ':' + std::to_string(number) + "|g";

    if (socket_ < 0) socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
    const auto* to = reinterpret_cast<const sockaddr*>(&server_);
    if (sendto(socket_, line.data(), line.size(), 0, to, sizeof(server_)) < 0) {
      throw sluice::Retry(std::chrono::seconds(5), std::system_category().message(errno));
    }
    ++sent_;
  }

  sluice::Counter sent_;
  sockaddr_in server_{};
  int socket_ = -1;
};

SLUICE_PLUGIN(StatsD)
