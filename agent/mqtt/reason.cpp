// SPDX-License-Identifier: Apache-2.0
#include "mqtt/reason.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::mqtt {
namespace {

struct Words {
  std::uint8_t code;
  std::string_view text;
};

// MQTT 5, section 2.4.
constexpr std::array reasons = {
    Words{0x00, "success"},
    Words{0x04, "disconnected with the will message"},
    Words{0x10, "no matching subscribers"},
    Words{0x11, "no subscription existed"},
    Words{0x18, "continue authentication"},
    Words{0x19, "re-authenticate"},
    Words{0x80, "unspecified error"},
    Words{0x81, "malformed packet"},
    Words{0x82, "protocol error"},
    Words{0x83, "implementation specific error"},
    Words{0x84, "unsupported protocol version"},
    Words{0x85, "client identifier not valid"},
    Words{0x86, "bad user name or password"},
    Words{0x87, "not authorised"},
    Words{0x88, "server unavailable"},
    Words{0x89, "server busy"},
    Words{0x8A, "banned"},
    Words{0x8B, "server shutting down"},
    Words{0x8C, "bad authentication method"},
    Words{0x8D, "keep alive timeout"},
    Words{0x8E, "session taken over by another client with the same client id"},
    Words{0x8F, "topic filter invalid"},
    Words{0x90, "topic name invalid"},
    Words{0x91, "packet identifier in use"},
    Words{0x92, "packet identifier not found"},
    Words{0x93, "receive maximum exceeded"},
    Words{0x94, "topic alias invalid"},
    Words{0x95, "packet too large"},
    Words{0x96, "message rate too high"},
    Words{0x97, "quota exceeded"},
    Words{0x98, "administrative action"},
    Words{0x99, "payload format invalid"},
    Words{0x9A, "retain not supported"},
    Words{0x9B, "QoS not supported"},
    Words{0x9C, "use another server"},
    Words{0x9D, "server moved"},
    Words{0x9E, "shared subscriptions not supported"},
    Words{0x9F, "connection rate exceeded"},
    Words{0xA0, "maximum connect time"},
    Words{0xA1, "subscription identifiers not supported"},
    Words{0xA2, "wildcard subscriptions not supported"},
};

// What the user can do about a refused CONNECT.
constexpr std::array remedies = {
    Words{0x84, "set mqtt.version to one that the broker speaks"},
    Words{0x85, "choose another mqtt.client_id"},
    Words{0x86, "check mqtt.username and mqtt.password_file"},
    Words{0x87,
          "the broker does not allow this client; check mqtt.username, mqtt.password_file and its rules"},
    Words{0x8A, "the broker's administrator has banned this client"},
    Words{0x8C, "the broker wants an authentication that is not supported here"},
    Words{0x90, "the broker does not accept mqtt.status_topic"},
    Words{0x9A, "it accepts no retained will; the next attempt goes without retain"},
    Words{0x9B, "it accepts no will with QoS 1; the next attempt goes with QoS 0"},
    Words{0x9C, "put the other server into mqtt.brokers"},
    Words{0x9D, "put the other server into mqtt.brokers"},
};

// MQTT 3.1.1, table 3.1, as the codes of MQTT 5 that mean the same.
constexpr std::array<std::uint8_t, 6> codes_before_v5 = {0x00, 0x84, 0x85, 0x88, 0x86, 0x87};

template <std::size_t n>
std::string_view find(const std::array<Words, n>& words, std::uint8_t code) {
  const auto found = std::find_if(words.begin(), words.end(), [&](const Words& w) { return w.code == code; });
  return found == words.end() ? std::string_view() : found->text;
}

}  // namespace

std::string reason_in_words(std::uint8_t reason) {
  const std::string_view text = find(reasons, reason);
  return fmt::format("0x{:02X} {}", reason, text.empty() ? "unknown reason" : text);
}

std::string connack_in_words(std::uint8_t code, Version version) {
  std::uint8_t reason = code;
  std::string words;
  if (code < codes_before_v5.size() && (version != Version::v5 || code != 0)) {
    reason = codes_before_v5[code];
    words = fmt::format("code {}, {}", code, find(reasons, reason));
  } else {
    words = reason_in_words(code);
  }
  const std::string_view remedy = find(remedies, reason);
  return remedy.empty() ? words : fmt::format("{}: {}", words, remedy);
}

std::string suback_in_words(std::uint8_t code, Version version) {
  if (version != Version::v5) return "the broker refuses it (0x80), without a reason before MQTT 5";
  return reason_in_words(code);
}

bool refused_for_good(std::uint8_t reason) {
  switch (reason) {
    case 0x87:  // not authorised
    case 0x90:  // topic name invalid
    case 0x95:  // packet too large
    case 0x99:  // payload format invalid
    case 0x9A:  // retain not supported
    case 0x9B:  // QoS not supported
      return true;
    default:
      return false;
  }
}

}  // namespace sluice::mqtt
