// SPDX-License-Identifier: Apache-2.0
// How the subcommands find and read the configuration. Main thread only.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/settings.hpp"
#include "config/config.hpp"
#include "config/loader.hpp"
#include "plugin/catalogue.hpp"
#include "preparation.hpp"

namespace CLI {
class App;
}

namespace sluice::commands {

inline constexpr const char* default_file = "/etc/sluice/sluice.toml";

/// Adds --config to a subcommand.
void add_config_option(CLI::App& command, std::filesystem::path& file);

/// Where plugins are looked for without agent.plugin_dirs: those of the build tree that the program runs from,
/// otherwise where the package puts them.
std::vector<std::filesystem::path> default_plugin_dirs();

/// A configuration whose instances are checked against their plugins.
struct Checked {
  config::Config configuration;
  std::unique_ptr<plugin::Catalogue> catalogue;
  std::vector<PreparedInstance> instances;
};

/// Checks the instances of a configuration; nothing where problems were found.
std::optional<Checked> check_instances(config::Config configuration, Problems& problems);

/// For a file that is refused already: what is wrong with its plugins' settings too, so that the user hears everything
/// at once.
void check_plugin_settings(const std::filesystem::path& file, Problems& problems);

config::Environment environment_of(const std::filesystem::path& file);

/// For commands that only talk to the agent, or to its files: what is wrong elsewhere in the file, and secrets that the
/// user may not read, do not matter.
struct Whereabouts {
  std::filesystem::path state_dir;
  std::vector<std::filesystem::path> sockets;  ///< where an agent may listen, the likeliest first
  std::optional<config::Config> configuration;
};
Whereabouts find_agent(const std::filesystem::path& file);

/// One line each, on standard error.
void print(const std::vector<Problem>& problems, const char* severity);

}  // namespace sluice::commands
