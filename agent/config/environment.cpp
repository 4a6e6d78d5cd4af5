// SPDX-License-Identifier: Apache-2.0
#include "config/environment.hpp"

#include <unistd.h>

#include <array>
#include <climits>
#include <utility>

namespace sluice::config {

std::string Environment::variable(const std::string& name) const {
  return variables ? variables(name).value_or("") : "";
}

std::filesystem::path Environment::first_directory(const std::string& name) const {
  const std::string list = variable(name);
  return list.substr(0, list.find(':'));
}

Environment system_environment(const std::filesystem::path& file,
                               std::vector<std::filesystem::path> plugin_dirs) {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), HOST_NAME_MAX) != 0) name[0] = '\0';
  Environment environment;
  environment.variables = process_variables();
  environment.host_name = name.data();
  environment.directory = file.parent_path();
  environment.plugin_dirs = std::move(plugin_dirs);
  return environment;
}

}  // namespace sluice::config
