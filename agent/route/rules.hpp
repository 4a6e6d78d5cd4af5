// SPDX-License-Identifier: Apache-2.0
// The route table: which outputs take a message, by its topic. Immutable after construction and therefore safe
// from every thread; a reload builds another table and swaps it in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/message.hpp"
#include "base/settings.hpp"
#include "route/filter_tree.hpp"
#include "route/topic_template.hpp"

namespace sluice::route {

/// The output name of the MQTT session.
inline constexpr std::string_view mqtt_output = "mqtt";

/// Where the messages of a rule come from. A message itself comes from `input` or `broker`, never from `any`.
enum class From : std::uint8_t { input, broker, any };

/// One [[route]]. A `to` that is empty ends the search.
struct Rule {
  std::string match;            ///< a topic filter
  std::vector<std::string> to;  ///< names of outputs, or of inputs that take messages; "mqtt" is the session
  From from = From::input;
  bool loop = false;  ///< from the broker back to the broker, too
  bool copy = false;  ///< adds a delivery to an output that already has one
  std::string
      topic;  ///< a template: {topic}, {1}…{9} per wildcard of `match`, {agent}, {input}; empty = as it is
  DeliveryOptions options;
  Place place;
  bool operator==(const Rule&) const = default;
};

/// Adds what cannot work in `rule` to `problems`; `path` is what people call it ("route 3"). Whether the outputs
/// exist is not known here.
void check_rule(const Rule& rule, std::string_view path, Problems& problems);

class Rules {
 public:
  /// Throws std::invalid_argument for a rule that check_rule refuses: callers check before, to tell the user all
  /// of it.
  Rules(std::vector<Rule> rules, std::string_view agent_id);

  /// What holds where the configuration has no rule: everything from inputs goes to the session.
  static std::vector<Rule> everything_to_mqtt();

  const std::vector<Rule>& rules() const { return rules_; }
  /// The names that stand in any `to`, each once, in the order in which they appear.
  const std::vector<std::string>& outputs() const { return outputs_; }

  struct Hit {
    std::uint32_t rule = 0;    ///< index in rules()
    std::uint32_t output = 0;  ///< index in outputs()
    bool operator==(const Hit&) const = default;
  };

  /// Replaces `hits` by the deliveries of a message, in the order of the rules. An output takes the message by the
  /// first rule that matches and names it, and once more by each later one that has `copy`. What came from
  /// the broker goes back to it by rules with `loop` only. False: no rule matched at all (a rule with an empty
  /// `to` is a match). Allocates nothing but what `hits` needs: keep it between calls.
  bool route(std::string_view topic, From origin, std::vector<Hit>& hits) const;

  /// A topic to publish under, or why there is none.
  struct Rewritten {
    std::string topic;  ///< empty: the message's own
    std::string
        problem;  ///< not empty: the rule gave a name that cannot be published; drop the delivery, and count it
  };
  /// The topic by the template of `rule`, which matched `topic`. '#' gives all the levels it stands for, none where
  /// it matched the parent.
  Rewritten rewrite(std::uint32_t rule, std::string_view topic, std::string_view input) const;

  /// Why a message goes where it goes, for people.
  struct Explanation {
    struct Line {
      std::uint32_t rule = 0;
      bool matched = false;           ///< the filter, and where the message comes from
      std::vector<std::string> took;  ///< the outputs that take the message by this rule
      std::string why;                ///< why the others, or all, do not; empty where there is nothing to say
    };
    struct Outcome {
      std::string output;
      std::uint32_t rule = 0;
      std::string topic;    ///< that the output sees
      std::string problem;  ///< as in Rewritten: the output gets nothing
    };
    std::string topic;
    std::vector<Line> lines;  ///< one for each rule
    std::vector<Outcome> outcomes;
  };
  /// `input` fills in {input}, where the message comes from one.
  Explanation explain(std::string_view topic, From origin, std::string_view input = {}) const;

  /// The steps that route() takes through the table to match this topic: they depend on the levels of the topic and
  /// on the rules that match, never on the number of rules.
  std::size_t steps(std::string_view topic, From origin) const;

 private:
  struct Action {
    std::uint32_t first_target;  // in targets_; of a rule with one output: that output itself
    std::uint32_t target_count : 30;
    std::uint32_t loop : 1;
    std::uint32_t copy : 1;
  };

  const FilterTree& tree(From origin) const { return origin == From::broker ? from_broker_ : from_input_; }

  std::vector<Rule> rules_;
  std::string agent_id_;
  std::vector<std::string> outputs_;
  std::vector<Action> actions_;           // one for each rule
  std::vector<TopicTemplate> templates_;  // one for each rule
  std::vector<std::uint32_t> targets_;    // indices in outputs_
  std::uint32_t mqtt_ = 0;                // index in outputs_; past its end where no rule names it
  FilterTree from_input_;
  FilterTree from_broker_;
};

}  // namespace sluice::route
