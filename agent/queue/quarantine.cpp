// SPDX-License-Identifier: Apache-2.0
#include "queue/quarantine.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <system_error>
#include <utility>

#include "queue/sqlite.hpp"

namespace sluice::queue {
namespace {

namespace fs = std::filesystem;

constexpr const char* report_name = "report";
constexpr std::size_t most_cases = 64;

std::uint64_t number_in(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// A report: a line a field, "key: value".
Quarantine::Case read_report(const fs::path& folder) {
  Quarantine::Case read;
  read.name = folder.filename().string();
  std::ifstream in(folder / report_name);
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, colon);
    const std::string value = line.substr(colon + 2);
    if (key == "file") read.file = value;
    if (key == "reason") read.reason = value;
    if (key == "time_ns") read.time_ns = static_cast<std::int64_t>(number_in(value));
    if (key == "salvaged") read.salvaged = number_in(value);
    if (key == "lost") read.lost = number_in(value);
    if (key == "acknowledged") read.acknowledged = value == "yes";
  }
  return read;
}

// As it is, without changing it: by a second name, else a copy, and where it cannot even be read by moving it.
void keep_file(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return;
  std::error_code failed;
  if (fs::is_regular_file(from, failed) && fs::copy_file(from, to, failed)) return;
  fs::remove(to, failed);
  fs::rename(from, to);
}

bool is_there(const fs::path& file) {
  struct stat status {};
  return ::lstat(file.c_str(), &status) == 0;
}

}  // namespace

void Quarantine::load() {
  cases_.clear();
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, none)) {
    if (is_there(entry.path() / report_name)) cases_.push_back(read_report(entry.path()));
  }
  std::sort(cases_.begin(), cases_.end(), [](const Case& a, const Case& b) {
    return std::pair(a.time_ns, a.name) < std::pair(b.time_ns, b.name);
  });
  measure();
}

fs::path Quarantine::keep(const fs::path& file, std::int64_t time_ns) {
  const std::string stem = file.parent_path().filename().string() + "-" + file.stem().string() + "-" +
                           std::to_string(time_ns / 1'000'000'000);
  std::string name = stem;
  for (int i = 2; is_there(folder_ / name); ++i) name = stem + "-" + std::to_string(i);
  fs::create_directories(folder_ / name);
  open_ = name;
  for (const char* suffix : sqlite::suffixes) {
    const fs::path from = sqlite::with_suffix(file, suffix);
    if (is_there(from)) keep_file(from, folder_ / name / from.filename());
  }
  sqlite::sync_directory(folder_ / name);
  sqlite::sync_directory(folder_);
  return folder_ / name / file.filename();
}

void Quarantine::report(const Case& found) {
  Case& one = cases_.emplace_back(found);
  one.name = std::exchange(open_, {});
  std::replace(one.reason.begin(), one.reason.end(), '\n', ' ');
  write(one);
  while (cases_.size() > most_cases) {
    std::error_code ignored;
    fs::remove_all(folder_ / cases_.front().name, ignored);
    cases_.erase(cases_.begin());
  }
  measure();
}

void Quarantine::abandon() noexcept {
  std::error_code ignored;
  if (!open_.empty()) fs::remove_all(folder_ / open_, ignored);
  open_.clear();
}

void Quarantine::write(const Case& one) const {
  // Written beside and renamed: a report is whole or as it was.
  const fs::path file = folder_ / one.name / report_name;
  const fs::path next = sqlite::with_suffix(file, ".new");
  std::ofstream out(next);
  out << "file: " << one.file << "\nreason: " << one.reason << "\ntime_ns: " << one.time_ns
      << "\nsalvaged: " << one.salvaged << "\nlost: " << one.lost
      << "\nacknowledged: " << (one.acknowledged ? "yes" : "no") << '\n';
  out.close();
  if (!out) throw std::system_error(errno, std::generic_category(), "write " + next.string());
  fs::rename(next, file);
}

std::uint64_t Quarantine::acknowledge() {
  std::uint64_t fresh = 0;
  for (Case& one : cases_) {
    if (one.acknowledged) continue;
    one.acknowledged = true;
    write(one);
    ++fresh;
  }
  return fresh;
}

QuarantineSummary Quarantine::summary() const {
  QuarantineSummary summary;
  summary.folder = folder_.string();
  summary.bytes = bytes_;
  for (const Case& one : cases_) {
    if (one.acknowledged) continue;
    ++summary.cases;
    summary.salvaged += one.salvaged;
    summary.lost += one.lost;
    summary.latest = one.file + ": " + one.reason;
  }
  return summary;
}

void Quarantine::measure() {
  bytes_ = 0;
  std::error_code ended;
  for (fs::recursive_directory_iterator at(folder_, ended), end; !ended && at != end; at.increment(ended)) {
    std::error_code unknown;
    const std::uintmax_t size = at->is_regular_file(unknown) ? at->file_size(unknown) : 0;
    if (!unknown) bytes_ += size;
  }
}

void Quarantine::limit(std::uint64_t bytes) {
  for (std::size_t i = 0; bytes_ > bytes && i < cases_.size(); ++i) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_ / cases_[i].name, ignored)) {
      if (entry.path().filename() != report_name) fs::remove_all(entry.path(), ignored);
    }
    measure();
  }
}

}  // namespace sluice::queue
