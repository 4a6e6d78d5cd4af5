// SPDX-License-Identifier: Apache-2.0
#include "route/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace sluice::route {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Rule rule(std::string match, std::vector<std::string> to, From from = From::input) {
  Rule made;
  made.match = std::move(match);
  made.to = std::move(to);
  made.from = from;
  return made;
}

Rule copying(Rule made) {
  made.copy = true;
  return made;
}

Rule looping(Rule made) {
  made.loop = true;
  return made;
}

Rule rewriting(std::string match, std::string topic, From from = From::input) {
  Rule made = rule(std::move(match), {"mqtt"}, from);
  made.topic = std::move(topic);
  return made;
}

/// "0:mqtt": by rule 0 to the output mqtt.
std::vector<std::string> routed(const Rules& rules, std::string_view topic, From origin = From::input) {
  std::vector<Rules::Hit> hits{{99, 99}};
  rules.route(topic, origin, hits);
  std::vector<std::string> named;
  for (const auto& hit : hits) {
    named.push_back(std::to_string(hit.rule) + ":" + rules.outputs()[hit.output]);
  }
  return named;
}

std::vector<std::string> problems_of(const Rule& checked) {
  Problems problems;
  check_rule(checked, "route 1", problems);
  std::vector<std::string> texts;
  for (const Problem& problem : problems.all()) texts.push_back(to_string(problem));
  return texts;
}

std::string rewritten(const Rule& by, std::string_view topic, std::string_view input = "line1") {
  const auto result = Rules({by}, "gw7").rewrite(0, topic, input);
  return result.problem.empty() ? result.topic : "problem: " + result.problem;
}

// ---- Which outputs ----

TEST(Rules, WithoutAnyTakeNothing) {
  const Rules rules({}, "gw7");
  std::vector<Rules::Hit> hits;
  EXPECT_FALSE(rules.route("a", From::input, hits));
  EXPECT_TRUE(hits.empty());
}

TEST(Rules, EverythingToMqttTakesAllFromInputsAndNothingFromTheBroker) {
  const Rules rules(Rules::everything_to_mqtt(), "gw7");
  EXPECT_THAT(routed(rules, "a/b/c"), ElementsAre("0:mqtt"));
  EXPECT_THAT(routed(rules, "/"), ElementsAre("0:mqtt"));
  EXPECT_THAT(routed(rules, "a", From::broker), IsEmpty());
}

TEST(Rules, AnswerInTheOrderOfTheRulesAndOfTheirOutputs) {
  const Rules rules({rule("a/#", {"z", "mqtt"}), rule("#", {"archive"}), rule("a/+", {"y", "x"})}, "gw7");
  EXPECT_THAT(routed(rules, "a/b"), ElementsAre("0:z", "0:mqtt", "1:archive", "2:y", "2:x"));
}

TEST(Rules, GiveAnOutputTheMessageOnceByTheFirstRuleThatNamesIt) {
  const Rules rules({rule("a/b", {"mqtt"}), rule("a/#", {"mqtt", "archive"}), rule("#", {"archive", "mqtt"})},
                    "gw7");
  EXPECT_THAT(routed(rules, "a/b"), ElementsAre("0:mqtt", "1:archive"));
  EXPECT_THAT(routed(rules, "a/c"), ElementsAre("1:mqtt", "1:archive"));
  EXPECT_THAT(routed(rules, "c"), ElementsAre("2:archive", "2:mqtt"));
}

TEST(Rules, ACopyAddsADelivery) {
  const Rules rules(
      {rule("#", {"mqtt"}), copying(rule("a", {"mqtt"})), copying(rule("a", {"mqtt"})), rule("a", {"mqtt"})},
      "gw7");
  EXPECT_THAT(routed(rules, "a"), ElementsAre("0:mqtt", "1:mqtt", "2:mqtt"));
}

TEST(Rules, ACopyThatComesFirstIsTheFirstRule) {
  const Rules rules({copying(rule("a", {"mqtt"})), rule("#", {"mqtt"})}, "gw7");
  EXPECT_THAT(routed(rules, "a"), ElementsAre("0:mqtt"));
}

TEST(Rules, AnEmptyToEndsTheSearch) {
  const Rules rules({rule("a/#", {"archive"}), rule("a/secret", {}), rule("#", {"mqtt"})}, "gw7");
  EXPECT_THAT(routed(rules, "a/secret"), ElementsAre("0:archive"));
  EXPECT_THAT(routed(rules, "a/other"), ElementsAre("0:archive", "2:mqtt"));
}

TEST(Rules, TellNoMatchFromAMatchThatGoesNowhere) {
  const Rules rules({rule("a", {}), rule("b", {"mqtt"}, From::any)}, "gw7");
  std::vector<Rules::Hit> hits;
  EXPECT_TRUE(rules.route("a", From::input, hits));
  EXPECT_TRUE(hits.empty());
  EXPECT_TRUE(rules.route("b", From::broker, hits));
  EXPECT_TRUE(hits.empty());
  EXPECT_FALSE(rules.route("c", From::input, hits));
  EXPECT_FALSE(rules.route("a", From::broker, hits));
}

TEST(Rules, AskWhereAMessageComesFrom) {
  const Rules rules({rule("#", {"in"}), rule("#", {"down"}, From::broker), rule("#", {"both"}, From::any)},
                    "gw7");
  EXPECT_THAT(routed(rules, "a"), ElementsAre("0:in", "2:both"));
  EXPECT_THAT(routed(rules, "a", From::broker), ElementsAre("1:down", "2:both"));
}

TEST(Rules, AnEndForTheOtherOriginEndsNothing) {
  const Rules rules({rule("#", {}, From::broker), rule("#", {"mqtt"})}, "gw7");
  EXPECT_THAT(routed(rules, "a"), ElementsAre("1:mqtt"));
}

TEST(Rules, GiveNothingBackToTheBrokerButWithLoop) {
  const Rules rules({rule("#", {"mqtt", "archive"}, From::any), looping(rule("x/#", {"mqtt"}, From::broker))},
                    "gw7");
  EXPECT_THAT(routed(rules, "a"), ElementsAre("0:mqtt", "0:archive"));
  EXPECT_THAT(routed(rules, "a", From::broker), ElementsAre("0:archive"));
  EXPECT_THAT(routed(rules, "x/a", From::broker), ElementsAre("0:archive", "1:mqtt"));
}

TEST(Rules, KeepAReservedTopicFromWildcards) {
  const Rules rules({rule("#", {"all"}, From::any), rule("$SYS/#", {"system"}, From::any)}, "gw7");
  EXPECT_THAT(routed(rules, "$SYS/load", From::broker), ElementsAre("1:system"));
}

TEST(Rules, NameEachOutputOnce) {
  const Rules rules({rule("a", {"mqtt", "x"}), rule("b", {"x", "y"})}, "gw7");
  EXPECT_THAT(rules.outputs(), ElementsAre("mqtt", "x", "y"));
}

TEST(Rules, AllocateNothingOnceTheHitsHaveRoom) {
  const Rules rules({rule("a/#", {"x", "y"}), rule("a/+", {"z"})}, "gw7");
  std::vector<Rules::Hit> hits;
  rules.route("a/b", From::input, hits);
  const auto* place = hits.data();
  for (int i = 0; i < 100; ++i) rules.route("a/b", From::input, hits);
  EXPECT_EQ(hits.data(), place);
}

TEST(Rules, TakeNoMoreStepsInATableOfTenThousand) {
  const auto steps = [](std::uint32_t count) {
    std::vector<Rule> table;
    for (std::uint32_t i = 0; i < count; ++i) {
      table.push_back(rule("plant/line" + std::to_string(i) + "/#", {"mqtt"}, From::any));
    }
    const Rules rules(std::move(table), "gw7");
    std::size_t sum = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::string topic = "plant/line" + std::to_string(i) + "/oven/temperature";
      sum += rules.steps(topic, From::input) + rules.steps(topic, From::broker);
    }
    return static_cast<double>(sum) / count;
  };
  EXPECT_LE(steps(10'000), 2 * steps(10));
}

// ---- Rewriting ----

TEST(Rewriting, WithoutATemplateLeavesTheTopicAsItIs) {
  EXPECT_EQ(rewritten(rule("#", {"mqtt"}), "a/b"), "");
}

TEST(Rewriting, FillsInTopicAgentAndInput) {
  EXPECT_EQ(rewritten(rewriting("#", "v1/{agent}/{input}/{topic}/end"), "a/b"), "v1/gw7/line1/a/b/end");
}

TEST(Rewriting, FillsInWhatEachWildcardMatched) {
  EXPECT_EQ(rewritten(rewriting("plant/+/data/+/#", "{3}/{1}/{2}"), "plant/l1/data/oven/t/1"), "t/1/l1/oven");
  EXPECT_EQ(rewritten(rewriting("+/+", "x{1}y{2}z"), "/a"), "xyaz");
}

TEST(Rewriting, FillsInNothingForTheLevelsBelowTheParent) {
  EXPECT_EQ(rewritten(rewriting("a/#", "x/{1}"), "a"), "x/");
}

TEST(Rewriting, CountsNineWildcards) {
  EXPECT_EQ(rewritten(rewriting("+/+/+/+/+/+/+/+/+/+/#", "{9}{8}{1}"), "1/2/3/4/5/6/7/8/9/10/11"), "981");
}

TEST(Rewriting, ReportsWhatCannotBePublished) {
  EXPECT_EQ(rewritten(rewriting("a/#", "{1}"), "a"), "problem: route 1 makes \"\" of \"a\": it is empty");
  const std::string longest(65535, 'a');
  EXPECT_THAT(rewritten(rewriting("#", "x/{topic}"), longest), HasSubstr("it is longer than 65535 bytes"));
}

TEST(Rewriting, ReportsAWildcardThatAnInputBringsIn) {
  EXPECT_THAT(rewritten(rewriting("#", "{input}/x"), "a", "+"), HasSubstr("it holds a wildcard"));
}

// ---- What is refused ----

TEST(CheckRule, AcceptsWhatTheConfigurationShows) {
  EXPECT_THAT(problems_of(rule("plant/#", {"mqtt", "archive"})), IsEmpty());
  EXPECT_THAT(problems_of(rule("#", {})), IsEmpty());
  EXPECT_THAT(problems_of(rule("cmd/+/#", {"mqtt"}, From::any)), IsEmpty());
  EXPECT_THAT(problems_of(rewriting("a/+/#", "{agent}/{1}/{2}/{topic}")), IsEmpty());
}

TEST(CheckRule, NamesThePlaceTheKeyAndTheReason) {
  Rule bad = rule("a/#/b", {"mqtt"});
  bad.place = {"sluice.toml", 12, 1};
  EXPECT_THAT(problems_of(bad), ElementsAre("sluice.toml:12: route 1: match: expected a topic filter, got "
                                            "\"a/#/b\": '#' must be the last level"));
}

TEST(CheckRule, ReportsAllProblemsOfARule) {
  Rule bad = rewriting("a/+", "x/{2}");
  bad.to = {"mqtt", "mqtt"};
  EXPECT_THAT(problems_of(bad),
              ElementsAre("route 1: to: \"mqtt\" stands here twice",
                          "route 1: topic: \"x/{2}\" uses {2}, but \"a/+\" has 1 wildcard"));
}

TEST(CheckRule, RefusesFiltersThatCannotBe) {
  EXPECT_THAT(problems_of(rule("", {"mqtt"})), ElementsAre(HasSubstr("it is empty")));
  EXPECT_THAT(problems_of(rule("a+", {"mqtt"})), ElementsAre(HasSubstr("'+' must stand alone")));
  EXPECT_THAT(problems_of(rule("$share/g/a/#", {"mqtt"})), ElementsAre(HasSubstr("write \"a/#\" here")));
  std::string deep = "a";
  for (std::size_t i = 1; i < FilterTree::max_levels; ++i) deep += "/a";
  EXPECT_THAT(problems_of(rule(deep, {"mqtt"})), IsEmpty());
  EXPECT_THAT(problems_of(rule(deep + "/a", {"mqtt"})), ElementsAre(HasSubstr("at most 200 levels")));
}

TEST(CheckRule, RefusesTemplatesThatCannotBe) {
  EXPECT_THAT(problems_of(rewriting("#", "{tag}")),
              ElementsAre(HasSubstr("unknown placeholder {tag}: there are")));
  EXPECT_THAT(problems_of(rewriting("#", "{0}")), ElementsAre(HasSubstr("unknown placeholder {0}")));
  EXPECT_THAT(problems_of(rewriting("#", "a/{topic")), ElementsAre(HasSubstr("a brace has no partner")));
  EXPECT_THAT(problems_of(rewriting("#", "a/topic}")), ElementsAre(HasSubstr("a brace has no partner")));
  EXPECT_THAT(problems_of(rewriting("#", "a/{{topic}}")), ElementsAre(HasSubstr("a brace has no partner")));
  EXPECT_THAT(problems_of(rewriting("#", "a/+")), ElementsAre(HasSubstr("it holds a wildcard")));
  EXPECT_THAT(problems_of(rewriting("a", "{1}")), ElementsAre(HasSubstr("\"a\" has 0 wildcards")));
  EXPECT_THAT(problems_of(rewriting("#", "{input}", From::any)),
              ElementsAre(HasSubstr("needs from = \"input\"")));
}

TEST(CheckRule, ShowsUnprintableTextSafely) {
  EXPECT_THAT(problems_of(rule("a\x1b[31m\xff", {"mqtt"})), ElementsAre(HasSubstr("\"a?[31m?\"")));
}

TEST(Rules, RefuseARuleThatWasNotChecked) {
  EXPECT_THROW(Rules({rule("a#", {"mqtt"})}, "gw7"), std::invalid_argument);
}

// ---- Explaining ----

TEST(Explain, SaysForEachRuleWhatItDoesAndWhyNot) {
  const Rules rules(
      {rule("b", {"mqtt"}), rule("#", {"down"}, From::broker), rule("a/#", {"mqtt"}),
       rewriting("a/+", "x/{1}"), rule("a/b", {"mqtt", "archive"}), rule("a/b", {}), rule("#", {"late"})},
      "gw7");
  const auto explained = rules.explain("a/b", From::input, "line1");
  EXPECT_EQ(explained.topic, "a/b");
  ASSERT_EQ(explained.lines.size(), 7U);
  const auto expect = [&](std::size_t i, bool matched, std::vector<std::string> took, std::string why) {
    EXPECT_EQ(explained.lines[i].rule, i);
    EXPECT_EQ(explained.lines[i].matched, matched) << i;
    EXPECT_EQ(explained.lines[i].took, took) << i;
    EXPECT_EQ(explained.lines[i].why, why) << i;
  };
  expect(0, false, {}, "the filter does not match");
  expect(1, false, {}, "it takes messages from the broker only");
  expect(2, true, {"mqtt"}, "");
  expect(3, true, {}, "\"mqtt\" has it by an earlier rule: copy = true would add another");
  expect(4, true, {"archive"}, "\"mqtt\" has it by an earlier rule: copy = true would add another");
  expect(5, true, {}, "the search ends here");
  expect(6, true, {}, "not reached: rule 6 ended the search");
  ASSERT_EQ(explained.outcomes.size(), 2U);
  EXPECT_EQ(explained.outcomes[0].output, "mqtt");
  EXPECT_EQ(explained.outcomes[0].rule, 2U);
  EXPECT_EQ(explained.outcomes[0].topic, "a/b");
  EXPECT_EQ(explained.outcomes[1].output, "archive");
}

TEST(Explain, ShowsTheTopicThatAnOutputSees) {
  const Rules rules({rewriting("a/#", "{agent}/{input}/{1}"), copying(rewriting("a/#", "{1}"))}, "gw7");
  const auto good = rules.explain("a/b", From::input, "line1");
  ASSERT_EQ(good.outcomes.size(), 2U);
  EXPECT_EQ(good.outcomes[0].topic, "gw7/line1/b");
  EXPECT_EQ(good.outcomes[1].topic, "b");
  const auto bad = rules.explain("a", From::input, "line1");
  ASSERT_EQ(bad.outcomes.size(), 2U);
  EXPECT_EQ(bad.outcomes[1].topic, "");
  EXPECT_THAT(bad.outcomes[1].problem, HasSubstr("it is empty"));
}

TEST(Explain, SaysThatNothingGoesBackToTheBroker) {
  const Rules rules({rule("#", {"mqtt"}, From::any)}, "gw7");
  const auto explained = rules.explain("a", From::broker);
  EXPECT_TRUE(explained.lines[0].matched);
  EXPECT_EQ(explained.lines[0].why, "\"mqtt\" is where it came from: loop = true would send it back");
  EXPECT_TRUE(explained.outcomes.empty());
}

}  // namespace
}  // namespace sluice::route
