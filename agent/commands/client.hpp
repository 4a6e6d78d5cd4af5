// SPDX-License-Identifier: Apache-2.0
// A subcommand's conversation with the running agent. Main thread only.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "commands/configuration.hpp"

namespace sluice::commands {

/// Asks the agent that runs with this configuration. Throws NoAgent where none listens, std::runtime_error with the
/// agent's own words where it refuses.
nlohmann::ordered_json ask(const Whereabouts& agent, const nlohmann::ordered_json& request);

/// Prints what went wrong and answers the exit code: EX_UNAVAILABLE for NoAgent, EX_SOFTWARE otherwise.
int report(const std::exception& error);

/// As one document on standard output.
void print_json(const nlohmann::ordered_json& document);

}  // namespace sluice::commands
