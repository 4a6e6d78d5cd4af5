// SPDX-License-Identifier: Apache-2.0
// The agent: builds the parts in order, starts them, keeps what failed under trial, reloads, and stops them in the
// reverse order. Used by the main thread; answer() by any.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "buffer_requests.hpp"
#include "config/config.hpp"
#include "control.hpp"
#include "downlink.hpp"
#include "durable_outputs.hpp"
#include "forwarder.hpp"
#include "plugin/catalogue.hpp"
#include "plugin/instance.hpp"
#include "preparation.hpp"
#include "progress.hpp"
#include "queue/queue.hpp"
#include "queue/state_lock.hpp"
#include "queue/storage.hpp"
#include "router.hpp"

namespace sluice {

/// Another agent works in the same state directory.
class AlreadyRunning : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Agent {
 public:
  /// Takes the lock of the state directory (created where it is missing) and opens the queues. Throws AlreadyRunning,
  /// queue::FormatError and std::system_error.
  /// `last_good`: the configuration is not the file's, which is bad; `status` says so.
  Agent(config::Config configuration, bool last_good, plugin::Catalogue& catalogue, Logging& logging,
        const Clock& clock);
  /// Stops.
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Starts instances and session, and listens for the command line.
  void start(std::vector<PreparedInstance> instances);

  /// To be called about twice a second: retries plugins that did not load, and lets pauses and time limits end.
  void tick();

  /// Takes over routes and log levels of `next`, and names in the log what else differs: that needs a restart.
  void reload(const config::Config& next);

  /// Stops everything within 5 s: instances, session, queues. False: what was only in memory could not be written.
  bool stop();

  /// Until when the storage and the session thread were both seen to get on with their work, by the monotonic clock: for
  /// the watchdog. To be called as often as tick(). Waiting for the disk or for the resolver counts, for five minutes.
  Nanoseconds last_progress();

  /// One line: the link, and how much waits.
  std::string summary() const;

  /// Answers a request of the command line, both JSON.
  std::string answer(const std::string& request);

 private:
  struct Slot {
    PreparedInstance prepared;
    std::unique_ptr<plugin::Instance> instance;  // null: not there yet, or disabled
    Backoff retry{std::chrono::seconds(2), std::chrono::seconds(60)};
    Nanoseconds next_try{0};
  };

  void start_instance(Slot& slot);
  Log log_about(const Slot& slot) const;
  void retry_missing(Nanoseconds now);
  void set_routes(const std::vector<route::Rule>& rules);
  Queues queues() const;
  nlohmann::ordered_json status() const;
  nlohmann::ordered_json send(const nlohmann::ordered_json& request);

  config::Config configuration_;  // the one in force
  const bool last_good_;
  plugin::Catalogue& catalogue_;
  Logging& logging_;
  const Clock& clock_;
  const Log log_;
  const Nanoseconds started_;
  Metrics metrics_;
  Counter& suppressed_lines_;
  std::optional<queue::StateLock> lock_;
  queue::Storage storage_;
  std::unique_ptr<queue::Queue> queue_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Downlink> downlink_;
  std::unique_ptr<Forwarder> forwarder_;
  std::unique_ptr<DurableOutputs> outputs_;
  mutable std::mutex slots_mutex_;
  std::vector<Slot>
      slots_;  // guarded by slots_mutex_ where instances are made, and where `status` reads them
  std::unique_ptr<Control> control_;
  Progress storage_progress_;
  Progress session_progress_;
  bool stopped_ = false;
};

}  // namespace sluice
