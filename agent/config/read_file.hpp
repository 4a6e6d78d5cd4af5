// SPDX-License-Identifier: Apache-2.0
// A whole small file, whatever stands under its name: neither a pipe nor a device blocks or fills the memory.
// For every thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>

namespace sluice::config {

struct FileText {
  std::string text;
  std::string error;     ///< empty: it was read
  bool missing = false;  ///< the error is that nothing is there
  mode_t mode = 0;
};

/// More than `max_bytes` is an error, and so is what is no regular file.
FileText read_text(const std::filesystem::path& file, std::size_t max_bytes);

}  // namespace sluice::config
