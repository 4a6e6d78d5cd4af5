// SPDX-License-Identifier: Apache-2.0
#include "config/loader.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <system_error>
#include <utility>

#include "config/read_file.hpp"
#include "config/toml_text.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

namespace fs = std::filesystem;

// conf.d/*.toml beside `file`, in byte order.
std::vector<fs::path> fragments(const fs::path& file, Problems& problems) {
  const fs::path directory = file.parent_path() / "conf.d";
  std::error_code error;
  std::vector<fs::path> found;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".toml" && !path.filename().native().starts_with('.')) found.push_back(path);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    problems.add({"conf.d", 0, 0}, "", "cannot be read: " + error.message());
  }
  std::sort(found.begin(), found.end(),
            [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
  return found;
}

// [[a]] of several files become one list; [1, 2] of two files does not.
bool appends(const Setting& list) {
  return list.kind == SettingKind::list &&
         std::all_of(list.children.begin(), list.children.end(),
                     [](const Setting& element) { return element.kind == SettingKind::table; });
}

std::string shape(const Setting& setting) {
  if (setting.kind == SettingKind::table) return "a table [" + setting.key + "]";
  return setting.kind == SettingKind::list ? "a list of tables [[" + setting.key + "]]" : "a value";
}

void merge(Setting& into, Setting&& from, const std::string& path, Problems& problems) {
  std::map<std::string, std::size_t, std::less<>> index;
  for (std::size_t i = 0; i < into.children.size(); ++i) index.emplace(into.children[i].key, i);
  for (Setting& child : from.children) {
    const auto found = index.find(child.key);
    if (found == index.end()) {
      into.children.push_back(std::move(child));
      continue;
    }
    Setting& there = into.children[found->second];
    const std::string child_path = path.empty() ? child.key : path + "." + child.key;
    const bool both_tables = there.kind == SettingKind::table && child.kind == SettingKind::table;
    if (both_tables) {
      merge(there, std::move(child), child_path, problems);
    } else if (appends(there) && appends(child)) {
      std::move(child.children.begin(), child.children.end(), std::back_inserter(there.children));
    } else if (shape(there) != shape(child)) {
      problems.add(child.place, child_path,
                   "expected " + shape(there) + " as in " + to_string(there.place) + ", got " + shape(child));
    } else {
      problems.add(child.place, child_path,
                   "is set twice: first in " + to_string(there.place) + "; remove one of the two");
    }
  }
}

// What people call an element of a list: by its name where it is an instance, by its number otherwise.
std::string element_path(const Setting& list, std::size_t index, bool top_level) {
  if (!top_level) return list.path + "[" + std::to_string(index) + "]";
  const Setting* name = list.children[index].find("name");
  const auto* text = name == nullptr ? nullptr : std::get_if<std::string>(&name->value);
  return list.path + " " + (text == nullptr ? std::to_string(index + 1) : quote(*text));
}

void set_paths(Setting& setting, bool top_level) {
  for (std::size_t i = 0; i < setting.children.size(); ++i) {
    Setting& child = setting.children[i];
    if (setting.kind == SettingKind::list) {
      child.path = element_path(setting, i, top_level);
    } else if (setting.path.empty()) {
      child.path = child.key;
    } else {
      // `input "line1": baud`, but `mqtt.tls.ca_file` and `input "line1": host.x`.
      const bool instance = setting.key.empty() && setting.path.back() != ']';
      child.path = setting.path + (instance ? ": " : ".") + child.key;
    }
    set_paths(child, setting.path.empty() && setting.kind == SettingKind::table);
  }
}

}  // namespace

std::vector<SourceFile> read_files(const fs::path& file, Problems& problems) {
  std::vector<SourceFile> files;
  std::size_t total = 0;
  const auto add = [&](const fs::path& path, const std::string& name) {
    const FileText read = read_text(path, max_text_bytes - total);
    if (!read.error.empty()) {
      problems.add({name, 0, 0}, "", "cannot be read: " + read.error);
      return;
    }
    total += read.text.size();
    files.push_back({name, read.text});
  };
  add(file, file.filename().native());
  const std::vector<fs::path> more = fragments(file, problems);
  if (more.size() >= max_files) {
    problems.add({"conf.d", 0, 0}, "", "expected fewer than " + std::to_string(max_files) + " files");
    return files;
  }
  for (const fs::path& path : more) add(path, "conf.d/" + path.filename().native());
  return files;
}

Setting load(const std::vector<SourceFile>& files, const Variables& variables, Problems& problems) {
  Setting root;
  for (const SourceFile& file : files) {
    std::optional<Setting> tree = parse_toml(file.text, file.name, problems);
    if (!tree) continue;
    if (root.place.file.empty()) root.place = {file.name, 0, 0};
    merge(root, std::move(*tree), "", problems);
  }
  set_paths(root, false);
  expand_variables(root, variables, problems);
  set_paths(root, false);  // names may hold variables
  return root;
}

Setting load_files(const fs::path& file, Problems& problems) {
  return load(read_files(file, problems), process_variables(), problems);
}

Setting load_text(std::string_view text, const std::string& name, Problems& problems) {
  if (text.size() > max_text_bytes) {
    problems.add({name, 0, 0}, "", "cannot be read: it is larger than " + size_text(max_text_bytes));
    return {};
  }
  return load(
      {{name, std::string(text)}}, [](const std::string&) { return std::optional<std::string>(); }, problems);
}

}  // namespace sluice::config
