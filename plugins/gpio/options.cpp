// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <functional>
#include <set>
#include <string_view>

namespace sluice::gpio {
namespace {

using namespace std::chrono_literals;
using Complain = std::function<void(const Setting&, const std::string&)>;

std::vector<SettingSpec> line_specs() {
  return {
      setting("name").string().required().help("Names the line in topics and commands."),
      setting("line_name").string().defaults("").help("The kernel's name of the line; `name` where empty."),
      setting("offset").integer().range(0, 65535).help("The line's number on the chip, instead of its name."),
      setting("direction").string().choices({"in", "out"}).defaults("in").help("Read, or set by messages."),
      setting("bias")
          .string()
          .choices({"as-is", "disabled", "pull-up", "pull-down"})
          .defaults("as-is")
          .help("The resistor in the chip."),
      setting("active_low").boolean().defaults(false).help("A low voltage counts as 1."),
      setting("edge")
          .string()
          .choices({"none", "rising", "falling", "both"})
          .help("The changes of an input that are published; both where not given."),
      setting("debounce")
          .duration()
          .range(0s, 60s)
          .defaults(0s)
          .help("A change of an input counts once the line was steady for so long."),
      setting("drive")
          .string()
          .choices({"push-pull", "open-drain", "open-source"})
          .help("How an output drives the line; push-pull where not given."),
      setting("initial").integer().range(0, 1).help(
          "What an output is set to at the start; 0 where not given."),
      setting("at_exit").integer().range(0, 1).help(
          "What an output is set to when the agent stops; left as it is where not given."),
  };
}

std::optional<bool> truth(const Setting& from) {
  if (!from.present()) return std::nullopt;
  return from.as<int>() == 1;
}

void refuse_keys(const Setting& line, std::initializer_list<const char*> keys, const char* why,
                 const Complain& complain) {
  for (const char* key : keys) {
    if (line.has(key)) complain(line[key], why);
  }
}

LineOptions read_line(const Setting& line, const Complain& complain) {
  LineOptions out;
  out.name = line["name"].as<std::string>();
  if (out.name.empty()) complain(line["name"], "expected a name");
  for (const std::string_view taken :
       {"ts", "value", "quality", "error", "id", "time", "encoding", "replayed"}) {
    if (out.name == taken)
      complain(line["name"],
               "a line cannot be called \"" + out.name + "\": that means something else in a message");
  }
  out.line_name = line["line_name"].as<std::string>();
  if (line.has("offset")) {
    out.offset = line["offset"].as<std::uint32_t>();
    if (!out.line_name.empty()) complain(line["offset"], "give either offset or line_name");
  } else if (out.line_name.empty()) {
    out.line_name = out.name;
  }
  out.output = line["direction"].as<std::string_view>() == "out";
  const auto bias = line["bias"].as<std::string_view>();
  out.bias = bias == "disabled"    ? Bias::disabled
             : bias == "pull-up"   ? Bias::pull_up
             : bias == "pull-down" ? Bias::pull_down
                                   : Bias::as_is;
  out.active_low = line["active_low"].as<bool>();
  const auto edge = line["edge"].value_or<std::string_view>(out.output ? "none" : "both");
  out.edges = edge == "both"      ? Edges::both
              : edge == "rising"  ? Edges::rising
              : edge == "falling" ? Edges::falling
                                  : Edges::none;
  out.debounce = line["debounce"].as<std::chrono::microseconds>();
  const auto drive = line["drive"].value_or<std::string_view>("push-pull");
  out.drive = drive == "open-drain"    ? Drive::open_drain
              : drive == "open-source" ? Drive::open_source
                                       : Drive::push_pull;
  out.initial = truth(line["initial"]).value_or(false);
  out.at_exit = truth(line["at_exit"]);
  if (out.output) {
    refuse_keys(line, {"edge"}, "only an input has edges", complain);
    if (out.debounce.count() > 0) complain(line["debounce"], "only an input is debounced");
  } else {
    refuse_keys(line, {"drive", "initial", "at_exit"}, "only an output has this", complain);
  }
  return out;
}

Options read(const Settings& settings, const Complain& complain) {
  Options out;
  out.chip = settings["chip"].as<std::string>();
  if (out.chip.empty()) complain(settings["chip"], "expected the path, name or label of a chip");
  out.every = settings["every"].as<std::chrono::nanoseconds>();
  out.event_buffer = settings["event_buffer"].as<std::uint32_t>();
  std::set<std::string> names;
  std::set<std::uint32_t> offsets;
  std::set<std::string> line_names;
  for (const Setting& line : settings["line"]) {
    out.lines.push_back(read_line(line, complain));
    const LineOptions& read = out.lines.back();
    if (!names.insert(read.name).second)
      complain(line["name"], "another line is called \"" + read.name + "\"");
    if (read.offset && !offsets.insert(*read.offset).second)
      complain(line["offset"], "another line has the same offset");
    if (!read.offset && !line_names.insert(read.line_name).second)
      complain(line["line_name"], "the line is there twice");
  }
  if (out.lines.empty()) complain(settings["line"], "expected at least one [[input.line]]");
  return out;
}

}  // namespace

std::vector<SettingSpec> setting_specs() {
  return {
      setting("chip").string().required().help("The chip by path, name or label, such as \"gpiochip0\"."),
      setting("every").duration().range(0s, 24h).defaults(0s).help(
          "How often the state of all lines is published beside the edges; 0s = only at the start."),
      setting("event_buffer")
          .integer()
          .range(16, 1024)
          .defaults(256)
          .unit("edges")
          .help("How many edges the kernel keeps until they are read."),
      setting("line").list_of_tables(line_specs()).at_least(1).help("The lines to use."),
  };
}

void check(const Settings& settings, Report& report) {
  read(settings, [&](const Setting& at, const std::string& text) { report.problem(at, text); });
}

Options read_options(const Settings& settings) {
  return read(settings, [](const Setting& at, const std::string& text) { at.fail(text); });
}

}  // namespace sluice::gpio
