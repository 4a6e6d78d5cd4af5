// SPDX-License-Identifier: Apache-2.0
//
// Settings for a test, before they are checked: a tree of values, built in code or read from a literal in the small part
// of TOML that settings need (pairs, [tables], [[lists of tables]], inline tables, lists, strings, numbers, booleans,
// comments). Durations and sizes are strings, "500ms" and "4KiB", as in sluice.toml.
#pragma once

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace test {

// The settings cannot be used; the text names every problem, one a line.
class BadSettings : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A value, a table or a list: Node(Node::Table{{"port", "/dev/ttyUSB0"}, {"ids", Node::List{1, 2}}}).
class Node {
 public:
  using Table = std::vector<std::pair<std::string, Node>>;
  using List = std::vector<Node>;
  using Held = std::variant<std::monostate, bool, std::int64_t, double, std::string, Table, List>;

  Node() = default;
  Node(Table table) : held(std::in_place_type<Table>, std::move(table)) {}
  Node(List list) : held(std::in_place_type<List>, std::move(list)) {}
  template <class T,
            class = std::enable_if_t<std::is_arithmetic_v<T> || std::is_convertible_v<T, std::string_view>>>
  Node(const T& value) : held(scalar(value)) {}

  const Table* table() const noexcept { return std::get_if<Table>(&held); }
  const List* list() const noexcept { return std::get_if<List>(&held); }
  // The entry of that name, or NULL.
  const Node* find(std::string_view key) const noexcept {
    if (table() == nullptr) return nullptr;
    for (const auto& entry : *table()) {
      if (entry.first == key) return &entry.second;
    }
    return nullptr;
  }
  Node* find(std::string_view key) noexcept { return const_cast<Node*>(std::as_const(*this).find(key)); }

  Held held;
  int line = 0;  // of the literal, from 1; 0: made in code

 private:
  template <class T>
  static Held scalar(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      return Held(std::in_place_type<bool>, value);
    } else if constexpr (std::is_integral_v<T>) {
      return Held(std::in_place_type<std::int64_t>, static_cast<std::int64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      return Held(std::in_place_type<double>, static_cast<double>(value));
    } else {
      return Held(std::in_place_type<std::string>, std::string_view(value));
    }
  }
};

// Reads a literal. Used through parse() and parse_value().
class Literal {
 public:
  explicit Literal(std::string_view text) : text_(text) {}

  Node document() {
    Node root(Node::Table{});
    Node* table = &root;
    for (skip(true); !at_end(); skip(true)) {
      if (peek() == '[') {
        table = &header(root);
      } else {
        pair(*table);
      }
      skip(false);
      if (!at_end() && peek() != '\n') fail("expected the end of the line");
    }
    return root;
  }

  Node only_value() {
    skip(true);
    Node found = value();
    skip(true);
    if (!at_end()) fail("expected one value");
    return found;
  }

 private:
  bool at_end() const noexcept { return at_ >= text_.size(); }
  char peek() const noexcept { return at_end() ? '\0' : text_[at_]; }
  char next() {
    if (at_end()) fail("ends too early");
    if (text_[at_] == '\n') ++line_;
    return text_[at_++];
  }
  bool accept(std::string_view what) {
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }
  void expect(char what) {
    if (at_end() || peek() != what) fail(std::string("expected '") + what + "'");
    next();
  }
  void skip(bool lines_too) {
    while (!at_end()) {
      if (peek() == '#') {
        while (!at_end() && peek() != '\n') ++at_;
      } else if (peek() == ' ' || peek() == '\t' || peek() == '\r' || (lines_too && peek() == '\n')) {
        next();
      } else {
        return;
      }
    }
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw BadSettings("settings:" + std::to_string(line_) + ": " + why);
  }

  // [a.b] and [[a.b]]: the table that the pairs below it go to.
  Node& header(Node& root) {
    next();
    const bool element = accept("[");
    Node* table = &root;
    for (;;) {
      skip(false);
      const std::string name = key();
      skip(false);
      const bool last = peek() != '.';
      table = &child(*table, name, last && element);
      if (last) break;
      next();
    }
    expect(']');
    if (element) expect(']');
    return *table;
  }

  Node& child(Node& table, const std::string& name, bool element) {
    Node* found = table.find(name);
    if (found == nullptr) {
      Node made = element ? Node(Node::List{}) : Node(Node::Table{});
      made.line = line_;
      found = &std::get<Node::Table>(table.held).emplace_back(name, std::move(made)).second;
    }
    if (found->list() != nullptr) {
      auto& list = std::get<Node::List>(found->held);
      if (element) {
        list.emplace_back(Node::Table{});
        list.back().line = line_;
      }
      if (list.empty() || list.back().table() == nullptr) fail(name + " is not a table");
      return list.back();
    }
    if (element || found->table() == nullptr) fail(name + " is set already");
    return *found;
  }

  void pair(Node& into) {
    Node* table = &into;
    std::string name = key();
    for (skip(false); peek() == '.'; skip(false)) {
      next();
      skip(false);
      table = &child(*table, name, false);
      name = key();
    }
    if (table->find(name) != nullptr) fail(name + " is set twice");
    expect('=');
    skip(false);
    Node found = value();
    std::get<Node::Table>(table->held).emplace_back(std::move(name), std::move(found));
  }

  std::string key() {
    if (peek() == '"' || peek() == '\'') return string();
    std::string name;
    while (std::isalnum(static_cast<unsigned char>(peek())) != 0 || peek() == '_' || peek() == '-')
      name += next();
    if (name.empty()) fail("expected a key");
    return name;
  }

  Node value() {
    const int line = line_;
    Node found = value_of_any_type();
    found.line = line;
    return found;
  }

  Node value_of_any_type() {
    if (peek() == '"' || peek() == '\'') return Node(string());
    if (peek() == '[') return list();
    if (peek() == '{') return inline_table();
    if (accept("true")) return Node(true);
    if (accept("false")) return Node(false);
    return number();
  }

  Node list() {
    next();
    Node::List out;
    for (skip(true); peek() != ']'; skip(true)) {
      out.push_back(value());
      skip(true);
      if (peek() != ']') expect(',');
    }
    next();
    return Node(std::move(out));
  }

  Node inline_table() {
    next();
    Node out(Node::Table{});
    for (skip(true); peek() != '}'; skip(true)) {
      pair(out);
      skip(true);
      if (peek() != '}') expect(',');
    }
    next();
    return out;
  }

  Node number() {
    std::string digits;
    while (!at_end() && (std::isalnum(static_cast<unsigned char>(peek())) != 0 || peek() == '+' ||
                         peek() == '-' || peek() == '.' || peek() == '_')) {
      const char c = next();
      if (c != '_') digits += c;
    }
    if (digits.empty()) fail("expected a value");
    const bool hex = digits.compare(0, 2, "0x") == 0;
    const bool whole = hex || digits.find_first_of(".eEin") == std::string::npos;
    char* end = nullptr;
    if (whole) {
      const std::int64_t parsed = std::strtoll(digits.c_str(), &end, hex ? 16 : 10);
      if (*end == '\0') return Node(parsed);
    } else {
      const double parsed = std::strtod(digits.c_str(), &end);
      if (*end == '\0') return Node(parsed);
    }
    fail("expected a value, got " + digits);
  }

  std::string string() {
    const char quote = next();
    std::string out;
    for (char c = next(); c != quote; c = next()) {
      if (c == '\n') fail("a string ends on its line");
      out += c == '\\' && quote == '"' ? escaped() : std::string(1, c);
    }
    return out;
  }

  std::string escaped() {
    static constexpr std::string_view names = "btnfre\"\\";
    static constexpr std::string_view means = "\b\t\n\f\r\x1b\"\\";
    const char c = next();
    if (c == 'u') {
      std::string digits;
      for (int i = 0; i < 4; ++i) digits += next();
      const auto code = static_cast<unsigned>(std::strtoul(digits.c_str(), nullptr, 16));
      if (code < 0x80) return std::string(1, static_cast<char>(code));
      if (code < 0x800) return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
      return {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 0x3F)),
              static_cast<char>(0x80 | (code & 0x3F))};
    }
    const std::size_t at = names.find(c);
    if (at == std::string_view::npos) fail(std::string("unknown escape \\") + c);
    return std::string(1, means[at]);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

// Throw BadSettings.
inline Node parse(std::string_view literal) {
  return Literal(literal).document();
}
inline Node parse_value(std::string_view literal) {
  return Literal(literal).only_value();
}

// Where settings come from: a literal, or a tree made in code.
struct Source {
  template <class Text, class = std::enable_if_t<std::is_convertible_v<const Text&, std::string_view>>>
  Source(const Text& literal) : node(parse(literal)) {}
  Source(Node::Table table) : node(std::move(table)) {}
  Source(Node made) : node(std::move(made)) {}
  Node node;
};

}  // namespace test
}  // namespace v1
}  // namespace sluice
