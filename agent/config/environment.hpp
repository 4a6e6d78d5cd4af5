// SPDX-License-Identifier: Apache-2.0
// What the configuration takes from outside its files. A plain value.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/expand.hpp"

namespace sluice::config {

struct Environment {
  Variables variables;    ///< STATE_DIRECTORY, RUNTIME_DIRECTORY, CREDENTIALS_DIRECTORY, and ${NAME}
  std::string host_name;  ///< the default of agent.id
  std::filesystem::path directory;                 ///< of the configuration file: relative names of secrets
  std::vector<std::filesystem::path> plugin_dirs;  ///< the default
  /// A secret that cannot be read is a warning instead of a problem: the last good configuration comes up without.
  bool without_secrets = false;

  /// The value of a variable; empty where it is not set.
  std::string variable(const std::string& name) const;
  /// The first of a list of directories such as systemd sets; empty where it is not set.
  std::filesystem::path first_directory(const std::string& name) const;
};

/// Of this process and machine, for the configuration in `file`.
Environment system_environment(const std::filesystem::path& file,
                               std::vector<std::filesystem::path> plugin_dirs);

}  // namespace sluice::config
