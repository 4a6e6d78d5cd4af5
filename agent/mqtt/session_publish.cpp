// SPDX-License-Identifier: Apache-2.0
// Publishing: what the session checks itself, and what it sends on its own behalf.
#include <fmt/core.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "mqtt/properties.hpp"
#include "mqtt/session_thread.hpp"

namespace sluice::mqtt {
namespace {

constexpr std::size_t longest_topic = 65535;
constexpr std::size_t largest_packet = 268'435'455;

std::size_t length_bytes(std::size_t length) {
  return length < 128 ? 1 : length < 16'384 ? 2 : length < 2'097'152 ? 3 : 4;
}

// The library's own computation is a byte short of the packet, just where it matters.
std::size_t packet_size(const Publication& publication, Version version, std::size_t property_bytes) {
  std::size_t remaining =
      2 + publication.topic.size() + (publication.qos > 0 ? 2 : 0) + publication.payload.size();
  if (version == Version::v5) remaining += length_bytes(property_bytes) + property_bytes;
  return 1 + length_bytes(remaining) + remaining;
}

void add_properties(PropertyList& list, const Publication& publication) {
  if (publication.expiry.count() > 0) {
    list.add_int32(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, static_cast<std::uint32_t>(publication.expiry.count()));
  }
  if (!publication.content_type.empty()) list.add_string(MQTT_PROP_CONTENT_TYPE, publication.content_type);
  if (!publication.response_topic.empty())
    list.add_string(MQTT_PROP_RESPONSE_TOPIC, publication.response_topic);
  if (!publication.correlation_data.empty()) {
    list.add_binary(MQTT_PROP_CORRELATION_DATA, publication.correlation_data);
  }
  for (const auto& [name, value] : publication.user_properties) {
    list.add_pair(MQTT_PROP_USER_PROPERTY, name, value);
  }
}

std::string utc_text(std::chrono::nanoseconds wall) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(wall).count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

// Topics come again and again: one that was valid is.
bool Session::Thread::is_valid(const std::string& topic) {
  if (!topic.empty() && topic == valid_topic_) return true;
  if (topic.empty() || topic.size() > longest_topic || topic.find('\0') != std::string::npos ||
      mosquitto_pub_topic_check(topic.c_str()) != MOSQ_ERR_SUCCESS ||
      mosquitto_validate_utf8(topic.c_str(), static_cast<int>(topic.size())) != MOSQ_ERR_SUCCESS) {
    return false;
  }
  valid_topic_ = topic;
  return true;
}

bool Session::Thread::acceptable(const Publication& publication, std::string& why) {
  if (!is_valid(publication.topic)) {
    why = "not a valid topic to publish to";
  } else if (publication.response_topic.find_first_of("+#") != std::string::npos) {
    why = "a response topic with wildcards";
  } else if (publication.qos > 2) {
    why = "QoS above 2";
  } else if (publication.qos > 0 && limits_.maximum_qos == 0) {
    why = "the broker takes QoS 0 only, which acknowledges nothing";
  } else if (publication.retain && !limits_.retain_available) {
    why = "the broker keeps no retained messages";
  }
  return why.empty();
}

PublishResult Session::Thread::publish(const Publication& publication, std::string* why) {
  if (phase_ != Phase::up || client_->fd() < 0) return PublishResult::down;
  if (moving_back_ || in_flight_.size() >= window()) return PublishResult::full;
  std::string text;
  const PublishResult result = send(publication, false, text);
  if (why != nullptr) *why = text;
  if (result == PublishResult::sent) meters_.published.add();
  return result;
}

PublishResult Session::Thread::send(const Publication& publication, bool own, std::string& why) {
  // The library counts packet ids up and around, without a look at those that are still in flight.
  if (in_flight_.contains(client_->next_id())) return PublishResult::full;
  if (!acceptable(publication, why)) return PublishResult::refused;

  PropertyList properties;
  try {
    if (options_.version == Version::v5) add_properties(properties, publication);
  } catch (const PropertyError& error) {
    why = error.what();
    return PublishResult::refused;
  }
  const std::size_t size = packet_size(publication, options_.version, properties.bytes());
  const std::size_t most = limits_.maximum_packet_size != 0 ? limits_.maximum_packet_size : largest_packet;
  if (size > most) {
    why = fmt::format("a packet of {} bytes; the broker takes at most {}", size, most);
    return PublishResult::refused;
  }

  int result = MOSQ_ERR_SUCCESS;
  const std::uint8_t qos = std::min(publication.qos, limits_.maximum_qos);
  const std::uint16_t id = client_->publish(publication, qos, properties.get(), result);
  if (id == 0) {
    if (result == MOSQ_ERR_NO_CONN) return PublishResult::down;
    if (result == MOSQ_ERR_NOMEM) return PublishResult::full;
    why = mosquitto_strerror(result);
    return PublishResult::refused;
  }
  const TimePoint now = Steady::now();
  if (in_flight_.empty()) answers_due_ = now + ack_patience_;
  in_flight_.add(id, {publication.token, qos, own, now});
  published_at_ = now;
  ++publications_;
  if (own) offline_id_ = id;
  return PublishResult::sent;
}

std::string Session::Thread::status_payload(const char* state, const std::string& reason,
                                            bool with_time) const {
  nlohmann::ordered_json status{{"state", state}, {"client_id", options_.client_id}};
  if (!reason.empty()) status["reason"] = reason;
  if (with_time) status["ts"] = utc_text(clock_.wall());
  return status.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void Session::Thread::publish_status(const char* state, const std::string& reason) {
  offline_id_.reset();
  if (options_.status_topic.empty()) return;
  Publication status;
  status.topic = options_.status_topic;
  status.payload = status_payload(state, reason, true);
  status.qos = std::min<std::uint8_t>(1, limits_.maximum_qos);
  status.retain = limits_.retain_available;
  std::string why;
  if (send(status, true, why) == PublishResult::refused) {
    log_.warn("status \"{}\" not published: {}", options_.status_topic, why);
  }
}

}  // namespace sluice::mqtt
