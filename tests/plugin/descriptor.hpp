// SPDX-License-Identifier: Apache-2.0
// Descriptors for the tests of what is declared.
#pragma once

#include <vector>

#include "plugin/library.hpp"

namespace sluice::plugin {

inline sluice_str str(const char* text) {
  return {text, std::char_traits<char>::length(text)};
}

inline sluice_setting_spec make_spec(const char* name, std::uint32_t type, const char* default_value = "") {
  sluice_setting_spec spec{};
  spec.size = sizeof spec;
  spec.name = str(name);
  spec.type = type;
  spec.default_value = str(default_value);
  return spec;
}

inline sluice_value whole(std::int64_t number) {
  sluice_value value{};
  value.type = SLUICE_INT64;
  value.as.i64 = number;
  return value;
}

template <typename T>
sluice_array array(const std::vector<T>& elements) {
  return {elements.data(), elements.size(), sizeof(T)};
}

/// A plugin that is right in every respect.
inline sluice_plugin make_descriptor() {
  sluice_plugin plugin{};
  plugin.size = sizeof plugin;
  plugin.abi_major = SLUICE_ABI_MAJOR;
  plugin.name = SLUICE_STR("test");
  plugin.roles = SLUICE_EMITS;
  plugin.create = [](const sluice_host*, const sluice_setting*, void**, sluice_text*) -> sluice_status {
    return SLUICE_OK;
  };
  plugin.destroy = [](void*) {};
  plugin.run = [](void*, sluice_text*) -> sluice_status { return SLUICE_OK; };
  return plugin;
}

inline Library make_library(const std::vector<sluice_setting_spec>& specs) {
  sluice_plugin plugin = make_descriptor();
  plugin.settings = array(specs);
  return Library(plugin, "test", "sluice-test.so");
}

}  // namespace sluice::plugin
