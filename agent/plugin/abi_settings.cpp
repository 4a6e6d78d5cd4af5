// SPDX-License-Identifier: Apache-2.0
#include "plugin/abi_settings.hpp"

#include <utility>

#include "plugin/abi.hpp"

namespace sluice::plugin {
namespace {

std::string describe_place(const Setting& setting) {
  return to_string(Problem{setting.place, setting.path, setting.place.line == 0 ? "default" : ""});
}

sluice_value make_value(const Setting& setting) {
  sluice_value value{};
  switch (setting.kind) {
    case SettingKind::boolean:
      value.type = SLUICE_BOOL;
      value.as.boolean = std::get<bool>(setting.value) ? 1 : 0;
      break;
    case SettingKind::integer:
      value.type = SLUICE_INT64;
      value.as.i64 = std::get<std::int64_t>(setting.value);
      break;
    case SettingKind::number:
      value.type = SLUICE_DOUBLE;
      value.as.f64 = std::get<double>(setting.value);
      break;
    case SettingKind::string:
      value.type = SLUICE_STRING;
      value.as.text = span(std::get<std::string>(setting.value));
      break;
    case SettingKind::duration:
      value.type = SLUICE_DURATION;
      value.as.i64 = std::get<std::int64_t>(setting.value);
      break;
    case SettingKind::size:
      value.type = SLUICE_SIZE;
      value.as.u64 = std::get<std::uint64_t>(setting.value);
      break;
    case SettingKind::table:
      value.type = SLUICE_TABLE;
      break;
    case SettingKind::list:
      value.type = SLUICE_LIST;
      break;
  }
  return value;
}

}  // namespace

AbiSettings::AbiSettings(Setting checked) : settings_(std::move(checked)) {
  std::vector<sluice_setting>& top = levels_.emplace_back();
  top.reserve(1);
  top.push_back(make(settings_));
  origins_.emplace(&top.front(), &settings_);
}

sluice_setting AbiSettings::make(const Setting& setting) {
  sluice_setting made{};
  made.size = sizeof made;
  made.key = span(setting.key);
  made.value = make_value(setting);
  made.place = span(places_.emplace_back(describe_place(setting)));
  if (!setting.children.empty()) {
    std::vector<sluice_setting>& children = levels_.emplace_back();
    children.reserve(setting.children.size());  // pointers to them are kept
    for (const Setting& child : setting.children) {
      children.push_back(make(child));
      origins_.emplace(&children.back(), &child);
    }
    made.children = array_of(children.data(), children.size());
  }
  return made;
}

const Setting* AbiSettings::origin(const sluice_setting* at) const {
  const auto found = origins_.find(at);
  return found == origins_.end() ? nullptr : found->second;
}

}  // namespace sluice::plugin
