// SPDX-License-Identifier: Apache-2.0
#include "config/toml_text.hpp"

#include <stdexcept>

namespace sluice::config {
// Thrown by a function, since the library asserts in functions that are noexcept, too: those do not depend on the text.
[[noreturn]] static void broken_assumption() {
  throw std::logic_error("toml++");
}
}  // namespace sluice::config

// The library's assertions are assumptions in a release, and "[[[" breaks one of them (parse_key): so that bad text is
// an error and not undefined, they throw here.
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? void() : ::sluice::config::broken_assumption())
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/toml_scan.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

struct Remedy {
  std::string_view sign;  // part of what the library says
  std::string_view text;
};

// The slips that people make, first match wins; what the library says stands before it.
constexpr std::array remedies = {
    Remedy{"as array-of-tables", "write [[...]] each time for a list of tables, [...] once for a table"},
    Remedy{"existing array", "write [[...]] each time for a list of tables"},
    Remedy{"cannot redefine", "remove one of the two"},
    Remedy{"cannot insert", "remove one of the two"},
    Remedy{"parsing string: encountered end-of-file", "close the string with a quote"},
    Remedy{"parsing string: unescaped control", "close the string with a quote on the same line"},
    Remedy{"unknown escape sequence", "write \\\\ for a backslash, or use 'single quotes'"},
    Remedy{"parsing string", "a \\ begins an escape; in 'single quotes' it does not"},
    Remedy{"parsing unicode", "write \\uXXXX with four hexadecimal digits"},
    Remedy{"parsing table header", "write [name] or [[name]] alone on its line"},
    Remedy{"parsing array", "write a list as [\"a\", \"b\"], with commas between"},
    Remedy{"parsing inline table", "write {a = 1, b = 2} on one line, without a comma at the end"},
    Remedy{"leading zeroes", "write the number without zeros in front"},
    Remedy{"parsing boolean", "write true or false; text goes into quotes"},
    Remedy{"not representable in 64 bits", "the number is too large"},
    Remedy{"parsing floating-point", "write it as 0.5; text goes into quotes, as in \"10s\""},
    Remedy{"integer", "text goes into quotes, as in \"10s\""},
    Remedy{"parsing date", "text goes into quotes, as in \"2026-01-31\""},
    Remedy{"parsing time", "text goes into quotes, as in \"12:00\""},
    Remedy{"parsing value", "write a \"text\", a number, true, false, or a list"},
    Remedy{"parsing key-value pair", "write key = value, one on a line; text goes into quotes"},
    Remedy{"parsing key", "write key = value; a key has letters, digits, - and _"},
    Remedy{"parsing root table", "write key = value; a key has letters, digits, - and _"},
};

std::string remedy_for(std::string_view description) {
  for (const Remedy& remedy : remedies) {
    if (description.find(remedy.sign) != std::string_view::npos) return "; " + std::string(remedy.text);
  }
  return "";
}

// "Error while parsing X: Y" becomes "Y (in the X)".
std::string reword(std::string_view description) {
  constexpr std::string_view start = "Error while parsing ";
  const std::size_t colon = description.find(": ");
  if (!description.starts_with(start) || colon == std::string_view::npos) return std::string(description);
  std::string_view fault = description.substr(colon + 2);
  if (fault == "encountered end-of-file") fault = "the text ends here";
  if (fault.starts_with("unescaped control characters")) fault = "a line break or control character";
  return std::string(fault) + " (in the " +
         std::string(description.substr(start.size(), colon - start.size())) + ")";
}

// The library echoes characters of the text as they are.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; },
      '?');
  return text;
}

class Conversion {
 public:
  Conversion(const std::string& file, Problems& problems) : file_(file), problems_(problems) {}

  Setting convert(const toml::node& node, std::string key, const toml::source_position& at,
                  std::size_t depth) {
    Setting setting;
    setting.key = std::move(key);
    setting.place = {file_, at.line, at.column};
    if (depth > max_depth) {
      problems_.add(setting, too_deep());
      return setting;
    }
    if (const auto* table = node.as_table()) {
      add_children(*table, setting, depth);
    } else if (const auto* array = node.as_array()) {
      setting.kind = SettingKind::list;
      setting.children.reserve(array->size());
      for (const toml::node& element : *array) {
        const toml::source_position place = element.source().begin;
        setting.children.push_back(convert(element, "", place.line > 0 ? place : at, depth + 1));
      }
    } else {
      set_value(node, setting);
    }
    return setting;
  }

 private:
  static std::string too_deep() {
    return "expected at most " + std::to_string(max_depth) + " tables and lists inside one another";
  }

  // The library sorts by key; people count by line.
  void add_children(const toml::table& table, Setting& setting, std::size_t depth) {
    setting.kind = SettingKind::table;
    setting.children.reserve(table.size());
    for (const auto& [key, value] : table) {
      setting.children.push_back(convert(value, std::string(key.str()), key.source().begin, depth + 1));
    }
    std::stable_sort(
        setting.children.begin(), setting.children.end(), [](const Setting& a, const Setting& b) {
          return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
        });
  }

  void set_value(const toml::node& node, Setting& setting) {
    if (const auto* boolean = node.as_boolean()) {
      setting.kind = SettingKind::boolean;
      setting.value = boolean->get();
    } else if (const auto* integer = node.as_integer()) {
      setting.kind = SettingKind::integer;
      setting.value = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      setting.kind = SettingKind::number;
      setting.value = number->get();
    } else if (const auto* text = node.as_string()) {
      setting.kind = SettingKind::string;
      setting.value = text->get();
    } else {
      setting.kind = SettingKind::string;
      setting.value = std::string();
      problems_.add(setting.place, setting.key,
                    "dates and times are not used here: put the text into quotes");
    }
  }

  const std::string& file_;
  Problems& problems_;
};

// Where a key that the text sets twice stands first. The parser knows and does not tell: so the text before the
// line is parsed again, with a mark that shows in which table the line stands. 0: not found.
class FirstPlace {
 public:
  FirstPlace(std::string_view text, std::uint32_t line_number) {
    std::size_t start = 0;
    for (std::uint32_t line = 1; line < line_number; ++line) start = text.find('\n', start) + 1;
    before_ = text.substr(0, start);
    line_ = text.substr(start, text.find('\n', start) - start);
  }

  std::uint32_t line() const {
    const std::size_t first = line_.find_first_not_of(" \t");
    const bool header = first != std::string::npos && line_[first] == '[';
    try {
      const toml::table root = toml::parse(before_ + "\n" + std::string(mark) + " = 1\n");
      const toml::table keys = toml::parse(header ? line_ : line_.substr(0, line_.find('=')) + " = 1");
      return find(header ? &root : marked(root), keys);
    } catch (const std::exception&) {  // what it says of these parts helps nobody
      return 0;
    }
  }

 private:
  static constexpr std::string_view mark = "sluice-place-of-line";

  // A table, or the last of a list of tables, as headers mean it.
  static const toml::table* as_table(const toml::node& node) {
    const toml::array* array = node.as_array();
    return array == nullptr ? node.as_table() : array->empty() ? nullptr : array->back().as_table();
  }

  static const toml::table* marked(const toml::table& table) {
    if (table.contains(mark)) return &table;
    for (const auto& [key, node] : table) {
      const toml::table* below = as_table(node);
      const toml::table* found = below == nullptr ? nullptr : marked(*below);
      if (found != nullptr) return found;
    }
    return nullptr;
  }

  // Follows the keys of the line, of which each table has one.
  static std::uint32_t find(const toml::table* table, const toml::table& keys) {
    const auto key = keys.begin();
    if (table == nullptr || key == keys.end()) return 0;
    const auto found = table->find(key->first.str());
    if (found == table->end()) return 0;
    const toml::table* more = as_table(key->second);
    if (more != nullptr && !more->empty()) {
      if (const std::uint32_t deeper = find(as_table(found->second), *more)) return deeper;
    }
    return found->first.source().begin.line;
  }

  std::string before_;
  std::string line_;
};

std::string first_place(std::string_view text, const toml::parse_error& error) {
  if (error.description().find("cannot redefine") == std::string_view::npos) return "";
  const std::uint32_t line = FirstPlace(text, error.source().begin.line).line();
  return line == 0 ? "" : "; it stands first in line " + std::to_string(line);
}

}  // namespace

std::optional<Setting> parse_toml(std::string_view text, const std::string& file, Problems& problems) {
  if (const auto fault = scan_toml(text)) {
    problems.add({file, fault->line, fault->column}, "",
                 "column " + std::to_string(fault->column) + ": " + fault->text);
    return std::nullopt;
  }
  try {
    const toml::table table = toml::parse(text);
    return Conversion(file, problems).convert(table, "", {1, 1}, 0);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    problems.add({file, at.line, at.column}, "",
                 "column " + std::to_string(at.column) + ": " + printable(reword(error.description())) +
                     first_place(text, error) + remedy_for(error.description()));
    return std::nullopt;
  } catch (const std::logic_error&) {
    problems.add({file, 0, 0}, "", "is no TOML: look for a [table] or a key that is not complete");
    return std::nullopt;
  }
}

}  // namespace sluice::config
