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
  constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20U;
  std::uint64_t free = 100 * mebibyte;
  Room room(1000 * mebibyte, 50 * mebibyte, [&] { return std::optional(Space{free, 10'000 * mebibyte}); });
  EXPECT_TRUE(room.fits(200 * mebibyte, 240 * mebibyte));
  EXPECT_FALSE(room.fits(200 * mebibyte, 1001 * mebibyte));
  EXPECT_EQ(room.limit(), Limit::max_bytes);
  free = 40 * mebibyte;
  EXPECT_FALSE(room.fits(240 * mebibyte, 250 * mebibyte));
  EXPECT_EQ(room.limit(), Limit::reserve_free);
  // What it had when the disk ran short, it may have again.
  EXPECT_TRUE(room.fits(150 * mebibyte, 240 * mebibyte));
  EXPECT_FALSE(room.fits(150 * mebibyte, 250 * mebibyte));
  free = 0;
  EXPECT_FALSE(room.fits(150 * mebibyte, 250 * mebibyte));
  EXPECT_EQ(room.limit(), Limit::disk_full);
  free = 500 * mebibyte;
  EXPECT_TRUE(room.fits(150 * mebibyte, 250 * mebibyte));
}

}  // namespace
}  // namespace sluice::queue
