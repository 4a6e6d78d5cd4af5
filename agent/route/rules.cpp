// SPDX-License-Identifier: Apache-2.0
#include "route/rules.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/utf8.hpp"
#include "route/topic.hpp"

namespace sluice::route {
namespace {

constexpr std::string_view share_prefix = "$share/";

// For a message about text that may be anything.
std::string quoted(std::string_view text) {
  constexpr std::size_t enough = 200;
  std::string out = "\"";
  for (; !text.empty() && out.size() < enough;) {
    const auto [code, bytes] = first_character(text);
    const bool printable = bytes != 0 && code >= 0x20 && code != 0x7F;
    out += printable ? text.substr(0, bytes) : "?";
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return out + (text.empty() ? "\"" : "…\"");
}

std::string problem_of_match(const std::string& match) {
  std::string why;
  if (!valid_filter(match, &why)) return "expected a topic filter, got " + quoted(match) + ": " + why;
  if (match.starts_with(share_prefix)) {
    return "expected a topic filter, got the shared subscription " + quoted(match) +
           ": it belongs under [[mqtt.subscribe]]; write " + quoted(without_share(match)) + " here";
  }
  if (static_cast<std::size_t>(std::count(match.begin(), match.end(), '/')) >= FilterTree::max_levels) {
    return "expected a topic filter of at most " + std::to_string(FilterTree::max_levels) + " levels";
  }
  return {};
}

std::string problem_of_topic(const Rule& rule) {
  if (rule.topic.empty()) return {};
  try {
    const TopicTemplate parsed(rule.topic);
    const std::size_t wildcards = count_wildcards(rule.match);
    if (parsed.wildcards() > wildcards) {
      return quoted(rule.topic) + " uses {" + std::to_string(parsed.wildcards()) + "}, but " +
             quoted(rule.match) + " has " + std::to_string(wildcards) +
             (wildcards == 1 ? " wildcard" : " wildcards");
    }
    if (parsed.uses_input() && rule.from != From::input) {
      return quoted(rule.topic) +
             " uses {input}, which messages from the broker do not have: it needs from = "
             "\"input\"";
    }
    TopicTemplate::Values sample{"x", "x", "x", {}};
    sample.wildcards.fill("x");
    std::string why;
    if (!valid_topic(parsed.fill(sample), &why)) {
      return "expected the template of a topic, got " + quoted(rule.topic) + ": " + why;
    }
    return {};
  } catch (const std::invalid_argument& error) {
    return "expected the template of a topic, got " + quoted(rule.topic) + ": " + error.what();
  }
}

std::string problem_of_to(const std::vector<std::string>& to) {
  for (auto name = to.begin(); name != to.end(); ++name) {
    if (name->empty()) return "expected names of outputs, got \"\"";
    if (std::find(to.begin(), name, *name) != name) return quoted(*name) + " stands here twice";
  }
  return {};
}

std::uint32_t index_of(const std::vector<std::string>& names, std::string_view name) {
  return static_cast<std::uint32_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

}  // namespace

void check_rule(const Rule& rule, std::string_view path, Problems& problems) {
  const auto add = [&](std::string_view key, std::string text) {
    if (!text.empty()) problems.add(rule.place, std::string(path) + ": " + std::string(key), std::move(text));
  };
  const std::string match = problem_of_match(rule.match);
  add("match", match);
  add("to", problem_of_to(rule.to));
  if (match.empty()) add("topic", problem_of_topic(rule));
}

Rules::Rules(std::vector<Rule> rules, std::string_view agent_id)
    : rules_(std::move(rules)), agent_id_(agent_id) {
  Problems problems;
  std::uint32_t id = 0;
  for (const Rule& rule : rules_) {
    check_rule(rule, "route " + std::to_string(id + 1), problems);
    if (!problems.empty()) throw std::invalid_argument(to_string(problems.all().front()));
    auto first_target = static_cast<std::uint32_t>(targets_.size());
    for (const std::string& name : rule.to) {
      const std::uint32_t output = index_of(outputs_, name);
      if (output == outputs_.size()) outputs_.push_back(name);
      if (rule.to.size() == 1) {
        first_target = output;
      } else {
        targets_.push_back(output);
      }
    }
    actions_.push_back(
        {first_target, static_cast<std::uint32_t>(rule.to.size()) & 0x3FFFFFFFU, rule.loop, rule.copy});
    templates_.emplace_back(rule.topic);
    if (rule.from != From::broker) from_input_.add(rule.match, id);
    if (rule.from != From::input) from_broker_.add(rule.match, id);
    ++id;
  }
  mqtt_ = index_of(outputs_, mqtt_output);
}

std::vector<Rule> Rules::everything_to_mqtt() {
  Rule rule;
  rule.match = "#";
  rule.to = {std::string(mqtt_output)};
  return {rule};
}

bool Rules::route(std::string_view topic, From origin, std::vector<Hit>& hits) const {
  // The rules that match stand in front while the deliveries are written behind them, so that no other memory is
  // needed.
  hits.clear();
  tree(origin).match(topic, [&](std::uint32_t rule) { hits.push_back({rule, 0}); });
  const std::size_t matched = hits.size();
  std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.rule < b.rule; });
  for (std::size_t i = 0; i < matched; ++i) {
    const std::uint32_t rule = hits[i].rule;
    const Action action = actions_[rule];
    if (action.target_count == 0) break;
    for (std::uint32_t target = 0; target < action.target_count; ++target) {
      const std::uint32_t output =
          action.target_count == 1 ? action.first_target : targets_[action.first_target + target];
      if (output == mqtt_ && origin == From::broker && !action.loop) continue;
      const auto taken = [&](const Hit& hit) { return hit.output == output; };
      const auto first = hits.begin() + static_cast<std::ptrdiff_t>(matched);
      if (!action.copy && std::any_of(first, hits.end(), taken)) continue;
      hits.push_back({rule, output});
    }
  }
  hits.erase(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(matched));
  return matched != 0;
}

Rules::Rewritten Rules::rewrite(std::uint32_t rule, std::string_view topic, std::string_view input) const {
  Rewritten rewritten;
  const TopicTemplate& pattern = templates_[rule];
  if (pattern.empty()) return rewritten;
  rewritten.topic = pattern.fill({topic, agent_id_, input, captures(rules_[rule].match, topic)});
  std::string why;
  if (!valid_topic(rewritten.topic, &why)) {
    rewritten.problem = "route " + std::to_string(rule + 1) + " makes " + quoted(rewritten.topic) + " of " +
                        quoted(topic) + ": " + why;
    rewritten.topic.clear();
  }
  return rewritten;
}

Rules::Explanation Rules::explain(std::string_view topic, From origin, std::string_view input) const {
  Explanation explanation;
  explanation.topic = topic;
  std::vector<Hit> hits;
  route(topic, origin, hits);
  std::string ended_by;
  for (std::uint32_t id = 0; id < rules_.size(); ++id) {
    const Rule& rule = rules_[id];
    Explanation::Line line;
    line.rule = id;
    const bool from_fits = rule.from == From::any || rule.from == origin;
    line.matched = from_fits && matches(rule.match, topic);
    if (!from_fits) {
      line.why = rule.from == From::input ? "it takes messages from inputs only"
                                          : "it takes messages from the broker only";
    } else if (!line.matched) {
      line.why = "the filter does not match";
    } else if (!ended_by.empty()) {
      line.why = ended_by;
    } else if (rule.to.empty()) {
      line.why = "the search ends here";
      ended_by = "not reached: rule " + std::to_string(id + 1) + " ended the search";
    } else {
      for (const std::string& name : rule.to) {
        const std::uint32_t output = index_of(outputs_, name);
        const auto is_this = [&](const Hit& hit) { return hit.rule == id && hit.output == output; };
        if (std::any_of(hits.begin(), hits.end(), is_this)) {
          line.took.push_back(name);
          continue;
        }
        if (!line.why.empty()) line.why += "; ";
        if (output == mqtt_ && origin == From::broker && !rule.loop) {
          line.why += "\"" + name + "\" is where it came from: loop = true would send it back";
        } else {
          line.why += "\"" + name + "\" has it by an earlier rule: copy = true would add another";
        }
      }
    }
    explanation.lines.push_back(std::move(line));
  }
  for (const Hit& hit : hits) {
    Rewritten rewritten = rewrite(hit.rule, topic, input);
    if (rewritten.topic.empty() && rewritten.problem.empty()) rewritten.topic = topic;
    explanation.outcomes.push_back(
        {outputs_[hit.output], hit.rule, std::move(rewritten.topic), std::move(rewritten.problem)});
  }
  return explanation;
}

std::size_t Rules::steps(std::string_view topic, From origin) const {
  return tree(origin).match(topic, [](std::uint32_t) {});
}

}  // namespace sluice::route
