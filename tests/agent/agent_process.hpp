// SPDX-License-Identifier: Apache-2.0
// The program itself, `sluice run`, with a configuration and a state directory of its own; and what the command line
// says of it. Not for several threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::test {

class AgentProcess {
 public:
  /// Writes `configuration` as sluice.toml; "STATE" in it becomes the state directory. Starts nothing.
  explicit AgentProcess(const std::string& configuration);

  /// Starts the agent and waits until it answers `sluice status`. Throws std::runtime_error with its log.
  void start();
  /// Starts it without waiting.
  void launch();
  void kill();  ///< SIGKILL
  /// SIGTERM; the exit status.
  int stop();
  void signal(int number) { process_->signal(number); }
  bool running() { return process_ && process_->running(); }
  pid_t pid() const { return process_->pid(); }
  /// The exit status of an agent that ends by itself.
  std::optional<int> wait() { return process_->wait(); }

  void configure(const std::string& configuration);
  /// For the agent, from the next start on; not for commands.
  void set_environment(const std::string& name, const std::string& value);
  std::string config_file() const { return directory_.file("sluice.toml"); }
  std::string state_dir() const { return directory_.file("state"); }
  const TemporaryDirectory& directory() const { return directory_; }

  /// `sluice ARGUMENTS --config FILE`, to its end.
  Finished command(std::vector<std::string> arguments) const;
  /// The document of a command with --json. Throws std::runtime_error.
  nlohmann::json document(std::vector<std::string> arguments) const;
  nlohmann::json status() const { return document({"status"}); }
  nlohmann::json buffer() const { return document({"buffer", "stat"}); }
  /// Waits until the queue holds nothing, in memory or on disk.
  bool wait_drained(std::chrono::milliseconds timeout = patience) const;
  /// What all runs have logged.
  std::string log() const;
  bool wait_for_log(const std::string& text) const;

 private:
  TemporaryDirectory directory_;
  std::vector<std::pair<std::string, std::string>> environment_;
  std::unique_ptr<Process> process_;
  int runs_ = 0;
};

/// The program of this build tree.
std::string program();

}  // namespace sluice::test
