// SPDX-License-Identifier: Apache-2.0
// The `topic` of a rule: text with placeholders, from which the topic of a delivery is made. Immutable; safe from
// every thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::route {

class TopicTemplate {
 public:
  static constexpr std::size_t max_wildcards = 9;

  struct Values {
    std::string_view topic;
    std::string_view agent;
    std::string_view input;
    std::array<std::string_view, max_wildcards> wildcards;
  };

  TopicTemplate() = default;
  /// Throws std::invalid_argument: a placeholder that does not exist, a brace without its partner.
  explicit TopicTemplate(std::string_view text);

  bool empty() const { return pieces_.empty(); }
  /// The largest {n}; 0 = none.
  std::size_t wildcards() const;
  bool uses_input() const;
  std::string fill(const Values& values) const;

 private:
  enum class Kind { text, topic, agent, input, wildcard };
  struct Piece {
    Kind kind = Kind::text;
    std::size_t wildcard = 0;  // counted from 0
    std::string text;
  };

  static Piece placeholder(std::string_view name);

  std::vector<Piece> pieces_;
};

/// How many levels of a filter are wildcards.
std::size_t count_wildcards(std::string_view filter);

/// What the first nine wildcards of `filter` stand for in `topic`, which it matches: '+' for its level, '#' for all
/// that is left.
std::array<std::string_view, TopicTemplate::max_wildcards> captures(std::string_view filter,
                                                                    std::string_view topic);

}  // namespace sluice::route
