// SPDX-License-Identifier: Apache-2.0
#include "commands/client.hpp"

#include <sysexits.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "control.hpp"

namespace sluice::commands {

using nlohmann::ordered_json;

ordered_json ask(const Whereabouts& agent, const ordered_json& request) {
  const std::string line = request.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
  for (std::size_t i = 0; i < agent.sockets.size(); ++i) {
    try {
      ordered_json answer = ordered_json::parse(ask_agent(agent.sockets[i], line));
      if (answer.is_object() && answer.size() == 1 && answer.contains("error")) {
        throw std::runtime_error(answer["error"].get<std::string>());
      }
      return answer;
    } catch (const NoAgent&) {
      if (i + 1 == agent.sockets.size()) throw;
    }
  }
  throw NoAgent("no agent");
}

int report(const std::exception& error) {
  const bool no_agent = dynamic_cast<const NoAgent*>(&error) != nullptr;
  std::cerr << "sluice: " << error.what();
  if (no_agent) std::cerr << ": is it running, and is --config the file that it runs with?";
  std::cerr << '\n';
  return no_agent ? EX_UNAVAILABLE : EX_SOFTWARE;
}

void print_json(const ordered_json& document) {
  std::cout << document.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace sluice::commands
