// SPDX-License-Identifier: Apache-2.0
//
// The connection of a bus: sends a request to a unit, and waits for its reply. libmodbus sets up the serial port, makes
// and checks RTU frames, and reads frames of both kinds; the waiting is done here, so that the end of the instance is
// not held up by a device that does not answer. Belongs to the thread of the instance.
#pragma once

#include "pdu.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

extern "C" {
typedef struct _modbus modbus_t;  // NOLINT: as libmodbus declares it
}

namespace sluice::modbus {

using Clock = std::chrono::steady_clock;

enum class Transport : std::uint8_t { tcp, rtu, rtu_over_tcp };

struct LinkOptions {
  Transport transport = Transport::tcp;
  std::string host;
  std::uint16_t port = 502;
  std::string device;
  int baud = 9600;
  char parity = 'N';  // N, E, O
  int data_bits = 8;
  int stop_bits = 1;
  std::chrono::microseconds response_timeout{500'000};
  std::chrono::microseconds byte_timeout{500'000};  // between two parts of one reply
  std::chrono::microseconds connect_timeout{3'000'000};
  std::chrono::microseconds pause{0};  // between two requests; RTU: at least 3.5 characters
  std::chrono::microseconds pause_after_connect{0};
};

enum class Outcome : std::uint8_t {
  ok,
  exception,  // the unit answered that it will not
  timeout,
  garbled,  // a wrong checksum, or a reply to something else
  broken,   // the connection ended
  down,     // there is none, and none can be made now
  stopped   // the instance is to end
};

struct Reply {
  Outcome outcome = Outcome::ok;
  std::uint8_t exception = 0;
  std::string error;  // unless ok
  Pdu pdu;
  Clock::time_point time;  // when the reply began to arrive
};

class Link {
 public:
  using Trace = std::function<void(const std::string&)>;

  // `stop_fd` is readable once the instance is to end. `trace`, where given, is told all frames in hexadecimal.
  Link(LinkOptions options, int stop_fd, Trace trace = {});
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Opens the link where it is closed; after a failure not before a pause that doubles, from 250 ms to 30 s. After a
  // time-out or a wrong reply over TCP the link is closed, so that a late reply dies with its connection. On a serial line
  // what came late is thrown away before the next request.
  Reply exchange(std::uint8_t unit, const Pdu& request);

  // On a serial line: throws away what arrives until then. A unit that was too late once may still be answering, and RTU
  // has nothing that tells to which request. False: the instance is to end.
  bool quiet(Clock::time_point until);

  bool is_open() const { return fd_ >= 0; }
  bool serial_frames() const { return options_.transport != Transport::tcp; }
  std::uint64_t times_opened() const { return times_opened_; }
  const LinkOptions& options() const { return options_; }

 private:
  struct Free {
    void operator()(modbus_t* context) const;
  };

  void open();  // throws std::runtime_error, or Stopping
  void close();
  int connect_tcp();
  bool ensure_open(Reply& reply);
  bool fresh();
  void send(std::uint8_t unit, const Pdu& request);
  Reply receive(std::uint8_t unit, const Pdu& request);
  Reply fail(Outcome outcome, std::string error);
  void discard();
  short wait(int fd, short events, Clock::time_point until) const;  // throws Stopping
  std::chrono::microseconds silence() const;

  const LinkOptions options_;
  const int stop_fd_;
  const Trace trace_;
  std::unique_ptr<modbus_t, Free> context_;
  int fd_ = -1;  // TCP: owned here; RTU: by context_
  std::uint16_t transaction_ = 0;
  Clock::time_point not_before_{};  // of the next request
  Clock::time_point next_attempt_{};
  std::chrono::milliseconds attempt_pause_{0};
  std::string open_error_;
  std::uint64_t times_opened_ = 0;
};

}  // namespace sluice::modbus
