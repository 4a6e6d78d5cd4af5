// SPDX-License-Identifier: Apache-2.0
//
// What the plugin declares, and an instance, which is one chip. Tests give it a kernel of their own.
#pragma once

#include "options.hpp"
#include "watch.hpp"

#include <sluice/plugin.hpp>

namespace sluice::gpio {

class Gpio {
 public:
  static Description describe() {
    return Description("gpio", "0.1.0",
                       "Reads and sets lines of a GPIO chip by the kernel's character device.")
        .emits()
        .takes()
        .placeholder("line", "the name of the line")
        .settings(setting_specs());
  }
  static void validate(const Settings& settings, Report& report) { check(settings, report); }

  Gpio(Host host, const Settings& settings, Kernel& kernel)
      : options_(read_options(settings)), watch_(host, options_, kernel) {}
  void run() { watch_.run(); }

 private:
  const Options options_;
  Watch watch_;
};

}  // namespace sluice::gpio
