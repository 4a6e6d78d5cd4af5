// SPDX-License-Identifier: Apache-2.0
// Files that the configuration names: passwords, keys, certificates. Relative names are looked for in the systemd
// credentials directory first, then beside the configuration file. No content ever stands in a message. For every
// thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/settings.hpp"
#include "config/environment.hpp"

namespace sluice::config {

/// Where the file that `at` names is; the name as the credentials directory or the configuration's folder has it. A
/// file that nobody can read is a problem, or a warning where the environment does without secrets.
std::optional<std::filesystem::path> find_file(const Setting& at, const Environment& environment,
                                               Problems& problems, Problems& warnings);

/// The content of such a file without the newline at its end. One that is empty, holds a zero byte or more than 64 KiB
/// is no secret; one that everybody may read is a warning.
std::optional<std::string> read_secret(const Setting& at, const Environment& environment, Problems& problems,
                                       Problems& warnings);

/// A file that holds a private key: found as above, with the warning.
std::optional<std::filesystem::path> find_private_file(const Setting& at, const Environment& environment,
                                                       Problems& problems, Problems& warnings);

}  // namespace sluice::config
