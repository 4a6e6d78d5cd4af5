// SPDX-License-Identifier: Apache-2.0
// [[route]].
#include <algorithm>
#include <set>

#include "config/sections.hpp"
#include "config/words.hpp"

namespace sluice::config {
namespace {

constexpr std::size_t max_suggestions = 100;

class RouteReader {
 public:
  RouteReader(const Setting& element, const Config& config, const Reading& reading)
      : reading_(reading), config_(config), element_(element), table_(reading.table(&element, "[[route]]")) {}

  route::Rule read(const std::set<std::string, std::less<>>& names) {
    route::Rule rule;
    rule.place = element_.place;
    rule.match = with_agent(table_.required_text("match"), config_.agent.id);
    rule.to = table_.texts("to", {});
    if (!table_.given("to")) table_.refuse_missing("to", "to = [\"mqtt\"], or to = [] to end the search");
    check_outputs(names);
    rule.from = table_.choice(
        "from", rule.from,
        {{"input", route::From::input}, {"broker", route::From::broker}, {"any", route::From::any}});
    rule.loop = table_.boolean("loop", rule.loop);
    rule.copy = table_.boolean("copy", rule.copy);
    rule.topic = table_.text("topic", "");
    read_delivery(rule.options);
    if (rule.loop && rule.from == route::From::input) {
      reading_.warnings.add(*table_.find("loop"), "has no effect with from = \"input\"");
    }
    reading_.finish(table_);
    check(rule);
    return rule;
  }

 private:
  void read_delivery(DeliveryOptions& options) {
    options.qos = static_cast<std::uint8_t>(table_.integer("qos", options.qos, 0, 2));
    options.retain = table_.boolean("retain", options.retain);
    options.format = table_.choice("format", options.format, {{"json", Format::json}, {"raw", Format::raw}});
    options.priority =
        table_.choice("priority", options.priority,
                      {{"high", Priority::high}, {"normal", Priority::normal}, {"low", Priority::low}});
    options.expiry =
        table_.duration_in("expiry", options.expiry, {.max = std::chrono::seconds(0xFFFFFFFFLL)});
    options.keep_last = table_.choice("keep", false, {{"all", false}, {"last", true}});
    if (options.keep_last && options.priority != Priority::normal) {
      reading_.problems.add(
          *table_.find("priority"),
          "cannot be set with keep = \"last\": what is kept so has a lane of its own; remove one of "
          "the two");
    }
    read_batch(options);
    if (options.expiry > std::chrono::seconds(0) && config_.mqtt.version != mqtt::Version::v5) {
      reading_.warnings.add(*table_.find("expiry"),
                            "the broker does not learn of it: only MQTT 5 has a message expiry");
    }
  }

  void read_batch(DeliveryOptions& options) {
    constexpr Batching usual{.count = 0, .bytes = 16U << 10U, .age = std::chrono::seconds(5)};
    Batching batch;
    batch.count = static_cast<std::uint32_t>(table_.integer("batch_count", usual.count, 0, 10'000));
    batch.bytes = static_cast<std::uint32_t>(table_.size("batch_bytes", usual.bytes, 256, 256U << 10U));
    batch.age = table_.duration_in("batch_age", usual.age,
                                   {.min = std::chrono::seconds(1), .max = std::chrono::hours(1)});
    if (batch.count == 0) {
      for (const char* key : {"batch_bytes", "batch_age"}) {
        if (table_.given(key)) reading_.warnings.add(*table_.find(key), "has no effect without batch_count");
      }
      return;
    }
    if (options.format != Format::json) {
      reading_.problems.add(*table_.find("batch_count"),
                            "a batch is a JSON array: it needs format = \"json\"");
    }
    if (options.keep_last) {
      reading_.problems.add(*table_.find("batch_count"),
                            "cannot be set with keep = \"last\": of each topic one message waits at most");
    }
    options.batch = batch;
  }

  void check_outputs(const std::set<std::string, std::less<>>& names) {
    const Setting* list = table_.find("to");
    if (list == nullptr || list->kind != SettingKind::list) return;
    for (const Setting& element : list->children) {
      const auto* name = std::get_if<std::string>(&element.value);
      if (name == nullptr || names.count(*name) != 0) continue;
      std::string text = "expected the name of an output or input, or \"mqtt\", got " + quote(*name);
      // Comparing costs time: not for a file that is wrong altogether.
      if (reading_.problems.all().size() < max_suggestions)
        text += did_you_mean(*name, {names.begin(), names.end()});
      reading_.problems.add(element, std::move(text));
    }
  }

  // The rules' own check, at the place of the key that it names.
  void check(const route::Rule& rule) {
    if (rule.match.empty()) return;
    Problems found;
    route::check_rule(rule, element_.path, found);
    const bool empty_name = std::find(rule.to.begin(), rule.to.end(), "") != rule.to.end();
    for (const Problem& problem : found.all()) {
      if (empty_name && problem.path.ends_with(": to")) continue;  // check_outputs said so
      const std::size_t colon = problem.path.rfind(": ");
      const Setting* key =
          colon == std::string::npos ? nullptr : element_.find(problem.path.substr(colon + 2));
      reading_.problems.add(key == nullptr ? problem.place : key->place, problem.path, problem.text);
    }
  }

  const Reading& reading_;
  const Config& config_;
  const Setting& element_;
  TableReader table_;
};

// An output that gets nothing is more often a slip than a wish.
void warn_unused(const Config& config, const std::vector<route::Rule>& rules, const Reading& reading) {
  std::set<std::string_view> used;
  for (const route::Rule& rule : rules) used.insert(rule.to.begin(), rule.to.end());
  for (const InstanceConfig& instance : config.instances) {
    if (instance.is_input || !instance.enabled || used.count(instance.name) != 0) continue;
    reading.warnings.add(instance.place, instance.raw.path, "gets nothing: no [[route]] names it");
  }
}

}  // namespace

std::vector<route::Rule> read_routes(const std::vector<const Setting*>& tables, const Config& config,
                                     const Reading& reading) {
  std::set<std::string, std::less<>> names = {std::string(route::mqtt_output)};
  for (const InstanceConfig& instance : config.instances) {
    if (!instance.name.empty()) names.insert(instance.name);
  }
  std::vector<route::Rule> rules;
  rules.reserve(tables.size());
  for (const Setting* element : tables) rules.push_back(RouteReader(*element, config, reading).read(names));
  if (tables.empty()) rules = route::Rules::everything_to_mqtt();
  warn_unused(config, rules, reading);
  return rules;
}

}  // namespace sluice::config
