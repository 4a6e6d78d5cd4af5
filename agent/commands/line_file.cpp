// SPDX-License-Identifier: Apache-2.0
#include "commands/line_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace sluice::commands {
namespace {

constexpr std::size_t part_bytes = 64U << 10U;
constexpr std::size_t longest_line_bytes = std::size_t{1} << 30U;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::size_t read_part(int file, char* part, const std::string& name) {
  while (true) {
    const ssize_t got = ::read(file, part, part_bytes);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail(name);
  }
}

void write_all(int file, std::string_view bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("keeping standard input in " + name + " (give the file by its name instead)");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

FileDescriptor keep(const FileDescriptor& input) {
  std::string name = (std::filesystem::temp_directory_path() / "sluice-import-XXXXXX").string();
  FileDescriptor kept(::mkostemp(name.data(), O_CLOEXEC));
  if (!kept) fail(name);
  ::unlink(name.c_str());
  std::string part(part_bytes, '\0');
  while (const std::size_t got = read_part(input.get(), part.data(), "standard input")) {
    write_all(kept.get(), std::string_view(part).substr(0, got), name);
  }
  return kept;
}

}  // namespace

LineFile::LineFile(const std::string& name)
    : name_(name == "-" ? "standard input" : name),
      file_(name == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                        : ::open(name.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!file_) fail(name_);
  begin_ = ::lseek(file_.get(), 0, SEEK_CUR);
  if (begin_ >= 0) return;
  file_ = keep(file_);
  begin_ = 0;
  rewind();
}

void LineFile::rewind() {
  if (::lseek(file_.get(), begin_, SEEK_SET) < 0) fail(name_);
  buffer_.clear();
  at_ = 0;
  number_ = 0;
}

// False: the end of the file.
bool LineFile::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + part_bytes);
  const std::size_t got = read_part(file_.get(), buffer_.data() + before, name_);
  buffer_.resize(before + got);
  return got > 0;
}

bool LineFile::next(std::string& line) {
  std::size_t searched = 0;
  while (true) {
    const std::size_t end = buffer_.find('\n', at_ + searched);
    if (end != std::string::npos) {
      line.assign(buffer_, at_, end - at_);
      at_ = end + 1;
      ++number_;
      return true;
    }
    searched = buffer_.size() - at_;
    if (searched > longest_line_bytes) {
      throw std::runtime_error(name_ + ':' + std::to_string(number_ + 1) + ": expected a line of at most " +
                               std::to_string(longest_line_bytes) + " bytes");
    }
    if (fill()) continue;
    if (buffer_.empty()) return false;
    line = std::move(buffer_);
    buffer_.clear();
    ++number_;
    return true;
  }
}

}  // namespace sluice::commands
