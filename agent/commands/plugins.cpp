// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "commands/commands.hpp"
#include "commands/configuration.hpp"
#include "plugin/schema.hpp"

namespace sluice::commands {
namespace {

struct Arguments {
  std::filesystem::path file;
  std::string name;
  bool markdown = false;
};

std::string roles(const plugin::Library& library) {
  if (library.emits() && library.takes()) return "input that takes messages";
  return library.emits() ? "input" : "output";
}

int list(plugin::Catalogue& catalogue) {
  for (const plugin::Catalogue::Entry& entry : catalogue.list()) {
    if (entry.library == nullptr) {
      std::cout << entry.name << "  does not load: " << entry.error << '\n';
    } else {
      std::cout << entry.name << ' ' << entry.library->version() << "  (" << roles(*entry.library) << ")  "
                << entry.library->summary() << '\n';
    }
  }
  return EX_OK;
}

std::string limits(const plugin::SettingRow& row) {
  std::string text = row.range;
  for (const std::string& choice : row.choices) text += (text.empty() ? "" : ", ") + choice;
  return text;
}

void show(const plugin::Library& library) {
  std::cout << library.name() << ' ' << library.version() << ": " << library.summary() << "\n"
            << roles(library) << ", " << library.file().string() << "\n\n";
  for (const plugin::SettingRow& row : plugin::describe_settings(library)) {
    std::cout << row.name << ": " << row.type;
    if (!row.unit.empty()) std::cout << ", " << row.unit;
    if (const std::string text = limits(row); !text.empty()) std::cout << ", " << text;
    if (!row.default_text.empty()) std::cout << ", default " << row.default_text;
    if (row.required) std::cout << ", required";
    if (row.secret) std::cout << ", secret";
    std::cout << "\n    " << row.help << '\n';
  }
  for (const plugin::Placeholder& placeholder : library.placeholders()) {
    std::cout << "topic placeholder {" << placeholder.name << "}: " << placeholder.help << '\n';
  }
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// As the READMEs have it: choices as code, a range always as least..most, a limit of days in hours.
std::string markdown_range(const plugin::SettingRow& row) {
  std::string text;
  for (const std::string& choice : row.choices) text += (text.empty() ? "`" : ", `") + choice + '`';
  if (row.range.empty()) return text;
  text = row.range;
  constexpr std::string_view least = "at least ";
  constexpr std::string_view most = "at most ";
  if (text.starts_with(least)) text = text.substr(least.size()) + "..";
  if (text.starts_with(most)) text = ".." + text.substr(most.size());
  if (row.type == "duration" && text.ends_with('d')) {
    const std::size_t from = text.find_last_not_of("0123456789", text.size() - 2) + 1;
    text = text.substr(0, from) + std::to_string(24 * std::stoull(text.substr(from))) + 'h';
  }
  return text;
}

// The table of the plugins' READMEs.
void show_markdown(const plugin::Library& library) {
  std::cout << "| name | type | default | range | unit | help |\n| --- | --- | --- | --- | --- | --- |\n";
  for (plugin::SettingRow row : plugin::describe_settings(library)) {
    replace_all(row.name, "[]", "");
    const std::string type = row.type.starts_with("list") ? "list" : row.type;
    const std::string fallback = row.required               ? "required"
                                 : row.default_text.empty() ? ""
                                                            : '`' + row.default_text + '`';
    std::cout << "| `" << row.name << "` | " << type << " | " << fallback << " | " << markdown_range(row)
              << " | " << row.unit << " | " << row.help << " |\n";
  }
}

int run(const Arguments& arguments, bool config_given) {
  std::vector<std::filesystem::path> directories = default_plugin_dirs();
  if (config_given) {
    const Whereabouts agent = find_agent(arguments.file);
    if (!agent.configuration) return EX_CONFIG;
    directories = agent.configuration->agent.plugin_dirs;
  }
  plugin::Catalogue catalogue(directories);
  if (arguments.name.empty()) return list(catalogue);
  try {
    const plugin::Library& library = catalogue.find(arguments.name);
    if (arguments.markdown) {
      show_markdown(library);
    } else {
      show(library);
    }
    return EX_OK;
  } catch (const plugin::LoadError& error) {
    std::cerr << "sluice: " << error.what() << '\n';
    return EX_UNAVAILABLE;
  }
}

}  // namespace

void add_plugins(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "plugins",
      "Lists the plugins that are there, or the settings of one with type, unit, range and default.");
  command->add_option("NAME", arguments->name, "A plugin");
  command->add_flag("--markdown", arguments->markdown, "The settings of NAME as the table of its README");
  add_config_option(*command, arguments->file);
  command->callback([command, arguments, &exit_code] {
    exit_code = run(*arguments, command->get_option("--config")->count() > 0);
  });
}

}  // namespace sluice::commands
