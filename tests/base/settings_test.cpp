// SPDX-License-Identifier: Apache-2.0
#include "base/settings.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <optional>

namespace sluice {
namespace {

std::optional<std::int64_t> duration(std::string_view text) {
  std::int64_t ns = -1;
  if (parse_duration(text, ns)) return ns;
  EXPECT_EQ(ns, -1);
  return std::nullopt;
}

std::optional<std::uint64_t> size(std::string_view text) {
  std::uint64_t bytes = 77;
  if (parse_size(text, bytes)) return bytes;
  EXPECT_EQ(bytes, 77U);
  return std::nullopt;
}

TEST(Duration, HasAUnit) {
  EXPECT_EQ(duration("1ns"), 1);
  EXPECT_EQ(duration("2us"), 2'000);
  EXPECT_EQ(duration("500ms"), 500'000'000);
  EXPECT_EQ(duration("30s"), 30'000'000'000);
  EXPECT_EQ(duration("10m"), 600'000'000'000);
  EXPECT_EQ(duration("2h"), 7'200'000'000'000);
  EXPECT_EQ(duration("30d"), 2'592'000'000'000'000);
  EXPECT_EQ(duration("0s"), 0);
}

TEST(Duration, MayBeDecimal) {
  EXPECT_EQ(duration("1.5s"), 1'500'000'000);
  EXPECT_EQ(duration("0.25ms"), 250'000);
  EXPECT_EQ(duration("0.1s"), 100'000'000);
}

TEST(Duration, IsNothingElse) {
  for (const char* text :
       {"",     "s",    "5",    "5 s",   " 5s",    "5s ",  "5S", "5sec", "-5s",  "-0s",   "+5s",
        "1e3s", "infs", "nans", "0x10s", "1.2.3s", "5min", "ms", ".",    "1,5s", "1_000s"}) {
    EXPECT_EQ(duration(text), std::nullopt) << text;
  }
}

TEST(Duration, FitsIn64BitsOfNanoseconds) {
  EXPECT_EQ(duration("106000d"), 9'158'400'000'000'000'000);
  EXPECT_EQ(duration("107000d"), std::nullopt);
  EXPECT_EQ(duration("99999999999999999999999999ns"), std::nullopt);
  EXPECT_EQ(duration(std::string(1000, '9') + "s"), std::nullopt);
}

TEST(Size, HasAUnit) {
  EXPECT_EQ(size("7B"), 7U);
  EXPECT_EQ(size("1kB"), 1000U);
  EXPECT_EQ(size("1KiB"), 1024U);
  EXPECT_EQ(size("2MB"), 2'000'000U);
  EXPECT_EQ(size("64MiB"), 67'108'864U);
  EXPECT_EQ(size("1GB"), 1'000'000'000U);
  EXPECT_EQ(size("1GiB"), 1'073'741'824U);
  EXPECT_EQ(size("0.5KiB"), 512U);
  EXPECT_EQ(size("0B"), 0U);
}

TEST(Size, IsNothingElse) {
  for (const char* text : {"", "5", "5K", "5KB", "5kb", "5Mb", "5TiB", "-5B", "5 MiB", "MiB"}) {
    EXPECT_EQ(size(text), std::nullopt) << text;
  }
  EXPECT_EQ(size("9999999999999GiB"), std::nullopt);
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string_view> keys = {"keepalive", "connect_timeout", "client_id", "brokers",
                                              "version"};
  EXPECT_EQ(nearest("keepaliv", keys), "keepalive");
  EXPECT_EQ(nearest("keep_alive", keys), "keepalive");
  EXPECT_EQ(nearest("broker", keys), "brokers");
  EXPECT_EQ(nearest("clientid", keys), "client_id");
  EXPECT_EQ(nearest("keepalive", keys), "keepalive");
}

TEST(Nearest, FindsNothingWhereNothingIsNear) {
  EXPECT_EQ(nearest("baud", {"keepalive", "topic", "qos"}), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(nearest("", {"topic"}), "");
}

TEST(Setting, FindsItsChildren) {
  Setting table;
  table.children.resize(2);
  table.children[0].key = "a";
  table.children[1].key = "b";
  EXPECT_EQ(table.find("b"), &table.children[1]);
  EXPECT_EQ(table.find("c"), nullptr);
}

TEST(Problem, ReadsAsPlacePathAndReason) {
  EXPECT_EQ(to_string(Problem{
                {"sluice.toml", 42, 7}, "input \"line1\": baud", "expected 50..4000000, got \"fast\""}),
            "sluice.toml:42: input \"line1\": baud: expected 50..4000000, got \"fast\"");
  EXPECT_EQ(to_string(Problem{{}, "mqtt.keepalive", "too short"}), "mqtt.keepalive: too short");
  EXPECT_EQ(to_string(Problem{{"sluice.toml", 0, 0}, "", "cannot be read"}), "sluice.toml: cannot be read");
  EXPECT_EQ(to_string(Problem{{"a.toml", 3, 1}, "", "expected '='"}), "a.toml:3: expected '='");
}

TEST(Problems, AreCollected) {
  Problems problems;
  EXPECT_TRUE(problems.empty());
  Setting setting;
  setting.place = {"sluice.toml", 3, 1};
  setting.path = "log.level";
  problems.add(setting, "unknown level");
  problems.add({"b.toml", 9, 2}, "mqtt", "second");
  EXPECT_FALSE(problems.empty());
  ASSERT_EQ(problems.all().size(), 2U);
  EXPECT_EQ(to_string(problems.all()[0]), "sluice.toml:3: log.level: unknown level");
  EXPECT_EQ(to_string(problems.all()[1]), "b.toml:9: mqtt: second");
}

TEST(SettingKind, IsDescribedForPeople) {
  EXPECT_EQ(describe(SettingKind::boolean), "true or false");
  EXPECT_EQ(describe(SettingKind::duration), "a duration such as \"500ms\"");
  for (auto kind : {SettingKind::boolean, SettingKind::integer, SettingKind::number, SettingKind::string,
                    SettingKind::duration, SettingKind::size, SettingKind::table, SettingKind::list}) {
    EXPECT_FALSE(describe(kind).empty());
  }
}

}  // namespace
}  // namespace sluice
