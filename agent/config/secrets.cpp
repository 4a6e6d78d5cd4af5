// SPDX-License-Identifier: Apache-2.0
#include "config/secrets.hpp"

#include <sys/stat.h>

#include <vector>

#include "config/read_file.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_secret_bytes = 64U << 10U;
constexpr std::size_t max_certificates_bytes = 16U << 20U;  // a store of the system's authorities has 200 KiB

struct NamedFile {
  fs::path path;
  FileText content;
  bool credential = false;
};

class Lookup {
 public:
  Lookup(const Setting& at, const Environment& environment, Problems& problems, Problems& warnings)
      : at_(at),
        environment_(environment),
        warnings_(warnings),
        refusals_(environment.without_secrets ? warnings : problems) {}

  std::optional<NamedFile> read(std::size_t max_bytes) {
    const auto& name = std::get<std::string>(at_.value);
    std::string places;
    for (const auto& [path, credential] : candidates(name)) {
      NamedFile file{path, read_text(path, max_bytes), credential};
      if (file.content.error.empty()) return file;
      if (!file.content.missing) {
        refuse("cannot be read: " + quote(path.native()) + ": " + file.content.error);
        return std::nullopt;
      }
      places += (places.empty() ? "" : " and ") + quote(path.native());
    }
    refuse("there is no such file: looked for " + places);
    return std::nullopt;
  }

  void refuse(std::string text) { refusals_.add(at_, std::move(text)); }

  void warn_if_open(const NamedFile& file) {
    if (file.credential || (file.content.mode & S_IROTH) == 0) return;
    warnings_.add(at_, "everybody may read " + quote(file.path.native()) + ": chmod o-r");
  }

 private:
  struct Candidate {
    fs::path path;
    bool credential;
  };

  std::vector<Candidate> candidates(const fs::path& name) const {
    if (name.is_absolute()) return {{name, false}};
    std::vector<Candidate> paths;
    const std::string credentials = environment_.variable("CREDENTIALS_DIRECTORY");
    if (!credentials.empty()) paths.push_back({credentials / name, true});
    paths.push_back({environment_.directory / name, false});
    return paths;
  }

  const Setting& at_;
  const Environment& environment_;
  Problems& warnings_;
  Problems& refusals_;
};

}  // namespace

std::optional<fs::path> find_file(const Setting& at, const Environment& environment, Problems& problems,
                                  Problems& warnings) {
  const auto file = Lookup(at, environment, problems, warnings).read(max_certificates_bytes);
  if (!file) return std::nullopt;
  return file->path;
}

std::optional<fs::path> find_private_file(const Setting& at, const Environment& environment,
                                          Problems& problems, Problems& warnings) {
  Lookup lookup(at, environment, problems, warnings);
  const auto file = lookup.read(max_certificates_bytes);
  if (!file) return std::nullopt;
  lookup.warn_if_open(*file);
  return file->path;
}

std::optional<std::string> read_secret(const Setting& at, const Environment& environment, Problems& problems,
                                       Problems& warnings) {
  Lookup lookup(at, environment, problems, warnings);
  auto file = lookup.read(max_secret_bytes);
  if (!file) return std::nullopt;
  std::string& secret = file->content.text;
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  if (secret.empty() || secret.find('\0') != std::string::npos) {
    lookup.refuse((secret.empty() ? "nothing stands in " : "a zero byte stands in ") +
                  quote(file->path.native()));
    return std::nullopt;
  }
  lookup.warn_if_open(*file);
  return std::move(secret);
}

}  // namespace sluice::config
