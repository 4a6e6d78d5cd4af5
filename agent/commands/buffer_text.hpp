// SPDX-License-Identifier: Apache-2.0
// The figures of a queue for people, on standard output.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace sluice::commands {

/// What buffer_statistics() answered.
void print_statistics(const nlohmann::ordered_json& statistics);

/// committed = acknowledged + stored + …: the equation that must hold.
void print_ledger(const nlohmann::ordered_json& ledger);

/// What has become of the dead letters: added = kept + retried + ….
void print_letters(const nlohmann::ordered_json& letters);

}  // namespace sluice::commands
