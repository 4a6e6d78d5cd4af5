// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "commands/commands.hpp"
#include "version.hpp"

int main(int argc, char** argv) {
  // Each arena costs memory that a gateway misses; the threads of the agent seldom allocate at the same time.
  mallopt(M_ARENA_MAX, 2);

  CLI::App program(
      "Sluice reads machines through plugins, keeps every measurement until the MQTT broker has acknowledged "
      "it, and takes commands back.",
      "sluice");
  program.require_subcommand(1);
  program.set_version_flag("--version", SLUICE_VERSION);
  program.footer(
      "Exit codes: 0 good, 64 usage, 65 bad data, 69 the agent is not running, 70 something failed, 78 "
      "configuration.");
  int exit_code = EX_OK;
  namespace commands = sluice::commands;
  for (const auto add : {commands::add_run, commands::add_check, commands::add_status, commands::add_buffer,
                         commands::add_route, commands::add_plugins, commands::add_send, commands::add_man}) {
    add(program, exit_code);
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? EX_OK : EX_USAGE;
  } catch (const std::exception& error) {
    std::cerr << "sluice: " << error.what() << '\n';
    return EX_SOFTWARE;
  }
  return exit_code;
}
