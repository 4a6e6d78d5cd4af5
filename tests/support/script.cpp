// SPDX-License-Identifier: Apache-2.0
#include "support/script.hpp"

namespace sluice::test {

std::vector<std::string> script(const std::string& name, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{"/usr/bin/python3", "-u", SLUICE_TEST_SUPPORT_DIR "/" + name};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace sluice::test
