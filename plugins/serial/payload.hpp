// SPDX-License-Identifier: Apache-2.0
//
// What a frame says: its bytes as samples of a message, and the way back, a message as bytes for the line. No state: any
// thread.
#pragma once

#include <sluice/message.hpp>
#include <sluice/received.hpp>

#include <string>
#include <string_view>

namespace serial {

enum class Payload { text, hex, bytes, json };

// Adds the samples of `frame` to `message`: one named `value`, or one for each field of a JSON object. With `number`, text
// that is a number becomes one. Throws std::invalid_argument, with the reason, for a frame that is not what it should be;
// the message is then in part filled.
void decode(std::string_view frame, Payload payload, bool number, sluice::Message& message);

// `text`, without white space around it, as int64 or uint64 where it fits, else as a double; as it is where it is no number.
sluice::Value number_or_text(std::string_view text);

// The bytes that a message asks to write: its payload, or its only sample (else the one named `value`) as text. Throws
// sluice::Refused, with the reason, where there is neither.
std::string encode(const sluice::ReceivedMessage& message);

}  // namespace serial
