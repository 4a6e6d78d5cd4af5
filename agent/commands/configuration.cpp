// SPDX-License-Identifier: Apache-2.0
#include "commands/configuration.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <system_error>
#include <utility>

#include "config/last_good.hpp"
#include "install_paths.hpp"

namespace sluice::commands {
namespace {

// The tree with nothing but [agent], and one [[input]] or [[output]].
Setting with_one_instance(const Setting& root, const Setting& list, const Setting& instance) {
  Setting one = root;
  one.children.clear();
  if (const Setting* agent = root.find("agent")) one.children.push_back(*agent);
  one.children.push_back(list);
  one.children.back().children = {instance};
  return one;
}

}  // namespace

void add_config_option(CLI::App& command, std::filesystem::path& file) {
  command.add_option("--config,-c", file, "The configuration file; conf.d/*.toml beside it are read too")
      ->type_name("FILE")
      ->default_str(default_file);
  file = default_file;
}

std::vector<std::filesystem::path> default_plugin_dirs() {
  std::error_code failed;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (!failed) {
    const std::filesystem::path above = program.parent_path().parent_path();
    if (std::filesystem::exists(above / "CMakeCache.txt", failed)) return {above / "plugins"};
    if (std::filesystem::is_directory(above / SLUICE_PLUGIN_DIR, failed)) return {above / SLUICE_PLUGIN_DIR};
  }
  return {std::filesystem::path(SLUICE_INSTALL_PREFIX) / SLUICE_PLUGIN_DIR};
}

config::Environment environment_of(const std::filesystem::path& file) {
  return config::system_environment(file, default_plugin_dirs());
}

std::optional<Checked> check_instances(config::Config configuration, Problems& problems) {
  Checked checked;
  checked.configuration = std::move(configuration);
  checked.catalogue = std::make_unique<plugin::Catalogue>(checked.configuration.agent.plugin_dirs);
  const std::size_t before = problems.all().size();
  checked.instances = prepare_instances(checked.configuration, *checked.catalogue, problems);
  if (problems.all().size() > before) return std::nullopt;
  return checked;
}

void check_plugin_settings(const std::filesystem::path& file, Problems& problems) {
  config::Environment environment = environment_of(file);
  environment.without_secrets = true;
  Problems known;  // all but the plugins' settings has been said
  const Setting root = config::load(config::read_files(file, known), environment.variables, known);
  for (const char* key : {"input", "output"}) {
    const Setting* list = root.find(key);
    if (list == nullptr || list->kind != SettingKind::list) continue;
    for (const Setting& instance : list->children) {
      auto configuration = config::read(with_one_instance(root, *list, instance), environment, known);
      if (configuration) check_instances(std::move(*configuration), problems);
    }
  }
}

Whereabouts find_agent(const std::filesystem::path& file) {
  Problems problems;
  config::Environment environment = environment_of(file);
  environment.without_secrets = true;
  const auto files = config::read_files(file, problems);
  const Setting root = config::load(files, environment.variables, problems);
  Whereabouts found;
  // Of a file that does not parse nothing is left, and everything would be a default.
  if (problems.empty() || root.find("agent") != nullptr)
    found.configuration = config::read(root, environment, problems);
  found.state_dir = found.configuration ? found.configuration->agent.state_dir
                                        : config::find_state_dir(files, root, environment);
  found.sockets.push_back(found.configuration ? found.configuration->agent.control_socket
                                              : found.state_dir / "control.sock");
  // The unit gives the agent a runtime directory that the user's environment does not name.
  if (found.state_dir == "/var/lib/sluice") found.sockets.emplace_back("/run/sluice/control.sock");
  if (!found.configuration) print(problems.all(), "warning");
  return found;
}

void print(const std::vector<Problem>& problems, const char* severity) {
  for (const Problem& problem : problems) std::cerr << severity << ": " << to_string(problem) << '\n';
}

}  // namespace sluice::commands
