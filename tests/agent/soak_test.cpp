// SPDX-License-Identifier: Apache-2.0
// 2,000 messages a second while everything fails in turn: the broker stops, freezes, the link is cut, the agent is killed.
// Nothing is lost, the ledger adds up, memory and descriptors stay as they were.
//
// Two minutes; ten with SLUICE_FULL=1; SLUICE_TEST_SOAK=SECONDS. SLUICE_SEED repeats the order of faults.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <random>
#include <sstream>

#include "agent/account.hpp"
#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/cutting_proxy.hpp"
#include "support/dose.hpp"
#include "support/historian.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Footprint {
  std::size_t resident_kib = 0;
  std::size_t descriptors = 0;
};

Footprint footprint_of(pid_t pid) {
  namespace fs = std::filesystem;
  const fs::path process = fs::path("/proc") / std::to_string(pid);
  Footprint now;
  std::istringstream lines(read_file(process / "status"));
  for (std::string word; lines >> word;) {
    if (word == "VmRSS:") lines >> now.resident_kib;
  }
  now.descriptors = static_cast<std::size_t>(
      std::distance(fs::directory_iterator(process / "fd"), fs::directory_iterator()));
  return now;
}

class Soak : public testing::Test {
 protected:
  static BrokerOptions quiet() {
    BrokerOptions options;
    options.persistence = true;
    options.extra = "log_type none\nlog_type error\n";  // a line a message would fill the disk
    return options;
  }

  std::string configuration(bool inputs) const {
    std::string text =
        "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\nplugin_dirs = [\"" SLUICE_BINARY_DIR
        "/plugins\", \"" SLUICE_TEST_PLUGIN_DIR "\"]\n[mqtt]\nbrokers = [\"" +
        proxy_.url() +
        "\"]\nkeepalive = \"5s\"\nack_timeout = \"2s\"\nconnect_timeout = \"2s\"\nreconnect_min = \"20ms\"\n"
        "reconnect_max = \"200ms\"\nclean_start = false\nsession_expiry = \"1h\"\n[[route]]\nmatch = \"#\"\n"
        "to = [\"mqtt\"]\n";
    if (inputs) {
      text += account_.promising_input(100) +
              "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\ntopic = \"plant/sim\"\nrate = 1900\n";
    }
    return text;
  }

  bool is_up() const { return agent_.status()["session"]["state"] == "up"; }
  // A drawn time, which nothing announces.
  static void let_pass(milliseconds time) {
    const auto until = Steady::now() + time;
    wait_until([&] { return Steady::now() >= until; }, time);
  }

  void make_a_fault(unsigned kind, milliseconds lasting) {
    switch (kind) {
      case 0:
        broker_.stop();
        let_pass(lasting);
        broker_.start();
        return;
      case 1:
        broker_.pause();
        let_pass(lasting);
        broker_.resume();
        return;
      case 2:
        agent_.kill();
        account_.look_at_the_queue();
        agent_.start();
        return;
      default:
        proxy_.cut();
    }
  }

  Broker broker_{quiet()};
  Historian historian_{broker_.port()};
  CuttingProxy proxy_{broker_.port()};
  AgentProcess agent_{""};
  Account account_{agent_, historian_};
};

TEST_F(Soak, UnderMixedFaultsLosesNothingAndStaysAsItWas) {
  const seconds duration(dose("SLUICE_TEST_SOAK", 120, 600));
  std::mt19937 random(seed());
  agent_.configure(configuration(true));
  agent_.start();
  std::array<int, 4> faults{};
  const auto begin = Steady::now();
  std::optional<Footprint> first;  // of the last life, once it is at work
  Footprint most;
  while (Steady::now() - begin < duration) {
    ASSERT_TRUE(wait_until([&] { return is_up(); })) << agent_.log();
    const std::size_t before = (historian_.read(), historian_.arrived());
    ASSERT_TRUE(wait_until([&] { return historian_.read(), historian_.arrived() > before + 1000; }))
        << agent_.buffer() << agent_.log();
    const Footprint now = footprint_of(agent_.pid());
    most.resident_kib = std::max(most.resident_kib, now.resident_kib);
    most.descriptors = std::max(most.descriptors, now.descriptors);
    // One life lasts for the second half, to see it grow.
    const bool may_kill = Steady::now() - begin < duration / 2;
    if (!may_kill && !first) first = now;
    const unsigned kind = may_kill ? random() % 4 : std::array{0U, 1U, 3U}[random() % 3];
    ++faults[kind];
    make_a_fault(kind, milliseconds(random() % 4000));
  }
  ASSERT_TRUE(wait_until([&] { return is_up(); })) << agent_.log();
  const Footprint last = footprint_of(agent_.pid());
  const auto emitted = historian_.arrived();
  ASSERT_EQ(agent_.stop(), 0) << agent_.log();

  agent_.configure(configuration(false));
  agent_.start();
  ASSERT_TRUE(agent_.wait_drained(std::chrono::minutes(5))) << agent_.buffer() << agent_.log();
  ASSERT_EQ(agent_.stop(), 0);
  Account::Balance balance;
  EXPECT_TRUE(wait_until([&] { return (balance = account_.balance()).lost == 0; })) << agent_.log();
  std::cout << balance << '\n';
  std::cout << duration.count() << " s, " << emitted << " arrived under faults: broker stopped " << faults[0]
            << ", frozen " << faults[1] << ", agent killed " << faults[2] << ", link cut " << faults[3]
            << "; resident " << first.value_or(last).resident_kib << " KiB, at last " << last.resident_kib
            << ", at most " << most.resident_kib << "; descriptors " << first.value_or(last).descriptors
            << ", at last " << last.descriptors << ", at most " << most.descriptors << '\n';
  EXPECT_EQ(balance.counted_away, 0U);
  EXPECT_GT(balance.promised, 0U);
  // A backlog read from the disk takes its share of [buffer] memory, 4 MiB, and the caches of the files that are open.
  constexpr std::size_t room_kib = 8 * 1024;
  EXPECT_LE(last.resident_kib, first.value_or(last).resident_kib + room_kib);
  constexpr std::size_t a_few = 12;  // files of the queue that come and go
  EXPECT_LE(last.descriptors, first.value_or(last).descriptors + a_few);
  constexpr std::size_t enough = 100;
  EXPECT_LE(most.descriptors, enough);
}

}  // namespace
}  // namespace sluice::test
