// SPDX-License-Identifier: Apache-2.0
#include "support/cutting_proxy.hpp"

#include <sstream>
#include <stdexcept>

#include "support/free_port.hpp"
#include "support/script.hpp"

namespace sluice::test {

CuttingProxy::CuttingProxy(std::uint16_t target)
    : port_(free_port()),
      process_(std::make_unique<Process>(
          script("cutting_proxy.py", {std::to_string(port_), std::to_string(target)}))) {
  wait_until([this] { return count("listening") > 0 || !process_->running(); });
  if (count("listening") == 0) throw std::runtime_error("cutting_proxy.py: " + process_->output());
}

void CuttingProxy::cut() {
  tell("now");
}
void CuttingProxy::cut_each(std::size_t least, std::size_t most, unsigned seed) {
  tell("each " + std::to_string(least) + " " + std::to_string(most) + " " + std::to_string(seed));
}
void CuttingProxy::cut_none() {
  tell("never");
}
std::size_t CuttingProxy::cuts() const {
  return count("cut");
}

void CuttingProxy::tell(const std::string& line) {
  const std::size_t before = count("obeyed");
  if (!process_->write(line + "\n") || !wait_until([&] { return count("obeyed") > before; })) {
    throw std::runtime_error("cutting_proxy.py: " + process_->output());
  }
}

std::size_t CuttingProxy::count(const std::string& line) const {
  std::istringstream in(process_->output());
  std::size_t found = 0;
  for (std::string one; std::getline(in, one);) found += one == line ? 1 : 0;
  return found;
}

}  // namespace sluice::test
