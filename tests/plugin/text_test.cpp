// SPDX-License-Identifier: Apache-2.0
#include "plugin/text.hpp"

#include <gtest/gtest.h>

#include "plugin/literal.hpp"

namespace sluice::plugin {
namespace {

TEST(Text, OfPluginsBecomesOneLine) {
  EXPECT_EQ(tidy("two\nlines\t\n"), "two lines");
  EXPECT_EQ(tidy("\xc3\xa9"), "\xc3\xa9");
  EXPECT_EQ(tidy("caf\xe9"), "caf?");
  EXPECT_EQ(tidy(std::string(10'000, 'x')).size(), 4096U);
}

TEST(Literal, IsQuotedShortAndWithoutControlCharacters) {
  EXPECT_EQ(quote("a\"b\\c\n"), "\"a\\\"b\\\\c\\x0a\"");
  EXPECT_EQ(quote(std::string(61, 'x')), "\"" + std::string(60, 'x') + "…\"");
  EXPECT_EQ(quote(std::string(59, 'x') + "\xc3\xa9"), "\"" + std::string(59, 'x') + "…\"");
}

TEST(Literal, IsReadAsItWouldStandInTheFile) {
  const auto read = [](std::string_view text) { return parse_literal(text, SettingKind::string); };
  EXPECT_EQ(read("-5")->value, Value(std::int64_t{-5}));
  EXPECT_EQ(read("1e3")->value, Value(1000.0));
  EXPECT_EQ(read("'a\\n'")->value, Value(std::string("a\\n")));
  EXPECT_EQ(read("[]")->children.size(), 0U);
  EXPECT_EQ(read("[1, 2,]")->children.size(), 2U);
  for (const char* text : {"", "none", "\"open", "[1", "[1 2]", "1 2", "\"\\q\"", "1x"}) {
    EXPECT_FALSE(read(text)) << text;
  }
}

TEST(Literal, PrintsTheShortestExactForm) {
  EXPECT_EQ(print(Value(std::int64_t{90'000'000'000}), SettingKind::duration), "90s");
  EXPECT_EQ(print(Value(std::int64_t{1'500'000}), SettingKind::duration), "1500us");
  EXPECT_EQ(print(Value(std::int64_t{0}), SettingKind::duration), "0s");
  EXPECT_EQ(print(Value(std::uint64_t{5'000'000}), SettingKind::size), "5MB");
  EXPECT_EQ(print(Value(std::uint64_t{1025}), SettingKind::size), "1025B");
}

}  // namespace
}  // namespace sluice::plugin
