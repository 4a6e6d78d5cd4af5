// SPDX-License-Identifier: Apache-2.0
// One setting against its declaration: what check_settings and the reading of defaults share. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "base/settings.hpp"
#include "plugin/spec.hpp"

namespace sluice::plugin {

/// The setting in the form that an instance gets; what is wrong is added to `problems`.
Setting check_setting(const Setting& given, const SettingSpec& spec, Problems& problems);

/// The keys of `table` against `specs`, defaults filled in. `separator` stands between its path and a key's.
Setting check_table(const Setting& table, const std::vector<SettingSpec>& specs, const char* separator,
                    Problems& problems);

/// "50..4000000", "at least 1s", or empty: the limits of the value, or of a list's length.
std::string range_text(const SettingSpec& spec);

}  // namespace sluice::plugin
