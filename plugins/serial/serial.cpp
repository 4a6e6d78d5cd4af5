// SPDX-License-Identifier: Apache-2.0
//
// The plugin `serial`: a device on a serial line, whose frames become messages, and to which messages are written.
#include "loop.hpp"
#include "options.hpp"
#include "ports.hpp"

#include <sluice/plugin.hpp>

namespace serial {

class Serial {
 public:
  static sluice::Description describe() {
    return sluice::Description("serial", "1.0.0",
                               "Reads frames from a serial port, and writes messages to it.")
        .emits()
        .takes()
        .settings(declare_options());
  }
  static void validate(const sluice::Settings& settings, sluice::Report& report) {
    check_options(settings, report);
  }
  static void plan(const sluice::Settings& settings, sluice::Report& report) {
    for (const std::string& line : describe_options(read_options(settings))) report.line(line);
    report.line(describe_ports(list_ports()));
  }

  Serial(sluice::Host host, const sluice::Settings& settings)
      : host_(host), options_(read_options(settings)) {}

  // A missing or unplugged device fails the instance, and the agent makes a new one after a back-off.
  void run() { Loop(host_, options_).run(); }

 private:
  const sluice::Host host_;
  const Options options_;
};

}  // namespace serial

SLUICE_PLUGIN(serial::Serial);
