// SPDX-License-Identifier: Apache-2.0
#include "sluice/testing/check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sluice/plugin.hpp"

namespace {

using sluice::setting;
using sluice::Settings;
using sluice::test::BadSettings;
using sluice::test::check;
using sluice::test::CheckedSettings;
using sluice::test::Node;
using sluice::test::parse;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Declares {
  static sluice::Description describe() {
    return sluice::Description("declares", "1.0.0", ".")
        .settings({setting("flag").boolean().defaults(true),
                   setting("baud").integer().range(50, 4000000).defaults(9600).unit("Bd"),
                   setting("factor").number().at_most(2).defaults(0.5),
                   setting("parity").string().choices({"none", "even"}).defaults("none"),
                   setting("wait").duration().range(milliseconds(1), std::chrono::hours(1)).defaults("500ms"),
                   setting("room").size().at_least(16).defaults("4KiB"),
                   setting("names")
                       .list_of_strings()
                       .range(1, 2)
                       .choices({"a", "b"})
                       .defaults_as_written("[\"a\"]"),
                   setting("numbers").list_of_numbers(), setting("port").string().required(),
                   setting("retry").table({setting("times").integer().defaults(3)}),
                   setting("tags").list_of_tables(
                       {setting("name").string().required(), setting("id").integer().at_least(1)})});
  }
  Declares(sluice::Host, const Settings&) {}
  static void validate(const Settings& settings, sluice::Report& report) {
    if (settings["port"].as<std::string>() == "bad") report.problem(settings["port"], "does not exist");
  }
  static void plan(const Settings& settings, sluice::Report& report) {
    report.line("opens " + settings["port"].as<std::string>());
  }
  void poll() {}
};

const sluice_plugin& declares() {
  return sluice::descriptor<Declares>();
}

std::vector<std::string> problems(std::string_view literal) {
  return check(declares(), literal).problems;
}

TEST(Check, FillsInDefaults) {
  const CheckedSettings checked(declares(), parse("port = \"p\""));
  ASSERT_THAT(checked.problems(), ElementsAre());
  const Settings settings(checked.raw());
  EXPECT_TRUE(settings["flag"].as<bool>());
  EXPECT_EQ(settings["baud"].as<int>(), 9600);
  EXPECT_EQ(settings["factor"].as<double>(), 0.5);
  EXPECT_EQ(settings["parity"].as<std::string>(), "none");
  EXPECT_EQ(settings["wait"].as<milliseconds>(), milliseconds(500));
  EXPECT_EQ(settings["room"].as_bytes(), 4096u);
  EXPECT_THAT(settings["names"].as<std::vector<std::string>>(), ElementsAre("a"));
  EXPECT_EQ(settings["retry"]["times"].as<int>(), 3);
  EXPECT_FALSE(settings.has("tags"));
  EXPECT_EQ(settings["baud"].place(), "the default of baud");
  EXPECT_EQ(settings["port"].place(), "settings:1: port");
}

TEST(Check, ReadsWhatIsGiven) {
  const CheckedSettings checked(declares(), parse(R"(
flag = false # a comment
baud = 19_200
factor = 1          # an integer where a number is declared
parity = 'even'
wait = "1.5s"
room = "1MiB"
names = [ "b",
          "a", ]
numbers = [1, 2.5, -1e3]
port = "/dev/tty\u0041 \"x\"\\"
retry.times = 0x10
[[tags]]
name = "t1"
[[tags]]
name = "t2"
id = 7
)"));
  ASSERT_THAT(checked.problems(), ElementsAre());
  const Settings settings(checked.raw());
  EXPECT_FALSE(settings["flag"].as<bool>());
  EXPECT_EQ(settings["baud"].as<int>(), 19200);
  EXPECT_EQ(settings["factor"].as<double>(), 1.0);
  EXPECT_EQ(settings["parity"].as<std::string>(), "even");
  EXPECT_EQ(settings["wait"].as<milliseconds>(), milliseconds(1500));
  EXPECT_EQ(settings["room"].as_bytes(), 1048576u);
  EXPECT_THAT(settings["names"].as<std::vector<std::string>>(), ElementsAre("b", "a"));
  EXPECT_THAT(settings["numbers"].as<std::vector<double>>(), ElementsAre(1, 2.5, -1000));
  EXPECT_EQ(settings["port"].as<std::string>(), "/dev/ttyA \"x\"\\");
  EXPECT_EQ(settings["retry"]["times"].as<int>(), 16);
  EXPECT_EQ(settings["tags"][1]["name"].as<std::string>(), "t2");
  EXPECT_EQ(settings["tags"][1]["id"].as<int>(), 7);
  EXPECT_FALSE(settings["tags"][0].has("id"));
  EXPECT_EQ(settings["tags"][1]["id"].place(), "settings:17: tags[1].id");
}

TEST(Check, TakesATreeMadeInCode) {
  const sluice::test::Source source(Node::Table{
      {"port", "p"}, {"baud", 300}, {"numbers", Node::List{1, 2.5}}, {"retry", Node::Table{{"times", 1}}}});
  const CheckedSettings checked(declares(), source.node);
  ASSERT_THAT(checked.problems(), ElementsAre());
  EXPECT_EQ(Settings(checked.raw())["retry"]["times"].as<int>(), 1);
  EXPECT_EQ(Settings(checked.raw())["baud"].as<int>(), 300);
}

TEST(Check, ReportsEveryProblemAtOnceWithItsPlace) {
  EXPECT_THAT(problems("baud = 7\nfactor = \"fast\"\nparity = \"odd\"\nbaux = 1\nflag = 1"),
              ElementsAre("settings:1: baud: expected 50..4000000, got 7",
                          "settings:2: factor: expected a number, got \"fast\"",
                          "settings:3: parity: expected one of \"none\", \"even\", got \"odd\"",
                          HasSubstr("settings:4: baux: unknown key; known are: flag, baud"),
                          "settings:5: flag: expected true or false, got 1", "settings: port: is required"));
}

TEST(Check, ReportsWhatIsOutOfRange) {
  EXPECT_THAT(problems("port=\"p\"\nwait=\"2h\"\nroom=\"1B\"\nfactor=2.5"),
              ElementsAre("settings:2: wait: expected 1000000..3600000000000 ns, got \"2h\"",
                          "settings:3: room: expected 16.. bytes, got \"1B\"",
                          "settings:4: factor: expected ..2, got 2.500000"));
  EXPECT_THAT(problems("port=\"p\"\nnames=[]"),
              ElementsAre("settings:2: names: expected 1..2 elements, got a list of 0"));
}

TEST(Check, ReportsWrongTypesWithin) {
  EXPECT_THAT(
      problems("port=\"p\"\nwait=5\nroom=\"4 KiB\"\nnames=[1]\nretry=1\ntags=[{id=0}]"),
      ElementsAre("settings:2: wait: expected a duration, such as \"500ms\", got 5",
                  "settings:3: room: expected a size, such as \"4KiB\", got \"4 KiB\"",
                  "settings:4: names[0]: expected text, got 1", "settings:5: retry: expected a table, got 1",
                  "settings:6: tags[0].id: expected 1.., got 0", "settings:6: tags[0].name: is required"));
  EXPECT_THAT(problems("port=\"p\"\nnames=[\"c\"]"),
              ElementsAre("settings:2: names[0]: expected one of \"a\", \"b\", got \"c\""));
}

TEST(Check, AsksThePluginOnlyWhenTheDeclarationsAreKept) {
  EXPECT_THAT(problems("port = \"bad\""), ElementsAre("settings:1: port: does not exist"));
  EXPECT_THAT(problems("port = \"bad\"\nbaud = 1"),
              ElementsAre("settings:2: baud: expected 50..4000000, got 1"));
}

TEST(Check, TellsThePlan) {
  EXPECT_THAT(check(declares(), "port = \"p\"").lines, ElementsAre("opens p"));
}

struct Mistaken {
  static sluice::Description describe() {
    return sluice::Description("mistaken", "1.0.0", ".")
        .takes()
        .placeholder("Tag", ".")
        .settings({setting("topic").string(), setting("a b").string(), setting("twice").string(),
                   setting("twice").string(), setting("both").integer().required().defaults(1),
                   setting("chosen").integer().choices({"1"}),
                   setting("low").list_of_tables({setting("x").integer().required().defaults(1)}),
                   setting("high").integer().at_most(5).defaults(6)});
  }
  Mistaken(sluice::Host, const Settings&) {}
  void poll() {}
};

TEST(Check, ReportsDeclarationsThatTheAgentRefuses) {
  EXPECT_THAT(check(sluice::descriptor<Mistaken>(), "both = 1").problems,
              ElementsAre("declaration: what takes messages has run or handle, not poll",
                          "declaration: placeholder Tag: a name has a-z, 0-9 and _ only",
                          "declaration: topic: belongs to the agent",
                          "declaration: a b: a name has letters, digits, - and _ only",
                          "declaration: twice: is declared twice",
                          "declaration: both: is required, and has a default",
                          "declaration: chosen: choices are for strings only",
                          "declaration: low[].x: is required, and has a default",
                          "default: high: expected ..5, got 6"));
}

TEST(Check, LeavesOutATableInWhichSomethingIsRequired) {
  struct Optional {
    static sluice::Description describe() {
      return sluice::Description("optional", "1.0.0", ".")
          .settings({setting("login").table(
              {setting("user").string().required(), setting("tries").integer().defaults(1)})});
    }
    Optional(sluice::Host, const Settings&) {}
    void poll() {}
  };
  const sluice_plugin& plugin = sluice::descriptor<Optional>();
  EXPECT_FALSE(Settings(CheckedSettings(plugin, parse("")).raw()).has("login"));
  EXPECT_THAT(check(plugin, "").problems, ElementsAre());
  EXPECT_THAT(check(plugin, "login.tries = 2").problems, ElementsAre("settings:1: login.user: is required"));
}

TEST(Check, FindsItsOwnEntryInAWholeConfiguration) {
  const CheckedSettings checked(declares(), parse(R"(
[agent]
id = "a"
[[input]]
plugin = "other"
[[input]]
plugin = "declares"
name = "line1"
topic = "{agent}/x"
interval = "1s"
port = "p"
[[input.tags]]
name = "t1"
[[route]]
match = "#"
)"));
  ASSERT_THAT(checked.problems(), ElementsAre());
  EXPECT_EQ(checked.name(), "line1");
  EXPECT_EQ(Settings(checked.raw())["tags"][0]["name"].as<std::string>(), "t1");
}

TEST(Literal, RefusesWhatItCannotRead) {
  const auto refusal = [](const char* literal) -> std::string {
    try {
      (void)parse(literal);
    } catch (const BadSettings& bad) {
      return bad.what();
    }
    return "none";
  };
  EXPECT_EQ(refusal("a = 1\na = 2"), "settings:2: a is set twice");
  EXPECT_EQ(refusal("a"), "settings:1: expected '='");
  EXPECT_EQ(refusal("a = 1 b = 2"), "settings:1: expected the end of the line");
  EXPECT_EQ(refusal("a = fast"), "settings:1: expected a value, got fast");
  EXPECT_EQ(refusal("\na = \"x\n\""), "settings:3: a string ends on its line");
  EXPECT_EQ(refusal("a = [1"), "settings:1: expected ','");
  EXPECT_EQ(refusal("a = \"\\q\""), "settings:1: unknown escape \\q");
  EXPECT_EQ(refusal("a = 1\n[a]"), "settings:2: a is set already");
}

TEST(Load, SaysWhyALibraryIsNone) {
  EXPECT_THROW((void)sluice::test::load("./not-there.so"), std::runtime_error);
  EXPECT_THROW((void)sluice::test::load("libc.so.6"), std::runtime_error);
}

}  // namespace
