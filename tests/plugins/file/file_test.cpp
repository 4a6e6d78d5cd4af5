// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <sluice/testing.hpp>

#include "plugins/settings_table.hpp"
#include "plugins/temporary_folder.hpp"

extern "C" const sluice_plugin sluice_plugin_v1;

namespace {

using plugin_test::content;
using plugin_test::TemporaryFolder;
using sluice::Message;
using sluice::test::Instance;
using sluice::test::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const sluice_plugin& plugin = sluice_plugin_v1;

std::string settings(const std::string& path, const std::string& fsync) {
  return "path = \"" + path + "\"\nfsync = \"" + fsync + "\"";
}

Message sample(int value) {
  Message message;
  message.topic("a/b").sample("value", value).at_wall(0);
  return message;
}

std::string line(int value) {
  return "{\"topic\":\"a/b\",\"ts\":\"1970-01-01T00:00:00.000000000Z\",\"samples\":{\"value\":" +
         std::to_string(value) + "}}\n";
}

class FileWithFsync : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, FileWithFsync, ::testing::Values("never", "each-batch", "1s"));

TEST_P(FileWithFsync, AppendsALineForEachMessageAndAnswersIt) {
  const TemporaryFolder folder;
  const std::string path = folder.file("f");
  std::string expected;
  for (int start = 0; start < 2; ++start) {
    Instance out(plugin, settings(path, GetParam()));
    for (int i = 0; i < 10; ++i) {
      const auto token = out.send(sample(i));
      EXPECT_EQ(out.wait_completion(token).outcome, Outcome::Done);
      expected += line(i);
    }
    EXPECT_EQ(content(path), expected);
    EXPECT_EQ(out.metric("lines").value, 10);
    EXPECT_TRUE(out.stop().ok());
  }
}

TEST(File, WritesABatchInOrder) {
  const TemporaryFolder folder;
  const std::string path = folder.file("f");
  sluice::test::CheckedSettings checked(plugin, sluice::test::Source(settings(path, "each-batch")).node);
  sluice::test::FakeHost host(plugin, "f");
  void* instance = nullptr;
  ASSERT_EQ(plugin.create(host.raw(), checked.raw(), &instance, nullptr), SLUICE_OK);
  std::vector<sluice_message> batch;
  std::vector<Message> messages;
  for (int i = 0; i < 100; ++i) messages.push_back(sample(i));
  for (const Message& message : messages) {
    batch.push_back(message.raw());
    batch.back().token = host.hand_out(message)->raw.token;
  }
  ASSERT_EQ(
      plugin.handle(instance, sluice_array{batch.data(), batch.size(), sizeof(sluice_message)}, nullptr),
      SLUICE_OK);
  plugin.destroy(instance);
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += line(i);
  EXPECT_EQ(content(path), expected);
  EXPECT_EQ(host.read([](const auto& seen) { return seen.completions.size(); }), 100u);
}

TEST(File, GoesOnInANewFileWhenTheOldOneWasMovedAway) {
  const TemporaryFolder folder;
  const std::string path = folder.file("f");
  Instance out(plugin, settings(path, "1s"));
  out.send(sample(1));
  std::filesystem::rename(path, folder.file("f.1"));
  out.send(sample(2));
  EXPECT_EQ(content(folder.file("f.1")), line(1));
  EXPECT_EQ(content(path), line(2));
  EXPECT_EQ(out.metric("reopened").value, 1);
}

TEST(File, AnswersRetryWhileItCannotWriteAndSaysSoOnceEachWay) {
  const TemporaryFolder folder;
  const std::string path = folder.file("later/f");
  Instance out(plugin, settings(path, "each-batch"));
  out.request_stop();  // so that it does not wait before it answers
  for (int i = 0; i < 3; ++i) {
    const auto answer = out.wait_completion(out.send(sample(i)));
    EXPECT_EQ(answer.outcome, Outcome::Retry);
    EXPECT_EQ(answer.retry_after, std::chrono::seconds(0));
    EXPECT_THAT(answer.text, HasSubstr("its folder does not exist"));
  }
  EXPECT_EQ(out.metric("write_errors").value, 3);
  std::filesystem::create_directory(folder.file("later"));
  EXPECT_EQ(out.wait_completion(out.send(sample(7))).outcome, Outcome::Done);
  EXPECT_EQ(content(path), line(7));
  std::vector<std::string> lines;
  for (const auto& one : out.log()) lines.push_back(one.text);
  EXPECT_THAT(lines, ElementsAre(HasSubstr("its folder does not exist"), HasSubstr("can be written again")));
}

TEST(File, HoldsABatchThatCannotBeWrittenSoThatOthersStayBehindItButEndsAtOnce) {
  const TemporaryFolder folder;
  Instance out(plugin, settings(folder.file("later/f"), "1s"));
  auto sent = std::async(std::launch::async, [&] { return out.send(sample(1)); });
  out.wait_log("its folder does not exist");
  EXPECT_TRUE(out.completions().empty());
  out.request_stop();
  EXPECT_EQ(out.wait_completion(sent.get()).outcome, Outcome::Retry);
}

TEST(File, RefusesAPathThatIsNotAbsoluteOrNamesAFolder) {
  EXPECT_THAT(sluice::test::check(plugin, "path = \"f.jsonl\"").problems, ElementsAre(HasSubstr("absolute")));
  EXPECT_THAT(sluice::test::check(plugin, "path = \"/var/\"").problems,
              ElementsAre(HasSubstr("not a folder")));
  EXPECT_THAT(sluice::test::check(plugin, "").problems, ElementsAre(HasSubstr("path")));
  EXPECT_THAT(sluice::test::check(plugin, "path = \"/f\"").problems, ElementsAre());
}

TEST(File, ItsReadmeSaysWhatItDeclares) {
  EXPECT_EQ(plugin_test::missing_in_readme(plugin, SLUICE_SOURCE_DIR "/plugins/file"), "");
}

TEST(File, ItsSampleLoads) {
  EXPECT_NO_THROW(Instance(plugin, content(SLUICE_SOURCE_DIR "/plugins/file/sample.toml")));
}

}  // namespace
