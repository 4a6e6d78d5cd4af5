// SPDX-License-Identifier: Apache-2.0
// The configuration files into one tree of settings: the main file, then conf.d/*.toml beside it in byte order of
// their names. Arrays of tables append, tables merge, and a key set twice is a problem that names both places.
// For every thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.hpp"
#include "config/expand.hpp"

namespace sluice::config {

/// All files together; more is refused, unread.
constexpr std::size_t max_text_bytes = std::size_t{4} << 20U;
constexpr std::size_t max_files = 256;

/// A file as it was read. Its name is what messages call it: "sluice.toml", "conf.d/10-meters.toml".
struct SourceFile {
  std::string name;
  std::string text;
  bool operator==(const SourceFile&) const = default;
};

/// The main file and what stands in conf.d. Files that cannot be read are problems and left out; so is what is no
/// regular file, which could block.
std::vector<SourceFile> read_files(const std::filesystem::path& file, Problems& problems);

/// The tree of all `files`, merged, ${NAME} replaced, each setting with its place and path. Where problems were
/// added it holds what could be understood.
Setting load(const std::vector<SourceFile>& files, const Variables& variables, Problems& problems);

/// Both, with the environment of the process.
Setting load_files(const std::filesystem::path& file, Problems& problems);

/// One text, without an environment.
Setting load_text(std::string_view text, const std::string& name, Problems& problems);

}  // namespace sluice::config
