// SPDX-License-Identifier: Apache-2.0
#include "downlink.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace sluice {
namespace {

class DownlinkTest : public testing::Test {
 protected:
  static Message command(const std::string& payload) {
    Message message;
    message.topic = "cmd/gw/plc/setpoint";
    message.payload = payload;
    message.response_topic = "reply/7";
    message.correlation_data = "c-1";
    return message;
  }
  // A command whose `ts` is so many seconds old.
  Message sent_ago(double seconds) {
    const double now = static_cast<double>(clock_.wall().count()) / 1e9;
    return command(nlohmann::json{{"ts", now - seconds}, {"value", 1}}.dump());
  }
  nlohmann::json answer(std::size_t i = 0) {
    return i < answers_.size() ? nlohmann::json::parse(*answers_[i].message->payload) : nlohmann::json();
  }
  std::uint64_t counter(const char* name) { return metrics_.counter("downlink", name).value(); }

  ManualClock clock_;
  Metrics metrics_;
  Logging logging_{[](Level, std::string_view, std::string_view) {}};
  std::vector<Message> routed_;
  std::vector<Delivery> answers_;
  Router::Outcome outcome_ = Router::Outcome::delivered;
  Downlink downlink_{[this](Message&& message) {
                       routed_.push_back(std::move(message));
                       return outcome_;
                     },
                     [this](Delivery&& delivery) { answers_.push_back(std::move(delivery)); }, clock_,
                     metrics_, logging_.part("downlink")};
};

TEST_F(DownlinkTest, RoutesACommandAndAnswersWhenItIsDone) {
  downlink_.received(command("42"), false);
  ASSERT_EQ(routed_.size(), 1U);
  EXPECT_TRUE(answers_.empty());

  downlink_.completed({std::make_shared<Message>(routed_[0]), {}, {}},
                      {plugin::Outcome::done, "", {{"value", std::int64_t{42}, Quality::good, ""}}});
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].topic(), "reply/7");
  EXPECT_EQ(answers_[0].message->correlation_data, "c-1");
  EXPECT_EQ(answer()["ok"], true);
  EXPECT_EQ(answer()["value"], 42);
}

TEST_F(DownlinkTest, RefusesRetainedCommands) {
  downlink_.received(command("42"), true);
  EXPECT_TRUE(routed_.empty());
  EXPECT_EQ(answer()["ok"], false);
  EXPECT_NE(answer()["error"].get<std::string>().find("expired"), std::string::npos);
  EXPECT_EQ(counter("expired"), 1U);
}

TEST_F(DownlinkTest, RefusesCommandsOfMoreThanAMinuteAgo) {
  downlink_.received(sent_ago(59), false);
  EXPECT_EQ(routed_.size(), 1U);
  downlink_.received(sent_ago(61), false);
  EXPECT_EQ(routed_.size(), 1U);
  EXPECT_NE(answer()["error"].get<std::string>().find("expired"), std::string::npos);
  EXPECT_EQ(counter("expired"), 1U);
}

TEST_F(DownlinkTest, ReadsTheTimeOfACommandInEveryUsualForm) {
  // The clock stands at 2023-11-14T22:13:20Z.
  for (const char* old :
       {R"({"ts":"2023-11-14T22:12:00Z"})", R"({"ts":"2023-11-14T22:12:00.123456Z"})",
        R"({"ts":"2023-11-15T00:12:00+02:00"})", R"({"ts":1699999900})", R"({"ts":1699999900000})"}) {
    routed_.clear();
    downlink_.received(command(old), false);
    EXPECT_TRUE(routed_.empty()) << old;
  }
  for (const char* recent :
       {R"({"ts":"2023-11-14T22:13:00Z"})", R"({"ts":"2023-11-14T23:13:00.5+01:00"})", R"({"ts":1699999990})",
        R"({"ts":"yesterday"})", R"({"ts":null})", "\"ts\"", "{\"ts\":"}) {
    routed_.clear();
    downlink_.received(command(recent), false);
    EXPECT_EQ(routed_.size(), 1U) << recent;
  }
}

TEST_F(DownlinkTest, SaysWhenNobodyTakesACommand) {
  outcome_ = Router::Outcome::unrouted;
  downlink_.received(command("1"), false);
  EXPECT_NE(answer(0)["error"].get<std::string>().find("no route"), std::string::npos);
  outcome_ = Router::Outcome::undelivered;
  downlink_.received(command("1"), false);
  EXPECT_NE(answer(1)["error"].get<std::string>().find("mailbox"), std::string::npos);
  EXPECT_EQ(counter("refused"), 2U);
}

TEST_F(DownlinkTest, PassesOnWhyACommandFailed) {
  const Delivery delivery{std::make_shared<Message>(command("1")), {}, {}};
  downlink_.completed(delivery, {plugin::Outcome::refused, "tag \"x\" is not writable", {}});
  downlink_.completed(delivery, {plugin::Outcome::timed_out, "", {}});
  downlink_.completed(delivery, {plugin::Outcome::stopped, "", {}});
  EXPECT_EQ(answer(0)["error"], "tag \"x\" is not writable");
  EXPECT_EQ(answer(1)["error"], "no answer in time");
  EXPECT_EQ(answer(2)["error"], "the instance was stopped");
}

TEST_F(DownlinkTest, AnswersOnlyCommandsThatAskForIt) {
  Message silent = command("1");
  silent.response_topic.clear();
  downlink_.completed({std::make_shared<Message>(silent), {}, {}}, {plugin::Outcome::done, "", {}});
  Message from_input = command("1");
  from_input.input = "sim";
  downlink_.completed({std::make_shared<Message>(from_input), {}, {}}, {plugin::Outcome::done, "", {}});
  EXPECT_TRUE(answers_.empty());
}

}  // namespace
}  // namespace sluice
