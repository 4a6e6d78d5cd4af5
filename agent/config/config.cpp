// SPDX-License-Identifier: Apache-2.0
#include "config/config.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "config/loader.hpp"
#include "config/sections.hpp"

namespace sluice::config {
namespace {

Config read_sections(const Setting& root, const Reading& reading) {
  TableReader tables = reading.table(&root, "the file");
  Config config;
  config.agent = read_agent(tables.table("agent"), reading);
  config.log = read_log(tables.table("log"), reading);
  read_mqtt(tables.table("mqtt"), reading, config);
  config.buffer = read_buffer(tables.table("buffer"), "[buffer]", reading);
  config.buffer.directory = config.agent.state_dir / "queue" / config.buffer.name;
  config.instances = read_instances(tables.tables("input"), tables.tables("output"), config.agent, reading);
  config.routes = read_routes(tables.tables("route"), config, reading);
  reading.finish(tables);
  return config;
}

// In the order of the file; files in the order in which the tree names them.
std::vector<Problem> in_order(const Setting& root, std::vector<Problem> problems) {
  std::map<std::string, std::size_t> files;
  files.emplace("", 0);
  files.emplace(root.place.file, 1);  // the others follow by name, as they were read
  const auto rank = [&](const Place& place) {
    const auto found = files.find(place.file);
    return std::tuple(found == files.end() ? 2 : found->second, std::string_view(place.file), place.line,
                      place.column);
  };
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const Problem& a, const Problem& b) { return rank(a.place) < rank(b.place); });
  return problems;
}

}  // namespace

std::string with_agent(std::string text, std::string_view agent_id) {
  constexpr std::string_view placeholder = "{agent}";
  for (std::size_t at = 0; (at = text.find(placeholder, at)) != std::string::npos; at += agent_id.size()) {
    text.replace(at, placeholder.size(), agent_id);
  }
  return text;
}

std::optional<Config> read(const Setting& root, const Environment& environment, Problems& problems) {
  Problems found;
  Problems warnings;
  const KnownKeys everywhere = known_keys();
  Config config = read_sections(root, {environment, found, warnings, nullptr, &everywhere});
  config.warnings = in_order(root, warnings.all());
  // What was said of a key when it was loaded, such as a variable that is not set, is enough.
  std::set<std::pair<std::string, std::string>> said;
  for (const Problem& problem : problems.all()) said.emplace(to_string(problem.place), problem.path);
  for (Problem& problem : in_order(root, found.all())) {
    if (said.count({to_string(problem.place), problem.path}) != 0) continue;
    problems.add(std::move(problem.place), std::move(problem.path), std::move(problem.text));
  }
  if (!found.empty()) return std::nullopt;
  return config;
}

std::filesystem::path state_dir_of(const Setting& root, const Environment& environment) {
  const Setting* agent = root.find("agent");
  const Setting* state_dir = agent == nullptr ? nullptr : agent->find("state_dir");
  const auto* path = state_dir == nullptr ? nullptr : std::get_if<std::string>(&state_dir->value);
  return path == nullptr || path->empty() ? default_state_dir(environment) : std::filesystem::path(*path);
}

KnownKeys known_keys() {
  Problems ignored;
  const Setting one_of_each =
      load_text("[log.levels]\n[[mqtt.subscribe]]\n[[input]]\n[[output]]\n[[route]]\n", "", ignored);
  const Environment nothing;
  KnownKeys known;
  read_sections(one_of_each, {nothing, ignored, ignored, &known, nullptr});
  return known;
}

}  // namespace sluice::config
