// SPDX-License-Identifier: Apache-2.0
#include "route/topic.hpp"

#include "base/utf8.hpp"

namespace sluice::route {
namespace {

constexpr std::string_view share_prefix = "$share/";

bool refuse(std::string* why, std::string_view text) {
  if (why != nullptr) *why = text;
  return false;
}

// U+0001 to U+001F, U+007F to U+009F and the noncharacters.
bool may_disconnect(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0xFDD0 && code <= 0xFDEF) ||
         (code & 0xFFFEU) == 0xFFFE;
}

// What a name and a filter have in common.
bool valid_text(std::string_view text, std::string* why) {
  if (text.empty()) return refuse(why, "it is empty");
  if (text.size() > max_topic_bytes) return refuse(why, "it is longer than 65535 bytes");
  while (!text.empty()) {
    const auto [code, bytes] = first_character(text);
    if (bytes == 0) return refuse(why, "it is not UTF-8");
    if (code == 0) return refuse(why, "it holds a NUL character");
    if (may_disconnect(code)) return refuse(why, "it holds a control character or a noncharacter");
    text.remove_prefix(bytes);
  }
  return true;
}

bool valid_levels(std::string_view filter, std::string* why) {
  Levels levels(filter);
  bool last = false;
  for (std::string_view level; levels.next(level);) {
    if (last) return refuse(why, "'#' must be the last level");
    last = level == "#";
    if (level == "+" || last) continue;
    if (level.find('+') != std::string_view::npos) return refuse(why, "'+' must stand alone in its level");
    if (level.find('#') != std::string_view::npos) return refuse(why, "'#' must stand alone in its level");
  }
  return true;
}

}  // namespace

bool valid_topic(std::string_view topic, std::string* why) {
  if (!valid_text(topic, why)) return false;
  if (topic.find_first_of("+#") != std::string_view::npos)
    return refuse(why, "it holds a wildcard ('+' or '#')");
  return true;
}

bool valid_filter(std::string_view filter, std::string* why) {
  if (!valid_text(filter, why)) return false;
  if (filter == "$share" || filter.starts_with(share_prefix)) {
    Levels levels(filter);
    std::string_view group;
    levels.next(group);
    if (!levels.next(group) || group.empty() || levels.rest().empty()) {
      return refuse(why, "a shared subscription is $share/GROUP/FILTER");
    }
    if (group.find_first_of("+#") != std::string_view::npos) {
      return refuse(why, "the group of a shared subscription holds no wildcard");
    }
    filter = levels.rest();
  }
  return valid_levels(filter, why);
}

std::string_view without_share(std::string_view filter) {
  if (!filter.starts_with(share_prefix)) return filter;
  const std::size_t slash = filter.find('/', share_prefix.size());
  return slash == std::string_view::npos ? filter : filter.substr(slash + 1);
}

bool matches(std::string_view filter, std::string_view topic) {
  filter = without_share(filter);
  if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
  Levels wanted(filter);
  Levels given(topic);
  for (std::string_view level, name; wanted.next(level);) {
    if (level == "#") return true;
    if (!given.next(name)) return false;
    if (level != "+" && level != name) return false;
  }
  std::string_view left_over;
  return !given.next(left_over);
}

}  // namespace sluice::route
