// SPDX-License-Identifier: Apache-2.0
// The plugins of this machine: looks for sluice-NAME.so in the plugin directories, and one level below them as
// build trees have plugins/NAME/sluice-NAME.so. Owned by the agent, which outlives all instances. For one
// thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/library.hpp"

namespace sluice::plugin {

class Catalogue {
 public:
  /// Earlier directories come first. One that does not exist is empty.
  explicit Catalogue(std::vector<std::filesystem::path> directories);

  /// The plugin, loaded at the first call. Throws LoadError: not there (with the directories that were looked in
  /// and the nearest name), or not usable. Failures are not remembered: the next call tries again.
  const Library& find(std::string_view name);

  struct Entry {
    std::string name;
    std::filesystem::path file;
    const Library* library = nullptr;  ///< null: it does not load
    std::string error;                 ///< why
  };
  /// All plugins in order of their names, each loaded.
  std::vector<Entry> list();

 private:
  std::map<std::string, std::filesystem::path, std::less<>> files() const;

  std::vector<std::filesystem::path> directories_;
  std::map<std::string, std::unique_ptr<Library>, std::less<>> loaded_;
};

}  // namespace sluice::plugin
