// SPDX-License-Identifier: Apache-2.0
// The instances of a configuration, checked against their plugins: what the agent starts and `sluice check` judges.
// Main thread only, since it calls plugins.
#pragma once

#include <string>
#include <vector>

#include "base/settings.hpp"
#include "config/config.hpp"
#include "plugin/catalogue.hpp"
#include "plugin/instance.hpp"

namespace sluice {

struct PreparedInstance {
  config::InstanceConfig config;
  const plugin::Library* library = nullptr;  ///< null: it does not load, and load_error says why
  std::string load_error;
  Setting settings;  ///< checked, with defaults; without a library empty

  plugin::InstanceOptions options(const std::string& agent_id) const;
};

/// One instance. What is wrong with its settings is added to `problems`; a plugin that does not load is no problem of
/// the configuration: it may come later.
PreparedInstance prepare_instance(const config::InstanceConfig& instance, plugin::Catalogue& catalogue,
                                  Problems& problems);

/// All that are enabled, and whether routes send messages only to what takes them.
std::vector<PreparedInstance> prepare_instances(const config::Config& configuration,
                                                plugin::Catalogue& catalogue, Problems& problems);

}  // namespace sluice
