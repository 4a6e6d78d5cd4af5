// SPDX-License-Identifier: Apache-2.0
// The table of settings in a plugin's README, made from what the plugin declares; and what else a README must say. Pure functions.
#pragma once

#include <sluice/abi.hpp>

#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace plugin_test {

namespace detail {

inline const char* type_name(std::uint32_t type) {
  switch (type) {
    case SLUICE_BOOL:
      return "boolean";
    case SLUICE_INT64:
      return "integer";
    case SLUICE_DOUBLE:
      return "number";
    case SLUICE_STRING:
      return "string";
    case SLUICE_DURATION:
      return "duration";
    case SLUICE_SIZE:
      return "size";
    case SLUICE_TABLE:
      return "table";
    default:
      return "list";
  }
}

// The largest unit that leaves a whole number.
template <std::size_t Count>
std::string with_unit(std::uint64_t number, const std::pair<std::uint64_t, const char*> (&units)[Count]) {
  for (const auto& [factor, name] : units) {
    if (number != 0 && number % factor == 0) return std::to_string(number / factor) + name;
  }
  return "0" + std::string(units[Count - 1].second);
}

inline std::string limit_text(const sluice_value& limit) {
  static constexpr std::pair<std::uint64_t, const char*> times[] = {
      {3'600'000'000'000, "h"}, {60'000'000'000, "m"}, {1'000'000'000, "s"},
      {1'000'000, "ms"},        {1'000, "us"},         {1, "ns"}};
  static constexpr std::pair<std::uint64_t, const char*> sizes[] = {
      {1u << 30, "GiB"}, {1u << 20, "MiB"}, {1u << 10, "KiB"}, {1, "B"}};
  switch (limit.type) {
    case SLUICE_NONE:
      return "";
    case SLUICE_DOUBLE: {
      std::ostringstream text;
      text.precision(15);
      text << limit.as.f64;
      return text.str();
    }
    case SLUICE_DURATION:
      return limit.as.i64 == 0 ? "0s" : with_unit(static_cast<std::uint64_t>(limit.as.i64), times);
    case SLUICE_SIZE:
      return with_unit(limit.as.u64, sizes);
    default:
      return std::to_string(limit.as.i64);
  }
}

inline std::string code(std::string_view text) {
  return text.empty() ? "" : "`" + std::string(text) + "`";
}

inline void add_rows(std::string& table, sluice_array raw, const std::string& prefix) {
  for (const sluice_setting_spec& spec : sluice::abi::Array<sluice_setting_spec>(raw)) {
    std::string range;
    for (const sluice_str& choice : sluice::abi::Array<sluice_str>(spec.choices)) {
      range += (range.empty() ? "" : ", ") + code(sluice::abi::view(choice));
    }
    const std::string least = limit_text(spec.minimum);
    const std::string most = limit_text(spec.maximum);
    if (!least.empty() || !most.empty()) range = least + ".." + most;
    const bool required = (spec.flags & SLUICE_REQUIRED) != 0;
    const std::string name = prefix + std::string(sluice::abi::view(spec.name));
    table += "| `" + name + "` | " + type_name(spec.type) + " | " +
             (required ? "required" : code(sluice::abi::view(spec.default_value))) + " | " + range + " | " +
             std::string(sluice::abi::view(spec.unit)) + " | " + std::string(sluice::abi::view(spec.help)) +
             " |\n";
    add_rows(table, spec.children, name + ".");
  }
}

}  // namespace detail

// Of a file; empty where there is none.
inline std::string content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::string settings_table(const sluice_plugin& plugin) {
  std::string table =
      "| name | type | default | range | unit | help |\n| --- | --- | --- | --- | --- | --- |\n";
  detail::add_rows(table, plugin.settings, "");
  return table;
}

// What the README in `folder` lacks: its headings in their order, the table of settings, sample.toml word for word. Empty: nothing.
inline std::string missing_in_readme(const sluice_plugin& plugin, const std::string& folder) {
  const std::string readme = content(folder + "/README.md");
  std::size_t at = 0;
  for (const char* heading : {"\n## What it ", "\n## Settings\n", "\n## Sample\n",
                              "\n## Topics and payloads\n", "\n## Troubleshooting\n", "\n## Not yet\n"}) {
    at = readme.find(heading, at);
    if (at == std::string::npos) return std::string("the heading") + heading;
  }
  const std::string table = settings_table(plugin);
  if (readme.find("\n" + table + "\n") == std::string::npos) return "this table:\n" + table;
  const std::string sample = content(folder + "/sample.toml");
  if (sample.empty() || readme.find("```toml\n" + sample + "```\n") == std::string::npos)
    return "sample.toml, word for word";
  return "";
}

}  // namespace plugin_test
