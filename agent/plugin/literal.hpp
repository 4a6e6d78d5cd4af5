// SPDX-License-Identifier: Apache-2.0
// The values that descriptors write as text: reading a default as it would stand in the file, and printing
// values for people. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/settings.hpp"

namespace sluice::plugin {

/// A boolean, number, quoted string or list of these; a duration or a size (`kind`) may stand without quotes.
/// Nothing: it is none of them.
std::optional<Setting> parse_literal(std::string_view text, SettingKind kind);

/// As one would write it: 42, "text", 90s, 64MiB; tables and lists only as "a table", "a list".
std::string print(const Setting& setting);
std::string print(const Value& value, SettingKind kind);
/// In quotes, shortened, and without control characters.
std::string quote(std::string_view text);

}  // namespace sluice::plugin
