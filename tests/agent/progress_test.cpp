// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(Progress, IsMadeWhileTheHeartbeatRises) {
  Progress progress;
  progress.observe(1, false, 10s);
  EXPECT_EQ(progress.last(), 10s);
  progress.observe(2, false, 11s);
  EXPECT_EQ(progress.last(), 11s);
}

TEST(Progress, IsNotMadeByAThreadThatNeverBegan) {
  Progress progress;
  progress.observe(0, false, 10s);
  EXPECT_EQ(progress.last(), 0s);
}

TEST(Progress, EndsWhenTheHeartbeatStops) {
  Progress progress;
  progress.observe(1, false, 10s);
  progress.observe(1, false, 11s);
  EXPECT_EQ(progress.last(), 10s);
}

TEST(Progress, GoesOnForFiveMinutesOfWaitingForWhatIsOutside) {
  Progress progress;
  progress.observe(1, false, 10s);
  progress.observe(1, true, 60s);
  EXPECT_EQ(progress.last(), 60s);
  progress.observe(1, true, 310s);
  EXPECT_EQ(progress.last(), 310s);
  progress.observe(1, true, 311s);
  EXPECT_EQ(progress.last(), 310s);
}

TEST(Progress, HasFiveMinutesAgainOnceTheThreadHasMoved) {
  Progress progress;
  progress.observe(1, false, 10s);
  progress.observe(1, true, 400s);
  EXPECT_EQ(progress.last(), 10s);
  progress.observe(2, true, 401s);
  progress.observe(2, true, 700s);
  EXPECT_EQ(progress.last(), 700s);
}

}  // namespace
}  // namespace sluice
