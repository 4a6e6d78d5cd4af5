// SPDX-License-Identifier: Apache-2.0
//
// Bytes and times as JSON can hold them. No state: any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace file {

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view bytes);

// RFC 4648, padded.
std::string base64(std::string_view bytes);

// "2026-01-31T12:00:00.123456789Z" of nanoseconds since 1970 UTC.
std::string rfc3339(std::int64_t wall_ns);

}  // namespace file
