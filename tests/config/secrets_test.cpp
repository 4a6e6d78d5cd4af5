// SPDX-License-Identifier: Apache-2.0
#include "config/secrets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "config/reading.hpp"
#include "support/temporary_directory.hpp"

namespace sluice::config {
namespace {

namespace fs = std::filesystem;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Secrets : public testing::Test {
 protected:
  Secrets() {
    fs::create_directory(directory_.file("config"));
    fs::create_directory(directory_.file("credentials"));
    environment_ = test::gateway({{"CREDENTIALS_DIRECTORY", directory_.file("credentials")}});
    environment_.directory = directory_.file("config");
  }

  void write(const std::string& name, const std::string& content, unsigned mode = 0600) {
    fs::permissions(directory_.write(name, content), static_cast<fs::perms>(mode));
  }

  std::optional<std::string> read(const std::string& name) {
    Problems problems;
    Problems warnings;
    Setting at;
    at.kind = SettingKind::string;
    at.value = name;
    at.place = {"sluice.toml", 7, 1};
    at.path = "mqtt.password_file";
    const auto secret = read_secret(at, environment_, problems, warnings);
    problems_ = test::lines(problems.all());
    warnings_ = test::lines(warnings.all());
    return secret;
  }

  sluice::test::TemporaryDirectory directory_;
  Environment environment_;
  std::vector<std::string> problems_;
  std::vector<std::string> warnings_;
};

TEST_F(Secrets, ComeFromTheCredentialsDirectoryFirst) {
  write("config/pw", "of the folder");
  EXPECT_EQ(read("pw"), "of the folder");
  write("credentials/pw", "of systemd");
  EXPECT_EQ(read("pw"), "of systemd");
  EXPECT_EQ(read(directory_.file("config/pw")), "of the folder") << "an absolute name is what it says";
  environment_.variables = nullptr;
  EXPECT_EQ(read("pw"), "of the folder");
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(Secrets, LoseTheNewlineAtTheirEndOnly) {
  for (const auto& [content, secret] : std::vector<std::pair<std::string, std::string>>{
           {"a\n", "a"}, {"a\r\n", "a"}, {"a\n\n", "a\n"}, {" a ", " a "}, {"a\nb", "a\nb"}}) {
    write("config/pw", content);
    EXPECT_EQ(read("pw"), secret);
  }
}

TEST_F(Secrets, AFileThatCannotBeReadIsAProblemWithItsPlace) {
  EXPECT_EQ(read("pw"), std::nullopt);
  EXPECT_THAT(
      problems_,
      ElementsAre("sluice.toml:7: mqtt.password_file: there is no such file: looked for \"" +
                  directory_.file("credentials/pw") + "\" and \"" + directory_.file("config/pw") + "\""));
  fs::create_directory(directory_.file("config/dir"));
  EXPECT_EQ(read("dir"), std::nullopt);
  EXPECT_THAT(problems_, ElementsAre("sluice.toml:7: mqtt.password_file: cannot be read: \"" +
                                     directory_.file("config/dir") + "\": it is a directory"));
  if (::geteuid() != 0) {
    write("credentials/closed", "x", 0);
    write("config/closed", "y");
    EXPECT_EQ(read("closed"), std::nullopt) << "another secret than the one that is meant is worse than none";
    EXPECT_THAT(problems_, ElementsAre(HasSubstr("Permission denied")));
  }
}

TEST_F(Secrets, WhatCannotBeOneIsRefusedWithoutBeingShown) {
  write("config/empty", "\n");
  EXPECT_EQ(read("empty"), std::nullopt);
  EXPECT_THAT(problems_, ElementsAre(HasSubstr(": nothing stands in \"")));
  write("config/zero", std::string("hush\0x", 6));
  EXPECT_EQ(read("zero"), std::nullopt);
  EXPECT_THAT(problems_, ElementsAre(HasSubstr(": a zero byte stands in \"")));
  EXPECT_THAT(problems_, Each(Not(HasSubstr("hush"))));
  write("config/large", std::string((64U << 10U) + 1, 'x'));
  EXPECT_EQ(read("large"), std::nullopt);
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("it is larger than 64KiB")));
}

TEST_F(Secrets, OneThatEverybodyMayReadIsAWarning) {
  write("config/pw", "x", 0644);
  EXPECT_EQ(read("pw"), "x");
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_THAT(warnings_, ElementsAre("sluice.toml:7: mqtt.password_file: everybody may read \"" +
                                     directory_.file("config/pw") + "\": chmod o-r"));
  write("credentials/pw", "x", 0644);
  read("pw");
  EXPECT_THAT(warnings_, IsEmpty()) << "systemd guards its directory";
}

TEST_F(Secrets, OneThatIsMissingIsAWarningWhereTheEnvironmentDoesWithout) {
  environment_.without_secrets = true;
  EXPECT_EQ(read("pw"), std::nullopt);
  EXPECT_THAT(problems_, IsEmpty());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("mqtt.password_file: there is no such file")));
}

TEST_F(Secrets, ReachTheOptionsAndNoMessage) {
  write("config/pw", "hush-password\n", 0644);
  write("config/psk", "c0ffee\n", 0644);
  const std::string text =
      "[mqtt]\nbrokers = [\"mqtts://a\"]\nusername = \"u\"\npassword_file = \"pw\"\n[mqtt.tls]\npsk_identity "
      "= \"me\"\n"
      "psk_file = \"psk\"\n";
  const test::Result good = test::read_text(text, environment_);
  ASSERT_TRUE(good.config.has_value());
  EXPECT_EQ(good.config->mqtt.password, "hush-password");
  EXPECT_EQ(good.config->mqtt.tls.psk, "c0ffee");
  EXPECT_EQ(good.config->mqtt.tls.psk_identity, "me");

  write("config/psk", "hush-key", 0644);
  const test::Result bad = test::read_text(text + "[agent]\nid = 1\n", environment_);
  EXPECT_THAT(bad.problems,
              ElementsAre("sluice.toml:7: mqtt.tls.psk_file: expected a file with an even number of "
                          "hexadecimal digits, got \"psk\"",
                          "sluice.toml:9: agent.id: expected a string, got 1"));
  for (const auto& said : {good.warnings(), bad.problems}) EXPECT_THAT(said, Each(Not(HasSubstr("hush"))));
}

TEST_F(Secrets, OldVersionsOfTheProtocolNeedAUserNameWithAPassword) {
  write("config/pw", "x");
  EXPECT_THAT(test::read_text("[mqtt]\nversion = \"3.1.1\"\npassword_file = \"pw\"\n", environment_).problems,
              ElementsAre("sluice.toml:3: mqtt.password_file: expected a username with it, which MQTT before "
                          "5 needs, got \"pw\""));
}

TEST_F(Secrets, ACertificateNeedsItsKey) {
  write("config/cert", "x");
  write("config/key", "x", 0644);
  const std::string tls = "[mqtt]\nbrokers = [\"mqtts://a\"]\n[mqtt.tls]\n";
  EXPECT_THAT(test::read_text(tls + "cert_file = \"cert\"\n", environment_).problems,
              ElementsAre("sluice.toml:4: mqtt.tls.cert_file: expected key_file beside it"));
  EXPECT_THAT(test::read_text(tls + "key_file = \"key\"\n", environment_).problems,
              ElementsAre("sluice.toml:4: mqtt.tls.key_file: expected cert_file beside it"));
  EXPECT_THAT(test::read_text(tls + "cert_file = \"cert\"\nkey_file = \"key\"\n", environment_).warnings(),
              ElementsAre("sluice.toml:5: mqtt.tls.key_file: everybody may read \"" +
                          directory_.file("config/key") + "\": chmod o-r"));
}

}  // namespace
}  // namespace sluice::config
