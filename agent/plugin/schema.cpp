// SPDX-License-Identifier: Apache-2.0
#include "plugin/schema.hpp"

#include <fmt/core.h>

#include <exception>
#include <utility>

#include "plugin/abi.hpp"
#include "plugin/abi_settings.hpp"
#include "plugin/check.hpp"
#include "plugin/topic_template.hpp"

namespace sluice::plugin {
namespace {

// What `sluice_report` leads back to.
struct Report {
  const AbiSettings& settings;
  Problems& problems;
  std::vector<std::string>* lines;

  static void problem(void* self, const sluice_setting* at, sluice_str text) noexcept try {
    auto& report = *static_cast<Report*>(self);
    if (!readable(text)) return;
    const Setting* setting = report.settings.origin(at);
    // A setting that the plugin copied still tells its place.
    std::string copied =
        setting == nullptr && at != nullptr && readable(at->place) ? std::string(view(at->place)) : "";
    if (setting == nullptr && !copied.empty()) {
      report.problems.add(Place(), std::move(copied), std::string(view(text)));
    } else {
      report.problems.add(setting == nullptr ? report.settings.settings() : *setting,
                          std::string(view(text)));
    }
  } catch (...) {  // no memory: the answer of the call still tells
  }

  static void line(void* self, sluice_str text) noexcept try {
    auto& report = *static_cast<Report*>(self);
    if (report.lines != nullptr && readable(text)) report.lines->emplace_back(view(text));
  } catch (...) {
  }
};

using Check = sluice_status (*)(const sluice_setting*, const sluice_report*);

void call(Check function, const char* name, const Library& library, const Setting& checked,
          Problems& problems, std::vector<std::string>* lines) {
  if (function == nullptr) return;
  const AbiSettings settings(checked);
  Report report{settings, problems, lines};
  const sluice_report handed{sizeof(sluice_report), &report, &Report::problem, &Report::line};
  const std::size_t before = problems.all().size();
  std::string fault;
  try {
    const sluice_status status = function(settings.root(), &handed);
    if (status != SLUICE_OK && problems.all().size() == before) fault = fmt::format("answered {}", status);
  } catch (const std::exception& error) {
    fault = fmt::format("let an exception out: {}", error.what());
  } catch (...) {
    fault = "let an exception out";
  }
  if (!fault.empty())
    problems.add(checked, fmt::format("`{}` of plugin \"{}\" {}", name, library.name(), fault));
}

std::string_view plural(SettingKind kind) {
  switch (kind) {
    case SettingKind::boolean:
      return "booleans";
    case SettingKind::integer:
      return "integers";
    case SettingKind::number:
      return "numbers";
    case SettingKind::string:
      return "strings";
    case SettingKind::duration:
      return "durations";
    case SettingKind::size:
      return "sizes";
    case SettingKind::table:
      return "tables";
    case SettingKind::list:
      return "lists";
  }
  return "";
}

std::string type_text(const SettingSpec& spec) {
  if (spec.kind == SettingKind::list) return fmt::format("list of {}", plural(spec.element));
  const std::string_view several = plural(spec.kind);
  return std::string(several.substr(0, several.size() - 1));
}

void describe_level(const std::vector<SettingSpec>& specs, const std::string& prefix,
                    std::vector<SettingRow>& rows) {
  for (const SettingSpec& spec : specs) {
    SettingRow row;
    row.name = prefix + spec.name;
    row.type = type_text(spec);
    row.unit = spec.unit;
    row.range = range_text(spec);
    row.default_text = spec.default_text;
    row.choices = spec.choices;
    row.help = spec.help;
    row.required = spec.required;
    row.secret = spec.secret;
    rows.push_back(row);
    describe_level(spec.children, row.name + (spec.kind == SettingKind::list ? "[]." : "."), rows);
  }
}

}  // namespace

Setting check_settings(const Setting& table, const Library& library, Problems& problems) {
  return check_table(table, library.settings(), ": ", problems);
}

void validate(const Library& library, const Setting& checked, Problems& problems) {
  call(library.descriptor().validate, "validate", library, checked, problems, nullptr);
}

std::vector<std::string> plan(const Library& library, const Setting& checked, Problems& problems) {
  std::vector<std::string> lines;
  call(library.descriptor().plan, "plan", library, checked, problems, &lines);
  return lines;
}

std::string check_topic_template(std::string_view topic, const Library& library) {
  try {
    TopicTemplate(topic, "agent", "input", library.placeholders());
    return {};
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

std::vector<SettingRow> describe_settings(const Library& library) {
  std::vector<SettingRow> rows;
  describe_level(library.settings(), "", rows);
  return rows;
}

}  // namespace sluice::plugin
