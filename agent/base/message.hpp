// SPDX-License-Identifier: Apache-2.0
// What travels through the agent: a message, immutable once it has been accepted and shared by its
// destinations, and a delivery, the message on its way to one of them. Plain values, for every thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {

struct Bytes {
  std::string data;
  bool operator==(const Bytes&) const = default;
};

/// monostate: no value (JSON null).
using Value = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Bytes>;

enum class Quality : std::uint8_t { good = 0, stale = 1, bad = 2 };

struct Sample {
  std::string name;
  Value value;
  Quality quality = Quality::good;
  std::string error;  ///< why the quality is not good
  bool operator==(const Sample&) const = default;
};

enum class TimeKind : std::uint8_t { device = 0, host = 1 };

/// How far a host time can be trusted; sent with the message where it is not `plain`.
enum class TimeMark : std::uint8_t { plain = 0, corrected = 1, unsynchronised = 2 };

/// When a message was measured. The monotonic time and the boot it belongs to allow a wrong wall clock to be
/// corrected.
struct Time {
  std::int64_t wall_ns = 0;  ///< since 1970 UTC
  std::int64_t monotonic_ns =
      0;                   ///< CLOCK_MONOTONIC of the boot `boot`, when the message was accepted or measured
  std::uint64_t boot = 0;  ///< the first 64 bits of the kernel's boot id; 0 = not known
  TimeKind kind = TimeKind::host;
  TimeMark mark = TimeMark::plain;
  bool operator==(const Time&) const = default;
};

using Property = std::pair<std::string, std::string>;

struct Message {
  std::string topic;  ///< valid, without wildcards
  std::string input;  ///< name of the instance that emitted it; empty: it came from the broker
  Time time;
  std::vector<Sample> samples;         ///< the body, where `payload` is not set
  std::optional<std::string> payload;  ///< opaque bytes
  std::string content_type;
  std::string response_topic;
  std::string correlation_data;
  std::vector<Property> user_properties;
  std::chrono::seconds expiry{0};  ///< asked for by the emitter or the publisher; 0 = none
  bool retain = false;
  bool operator==(const Message&) const = default;
};

enum class Format : std::uint8_t { json = 0, raw = 1 };
enum class Priority : std::uint8_t { high = 0, normal = 1, low = 2 };

/// How many samples of one topic travel in one publication, at most; a JSON array of them.
struct Batching {
  std::uint32_t count = 0;      ///< messages; 0 = each is published alone
  std::uint32_t bytes = 0;      ///< of the payload
  std::chrono::seconds age{0};  ///< that the first of them waits for others
  bool operator==(const Batching&) const = default;
};

/// What a rule asks of a delivery.
struct DeliveryOptions {
  std::uint8_t qos = 1;
  bool retain = false;
  Format format = Format::json;
  Priority priority = Priority::normal;
  std::chrono::seconds expiry{0};  ///< counted from the acceptance of the message; 0 = none
  Batching batch;
  bool keep_last =
      false;  ///< of what waits, only the newest of each topic is kept; `priority` is normal then
  bool operator==(const DeliveryOptions&) const = default;
};

/// A message on its way to one destination. The message is shared by all its deliveries.
struct Delivery {
  std::shared_ptr<const Message> message;
  std::string rewritten_topic;  ///< empty: the message's own
  DeliveryOptions options;
  std::uint64_t token = 0;  ///< of whoever hands it to an instance, to know it again when it is completed

  const std::string& topic() const { return rewritten_topic.empty() ? message->topic : rewritten_topic; }
};

/// Bytes of memory that a delivery holds, near enough for limits: its message counted whole.
std::size_t footprint(const Delivery& delivery);

}  // namespace sluice
