// SPDX-License-Identifier: Apache-2.0
// A running instance of a plugin: one thread that creates it, lets it run, poll or handle, and after a failure
// destroys it, backs off and creates it anew. Owned by the agent. All functions but the constructor, start and
// the destructor are for any thread.
//
// An instance that does not end in time is abandoned: its thread is left alone, and all that the plugin can reach
// (host, settings, messages) is kept for ever. It calls nothing of the agent's once the Instance is destroyed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/mailbox.hpp"
#include "base/message.hpp"
#include "base/metrics.hpp"
#include "base/settings.hpp"
#include "plugin/library.hpp"
#include "plugin/upstream.hpp"

namespace sluice::plugin {

/// How long an instance has to end after request_stop().
constexpr std::chrono::seconds stop_grace{2};

struct InstanceOptions {
  std::string name;  ///< in the configuration: {input}
  std::string plugin;
  std::string agent_id;  ///< {agent}
  bool is_input =
      true;  ///< [[input]], or [[output]]: the scope of its metrics is "input.NAME" or "output.NAME"
  std::string topic_template = "{agent}/{input}";
  std::chrono::nanoseconds interval = std::chrono::seconds(1);  ///< of a polled plugin
  Setting settings;                                             ///< what check_settings answered
  /// Limits of what was delivered and not completed yet.
  std::size_t mailbox_messages = 1000;
  std::size_t mailbox_bytes = std::size_t{1} << 20U;
  std::chrono::nanoseconds complete_within = std::chrono::seconds(30);
  std::chrono::milliseconds backoff_min = std::chrono::seconds(1);
  std::chrono::milliseconds backoff_max = std::chrono::seconds(60);
  Place place;  ///< where it is configured
};

enum class InstanceState : std::uint8_t {
  idle,      ///< not started
  starting,  ///< in create
  running,
  waiting,  ///< failed, and backing off: last_error says why
  stopped,  ///< for good: asked to, or its run ended by itself
  stuck     ///< did not end in time, and was abandoned
};
std::string_view to_string(InstanceState state);

/// The counts are those of the metrics of the instance's name: they go on where it is stopped and another takes its
/// place.
struct InstanceStatus {
  InstanceState state = InstanceState::idle;
  std::string last_error;       ///< of the last failure, also after it recovered
  std::uint64_t restarts = 0;   ///< failures after which it was, or will be, created anew
  std::uint64_t emitted = 0;    ///< messages accepted from it
  std::uint64_t invalid = 0;    ///< calls that broke a rule of plugin.h
  std::uint64_t received = 0;   ///< messages handed to it, those handed again counted again
  std::uint64_t completed = 0;  ///< answered: done
  std::uint64_t refused = 0;
  std::uint64_t retried = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t late = 0;       ///< answers after the time limit
  std::uint64_t overruns = 0;   ///< polls that took longer than the interval
  std::size_t mailbox = 0;      ///< messages that wait
  std::size_t outstanding = 0;  ///< messages handed out and not completed
};

class Instance {
 public:
  /// Throws std::invalid_argument for options that the checks of schema.hpp would refuse.
  Instance(const Library& library, InstanceOptions options, Upstream& upstream, const Clock& clock,
           Metrics& metrics, Log log);
  /// Stops it, waiting up to stop_grace where nobody did.
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const std::string& name() const;
  bool takes() const;

  void start();

  /// Puts a message into the mailbox; the caller counts what is `full`. `closed`: the instance has ended, or takes
  /// no messages. On both the delivery is left as it was.
  Push deliver(Delivery&& delivery);

  /// Lets it end: emit answers STOPPED, stop_fd is readable, the plugin's stop is called. Does not block.
  void request_stop();

  /// Waits until it has ended. false: it had not at `deadline`, so it is stuck and has been abandoned. After
  /// request_stop(), by one thread.
  bool join(std::chrono::steady_clock::time_point deadline);

  /// Reports the messages whose time limit has passed (Upstream::completed). The instance does so itself when its
  /// plugin asks for messages or answers one; a plugin that does neither needs the agent to call this now and then.
  void expire();

  InstanceStatus status() const;

 private:
  class Life;
  std::shared_ptr<Life> life_;  // shared with its thread, which survives an Instance that was abandoned
};

}  // namespace sluice::plugin
