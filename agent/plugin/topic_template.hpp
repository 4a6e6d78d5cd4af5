// SPDX-License-Identifier: Apache-2.0
// The `topic` setting of an instance, parsed: "{agent}/{input}/{tag}". Constant after construction, for every
// thread.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/library.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

class TopicTemplate {
 public:
  /// Throws std::invalid_argument: a placeholder that the plugin does not declare, or what can never be a topic.
  TopicTemplate(std::string_view text, std::string_view agent_id, std::string_view input,
                const std::vector<Placeholder>& placeholders);

  /// Appends the topic to `out`: the values of `placeholders` filled in, with '/', '+' and '#' in them as '_'. Null,
  /// or why it cannot be done; `name` is the placeholder that is to blame.
  const char* expand(const sluice_array& placeholders, std::string& out, std::string_view& name) const;

 private:
  struct Part {
    std::string literal;
    std::string placeholder;  ///< what follows the literal; empty: nothing, it is the last part
  };

  std::vector<Part> parts_;
  std::vector<std::string> declared_;
};

}  // namespace sluice::plugin
