// SPDX-License-Identifier: Apache-2.0
// The router with a real queue and no instances.
#include "router.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "base/clock.hpp"
#include "queue/queue.hpp"
#include "queue/storage.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait_until.hpp"

namespace sluice {
namespace {

route::Rule rule(const std::string& match, std::vector<std::string> to = {"mqtt"}) {
  route::Rule rule;
  rule.match = match;
  rule.to = std::move(to);
  rule.from = route::From::any;
  return rule;
}

Message message(const std::string& topic, std::size_t bytes = 10) {
  Message message;
  message.topic = topic;
  message.input = "test";
  message.payload = std::string(bytes, 'x');
  return message;
}

class RouterTest : public testing::Test {
 protected:
  static constexpr std::size_t memory = 16384;

  RouterTest() {
    queue::Options options;
    options.directory = directory_.path() / "queue";
    options.memory = memory;
    options.persist_after = options.commit_interval = std::chrono::hours(1);
    queue_ = std::make_unique<queue::Queue>(storage_, options, logging_.part("queue"));
    router_ = std::make_unique<Router>(
        *queue_, [](const Delivery&, const plugin::Completion&) {}, metrics_, logging_.part("router"));
  }
  void set(std::vector<route::Rule> rules) { router_->set_routes(route::Rules(std::move(rules), "gw"), {}); }
  Push accept(const std::string& topic) { return router_->accept(message(topic), nullptr); }
  std::vector<std::string> topics() {
    std::vector<queue::Outgoing> taken;
    queue_->take(taken, 1000);
    std::vector<std::string> topics;
    for (const queue::Outgoing& outgoing : taken) {
      topics.push_back(outgoing.delivery.topic());
      queue_->acknowledge(outgoing.sequence);
    }
    return topics;
  }
  std::uint64_t counter(const std::string& scope, const std::string& name) {
    return metrics_.counter(scope, name).value();
  }
  test::TemporaryDirectory directory_;
  SystemClock clock_;
  Metrics metrics_;
  Logging logging_{[](Level, std::string_view, std::string_view) {}};
  std::atomic<bool> synchronised_ = true;
  queue::Storage storage_{clock_, [this] { return synchronised_.load(); }};
  std::unique_ptr<queue::Queue> queue_;
  std::unique_ptr<Router> router_;
};

using Topics = std::vector<std::string>;

TEST_F(RouterTest, MarksHostTimesThatWereTakenBeforeTheClockWasSet) {
  set({rule("a/#")});
  const auto mark_of_next = [&](TimeKind kind) {
    Message next = message("a/b");
    next.time.kind = kind;
    EXPECT_EQ(router_->accept(std::move(next), nullptr), Push::ok);
    std::vector<queue::Outgoing> taken;
    EXPECT_EQ(queue_->take(taken, 10), 1U);
    return taken.at(0).delivery.message->time.mark;
  };
  EXPECT_EQ(mark_of_next(TimeKind::host), TimeMark::plain);
  synchronised_ = false;
  ASSERT_TRUE(test::wait_until([&] { return !queue_->clock_is_synchronised(); }));
  EXPECT_EQ(mark_of_next(TimeKind::host), TimeMark::unsynchronised);
  EXPECT_EQ(mark_of_next(TimeKind::device), TimeMark::plain);
}

TEST_F(RouterTest, AFullQueueIsBackPressureAndTheMessageIsLeftAsItWas) {
  // Waits in memory until it is acknowledged, so that the memory is what is full.
  route::Rule durable = rule("a/#");
  durable.options.qos = 1;
  set({durable});
  auto token = std::make_shared<int>(0);
  std::size_t taken = 0;
  Message offered = message("a/x", 1000);
  const Message before = offered;
  while (router_->accept(Message(before), token) == Push::ok && taken < 10'000) ++taken;
  ASSERT_LT(taken, 10'000U);
  EXPECT_EQ(router_->accept(std::move(offered), token), Push::full);
  EXPECT_EQ(offered, before);  // NOLINT(bugprone-use-after-move): that is the promise
}

TEST_F(RouterTest, ACopyAddsAnotherDeliveryAndOtherwiseTheFirstRuleTakesIt) {
  route::Rule second = rule("a/#");
  second.topic = "second/{topic}";
  route::Rule copy = rule("a/x");
  copy.topic = "copy/{topic}";
  copy.copy = true;
  set({rule("a/#"), second, copy});
  EXPECT_EQ(accept("a/x"), Push::ok);
  EXPECT_EQ(accept("a/y"), Push::ok);
  EXPECT_EQ(topics(), (Topics{"a/x", "copy/a/x", "a/y"}));
}

TEST_F(RouterTest, TopicsAreRewrittenAndWhatCannotBePublishedIsCounted) {
  route::Rule rewritten = rule("plant/+/#");
  rewritten.from = route::From::input;
  rewritten.topic = "{agent}/{input}/{1}/{2}";
  set({rewritten});
  EXPECT_EQ(accept("plant/line1/motor/speed"), Push::ok);
  EXPECT_EQ(topics(), (Topics{"gw/test/line1/motor/speed"}));
  EXPECT_EQ(counter("router", "bad_rewrites"), 0U);

  route::Rule only_rest = rule("b/#");
  only_rest.topic = "{1}";
  set({only_rest});
  EXPECT_EQ(accept("b"), Push::ok);  // '#' stands for nothing here
  EXPECT_EQ(topics(), Topics{});
  EXPECT_EQ(counter("router", "bad_rewrites"), 1U);
}

TEST_F(RouterTest, WhatNoRuleMatchesIsCountedAndAnEmptyToIsAMatch) {
  set({rule("quiet/#", {}), rule("a/#")});
  EXPECT_EQ(accept("quiet/x"), Push::ok);
  EXPECT_EQ(counter("router", "unrouted"), 0U);
  EXPECT_EQ(accept("b/x"), Push::ok);
  EXPECT_EQ(counter("router", "unrouted"), 1U);
  EXPECT_EQ(topics(), Topics{});
}

TEST_F(RouterTest, ADestinationThatIsMissingIsCounted) {
  set({rule("a/#", {"archive", "mqtt"})});
  EXPECT_EQ(accept("a/x"), Push::ok);
  EXPECT_EQ(counter("output.archive", "undelivered"), 1U);
  EXPECT_EQ(topics(), (Topics{"a/x"}));
}

TEST_F(RouterTest, ABatchIsTakenWholeOrNotAtAllAndCountedOnce) {
  set({rule("a/#")});
  auto token = std::make_shared<int>(0);
  while (router_->accept(message("a/fill", 1000), token) == Push::ok) {
  }
  const auto waiting = queue_->stats().in_memory + queue_->stats().messages;
  std::vector<Message> batch{message("a/1"), message("nobody/listens")};
  for (int i = 0; i < 3; ++i) batch.push_back(message("a/2", 1000));
  EXPECT_EQ(router_->accept_all(std::vector<Message>(batch), token), Push::full);
  EXPECT_EQ(router_->accept_all(std::vector<Message>(batch), token), Push::full);
  EXPECT_EQ(queue_->stats().in_memory + queue_->stats().messages, waiting);
  // It was offered, and not taken: nothing of it counts.
  EXPECT_EQ(counter("router", "unrouted"), 0U);

  while (!topics().empty()) {
  }
  // The memory comes back by the storage's thread.
  EXPECT_TRUE(
      test::wait_until([&] { return router_->accept_all(std::vector<Message>(batch), token) == Push::ok; }));
  EXPECT_EQ(topics(), (Topics{"a/1", "a/2", "a/2", "a/2"}));
  EXPECT_EQ(counter("router", "unrouted"), 1U);
}

TEST_F(RouterTest, WhatComesFromTheBrokerNeverGoesBackButWithLoop) {
  set({rule("a/#")});
  EXPECT_NE(router_->route_from_broker(message("a/x")), Router::Outcome::unrouted);
  EXPECT_EQ(topics(), Topics{});
  EXPECT_EQ(router_->route_from_broker(message("b/x")), Router::Outcome::unrouted);
  route::Rule loop = rule("a/#");
  loop.loop = true;
  loop.topic = "back/{topic}";
  set({loop});
  EXPECT_EQ(router_->route_from_broker(message("a/x")), Router::Outcome::delivered);
  EXPECT_EQ(topics(), (Topics{"back/a/x"}));
  set({rule("a/#", {"missing"})});
  EXPECT_EQ(router_->route_from_broker(message("a/x")), Router::Outcome::undelivered);
}

TEST_F(RouterTest, ExplainsTheRulesInForce) {
  route::Rule rewritten = rule("a/+");
  rewritten.topic = "moved/{1}";
  set({rule("b/#"), rewritten});
  const auto explained = router_->explain("a/x", route::From::input);
  ASSERT_EQ(explained.lines.size(), 2U);
  EXPECT_FALSE(explained.lines[0].matched);
  EXPECT_TRUE(explained.lines[1].matched);
  ASSERT_EQ(explained.outcomes.size(), 1U);
  EXPECT_EQ(explained.outcomes[0].output, "mqtt");
  EXPECT_EQ(explained.outcomes[0].topic, "moved/x");
  EXPECT_EQ(router_->rules().size(), 2U);
}

}  // namespace
}  // namespace sluice
