// SPDX-License-Identifier: Apache-2.0
//
// The settings of an instance: declared, checked and read in one place. Plain data afterwards.
#pragma once

#include "link.hpp"
#include "plan.hpp"
#include "tag.hpp"

#include <sluice/plugin.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::modbus {

// When a tag that could not be read is published, with quality bad and the reason.
enum class PublishErrors : std::uint8_t { change, cycle, none };

struct UnitOptions {
  std::uint8_t id = 1;
  std::string name;  // {unit}
  Limits limits;
  unsigned put_aside_after = 3;  // failed cycles
  std::chrono::nanoseconds put_aside_for{30'000'000'000};
  bool group = false;  // one message for all tags
  std::vector<Tag> tags;
};

struct Options {
  LinkOptions link;
  std::chrono::nanoseconds cycle{1'000'000'000};
  unsigned retries = 1;
  PublishErrors publish_errors = PublishErrors::change;
  bool trace = false;
  std::vector<UnitOptions> units;
};

std::vector<SettingSpec> setting_specs();

// Reports all that types and ranges cannot say.
void check(const Settings& settings, Report& report);

// Throws SettingError at the first thing that check() would report.
Options read_options(const Settings& settings);

}  // namespace sluice::modbus
