// SPDX-License-Identifier: Apache-2.0
//
// The settings of an instance: declared, checked and read in one place. Plain data afterwards.
#pragma once

#include <sluice/plugin.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::gpio {

enum class Bias : std::uint8_t { as_is, disabled, pull_up, pull_down };
enum class Edges : std::uint8_t { none, rising, falling, both };
enum class Drive : std::uint8_t { push_pull, open_drain, open_source };

struct LineOptions {
  std::string name;                     // {line}
  std::string line_name;                // as the kernel calls it; used where there is no offset
  std::optional<std::uint32_t> offset;  // on the chip
  bool output = false;
  Bias bias = Bias::as_is;
  bool active_low = false;
  Edges edges = Edges::both;  // none for an output
  std::chrono::microseconds debounce{0};
  Drive drive = Drive::push_pull;
  bool initial = false;
  std::optional<bool> at_exit;
};

struct Options {
  std::string chip;  // path, name or label
  std::chrono::nanoseconds every{0};
  std::uint32_t event_buffer = 256;
  std::vector<LineOptions> lines;
};

std::vector<SettingSpec> setting_specs();

// Reports all that types and ranges cannot say.
void check(const Settings& settings, Report& report);

// Throws SettingError at the first thing that check() would report.
Options read_options(const Settings& settings);

}  // namespace sluice::gpio
