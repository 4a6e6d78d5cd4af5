// SPDX-License-Identifier: Apache-2.0
// A message into the bytes of a payload. Pure functions, for every thread.
//
// An opaque payload is passed as it is, whatever the format.
//
// json: one object, its keys in this order.
//   ts        when it was measured: RFC 3339, UTC, always nine digits of a second
//   value     of a single sample, whatever its name is; of several, each stands under its own name
//   quality   "stale" or "bad"; nothing where it is good. Of several samples: an object of the names that are not
//             good, {"flow":"bad"}
//   error     why the quality is not good; of several samples: an object of the names that have one
//   encoding  "escaped" where the text is not UTF-8: then each byte that is none stands as \xNN and each
//             backslash as \\ (JSON doubles these backslashes once more); of several samples: an object likewise
//   id        of this copy of the message, where asked for
//   replayed  true where it waited for the link, where asked for
//   time      "corrected" or "unsynchronised" where the host's clock was not right when the time was taken
// Numbers are as short as they can be and still read back the same; 64-bit integers are exact; NaN and infinities
// are null with quality "bad"; bytes are base64 (RFC 4648, padded); no value is null.
//
// raw: the value of a single sample: text and bytes as they are, numbers as text, likewise nan, inf and -inf, true
// and false; no value is an empty payload. A message of another number of samples is written as json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/message.hpp"

namespace sluice::encode {

struct EncodeOptions {
  bool id_in_payload = false;  ///< json of samples only
  std::string_view id = {};    ///< "start/sequence"
  bool replayed = false;       ///< to be marked so; json of samples only
};

std::string encode(const Delivery& delivery, const EncodeOptions& options = {});
/// In place of what is in `out`, whose memory is used again.
void encode(const Delivery& delivery, const EncodeOptions& options, std::string& out);

/// What encode() writes, as a media type: the message's own for a payload and for a raw value, where it has one;
/// otherwise "application/json", "text/plain" or "application/octet-stream"; empty where nothing is known of the
/// payload. Valid as long as the delivery's message.
std::string_view content_type(const Delivery& delivery);

/// "2026-01-31T12:00:00.123456789Z" of nanoseconds since 1970 UTC.
std::string rfc3339(std::int64_t wall_ns);

}  // namespace sluice::encode
