// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_process.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <stdexcept>

#include "support/wait_until.hpp"

namespace sluice::test {

std::string program() {
  return SLUICE_BINARY_DIR "/agent/sluice";
}

AgentProcess::AgentProcess(const std::string& configuration) {
  configure(configuration);
}

void AgentProcess::configure(const std::string& configuration) {
  std::string text = configuration;
  const std::string word = "STATE";
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word))
    text.replace(at, word.size(), state_dir());
  directory_.write("sluice.toml", text);
}

void AgentProcess::set_environment(const std::string& name, const std::string& value) {
  environment_.emplace_back(name, value);
}

void AgentProcess::launch() {
  ProcessOptions options;
  options.environment = environment_;
  options.output_file = directory_.file("agent." + std::to_string(++runs_) + ".log");
  process_ = std::make_unique<Process>(std::vector<std::string>{program(), "run", "--config", config_file()},
                                       options);
}

void AgentProcess::start() {
  launch();
  const bool up = wait_until([&] { return command({"status"}).status == 0 || !process_->running(); });
  if (!up || !process_->running()) throw std::runtime_error("the agent did not start:\n" + log());
}

void AgentProcess::kill() {
  process_->kill();
}

int AgentProcess::stop() {
  return process_->terminate();
}

Finished AgentProcess::command(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), program());
  arguments.insert(arguments.end(), {"--config", config_file()});
  return run(arguments);
}

nlohmann::json AgentProcess::document(std::vector<std::string> arguments) const {
  arguments.emplace_back("--json");
  const Finished finished = command(arguments);
  // Warnings about the file stand before it, on standard error.
  const auto begin = finished.output.rfind("{\n", 0) == 0 ? 0 : finished.output.find("\n{\n");
  auto parsed =
      nlohmann::json::parse(finished.output.substr(std::min(begin, finished.output.size())), nullptr, false);
  if (parsed.is_discarded()) {
    throw std::runtime_error("exit status " + std::to_string(finished.status) + ": " + finished.output +
                             "\n" + log());
  }
  return parsed;
}

bool AgentProcess::wait_drained(std::chrono::milliseconds timeout) const {
  return wait_until(
      [&] {
        const nlohmann::json figures = buffer();
        return figures["messages"] == 0 && figures["in_memory"] == 0;
      },
      timeout);
}

std::string AgentProcess::log() const {
  std::string all;
  for (int i = 1; i <= runs_; ++i) all += read_file(directory_.file("agent." + std::to_string(i) + ".log"));
  return all;
}

bool AgentProcess::wait_for_log(const std::string& text) const {
  return wait_until([&] { return log().find(text) != std::string::npos; });
}

}  // namespace sluice::test
