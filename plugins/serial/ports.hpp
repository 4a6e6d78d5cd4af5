// SPDX-License-Identifier: Apache-2.0
//
// The serial ports of this machine, for messages and for `sluice check`. Read from sysfs and from the links of udev; no
// device is opened, since that alone can reset what is connected. No state: any thread.
#pragma once

#include <string>
#include <vector>

namespace serial {

struct PortInfo {
  std::string device;       // the lasting name below /dev/serial/by-id where there is one, else /dev/ttyS0
  std::string description;  // as its driver or the USB device says; may be empty
};

// In the order of their names.
std::vector<PortInfo> list_ports();

// "the ports here are /dev/ttyS0 (ttyS0), …", or that there are none.
std::string describe_ports(const std::vector<PortInfo>& ports);

}  // namespace serial
