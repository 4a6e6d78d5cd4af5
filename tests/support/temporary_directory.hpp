// SPDX-License-Identifier: Apache-2.0
// A fresh directory that is removed with everything in it at the end. One owner.
#pragma once

#include <filesystem>
#include <string>

namespace sluice::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory();  ///< throws std::system_error
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// The path of something in it.
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  /// Writes a file in it and answers its path. Throws std::runtime_error.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

/// The content of a file; empty where there is none.
std::string read_file(const std::string& path);

}  // namespace sluice::test
