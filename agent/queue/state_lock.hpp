// SPDX-License-Identifier: Apache-2.0
// The lock of a state directory: whoever holds it owns the files below. The running agent does; the command
// line takes it to work on the files of a stopped one. The kernel releases it when the process ends.
#pragma once

#include <filesystem>
#include <optional>
#include <utility>

#include "base/file_descriptor.hpp"

namespace sluice::queue {

class StateLock {
 public:
  /// Takes the lock of `state_dir`/lock, creating the file in the directory, which must exist.
  /// Nothing: another process holds it, so an agent is running. Throws std::system_error.
  static std::optional<StateLock> try_lock(const std::filesystem::path& state_dir);

  /// Whether somebody holds the lock. Creates nothing. Throws std::system_error.
  static bool is_held(const std::filesystem::path& state_dir);

 private:
  explicit StateLock(FileDescriptor file) : file_(std::move(file)) {}
  FileDescriptor file_;
};

}  // namespace sluice::queue
