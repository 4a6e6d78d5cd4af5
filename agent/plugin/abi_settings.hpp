// SPDX-License-Identifier: Apache-2.0
// A checked tree of settings in the form of plugin.h. Owns all that its pointers lead to; constant after
// construction, for every thread.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/settings.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

class AbiSettings {
 public:
  /// `checked`: what check_settings answered.
  explicit AbiSettings(Setting checked);
  AbiSettings(const AbiSettings&) = delete;
  AbiSettings& operator=(const AbiSettings&) = delete;

  const sluice_setting* root() const { return &levels_.front().front(); }
  const Setting& settings() const { return settings_; }
  /// The setting that `at` was made of; null: it is none of these.
  const Setting* origin(const sluice_setting* at) const;

 private:
  sluice_setting make(const Setting& setting);

  const Setting settings_;
  std::deque<std::string> places_;
  std::deque<std::vector<sluice_setting>> levels_;  // the children of a table or a list each
  std::unordered_map<const sluice_setting*, const Setting*> origins_;
};

}  // namespace sluice::plugin
