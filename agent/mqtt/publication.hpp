// SPDX-License-Identifier: Apache-2.0
// What is handed to the session to be sent, and what it answers. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/message.hpp"

namespace sluice::mqtt {

/// Properties are sent with MQTT 5 only; earlier versions have none.
struct Publication {
  std::string topic;
  std::string payload;
  std::uint8_t qos = 1;
  bool retain = false;
  std::chrono::seconds expiry{0};  ///< what remains of it; 0 = none
  std::string content_type;
  std::string response_topic;
  std::string correlation_data;
  std::vector<Property> user_properties;
  std::uint64_t token = 0;  ///< comes back with the answer; the caller's choice, unique among the unanswered
};

enum class PublishResult : std::uint8_t {
  sent,     ///< in flight: an answer comes, or on_link_up(false)
  full,     ///< the window is: on_room() tells when to try again
  down,     ///< no link: on_link_up() tells when to try again
  refused,  ///< never acceptable as it is to this broker
};

/// How a message came from the broker.
struct Inbound {
  std::uint8_t qos = 0;
  bool retained = false;           ///< kept by the broker, not published now
  std::chrono::seconds expiry{0};  ///< what remains of it; 0 = none
};

}  // namespace sluice::mqtt
