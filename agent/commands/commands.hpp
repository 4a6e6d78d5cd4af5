// SPDX-License-Identifier: Apache-2.0
// The subcommands of the program, one file each. Each function adds its own to the parser; what it answers goes to
// standard output, what went wrong to standard error, and its exit code (sysexits.h) to `exit_code`. Main thread only.
#pragma once

namespace CLI {
class App;
}

namespace sluice::commands {

void add_run(CLI::App& program, int& exit_code);
void add_check(CLI::App& program, int& exit_code);
void add_status(CLI::App& program, int& exit_code);
void add_buffer(CLI::App& program, int& exit_code);
void add_route(CLI::App& program, int& exit_code);
void add_plugins(CLI::App& program, int& exit_code);
void add_send(CLI::App& program, int& exit_code);
void add_man(CLI::App& program, int& exit_code);

}  // namespace sluice::commands
