// SPDX-License-Identifier: Apache-2.0
// The first line is a topic; each other line is the filter of a rule and, behind a tab, the template of its topic.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "route/rules.hpp"
#include "route/topic.hpp"

namespace {

using namespace sluice::route;

void require(bool condition) {
  if (!condition) std::abort();
}

std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string topic(cut(text, '\n'));
  std::vector<Rule> accepted;
  while (!text.empty()) {
    std::string_view line = cut(text, '\n');
    Rule rule;
    rule.match = cut(line, '\t');
    rule.topic = line;
    // Each rule has an output of its own, so that each one that matches is a hit.
    rule.to = {std::to_string(accepted.size())};
    sluice::Problems problems;
    check_rule(rule, "route", problems);
    if (valid_filter(rule.match)) matches(rule.match, topic);
    if (problems.empty()) accepted.push_back(rule);
  }
  std::string why;
  if (!valid_topic(topic, &why)) {
    require(!why.empty());
    return 0;
  }
  const Rules rules(accepted, "agent");
  std::vector<Rules::Hit> hits;
  rules.route(topic, From::input, hits);
  auto hit = hits.begin();
  for (std::uint32_t id = 0; id < accepted.size(); ++id) {
    if (!matches(accepted[id].match, topic)) continue;
    require(hit != hits.end() && hit->rule == id);
    ++hit;
    const auto rewritten = rules.rewrite(id, topic, "input");
    require(rewritten.topic.empty() || valid_topic(rewritten.topic));
    require(rewritten.topic.empty() || rewritten.problem.empty());
  }
  require(hit == hits.end());
  require(rules.explain(topic, From::input, "input").lines.size() == accepted.size());
  return 0;
}
