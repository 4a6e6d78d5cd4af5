// SPDX-License-Identifier: Apache-2.0
#include "commands/buffer_text.hpp"

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

namespace sluice::commands {

using nlohmann::ordered_json;

void print_statistics(const ordered_json& statistics) {
  for (const auto& [name, queue] : statistics["queues"].items()) {
    std::cout << "queue    " << name << ": " << queue["messages"] << " messages on disk (" << queue["bytes"]
              << " bytes, " << queue["segments"] << " segments), " << queue["in_memory"]
              << " in memory, oldest "
              << (queue["oldest_ts"].is_null() ? "-" : queue["oldest_ts"].get<std::string>()) << ", "
              << queue["dropped"] << " dropped, " << queue["dead_letters"] << " dead letters\n";
    std::cout << "         ";
    print_ledger(queue["ledger"]);
    std::cout << "         besides, acknowledged before they were written: " << queue["passed"] << '\n';
    if (queue["letters"]["added"] != 0) {
      std::cout << "         ";
      print_letters(queue["letters"]);
    }
    const ordered_json& quarantine = queue["quarantine"];
    if (quarantine["new"] != 0) {
      std::cout << "         " << quarantine["new"] << " damaged files were put aside in "
                << quarantine["folder"].get<std::string>() << ": " << quarantine["salvaged"]
                << " messages could be read, " << quarantine["lost"]
                << " are lost; latest: " << quarantine["latest"].get<std::string>()
                << "\n         when you know of it: sluice buffer verify --acknowledge\n";
    }
    if (queue["degraded"].get<bool>()) {
      std::cout << "         degraded, nothing is committed: " << queue["problem"].get<std::string>() << '\n';
    }
  }
}

void print_ledger(const ordered_json& ledger) {
  std::cout << "committed " << ledger["committed"] << " = stored " << ledger["stored"];
  for (const auto& [name, count] : ledger.items()) {
    if (name == "committed" || name == "stored" || name == "balanced") continue;
    std::cout << " + " << name << ' ' << count;
  }
  std::cout << (ledger["balanced"].get<bool>() ? "\n" : "   WRONG: this does not add up\n");
}

void print_letters(const ordered_json& letters) {
  std::cout << "dead letters " << letters["added"] << " = kept " << letters["kept"] << " + retried "
            << letters["retried"] << " + dropped by the user " << letters["dropped"]
            << " + removed for want of room " << letters["removed"] << " + lost with a damaged file "
            << letters["lost"]
            << (letters["balanced"].get<bool>() ? "\n" : "   WRONG: this does not add up\n");
}

}  // namespace sluice::commands
