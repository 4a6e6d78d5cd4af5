// SPDX-License-Identifier: Apache-2.0
#include "gpio.hpp"

namespace sluice::gpio {

struct LinuxGpio : Gpio {
  LinuxGpio(Host host, const Settings& settings) : Gpio(host, settings, linux_kernel()) {}
};

}  // namespace sluice::gpio

SLUICE_PLUGIN(sluice::gpio::LinuxGpio);
