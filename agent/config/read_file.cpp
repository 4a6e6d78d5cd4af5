// SPDX-License-Identifier: Apache-2.0
#include "config/read_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/file_descriptor.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

FileText failure(int error) {
  FileText result;
  result.error = std::generic_category().message(error);
  result.missing = error == ENOENT || error == ENOTDIR;
  return result;
}

}  // namespace

FileText read_text(const std::filesystem::path& file, std::size_t max_bytes) {
  if (file.native().find('\0') != std::string::npos) return failure(EINVAL);
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return failure(errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return failure(errno);
  FileText result;
  result.mode = status.st_mode;
  if (!S_ISREG(status.st_mode)) {
    result.error = S_ISDIR(status.st_mode) ? "it is a directory" : "it is no regular file";
    return result;
  }
  char buffer[16384];
  while (true) {
    const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(errno);
    if (count == 0) return result;
    result.text.append(buffer, static_cast<std::size_t>(count));
    if (result.text.size() > max_bytes) {
      result.text.clear();
      result.error = "it is larger than " + size_text(max_bytes);
      return result;
    }
  }
}

}  // namespace sluice::config
