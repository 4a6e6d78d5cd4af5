// SPDX-License-Identifier: Apache-2.0
#include "config/words.hpp"

#include <fmt/format.h>

#include <array>
#include <type_traits>
#include <utility>
#include <variant>

namespace sluice::config {
namespace {

constexpr std::size_t max_quoted_bytes = 80;
// Longer words are no slips of the pen, and comparing them costs time.
constexpr std::size_t max_suggested_bytes = 64;
constexpr std::size_t max_candidates = 1000;

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

}  // namespace

std::string quote(std::string_view text) {
  const bool cut = text.size() > max_quoted_bytes;
  if (cut) {
    std::size_t end = max_quoted_bytes;
    while (end > 0 && is_continuation(text[end])) --end;
    text = text.substr(0, end);
  }
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\r') {
      quoted += "\\r";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      quoted += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + (cut ? "\"..." : "\"");
}

std::string describe_value(const Setting& setting) {
  if (setting.kind == SettingKind::table) return "a table";
  if (setting.kind == SettingKind::list) return setting.children.empty() ? "an empty list" : "a list";
  if (setting.kind == SettingKind::duration) {
    if (const auto* ns = std::get_if<std::int64_t>(&setting.value)) return quote(duration_text(*ns));
  }
  return std::visit(
      [](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "nothing";
        } else if constexpr (std::is_same_v<T, std::string>) {
          return quote(value);
        } else if constexpr (std::is_same_v<T, Bytes>) {
          return "bytes";
        } else {
          return fmt::format("{}", value);
        }
      },
      setting.value);
}

std::string alternatives(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += quote(words[i]);
  }
  return text;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  if (word.size() > max_suggested_bytes || candidates.size() > max_candidates) return "";
  std::vector<std::string_view> near_enough;
  for (std::string_view candidate : candidates) {
    if (candidate.size() <= max_suggested_bytes) near_enough.push_back(candidate);
  }
  const std::string_view best = nearest(word, near_enough);
  return best.empty() ? "" : "; did you mean " + quote(best) + "?";
}

std::string duration_text(std::int64_t nanoseconds) {
  constexpr std::array units = {std::pair{"d", 86'400'000'000'000LL}, std::pair{"h", 3'600'000'000'000LL},
                                std::pair{"m", 60'000'000'000LL},     std::pair{"s", 1'000'000'000LL},
                                std::pair{"ms", 1'000'000LL},         std::pair{"us", 1'000LL}};
  if (nanoseconds == 0) return "0s";
  for (const auto& [name, factor] : units) {
    if (nanoseconds % factor == 0) return std::to_string(nanoseconds / factor) + name;
  }
  return std::to_string(nanoseconds) + "ns";
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array units = {std::pair{"GiB", 1ULL << 30U}, std::pair{"MiB", 1ULL << 20U},
                                std::pair{"KiB", 1ULL << 10U}};
  for (const auto& [name, factor] : units) {
    if (bytes > 0 && bytes % factor == 0) return std::to_string(bytes / factor) + name;
  }
  return std::to_string(bytes) + "B";
}

}  // namespace sluice::config
