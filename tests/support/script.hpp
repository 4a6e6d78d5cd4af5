// SPDX-License-Identifier: Apache-2.0
// The command line of the Python scripts in this folder, run by Debian's Python, which has paho-mqtt.
#pragma once

#include <string>
#include <vector>

namespace sluice::test {

/// /usr/bin/python3, the script `name` of tests/support, and `arguments`.
std::vector<std::string> script(const std::string& name, const std::vector<std::string>& arguments);

}  // namespace sluice::test
