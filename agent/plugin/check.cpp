// SPDX-License-Identifier: Apache-2.0
#include "plugin/check.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/literal.hpp"

namespace sluice::plugin {
namespace {

bool has_range(const SettingSpec& spec) {
  return spec.minimum.index() != 0 || spec.maximum.index() != 0;
}

std::string one_of(const std::vector<std::string>& choices) {
  std::string text = choices.size() == 1 ? "" : "one of ";
  for (const std::string& choice : choices) text += (&choice == &choices.front() ? "" : ", ") + quote(choice);
  return text;
}

// What a value of this kind must be; `got` decides whether a bare range is clear enough.
std::string expectation(const SettingSpec& spec, SettingKind kind, SettingKind got) {
  if (!spec.choices.empty() && kind == SettingKind::string) return one_of(spec.choices);
  if (spec.kind == SettingKind::list || !has_range(spec)) return std::string(describe(kind));
  const std::string range = range_text(spec);
  const bool closed = spec.minimum.index() != 0 && spec.maximum.index() != 0;
  switch (kind) {
    case SettingKind::duration:
      return got == SettingKind::duration ? range : "a duration of " + range;
    case SettingKind::size:
      return got == SettingKind::size ? range : "a size of " + range;
    case SettingKind::integer:
      if (got == SettingKind::number) return closed ? "an integer in " + range : "an integer of " + range;
      return closed || got == kind ? range : "an integer of " + range;
    default:
      return closed || got == kind || got == SettingKind::integer ? range : "a number of " + range;
  }
}

std::string got_text(const Setting& given, bool secret) {
  if (!secret) return print(given);
  switch (given.kind) {
    case SettingKind::boolean:
      return "a boolean (secret, not shown)";
    case SettingKind::table:
    case SettingKind::list:
      return std::string(describe(given.kind));
    default:
      return std::string(describe(given.kind)) + " (secret, not shown)";
  }
}

template <typename T>
bool within_limits(const T& value, const SettingSpec& spec) {
  const T* low = std::get_if<T>(&spec.minimum);
  const T* high = std::get_if<T>(&spec.maximum);
  // not written as two refusals: NaN lies within no limits
  return (low == nullptr || value >= *low) && (high == nullptr || value <= *high);
}

// Limits are of the type of the value (spec.hpp).
bool within(const Value& value, const SettingSpec& spec) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return within_limits(*whole, spec);
  if (const auto* bytes = std::get_if<std::uint64_t>(&value)) return within_limits(*bytes, spec);
  if (const auto* number = std::get_if<double>(&value)) return within_limits(*number, spec);
  return true;
}

// Brings `value` from the file's kind to the declared one; false: it is not of that kind.
bool convert(Setting& value, SettingKind kind) {
  if (value.kind == kind) return true;
  if (kind == SettingKind::number && value.kind == SettingKind::integer) {
    value.value = static_cast<double>(std::get<std::int64_t>(value.value));
  } else if (kind == SettingKind::duration && value.kind == SettingKind::string) {
    std::int64_t ns = 0;
    if (!parse_duration(std::get<std::string>(value.value), ns)) return false;
    value.value = ns;
  } else if (kind == SettingKind::size && value.kind == SettingKind::string) {
    std::uint64_t bytes = 0;
    if (!parse_size(std::get<std::string>(value.value), bytes)) return false;
    value.value = bytes;
  } else {
    return false;
  }
  value.kind = kind;
  return true;
}

// A value that is neither table nor list.
Setting check_scalar(const Setting& given, const SettingSpec& spec, SettingKind kind, Problems& problems) {
  Setting value = given;
  const bool right_kind = convert(value, kind);
  const bool limited = spec.kind != SettingKind::list && has_range(spec);
  std::string fault;
  if (!right_kind || (limited && !within(value.value, spec))) {
    fault =
        fmt::format("expected {}, got {}", expectation(spec, kind, value.kind), got_text(given, spec.secret));
  } else if (!spec.choices.empty()) {
    const auto& text = std::get<std::string>(value.value);
    if (std::find(spec.choices.begin(), spec.choices.end(), text) == spec.choices.end()) {
      fault = fmt::format("expected {}, got {}", one_of(spec.choices), got_text(given, spec.secret));
      const std::string_view meant = nearest(text, {spec.choices.begin(), spec.choices.end()});
      if (!meant.empty() && !spec.secret) fault += fmt::format("; did you mean {}?", quote(meant));
    }
  }
  if (!fault.empty()) problems.add(given, std::move(fault));
  return value;
}

void expect(const Setting& given, SettingKind kind, const SettingSpec& spec, Problems& problems) {
  problems.add(given, fmt::format("expected {}, got {}", describe(kind), got_text(given, spec.secret)));
}

Setting check_list(const Setting& given, const SettingSpec& spec, Problems& problems) {
  Setting list = given;
  list.children.clear();
  const auto length = static_cast<std::int64_t>(given.children.size());
  if (!within(Value(length), spec)) {
    const std::string range = range_text(spec);
    problems.add(given,
                 fmt::format("expected {} {}, got {}", range,
                             range == "at least 1" || range == "at most 1" ? "element" : "elements", length));
  }
  for (std::size_t i = 0; i < given.children.size(); ++i) {
    Setting element = given.children[i];
    if (element.path.empty()) element.path = fmt::format("{}[{}]", given.path, i);
    if (spec.element != SettingKind::table) {
      list.children.push_back(check_scalar(element, spec, spec.element, problems));
    } else if (element.kind != SettingKind::table) {
      expect(element, SettingKind::table, spec, problems);
    } else {
      list.children.push_back(check_table(element, spec.children, ".", problems));
    }
  }
  return list;
}

bool needs_nothing(const std::vector<SettingSpec>& specs) {
  return std::none_of(specs.begin(), specs.end(), [](const SettingSpec& spec) { return spec.required; });
}

// Gives the defaults of a declaration the place where they came to stand.
void set_path(Setting& value, const std::string& path) {
  value.path = path;
  for (std::size_t i = 0; i < value.children.size(); ++i) {
    set_path(value.children[i], fmt::format("{}[{}]", path, i));
  }
}

void fill_in(Setting& table, const SettingSpec& spec, const std::string& path, Problems& problems) {
  if (spec.required) {
    problems.add(table.place, path, "missing; expected " + expectation(spec, spec.kind, SettingKind::table));
    return;
  }
  Setting value;
  if (spec.default_value) {
    value = *spec.default_value;
    set_path(value, path);
  } else if (spec.kind == SettingKind::table && needs_nothing(spec.children)) {
    Setting empty;
    empty.path = path;
    value = check_table(empty, spec.children, ".", problems);
  } else {
    return;
  }
  value.key = spec.name;
  table.children.push_back(std::move(value));
}

std::string unknown_key(const std::string& key, const std::vector<SettingSpec>& specs) {
  std::vector<std::string_view> names;
  for (const SettingSpec& spec : specs) names.push_back(spec.name);
  if (const std::string_view meant = nearest(key, names); !meant.empty()) {
    return fmt::format("unknown setting; did you mean \"{}\"?", meant);
  }
  std::string known;
  for (const std::string_view name : names) known.append(known.empty() ? "" : ", ").append(name);
  return known.empty() ? "unknown setting; there are none here" : "unknown setting; there are: " + known;
}

}  // namespace

std::string range_text(const SettingSpec& spec) {
  if (!has_range(spec)) return {};
  const std::string low = print(spec.minimum, spec.kind);
  const std::string high = print(spec.maximum, spec.kind);
  if (spec.maximum.index() == 0) return "at least " + low;
  if (spec.minimum.index() == 0) return "at most " + high;
  return low == high ? "exactly " + low : low + ".." + high;
}

Setting check_setting(const Setting& given, const SettingSpec& spec, Problems& problems) {
  if (spec.kind != SettingKind::table && spec.kind != SettingKind::list) {
    return check_scalar(given, spec, spec.kind, problems);
  }
  if (given.kind != spec.kind) {
    expect(given, spec.kind, spec, problems);
    return given;
  }
  return spec.kind == SettingKind::list ? check_list(given, spec, problems)
                                        : check_table(given, spec.children, ".", problems);
}

Setting check_table(const Setting& table, const std::vector<SettingSpec>& specs, const char* separator,
                    Problems& problems) {
  Setting checked = table;
  checked.children.clear();
  for (const Setting& given : table.children) {
    Setting value = given;
    if (value.path.empty()) value.path = table.path + separator + value.key;
    const auto spec =
        std::find_if(specs.begin(), specs.end(), [&](const SettingSpec& s) { return s.name == given.key; });
    if (spec == specs.end()) {
      problems.add(value, unknown_key(value.key, specs));
    } else {
      checked.children.push_back(check_setting(value, *spec, problems));
    }
  }
  for (const SettingSpec& spec : specs) {
    if (table.find(spec.name) != nullptr) continue;
    fill_in(checked, spec, table.path.empty() ? spec.name : table.path + separator + spec.name, problems);
  }
  return checked;
}

}  // namespace sluice::plugin
