// SPDX-License-Identifier: Apache-2.0
// [agent] and [log].
#include <sys/un.h>

#include <algorithm>

#include "config/sections.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

const TableReader::Choices<Level> levels = {{"trace", Level::trace},
                                            {"debug", Level::debug},
                                            {"info", Level::info},
                                            {"warn", Level::warn},
                                            {"error", Level::error}};

std::string read_id(TableReader& agent, const Reading& reading) {
  const Setting* given = agent.find("id");
  std::string id = agent.text("id", reading.environment.host_name);
  const bool good = !id.empty() && id.size() <= 256 && std::all_of(id.begin(), id.end(), [](char c) {
    return c != '/' && c != '+' && c != '#' && static_cast<unsigned char>(c) >= 0x20 && c != 0x7F;
  });
  if (good) return id;
  if (given != nullptr && std::holds_alternative<std::string>(given->value)) {
    agent.refuse(*given, "a name of 1 to 256 bytes without '/', '+', '#'");
  } else if (given == nullptr) {
    reading.problems.add({}, "agent.id",
                         "the host name " + quote(id) + " is no name for topics: set id in [agent]");
  }
  return "agent";
}

// A path that is not empty; `fallback` where it is not given.
std::filesystem::path read_path(TableReader& table, std::string_view key, std::filesystem::path fallback) {
  const std::string path = table.text(key, fallback.native());
  if (!path.empty()) return path;
  const Setting* given = table.find(key);
  if (given != nullptr && std::holds_alternative<std::string>(given->value)) table.refuse(*given, "a path");
  return fallback;
}

}  // namespace

std::filesystem::path default_state_dir(const Environment& environment) {
  std::filesystem::path directory = environment.first_directory("STATE_DIRECTORY");
  return directory.empty() ? "/var/lib/sluice" : directory;
}

AgentOptions read_agent(const Setting* table, const Reading& reading) {
  TableReader agent = reading.table(table, "[agent]");
  AgentOptions options;
  options.id = read_id(agent, reading);
  options.state_dir = read_path(agent, "state_dir", default_state_dir(reading.environment));

  const std::filesystem::path runtime = reading.environment.first_directory("RUNTIME_DIRECTORY");
  options.control_socket =
      read_path(agent, "control_socket", (runtime.empty() ? options.state_dir : runtime) / "control.sock");
  constexpr std::size_t max_socket_bytes = sizeof(sockaddr_un::sun_path) - 1;
  if (options.control_socket.native().size() > max_socket_bytes) {
    const Setting* given = agent.find("control_socket");
    const Setting* at = given != nullptr ? given : agent.find("state_dir");
    reading.problems.add(at == nullptr ? Place{} : at->place, "agent.control_socket",
                         "expected a path of at most " + std::to_string(max_socket_bytes) + " bytes, got " +
                             quote(options.control_socket.native()));
  }

  std::vector<std::string> directories;
  for (const auto& directory : reading.environment.plugin_dirs) directories.push_back(directory.native());
  directories = agent.texts("plugin_dirs", std::move(directories));
  options.plugin_dirs.assign(directories.begin(), directories.end());
  reading.finish(agent);
  return options;
}

LogOptions read_log(const Setting* table, const Reading& reading) {
  using Target = LogOptions::Target;
  TableReader log = reading.table(table, "[log]");
  LogOptions options;
  options.level = log.choice("level", options.level, levels);
  if (const Setting* parts = log.table("levels")) {
    TableReader reader = reading.table(parts, "[log.levels]");
    for (const Setting& part : parts->children)
      options.levels[part.key] = reader.choice(part.key, options.level, levels);
  }
  options.target = log.choice("target", options.target,
                              {{"auto", Target::automatic},
                               {"stderr", Target::standard_error},
                               {"journal", Target::journal},
                               {"file", Target::file}});
  const bool to_file = options.target == Target::file;
  options.path = to_file ? read_path(log, "path", "").native() : log.text("path", "");
  options.max_bytes = log.size("max_bytes", options.max_bytes, 64U << 10U);
  options.keep = static_cast<std::uint32_t>(log.integer("keep", options.keep, 0, 1000));
  if (to_file && !log.given("path")) log.refuse_missing("path", "path = \"...\" with target = \"file\"");
  if (!to_file && !options.path.empty()) {
    reading.warnings.add(*log.find("path"), "has no effect without target = \"file\"");
  }
  reading.finish(log);
  return options;
}

}  // namespace sluice::config
