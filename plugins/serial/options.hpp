// SPDX-License-Identifier: Apache-2.0
//
// What an instance of the plugin is told: its settings as declared, read and checked. Plain data.
#pragma once

#include "framer.hpp"
#include "line.hpp"
#include "payload.hpp"

#include <sluice/settings.hpp>
#include <sluice/spec.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace serial {

struct Options {
  std::string device;
  Line line;
  Framer::Options framer;
  Payload payload = Payload::text;
  bool number = false;
  std::string init;  // written after opening; empty: nothing
  std::string poll;  // written every poll_interval; empty: the device talks by itself
  std::chrono::nanoseconds poll_interval{0};
  std::chrono::nanoseconds poll_timeout{0};
  std::string write_end;  // appended to what messages ask to write
  std::chrono::nanoseconds write_timeout{0};
};

std::vector<sluice::SettingSpec> declare_options();

// Throws sluice::SettingError for settings that check() complains of.
Options read_options(const sluice::Settings& settings);

// Reports what types and ranges cannot say.
void check_options(const sluice::Settings& settings, sluice::Report& report);

// What the instance will do, for `sluice check`: one line each.
std::vector<std::string> describe_options(const Options& options);

}  // namespace serial
