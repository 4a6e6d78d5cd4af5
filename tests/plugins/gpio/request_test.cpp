// SPDX-License-Identifier: Apache-2.0
#include "request.hpp"

#include <gtest/gtest.h>

#include <string>

#include "debounce.hpp"

namespace sluice::gpio {
namespace {

LineOptions input() {
  return LineOptions{};
}
LineOptions output() {
  LineOptions line;
  line.output = true;
  line.edges = Edges::none;
  return line;
}

TEST(Request, SaysOfEachLineWhatWasAsked) {
  LineOptions first = input();
  first.bias = Bias::pull_up;
  first.active_low = true;
  first.edges = Edges::rising;
  LineOptions second = input();
  second.debounce = std::chrono::milliseconds(5);
  LineOptions third = output();
  third.drive = Drive::open_drain;
  third.initial = true;
  const ::gpio_v2_line_request request =
      make_request({{&first, 7}, {&second, 8}, {&third, 9}}, std::string(40, 'x'), 100);
  EXPECT_EQ(request.num_lines, 3u);
  EXPECT_EQ(request.offsets[2], 9u);
  EXPECT_EQ(request.event_buffer_size, 100u);
  EXPECT_EQ(std::string(request.consumer), std::string(31, 'x'));
  std::uint64_t flags[3] = {request.config.flags, request.config.flags, request.config.flags};
  std::uint64_t values = 0;
  std::uint64_t outputs = 0;
  for (std::uint32_t i = 0; i < request.config.num_attrs; ++i) {
    const auto& one = request.config.attrs[i];
    for (unsigned bit = 0; bit < 3; ++bit) {
      if (one.attr.id == GPIO_V2_LINE_ATTR_ID_FLAGS && (one.mask >> bit & 1) != 0)
        flags[bit] = one.attr.flags;
    }
    if (one.attr.id == GPIO_V2_LINE_ATTR_ID_DEBOUNCE) {
      EXPECT_EQ(one.mask, 2u);
      EXPECT_EQ(one.attr.debounce_period_us, 5000u);
    }
    if (one.attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES) {
      values = one.attr.values;
      outputs = one.mask;
    }
  }
  EXPECT_EQ(flags[0], GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_ACTIVE_LOW |
                          GPIO_V2_LINE_FLAG_BIAS_PULL_UP | GPIO_V2_LINE_FLAG_EDGE_RISING);
  EXPECT_EQ(flags[1],
            GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING);
  EXPECT_EQ(flags[2], GPIO_V2_LINE_FLAG_OUTPUT | GPIO_V2_LINE_FLAG_OPEN_DRAIN);
  EXPECT_EQ(outputs, 4u);
  EXPECT_EQ(values, 4u);
}

TEST(Request, AsksForBothEdgesOfALineThatIsDebouncedHere) {
  LineOptions line = input();
  line.edges = Edges::rising;
  line.debounce = std::chrono::milliseconds(5);
  const ::gpio_v2_line_request request = make_request({{&line, 0, true}}, "c", 16);
  EXPECT_EQ(request.config.num_attrs, 0u);
  EXPECT_EQ(request.config.flags,
            GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING);
}

TEST(Request, TakesAsManyLinesAsTheKernelCan) {
  std::vector<LineOptions> lines(150, input());
  std::vector<Wanted> wanted;
  for (std::size_t i = 0; i < lines.size(); ++i) wanted.push_back({&lines[i], static_cast<std::uint32_t>(i)});
  std::vector<std::size_t> sizes;
  for (const auto& group : make_groups(wanted)) sizes.push_back(group.size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{64, 64, 22}));
}

TEST(Request, NeverNeedsMoreAttributesThanThereAre) {
  std::vector<LineOptions> lines(24, input());
  std::vector<Wanted> wanted;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i].debounce = std::chrono::milliseconds(i + 1);
    lines[i].active_low = i % 2 == 0;
    wanted.push_back({&lines[i], static_cast<std::uint32_t>(i)});
  }
  std::size_t seen = 0;
  for (const auto& group : make_groups(wanted)) {
    std::vector<Wanted> members;
    for (const std::size_t index : group) {
      EXPECT_EQ(index, seen++);
      members.push_back(wanted[index]);
    }
    EXPECT_LE(make_request(members, "c", 16).config.num_attrs, std::uint32_t{GPIO_V2_LINE_NUM_ATTRS_MAX});
  }
  EXPECT_EQ(seen, lines.size());
}

TEST(Debounce, CountsAChangeOnceTheLineIsSteady) {
  Debounce debounce(std::chrono::nanoseconds(100), false);
  EXPECT_FALSE(debounce.deadline_ns().has_value());
  debounce.edge(1000);
  debounce.edge(1050);
  EXPECT_EQ(debounce.deadline_ns(), 1150);
  EXPECT_EQ(debounce.steady(true), 1050);
  EXPECT_FALSE(debounce.deadline_ns().has_value());
}

TEST(Debounce, ForgetsASpike) {
  Debounce debounce(std::chrono::nanoseconds(100), false);
  debounce.edge(1000);
  debounce.edge(1010);
  EXPECT_FALSE(debounce.steady(false).has_value());
  EXPECT_FALSE(debounce.steady(true).has_value()) << "without an edge nothing changed";
}

}  // namespace
}  // namespace sluice::gpio
