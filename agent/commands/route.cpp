// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/client.hpp"
#include "commands/commands.hpp"
#include "route/rules.hpp"
#include "route/topic.hpp"
#include "status_document.hpp"

namespace sluice::commands {
namespace {

struct Arguments {
  std::filesystem::path file;
  std::string topic;
  std::string from = "input";
  bool json = false;
};

void print_text(const nlohmann::ordered_json& document) {
  for (const auto& rule : document["rules"]) {
    std::string to;
    for (const auto& output : rule["to"]) to += (to.empty() ? "" : ", ") + output.get<std::string>();
    std::cout << (rule["matched"].get<bool>() ? "matches  " : "no match ") << rule["match"].get<std::string>()
              << " -> " << (to.empty() ? "nowhere" : to);
    const auto why = rule["why"].get<std::string>();
    if (!why.empty()) std::cout << "  (" << why << ')';
    std::cout << '\n';
  }
  for (const auto& output : document["outputs"]) {
    std::cout << "=> " << output["output"].get<std::string>() << " as " << output["topic"].get<std::string>();
    const auto problem = output["problem"].get<std::string>();
    if (!problem.empty()) std::cout << ": " << problem;
    std::cout << '\n';
  }
  if (document["outputs"].empty()) std::cout << "=> nobody gets it\n";
}

// The file is asked, not the agent: so that rules can be tried before they are loaded.
int show_route(const Arguments& arguments) {
  std::string why;
  if (!route::valid_topic(arguments.topic, &why)) {
    std::cerr << "sluice: \"" << arguments.topic << "\" is no topic: " << why << '\n';
    return EX_USAGE;
  }
  Problems problems;
  config::Environment environment = environment_of(arguments.file);
  environment.without_secrets = true;
  const auto files = config::read_files(arguments.file, problems);
  const auto configuration =
      config::read(config::load(files, environment.variables, problems), environment, problems);
  if (!configuration || !problems.empty()) {
    print(problems.all(), "error");
    return EX_CONFIG;
  }
  const route::Rules rules(configuration->routes, configuration->agent.id);
  const route::From from = arguments.from == "broker" ? route::From::broker : route::From::input;
  const auto document = explanation_document(rules.explain(arguments.topic, from), rules.rules());
  if (arguments.json) {
    print_json(document);
  } else {
    print_text(document);
  }
  return EX_OK;
}

}  // namespace

void add_route(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "route",
      "Tells which rules of the configuration match a topic, which outputs get the message, and why.");
  command->add_option("TOPIC", arguments->topic, "The topic of the message")->required();
  command->add_option("--from", arguments->from, "Where the message comes from")
      ->check(CLI::IsMember({"input", "broker"}))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON document with stable keys");
  add_config_option(*command, arguments->file);
  command->callback([arguments, &exit_code] { exit_code = show_route(*arguments); });
}

}  // namespace sluice::commands
