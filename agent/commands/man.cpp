// SPDX-License-Identifier: Apache-2.0
// The manual page, from what --help says: one source for both. The build writes it and `man 1 sluice` shows it.
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "commands/commands.hpp"
#include "version.hpp"

namespace sluice::commands {
namespace {

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '-') escaped += '\\';
    escaped += c;
  }
  if (!escaped.empty() && (escaped.front() == '.' || escaped.front() == '\'')) escaped.insert(0, "\\&");
  return escaped;
}

void write_command(const CLI::App& command, const std::string& name) {
  std::cout << ".SS " << escape(name);
  for (const CLI::Option* option :
       command.get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    std::cout << ' ' << (option->get_required() ? "" : "[") << escape(option->get_name(true))
              << (option->get_required() ? "" : "]");
  }
  std::cout << '\n' << escape(command.get_description()) << '\n';
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_name() == "--help" || option->get_lnames() == std::vector<std::string>{"help"}) continue;
    std::cout << ".TP\n.B " << escape(option->get_name(option->get_positional(), true));
    const std::string type = option->get_type_name();
    if (!option->get_positional() && option->get_items_expected() > 0 && !type.empty())
      std::cout << ' ' << escape(type);
    std::cout << '\n' << escape(option->get_description());
    if (!option->get_default_str().empty())
      std::cout << " (default " << escape(option->get_default_str()) << ')';
    std::cout << ".\n";
  }
  for (const CLI::App* below : command.get_subcommands([](const CLI::App*) { return true; })) {
    write_command(*below, name + ' ' + below->get_name());
  }
}

void write_page(const CLI::App& program) {
  std::cout << ".TH SLUICE 1 \"\" \"sluice " SLUICE_VERSION
               "\"\n.SH NAME\nsluice \\- edge data\\-collection agent\n"
            << ".SH SYNOPSIS\n.B sluice\nCOMMAND [OPTIONS]\n.SH DESCRIPTION\n"
            << escape(program.get_description()) << "\n.SH COMMANDS\n";
  for (const CLI::App* command : program.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) write_command(*command, command->get_name());
  }
  std::cout
      << ".SH EXIT STATUS\n0 good, 64 usage, 65 a difference, an undelivered message, a bad line or an "
         "unknown id, 69 the agent is not "
         "running, "
         "70 something failed, 78 configuration.\n"
         ".SH FILES\n.TP\n/etc/sluice/sluice.toml\nThe configuration; every key with its default stands in "
         "it.\n"
         ".TP\n/var/lib/sluice\nThe queue, and the last configuration that worked.\n"
         ".TP\n/run/sluice/control.sock\nWhere the running agent answers the other commands.\n"
         ".SH SIGNALS\n.TP\nSIGHUP\nReads the configuration again: routes and log levels take effect.\n"
         ".TP\nSIGTERM, SIGINT\nStops within 5 seconds; everything unacknowledged is written first.\n"
         ".SH ENVIRONMENT\n.TP\nSTATE_DIRECTORY, RUNTIME_DIRECTORY, CREDENTIALS_DIRECTORY\nAs systemd sets "
         "them: "
         "defaults of agent.state_dir and agent.control_socket, and where secrets are looked for first.\n";
}

}  // namespace

void add_man(CLI::App& program, int& exit_code) {
  CLI::App* command = program.add_subcommand("man", "Prints the manual page, as roff.");
  command->group("");  // for the build, not for --help
  command->callback([&program, &exit_code] {
    write_page(program);
    exit_code = EX_OK;
  });
}

}  // namespace sluice::commands
