// SPDX-License-Identifier: Apache-2.0
// Base64 as RFC 4648 section 4 has it, padded. Pure functions, for every thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

void append_base64(std::string& out, std::string_view bytes);

/// The bytes; nothing for text that append_base64() does not write: a foreign character, missing or wrong padding, bits
/// beyond the last byte.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace sluice
