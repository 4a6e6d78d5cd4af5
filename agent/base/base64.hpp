// SPDX-License-Identifier: Apache-2.0
// Base64 as RFC 4648 section 4 has it, padded. Pure functions, for every thread.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

void append_base64(std::string& out, std::string_view bytes);

}  // namespace sluice
