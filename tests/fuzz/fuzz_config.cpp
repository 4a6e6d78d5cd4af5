// SPDX-License-Identifier: Apache-2.0
// Any bytes as a configuration file: it may be refused, with problems that can be printed, and nothing else happens.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.hpp"
#include "config/config.hpp"
#include "config/difference.hpp"
#include "config/loader.hpp"

namespace {

void check(bool good) {
  if (!good) std::abort();
}

void check(const std::vector<sluice::Problem>& problems) {
  for (const sluice::Problem& problem : problems) {
    const std::string text = to_string(problem);
    check(sluice::is_utf8(text) && text.find('\n') == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace config = sluice::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  config::Environment environment;
  environment.variables = [](const std::string& name) {
    return name == "NAME" ? std::optional<std::string>("value") : std::nullopt;
  };
  environment.host_name = "gateway";
  environment.directory = "/nonexistent";

  sluice::Problems problems;
  // Twice the same file, as if the second stood in conf.d: merging meets every shape.
  const sluice::Setting merged =
      config::load({{"sluice.toml", std::string(text)}, {"conf.d/a.toml", std::string(text)}},
                   environment.variables, problems);
  config::read(merged, environment, problems);
  check(problems.all());

  sluice::Problems refusals;
  const sluice::Setting root =
      config::load({{"sluice.toml", std::string(text)}}, environment.variables, refusals);
  const auto read = config::read(root, environment, refusals);
  check(refusals.all());
  if (read) {
    check(read->warnings);
    check(config::difference(*read, *read).empty());
  }
  return 0;
}
