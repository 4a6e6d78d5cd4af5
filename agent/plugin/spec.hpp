// SPDX-License-Identifier: Apache-2.0
// What a plugin declares of its settings, copied out of its descriptor and checked when it was loaded. Plain
// values, constant once loaded: for every thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/settings.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

struct SettingSpec {
  std::string name;
  SettingKind kind = SettingKind::string;
  SettingKind element = SettingKind::string;  ///< of a list
  bool required = false;
  bool secret = false;
  std::string unit;
  std::string default_text;              ///< as it would stand in the file; empty = none
  std::optional<Setting> default_value;  ///< the same, parsed and checked
  Value minimum;                         ///< of the value's own type; of a list its length, int64; or none
  Value maximum;
  std::vector<std::string> choices;  ///< of a string, or of the strings of a list
  std::string help;
  std::vector<SettingSpec> children;  ///< of a table, or of the tables of a list
};

/// Copies and checks a descriptor's array of sluice_setting_spec. Throws LoadError (library.hpp) naming the
/// setting and what is wrong with its declaration.
std::vector<SettingSpec> read_specs(const sluice_array& specs);

}  // namespace sluice::plugin
