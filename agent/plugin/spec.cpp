// SPDX-License-Identifier: Apache-2.0
#include "plugin/spec.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/utf8.hpp"
#include "plugin/abi.hpp"
#include "plugin/check.hpp"
#include "plugin/library.hpp"
#include "plugin/literal.hpp"

namespace sluice::plugin {
namespace {

// Deeper than any sensible setting; a declaration that contains itself ends here.
constexpr int max_depth = 8;
constexpr std::array<std::string_view, 8> reserved = {"plugin",   "name",    "enabled", "topic",
                                                      "interval", "publish", "host",    "buffer"};

[[noreturn]] void refuse(const std::string& where, std::string_view what) {
  throw LoadError(where.empty() ? std::string(what) : fmt::format("setting \"{}\": {}", where, what));
}

std::string text(const sluice_str& span, const std::string& where, std::string_view field) {
  if (!readable(span)) refuse(where, fmt::format("`{}` is NULL and has a size", field));
  if (!is_utf8(view(span))) refuse(where, fmt::format("`{}` is not UTF-8", field));
  return std::string(view(span));
}

bool is_key(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

SettingKind read_kind(std::uint32_t type, const std::string& where, std::string_view field) {
  switch (type) {
    case SLUICE_BOOL:
      return SettingKind::boolean;
    case SLUICE_INT64:
      return SettingKind::integer;
    case SLUICE_DOUBLE:
      return SettingKind::number;
    case SLUICE_STRING:
      return SettingKind::string;
    case SLUICE_DURATION:
      return SettingKind::duration;
    case SLUICE_SIZE:
      return SettingKind::size;
    case SLUICE_TABLE:
      return SettingKind::table;
    case SLUICE_LIST:
      return SettingKind::list;
    default:
      refuse(where, fmt::format("`{}` is {}, which is not a type of settings", field, type));
  }
}

// A limit may be written as any number that its setting can hold.
Value read_limit(const sluice_value& limit, SettingKind kind, const std::string& where,
                 std::string_view field) {
  std::int64_t whole = 0;
  switch (limit.type) {
    case SLUICE_NONE:
      return {};
    case SLUICE_DOUBLE:
      if (kind == SettingKind::number && !std::isnan(limit.as.f64)) return limit.as.f64;
      refuse(where, fmt::format("`{}` is of another type than the setting", field));
    case SLUICE_INT64:
    case SLUICE_DURATION:
      whole = limit.as.i64;
      break;
    case SLUICE_UINT64:
    case SLUICE_SIZE:
      if (kind == SettingKind::size) return limit.as.u64;
      if (limit.as.u64 > INT64_MAX) refuse(where, fmt::format("`{}` is too large", field));
      whole = static_cast<std::int64_t>(limit.as.u64);
      break;
    default:
      refuse(where, fmt::format("`{}` is of type {}, which is no number", field, limit.type));
  }
  switch (kind) {
    case SettingKind::number:
      return static_cast<double>(whole);
    case SettingKind::size:
      if (whole < 0) refuse(where, fmt::format("`{}` is negative", field));
      return static_cast<std::uint64_t>(whole);
    case SettingKind::integer:
    case SettingKind::duration:
    case SettingKind::list:
      return whole;
    default:
      refuse(where, fmt::format("`{}` is set, but the setting is {}", field, describe(kind)));
  }
}

std::vector<std::string> read_choices(const sluice_array& choices, const std::string& where) {
  if (const char* fault = array_fault<sluice_str>(choices)) refuse(where, fmt::format("`choices` {}", fault));
  std::vector<std::string> read;
  for (std::size_t i = 0; i < choices.count; ++i) {
    const char* at = static_cast<const char*>(choices.data) + i * choices.stride;
    read.push_back(text(*reinterpret_cast<const sluice_str*>(at), where, "choices"));
  }
  return read;
}

// The default in the form that an instance gets, by the same check as what users write.
Setting read_default(const SettingSpec& spec, const std::string& where) {
  std::optional<Setting> parsed = parse_literal(spec.default_text, spec.kind);
  if (!parsed) refuse(where, fmt::format("the default {} is not a value", spec.default_text));
  Problems problems;
  Setting checked = check_setting(*parsed, spec, problems);
  if (!problems.empty()) refuse(where, "the default is refused: " + problems.all().front().text);
  return checked;
}

std::vector<SettingSpec> read_level(const sluice_array& specs, const std::string& prefix, int depth);

SettingSpec read_spec(const sluice_setting_spec& raw, const std::string& prefix, int depth) {
  SettingSpec spec;
  spec.name = text(raw.name, prefix, "name");
  const std::string where = prefix.empty() ? spec.name : prefix + "." + spec.name;
  if (!is_key(spec.name)) refuse(where, "a name has only letters, digits, '_' and '-'");
  if (depth == 0 && std::find(reserved.begin(), reserved.end(), spec.name) != reserved.end()) {
    refuse(where, "this name belongs to the agent");
  }
  spec.kind = read_kind(raw.type, where, "type");
  if (spec.kind == SettingKind::list) {
    spec.element = read_kind(raw.element_type, where, "element_type");
    if (spec.element == SettingKind::list) refuse(where, "a list of lists cannot be declared");
  }
  if ((raw.flags & ~static_cast<std::uint32_t>(SLUICE_REQUIRED | SLUICE_SECRET)) != 0) {
    refuse(where, fmt::format("`flags` is {}, of which this agent does not know all", raw.flags));
  }
  spec.required = (raw.flags & SLUICE_REQUIRED) != 0;
  spec.secret = (raw.flags & SLUICE_SECRET) != 0;
  spec.unit = text(raw.unit, where, "unit");
  spec.help = text(raw.help, where, "help");
  spec.minimum = read_limit(raw.minimum, spec.kind, where, "minimum");
  spec.maximum = read_limit(raw.maximum, spec.kind, where, "maximum");
  spec.choices = read_choices(raw.choices, where);
  const SettingKind content = spec.kind == SettingKind::list ? spec.element : spec.kind;
  if (!spec.choices.empty() && content != SettingKind::string)
    refuse(where, "`choices` are for strings only");
  if (content == SettingKind::table) {
    spec.children = read_level(raw.children, where, depth + 1);
  } else if (raw.children.count != 0) {
    refuse(where, "`children` are for tables only");
  }
  spec.default_text = text(raw.default_value, where, "default_value");
  if (!spec.default_text.empty()) {
    if (spec.required) refuse(where, "it is required, and has a default");
    spec.default_value = read_default(spec, where);
  }
  return spec;
}

std::vector<SettingSpec> read_level(const sluice_array& specs, const std::string& prefix, int depth) {
  if (depth >= max_depth) refuse(prefix, "tables are nested too deep");
  if (const char* fault = array_fault<sluice_setting_spec>(specs)) {
    refuse(prefix, fmt::format("`{}` {}", prefix.empty() ? "settings" : "children", fault));
  }
  std::vector<SettingSpec> read;
  read.reserve(specs.count);
  for (std::size_t i = 0; i < specs.count; ++i) {
    sluice_setting_spec room;
    const sluice_setting_spec* raw = element(specs, i, room);
    if (raw == nullptr) refuse(prefix, fmt::format("the size of setting {} is not within its stride", i));
    SettingSpec spec = read_spec(*raw, prefix, depth);
    const auto same = [&](const SettingSpec& other) { return other.name == spec.name; };
    if (std::any_of(read.begin(), read.end(), same)) {
      refuse(prefix, fmt::format("setting \"{}\" is declared twice", spec.name));
    }
    read.push_back(std::move(spec));
  }
  return read;
}

}  // namespace

std::vector<SettingSpec> read_specs(const sluice_array& specs) {
  return read_level(specs, "", 0);
}

}  // namespace sluice::plugin
