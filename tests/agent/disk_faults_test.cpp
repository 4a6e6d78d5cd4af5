// SPDX-License-Identifier: Apache-2.0
// The disk of the whole agent is full, read-only, or its folder removed: at intake, while it drains, and at the start. Nothing
// that was committed is lost, and it recovers by itself. Needs root, for mounts of its own; ext4 needs a loop device, too.
#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>

#include "agent/account.hpp"
#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/historian.hpp"
#include "support/small_disk.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

constexpr std::chrono::seconds long_patience{180};
constexpr std::uint64_t disk_bytes = 32 << 20;

class DiskFaults : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << disk_.why_not();
  }

  static BrokerOptions persistent() {
    BrokerOptions options;
    options.persistence = true;
    return options;
  }

  std::string state() const { return (disk_.path() / "state").string(); }

  std::string configuration(const std::string& inputs) const {
    return "[agent]\nid = \"gw\"\nstate_dir = \"" + state() + "\"\ncontrol_socket = \"" +
           agent_.directory().file("control.sock") +
           "\"\nplugin_dirs = [\"" SLUICE_BINARY_DIR "/plugins\", \"" SLUICE_TEST_PLUGIN_DIR
           "\"]\n[mqtt]\nbrokers = [\"" +
           broker_.url() +
           "\"]\nreconnect_min = \"20ms\"\nreconnect_max = \"100ms\"\nstatus_topic = \"\"\n[buffer]\n"
           "durability = \"strict\"\nreserve_free = \"0B\"\n[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\n" +
           inputs;
  }
  std::string inputs(int count) const {
    return account_.promising_input(200) +
           "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\ntopic = \"plant/sim\"\nrate = "
           "4000\npayload_size = 500\n"
           "count = " +
           std::to_string(count) + "\n";
  }
  void start(const std::string& with_inputs) {
    agent_.configure(configuration(with_inputs));
    agent_.start();
  }
  std::uint64_t committed() const {
    return agent_.buffer()["queues"]["mqtt"]["ledger"]["committed"].get<std::uint64_t>();
  }
  bool wait_committed(std::uint64_t count) const {
    return wait_until([&] { return committed() >= count; }, long_patience);
  }
  bool wait_degraded(bool degraded) const {
    return wait_until([&] { return agent_.buffer()["queues"]["mqtt"]["degraded"] == degraded; },
                      long_patience);
  }
  // Everything that is there is delivered, and the account settled.
  Account::Balance settle() {
    EXPECT_EQ(agent_.stop(), 0) << agent_.log();
    broker_.start();
    start("");
    EXPECT_TRUE(agent_.wait_drained(long_patience)) << agent_.buffer() << agent_.log();
    EXPECT_EQ(agent_.stop(), 0);
    Account::Balance balance;
    EXPECT_TRUE(wait_until([&] { return (balance = account_.balance()).lost == 0; })) << agent_.log();
    std::cout << balance << '\n';
    return balance;
  }

  SmallDisk disk_{GetParam(), disk_bytes};
  Broker broker_{persistent()};
  Historian historian_{broker_.port()};
  AgentProcess agent_{""};
  Account account_{agent_, historian_};
};

TEST_P(DiskFaults, FullAtIntakeHoldsTheInputsAndRecovers) {
  start(inputs(40'000));
  broker_.stop();
  ASSERT_TRUE(wait_committed(500)) << agent_.log();
  disk_.fill();
  ASSERT_TRUE(wait_degraded(true)) << agent_.buffer() << agent_.log();
  disk_.free();
  ASSERT_TRUE(wait_degraded(false)) << agent_.buffer() << agent_.log();
  ASSERT_TRUE(wait_committed(committed() + 500)) << agent_.buffer() << agent_.log();
  settle();
}

TEST_P(DiskFaults, FullWhileItDrainsGoesOnDrainingAlsoAfterAKill) {
  broker_.stop();
  start(inputs(8000));
  ASSERT_TRUE(wait_committed(8000)) << agent_.log();
  ASSERT_EQ(agent_.stop(), 0);
  const auto before = agent_.buffer()["messages"].get<std::uint64_t>();
  disk_.fill();
  broker_.start();
  start("");
  ASSERT_TRUE(wait_until([&] { return historian_.read(), historian_.arrived() > 1000; })) << agent_.log();
  agent_.kill();
  disk_.fill();  // what it has given back is taken by others
  start("");
  ASSERT_TRUE(agent_.wait_drained(long_patience)) << agent_.buffer() << agent_.log();
  // Noted on the full disk: nothing of it is sent again.
  EXPECT_EQ(agent_.stop(), 0);
  // The broker passes them on in order.
  ASSERT_TRUE(wait_until([&] { return historian_.read(), historian_.ids().size() >= before; }));
  const std::size_t arrived = historian_.arrived();
  disk_.free();
  const Account::Balance balance = settle();
  EXPECT_EQ(balance.delivered, before);
  EXPECT_EQ(balance.counted_away, 0U);
  EXPECT_EQ(historian_.arrived(), arrived);
}

TEST_P(DiskFaults, FullAtTheStartDeliversAndCollectsAgain) {
  broker_.stop();
  start(inputs(3000));
  ASSERT_TRUE(wait_committed(3000)) << agent_.log();
  ASSERT_EQ(agent_.stop(), 0);
  std::filesystem::remove(std::filesystem::path(state()) / "queue" / "mqtt" / "reserve");
  disk_.fill();
  broker_.start();
  start(inputs(2000));
  ASSERT_TRUE(wait_until([&] { return historian_.read(), historian_.ids().size() >= 5000; }, long_patience))
      << agent_.buffer() << agent_.log();
  disk_.free();
  ASSERT_TRUE(wait_degraded(false)) << agent_.buffer() << agent_.log();
  EXPECT_EQ(settle().counted_away, 0U);
}

TEST_P(DiskFaults, TheStateDirectoryRemovedUnderItIsMadeAgain) {
  start(inputs(40'000));
  broker_.stop();
  ASSERT_TRUE(wait_committed(2000)) << agent_.log();
  std::filesystem::remove_all(state());
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(state() + "/queue/mqtt/state.sqlite"); },
                         long_patience))
      << agent_.log();
  ASSERT_TRUE(wait_committed(committed() + 1000)) << agent_.buffer() << agent_.log();
  ASSERT_TRUE(wait_degraded(false)) << agent_.buffer() << agent_.log();
  // Only what was not open is lost, and that is counted.
  settle();
}

TEST_P(DiskFaults, ReadOnlyAtTheStartWaitsAndRecovers) {
  broker_.stop();
  start(inputs(2000));
  ASSERT_TRUE(wait_committed(2000)) << agent_.log();
  ASSERT_EQ(agent_.stop(), 0);
  ASSERT_TRUE(disk_.remount(true));
  agent_.configure(configuration(inputs(1000)));
  agent_.launch();
  ASSERT_TRUE(wait_until([&] { return agent_.command({"status"}).status == 0; })) << agent_.log();
  ASSERT_TRUE(wait_degraded(true)) << agent_.buffer() << agent_.log();
  ASSERT_TRUE(disk_.remount(false));
  ASSERT_TRUE(wait_degraded(false)) << agent_.buffer() << agent_.log();
  ASSERT_TRUE(wait_committed(3000)) << agent_.buffer() << agent_.log();
  EXPECT_EQ(settle().counted_away, 0U);
}

TEST_P(DiskFaults, ReadOnlyUnderItLosesNothingThatWasCommitted) {
  if (std::string(GetParam()) != "ext4")
    GTEST_SKIP() << GetParam() << " does not become read-only while it is written to";
  start(inputs(40'000));
  broker_.stop();
  ASSERT_TRUE(wait_committed(2000)) << agent_.log();
  ASSERT_TRUE(disk_.fail());
  ASSERT_TRUE(wait_degraded(true)) << agent_.buffer() << agent_.log();
  agent_.kill();
  ASSERT_TRUE(disk_.mount_again());
  broker_.start();
  start(inputs(1000));
  ASSERT_TRUE(wait_degraded(false)) << agent_.buffer() << agent_.log();
  ASSERT_TRUE(wait_committed(1)) << agent_.log();
  EXPECT_EQ(settle().counted_away, 0U);
}

INSTANTIATE_TEST_SUITE_P(On, DiskFaults, testing::Values("tmpfs", "ext4"),
                         [](const auto& disk) { return std::string(disk.param); });

}  // namespace
}  // namespace sluice::test
