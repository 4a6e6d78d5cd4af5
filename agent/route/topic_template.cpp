// SPDX-License-Identifier: Apache-2.0
#include "route/topic_template.hpp"

#include <algorithm>
#include <stdexcept>

#include "route/topic.hpp"

namespace sluice::route {

TopicTemplate::TopicTemplate(std::string_view text) {
  while (!text.empty()) {
    const std::size_t brace = text.find_first_of("{}");
    if (brace != 0) pieces_.push_back({Kind::text, 0, std::string(text.substr(0, brace))});
    if (brace == std::string_view::npos) return;
    const std::size_t end = text.find_first_of("{}", brace + 1);
    if (text[brace] != '{' || end == std::string_view::npos || text[end] != '}') {
      throw std::invalid_argument("a brace has no partner: placeholders are written {topic}");
    }
    pieces_.push_back(placeholder(text.substr(brace + 1, end - brace - 1)));
    text.remove_prefix(end + 1);
  }
}

TopicTemplate::Piece TopicTemplate::placeholder(std::string_view name) {
  if (name == "topic") return {Kind::topic, 0, {}};
  if (name == "agent") return {Kind::agent, 0, {}};
  if (name == "input") return {Kind::input, 0, {}};
  if (name.size() == 1 && name[0] >= '1' && name[0] <= '9') {
    return {Kind::wildcard, static_cast<std::size_t>(name[0] - '1'), {}};
  }
  throw std::invalid_argument("unknown placeholder {" + std::string(name) +
                              "}: there are {topic}, {1} to {9}, {agent} and {input}");
}

std::size_t TopicTemplate::wildcards() const {
  std::size_t most = 0;
  for (const Piece& piece : pieces_) {
    if (piece.kind == Kind::wildcard) most = std::max(most, piece.wildcard + 1);
  }
  return most;
}

bool TopicTemplate::uses_input() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& p) { return p.kind == Kind::input; });
}

std::string TopicTemplate::fill(const Values& values) const {
  std::string filled;
  for (const Piece& piece : pieces_) {
    switch (piece.kind) {
      case Kind::text:
        filled += piece.text;
        break;
      case Kind::topic:
        filled += values.topic;
        break;
      case Kind::agent:
        filled += values.agent;
        break;
      case Kind::input:
        filled += values.input;
        break;
      case Kind::wildcard:
        filled += values.wildcards[piece.wildcard];
        break;
    }
  }
  return filled;
}

std::size_t count_wildcards(std::string_view filter) {
  std::size_t count = 0;
  Levels levels(filter);
  for (std::string_view level; levels.next(level);) count += level == "+" || level == "#" ? 1 : 0;
  return count;
}

std::array<std::string_view, TopicTemplate::max_wildcards> captures(std::string_view filter,
                                                                    std::string_view topic) {
  std::array<std::string_view, TopicTemplate::max_wildcards> found;
  std::size_t count = 0;
  Levels wanted(filter);
  Levels given(topic);
  for (std::string_view level, name; count < found.size() && wanted.next(level);) {
    if (level == "#") {
      found[count] = given.rest();
      break;
    }
    given.next(name);
    if (level == "+") found[count++] = name;
  }
  return found;
}

}  // namespace sluice::route
