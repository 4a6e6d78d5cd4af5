// SPDX-License-Identifier: Apache-2.0
#include "mqtt/properties.hpp"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <cstdlib>
#include <limits>
#include <memory>

namespace sluice::mqtt {
namespace {

struct Free {
  void operator()(void* pointer) const { std::free(pointer); }
};

constexpr std::size_t longest = std::numeric_limits<std::uint16_t>::max();

// The library checks some properties and not others, and cuts text at a NUL, which MQTT does not allow. A broker
// closes the connection over either.
int check_text(const std::string& value) {
  if (value.size() > longest) return MOSQ_ERR_INVAL;
  if (value.find('\0') != std::string::npos) return MOSQ_ERR_MALFORMED_UTF8;
  return value.empty() ? int{MOSQ_ERR_SUCCESS}
                       : mosquitto_validate_utf8(value.c_str(), static_cast<int>(value.size()));
}

}  // namespace

PropertyList::~PropertyList() {
  mosquitto_property_free_all(&list_);
}

void PropertyList::check(int result, int identifier) {
  if (result == MOSQ_ERR_SUCCESS) return;
  const std::string name = mosquitto_property_identifier_to_string(identifier);
  if (result == MOSQ_ERR_NOMEM) throw std::bad_alloc();
  if (result == MOSQ_ERR_MALFORMED_UTF8) throw PropertyError(name + " is not valid UTF-8");
  throw PropertyError(name + " is longer than 65535 bytes");
}

void PropertyList::add_byte(int identifier, std::uint8_t value) {
  check(mosquitto_property_add_byte(&list_, identifier, value), identifier);
  bytes_ += 2;
}

void PropertyList::add_int16(int identifier, std::uint16_t value) {
  check(mosquitto_property_add_int16(&list_, identifier, value), identifier);
  bytes_ += 3;
}

void PropertyList::add_int32(int identifier, std::uint32_t value) {
  check(mosquitto_property_add_int32(&list_, identifier, value), identifier);
  bytes_ += 5;
}

void PropertyList::add_string(int identifier, const std::string& value) {
  const int result = check_text(value);
  check(
      result != MOSQ_ERR_SUCCESS ? result : mosquitto_property_add_string(&list_, identifier, value.c_str()),
      identifier);
  bytes_ += 3 + value.size();
}

void PropertyList::add_binary(int identifier, const std::string& value) {
  check(value.size() > longest ? int{MOSQ_ERR_INVAL}
                               : mosquitto_property_add_binary(&list_, identifier, value.data(),
                                                               static_cast<std::uint16_t>(value.size())),
        identifier);
  bytes_ += 3 + value.size();
}

void PropertyList::add_pair(int identifier, const std::string& name, const std::string& value) {
  int result = check_text(name);
  if (result == MOSQ_ERR_SUCCESS) result = check_text(value);
  if (result == MOSQ_ERR_SUCCESS) {
    result = mosquitto_property_add_string_pair(&list_, identifier, name.c_str(), value.c_str());
  }
  check(result, identifier);
  bytes_ += 5 + name.size() + value.size();
}

std::optional<std::uint8_t> read_byte(const mosquitto_property* list, int identifier) {
  std::uint8_t value = 0;
  if (mosquitto_property_read_byte(list, identifier, &value, false) == nullptr) return std::nullopt;
  return value;
}

std::optional<std::uint16_t> read_int16(const mosquitto_property* list, int identifier) {
  std::uint16_t value = 0;
  if (mosquitto_property_read_int16(list, identifier, &value, false) == nullptr) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> read_int32(const mosquitto_property* list, int identifier) {
  std::uint32_t value = 0;
  if (mosquitto_property_read_int32(list, identifier, &value, false) == nullptr) return std::nullopt;
  return value;
}

std::string read_string(const mosquitto_property* list, int identifier) {
  char* value = nullptr;
  if (mosquitto_property_read_string(list, identifier, &value, false) == nullptr) return {};
  const std::unique_ptr<char, Free> owned(value);
  return value == nullptr ? std::string() : std::string(value);
}

std::string read_binary(const mosquitto_property* list, int identifier) {
  void* value = nullptr;
  std::uint16_t size = 0;
  if (mosquitto_property_read_binary(list, identifier, &value, &size, false) == nullptr) return {};
  const std::unique_ptr<void, Free> owned(value);
  return value == nullptr ? std::string() : std::string(static_cast<const char*>(value), size);
}

std::vector<std::pair<std::string, std::string>> read_pairs(const mosquitto_property* list, int identifier) {
  std::vector<std::pair<std::string, std::string>> pairs;
  char* name = nullptr;
  char* value = nullptr;
  for (const mosquitto_property* at =
           mosquitto_property_read_string_pair(list, identifier, &name, &value, false);
       at != nullptr; at = mosquitto_property_read_string_pair(at, identifier, &name, &value, true)) {
    const std::unique_ptr<char, Free> owned_name(name);
    const std::unique_ptr<char, Free> owned_value(value);
    pairs.emplace_back(name == nullptr ? "" : name, value == nullptr ? "" : value);
    name = nullptr;
    value = nullptr;
  }
  return pairs;
}

}  // namespace sluice::mqtt
