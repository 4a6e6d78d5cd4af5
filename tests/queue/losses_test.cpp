// SPDX-License-Identifier: Apache-2.0
#include "queue/losses.hpp"

#include <gtest/gtest.h>

#include "queue/room.hpp"

namespace sluice::queue {
namespace {

TEST(CommonFilter, HasBothAndNoMoreThanTheirLevelsNeed) {
  EXPECT_EQ(common_filter("", "a/b"), "a/b");
  EXPECT_EQ(common_filter("a/b", "a/b"), "a/b");
  EXPECT_EQ(common_filter("a/b/c", "a/x/c"), "a/+/c");
  EXPECT_EQ(common_filter("a/+/c", "a/b/c"), "a/+/c");
  EXPECT_EQ(common_filter("a/+/c", "a/b/d"), "a/+/+");
  EXPECT_EQ(common_filter("a/b", "a/b/c"), "a/b/#");
  EXPECT_EQ(common_filter("a/b/c", "a"), "a/#");
  EXPECT_EQ(common_filter("a/b/#", "a/b"), "a/b/#");
  EXPECT_EQ(common_filter("a/b/#", "a/b/c/d"), "a/b/#");
  EXPECT_EQ(common_filter("a/b/#", "a/c/d"), "a/+/#");
  EXPECT_EQ(common_filter("a/#", "b"), "+/#");
  EXPECT_EQ(common_filter("#", "a/b"), "#");
}

TEST(Losses, MergesUntilOneIsOnItsWay) {
  Losses losses;
  losses.begin(7);
  Loss loss;
  add_to(loss, "a/x", 20);
  losses.add(loss);
  add_to(loss, "a/y", 10);
  losses.add(loss);
  auto taken = losses.take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].id, "loss/7/1");
  EXPECT_EQ(taken[0].filter, "a/+");
  EXPECT_EQ(taken[0].first_ns, 10);
  EXPECT_EQ(taken[0].last_ns, 20);
  EXPECT_EQ(taken[0].count, 3U);
  EXPECT_TRUE(losses.take().empty());

  losses.add(loss);
  loss.newest = true;
  losses.add(loss);
  EXPECT_EQ(losses.all().size(), 3U);
  losses.acknowledge(taken[0].id);
  taken = losses.take();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].id, "loss/7/2");
  losses.give_back(taken[1].id);
  EXPECT_EQ(losses.take().at(0), taken[1]);
}

TEST(Room, DoesNotLetTheQueueGrowWhereTheDiskIsShort) {
  std::uint64_t free = 1000;
  Room room(10'000, 500, [&] { return std::optional(Space{free, 100'000}); });
  EXPECT_TRUE(room.fits(2000, 2400));
  EXPECT_FALSE(room.fits(2000, 10'001));
  EXPECT_EQ(room.limit(), Limit::max_bytes);
  free = 400;
  EXPECT_FALSE(room.fits(2400, 2500));
  EXPECT_EQ(room.limit(), Limit::reserve_free);
  // What it had when the disk ran short, it may have again.
  EXPECT_TRUE(room.fits(1500, 2400));
  EXPECT_FALSE(room.fits(1500, 2500));
  free = 5000;
  EXPECT_TRUE(room.fits(1500, 2500));
}

}  // namespace
}  // namespace sluice::queue
