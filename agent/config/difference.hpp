// SPDX-License-Identifier: Apache-2.0
// What changed between two configurations, for a reload: routes and log levels are taken over at once, everything
// else is named as needing a restart. Pure functions, for every thread.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace sluice::config {

struct Difference {
  bool routes = false;
  bool log_levels = false;
  bool log_target = false;
  bool agent = false;
  bool mqtt = false;                   ///< with [mqtt.tls], [[mqtt.subscribe]] and what stands in the secrets
  bool buffer = false;                 ///< of the mqtt output
  std::vector<std::string> instances;  ///< by name: changed, new, or gone

  bool empty() const;
  /// What a reload leaves as it was, as people write it: "[mqtt]", `input "line1"`.
  std::vector<std::string> needs_restart;
};

/// Both as read() answered them. Where something stands in a file does not matter, nor whether a default is written out.
Difference difference(const Config& old_config, const Config& new_config);

/// The same keys and values, in whatever order the keys of a table are.
bool same_values(const Setting& a, const Setting& b);

}  // namespace sluice::config
