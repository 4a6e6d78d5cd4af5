// SPDX-License-Identifier: Apache-2.0
// ${NAME} in the strings of the configuration, from the environment. Pure functions; process_variables reads the
// environment of the process, which must not change meanwhile.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/settings.hpp"

namespace sluice::config {

/// The value of a variable; nothing where it is not set.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;

Variables process_variables();

/// Replaces ${NAME} in all strings of the tree; $${ stands for ${ itself. A variable that is not set, a name that
/// is not one, and a value that is not UTF-8 are problems. What is put in is not looked at again.
void expand_variables(Setting& tree, const Variables& variables, Problems& problems);

}  // namespace sluice::config
