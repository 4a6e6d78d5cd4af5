// SPDX-License-Identifier: Apache-2.0
#include "route/topic.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::route {
namespace {

using namespace std::string_literals;

std::vector<std::string> levels_of(std::string_view text) {
  std::vector<std::string> all;
  Levels levels(text);
  for (std::string_view level; levels.next(level);) all.emplace_back(level);
  return all;
}

std::string refusal_of_topic(std::string_view topic) {
  std::string why;
  return valid_topic(topic, &why) ? "valid" : why;
}

std::string refusal_of_filter(std::string_view filter) {
  std::string why;
  return valid_filter(filter, &why) ? "valid" : why;
}

TEST(Levels, KeepEmptyOnes) {
  EXPECT_EQ(levels_of("a/b"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(levels_of("/finance"), (std::vector<std::string>{"", "finance"}));
  EXPECT_EQ(levels_of("/"), (std::vector<std::string>{"", ""}));
  EXPECT_EQ(levels_of("a//b/"), (std::vector<std::string>{"a", "", "b", ""}));
}

TEST(Levels, AnswerWhatIsLeft) {
  Levels levels("a/b/c");
  std::string_view level;
  EXPECT_EQ(levels.rest(), "a/b/c");
  levels.next(level);
  EXPECT_EQ(levels.rest(), "b/c");
  levels.next(level);
  levels.next(level);
  EXPECT_EQ(levels.rest(), "");
  EXPECT_FALSE(levels.next(level));
  EXPECT_EQ(level, "c");
}

TEST(Topic, NamesOfTheSpecificationAreValid) {
  for (const char* topic :
       {"sport/tennis/player1", "sport/tennis/player1/ranking", "/finance", "/", "//", "ACCOUNTS", "Accounts",
        "Accounts payable", "$SYS/monitor/Clients", "a/", "°C/ä"}) {
    EXPECT_EQ(refusal_of_topic(topic), "valid") << topic;
  }
}

TEST(Topic, NamesHoldNoWildcard) {
  for (const char* topic : {"#", "+", "a/+", "a/#", "a+b", "a#"}) {
    EXPECT_EQ(refusal_of_topic(topic), "it holds a wildcard ('+' or '#')") << topic;
  }
}

TEST(Topic, NamesAndFiltersHaveAtLeastOneCharacterAndAtMost65535Bytes) {
  EXPECT_EQ(refusal_of_topic(""), "it is empty");
  EXPECT_EQ(refusal_of_filter(""), "it is empty");
  EXPECT_EQ(refusal_of_topic(std::string(65535, 'a')), "valid");
  EXPECT_EQ(refusal_of_filter(std::string(65535, 'a')), "valid");
  EXPECT_EQ(refusal_of_topic(std::string(65536, 'a')), "it is longer than 65535 bytes");
  EXPECT_EQ(refusal_of_filter(std::string(65536, 'a')), "it is longer than 65535 bytes");
}

TEST(Topic, NamesAndFiltersAreUtf8WithoutNul) {
  EXPECT_EQ(refusal_of_topic("a\0b"s), "it holds a NUL character");
  EXPECT_EQ(refusal_of_filter("a\0b"s), "it holds a NUL character");
  // A stray continuation, a cut character, an overlong slash, a surrogate, and one above U+10FFFF.
  for (const char* topic : {"\x80", "a\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                            "\xF0\x80\x80\xAF", "\xFF"}) {
    EXPECT_EQ(refusal_of_topic(topic), "it is not UTF-8");
    EXPECT_EQ(refusal_of_filter(topic), "it is not UTF-8");
  }
  for (const char* topic : {"\xC2\xA0", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80",
                            "\xF4\x8F\xBF\xBD", "\xEF\xBB\xBFx"}) {
    EXPECT_EQ(refusal_of_topic(topic), "valid");
  }
}

TEST(Topic, WhatMakesABrokerDisconnectIsRefused) {
  for (const char* topic :
       {"a\x01", "a\n", "\x7F", "\xC2\x80", "\xC2\x9F", "\xEF\xB7\x90", "\xEF\xBF\xBF", "\xF0\x9F\xBF\xBE"}) {
    EXPECT_EQ(refusal_of_topic(topic), "it holds a control character or a noncharacter");
  }
}

TEST(Filter, WildcardsOfTheSpecificationAreValidWhereTheyStandAlone) {
  for (const char* filter : {"sport/tennis/player1/#", "sport/#", "#", "sport/tennis/#", "+", "+/tennis/#",
                             "sport/+/player1", "+/+", "/+", "+/", "//#", "$SYS/#", "$SYS/monitor/+"}) {
    EXPECT_EQ(refusal_of_filter(filter), "valid") << filter;
  }
  EXPECT_EQ(refusal_of_filter("sport/tennis#"), "'#' must stand alone in its level");
  EXPECT_EQ(refusal_of_filter("sport/tennis/#/ranking"), "'#' must be the last level");
  EXPECT_EQ(refusal_of_filter("#/"), "'#' must be the last level");
  EXPECT_EQ(refusal_of_filter("#/#"), "'#' must be the last level");
  EXPECT_EQ(refusal_of_filter("sport+"), "'+' must stand alone in its level");
  EXPECT_EQ(refusal_of_filter("sport/+a/b"), "'+' must stand alone in its level");
  EXPECT_EQ(refusal_of_filter("++"), "'+' must stand alone in its level");
}

TEST(Filter, SharedSubscriptionsHaveAGroupAndAFilter) {
  EXPECT_EQ(refusal_of_filter("$share/consumer1//finance"), "valid");
  EXPECT_EQ(refusal_of_filter("$share/consumer1/sport/tennis/+"), "valid");
  EXPECT_EQ(refusal_of_filter("$shared/a"), "valid");
  for (const char* filter : {"$share", "$share/", "$share/g", "$share/g/", "$share//a"}) {
    EXPECT_EQ(refusal_of_filter(filter), "a shared subscription is $share/GROUP/FILTER") << filter;
  }
  EXPECT_EQ(refusal_of_filter("$share/+/a"), "the group of a shared subscription holds no wildcard");
  EXPECT_EQ(refusal_of_filter("$share/g/a#"), "'#' must stand alone in its level");
  EXPECT_EQ(without_share("$share/consumer1//finance"), "/finance");
  EXPECT_EQ(without_share("$share/g/#"), "#");
  EXPECT_EQ(without_share("$SYS/#"), "$SYS/#");
}

struct Example {
  const char* filter;
  const char* topic;
  bool match;
};

// Section 4.7 in its order, then what follows from it.
constexpr Example examples[] = {
    {"sport/tennis/player1/#", "sport/tennis/player1", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
    {"sport/tennis/player1/#", "sport/tennis/player2", false},
    {"sport/tennis/player1/#", "sport/tennis/player11", false},
    {"sport/#", "sport", true},
    {"#", "sport/tennis", true},
    {"#", "/", true},
    {"sport/tennis/+", "sport/tennis/player1", true},
    {"sport/tennis/+", "sport/tennis/player2", true},
    {"sport/tennis/+", "sport/tennis/player1/ranking", false},
    {"sport/+", "sport", false},
    {"sport/+", "sport/", true},
    {"+", "sport", true},
    {"+/tennis/#", "sport/tennis", true},
    {"+/tennis/#", "sport/tennis/player1", true},
    {"sport/+/player1", "sport/tennis/player1", true},
    {"sport/+/player1", "sport/player1", false},
    {"+/+", "/finance", true},
    {"/+", "/finance", true},
    {"+", "/finance", false},
    {"#", "$SYS/monitor/Clients", false},
    {"+/monitor/Clients", "$SYS/monitor/Clients", false},
    {"$SYS/#", "$SYS/monitor/Clients", true},
    {"$SYS/#", "$SYS", true},
    {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
    {"ACCOUNTS", "Accounts", false},
    {"Accounts payable", "Accounts payable", true},
    {"/finance", "finance", false},
    {"finance", "/finance", false},
    {"finance", "finance/", false},
    {"finance/", "finance", false},
    {"+/#", "$SYS/a", false},
    {"+/#", "a", true},
    {"+/+/#", "a", false},
    {"a/#", "a/", true},
    {"a/#", "ab", false},
    {"a/#", "a/$b", true},
    {"a/+", "a/$b", true},
    {"a//b", "a//b", true},
    {"a/+/b", "a//b", true},
    {"a//b", "a/b", false},
    {"/", "/", true},
    {"+/", "/", true},
    {"+", "/", false},
    {"//#", "//", true},
    {"//#", "/", true},
    {"//#", "///a", true},
    {"/#", "/", true},
    {"/#", "a", false},
    {"$share/g/a", "a", true},
    {"$share/g/a/#", "a", true},
    {"$share/g//finance", "/finance", true},
    {"$share/g/#", "$SYS/a", false},
};

TEST(Filter, MatchesAsTheSpecificationSays) {
  for (const Example& example : examples) {
    ASSERT_TRUE(valid_filter(example.filter) && valid_topic(example.topic));
    EXPECT_EQ(matches(example.filter, example.topic), example.match)
        << example.filter << " and " << example.topic;
  }
}

}  // namespace
}  // namespace sluice::route
