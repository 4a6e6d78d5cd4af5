// SPDX-License-Identifier: Apache-2.0
//
// Bytes written as text in a setting: \n \r \t \0 \\ and \xHH stand for one byte each, all else for itself. No state: any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace serial {

// Throws std::invalid_argument for a backslash that begins none of these.
std::string unescape(std::string_view text);

// For people: what is not printable ASCII as such an escape.
std::string escape(std::string_view bytes);

}  // namespace serial
