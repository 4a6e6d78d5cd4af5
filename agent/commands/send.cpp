// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands/client.hpp"
#include "commands/commands.hpp"

namespace sluice::commands {
namespace {

struct Arguments {
  std::filesystem::path file;
  std::string topic;
  std::string payload;
};

int send(const Arguments& arguments) {
  try {
    const nlohmann::ordered_json answer =
        ask(find_agent(arguments.file),
            {{"command", "send"}, {"topic", arguments.topic}, {"payload", arguments.payload}});
    const auto outcome = answer["outcome"].get<std::string>();
    std::cout << outcome << '\n';
    return outcome == "delivered" ? EX_OK : EX_DATAERR;
  } catch (const std::exception& error) {
    return report(error);
  }
}

}  // namespace

void add_send(CLI::App& program, int& exit_code) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand("send",
                                             "Puts a message into the running agent's router, as if it came "
                                             "from the broker: for trying commands without "
                                             "one. Prints delivered, unrouted (no rule matches) or "
                                             "undelivered (nobody took it); exit code 65 for the last "
                                             "two.");
  command->add_option("TOPIC", arguments->topic, "The topic of the message")->required();
  command->add_option("PAYLOAD", arguments->payload, "Its payload, as it is")->required();
  add_config_option(*command, arguments->file);
  command->callback([arguments, &exit_code] { exit_code = send(*arguments); });
}

}  // namespace sluice::commands
