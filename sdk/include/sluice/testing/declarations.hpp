// SPDX-License-Identifier: Apache-2.0
//
// What the agent would refuse in a plugin's descriptor when it loads the library. Pure functions.
#pragma once

#include <sluice/abi.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace test {

namespace detail {

inline bool made_of(std::string_view name, const char* characters) {
  return !name.empty() && name.find_first_not_of(characters) == std::string_view::npos;
}

inline bool has_required(sluice_array specs) {
  for (const sluice_setting_spec& spec : abi::Array<sluice_setting_spec>(specs)) {
    if ((abi::field(spec, &sluice_setting_spec::flags) & SLUICE_REQUIRED) != 0) return true;
  }
  return false;
}

inline void check_specs(sluice_array specs, const std::string& outer, std::vector<std::string>& problems) {
  std::set<std::string> names;
  for (const sluice_setting_spec& spec : abi::Array<sluice_setting_spec>(specs)) {
    const std::string name(abi::view(abi::field(spec, &sluice_setting_spec::name)));
    const auto problem = [&](const char* text) {
      problems.push_back("declaration: " + outer + name + ": " + text);
    };
    if (!made_of(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")) {
      problem("a name has letters, digits, - and _ only");
    }
    if (!names.insert(name).second) problem("is declared twice");
    for (const char* taken :
         {"plugin", "name", "enabled", "topic", "interval", "publish", "host", "buffer"}) {
      if (outer.empty() && name == taken) problem("belongs to the agent");
    }
    const std::uint32_t type = abi::field(spec, &sluice_setting_spec::type);
    const std::uint32_t element = abi::field(spec, &sluice_setting_spec::element_type);
    const bool list = type == SLUICE_LIST;
    const std::uint32_t content = list ? element : type;
    if (list && element == SLUICE_LIST) problem("a list of lists cannot be declared");
    const bool required = (abi::field(spec, &sluice_setting_spec::flags) & SLUICE_REQUIRED) != 0;
    if (required && !abi::view(abi::field(spec, &sluice_setting_spec::default_value)).empty()) {
      problem("is required, and has a default");
    }
    if (abi::field(spec, &sluice_setting_spec::choices).count > 0 && content != SLUICE_STRING) {
      problem("choices are for strings only");
    }
    check_specs(abi::field(spec, &sluice_setting_spec::children), outer + name + (list ? "[]." : "."),
                problems);
  }
}

}  // namespace detail

// "declaration: baud: is declared twice"
inline std::vector<std::string> declaration_problems(const sluice_plugin& plugin) {
  std::vector<std::string> problems;
  if (plugin.size == 0) return {"declaration: describe() threw"};
  if (!detail::made_of(abi::view(plugin.name), "abcdefghijklmnopqrstuvwxyz0123456789_-")) {
    problems.emplace_back("declaration: the name of a plugin has a-z, 0-9, - and _ only");
  }
  const bool takes = (abi::field(plugin, &sluice_plugin::roles) & SLUICE_TAKES) != 0;
  if (takes && abi::field(plugin, &sluice_plugin::poll) != nullptr) {
    problems.emplace_back("declaration: what takes messages has run or handle, not poll");
  }
  if (!takes && abi::field(plugin, &sluice_plugin::handle) != nullptr) {
    problems.emplace_back("declaration: what has handle takes messages");
  }
  for (const sluice_placeholder& one :
       abi::Array<sluice_placeholder>(abi::field(plugin, &sluice_plugin::placeholders))) {
    const std::string name(abi::view(abi::field(one, &sluice_placeholder::name)));
    if (!detail::made_of(name, "abcdefghijklmnopqrstuvwxyz0123456789_")) {
      problems.push_back("declaration: placeholder " + name + ": a name has a-z, 0-9 and _ only");
    }
    if (name == "agent" || name == "input")
      problems.push_back("declaration: placeholder " + name + ": belongs to the agent");
  }
  detail::check_specs(abi::field(plugin, &sluice_plugin::settings), "", problems);
  return problems;
}

}  // namespace test
}  // namespace v1
}  // namespace sluice
