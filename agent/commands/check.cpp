// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "commands/commands.hpp"
#include "commands/configuration.hpp"
#include "config/last_good.hpp"
#include "plugin/schema.hpp"

namespace sluice::commands {
namespace {

int check_file(const std::filesystem::path& file) {
  Problems problems;
  std::optional<config::Loaded> loaded = config::load_configuration(file, environment_of(file), problems);
  std::optional<Checked> checked;
  if (loaded) {
    checked = check_instances(std::move(loaded->config), problems);
  } else {
    check_plugin_settings(file, problems);
  }
  bool missing = false;
  if (checked) {
    print(checked->configuration.warnings, "warning");
    for (const PreparedInstance& instance : checked->instances) {
      const std::string kind = instance.config.is_input ? "input" : "output";
      if (instance.library == nullptr) {
        missing = true;
        std::cerr << "error: "
                  << to_string(
                         Problem{instance.config.place, instance.config.settings.path, instance.load_error})
                  << '\n';
        continue;
      }
      std::cout << kind << " \"" << instance.config.name << "\": " << instance.config.plugin << ' '
                << instance.library->version() << '\n';
      for (const std::string& line : plugin::plan(*instance.library, instance.settings, problems)) {
        std::cout << "  " << line << '\n';
      }
    }
  }
  print(problems.all(), "error");
  if (!problems.empty() || missing) return EX_CONFIG;
  std::cout << file.string() << ": good: " << checked->instances.size() << " instances, "
            << checked->configuration.routes.size() << " routes\n";
  return EX_OK;
}

}  // namespace

void add_check(CLI::App& program, int& exit_code) {
  auto file = std::make_shared<std::filesystem::path>();
  CLI::App* command = program.add_subcommand(
      "check",
      "Validates the whole configuration, plugins' settings included, and prints what polled devices will be "
      "asked. "
      "Touches no device. All errors are reported together; exit code 78 if there is any.");
  add_config_option(*command, *file);
  command->callback([file, &exit_code] { exit_code = check_file(*file); });
}

}  // namespace sluice::commands
