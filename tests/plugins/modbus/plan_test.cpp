// SPDX-License-Identifier: Apache-2.0
#include "plan.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace sluice::modbus {
namespace {

Tag tag_at(Kind kind, std::uint16_t address, Type type = Type::uint16, std::uint16_t length = 0) {
  Tag tag;
  tag.name = "t" + std::to_string(address);
  tag.kind = kind;
  tag.address = address;
  tag.type = type;
  tag.length = length;
  return tag;
}

std::vector<std::string> lines(const std::vector<Tag>& tags, const Limits& limits) {
  std::vector<std::string> out;
  for (const Request& request : make_plan(tags, limits)) out.push_back(describe(request, tags));
  return out;
}

using Lines = std::vector<std::string>;

TEST(Plan, ReadsNeighboursTogether) {
  const std::vector<Tag> tags{tag_at(Kind::holding, 2), tag_at(Kind::holding, 0, Type::float32)};
  EXPECT_EQ(lines(tags, {}), Lines{"holding 0..2 (function 3, 3 registers): t0, t2"});
}

TEST(Plan, FillsGapsUpToTheLimit) {
  const std::vector<Tag> tags{tag_at(Kind::input, 0), tag_at(Kind::input, 5), tag_at(Kind::input, 11)};
  Limits limits;
  limits.max_gap = 4;
  EXPECT_EQ(lines(tags, limits), (Lines{"input 0..5 (function 4, 6 registers): t0, t5",
                                        "input 11 (function 4, 1 register): t11"}));
  limits.max_gap = 0;
  EXPECT_EQ(lines(tags, limits).size(), 3u);
}

TEST(Plan, CountsGapsOfBitsInRegisters) {
  Limits limits;
  limits.max_gap = 1;
  EXPECT_EQ(lines({tag_at(Kind::coil, 0), tag_at(Kind::coil, 17)}, limits).size(), 1u);
  EXPECT_EQ(lines({tag_at(Kind::coil, 0), tag_at(Kind::coil, 18)}, limits).size(), 2u);
}

TEST(Plan, KeepsTablesApart) {
  const std::vector<Tag> tags{tag_at(Kind::holding, 0), tag_at(Kind::input, 0), tag_at(Kind::coil, 0),
                              tag_at(Kind::discrete, 0)};
  EXPECT_EQ(lines(tags, {}),
            (Lines{"coil 0 (function 1, 1 bit): t0", "discrete 0 (function 2, 1 bit): t0",
                   "holding 0 (function 3, 1 register): t0", "input 0 (function 4, 1 register): t0"}));
}

TEST(Plan, AsksForEachTagAloneWhereTold) {
  Limits limits;
  limits.coalesce = false;
  EXPECT_EQ(lines({tag_at(Kind::holding, 0), tag_at(Kind::holding, 1)}, limits).size(), 2u);
}

TEST(Plan, HalvesARequestWithoutTheGap) {
  const std::vector<Tag> tags{tag_at(Kind::holding, 0), tag_at(Kind::holding, 1), tag_at(Kind::holding, 8)};
  const auto plan = make_plan(tags, {});
  ASSERT_EQ(plan.size(), 1u);
  const auto [first, second] = split(plan[0], tags);
  EXPECT_EQ(describe(first, tags), "holding 0 (function 3, 1 register): t0");
  EXPECT_EQ(describe(second, tags), "holding 1..8 (function 3, 8 registers): t1, t8");
}

// What holds for any tags and limits.
TEST(Plan, CoversEachTagOnceWithinTheLimitsAndSplitsNoValue) {
  std::mt19937 random(20240131);
  const auto up_to = [&](unsigned most) { return std::uniform_int_distribution<unsigned>(0, most)(random); };
  constexpr Type types[] = {Type::uint16, Type::float32, Type::int64, Type::string, Type::boolean};
  for (int round = 0; round < 2000; ++round) {
    Limits limits;
    limits.coalesce = up_to(9) != 0;
    limits.max_gap = static_cast<std::uint16_t>(up_to(20));
    limits.max_registers = static_cast<std::uint16_t>(4 + up_to(121));
    limits.max_bits = static_cast<std::uint16_t>(1 + up_to(1999));
    const unsigned room = up_to(1) != 0 ? 200 : 65000;
    std::vector<Tag> tags;
    for (unsigned i = 0, count = 1 + up_to(60); i < count; ++i) {
      const auto kind = static_cast<Kind>(1 + up_to(3));
      const bool bits = kind == Kind::coil || kind == Kind::discrete;
      const Type type = bits ? Type::boolean : types[up_to(4)];
      tags.push_back(tag_at(kind, static_cast<std::uint16_t>(up_to(room)), type,
                            static_cast<std::uint16_t>(type == Type::string ? 1 + up_to(7) : 0)));
    }
    std::map<std::size_t, int> seen;
    for (const Request& request : make_plan(tags, limits)) {
      const bool bits = request.kind == Kind::coil || request.kind == Kind::discrete;
      ASSERT_FALSE(request.tags.empty());
      ASSERT_LE(request.count, bits ? limits.max_bits : limits.max_registers);
      ASSERT_EQ(request.address, tags[request.tags.front()].address);
      std::uint32_t end = request.address;
      for (const std::size_t index : request.tags) {
        const Tag& tag = tags[index];
        ++seen[index];
        ASSERT_EQ(tag.kind, request.kind);
        ASSERT_GE(tag.address, request.address);
        ASSERT_LE(tag.end(), std::uint32_t{request.address} + request.count) << "a value is split";
        ASSERT_LE(tag.address, end + limits.max_gap * (bits ? 16u : 1u)) << "a gap is too wide";
        end = std::max(end, tag.end());
      }
      ASSERT_EQ(end, std::uint32_t{request.address} + request.count) << "reads on after the last value";
    }
    ASSERT_EQ(seen.size(), tags.size());
    for (const auto& [index, times] : seen) ASSERT_EQ(times, 1) << index;
  }
}

}  // namespace
}  // namespace sluice::modbus
