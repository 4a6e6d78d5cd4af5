// SPDX-License-Identifier: Apache-2.0
//
// A message as one line of JSON, whatever it contains. No state: any thread.
//
//   topic, ts    always; ts is the time of the measurement
//   samples      {"value":21.5}: each under its name. Bytes, and text that is not UTF-8, are {"base64":"…"}; NaN and
//                infinities are null, with quality bad
//   quality      {"flow":"bad"}: of the samples that are not good
//   error        {"flow":"no answer"}: why
//   payload      instead of samples, where the body is opaque: text, or {"base64":"…"}
//   content_type, response_topic, correlation_data, properties ([["name","value"],…]), retain    where they are set
#pragma once

#include <sluice/host.hpp>
#include <sluice/received.hpp>

#include <string>

namespace file {

// With the line feed at the end. `now` gives the time of a message without one, and turns monotonic times into wall ones.
std::string line_of(const sluice::ReceivedMessage& message, const sluice::Now& now);

}  // namespace file
