// SPDX-License-Identifier: Apache-2.0
// Reason codes of MQTT in words that say what to do. Pure functions, for every thread.
#pragma once

#include <cstdint>
#include <string>

#include "mqtt/options.hpp"

namespace sluice::mqtt {

/// "0x87 not authorised": any reason code of MQTT 5.
std::string reason_in_words(std::uint8_t reason);

/// Why a CONNECT was refused, with what the user can do. Versions before 5 have codes of their own.
std::string connack_in_words(std::uint8_t code, Version version);

/// A refused subscription: 0x80 is all that versions before 5 say.
std::string suback_in_words(std::uint8_t code, Version version);

/// Whether the same publication will be refused for this reason again, whenever it is tried: not authorised,
/// topic name invalid, payload format invalid, packet too large and their like.
bool refused_for_good(std::uint8_t reason);

}  // namespace sluice::mqtt
