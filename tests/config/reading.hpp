// SPDX-License-Identifier: Apache-2.0
// Shorthands of the tests of the configuration: a text read as sluice.toml, and what was said of it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "config/loader.hpp"

namespace sluice::config::test {

inline Variables variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

/// A gateway without systemd.
inline Environment gateway(std::map<std::string, std::string> values = {}) {
  Environment environment;
  environment.variables = variables(std::move(values));
  environment.host_name = "gateway";
  environment.directory = "/nonexistent";
  environment.plugin_dirs = {"/usr/lib/sluice/plugins"};
  return environment;
}

inline std::vector<std::string> lines(const std::vector<Problem>& problems) {
  std::vector<std::string> texts;
  for (const Problem& problem : problems) texts.push_back(to_string(problem));
  return texts;
}

struct Result {
  std::optional<Config> config;
  std::vector<std::string> problems;
  std::vector<std::string> warnings() const {
    return config ? lines(config->warnings) : std::vector<std::string>();
  }
};

inline Result read_files_of(const std::vector<SourceFile>& files,
                            const Environment& environment = gateway()) {
  Problems problems;
  const Setting root = load(files, environment.variables, problems);
  Result result;
  result.config = read(root, environment, problems);
  result.problems = lines(problems.all());
  return result;
}

inline Result read_text(std::string_view text, const Environment& environment = gateway()) {
  return read_files_of({{"sluice.toml", std::string(text)}}, environment);
}

}  // namespace sluice::config::test
