// SPDX-License-Identifier: Apache-2.0
// The client library alone, with its external loop on one thread: what the comparison measures against, and with.
#pragma once

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace sluice::bench {

inline constexpr int receive_maximum = 65'535;
using Steady = std::chrono::steady_clock;

/// MQTT 5 to a broker on 127.0.0.1. One thread; callbacks come from turn().
class BareClient {
 public:
  /// Connects, and returns when the broker has accepted. Throws std::runtime_error.
  BareClient(const std::string& id, int port) {
    mosquitto_lib_init();
    handle_.reset(mosquitto_new(id.c_str(), true, this));
    if (!handle_) throw std::runtime_error("mosquitto_new");
    mosquitto_int_option(handle(), MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(handle(), MOSQ_OPT_TCP_NODELAY, 1);
    // The library's own default, 20, would make the broker queue for a subscriber.
    mosquitto_int_option(handle(), MOSQ_OPT_RECEIVE_MAXIMUM, receive_maximum);
    mosquitto_connect_v5_callback_set(handle(),
                                      [](mosquitto*, void* self, int code, int, const mosquitto_property*) {
                                        static_cast<BareClient*>(self)->accepted_ = code == 0;
                                      });
    check(mosquitto_connect(handle(), "127.0.0.1", port, 60));
    while (!accepted_) turn(std::chrono::milliseconds(100));
  }
  virtual ~BareClient() = default;
  BareClient(const BareClient&) = delete;
  BareClient& operator=(const BareClient&) = delete;

  mosquitto* handle() const { return handle_.get(); }

  /// Waits for the broker for so long at most, and does what the library wants done.
  void turn(std::chrono::nanoseconds timeout) {
    std::array<pollfd, 1> polled{pollfd{mosquitto_socket(handle()), POLLIN, 0}};
    if (mosquitto_want_write(handle())) polled[0].events = POLLIN | POLLOUT;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec limit{seconds.count(), (timeout - seconds).count()};
    if (::ppoll(polled.data(), polled.size(), &limit, nullptr) < 0 && errno != EINTR) {
      throw std::runtime_error("poll");
    }
    if ((polled[0].revents & POLLOUT) != 0) check(mosquitto_loop_write(handle(), 1));
    if ((polled[0].revents & ~POLLOUT) != 0) check(mosquitto_loop_read(handle(), 1));
    const Steady::time_point now = Steady::now();
    if (now < misc_at_) return;
    misc_at_ = now + std::chrono::seconds(1);
    check(mosquitto_loop_misc(handle()));
  }

  static void check(int result) {
    if (result != MOSQ_ERR_SUCCESS) throw std::runtime_error(mosquitto_strerror(result));
  }

 private:
  struct Destroy {
    void operator()(mosquitto* handle) const { mosquitto_destroy(handle); }
  };
  std::unique_ptr<mosquitto, Destroy> handle_;
  bool accepted_ = false;
  Steady::time_point misc_at_;
};

}  // namespace sluice::bench
