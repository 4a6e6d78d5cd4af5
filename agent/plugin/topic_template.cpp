// SPDX-License-Identifier: Apache-2.0
#include "plugin/topic_template.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/settings.hpp"
#include "plugin/abi.hpp"
#include "plugin/mqtt_text.hpp"

namespace sluice::plugin {
namespace {

// A value is one level of a topic, and no wildcard.
void append_level(std::string_view value, std::string& out) {
  for (const char c : value) out += c == '/' || c == '+' || c == '#' ? '_' : c;
}

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument(what);
}

std::string known_names(const std::vector<std::string>& declared) {
  std::string names = "{agent}, {input}";
  for (const std::string& name : declared) names += ", {" + name + "}";
  return names;
}

}  // namespace

TopicTemplate::TopicTemplate(std::string_view text, std::string_view agent_id, std::string_view input,
                             const std::vector<Placeholder>& placeholders) {
  for (const Placeholder& placeholder : placeholders) declared_.push_back(placeholder.name);
  Part part;
  while (!text.empty()) {
    const std::size_t open = text.find_first_of("{}");
    part.literal += text.substr(0, open);
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find_first_of("{}", open + 1);
    if (text[open] == '}' || close == std::string_view::npos || text[close] == '{') {
      refuse("expected a placeholder in braces, such as {agent}; a topic has no braces of its own here");
    }
    const std::string_view name = text.substr(open + 1, close - open - 1);
    text.remove_prefix(close + 1);
    if (name == "agent") {
      append_level(agent_id, part.literal);
    } else if (name == "input") {
      append_level(input, part.literal);
    } else if (std::find(declared_.begin(), declared_.end(), name) != declared_.end()) {
      part.placeholder = name;
      parts_.push_back(std::move(part));
      part = Part();
    } else {
      std::vector<std::string_view> names(declared_.begin(), declared_.end());
      names.insert(names.end(), {"agent", "input"});
      const std::string_view meant = nearest(name, names);
      refuse(fmt::format("unknown placeholder {{{}}}; {}", name,
                         meant.empty() ? "there are: " + known_names(declared_)
                                       : fmt::format("did you mean {{{}}}?", meant)));
    }
  }
  parts_.push_back(std::move(part));
  std::string sample;
  for (const Part& each : parts_) sample += each.literal + (each.placeholder.empty() ? "" : "x");
  if (const char* fault = topic_fault(sample)) refuse(fmt::format("the topic {}", fault));
}

const char* TopicTemplate::expand(const sluice_array& placeholders, std::string& out,
                                  std::string_view& name) const {
  if (const char* fault = array_fault<sluice_pair>(placeholders)) return fault;
  for (std::size_t i = 0; i < placeholders.count; ++i) {
    sluice_pair room;
    const sluice_pair* pair = element(placeholders, i, room);
    if (pair == nullptr) return "has a size that is not within its stride";
    if (!readable(pair->name) || !readable(pair->value)) return "is NULL and has a size";
    name = view(pair->name);
    if (std::find(declared_.begin(), declared_.end(), name) == declared_.end()) return "is not declared";
  }
  for (const Part& part : parts_) {
    out += part.literal;
    if (part.placeholder.empty()) continue;
    name = part.placeholder;
    bool given = false;
    for (std::size_t i = 0; i < placeholders.count && !given; ++i) {
      sluice_pair room;
      const sluice_pair* pair = element(placeholders, i, room);
      given = view(pair->name) == name;
      if (given) append_level(view(pair->value), out);
    }
    if (!given) return "is not given";
  }
  return nullptr;
}

}  // namespace sluice::plugin
