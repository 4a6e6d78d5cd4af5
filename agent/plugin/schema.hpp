// SPDX-License-Identifier: Apache-2.0
// The settings of an instance against what its plugin declares. Pure functions, but those that call the plugin
// ([load] in plugin.h): these for the main thread, before the instance runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/settings.hpp"
#include "plugin/library.hpp"

namespace sluice::plugin {

/// Checks `table`, the instance's own keys (those of the agent removed), and answers what the plugin is given:
/// defaults filled in, durations in ns, sizes in bytes, integers widened where a number is declared. Everything
/// that is wrong is added to `problems`; the answer is usable only if nothing was. `table.path` stands before the
/// keys: `input "line1"` makes `input "line1": baud` and `input "line1": tags[2].address`. Secrets are never shown.
Setting check_settings(const Setting& table, const Library& library, Problems& problems);

/// The plugin's own check of settings that check_settings passed.
void validate(const Library& library, const Setting& checked, Problems& problems);

/// What an instance with these settings will do, a line each; empty where the plugin tells nothing.
std::vector<std::string> plan(const Library& library, const Setting& checked, Problems& problems);

/// What is wrong with a `topic` of an instance of this plugin; empty = nothing.
std::string check_topic_template(std::string_view topic, const Library& library);

/// A declared setting in words, for `sluice plugins NAME` and the tables of the READMEs.
struct SettingRow {
  std::string name;  ///< "tags[].address" for a key of the tables of a list
  std::string type;  ///< "integer", "list of tables"
  std::string unit;
  std::string range;  ///< "50..4000000", "at least 1"; of a list, its length
  std::string default_text;
  std::vector<std::string> choices;
  std::string help;
  bool required = false;
  bool secret = false;
};
/// In the order of declaration, each table followed by its keys.
std::vector<SettingRow> describe_settings(const Library& library);

}  // namespace sluice::plugin
