// SPDX-License-Identifier: Apache-2.0
// The outputs with durable = true: each has a queue of its own, in state_dir/queue/NAME, and a courier that brings what
// is in it to the instance, also where the plugin does not load yet. Owned by the agent; the storage outlives it. Which
// there are is settled by the constructor; every function may then be called by any thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "config/config.hpp"
#include "courier.hpp"
#include "plugin/upstream.hpp"
#include "queue/queue.hpp"
#include "queue/storage.hpp"

namespace sluice {

class DurableOutputs {
 public:
  /// Opens the queues. One whose files are of a later version is left alone: that output works as with durable = false,
  /// which is logged. So is a folder of an output that is not durable any more and still holds messages.
  DurableOutputs(const config::Config& configuration, queue::Storage& storage, plugin::Upstream& upstream,
                 const Clock& clock, Metrics& metrics, Logging& logging);
  ~DurableOutputs();  ///< stops
  DurableOutputs(const DurableOutputs&) = delete;
  DurableOutputs& operator=(const DurableOutputs&) = delete;

  /// Null: it is not durable.
  Courier* courier(const std::string& name) const;
  /// In the order of the configuration.
  std::vector<std::pair<std::string, queue::Queue*>> queues() const;

  /// Lets pauses end; to be called about twice a second.
  void wake();

  /// Stops couriers, then queues; after their instances. False: what was only in memory could not be written. Later
  /// calls answer the same.
  bool stop();

 private:
  struct Output {
    std::string name;
    std::unique_ptr<queue::Queue> queue;
    std::unique_ptr<Courier> courier;
  };

  std::vector<Output> outputs_;
};

}  // namespace sluice
