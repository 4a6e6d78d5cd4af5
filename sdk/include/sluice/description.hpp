// SPDX-License-Identifier: Apache-2.0
//
// What a plugin declares of itself: its name, its roles, its placeholders, its settings.
//
//   static sluice::Description describe() {
//     return sluice::Description("meter", "1.0.0", "Reads a meter by its serial line.")
//         .emits()
//         .placeholder("tag", "the name of the value")
//         .settings({sluice::setting("port").string().required().help("The device, such as /dev/ttyUSB0."),
//                    sluice::setting("baud").integer().range(50, 4000000).defaults(9600).unit("Bd")});
//   }
#pragma once

#include <sluice/spec.hpp>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {
inline namespace v1 {

class Description {
 public:
  Description(std::string_view name, std::string_view version, std::string_view summary)
      : name_(name), version_(version), summary_(summary) {}

  // May stand under [[input]]. What is said without either: a plugin with run or poll emits, one with handle
  // takes.
  Description& emits() {
    roles_ |= SLUICE_EMITS;
    return *this;
  }
  // May stand under [[output]], or in `to` of a route.
  Description& takes() {
    roles_ |= SLUICE_TAKES;
    return *this;
  }
  Description& placeholder(std::string_view name, std::string_view help) {
    placeholders_.emplace_back(name, help);
    return *this;
  }
  Description& settings(std::vector<SettingSpec> all) {
    settings_ = std::move(all);
    return *this;
  }
  Description& setting(SettingSpec one) {
    settings_.push_back(std::move(one));
    return *this;
  }

 private:
  friend class DescriptorStorage;
  std::string name_;
  std::string version_;
  std::string summary_;
  std::uint32_t roles_ = 0;
  std::vector<SettingSpec> settings_;
  std::vector<std::pair<std::string, std::string>> placeholders_;
};

// Owns what a sluice_plugin points to. Never moves.
class DescriptorStorage {
 public:
  explicit DescriptorStorage(const Description& from) {
    plugin_.size = sizeof(plugin_);
    plugin_.abi_major = SLUICE_ABI_MAJOR;
    plugin_.abi_minor = SLUICE_ABI_MINOR;
    plugin_.name = keep(from.name_);
    plugin_.version = keep(from.version_);
    plugin_.summary = keep(from.summary_);
    plugin_.roles = from.roles_;
    plugin_.settings = specs(from.settings_);
    for (const auto& [name, help] : from.placeholders_) {
      placeholders_.push_back(sluice_placeholder{sizeof(sluice_placeholder), keep(name), keep(help)});
    }
    plugin_.placeholders = span(placeholders_);
  }
  DescriptorStorage(const DescriptorStorage&) = delete;
  DescriptorStorage& operator=(const DescriptorStorage&) = delete;

  sluice_plugin& plugin() noexcept { return plugin_; }

 private:
  template <class T>
  static sluice_array span(const std::vector<T>& list) noexcept {
    return sluice_array{list.data(), list.size(), sizeof(T)};
  }

  sluice_str keep(std::string_view text) { return abi::borrow(texts_.emplace_back(text)); }

  sluice_array specs(const std::vector<SettingSpec>& from) {
    std::vector<sluice_setting_spec>& out = specs_.emplace_back();
    out.reserve(from.size());
    for (const SettingSpec& spec : from) {
      sluice_setting_spec made{};
      made.size = sizeof(made);
      made.name = keep(spec.name_);
      made.type = spec.type_;
      made.element_type = spec.element_type_;
      made.flags = spec.flags_;
      made.unit = keep(spec.unit_);
      made.default_value = keep(spec.default_text());
      made.minimum = spec.limit_value(spec.minimum_);
      made.maximum = spec.limit_value(spec.maximum_);
      std::vector<sluice_str>& choices = choices_.emplace_back();
      for (const std::string& choice : spec.choices_) choices.push_back(keep(choice));
      made.choices = span(choices);
      made.help = keep(spec.help_);
      made.children = specs(spec.children_);
      out.push_back(made);
    }
    return span(out);
  }

  sluice_plugin plugin_{};
  std::deque<std::string> texts_;  // deques: growing them moves nothing
  std::deque<std::vector<sluice_setting_spec>> specs_;
  std::deque<std::vector<sluice_str>> choices_;
  std::vector<sluice_placeholder> placeholders_;
};

}  // namespace v1
}  // namespace sluice
