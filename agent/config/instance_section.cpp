// SPDX-License-Identifier: Apache-2.0
// [[input]] and [[output]]: the keys that belong to the agent. All others are the plugin's own, unchecked here.
#include <algorithm>
#include <map>

#include "config/sections.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

constexpr std::size_t max_name_bytes = 64;

// Names stand in topics, in metrics and as names of directories.
bool is_name(const std::string& text) {
  return text.size() <= max_name_bytes && text[0] != '.' && std::all_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) > 0x20 && c != 0x7F &&
                  std::string_view("/+#{}\"\\").find(c) == std::string_view::npos;
         });
}

// lib/../x must not load another file than a plugin of a plugin directory.
bool is_plugin_name(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

class InstanceReader {
 public:
  InstanceReader(const Setting& element, bool is_input, const AgentOptions& agent, const Reading& reading)
      : reading_(reading),
        agent_(agent),
        element_(element),
        section_(is_input ? "[[input]]" : "[[output]]"),
        table_(reading.table(&element, section_)) {
    instance_.is_input = is_input;
  }

  InstanceConfig read() {
    instance_.place = element_.place;
    instance_.raw = element_;
    instance_.plugin = checked(table_.required_text("plugin"), "plugin", is_plugin_name,
                               "the name of a plugin: letters, digits, - and _");
    instance_.name = checked(
        table_.required_text("name"), "name", is_name,
        "a name of at most 64 bytes without spaces, '/', '+', '#', braces and quotes, and no '.' in front");
    instance_.enabled = table_.boolean("enabled", true);
    read_input_keys();
    read_output_keys();
    if (const Setting* publish = table_.find_foreign("publish"))
      reading_.not_yet(*publish, "every message is published");
    TableReader host =
        reading_.table(table_.table("host"), instance_.is_input ? "[input.host]" : "[output.host]");
    reading_.finish(host);
    keep_rest();
    return std::move(instance_);
  }

 private:
  std::string checked(std::string text, std::string_view key, bool (*good)(const std::string&),
                      const char* expected) {
    if (!text.empty() && !good(text)) table_.refuse(*table_.find(key), expected);
    return text;
  }

  void read_input_keys() {
    if (!instance_.is_input) {
      for (const char* key : {"topic", "interval"}) refuse_key(key, "only inputs have it");
      return;
    }
    instance_.topic = table_.text("topic", instance_.topic);
    if (instance_.topic.empty()) table_.refuse(*table_.find("topic"), "a topic, such as \"{agent}/{input}\"");
    instance_.interval =
        table_.duration("interval", instance_.interval,
                        {.min = std::chrono::milliseconds(1), .max = std::chrono::hours(24 * 366)});
  }

  void read_output_keys() {
    if (instance_.is_input) {
      for (const char* key : {"durable", "buffer"}) refuse_key(key, "only outputs have it");
      return;
    }
    instance_.durable = table_.boolean("durable", false);
    const Setting* buffer = table_.table("buffer");
    queue::Options options = read_buffer(buffer, "[output.buffer]", reading_);
    options.name = instance_.name;
    options.directory = agent_.state_dir / "queue" / instance_.name;
    if (instance_.durable) {
      instance_.buffer = std::move(options);
    } else if (buffer != nullptr) {
      reading_.warnings.add(*buffer, "has no effect without durable = true");
    }
  }

  void refuse_key(const char* key, const char* why) {
    if (const Setting* setting = table_.find_foreign(key)) reading_.problems.add(*setting, why);
  }

  void keep_rest() {
    instance_.settings.key = element_.key;
    instance_.settings.place = element_.place;
    instance_.settings.path = element_.path;
    for (const Setting* setting : table_.rest()) instance_.settings.children.push_back(*setting);
  }

  const Reading& reading_;
  const AgentOptions& agent_;
  const Setting& element_;
  std::string section_;
  TableReader table_;
  InstanceConfig instance_;
};

void check_unique(const InstanceConfig& instance, std::map<std::string, Place>& names,
                  const Reading& reading) {
  if (instance.name.empty()) return;
  const Setting& at = *instance.raw.find("name");
  if (instance.name == route::mqtt_output) {
    reading.problems.add(at, "\"mqtt\" is the session: choose another name");
    return;
  }
  const auto [first, added] = names.emplace(instance.name, at.place);
  if (!added) {
    reading.problems.add(at, "is taken: " + to_string(first->second) + " has the same name; choose another");
  }
}

}  // namespace

std::vector<InstanceConfig> read_instances(const std::vector<const Setting*>& inputs,
                                           const std::vector<const Setting*>& outputs,
                                           const AgentOptions& agent, const Reading& reading) {
  std::vector<InstanceConfig> instances;
  instances.reserve(inputs.size() + outputs.size());
  std::map<std::string, Place> names;
  const auto add = [&](const Setting& element, bool is_input) {
    instances.push_back(InstanceReader(element, is_input, agent, reading).read());
    check_unique(instances.back(), names, reading);
  };
  for (const Setting* element : inputs) add(*element, true);
  for (const Setting* element : outputs) add(*element, false);
  return instances;
}

}  // namespace sluice::config
