// SPDX-License-Identifier: Apache-2.0
// A loaded plugin: its shared library, and its descriptor, checked and copied. The code stays in the process
// for ever, also after the Library is gone, because threads of the plugin may still run in it. Loaded by the
// main thread; constant afterwards, for every thread.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/spec.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

/// The plugin cannot be used; what() says why, for people.
class LoadError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Placeholder {
  std::string name;
  std::string help;
};

class Library {
 public:
  /// Loads `file`, whose name is sluice-NAME.so. Throws LoadError.
  explicit Library(const std::filesystem::path& file);
  /// A descriptor that is at hand already, such as one of a test; `file` only stands in messages.
  Library(const sluice_plugin& descriptor, std::string_view name, std::filesystem::path file);

  const std::filesystem::path& file() const { return file_; }
  const std::string& name() const { return name_; }
  const std::string& version() const { return version_; }
  const std::string& summary() const { return summary_; }
  bool emits() const { return (descriptor_.roles & SLUICE_EMITS) != 0; }  ///< may stand under [[input]]
  bool takes() const { return (descriptor_.roles & SLUICE_TAKES) != 0; }  ///< may stand in `to`
  bool polled() const { return descriptor_.poll != nullptr; }             ///< has an `interval`
  const std::vector<SettingSpec>& settings() const { return settings_; }
  const std::vector<Placeholder>& placeholders() const { return placeholders_; }

  /// The descriptor at its full size: what the plugin's is too short for is zero.
  const sluice_plugin& descriptor() const { return descriptor_; }

 private:
  void read(const sluice_plugin& descriptor, std::string_view name);

  std::filesystem::path file_;
  sluice_plugin descriptor_{};
  std::string name_;
  std::string version_;
  std::string summary_;
  std::vector<SettingSpec> settings_;
  std::vector<Placeholder> placeholders_;
};

}  // namespace sluice::plugin
