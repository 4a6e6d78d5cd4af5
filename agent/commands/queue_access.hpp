// SPDX-License-Identifier: Apache-2.0
// Asks about the queues: the running agent over its socket, or, where none runs, the files themselves, under the lock of
// the state directory. Main thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>

#include "commands/configuration.hpp"

namespace sluice::commands {

/// For what the files of a stopped agent are opened.
enum class Access : std::uint8_t {
  inspect,  ///< reads and drops
  append,   ///< puts messages in, too
  create    ///< the same, where no agent has ever run, too
};

/// The configuration is bad, so that the limits of the queue are not known.
class NoConfiguration : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class QueueAccess {
 public:
  /// `queue`: the one that every request is about; empty: what a request means that names none.
  QueueAccess(Whereabouts agent, std::string queue, Access access);
  ~QueueAccess();

  /// The requests of buffer_requests.hpp. Throws std::runtime_error, and NoConfiguration where a stopped
  /// agent's queue is to take messages.
  nlohmann::ordered_json ask(nlohmann::ordered_json request);
  /// No agent answered, the last time.
  bool works_on_files() const { return files_ != nullptr; }

 private:
  struct Files;
  void open_files();

  const Whereabouts agent_;
  const std::string queue_;
  const Access access_;
  std::unique_ptr<Files> files_;  // null while the agent answers
};

}  // namespace sluice::commands
