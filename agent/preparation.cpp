// SPDX-License-Identifier: Apache-2.0
#include "preparation.hpp"

#include <utility>

#include "plugin/schema.hpp"
#include "route/rules.hpp"

namespace sluice {

plugin::InstanceOptions PreparedInstance::options(const std::string& agent_id) const {
  plugin::InstanceOptions options;
  options.name = config.name;
  options.plugin = config.plugin;
  options.agent_id = agent_id;
  options.is_input = config.is_input;
  options.topic_template = config.topic;
  options.interval = config.interval;
  options.settings = settings;
  options.place = config.place;
  return options;
}

PreparedInstance prepare_instance(const config::InstanceConfig& instance, plugin::Catalogue& catalogue,
                                  Problems& problems) {
  PreparedInstance prepared;
  prepared.config = instance;
  try {
    prepared.library = &catalogue.find(instance.plugin);
  } catch (const plugin::LoadError& error) {
    prepared.load_error = error.what();
    return prepared;
  }
  const plugin::Library& library = *prepared.library;
  const Setting& table = instance.settings;
  if (instance.is_input && !library.emits()) {
    problems.add(table, "plugin \"" + instance.plugin + "\" emits nothing: it belongs under [[output]]");
  }
  if (!instance.is_input && !library.takes()) {
    problems.add(table, "plugin \"" + instance.plugin + "\" takes no messages: it belongs under [[input]]");
  }
  if (instance.is_input) {
    const std::string wrong = plugin::check_topic_template(instance.topic, library);
    if (!wrong.empty()) problems.add(instance.place, table.path + ": topic", wrong);
  }
  const std::size_t before = problems.all().size();
  prepared.settings = plugin::check_settings(table, library, problems);
  if (problems.all().size() == before) plugin::validate(library, prepared.settings, problems);
  return prepared;
}

std::vector<PreparedInstance> prepare_instances(const config::Config& configuration,
                                                plugin::Catalogue& catalogue, Problems& problems) {
  std::vector<PreparedInstance> prepared;
  for (const config::InstanceConfig& instance : configuration.instances) {
    if (instance.enabled) prepared.push_back(prepare_instance(instance, catalogue, problems));
  }
  for (std::size_t i = 0; i < configuration.routes.size(); ++i) {
    const route::Rule& rule = configuration.routes[i];
    for (const std::string& name : rule.to) {
      for (const PreparedInstance& instance : prepared) {
        if (instance.config.name == name && instance.library != nullptr && !instance.library->takes()) {
          problems.add(rule.place, "route " + std::to_string(i + 1) + ": to",
                       "\"" + name + "\" takes no messages (plugin " + instance.config.plugin + ")");
        }
      }
    }
  }
  return prepared;
}

}  // namespace sluice
