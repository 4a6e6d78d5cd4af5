// SPDX-License-Identifier: Apache-2.0
// What systemd is told (sd_notify(3)); does nothing where the agent was not started by it. Any thread.
#pragma once

#include <chrono>
#include <string>

namespace sluice {

class ServiceManager {
 public:
  void ready() const;
  /// Reloading: followed by ready().
  void reloading() const;
  void stopping() const;
  /// One line for `systemctl status`.
  void status(const std::string& text) const;
  /// Still alive; to be called when the threads that matter have moved.
  void feed_watchdog() const;
  /// Half of WatchdogSec, the pace at which to feed; zero: no watchdog is set.
  std::chrono::milliseconds feeding_interval() const;
};

}  // namespace sluice
