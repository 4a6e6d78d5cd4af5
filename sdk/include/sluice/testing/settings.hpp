// SPDX-License-Identifier: Apache-2.0
//
// Settings for a test, checked against what a plugin declares, as the agent does it: unknown keys, types, ranges,
// choices and required keys are reported, all at once; defaults are filled in.
#pragma once

#include <sluice/settings.hpp>
#include <sluice/testing/declarations.hpp>
#include <sluice/testing/node.hpp>
#include <sluice/value.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace test {

namespace detail {

struct Unit {
  const char* name;
  double factor;
};

// "1.5s" by these units; nothing where it is not a number with one of them.
template <std::size_t Count>
std::optional<double> quantity(const std::string& text, const Unit (&units)[Count]) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || number < 0) return std::nullopt;
  for (const Unit& unit : units) {
    if (std::string_view(end) == unit.name) return number * unit.factor;
  }
  return std::nullopt;
}

inline std::optional<double> duration_ns(const std::string& text) {
  static constexpr Unit units[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},   {"s", 1e9},
                                   {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
  return quantity(text, units);
}

inline std::optional<double> size_bytes(const std::string& text) {
  static constexpr Unit units[] = {{"B", 1},           {"kB", 1e3}, {"KiB", 1024.0},      {"MB", 1e6},
                                   {"MiB", 1048576.0}, {"GB", 1e9}, {"GiB", 1073741824.0}};
  return quantity(text, units);
}

}  // namespace detail

// Owns the checked settings; raw() is what the plugin gets. Never moves.
class CheckedSettings {
 public:
  // `settings` may also be a whole configuration: then the first [[input]] or [[output]] of this plugin counts, without
  // the keys that belong to the agent.
  CheckedSettings(const sluice_plugin& plugin, const Node& settings) {
    const Node& own = entry_of(plugin, settings);
    Node::Table kept;
    for (const auto& entry : *own.table()) {
      if (&own == &settings || !belongs_to_agent(entry.first)) kept.push_back(entry);
    }
    if (const Node* name = &own == &settings ? nullptr : own.find("name")) {
      if (const auto* text = std::get_if<std::string>(&name->held)) name_ = *text;
    }
    root_.size = sizeof(root_);
    root_.value.type = SLUICE_TABLE;
    root_.place = keep("settings");
    root_.children = table(specs_of(abi::field(plugin, &sluice_plugin::settings)), kept, "settings", "");
  }
  CheckedSettings(const CheckedSettings&) = delete;
  CheckedSettings& operator=(const CheckedSettings&) = delete;

  // "settings:2: baud: expected 50..4000000, got 7"
  const std::vector<std::string>& problems() const noexcept { return problems_; }
  const sluice_setting* raw() const noexcept { return &root_; }
  // Of the [[input]] or [[output]]; empty without.
  const std::string& name() const noexcept { return name_; }

 private:
  using Specs = abi::Array<sluice_setting_spec>;
  static Specs specs_of(sluice_array raw) { return Specs(raw); }

  static bool belongs_to_agent(std::string_view key) {
    for (const char* name :
         {"plugin", "name", "enabled", "topic", "interval", "publish", "host", "buffer", "durable"}) {
      if (key == name) return true;
    }
    return false;
  }

  static const Node& entry_of(const sluice_plugin& plugin, const Node& settings) {
    for (const char* kind : {"input", "output"}) {
      const Node* entries = settings.find(kind);
      if (entries == nullptr || entries->list() == nullptr) continue;
      for (const Node& entry : *entries->list()) {
        const Node* named = entry.find("plugin");
        const auto* text = named == nullptr ? nullptr : std::get_if<std::string>(&named->held);
        if (text != nullptr && *text == abi::view(plugin.name)) return entry;
      }
    }
    if (settings.table() == nullptr) throw BadSettings("settings: expected a table");
    return settings;
  }

  sluice_str keep(std::string_view text) { return abi::borrow(texts_.emplace_back(text)); }

  static std::string place_of(const std::string& outer, const Node& node) {
    return node.line == 0 ? outer : "settings:" + std::to_string(node.line);
  }

  void problem(const std::string& place, const std::string& key, const std::string& text) {
    problems_.push_back(place + ": " + key + ": " + text);
  }

  sluice_array table(const Specs& specs, const Node::Table& given, const std::string& place,
                     const std::string& path) {
    auto& out = tables_.emplace_back();
    for (const auto& entry : given) {
      const sluice_setting_spec* spec = nullptr;
      std::string known;
      for (const sluice_setting_spec& one : specs) {
        if (abi::view(one.name) == entry.first) spec = &one;
        known += (known.empty() ? "" : ", ") + std::string(abi::view(one.name));
      }
      if (spec == nullptr) {
        problem(place_of(place, entry.second), path + entry.first, "unknown key; known are: " + known);
      } else {
        out.push_back(
            setting(*spec, entry.first, entry.second, place_of(place, entry.second), path + entry.first));
      }
    }
    for (const sluice_setting_spec& spec : specs) add_default(out, spec, given, place, path);
    return sluice_array{out.data(), out.size(), sizeof(sluice_setting)};
  }

  void add_default(std::vector<sluice_setting>& out, const sluice_setting_spec& spec,
                   const Node::Table& given, const std::string& place, const std::string& path) {
    const std::string name(abi::view(spec.name));
    for (const auto& entry : given) {
      if (entry.first == name) return;
    }
    const std::string text(abi::view(abi::field(spec, &sluice_setting_spec::default_value)));
    if (!text.empty()) {
      // Durations and sizes stand bare in a descriptor.
      const bool bare = (spec.type == SLUICE_DURATION || spec.type == SLUICE_SIZE) && text.front() != '"';
      out.push_back(setting(spec, name, bare ? Node(text) : parse_value(text), "default", path + name));
      out.back().place = keep("the default of " + path + name);
    } else if ((abi::field(spec, &sluice_setting_spec::flags) & SLUICE_REQUIRED) != 0) {
      problem(place, path + name, "is required");
    } else if (spec.type == SLUICE_TABLE &&
               !detail::has_required(abi::field(spec, &sluice_setting_spec::children))) {
      // A table that is not there, and in which nothing is required, has the defaults of its settings.
      out.push_back(setting(spec, name, Node(Node::Table{}), place, path + name));
    }
  }

  sluice_setting setting(const sluice_setting_spec& spec, const std::string& key, const Node& node,
                         const std::string& place, const std::string& path) {
    sluice_setting out{};
    out.size = sizeof(out);
    out.key = keep(key);
    out.place = keep(place + ": " + path);
    fill(out, spec, spec.type, node, place, path);
    return out;
  }

  // `type` is the spec's own, or that of the elements of its list, for which its limits (of the length) do not hold.
  void fill(sluice_setting& out, const sluice_setting_spec& spec, std::uint32_t type, const Node& node,
            const std::string& place, const std::string& path) {
    out.value = abi::value_of(type);
    const auto* whole = std::get_if<std::int64_t>(&node.held);
    const auto* number = std::get_if<double>(&node.held);
    const auto* text = std::get_if<std::string>(&node.held);
    const auto wrong = [&](const char* expected) {
      problem(place, path, std::string("expected ") + expected + ", got " + shown(node));
    };
    switch (type) {
      case SLUICE_BOOL:
        if (const bool* flag = std::get_if<bool>(&node.held)) {
          out.value.as.boolean = *flag ? 1 : 0;
          return;
        }
        return wrong("true or false");
      case SLUICE_INT64:
        if (whole == nullptr) return wrong("an integer");
        out.value.as.i64 = *whole;
        return within(spec, out.value, static_cast<double>(*whole), node, place, path);
      case SLUICE_DOUBLE:
        if (whole == nullptr && number == nullptr) return wrong("a number");
        out.value.as.f64 = whole != nullptr ? static_cast<double>(*whole) : *number;
        return within(spec, out.value, out.value.as.f64, node, place, path);
      case SLUICE_STRING:
        if (text == nullptr) return wrong("text");
        out.value.as.text = keep(*text);
        return chosen(spec, *text, place, path);
      case SLUICE_DURATION: {
        const auto ns = text == nullptr ? std::nullopt : detail::duration_ns(*text);
        if (!ns) return wrong("a duration, such as \"500ms\"");
        out.value.as.i64 = std::llround(*ns);
        return within(spec, out.value, *ns, node, place, path);
      }
      case SLUICE_SIZE: {
        const auto bytes = text == nullptr ? std::nullopt : detail::size_bytes(*text);
        if (!bytes) return wrong("a size, such as \"4KiB\"");
        out.value.as.u64 = static_cast<std::uint64_t>(std::llround(*bytes));
        return within(spec, out.value, *bytes, node, place, path);
      }
      case SLUICE_TABLE:
        if (node.table() == nullptr) return wrong("a table");
        out.children = table(specs_of(abi::field(spec, &sluice_setting_spec::children)), *node.table(), place,
                             path + ".");
        return;
      case SLUICE_LIST:
        if (node.list() == nullptr) return wrong("a list");
        return fill_list(out, spec, node, place, path);
      default:
        problem(place, path, "is declared with the unknown type " + std::to_string(type));
    }
  }

  void fill_list(sluice_setting& out, const sluice_setting_spec& spec, const Node& node,
                 const std::string& place, const std::string& path) {
    auto& elements = tables_.emplace_back();
    for (const Node& one : *node.list()) {
      const std::string at = path + "[" + std::to_string(elements.size()) + "]";
      sluice_setting element{};
      element.size = sizeof(element);
      element.place = keep(place_of(place, one) + ": " + at);
      fill(element, spec, abi::field(spec, &sluice_setting_spec::element_type), one, place_of(place, one),
           at);
      elements.push_back(element);
    }
    out.children = sluice_array{elements.data(), elements.size(), sizeof(sluice_setting)};
    within(spec, out.value, static_cast<double>(elements.size()), node, place, path);
  }

  static double limit(const sluice_value& value) {
    if (value.type == SLUICE_DOUBLE) return value.as.f64;
    if (value.type == SLUICE_SIZE || value.type == SLUICE_UINT64) return static_cast<double>(value.as.u64);
    return static_cast<double>(value.as.i64);
  }

  void within(const sluice_setting_spec& spec, const sluice_value& value, double number, const Node& node,
              const std::string& place, const std::string& path) {
    if (spec.type == SLUICE_LIST && value.type != SLUICE_LIST) return;
    const sluice_value least = abi::field(spec, &sluice_setting_spec::minimum);
    const sluice_value most = abi::field(spec, &sluice_setting_spec::maximum);
    const bool low = least.type != SLUICE_NONE && number < limit(least);
    const bool high = most.type != SLUICE_NONE && number > limit(most);
    if (!low && !high) return;
    const char* unit = value.type == SLUICE_DURATION ? " ns"
                       : value.type == SLUICE_SIZE   ? " bytes"
                       : value.type == SLUICE_LIST   ? " elements"
                                                     : "";
    const std::string from = least.type == SLUICE_NONE ? "" : shown(Node(limit(least)));
    const std::string to = most.type == SLUICE_NONE ? "" : shown(Node(limit(most)));
    problem(place, path, "expected " + from + ".." + to + unit + ", got " + shown(node));
  }

  void chosen(const sluice_setting_spec& spec, const std::string& text, const std::string& place,
              const std::string& path) {
    const abi::Array<sluice_str> choices(abi::field(spec, &sluice_setting_spec::choices));
    std::string all;
    for (const sluice_str& choice : choices) {
      if (abi::view(choice) == text) return;
      all += (all.empty() ? "\"" : ", \"") + std::string(abi::view(choice)) + "\"";
    }
    if (!choices.empty()) problem(place, path, "expected one of " + all + ", got \"" + text + "\"");
  }

  static std::string shown(const Node& node) {
    if (const auto* text = std::get_if<std::string>(&node.held)) return "\"" + *text + "\"";
    if (const auto* flag = std::get_if<bool>(&node.held)) return *flag ? "true" : "false";
    if (const auto* whole = std::get_if<std::int64_t>(&node.held)) return std::to_string(*whole);
    if (const auto* number = std::get_if<double>(&node.held)) {
      if (*number == std::floor(*number) && std::fabs(*number) < 9e15)
        return std::to_string(std::llround(*number));
      return std::to_string(*number);
    }
    if (const Node::List* list = node.list()) return "a list of " + std::to_string(list->size());
    return node.table() != nullptr ? "a table" : "nothing";
  }

  sluice_setting root_{};
  std::string name_;
  std::vector<std::string> problems_;
  std::deque<std::string> texts_;  // deques: growing them moves nothing
  std::deque<std::vector<sluice_setting>> tables_;
};

}  // namespace test
}  // namespace v1
}  // namespace sluice
