// SPDX-License-Identifier: Apache-2.0
// Text of plugins, which may hold anything, on its way to a log. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace sluice::plugin {

/// One line of UTF-8: control characters become spaces, bytes that are not UTF-8 question marks, trailing blanks go,
/// and what is longer than a log line should be is cut.
std::string tidy(std::string_view text);

}  // namespace sluice::plugin
