// SPDX-License-Identifier: Apache-2.0
//
// An input: reads a number from a file, as Linux offers temperatures, voltages and the like below /sys.
#include <fstream>
#include <sluice/plugin.hpp>
#include <stdexcept>
#include <string>

class Thermometer {
 public:
  static sluice::Description describe() {
    return sluice::Description("thermometer", "1.0.0", "Reads a number from a file.")
        .settings(
            {sluice::setting("path").string().required().help(
                 "The file, such as /sys/class/thermal/thermal_zone0/temp."),
             sluice::setting("factor").number().defaults(0.001).help("What the number is multiplied by.")});
  }

  // The settings are checked already. Nothing is opened here.
  Thermometer(sluice::Host host, const sluice::Settings& settings)
      : host_(host), path_(settings["path"].as<std::string>()), factor_(settings["factor"].as<double>()) {}

  // The agent calls it every `interval`. An exception is logged, and after a while the agent starts anew: no retry here.
  void poll() {
    const sluice::Now now = host_.now();
    double number = 0;
    if (!(std::ifstream(path_) >> number)) throw std::runtime_error("cannot read a number from " + path_);
    host_.emit_waiting(sluice::Message().sample("value", number * factor_).at_monotonic(now.monotonic_ns));
  }

 private:
  sluice::Host host_;
  std::string path_;
  double factor_;
};

SLUICE_PLUGIN(Thermometer)
