// SPDX-License-Identifier: Apache-2.0
// The configuration as the agent uses it: the tree of the files read into the options of the parts, every default
// as sluice.toml documents it. Plain values; the functions are for every thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/settings.hpp"
#include "config/environment.hpp"
#include "config/table_reader.hpp"
#include "mqtt/options.hpp"
#include "queue/options.hpp"
#include "route/rules.hpp"

namespace sluice::config {

struct AgentOptions {
  std::string id;  ///< {agent}
  std::filesystem::path state_dir;
  std::filesystem::path control_socket;
  std::vector<std::filesystem::path> plugin_dirs;
  bool operator==(const AgentOptions&) const = default;
};

/// How a message's id travels: as a user property of MQTT 5, as a field of the JSON object, or not at all.
enum class IdTravel : std::uint8_t { property, payload, none };

/// One [[input]] or [[output]].
struct InstanceConfig {
  std::string plugin;
  std::string name;
  bool is_input = true;
  bool enabled = true;
  std::string topic = "{agent}/{input}";
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  bool durable = false;                  ///< of an output: by `buffer`
  std::optional<queue::Options> buffer;  ///< where it is durable
  Setting settings;                      ///< the plugin's own keys, unchecked: plugin/schema.hpp does that
  Place place;
  Setting raw;  ///< the whole table as it stands in the file
};

struct Config {
  AgentOptions agent;
  LogOptions log;
  mqtt::Options mqtt;  ///< with the secrets read
  IdTravel id = IdTravel::property;
  queue::Options buffer;  ///< of the mqtt output
  std::vector<route::Rule> routes;
  std::vector<InstanceConfig> instances;
  std::vector<Problem> warnings;  ///< what works, but not as somebody may expect; in the order of the file
};

/// Reads a tree that loader.hpp made. Everything that is wrong is added to `problems`, in the order of the file; nothing
/// is answered then. Reads the files of secrets, and touches nothing else.
std::optional<Config> read(const Setting& root, const Environment& environment, Problems& problems);

/// Where the state of a configuration is that may be bad elsewhere: its agent.state_dir, as far as it can be read.
std::filesystem::path state_dir_of(const Setting& root, const Environment& environment);

/// Every key that read() knows, by table: "[mqtt]", "[[route]]".
KnownKeys known_keys();

}  // namespace sluice::config
