// SPDX-License-Identifier: Apache-2.0
#include "service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <ctime>

namespace sluice {

void ServiceManager::ready() const {
  sd_notify(0, "READY=1");
}

void ServiceManager::reloading() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
             static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000);
}

void ServiceManager::stopping() const {
  sd_notify(0, "STOPPING=1");
}

void ServiceManager::status(const std::string& text) const {
  sd_notifyf(0, "STATUS=%s", text.c_str());
}

void ServiceManager::feed_watchdog() const {
  sd_notify(0, "WATCHDOG=1");
}

std::chrono::milliseconds ServiceManager::feeding_interval() const {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return std::chrono::milliseconds(0);
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds(microseconds / 2));
}

}  // namespace sluice
