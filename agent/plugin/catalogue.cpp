// SPDX-License-Identifier: Apache-2.0
#include "plugin/catalogue.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/settings.hpp"

namespace sluice::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "sluice-";
constexpr std::string_view suffix = ".so";

// NAME of sluice-NAME.so; empty: the file is named otherwise.
std::string plugin_name(const fs::path& file) {
  const std::string name = file.filename().string();
  if (name.size() <= prefix.size() + suffix.size() || name.compare(0, prefix.size(), prefix) != 0 ||
      file.extension() != suffix) {
    return {};
  }
  return name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
}

// In order of their names; a directory that cannot be read is empty.
std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    paths.push_back(at->path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

Catalogue::Catalogue(std::vector<fs::path> directories) : directories_(std::move(directories)) {}

std::map<std::string, fs::path, std::less<>> Catalogue::files() const {
  std::map<std::string, fs::path, std::less<>> files;
  const auto add = [&](const fs::path& file) {
    if (std::string name = plugin_name(file); !name.empty()) files.try_emplace(std::move(name), file);
  };
  for (const fs::path& directory : directories_) {
    const std::vector<fs::path> here = entries(directory);
    std::for_each(here.begin(), here.end(), add);
    for (const fs::path& below : here) {
      std::error_code error;
      if (!fs::is_directory(below, error)) continue;
      const std::vector<fs::path> there = entries(below);
      std::for_each(there.begin(), there.end(), add);
    }
  }
  return files;
}

const Library& Catalogue::find(std::string_view name) {
  if (const auto found = loaded_.find(name); found != loaded_.end()) return *found->second;
  const auto known = files();
  if (const auto file = known.find(name); file != known.end()) {
    return *loaded_.emplace(file->first, std::make_unique<Library>(file->second)).first->second;
  }
  std::string text = fmt::format("no plugin \"{}\": there is no sluice-{}.so in", name, name);
  if (directories_.empty()) text += " any directory, as `plugin_dirs` is empty";
  for (const fs::path& directory : directories_) {
    text += (&directory == &directories_.front() ? " " : ", ") + directory.string();
  }
  std::vector<std::string_view> names;
  for (const auto& [other, file] : known) names.push_back(other);
  if (const std::string_view meant = nearest(name, names); !meant.empty()) {
    text += fmt::format("; did you mean \"{}\"?", meant);
  }
  throw LoadError(text);
}

std::vector<Catalogue::Entry> Catalogue::list() {
  std::vector<Entry> entries;
  for (const auto& [name, file] : files()) {
    Entry entry{name, file, nullptr, {}};
    try {
      entry.library = &find(name);
      entry.file = entry.library->file();
    } catch (const LoadError& error) {
      entry.error = error.what();
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace sluice::plugin
