// SPDX-License-Identifier: Apache-2.0
//
// What the agent would say of a plugin's settings, by its declarations, its validate and its plan; and how to get at the
// descriptor of a plugin that is a shared library already.
#pragma once

#include <sluice/testing/declarations.hpp>
#include <sluice/testing/settings.hpp>

#include <dlfcn.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {
inline namespace v1 {
namespace test {

// The descriptor of a shared library; it is never unloaded. Throws std::runtime_error.
inline const sluice_plugin& load(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const void* symbol = library == nullptr ? nullptr : ::dlsym(library, "sluice_plugin_v1");
  if (symbol == nullptr) throw std::runtime_error(::dlerror());
  return *static_cast<const sluice_plugin*>(symbol);
}

// What validate and plan reported.
struct Reported {
  std::vector<std::string> problems;  // "settings:2: baud: …", "declaration: baud: …"
  std::vector<std::string> lines;
};

namespace detail {

inline sluice_report collector(Reported& into) {
  sluice_report report{};
  report.size = sizeof(report);
  report.self = &into;
  report.problem = [](void* self, const sluice_setting* at, sluice_str text) {
    const std::string place(at == nullptr ? "settings" : abi::view(abi::field(*at, &sluice_setting::place)));
    static_cast<Reported*>(self)->problems.push_back(place + ": " + std::string(abi::view(text)));
  };
  report.line = [](void* self, sluice_str text) {
    static_cast<Reported*>(self)->lines.emplace_back(abi::view(text));
  };
  return report;
}

inline Reported ask(const sluice_plugin& plugin, const CheckedSettings& settings) {
  Reported out;
  out.problems = declaration_problems(plugin);
  out.problems.insert(out.problems.end(), settings.problems().begin(), settings.problems().end());
  const sluice_report report = collector(out);
  if (!out.problems.empty()) return out;  // as the agent: the plugin sees only what keeps to its declarations
  if (SLUICE_HAS(&plugin, validate) && plugin.validate(settings.raw(), &report) != SLUICE_OK &&
      out.problems.empty()) {
    out.problems.emplace_back("settings: validate failed");
  }
  if (out.problems.empty() && SLUICE_HAS(&plugin, plan) &&
      plugin.plan(settings.raw(), &report) != SLUICE_OK && out.problems.empty()) {
    out.problems.emplace_back("settings: plan failed");
  }
  return out;
}

}  // namespace detail

// Checks settings without making an instance: what the declarations, validate and plan have to say.
inline Reported check(const sluice_plugin& plugin, const Source& settings) {
  return detail::ask(plugin, CheckedSettings(plugin, settings.node));
}

}  // namespace test
}  // namespace v1
}  // namespace sluice
