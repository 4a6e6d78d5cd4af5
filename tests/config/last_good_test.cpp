// SPDX-License-Identifier: Apache-2.0
#include "config/last_good.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "config/reading.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::config {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LastGood : public testing::Test {
 protected:
  LastGood() {
    fs::create_directory(directory_.file("state"));
    fs::create_directory(directory_.file("conf.d"));
    environment_ = test::gateway({{"STATE_DIRECTORY", state_dir()}});
    environment_.directory = directory_.path();
  }

  std::string state_dir() const { return directory_.file("state"); }
  std::string kept() const { return directory_.file("state/last-good.conf"); }
  void write(const std::string& text) { directory_.write("sluice.toml", text); }

  std::optional<Loaded> start() {
    Problems problems;
    auto loaded = load_for_start(directory_.file("sluice.toml"), environment_, problems);
    problems_ = test::lines(problems.all());
    return loaded;
  }
  // A start that succeeds.
  void start_and_keep() {
    const auto loaded = start();
    ASSERT_TRUE(loaded.has_value());
    ASSERT_FALSE(loaded->is_last_good);
    keep_last_good(loaded->config.agent.state_dir, loaded->sources);
  }

  sluice::test::TemporaryDirectory directory_;
  Environment environment_;
  std::vector<std::string> problems_;
};

TEST_F(LastGood, IsNotNeededForAGoodFile) {
  write("[agent]\nid = \"one\"\n");
  start_and_keep();
  write("[agent]\nid = \"two\"\n");
  const auto loaded = start();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_FALSE(loaded->is_last_good);
  EXPECT_EQ(loaded->config.agent.id, "two");
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(LastGood, RunsWhereTheFileIsBadAndTheProblemsAreTold) {
  write("[agent]\nid = \"good\"\n");
  directory_.write("conf.d/a.toml", "[[input]]\nplugin = \"p\"\nname = \"a\"\nown = 1\n");
  start_and_keep();
  fs::remove(directory_.file("conf.d/a.toml"));
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"[agent]\nid = 5\n", "sluice.toml:2: agent.id: expected a string, got 5"},
           {"[agent\n", "sluice.toml:1: column 7: "}}) {
    write(text);
    const auto loaded = start();
    ASSERT_TRUE(loaded.has_value());
    EXPECT_TRUE(loaded->is_last_good);
    EXPECT_EQ(loaded->config.agent.id, "good");
    ASSERT_EQ(loaded->config.instances.size(), 1U);
    EXPECT_EQ(to_string(loaded->config.instances[0].place), "last-good/conf.d/a.toml:1");
    EXPECT_THAT(problems_, ElementsAre(HasSubstr(says)));
  }
  fs::remove(directory_.file("sluice.toml"));
  EXPECT_TRUE(start().has_value()) << "a file that is gone is a bad one";
}

TEST_F(LastGood, WithoutOneABadFileIsRefused) {
  write("[agent]\nid = 5\n");
  EXPECT_FALSE(start().has_value());
  EXPECT_THAT(problems_, ElementsAre("sluice.toml:2: agent.id: expected a string, got 5"));
}

TEST_F(LastGood, KeepsTheVariablesThatItUses) {
  environment_ = test::gateway({{"STATE_DIRECTORY", state_dir()}, {"SITE", "north"}, {"OTHER", "hush"}});
  write("[agent]\nid = \"${SITE}\"\n");
  start_and_keep();
  EXPECT_THAT(sluice::test::read_file(kept()), Not(HasSubstr("hush")));
  environment_ = test::gateway({{"STATE_DIRECTORY", state_dir()}});
  const auto loaded = start();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_TRUE(loaded->is_last_good);
  EXPECT_EQ(loaded->config.agent.id, "north");
  EXPECT_THAT(problems_, ElementsAre("sluice.toml:2: agent.id: the environment variable SITE is not set"));
}

TEST_F(LastGood, ComesUpWithoutASecretThatIsGone) {
  directory_.write("pw", "x");
  write("[mqtt]\npassword_file = \"pw\"\n");
  start_and_keep();
  fs::remove(directory_.file("pw"));
  const auto loaded = start();
  ASSERT_TRUE(loaded.has_value());
  EXPECT_TRUE(loaded->is_last_good);
  EXPECT_EQ(loaded->config.mqtt.password, "");
  EXPECT_THAT(test::lines(loaded->config.warnings),
              ElementsAre(HasSubstr("last-good/sluice.toml:2: mqtt.password_file: ")));
}

TEST_F(LastGood, NeverHoldsTheSecretsThemselves) {
  directory_.write("pw", "hush");
  write("[mqtt]\npassword_file = \"pw\"\n");
  start_and_keep();
  EXPECT_THAT(sluice::test::read_file(kept()), Not(HasSubstr("hush")));
}

TEST_F(LastGood, IsFoundInTheStateDirectoryOfABadFile) {
  fs::create_directory(directory_.file("elsewhere"));
  const std::string agent = "[agent]\n  state_dir = \"" + directory_.file("elsewhere") + "\" # here\n";
  write(agent);
  start_and_keep();
  EXPECT_TRUE(fs::exists(directory_.file("elsewhere/last-good.conf")));
  for (const std::string& bad : {agent + "id = 5\n", agent + "id = \n", "[[[\n" + agent}) {
    write(bad);
    const auto loaded = start();
    ASSERT_TRUE(loaded.has_value()) << bad;
    EXPECT_TRUE(loaded->is_last_good);
  }
}

TEST_F(LastGood, IsForItsOwnerAloneAndLeavesNothingBeside) {
  write("");
  start_and_keep();
  struct stat status {};
  ASSERT_EQ(::stat(kept().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(fs::directory_iterator(state_dir()), fs::directory_iterator()), 1);
}

TEST_F(LastGood, TheSameIsNotWrittenAgain) {
  write("[agent]\nid = \"a\"\n");
  start_and_keep();
  struct stat before {};
  struct stat after {};
  ASSERT_EQ(::stat(kept().c_str(), &before), 0);
  start_and_keep();
  ASSERT_EQ(::stat(kept().c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  write("[agent]\nid = \"b\"\n");
  start_and_keep();
  ASSERT_EQ(::stat(kept().c_str(), &after), 0);
  EXPECT_NE(before.st_ino, after.st_ino) << "another file, so that a power cut leaves one of the two whole";
}

TEST_F(LastGood, AFailureToKeepIsThrown) {
  EXPECT_THROW(keep_last_good(directory_.file("missing"), Sources{}), std::system_error);
}

TEST_F(LastGood, ADamagedOneIsToldAndNotRun) {
  write("[agent]\nid = \"a\"\n");
  start_and_keep();
  const std::string whole = sluice::test::read_file(kept());
  write("[agent]\nid = 5\n");
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    directory_.write("state/last-good.conf", whole.substr(0, bytes));
    EXPECT_FALSE(start().has_value()) << bytes;
    EXPECT_THAT(problems_,
                ElementsAre(HasSubstr("agent.id"), HasSubstr("is damaged, or of a newer version")));
  }
  directory_.write("state/last-good.conf",
                   "sluice last good configuration, format 1\nfile 99999999999999999999 1\n");
  EXPECT_FALSE(start().has_value());
}

TEST_F(LastGood, OneThatIsRefusedTooIsTold) {
  Sources sources;
  sources.files = {{"sluice.toml", "[agent]\nold_key = 1\n"}};
  keep_last_good(state_dir(), sources);
  write("[agent]\nid = 5\n");
  EXPECT_FALSE(start().has_value());
  EXPECT_THAT(problems_, ElementsAre("sluice.toml:2: agent.id: expected a string, got 5",
                                     "last-good/sluice.toml:2: agent: unknown key \"old_key\""));
}

}  // namespace
}  // namespace sluice::config
