// SPDX-License-Identifier: Apache-2.0
#include "base/test_switches.hpp"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>

namespace sluice::test_switches {
namespace {

using Steady = std::chrono::steady_clock;

constexpr const char* stall_name = "SLUICE_TEST_STALL";
constexpr const char* sync_name = "SLUICE_TEST_SYNC";

struct Stall {
  std::string thread;  // empty: none
  std::chrono::seconds after{0};
};

Stall read_stall() {
  const char* value = std::getenv(stall_name);
  if (value == nullptr) return {};
  const std::string_view text(value);
  const std::size_t colon = text.find(':');
  Stall stall{std::string(text.substr(0, colon)), std::chrono::seconds(0)};
  if (colon != std::string_view::npos) {
    const std::string_view seconds = text.substr(colon + 1);
    long long number = 0;
    std::from_chars(seconds.data(), seconds.data() + seconds.size(), number);
    stall.after = std::chrono::seconds(number);
  }
  return stall;
}

}  // namespace

void stall(std::string_view thread) {
  static const Stall asked = read_stall();
  if (asked.thread.empty() || asked.thread != thread) return;
  static const Steady::time_point from = Steady::now() + asked.after;
  if (Steady::now() < from) return;
  for (;;) ::pause();
}

bool sync_is_off() {
  static const char* value = std::getenv(sync_name);
  static const bool off = value != nullptr && std::string_view(value) == "off";
  return off;
}

std::vector<std::string> in_force() {
  std::vector<std::string> set;
  for (const char* name : {stall_name, sync_name}) {
    if (const char* value = std::getenv(name)) set.push_back(std::string(name) + "=" + value);
  }
  return set;
}

}  // namespace sluice::test_switches
