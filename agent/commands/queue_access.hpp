// SPDX-License-Identifier: Apache-2.0
// Asks about the queues: the running agent over its socket, or, where none runs, the files themselves, under the lock of
// the state directory. Main thread only.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "commands/configuration.hpp"

namespace sluice::commands {

class QueueAccess {
 public:
  /// `queue`: the one that every request is about; empty: what a request means that names none.
  QueueAccess(Whereabouts agent, std::string queue);
  ~QueueAccess();

  /// The requests of buffer_requests.hpp. Throws std::runtime_error.
  nlohmann::ordered_json ask(nlohmann::ordered_json request);

 private:
  struct Files;
  void open_files();

  const Whereabouts agent_;
  const std::string queue_;
  std::unique_ptr<Files> files_;  // null while the agent answers
};

}  // namespace sluice::commands
