// SPDX-License-Identifier: Apache-2.0
// What the session is told: brokers, identity, time limits, TLS and subscriptions, everything resolved (secrets
// read, placeholders replaced). A plain value, checked by whoever reads the configuration.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::mqtt {

struct BrokerAddress {
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = 1883;
  bool tls = false;

  /// "mqtt://host:1883", "mqtts://[::1]:8883"; without a port 1883, with TLS 8883. Nothing: it is neither, and
  /// `why`, where given, says what was expected.
  static std::optional<BrokerAddress> parse(std::string_view url, std::string* why = nullptr);
  bool operator==(const BrokerAddress&) const = default;
};

/// As parse() reads it.
std::string to_string(const BrokerAddress& address);

enum class Version : std::uint8_t { v31 = 3, v311 = 4, v5 = 5 };

/// "5", "3.1.1", "3.1".
std::optional<Version> parse_version(std::string_view text);

struct TlsOptions {
  std::string ca_file;    ///< empty: the system's store
  std::string cert_file;  ///< of the client; with key_file, or both empty
  std::string key_file;
  std::string server_name;  ///< empty: the host of the broker. Sent as SNI and compared with the certificate
  std::string min_version = "1.2";  ///< "1.1", "1.2", "1.3"
  std::string alpn;
  std::string psk_identity;
  std::string psk;        ///< hexadecimal; with psk_identity it takes the place of certificates
  bool insecure = false;  ///< neither certificate nor host name is checked
  bool operator==(const TlsOptions&) const = default;
};

struct Subscription {
  std::string filter;
  std::uint8_t qos = 1;
  bool operator==(const Subscription&) const = default;
};

struct Options {
  std::vector<BrokerAddress> brokers{BrokerAddress{"127.0.0.1", 1883, false}};  ///< the first is preferred
  std::chrono::milliseconds failback_after = std::chrono::minutes(10);          ///< 0: never
  Version version = Version::v5;
  std::string client_id;
  std::chrono::seconds keepalive{60};  ///< 5 s at least
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds reconnect_min = std::chrono::seconds(1);
  std::chrono::milliseconds reconnect_max = std::chrono::seconds(60);
  bool clean_start = true;
  std::chrono::seconds session_expiry{0};  ///< MQTT 5, with clean_start = false
  std::size_t max_inflight = 100;
  std::chrono::milliseconds ack_timeout = std::chrono::seconds(30);
  std::string username;      ///< empty: none
  std::string password;      ///< empty: none; never logged
  std::string status_topic;  ///< empty: neither will nor status
  TlsOptions tls;            ///< for the brokers with TLS
  std::vector<Subscription> subscriptions;
  /// The last start ended with QoS 2 publications unanswered (Session::qos2_in_flight()). The broker may still
  /// hold their packet ids, which begin anew here: its session is discarded before anything is published.
  bool unclean_start = false;
  bool operator==(const Options&) const = default;
};

}  // namespace sluice::mqtt
