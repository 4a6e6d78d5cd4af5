// SPDX-License-Identifier: Apache-2.0
// The file: a first line, then for each part a line "file NAME-BYTES TEXT-BYTES" or "variable NAME-BYTES TEXT-BYTES",
// the name, a newline, the text, a newline; at the end the line "end".
#include "config/last_good.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include "base/file_descriptor.hpp"
#include "config/read_file.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view first_line = "sluice last good configuration, format 1\n";
constexpr std::string_view last_line = "end\n";
constexpr std::size_t max_kept_bytes = 2 * max_text_bytes;

fs::path kept_file(const fs::path& state_dir) {
  return state_dir / "last-good.conf";
}

std::string write_part(std::string_view kind, const std::string& name, const std::string& text) {
  return std::string(kind) + " " + std::to_string(name.size()) + " " + std::to_string(text.size()) + "\n" +
         name + "\n" + text + "\n";
}

std::string write_sources(const Sources& sources) {
  std::string text(first_line);
  for (const SourceFile& file : sources.files) text += write_part("file", file.name, file.text);
  for (const auto& [name, value] : sources.variables) text += write_part("variable", name, value);
  return text.append(last_line);
}

// Takes the parts off the front of the text.
class Parts {
 public:
  explicit Parts(std::string_view text) : rest_(text) {}

  bool skip(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }
  bool number(std::size_t& value) {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return true;
  }
  bool bytes(std::size_t count, std::string& value) {
    if (count > rest_.size()) return false;
    value = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return skip("\n");
  }
  // After the word: the two numbers, the name and the text.
  bool part(std::string& name, std::string& text) {
    std::size_t name_bytes = 0;
    std::size_t text_bytes = 0;
    return skip(" ") && number(name_bytes) && skip(" ") && number(text_bytes) && skip("\n") &&
           bytes(name_bytes, name) && bytes(text_bytes, text);
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<Sources> read_sources(std::string_view text) {
  Sources sources;
  Parts parts(text);
  if (!parts.skip(first_line)) return std::nullopt;
  std::string name;
  std::string body;
  while (!parts.skip(last_line)) {
    if (parts.skip("file")) {
      if (!parts.part(name, body)) return std::nullopt;
      sources.files.push_back({name, body});
    } else if (parts.skip("variable") && parts.part(name, body)) {
      sources.variables[name] = body;
    } else {
      return std::nullopt;
    }
  }
  if (!parts.at_end() || sources.files.empty()) return std::nullopt;
  return sources;
}

void check(bool good, const std::string& what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

void write_all(int fd, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    check(count >= 0, "write " + name);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void add_all(const Problems& from, Problems& to) {
  for (const Problem& problem : from.all()) to.add(problem.place, problem.path, problem.text);
}

std::optional<Loaded> read_tree(Loaded loaded, const Environment& environment, Problems& problems) {
  std::optional<Config> config = read(loaded.root, environment, problems);
  if (!config || !problems.empty()) return std::nullopt;
  loaded.config = std::move(*config);
  return loaded;
}

// The tree of the files, with the variables that it uses.
Loaded load_tree(std::vector<SourceFile> files, const Variables& variables, Problems& problems) {
  Loaded loaded;
  const auto note = [&](const std::string& name) {
    std::optional<std::string> value = variables ? variables(name) : std::nullopt;
    if (value) loaded.sources.variables[name] = *value;
    return value;
  };
  loaded.root = load(files, note, problems);
  loaded.sources.files = std::move(files);
  return loaded;
}

// The state directory of a file that does not parse: a line `state_dir = "..."` says it all the same.
std::optional<fs::path> state_dir_line(const std::vector<SourceFile>& files, const Environment& environment) {
  for (const SourceFile& file : files) {
    std::string_view rest = file.text;
    while (!rest.empty()) {
      std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      if (line.starts_with("agent.")) line.remove_prefix(6);
      if (!line.starts_with("state_dir")) continue;
      Problems ignored;
      const Setting root =
          load({{file.name, "[agent]\n" + std::string(line)}}, environment.variables, ignored);
      const Setting* agent = root.find("agent");
      if (ignored.empty() && agent != nullptr && agent->find("state_dir") != nullptr) {
        return state_dir_of(root, environment);
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Loaded> load_configuration(const fs::path& file, const Environment& environment,
                                         Problems& problems) {
  Problems found;
  Loaded loaded = load_tree(read_files(file, found), environment.variables, found);
  std::optional<Loaded> read = read_tree(std::move(loaded), environment, found);
  add_all(found, problems);
  return read;
}

std::optional<Loaded> load_for_start(const fs::path& file, const Environment& environment,
                                     Problems& problems) {
  if (std::optional<Loaded> loaded = load_configuration(file, environment, problems)) return loaded;
  Problems known_already;
  const std::vector<SourceFile> files = read_files(file, known_already);
  const Setting root = load(files, environment.variables, known_already);
  return load_last_good(find_state_dir(files, root, environment), environment, problems);
}

fs::path find_state_dir(const std::vector<SourceFile>& files, const Setting& root,
                        const Environment& environment) {
  const Setting* agent = root.find("agent");
  const fs::path state_dir = state_dir_of(root, environment);
  if (agent != nullptr && agent->find("state_dir") != nullptr) return state_dir;
  return state_dir_line(files, environment).value_or(state_dir);
}

std::optional<Loaded> load_last_good(const fs::path& state_dir, const Environment& environment,
                                     Problems& problems) {
  const fs::path path = kept_file(state_dir);
  const FileText kept = read_text(path, max_kept_bytes);
  if (kept.missing) return std::nullopt;
  if (!kept.error.empty()) {
    problems.add({path.native(), 0, 0}, "", "cannot be read: " + kept.error);
    return std::nullopt;
  }
  std::optional<Sources> sources = read_sources(kept.text);
  if (!sources) {
    problems.add({path.native(), 0, 0}, "", "is damaged, or of a newer version");
    return std::nullopt;
  }
  Environment then = environment;
  then.without_secrets = true;
  then.variables = [kept_values = sources->variables, now = environment.variables](const std::string& name) {
    const auto found = kept_values.find(name);
    if (found != kept_values.end()) return std::optional(found->second);
    return now ? now(name) : std::nullopt;
  };
  for (SourceFile& file : sources->files) file.name = "last-good/" + file.name;
  Problems found;
  Loaded loaded = load_tree(std::move(sources->files), then.variables, found);
  loaded.is_last_good = true;
  std::optional<Loaded> read = read_tree(std::move(loaded), then, found);
  add_all(found, problems);
  return read;
}

void keep_last_good(const fs::path& state_dir, const Sources& sources) {
  const fs::path path = kept_file(state_dir);
  const std::string text = write_sources(sources);
  const FileText kept = read_text(path, max_kept_bytes);
  if (kept.error.empty() && kept.text == text && (kept.mode & 0777U) == 0600) return;

  const std::string fresh = path.native() + ".new";
  {
    const FileDescriptor file(
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    check(static_cast<bool>(file), "open " + fresh);
    check(::fchmod(file.get(), 0600) == 0, "chmod " + fresh);
    write_all(file.get(), text, fresh);
    check(::fsync(file.get()) == 0, "fsync " + fresh);
  }
  check(::rename(fresh.c_str(), path.c_str()) == 0, "rename " + fresh);
  const FileDescriptor directory(::open(state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  check(static_cast<bool>(directory) && ::fsync(directory.get()) == 0, "fsync " + state_dir.native());
}

}  // namespace sluice::config
