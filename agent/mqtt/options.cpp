// SPDX-License-Identifier: Apache-2.0
#include "mqtt/options.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::mqtt {
namespace {

constexpr std::uint16_t plain_port = 1883;
constexpr std::uint16_t tls_port = 8883;

bool is_host_character(char c) {
  const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alphanumeric || c == '.' || c == '-' || c == '_';
}

bool is_address_character(char c) {
  return is_host_character(c) || c == ':' || c == '%';
}

bool take(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<BrokerAddress> BrokerAddress::parse(std::string_view url, std::string* why) {
  const auto fail = [&](const char* expected) -> std::optional<BrokerAddress> {
    if (why != nullptr) *why = expected;
    return std::nullopt;
  };
  BrokerAddress address;
  if (take(url, "mqtts://")) {
    address.tls = true;
  } else if (!take(url, "mqtt://")) {
    return fail("expected mqtt://HOST:PORT or mqtts://HOST:PORT");
  }
  address.port = address.tls ? tls_port : plain_port;

  bool good_host = false;
  if (take(url, "[")) {
    const auto end = url.find(']');
    if (end == std::string_view::npos) return fail("expected \"]\" after an IPv6 address");
    address.host = url.substr(0, end);
    url.remove_prefix(end + 1);
    good_host = std::all_of(address.host.begin(), address.host.end(), is_address_character);
  } else {
    const auto end = std::min(url.find(':'), url.size());
    address.host = url.substr(0, end);
    url.remove_prefix(end);
    good_host = std::all_of(address.host.begin(), address.host.end(), is_host_character);
  }
  if (address.host.empty() || !good_host) {
    return fail("expected a host name or an address; an IPv6 address stands in [ ]");
  }

  if (!url.empty()) {
    unsigned port = 0;
    const bool colon = take(url, ":");
    const auto [end, error] = std::from_chars(url.data(), url.data() + url.size(), port);
    if (!colon || error != std::errc() || end != url.data() + url.size() || port == 0 || port > 65535) {
      return fail("expected a port, 1..65535, and nothing after it");
    }
    address.port = static_cast<std::uint16_t>(port);
  }
  return address;
}

std::string to_string(const BrokerAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (address.tls ? "mqtts://" : "mqtt://") + (v6 ? "[" + address.host + "]" : address.host) + ":" +
         std::to_string(address.port);
}

std::optional<Version> parse_version(std::string_view text) {
  if (text == "5") return Version::v5;
  if (text == "3.1.1") return Version::v311;
  if (text == "3.1") return Version::v31;
  return std::nullopt;
}

}  // namespace sluice::mqtt
