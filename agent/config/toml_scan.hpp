// SPDX-License-Identifier: Apache-2.0
// A look over a TOML text before the parser sees it, which recurses without limit over dotted keys and has few words for
// what is not ASCII: refuses what nests too deep, what is not UTF-8, and what is not ASCII outside of strings and comments.
// For every thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

struct TextFault {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::string text;  ///< what is wrong, and what to do
};

/// Nothing where the text may be parsed. It follows strings and comments exactly up to the first syntax error.
std::optional<TextFault> scan_toml(std::string_view text);

}  // namespace sluice::config
