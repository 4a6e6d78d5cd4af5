// SPDX-License-Identifier: Apache-2.0
// One libmosquitto handle, driven from outside: its owner polls the socket, calls in, and then takes the events.
// The library calls back with its locks held, so the callbacks only record. Owned by the session's thread, and
// used by no other.
//
// A handle keeps what is in flight, and the limits of its broker, across reconnections; for another broker, and
// where the broker has lost the session, there must be another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "mqtt/options.hpp"
#include "mqtt/publication.hpp"

struct mosquitto;
struct mosquitto_message;
struct mqtt5__property;

namespace sluice::mqtt {

/// What the broker allows on this connection.
struct Limits {
  std::uint16_t receive_maximum = 65535;
  std::uint32_t maximum_packet_size = 0;  ///< 0: no limit
  std::uint8_t maximum_qos = 2;
  bool retain_available = true;
};

struct Connected {
  std::uint8_t code = 0;  ///< of the CONNACK
  bool session_present = false;
  bool usable = true;  ///< false: accepted, but the handle does not fit the session, and has said goodbye
  Limits limits;
  std::string text;  ///< what the broker added: a reason string, another server
};
struct Disconnected {
  std::optional<std::uint8_t> reason;  ///< of the broker's DISCONNECT, where there was one
  std::string words;
};
struct Answered {
  std::uint16_t id = 0;
  std::uint8_t reason = 0;
};
struct SubscriptionAnswered {
  std::uint16_t id = 0;
  std::uint8_t code = 0;
};
struct Arrived {
  Message message;
  Inbound inbound;
};
using Event = std::variant<Connected, Disconnected, Answered, SubscriptionAnswered, Arrived>;

struct Will {
  std::string topic;
  std::string payload;
  std::uint8_t qos = 1;
  bool retain = true;
};

struct ClientOptions {
  bool clean_start = true;
  std::chrono::seconds session_expiry{0};
  std::optional<Will> will;
};

class Client {
 public:
  /// `options` and `clock` outlive it. Throws std::runtime_error that names what is not usable.
  Client(const Options& options, const BrokerAddress& broker, const ClientOptions& how, const Clock& clock);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const BrokerAddress& broker() const { return broker_; }

  /// Begins a connection to one address of the broker; a Connected or a Disconnected event follows.
  /// A second call resends what is in flight, if the broker still has the session.
  void connect(const std::string& address);
  /// The TCP connection does not stand yet.
  bool connecting_in_tcp() const { return tcp_connecting_; }

  /// The socket, or -1, and what to poll it for.
  int fd() const;
  short wanted() const;
  void on_socket(short events);
  /// At least once a second: keepalive.
  void misc();

  /// The id under which it is in flight, 0: it is not; `result` is the library's own. `qos` takes the place of the
  /// publication's.
  std::uint16_t publish(const Publication& publication, std::uint8_t qos, const mqtt5__property* properties,
                        int& result);
  /// What is published after the first since the last flush() goes to the broker with it: one segment in place of
  /// many. At the latest when the kernel has waited for 200 ms.
  void flush();
  /// Until so many bytes have come poll() is not to wake for the socket; 1: for each.
  void gather_answers(int bytes);

  /// The id of the packet, 0: it was not sent; `valid`: whether the filter is.
  std::uint16_t subscribe(const std::string& filter, std::uint8_t qos, bool& valid);
  /// The id that the next packet takes.
  std::uint16_t next_id() const;

  /// DISCONNECT; a Disconnected event follows once it is written.
  void disconnect();
  /// Ends the connection without a word. No event follows.
  void drop();

  /// What has happened since the last call, in place of what was in `events`; only its memory is used again.
  void take_events(std::vector<Event>& events);
  bool has_events() const { return !events_.empty(); }

 private:
  struct Destroy {
    void operator()(mosquitto* handle) const;
  };
  struct Callbacks;  // the library's, which record

  void set_up(const ClientOptions& how);
  const std::string& server_name() const;
  void finish_tcp_connect();
  void step_handshake();
  void check(int result);
  void fail(std::string words);
  std::string words_for(int result, int error) const;

  const Options& options_;
  BrokerAddress broker_;
  const Clock& clock_;
  std::unique_ptr<mosquitto, Destroy> handle_;
  std::vector<Event> events_;
  std::vector<std::string> logged_;  // errors that the library logged since connect()
  std::optional<Limits> limits_;     // of the last connection: the library keeps them
  std::uint16_t last_id_ = 0;
  std::size_t unflushed_ = 0;  // publications since flush()
  int gathered_bytes_ = 1;     // what gather_answers() has told the socket
  bool reused_ = false;        // connect() was called before
  bool answered_ = false;      // there was a CONNACK since connect()
  bool tcp_connecting_ = false;
  bool dropped_ = true;  // there is no connection, whatever the library's socket says
};

}  // namespace sluice::mqtt
