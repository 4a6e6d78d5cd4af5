// SPDX-License-Identifier: Apache-2.0
// The configuration that last worked, in one file of the state directory: the text of all its files, and the
// environment variables that they use. An agent whose configuration file is bad starts with it. The functions are
// for one thread, of the agent that holds the lock of the directory.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/loader.hpp"

namespace sluice::config {

/// What a configuration is made of.
struct Sources {
  std::vector<SourceFile> files;
  std::map<std::string, std::string> variables;  ///< that stand as ${NAME} in the files
  bool operator==(const Sources&) const = default;
};

/// A configuration that may be run.
struct Loaded {
  Setting root;
  Config config;
  Sources sources;
  /// It is the last good one, because the file was refused: to be said loudly, with the problems. Do not keep it again.
  bool is_last_good = false;
};

/// The file and its conf.d. Nothing where it is refused: `problems` say why.
std::optional<Loaded> load_configuration(const std::filesystem::path& file, const Environment& environment,
                                         Problems& problems);

/// The same, and where it is refused, the last good one of its state directory, which is looked for in the file as
/// far as it can be read. `problems` are those of the file in either case, and of the last good one where that is
/// refused too: then nothing is answered.
std::optional<Loaded> load_for_start(const std::filesystem::path& file, const Environment& environment,
                                     Problems& problems);

/// Where the state of these files is, of which `root` is what could be read: a line `state_dir = "..."` says it even
/// where the rest does not parse.
std::filesystem::path find_state_dir(const std::vector<SourceFile>& files, const Setting& root,
                                     const Environment& environment);

/// What was kept in `state_dir`, where settings of plugins turn out to be bad. Its places are called
/// "last-good/sluice.toml". A secret that cannot be read any more is a warning only. Nothing: there is none, or it is refused.
std::optional<Loaded> load_last_good(const std::filesystem::path& state_dir, const Environment& environment,
                                     Problems& problems);

/// Keeps `sources` after a successful start: mode 0600, complete or not at all, also through a power cut. Writes
/// nothing where the same is kept already. Throws std::system_error.
void keep_last_good(const std::filesystem::path& state_dir, const Sources& sources);

}  // namespace sluice::config
