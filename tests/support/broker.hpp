// SPDX-License-Identifier: Apache-2.0
// A real mosquitto with a configuration and a directory of its own, on ports of its own, for as long as the owner
// lives. Not for several threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/certificates.hpp"
#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::test {

struct BrokerOptions {
  bool persistence = false;  ///< sessions and messages survive stop() and start(), and kill() where saved
  std::vector<std::pair<std::string, std::string>> users;  ///< name, password; none: everybody may connect
  std::string acl;                    ///< lines of an acl_file; empty: everything is allowed
  const Certificates* tls = nullptr;  ///< adds a listener with TLS; outlives the broker
  bool require_client_certificate = false;
  std::string psk;  ///< "identity:hexadecimal key": the listener with TLS uses it in place of certificates
  int receive_maximum = 0;  ///< what it announces, and its own window; 0 = no limit
  int max_queued_messages =
      0;              ///< for each client; 0 = no limit. Mosquitto's own default, 1000, drops silently
  std::string extra;  ///< further lines of mosquitto.conf, global
};

class Broker {
 public:
  /// Starts it and waits until it accepts. Throws std::runtime_error with its log.
  explicit Broker(BrokerOptions options = {});
  ~Broker();

  std::uint16_t port() const { return port_; }
  std::uint16_t tls_port() const { return tls_port_; }
  /// "mqtt://127.0.0.1:PORT", "mqtts://localhost:PORT".
  std::string url() const;
  std::string tls_url() const;
  pid_t pid() const { return process_ ? process_->pid() : -1; }
  bool running() { return process_ && process_->running(); }

  void start();  ///< on the same ports
  void stop();   ///< SIGTERM: it saves what is persistent
  void restart();
  void kill();    ///< SIGKILL
  void pause();   ///< SIGSTOP: connections stay open, nobody answers
  void resume();  ///< SIGCONT
  /// Makes it write its persistent state now, so that kill() does not lose it.
  void save();
  /// What all its runs have logged.
  std::string log() const;
  /// Waits until the log contains `text`.
  bool wait_for_log(const std::string& text) const;

 private:
  std::string configuration() const;

  BrokerOptions options_;
  TemporaryDirectory directory_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  std::unique_ptr<Process> process_;
};

struct PublishOptions {
  int qos = 1;
  bool retain = false;
  std::string username;
  std::string password;
  std::string response_topic;
  std::string correlation_data;
  std::string content_type;
  int expiry = 0;  ///< seconds; 0 = none
  std::vector<std::pair<std::string, std::string>> user_properties;
};

/// Publishes one message with MQTT 5 and waits for the acknowledgement. Throws std::runtime_error.
void publish(std::uint16_t port, const std::string& topic, const std::string& payload,
             const PublishOptions& options = {});

}  // namespace sluice::test
