// SPDX-License-Identifier: Apache-2.0
// What an instance of a plugin sees of the agent: the functions of sluice_host, which any thread may call. Owned by
// the Life of the instance (instance.cpp), and with it kept for ever where the instance is abandoned; after
// cut_off() it calls nothing of the agent's.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/file_descriptor.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "plugin/convert.hpp"
#include "plugin/gate.hpp"
#include "plugin/handed_out.hpp"
#include "plugin/inbox.hpp"
#include "plugin/incarnation.hpp"
#include "plugin/instance.hpp"
#include "plugin/library.hpp"
#include "plugin/own_metrics.hpp"
#include "plugin/upstream.hpp"
#include "sluice/plugin.h"

namespace sluice::plugin {

class Host {
 public:
  /// Throws std::invalid_argument where the topic template cannot be used with this plugin.
  Host(const Library& library, const InstanceOptions& options, Upstream& upstream, const Clock& clock,
       Metrics& metrics, Log log);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const sluice_host* abi() const { return &abi_; }
  Inbox& inbox() { return inbox_; }

  /// Whose cookies emit_durable answers from now on; null: nobody's.
  void set_incarnation(std::shared_ptr<Incarnation> incarnation);

  /// The next messages: OK, TIMEOUT or STOPPED. A negative time waits without limit.
  sluice_status next(HandedOut& messages, std::size_t max, std::int64_t timeout_ns);
  /// Reports the messages whose time limit has passed.
  void expire();
  /// Reports what is not completed as stopped, and refuses what comes.
  void close_inbox();

  /// emit answers STOPPED, stop_fd is readable, and whoever waits in a host function returns.
  void stop();
  /// Waits for the calls into the agent that are on their way; there are no more. After stop().
  void cut_off() { gate_.close(); }

  /// These do nothing, or read the system's clock, after cut_off().
  void log(Level level, std::string_view text) noexcept;
  Nanoseconds monotonic();
  void count_restart();
  void count_overrun();
  void fill(InstanceStatus& status) const;

 private:
  struct Counters {
    Counters(Metrics& metrics, const std::string& scope);
    Counter &emitted, &full, &invalid, &received, &completed, &refused, &retried, &timed_out, &late,
        &overruns, &restarts;
  };
  // The functions of sluice_host, with `self` turned into `this`.
  sluice_status emit(const sluice_array& messages, std::size_t* accepted);
  sluice_status emit_durable(const sluice_array& messages, std::uint64_t cookie);
  sluice_status wait_room(std::int64_t timeout_ns);
  sluice_status receive(const sluice_message** messages, std::size_t capacity, std::size_t* count,
                        std::int64_t timeout_ns);
  sluice_status complete(const sluice_completion* completion);

  template <typename F>
  static sluice_status guarded(void* self, const char* function, F&& body) noexcept;
  static sluice_host make_abi(Host& host);

  Stamp stamp() const;
  bool emits(const char* function);
  Fault convert(const sluice_array& messages, std::size_t index, const Stamp& now, Message& message) const;
  sluice_status refuse(const char* function, const Fault& fault);
  sluice_status refuse_if(const char* function, const Fault& fault);
  sluice_status refuse_message(const char* function, Fault fault, std::size_t index);
  sluice_status settle(Inbox::Answer answer, const char* function);

  const std::string name_;
  const bool may_emit_;
  const bool may_receive_;
  Upstream& upstream_;
  const Clock& clock_;
  const Log log_;
  const Converter converter_;
  Counters counters_;
  OwnMetrics own_metrics_;
  EventFd stop_event_;
  std::atomic<bool> stopping_{false};
  Inbox inbox_;
  HandedOut received_;  // by the last receive; of the thread of the instance
  Gate gate_;
  const sluice_host abi_;
  std::mutex mutex_;
  // guarded by mutex_
  std::shared_ptr<Incarnation> incarnation_;
  std::set<std::pair<std::string_view, std::string_view>> reported_;  // kinds of faults
};

}  // namespace sluice::plugin
