// SPDX-License-Identifier: Apache-2.0
#include "config/table_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/loader.hpp"
#include "config/reading.hpp"

namespace sluice::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class Table : public testing::Test {
 protected:
  TableReader table(std::string_view text) {
    root_ = load_text(text, "sluice.toml", problems_);
    return {&root_, "[t]", problems_};
  }
  std::vector<std::string> said() const { return test::lines(problems_.all()); }

  Problems problems_;
  Setting root_;
};

TEST_F(Table, ReadsEachType) {
  TableReader reader = table(
      "b = true\ni = -5\ns = \"text\"\nl = [\"x\", \"y\"]\nd = \"1.5s\"\nz = \"64KiB\"\nc = "
      "\"two\"\n[t]\n[[ts]]\n[[ts]]\n");
  EXPECT_TRUE(reader.boolean("b", false));
  EXPECT_EQ(reader.integer("i", 0, -10, 10), -5);
  EXPECT_EQ(reader.text("s", ""), "text");
  EXPECT_EQ(reader.required_text("s"), "text");
  EXPECT_THAT(reader.texts("l", {}), ElementsAre("x", "y"));
  EXPECT_EQ(reader.duration("d", seconds(0)), milliseconds(1500));
  EXPECT_EQ(reader.duration_in("d", milliseconds(0)), milliseconds(1500));
  EXPECT_EQ(reader.size("z", 0), 65536U);
  EXPECT_EQ(reader.choice("c", 1, {{"one", 1}, {"two", 2}}), 2);
  EXPECT_NE(reader.table("t"), nullptr);
  EXPECT_EQ(reader.tables("ts").size(), 2U);
  reader.finish();
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(Table, AnswersTheFallbackForWhatIsNotThere) {
  for (TableReader reader : {table(""), TableReader(nullptr, "[t]", problems_)}) {
    EXPECT_TRUE(reader.boolean("b", true));
    EXPECT_EQ(reader.integer("i", 7, 0, 10), 7);
    EXPECT_EQ(reader.text("s", "x"), "x");
    EXPECT_THAT(reader.texts("l", {"x"}), ElementsAre("x"));
    EXPECT_EQ(reader.duration("d", seconds(3)), seconds(3));
    EXPECT_EQ(reader.size("z", 9), 9U);
    EXPECT_EQ(reader.choice("c", 1, {{"one", 1}}), 1);
    EXPECT_EQ(reader.table("t"), nullptr);
    EXPECT_THAT(reader.tables("ts"), IsEmpty());
    reader.finish();
  }
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(Table, SaysWhatWasExpectedAndWhatItGot) {
  TableReader reader = table(
      "b = \"yes\"\ni = \"fast\"\nj = 11\nk = -1\ns = 5\nl = \"x\"\nm = [\"x\", 1]\nd = \"5\"\ne = \"1s\"\nf "
      "= \"1500us\"\n"
      "z = 64\ny = \"1B\"\nc = \"tow\"\nt = 1\nu = [[]]\nr = \"\"\nn = \"a\\u0000b\"\nw = [{}, 3]\n");
  reader.boolean("b", false);
  reader.integer("i", 0, 50, 4'000'000);
  reader.integer("j", 0, 1, 10);
  reader.integer("k", 0, 0, std::numeric_limits<std::int64_t>::max());
  reader.text("s", "");
  reader.texts("l", {});
  reader.texts("m", {});
  reader.duration("d", seconds(0));
  reader.duration("e", seconds(9), {.min = seconds(5)});
  reader.duration_in("f", milliseconds(0));
  reader.size("z", 0);
  reader.size("y", 0, 1024, 65536);
  reader.choice("c", 1, {{"one", 1}, {"two", 2}, {"three", 3}});
  reader.table("t");
  reader.tables("u");
  reader.required_text("r");
  reader.text("n", "");
  reader.tables("w");
  reader.required_text("missing");
  EXPECT_THAT(
      said(),
      ElementsAre(
          "sluice.toml:1: b: expected true or false, got \"yes\"",
          "sluice.toml:2: i: expected 50..4000000, got \"fast\"", "sluice.toml:3: j: expected 1..10, got 11",
          "sluice.toml:4: k: expected an integer of at least 0, got -1",
          "sluice.toml:5: s: expected a string, got 5",
          "sluice.toml:6: l: expected a list of strings, got \"x\"",
          "sluice.toml:7: m 2: expected a string, got 1",
          "sluice.toml:8: d: expected a duration such as \"500ms\", got \"5\"",
          "sluice.toml:9: e: expected at least 5s, got \"1s\"",
          "sluice.toml:10: f: expected a multiple of 1ms, got \"1500us\"",
          "sluice.toml:11: z: expected a size such as \"64MiB\", got 64",
          "sluice.toml:12: y: expected 1KiB..64KiB, got \"1B\"",
          "sluice.toml:13: c: expected \"one\", \"two\" or \"three\", got \"tow\"; did you mean \"two\"?",
          "sluice.toml:14: t: expected a table, got 1",
          "sluice.toml:15: u 1: expected a table, got an empty list",
          "sluice.toml:16: r: expected a string that is not empty, got \"\"",
          "sluice.toml:17: n: expected a string without zero bytes, got \"a\\u0000b\"",
          "sluice.toml:18: w 2: expected a table, got 3",
          "sluice.toml: expected missing = \"...\", got no missing"));
}

TEST_F(Table, NamesTheNearestKnownKey) {
  TableReader reader = table("badu = 1\nkeepalive = 2\nzzzzzz = 3\nbaud = 4\n");
  reader.integer("baud", 0, 0, 10);
  const KnownKeys everywhere = {{"[mqtt]", {"keepalive"}}, {"[x]", {"other"}}};
  reader.finish(&everywhere);
  EXPECT_THAT(said(), ElementsAre("sluice.toml:1: unknown key \"badu\"; did you mean \"baud\"?",
                                  "sluice.toml:2: unknown key \"keepalive\"; it belongs to [mqtt]",
                                  "sluice.toml:3: unknown key \"zzzzzz\""));
}

TEST_F(Table, RecordsWhatItWasAskedFor) {
  root_ = load_text("mine = 1\nforeign = 2\nrest = 3\n", "sluice.toml", problems_);
  KnownKeys known;
  TableReader reader(&root_, "[t]", problems_, &known);
  reader.given("mine");
  reader.text("absent", "");
  EXPECT_NE(reader.find_foreign("foreign"), nullptr);
  EXPECT_EQ(known, (KnownKeys{{"[t]", {"absent", "mine"}}}));
  ASSERT_EQ(reader.rest().size(), 1U);
  EXPECT_EQ(reader.rest()[0]->key, "rest");
}

TEST_F(Table, WhatIsNoTableIsAProblem) {
  root_ = load_text("t = 1", "sluice.toml", problems_);
  TableReader reader(root_.find("t"), "[t]", problems_);
  EXPECT_EQ(reader.text("s", "fallback"), "fallback");
  reader.finish();
  EXPECT_THAT(said(), ElementsAre("sluice.toml:1: t: expected a table [t], got 1"));
}

TEST_F(Table, LongTextIsCutAndControlCharactersAreEscaped) {
  TableReader reader = table("a = \"" + std::string(500, 'x') + "\"\nb = \"\\u001b[31m\\n\"\n");
  reader.boolean("a", false);
  reader.boolean("b", false);
  EXPECT_THAT(said(),
              ElementsAre("sluice.toml:1: a: expected true or false, got \"" + std::string(80, 'x') + "\"...",
                          "sluice.toml:2: b: expected true or false, got \"\\u001B[31m\\n\""));
}

}  // namespace
}  // namespace sluice::config
