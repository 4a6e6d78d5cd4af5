// SPDX-License-Identifier: Apache-2.0
#include "route/filter_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "route/topic.hpp"

namespace sluice::route {
namespace {

std::vector<std::uint32_t> found_in(const FilterTree& tree, std::string_view topic) {
  std::vector<std::uint32_t> ids;
  tree.match(topic, [&](std::uint32_t id) { ids.push_back(id); });
  std::sort(ids.begin(), ids.end());
  return ids;
}

TEST(FilterTree, WithoutFiltersMatchesNothing) {
  EXPECT_TRUE(found_in(FilterTree(), "a/b").empty());
}

TEST(FilterTree, FindsAFilterThatWasAddedTwiceUnderBothIds) {
  FilterTree tree;
  tree.add("a/+", 0);
  tree.add("a/#", 1);
  tree.add("a/+", 2);
  tree.add("a/#", 3);
  EXPECT_EQ(found_in(tree, "a/b"), (std::vector<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_EQ(found_in(tree, "a"), (std::vector<std::uint32_t>{1, 3}));
}

// Few and short level texts, so that nearly every pair of a filter and a topic comes near to a match.
class RandomTopics {
 public:
  std::string filter() {
    std::string text = levels(true);
    if (chance(3)) text += "/#";
    return chance(20) ? "#" : text;
  }
  std::string topic() { return levels(false); }
  std::size_t count(std::size_t most) { return std::uniform_int_distribution<std::size_t>(1, most)(random_); }

 private:
  bool chance(unsigned one_in) { return std::uniform_int_distribution<unsigned>(1, one_in)(random_) == 1; }

  std::string levels(bool wildcards) {
    static constexpr const char* texts[] = {"a", "b", "", "ab", "$x", "$SYS"};
    std::string text;
    const std::size_t depth = count(5);
    for (std::size_t i = 0; i < depth; ++i) {
      if (i != 0) text += '/';
      text += wildcards && chance(3)
                  ? "+"
                  : texts[std::uniform_int_distribution<std::size_t>(0, std::size(texts) - 1)(random_)];
    }
    // A single empty level is no topic.
    return text.empty() ? "a" : text;
  }

  std::mt19937 random_{20260131};
};

TEST(FilterTree, AgreesWithTheDefinitionForRandomFiltersAndTopics) {
  RandomTopics random;
  std::size_t matched = 0;
  for (int round = 0; round < 400; ++round) {
    FilterTree tree;
    std::vector<std::string> filters(random.count(60));
    for (std::uint32_t id = 0; id < filters.size(); ++id) {
      filters[id] = random.filter();
      ASSERT_TRUE(valid_filter(filters[id])) << filters[id];
      tree.add(filters[id], id);
    }
    for (int i = 0; i < 50; ++i) {
      const std::string topic = random.topic();
      std::vector<std::uint32_t> expected;
      for (std::uint32_t id = 0; id < filters.size(); ++id) {
        if (matches(filters[id], topic)) expected.push_back(id);
      }
      ASSERT_EQ(found_in(tree, topic), expected) << topic;
      matched += expected.size();
    }
  }
  EXPECT_GT(matched, 10'000U);
}

TEST(FilterTree, GoesAsDeepAsItsLongestFilters) {
  std::string plus = "+";
  std::string text = "a";
  for (std::size_t i = 1; i < FilterTree::max_levels; ++i) {
    plus += "/+";
    text += "/a";
  }
  FilterTree tree;
  tree.add(plus, 0);
  tree.add(text, 1);
  EXPECT_EQ(found_in(tree, text), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_TRUE(found_in(tree, std::string(65535, '/')).empty());
}

TEST(FilterTree, TakesNoMoreStepsWhereMoreFiltersDoNotMatch) {
  const auto steps_among = [](std::uint32_t filters) {
    FilterTree tree;
    for (std::uint32_t id = 0; id < filters; ++id) {
      tree.add("plant/line" + std::to_string(id) + "/+/temperature", id);
    }
    std::size_t steps = 0;
    for (std::uint32_t id = 0; id < filters; ++id) {
      steps += tree.match("plant/line" + std::to_string(id) + "/oven/temperature", [](auto) {});
    }
    return static_cast<double>(steps) / filters;
  };
  // 5 nodes, 4 lookups and a filter; a lookup in the hash table may have to pass over a few others.
  const double few = steps_among(10);
  EXPECT_LE(few, 13);
  EXPECT_LE(steps_among(10'000), few + 3);
}

}  // namespace
}  // namespace sluice::route
