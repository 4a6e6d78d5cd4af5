// SPDX-License-Identifier: Apache-2.0
// One TOML text into a tree of settings: the only place that knows the TOML library. For every thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/settings.hpp"

namespace sluice::config {

/// Tables, lists and dotted keys together nest no deeper than this.
constexpr std::size_t max_depth = 32;

/// The tree, in the order of the text, without paths. Nothing where the text is no TOML: then a problem says at
/// which line and column, and what to do. Dates, which nothing here takes, are problems too, but leave the rest.
/// `text` is at most some MiB; memory and time are in proportion to it.
std::optional<Setting> parse_toml(std::string_view text, const std::string& file, Problems& problems);

}  // namespace sluice::config
