// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/loader.hpp"
#include "config/reading.hpp"
#include "config/toml_text.hpp"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<std::string> problems_of(std::string_view text) {
  Problems problems;
  load_text(text, "sluice.toml", problems);
  return test::lines(problems.all());
}

struct Slip {
  const char* text;
  const char* says;
};

TEST(Syntax, EachSlipIsAnsweredWithPlaceColumnAndRemedy) {
  const Slip slips[] = {
      {"\nbaud = fast",
       "sluice.toml:2: column 10: expected 'false', saw 'fas' (in the boolean); write true or false; text "
       "goes into quotes"},
      {"a = yes",
       "sluice.toml:1: column 5: could not determine value type (in the value); write a \"text\", a number, "
       "true, false, or a list"},
      {"a = 10s",
       "sluice.toml:1: column 7: expected digit, saw 's' (in the decimal integer); text goes into quotes, as "
       "in \"10s\""},
      {"a = \"x",
       "sluice.toml:1: column 7: the text ends here (in the string); close the string with a quote"},
      {"a = \"x\nb = 1",
       "sluice.toml:1: column 7: a line break or control character (in the string); close the string with a "
       "quote on the same line"},
      {"a = \"C:\\q\"",
       "sluice.toml:1: column 9: unknown escape sequence '\\q' (in the string); write \\\\ for a backslash, "
       "or use 'single quotes'"},
      {"[a",
       "sluice.toml:1: column 3: the text ends here (in the table header); write [name] or [[name]] alone on "
       "its line"},
      {"a = 1\n [[[a", "sluice.toml:2: column 2: expected [name] or [[name]], or key = [...] for a list"},
      {"[=]", "sluice.toml:1: column 1: expected [name] or [[name]], or key = [...] for a list"},
      {"a = [1 2]",
       "sluice.toml:1: column 8: expected comma or closing ']', saw '2' (in the array); write a list as "
       "[\"a\", \"b\"], with commas between"},
      {"a = {b = 1,}",
       "sluice.toml:1: column 12: expected key-value pair, saw closing '}' (dangling comma) (in the inline "
       "table); write {a = 1, b = 2} on one line, without a comma at the end"},
      {"a : 1",
       "sluice.toml:1: column 3: expected '=', saw ':' (in the key-value pair); write key = value, one on a "
       "line; text goes into quotes"},
      {"a = 01",
       "sluice.toml:1: column 7: leading zeroes are prohibited (in the decimal integer); write the number "
       "without zeros in front"},
      {"a = 1 b = 2",
       "sluice.toml:1: column 7: expected a comment or whitespace, saw 'b' (in the key-value pair); write "
       "key = value, one on a line; text goes into quotes"},
      {"a = 99999999999999999999",
       "sluice.toml:1: column 25: '99999999999999999999' is not representable in 64 bits (in the decimal "
       "integer); the number is too large"},
  };
  for (const Slip& slip : slips) EXPECT_THAT(problems_of(slip.text), ElementsAre(slip.says)) << slip.text;
}

TEST(Syntax, AKeySetTwiceNamesBothLines) {
  EXPECT_THAT(
      problems_of("[mqtt]\nqos = 1\nversion = \"5\"\n\n[[input]]\n[[input]]\nbaud = 1\nbaud = 2\n"),
      ElementsAre("sluice.toml:8: column 8: cannot redefine existing integer 'baud' (in the key-value pair); "
                  "it stands first in line 7; remove one of the two"));
  EXPECT_THAT(
      problems_of("\n[agent]\nid = \"a\"\n[mqtt]\n[agent]\n"),
      ElementsAre("sluice.toml:5: column 1: cannot redefine existing table 'agent' (in the table header); it "
                  "stands first in line 2; remove one of the two"));
  EXPECT_THAT(
      problems_of("[input]\nname = \"a\"\n[[input]]\n"),
      ElementsAre(
          "sluice.toml:3: column 1: cannot redefine existing table 'input' as array-of-tables (in the "
          "table header); it stands first in line 1; write [[...]] each time for a list of tables, "
          "[...] once for a table"));
}

TEST(Syntax, DatesAreRefusedInPlainWords) {
  EXPECT_THAT(problems_of("[mqtt]\na = 2026-01-31\nb = 12:00:00\n"),
              ElementsAre("sluice.toml:2: a: dates and times are not used here: put the text into quotes",
                          "sluice.toml:3: b: dates and times are not used here: put the text into quotes"));
}

TEST(Syntax, LettersThatNeedQuotesAreRefusedWithTheirPlace) {
  const std::string words =
      "a character that is not ASCII stands outside of quotes: quote the text or the key";
  EXPECT_THAT(problems_of("a = 1\nh\xc3\xb6he = 2\n"), ElementsAre("sluice.toml:2: column 2: " + words));
  EXPECT_THAT(problems_of("a = \xe2\x80\x9cplant\xe2\x80\x9d\n"),
              ElementsAre("sluice.toml:1: column 5: " + words));
  EXPECT_THAT(problems_of("[a]\nb =2$$\xcf\xbb 2b \n"), ElementsAre("sluice.toml:2: column 7: " + words));
  EXPECT_THAT(problems_of("a = 1 # \xc3\xa4\n\"h\xc3\xb6he\" = '\xc3\xbc'\nb = \"\"\"\n\xc3\xa4\"\"\"\n"),
              IsEmpty());
}

// The parser looks on past a first error, and at quotes in another way than one who knows that they are wrong.
TEST(Syntax, LettersAfterAnErrorAreLettersAllTheSame) {
  EXPECT_THAT(problems_of("[a]\nb =4\"\"\"\"\"$$\xcf\xbb 2b \n\n"),
              ElementsAre(StartsWith("sluice.toml:2: column ")));
}

TEST(Syntax, WhatIsNotUtf8IsRefusedWithItsPlace) {
  EXPECT_THAT(problems_of("a = 1\nb = \"\xff\"\n"),
              ElementsAre("sluice.toml:2: column 6: this byte is not UTF-8: save the file as UTF-8"));
  EXPECT_THAT(problems_of("a = \"\xc3\xa4\"\n"), IsEmpty());
  EXPECT_THAT(problems_of(std::string("a = 1\n\0b = 2", 12)),
              ElementsAre("sluice.toml:2: column 1: a zero byte: this is no text file"));
  EXPECT_THAT(problems_of("\xef\xbb\xbf"
                          "a = 1"),
              IsEmpty())
      << "a byte order mark is harmless";
}

TEST(Syntax, DeepNestingIsRefusedHoweverItIsWritten) {
  std::string dotted = "a";
  for (int i = 0; i < 200'000; ++i) dotted += ".a";
  const std::string brackets(100'000, '[');
  std::string inline_tables;
  for (int i = 0; i < 1000; ++i) inline_tables += "{a=";
  std::string quoted = "\"a\"";
  for (int i = 0; i < 1000; ++i) quoted += " . 'a'";
  for (const std::string& text :
       {dotted + " = 1", "[" + dotted + "]", "a = " + brackets, "a = " + inline_tables, quoted + " = 1"}) {
    EXPECT_THAT(problems_of(text),
                ElementsAre(HasSubstr("expected at most 32 tables and lists inside one another")));
  }
  // Each alone is within the limit.
  const std::string twenty = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a";
  EXPECT_THAT(problems_of("[" + twenty + "]\n" + twenty + " = 1"),
              ElementsAre(HasSubstr("expected at most 32 tables and lists inside one another")));
}

TEST(Syntax, DotsAndBracketsInTextAndCommentsAreNoNesting) {
  const std::string dots(200, '.');
  const std::string brackets(200, '[');
  for (const std::string& noise : {dots, brackets}) {
    EXPECT_THAT(problems_of("# " + noise + "\na = \"" + noise + "\\\"" + noise + "\"\nb = '" + noise +
                            "'\nc = \"\"\"\n" + noise + "\"" + noise + "\"\"\"\nd = '''\n" + noise +
                            "'''\n[e]\nf = 1.5\n"),
                IsEmpty());
  }
}

TEST(Syntax, KeysKeepTheOrderOfTheFileAndTheirPlaces) {
  Problems problems;
  const Setting root = load_text("[z]\nb = 1\n  a = 2\n[[y]]\n[x]\n", "sluice.toml", problems);
  ASSERT_EQ(root.children.size(), 3U);
  EXPECT_EQ(root.children[0].key, "z");
  EXPECT_EQ(root.children[1].key, "y");
  EXPECT_EQ(root.children[0].children[0].key, "b");
  const Place a = root.children[0].children[1].place;
  EXPECT_EQ(a, (Place{"sluice.toml", 3, 3}));
  EXPECT_EQ(root.children[1].children[0].place.line, 4U);
}

TEST(Syntax, ATextThatIsTooLargeIsRefusedUnread) {
  EXPECT_THAT(problems_of(std::string(max_text_bytes + 1, '\n')),
              ElementsAre("sluice.toml: cannot be read: it is larger than 4MiB"));
  EXPECT_THAT(problems_of(std::string(max_text_bytes, '\n')), IsEmpty());
}

}  // namespace
}  // namespace sluice::config
