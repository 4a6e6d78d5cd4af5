// SPDX-License-Identifier: Apache-2.0
// A subscriber of another make (paho-mqtt) in a process of its own, that keeps everything it receives.
// Not for several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::test {

struct Received {
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retain = false;
  bool duplicate = false;
  std::string content_type;
  std::string response_topic;
  std::string correlation_data;
  std::optional<int> expiry;
  std::vector<std::pair<std::string, std::string>> user_properties;
};

struct SubscriberOptions {
  std::vector<std::string> filters{"#"};
  int qos = 2;
  /// A session under this fixed client id that the broker keeps while the subscriber or the link is away.
  std::string persistent_id;
  std::string username;
  std::string password;
  std::string version = "5";  ///< or "3.1.1"
};

/// For one filter, otherwise as usual.
inline SubscriberOptions only(const std::string& filter) {
  SubscriberOptions options;
  options.filters = {filter};
  return options;
}

class Subscriber {
 public:
  /// Returns once the broker has granted the subscriptions. It reconnects by itself afterwards.
  /// Throws std::runtime_error.
  explicit Subscriber(std::uint16_t port, SubscriberOptions options = {});

  /// Everything received so far, in order.
  const std::vector<Received>& messages();
  /// How many they are; much cheaper than to parse them.
  std::size_t count();
  /// Waits until there are at least `n` messages.
  bool wait_for(std::size_t n, std::chrono::milliseconds timeout = patience);
  /// Waits until one of the messages satisfies `condition`.
  bool wait_for(const std::function<bool(const Received&)>& condition,
                std::chrono::milliseconds timeout = patience);
  /// How often it has been connected and subscribed.
  std::size_t connections() const;

 private:
  TemporaryDirectory directory_;
  std::size_t read_ = 0;  // bytes of the file that are in received_
  std::size_t counted_bytes_ = 0;
  std::size_t lines_ = 0;  // in those bytes
  std::vector<Received> received_;
  std::unique_ptr<Process> process_;
};

}  // namespace sluice::test
