// SPDX-License-Identifier: Apache-2.0
#include "plugin/literal.hpp"

#include <fmt/core.h>

#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace sluice::plugin {
namespace {

constexpr std::size_t shown_bytes = 60;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<Setting> whole() {
    auto value = parse();
    skip_blanks();
    return value && text_.empty() ? std::move(value) : std::nullopt;
  }

 private:
  std::optional<Setting> parse() {
    skip_blanks();
    if (text_.empty()) return std::nullopt;
    if (text_.front() == '[') return list();
    if (text_.front() == '"' || text_.front() == '\'') return string();
    return word();
  }

  std::optional<Setting> list() {
    Setting list;
    list.kind = SettingKind::list;
    text_.remove_prefix(1);
    for (;;) {
      skip_blanks();
      if (take(']')) return list;
      auto item = parse();
      if (!item) return std::nullopt;
      list.children.push_back(std::move(*item));
      skip_blanks();
      if (take(']')) return list;
      if (!take(',')) return std::nullopt;
    }
  }

  std::optional<Setting> string() {
    const char quote = text_.front();
    text_.remove_prefix(1);
    std::string value;
    while (!text_.empty() && text_.front() != quote) {
      char c = text_.front();
      text_.remove_prefix(1);
      if (c == '\\' && quote == '"') {
        if (text_.empty() || !unescape(text_.front(), c)) return std::nullopt;
        text_.remove_prefix(1);
      }
      value += c;
    }
    if (!take(quote)) return std::nullopt;
    return make(SettingKind::string, std::move(value));
  }

  static bool unescape(char letter, char& out) {
    constexpr std::array pairs = {std::pair{'n', '\n'}, std::pair{'t', '\t'},  std::pair{'r', '\r'},
                                  std::pair{'"', '"'},  std::pair{'\\', '\\'}, std::pair{'e', '\x1b'}};
    for (const auto& [name, meaning] : pairs) {
      if (name == letter) {
        out = meaning;
        return true;
      }
    }
    return false;
  }

  std::optional<Setting> word() {
    const std::string_view word = text_.substr(0, text_.find_first_of(",] \t"));
    text_.remove_prefix(word.size());
    if (word == "true" || word == "false") return make(SettingKind::boolean, word == "true");
    const char* end = word.data() + word.size();
    std::int64_t integer = 0;
    const bool hex = word.substr(0, 2) == "0x";
    const auto whole = std::from_chars(word.data() + (hex ? 2 : 0), end, integer, hex ? 16 : 10);
    if (whole.ec == std::errc() && whole.ptr == end) return make(SettingKind::integer, integer);
    double number = 0;
    const auto decimal = std::from_chars(word.data(), end, number);
    if (decimal.ec == std::errc() && decimal.ptr == end) return make(SettingKind::number, number);
    return std::nullopt;
  }

  template <typename T>
  static Setting make(SettingKind kind, T value) {
    Setting setting;
    setting.kind = kind;
    setting.value = std::move(value);
    return setting;
  }

  void skip_blanks() {
    while (!text_.empty() && std::isspace(static_cast<unsigned char>(text_.front())) != 0)
      text_.remove_prefix(1);
  }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  std::string_view text_;
};

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// The largest unit that divides the value: the shortest exact form.
template <std::size_t n>
std::string in_units(std::uint64_t value, const std::array<Unit, n>& units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) return fmt::format("{}{}", value / unit.factor, unit.name);
  }
  return {};
}

std::string print_duration(std::int64_t ns) {
  constexpr std::array units = {Unit{"d", 86'400'000'000'000},
                                Unit{"h", 3'600'000'000'000},
                                Unit{"m", 60'000'000'000},
                                Unit{"s", 1'000'000'000},
                                Unit{"ms", 1'000'000},
                                Unit{"us", 1'000},
                                Unit{"ns", 1}};
  return ns <= 0 ? "0s" : in_units(static_cast<std::uint64_t>(ns), units);
}

std::string print_size(std::uint64_t bytes) {
  constexpr std::array units = {Unit{"GiB", 1U << 30U},
                                Unit{"GB", 1'000'000'000},
                                Unit{"MiB", 1U << 20U},
                                Unit{"MB", 1'000'000},
                                Unit{"KiB", 1024},
                                Unit{"kB", 1000},
                                Unit{"B", 1}};
  return bytes == 0 ? "0B" : in_units(bytes, units);
}

}  // namespace

std::optional<Setting> parse_literal(std::string_view text, SettingKind kind) {
  const bool bare = !text.empty() && text.front() != '"' && text.front() != '\'';
  if (bare && (kind == SettingKind::duration || kind == SettingKind::size)) {
    Setting setting;
    setting.kind = SettingKind::string;
    setting.value = std::string(text);
    return setting;
  }
  return Parser(text).whole();
}

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  std::size_t cut = text.size();
  if (cut > shown_bytes) {
    cut = shown_bytes;
    // never within a character of several bytes
    while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
  }
  for (const char c : text.substr(0, cut)) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') quoted += '\\';
    if (code < 0x20 || code == 0x7F) {
      quoted += fmt::format("\\x{:02x}", code);
    } else {
      quoted += c;
    }
  }
  return quoted + (cut < text.size() ? "…\"" : "\"");
}

std::string print(const Value& value, SettingKind kind) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    return kind == SettingKind::duration ? print_duration(*whole) : fmt::format("{}", *whole);
  }
  if (const auto* bytes = std::get_if<std::uint64_t>(&value)) {
    return kind == SettingKind::size ? print_size(*bytes) : fmt::format("{}", *bytes);
  }
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return quote(*text);
  return "nothing";
}

std::string print(const Setting& setting) {
  const bool nested = setting.kind == SettingKind::table || setting.kind == SettingKind::list;
  return nested ? std::string(describe(setting.kind)) : print(setting.value, setting.kind);
}

}  // namespace sluice::plugin
