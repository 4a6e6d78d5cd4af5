// SPDX-License-Identifier: Apache-2.0
// kill -9 of the agent at random moments: while it fills, while it drains, and while it does both. Nothing that was committed is
// lost, and the ledger adds up after each kill.
//
// SLUICE_TEST_KILLS: how many in each case, 200 with SLUICE_FULL=1. SLUICE_SEED repeats a run, as far as the machine does.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "agent/account.hpp"
#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/dose.hpp"
#include "support/historian.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

using std::chrono::milliseconds;

struct Queueing {
  const char* name;
  const char* buffer;  // keys of [buffer]
  const char* routes;  // before the one for everything
};

class Kill : public testing::TestWithParam<Queueing> {
 protected:
  std::string configuration(bool inputs) const {
    std::string text =
        "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\nplugin_dirs = [\"" + std::string(SLUICE_BINARY_DIR) +
        "/plugins\", \"" + SLUICE_TEST_PLUGIN_DIR + "\"]\n[mqtt]\nbrokers = [\"" + broker_.url() +
        "\"]\nreconnect_min = \"20ms\"\nreconnect_max = \"100ms\"\nstatus_topic = \"\"\n[buffer]\n" +
        GetParam().buffer + GetParam().routes + "[[route]]\nmatch = \"#\"\nto = [\"mqtt\"]\n";
    if (inputs) {
      text += account_.promising_input(500) +
              "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\ntopic = \"plant/sim\"\nrate = 2000\n";
    }
    return text;
  }

  static BrokerOptions persistent() {
    BrokerOptions options;
    options.persistence = true;
    return options;
  }

  Broker broker_{persistent()};
  Historian historian_{broker_.port()};
  AgentProcess agent_{""};
  Account account_{agent_, historian_};
};

TEST_P(Kill, AtAnyMomentLosesNothing) {
  const int kills = dose("SLUICE_TEST_KILLS", 6, 200);
  std::mt19937 random(seed());
  for (int killed = 0; killed < kills; ++killed) {
    const bool drains = killed % 3 != 0;
    const bool fills = killed % 3 != 1;
    if (drains) {
      broker_.start();
    } else {
      broker_.stop();
    }
    agent_.configure(configuration(fills));
    agent_.launch();
    // Mostly once it is at work; sometimes while it starts. Nothing announces the moment: it is drawn.
    if (random() % 4 != 0) {
      ASSERT_TRUE(wait_until([&] { return agent_.command({"status"}).status == 0; })) << agent_.log();
    }
    EXPECT_FALSE(wait_until([&] { return !agent_.running(); }, milliseconds(random() % 800))) << agent_.log();
    agent_.kill();
    ASSERT_NO_THROW(account_.look_at_the_queue());
  }
  broker_.start();
  agent_.configure(configuration(false));
  agent_.start();
  ASSERT_TRUE(agent_.wait_drained(std::chrono::minutes(3))) << agent_.buffer() << agent_.log();
  ASSERT_EQ(agent_.stop(), 0);
  // It goes through a broker: what the agent knows as delivered may still be on its way.
  Account::Balance balance;
  EXPECT_TRUE(wait_until([&] { return (balance = account_.balance()).lost == 0; })) << agent_.log();
  std::cout << balance << '\n';
  EXPECT_GT(balance.promised, 0U);
  EXPECT_EQ(balance.counted_away, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Queues, Kill,
    testing::Values(Queueing{"Strict", "durability = \"strict\"\n", ""},
                    Queueing{"Balanced", "durability = \"balanced\"\n", ""},
                    Queueing{"LiveFirst", "durability = \"strict\"\norder = \"live-first\"\n", ""},
                    Queueing{"Lanes", "durability = \"strict\"\n",
                             "[[route]]\nmatch = \"plant/#\"\nto = [\"mqtt\"]\npriority = "
                             "\"low\"\n"}),
    [](const auto& queueing) { return std::string(queueing.param.name); });

}  // namespace
}  // namespace sluice::test
