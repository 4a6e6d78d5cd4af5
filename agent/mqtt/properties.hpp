// SPDX-License-Identifier: Apache-2.0
// A list of MQTT 5 properties as libmosquitto has it: built, and read. One owner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct mqtt5__property;

namespace sluice::mqtt {

class PropertyList {
 public:
  PropertyList() = default;
  ~PropertyList();
  PropertyList(const PropertyList&) = delete;
  PropertyList& operator=(const PropertyList&) = delete;

  // Each throws PropertyError where the value cannot be sent: too long, or not UTF-8.
  void add_byte(int identifier, std::uint8_t value);
  void add_int16(int identifier, std::uint16_t value);
  void add_int32(int identifier, std::uint32_t value);
  void add_string(int identifier, const std::string& value);
  void add_binary(int identifier, const std::string& value);
  void add_pair(int identifier, const std::string& name, const std::string& value);

  /// Null while it is empty, as the library wants it.
  const mqtt5__property* get() const { return list_; }
  /// Bytes that the properties take in a packet, without their length field.
  std::size_t bytes() const { return bytes_; }

 private:
  void check(int result, int identifier);

  mqtt5__property* list_ = nullptr;
  std::size_t bytes_ = 0;
};

class PropertyError : public std::exception {
 public:
  explicit PropertyError(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

// Reading a list that the library owns; nothing: the property is not there.
std::optional<std::uint8_t> read_byte(const mqtt5__property* list, int identifier);
std::optional<std::uint16_t> read_int16(const mqtt5__property* list, int identifier);
std::optional<std::uint32_t> read_int32(const mqtt5__property* list, int identifier);
std::string read_string(const mqtt5__property* list, int identifier);
std::string read_binary(const mqtt5__property* list, int identifier);
std::vector<std::pair<std::string, std::string>> read_pairs(const mqtt5__property* list, int identifier);

}  // namespace sluice::mqtt
