// SPDX-License-Identifier: Apache-2.0
#include "config/loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "config/reading.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Setting merge_of(const std::vector<SourceFile>& files, std::vector<std::string>* said,
                 std::map<std::string, std::string> environment = {}) {
  Problems problems;
  Setting root = load(files, test::variables(std::move(environment)), problems);
  *said = test::lines(problems.all());
  return root;
}

std::string text_at(const Setting& root, std::string_view table, std::string_view key) {
  const Setting* at = root.find(table);
  const Setting* setting = at == nullptr ? nullptr : at->find(key);
  return setting == nullptr ? "(none)" : std::get<std::string>(setting->value);
}

class Loader : public testing::Test {
 protected:
  Setting load_directory() {
    Problems problems;
    Setting root = load_files(directory_.file("sluice.toml"), problems);
    said_ = test::lines(problems.all());
    return root;
  }

  sluice::test::TemporaryDirectory directory_;
  std::vector<std::string> said_;
};

TEST_F(Loader, ReadsFragmentsAfterTheFileInByteOrderOfTheirNames) {
  std::filesystem::create_directory(directory_.file("conf.d"));
  directory_.write("sluice.toml", "[[input]]\nname = \"main\"\n");
  directory_.write("conf.d/b.toml", "[[input]]\nname = \"b\"\n");
  directory_.write("conf.d/10.toml", "[[input]]\nname = \"10\"\n");
  directory_.write("conf.d/B.toml", "[[input]]\nname = \"B\"\n");
  directory_.write("conf.d/b.toml.bak", "not = read");
  directory_.write("conf.d/.hidden.toml", "not = read");
  const Setting root = load_directory();
  EXPECT_THAT(said_, IsEmpty());
  std::vector<std::string> names;
  for (const Setting& input : root.find("input")->children) {
    names.push_back(std::get<std::string>(input.find("name")->value) + " " + input.place.file);
  }
  EXPECT_THAT(names,
              ElementsAre("main sluice.toml", "10 conf.d/10.toml", "B conf.d/B.toml", "b conf.d/b.toml"));
}

TEST_F(Loader, AFileThatIsMissingOrNoFileIsAProblemAndNeverBlocks) {
  load_directory();
  EXPECT_THAT(said_, ElementsAre("sluice.toml: cannot be read: No such file or directory"));

  ASSERT_EQ(::mkfifo(directory_.file("sluice.toml").c_str(), 0600), 0);
  std::filesystem::create_directories(directory_.file("conf.d/x.toml"));
  load_directory();
  EXPECT_THAT(said_, ElementsAre("sluice.toml: cannot be read: it is no regular file",
                                 "conf.d/x.toml: cannot be read: it is a directory"));
}

TEST_F(Loader, AllFilesTogetherAreBounded) {
  std::filesystem::create_directory(directory_.file("conf.d"));
  directory_.write("sluice.toml", std::string(max_text_bytes - 10, '\n'));
  directory_.write("conf.d/a.toml", std::string(11, '\n'));
  load_directory();
  EXPECT_THAT(said_, ElementsAre("conf.d/a.toml: cannot be read: it is larger than 10B"));

  directory_.write("sluice.toml", "");
  for (std::size_t i = 0; i < max_files; ++i) directory_.write("conf.d/" + std::to_string(i) + ".toml", "");
  load_directory();
  EXPECT_THAT(said_, ElementsAre("conf.d: expected fewer than 256 files"));
}

TEST_F(Loader, TakesVariablesOfTheProcess) {
  ::setenv("SLUICE_LOADER_TEST", "of the process", 1);
  directory_.write("sluice.toml", "[a]\nb = \"${SLUICE_LOADER_TEST}\"\n");
  EXPECT_EQ(text_at(load_directory(), "a", "b"), "of the process");
}

TEST(Merge, TablesOfSeveralFilesBecomeOne) {
  std::vector<std::string> said;
  const Setting root = merge_of({{"sluice.toml", "[mqtt]\na = \"1\"\n[mqtt.tls]\nb = \"2\"\n"},
                                 {"conf.d/a.toml", "[mqtt]\nc = \"3\"\n[mqtt.tls]\nd = \"4\"\n[log]\n"}},
                                &said);
  EXPECT_THAT(said, IsEmpty());
  EXPECT_EQ(text_at(root, "mqtt", "a") + text_at(root, "mqtt", "c"), "13");
  EXPECT_EQ(root.find("mqtt")->find("tls")->children.size(), 2U);
}

TEST(Merge, AKeySetTwiceNamesBothPlaces) {
  std::vector<std::string> said;
  merge_of({{"sluice.toml", "[mqtt]\nkeepalive = \"60s\"\nbrokers = [\"a\"]\n"},
            {"conf.d/a.toml", "\n\n[mqtt]\nkeepalive = \"60s\"\nbrokers = [\"b\"]\n"}},
           &said);
  EXPECT_THAT(
      said,
      ElementsAre(
          "conf.d/a.toml:4: mqtt.keepalive: is set twice: first in sluice.toml:2; remove one of the two",
          "conf.d/a.toml:5: mqtt.brokers: is set twice: first in sluice.toml:3; remove one of the two"));
}

TEST(Merge, ATableAndAListOfTablesDoNotMix) {
  std::vector<std::string> said;
  merge_of({{"sluice.toml", "[[input]]\nname = \"a\"\n"}, {"conf.d/a.toml", "[input]\nname = \"b\"\n"}},
           &said);
  EXPECT_THAT(
      said,
      ElementsAre("conf.d/a.toml:1: input: expected a list of tables [[input]] as in sluice.toml:1, got a "
                  "table [input]"));
}

TEST(Merge, ABadFragmentLeavesTheRest) {
  std::vector<std::string> said;
  const Setting root =
      merge_of({{"sluice.toml", "[agent]\nid = \"a\"\n"}, {"conf.d/a.toml", "[agent\n"}}, &said);
  EXPECT_THAT(said, ElementsAre(HasSubstr("conf.d/a.toml:1: column 7: ")));
  EXPECT_EQ(text_at(root, "agent", "id"), "a");
}

TEST(Expand, ReplacesVariablesInStringsWhereverTheyAre) {
  std::vector<std::string> said;
  const Setting root =
      merge_of({{"sluice.toml",
                 "[a]\nb = \"x${ONE}y${TWO}\"\nc = \"$${ONE} $ONE $$ ${ONE}\"\nd = [{e = \"${TWO}\"}]\n"}},
               &said, {{"ONE", "1"}, {"TWO", "${ONE}"}});
  EXPECT_THAT(said, IsEmpty());
  EXPECT_EQ(text_at(root, "a", "b"), "x1y${ONE}") << "what is put in is not looked at again";
  EXPECT_EQ(text_at(root, "a", "c"), "${ONE} $ONE $$ 1");
  EXPECT_EQ(std::get<std::string>(root.find("a")->find("d")->children[0].find("e")->value), "${ONE}");
}

TEST(Expand, WhatCannotBeReplacedIsAProblemWithItsPlace) {
  std::vector<std::string> said;
  merge_of({{"sluice.toml",
             "[[input]]\nname = \"a\"\nb = \"${MISSING}\"\nc = \"${1x}\"\nd = \"${NAME\"\ne = \"${}\"\nf = "
             "\"${BAD}\"\n"}},
           &said, {{"BAD", "\xff"}});
  EXPECT_THAT(
      said,
      ElementsAre("sluice.toml:3: input \"a\": b: the environment variable MISSING is not set",
                  "sluice.toml:4: input \"a\": c: expected ${NAME} with letters, digits and _, got \"${1x\"; "
                  "write $${ for ${ itself",
                  "sluice.toml:5: input \"a\": d: expected ${NAME} with letters, digits and _, got \"${\"; "
                  "write $${ for ${ itself",
                  "sluice.toml:6: input \"a\": e: expected ${NAME} with letters, digits and _, got \"${\"; "
                  "write $${ for ${ itself",
                  "sluice.toml:7: input \"a\": f: the value of the environment variable BAD is not UTF-8"));
}

TEST(Paths, AreWhatPeopleCallThings) {
  std::vector<std::string> said;
  const Setting root =
      merge_of({{"sluice.toml",
                 "[mqtt.tls]\nca_file = \"\"\n[[mqtt.subscribe]]\nfilter = \"a\"\n"
                 "[[input]]\nname = \"line ${N}\"\nbaud = 1\n[input.host]\nx = 1\n"
                 "[[input.tags]]\naddress = 1\n[[route]]\nto = [\"a\"]\n[[input]]\nbaud = 2\n"}},
               &said, {{"N", "1"}});
  EXPECT_THAT(said, IsEmpty());
  EXPECT_EQ(root.find("mqtt")->find("tls")->find("ca_file")->path, "mqtt.tls.ca_file");
  EXPECT_EQ(root.find("mqtt")->find("subscribe")->children[0].find("filter")->path,
            "mqtt.subscribe[0].filter");
  const Setting& input = root.find("input")->children[0];
  EXPECT_EQ(input.find("baud")->path, "input \"line 1\": baud");
  EXPECT_EQ(input.find("host")->find("x")->path, "input \"line 1\": host.x");
  EXPECT_EQ(input.find("tags")->children[0].find("address")->path, "input \"line 1\": tags[0].address");
  EXPECT_EQ(root.find("input")->children[1].find("baud")->path, "input 2: baud");
  EXPECT_EQ(root.find("route")->children[0].find("to")->children[0].path, "route 1: to[0]");
}

}  // namespace
}  // namespace sluice::config
