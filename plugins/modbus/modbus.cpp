// SPDX-License-Identifier: Apache-2.0
//
// The plugin: what it declares, and an instance, which is one bus.
#include "bus.hpp"
#include "options.hpp"
#include "plan.hpp"

#include <sluice/plugin.hpp>

namespace sluice::modbus {

class Modbus {
 public:
  static Description describe() {
    return Description("modbus", "0.1.0",
                       "Reads and writes the units of one Modbus bus, by TCP or a serial line.")
        .emits()
        .takes()
        .placeholder("unit", "the name of the unit, or its id where it has none")
        .placeholder("tag", "the name of the tag; \"all\" with group = true")
        .settings(setting_specs());
  }
  static void validate(const Settings& settings, Report& report) { check(settings, report); }
  static void plan(const Settings& settings, Report& report) {
    const Options options = read_options(settings);
    for (const UnitOptions& unit : options.units) {
      for (const Request& request : make_plan(unit.tags, unit.limits)) {
        report.line("unit " + unit.name + " (" + std::to_string(unit.id) +
                    "): " + modbus::describe(request, unit.tags));
      }
    }
  }

  Modbus(Host host, const Settings& settings) : bus_(host, read_options(settings)) {}
  void run() { bus_.run(); }

 private:
  Bus bus_;
};

}  // namespace sluice::modbus

SLUICE_PLUGIN(sluice::modbus::Modbus);
