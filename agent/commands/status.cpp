// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/buffer_text.hpp"
#include "commands/client.hpp"
#include "commands/commands.hpp"

namespace sluice::commands {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  std::filesystem::path file;
  bool json = false;
};

std::string text(const ordered_json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void print_session(const ordered_json& session) {
  std::cout << "session  " << text(session["state"]) << ' ' << text(session["broker"]) << " since "
            << text(session["since"]) << ", " << session["in_flight"] << " of " << session["window"]
            << " in flight, " << session["reconnects"] << " reconnections\n";
  if (!text(session["reason"]).empty())
    std::cout << "         last trouble: " << text(session["reason"]) << '\n';
  for (const auto& subscription : session["subscriptions"]) {
    if (!subscription["granted"].get<bool>() && !text(subscription["refusal"]).empty()) {
      std::cout << "         subscription " << text(subscription["filter"]) << ": "
                << text(subscription["refusal"]) << '\n';
    }
  }
}

void print_instance(const ordered_json& instance) {
  std::cout << text(instance["kind"]) << "  " << text(instance["name"]) << " (" << text(instance["plugin"])
            << "): " << text(instance["state"]) << ", " << instance["emitted"] << " emitted, "
            << instance["received"] << " received, " << instance["restarts"] << " restarts";
  if (!text(instance["error"]).empty()) std::cout << "; last error: " << text(instance["error"]);
  std::cout << '\n';
}

void print_text(const ordered_json& status) {
  const ordered_json& agent = status["agent"];
  std::cout << "agent    " << text(agent["id"]) << ", version " << text(agent["version"]) << ", pid "
            << agent["pid"] << ", up since " << text(agent["started"]) << '\n';
  if (agent["last_good_configuration"].get<bool>()) {
    std::cout << "         runs with the last good configuration: the file has errors, see `sluice check`\n";
  }
  print_session(status["session"]);
  print_statistics(status["buffer"]);
  for (const auto& instance : status["instances"]) print_instance(instance);
  for (const auto& [scope, metrics] : status["metrics"].items()) {
    std::cout << scope << ':';
    for (const auto& [name, value] : metrics.items()) std::cout << ' ' << name << '=' << value.dump();
    std::cout << '\n';
  }
}

int show_status(const Arguments& arguments) {
  try {
    const ordered_json status = ask(find_agent(arguments.file), {{"command", "status"}});
    if (arguments.json) {
      print_json(status);
    } else {
      print_text(status);
    }
    return EX_OK;
  } catch (const std::exception& error) {
    return report(error);
  }
}

}  // namespace

void add_status(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("status",
                                             "Shows the running agent: session, queues, instances and "
                                             "counters. A snapshot: it never waits for a busy thread. "
                                             "Exit code 69 where no agent runs.");
  command->add_flag("--json", arguments->json, "One JSON document with stable keys");
  add_config_option(*command, arguments->file);
  command->callback([arguments, &exit_code] { exit_code = show_status(*arguments); });
}

}  // namespace sluice::commands
