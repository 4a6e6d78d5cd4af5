// SPDX-License-Identifier: Apache-2.0
// The wording that all messages about the configuration share. Pure functions, for every thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.hpp"

namespace sluice::config {

/// In double quotes, on one line: control characters escaped, cut after 80 bytes.
std::string quote(std::string_view text);

/// What stands in the file, for "expected X, got Y": `"fast"`, `5`, `true`, `a table`.
std::string describe_value(const Setting& setting);

/// `"a", "b" or "c"`.
std::string alternatives(const std::vector<std::string_view>& words);

/// `; did you mean "baud"?`, or nothing where no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

/// "1m30s", "500ms": as the file would say it.
std::string duration_text(std::int64_t nanoseconds);
/// "64MiB", "1500B".
std::string size_text(std::uint64_t bytes);

}  // namespace sluice::config
