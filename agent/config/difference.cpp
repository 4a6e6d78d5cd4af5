// SPDX-License-Identifier: Apache-2.0
#include "config/difference.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "config/words.hpp"

namespace sluice::config {
namespace {

bool same(const std::vector<route::Rule>& a, const std::vector<route::Rule>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](route::Rule x, route::Rule y) {
    x.place = y.place = {};
    return x == y;
  });
}

bool same(const InstanceConfig& a, const InstanceConfig& b) {
  const auto keys = [](const InstanceConfig& i) {
    return std::tie(i.plugin, i.is_input, i.enabled, i.topic, i.interval, i.durable, i.buffer);
  };
  return keys(a) == keys(b) && same_values(a.settings, b.settings);
}

// nan stands for itself here.
bool same(const Value& a, const Value& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  return a == b || (x != nullptr && y != nullptr && std::isnan(*x) && std::isnan(*y));
}

const InstanceConfig* find(const Config& config, const std::string& name) {
  const auto found = std::find_if(config.instances.begin(), config.instances.end(),
                                  [&](const InstanceConfig& instance) { return instance.name == name; });
  return found == config.instances.end() ? nullptr : &*found;
}

void add_instance(Difference& difference, const InstanceConfig& instance) {
  difference.instances.push_back(instance.name);
  difference.needs_restart.push_back((instance.is_input ? "input " : "output ") + quote(instance.name));
}

}  // namespace

bool same_values(const Setting& a, const Setting& b) {
  if (a.kind != b.kind || !same(a.value, b.value) || a.children.size() != b.children.size()) return false;
  if (a.kind == SettingKind::list) {
    return std::equal(a.children.begin(), a.children.end(), b.children.begin(), same_values);
  }
  return std::all_of(a.children.begin(), a.children.end(), [&](const Setting& child) {
    const Setting* other = b.find(child.key);
    return other != nullptr && same_values(child, *other);
  });
}

bool Difference::empty() const {
  return !routes && !log_levels && needs_restart.empty();
}

Difference difference(const Config& old_config, const Config& new_config) {
  Difference difference;
  difference.routes = !same(old_config.routes, new_config.routes);
  const LogOptions& old_log = old_config.log;
  LogOptions new_log = new_config.log;
  difference.log_levels = std::tie(old_log.level, old_log.levels) != std::tie(new_log.level, new_log.levels);
  new_log.level = old_log.level;
  new_log.levels = old_log.levels;
  difference.log_target = old_log != new_log;
  difference.agent = old_config.agent != new_config.agent;
  difference.mqtt = old_config.mqtt != new_config.mqtt || old_config.id != new_config.id;
  difference.buffer = old_config.buffer != new_config.buffer;

  for (const auto& [changed, name] :
       {std::pair(difference.agent, "[agent]"), std::pair(difference.log_target, "[log] target"),
        std::pair(difference.mqtt, "[mqtt]"), std::pair(difference.buffer, "[buffer]")}) {
    if (changed) difference.needs_restart.emplace_back(name);
  }
  for (const InstanceConfig& instance : new_config.instances) {
    const InstanceConfig* before = find(old_config, instance.name);
    if (before == nullptr || !same(*before, instance)) add_instance(difference, instance);
  }
  for (const InstanceConfig& instance : old_config.instances) {
    if (find(new_config, instance.name) == nullptr) add_instance(difference, instance);
  }
  return difference;
}

}  // namespace sluice::config
