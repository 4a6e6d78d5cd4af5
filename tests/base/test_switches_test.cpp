// SPDX-License-Identifier: Apache-2.0
#include "base/test_switches.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "base/thread_state.hpp"
#include "support/wait_until.hpp"

namespace sluice {
namespace {

using test::wait_until;

// Read once a process: each of these has one of its own.
class TestSwitches : public testing::Test {
 protected:
  TestSwitches() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

class Loop {
 public:
  explicit Loop(const char* name) {
    std::thread([this, name] {
      id_ = this_thread();
      for (;;) {
        test_switches::stall(name);
        ++rounds_;
      }
    }).detach();
  }
  bool turns() const {
    return wait_until([this] { return rounds_ > 1000; });
  }
  // Nothing but the switch makes it sleep.
  bool hangs() const {
    return wait_until([this] { return id_ != 0 && state() == 'S' && rounds_ == 0; });
  }

 private:
  char state() const {
    std::ifstream file("/proc/self/task/" + std::to_string(id_) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t name_end = text.rfind(')');
    return text.size() > name_end + 2 ? text[name_end + 2] : '?';
  }

  std::atomic<pid_t> id_{0};
  std::atomic<int> rounds_{0};
};

TEST_F(TestSwitches, AreOffUnlessTheyAreSet) {
  EXPECT_EXIT(
      {
        ::unsetenv("SLUICE_TEST_STALL");
        ::unsetenv("SLUICE_TEST_SYNC");
        static const Loop storage("storage");
        const bool off =
            storage.turns() && !test_switches::sync_is_off() && test_switches::in_force().empty();
        ::_exit(off ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(TestSwitches, StallTheThreadThatIsNamed) {
  EXPECT_EXIT(
      {
        ::setenv("SLUICE_TEST_STALL", "storage:0", 1);
        ::_exit(Loop("session").turns() && Loop("storage").hangs() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(TestSwitches, StallNobodyBeforeTheTime) {
  EXPECT_EXIT(
      {
        ::setenv("SLUICE_TEST_STALL", "storage:3600", 1);
        ::_exit(Loop("storage").turns() ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(TestSwitches, SayWhatIsSet) {
  EXPECT_EXIT(
      {
        ::unsetenv("SLUICE_TEST_STALL");
        ::setenv("SLUICE_TEST_SYNC", "off", 1);
        const auto set = test_switches::in_force();
        ::_exit(test_switches::sync_is_off() && set.size() == 1 && set[0] == "SLUICE_TEST_SYNC=off" ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace sluice
