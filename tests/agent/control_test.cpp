// SPDX-License-Identifier: Apache-2.0
#include "control.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "support/temporary_directory.hpp"

namespace sluice {
namespace {

class ControlTest : public testing::Test {
 protected:
  Log log() { return logging_.part("control"); }
  test::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "control.sock";
  Logging logging_{[](Level, std::string_view, std::string_view) {}};
};

TEST_F(ControlTest, AnswersEachRequest) {
  Control control(
      path_, false, [](const std::string& request) { return "re: " + request; }, log());
  EXPECT_EQ(ask_agent(path_, "one"), "re: one");
  EXPECT_EQ(ask_agent(path_, "two"), "re: two");
}

TEST_F(ControlTest, CarriesDocumentsOfMegabytes) {
  const std::string large(std::size_t{5} << 20U, 'x');
  Control control(
      path_, false, [](const std::string& request) { return request; }, log());
  EXPECT_EQ(ask_agent(path_, large), large);
}

TEST_F(ControlTest, SaysThatARequestIsTooLong) {
  Control control(
      path_, false, [](const std::string& request) { return request; }, log());
  const std::string longest(longest_request_bytes - 1, 'x');
  EXPECT_EQ(ask_agent(path_, longest), longest);
  try {
    ask_agent(path_, longest + 'x');
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("stop it"), std::string::npos) << error.what();
  }
}

TEST_F(ControlTest, SaysThatNobodyListens) {
  EXPECT_THROW(ask_agent(path_, "status"), NoAgent);
  {
    Control control(
        path_, false, [](const std::string& request) { return request; }, log());
  }
  EXPECT_THROW(ask_agent(path_, "status"), NoAgent);
}

TEST_F(ControlTest, ReplacesTheSocketOfAnAgentThatCrashed) {
  directory_.write("control.sock", "");
  Control control(
      path_, false, [](const std::string& request) { return request; }, log());
  EXPECT_EQ(ask_agent(path_, "here"), "here");
}

TEST_F(ControlTest, LetsOnlyTheOwnerAndWhereAskedTheGroupIn) {
  const auto mode = [&] {
    struct stat status {};
    EXPECT_EQ(::stat(path_.c_str(), &status), 0);
    return status.st_mode & 0777U;
  };
  {
    Control control(
        path_, false, [](const std::string& request) { return request; }, log());
    EXPECT_EQ(mode(), 0600U);
  }
  Control control(
      path_, true, [](const std::string& request) { return request; }, log());
  EXPECT_EQ(mode(), 0660U);
}

TEST_F(ControlTest, ALongRequestDoesNotDelayAShortOne) {
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  Control control(
      path_, false,
      [released](const std::string& request) {
        if (request == "long") released.wait();
        return request;
      },
      log());
  auto longer = std::async(std::launch::async, [&] { return ask_agent(path_, "long"); });
  EXPECT_EQ(ask_agent(path_, "short"), "short");
  release.set_value();
  EXPECT_EQ(longer.get(), "long");
}

TEST_F(ControlTest, RefusesAPathThatIsTooLong) {
  const std::filesystem::path path = directory_.path() / std::string(120, 'x');
  EXPECT_THROW(Control(
                   path, false, [](const std::string& request) { return request; }, log()),
               std::runtime_error);
}

}  // namespace
}  // namespace sluice
