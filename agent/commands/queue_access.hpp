// SPDX-License-Identifier: Apache-2.0
// Asks about a queue: the running agent over its socket, or, where none runs, the files themselves, under the lock of
// the state directory. Main thread only.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "commands/configuration.hpp"

namespace sluice::commands {

class QueueAccess {
 public:
  explicit QueueAccess(Whereabouts agent);
  ~QueueAccess();

  /// The requests of buffer_requests.hpp. Throws std::runtime_error.
  nlohmann::ordered_json ask(const nlohmann::ordered_json& request);

 private:
  struct Files;
  void open_files();

  const Whereabouts agent_;
  std::unique_ptr<Files> files_;  // null while the agent answers
};

}  // namespace sluice::commands
