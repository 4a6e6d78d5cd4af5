// SPDX-License-Identifier: Apache-2.0
// The lines of a file, or of standard input, that are read more than once: what cannot be read again, such as a pipe, is
// kept in a temporary file without a name. One line is in memory at a time. For one thread.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "base/file_descriptor.hpp"

namespace sluice::commands {

class LineFile {
 public:
  /// "-" is standard input. Throws std::system_error.
  explicit LineFile(const std::string& name);

  /// The next line, without its end; false: there are no more. Throws std::system_error, and std::runtime_error for a line
  /// that is longer than anything that was exported.
  bool next(std::string& line);
  /// To the first line.
  void rewind();
  /// Of the line that next() gave last; the first is 1.
  std::uint64_t number() const { return number_; }
  /// "FILE:LINE" of that line.
  std::string place() const { return name_ + ':' + std::to_string(number_); }
  const std::string& name() const { return name_; }

 private:
  bool fill();

  std::string name_;
  FileDescriptor file_;
  off_t begin_ = 0;
  std::string buffer_;
  std::size_t at_ = 0;  // in the buffer
  std::uint64_t number_ = 0;
};

}  // namespace sluice::commands
