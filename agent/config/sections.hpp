// SPDX-License-Identifier: Apache-2.0
// The tables of the configuration, one reader each; private to config.cpp. `table` may be null: every default.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace sluice::config {

/// What all readers share in one run.
struct Reading {
  const Environment& environment;
  Problems& problems;
  Problems& warnings;
  KnownKeys* known = nullptr;             ///< collects the keys that are asked for
  const KnownKeys* everywhere = nullptr;  ///< the keys of all tables, for hints

  TableReader table(const Setting* at, std::string section) const {
    return {at, std::move(section), problems, known};
  }
  void finish(TableReader& reader) const { reader.finish(everywhere); }
  /// The setting is understood, and this version does not act on it yet.
  void not_yet(const Setting& at, const std::string& text) const { warnings.add(at, "not yet: " + text); }
};

AgentOptions read_agent(const Setting* table, const Reading& reading);
LogOptions read_log(const Setting* table, const Reading& reading);
void read_mqtt(const Setting* table, const Reading& reading, Config& config);
queue::Options read_buffer(const Setting* table, std::string section, const Reading& reading);
/// With names, uniqueness and reserved names checked.
std::vector<InstanceConfig> read_instances(const std::vector<const Setting*>& inputs,
                                           const std::vector<const Setting*>& outputs,
                                           const AgentOptions& agent, const Reading& reading);
std::vector<route::Rule> read_routes(const std::vector<const Setting*>& tables, const Config& config,
                                     const Reading& reading);

/// {agent} replaced.
std::string with_agent(std::string text, std::string_view agent_id);
/// As read_agent does; what is wrong is left to it.
std::filesystem::path default_state_dir(const Environment& environment);

}  // namespace sluice::config
