// SPDX-License-Identifier: Apache-2.0
// The router with real queues and no instances.
#include "router.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

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

// A storage thread that gets on with nothing, for as long as this lives.
class BusyStorage {
 public:
  explicit BusyStorage(queue::Storage& storage)
      : thread_([this, &storage] {
          storage.execute([this] {
            begun_.set_value();
            end_.get_future().wait();
          });
        }) {
    begun_.get_future().wait();
  }
  ~BusyStorage() {
    end_.set_value();
    thread_.join();
  }
  BusyStorage(const BusyStorage&) = delete;
  BusyStorage& operator=(const BusyStorage&) = delete;

 private:
  std::promise<void> begun_;
  std::promise<void> end_;
  std::thread thread_;
};

// An output that is durable, beside the session: its queue is as small, on a disk of its own.
class RouterWithDurable : public RouterTest {
 protected:
  RouterWithDurable() {
    queue::Options options;
    options.name = "archive";
    options.directory = directory_.path() / "archive";
    options.memory = memory;
    options.reserve_free = 1 << 20;
    options.persist_after = options.commit_interval = std::chrono::hours(1);
    archive_ = std::make_unique<queue::Queue>(archive_storage_, options, logging_.part("queue"));
    router_ = std::make_unique<Router>(
        *queue_, [](const Delivery&, const plugin::Completion&) {}, metrics_, listening_.part("router"));
    router_->add_durable("archive", *archive_);
    set({rule("both/#", {"mqtt", "archive"}), rule("up/#"), rule("archive/#", {"archive"})});
  }
  ~RouterWithDurable() override {
    archive_.reset();
    archive_storage_.stop();
  }
  static std::uint64_t held_by(const queue::Queue& queue) {
    return queue.stats().in_memory + queue.stats().messages;
  }
  // Until it refuses; nothing of it is committed before.
  Push fill(const std::string& topic) {
    Push pushed = Push::ok;
    for (int i = 0; i < 10'000 && pushed == Push::ok; ++i) {
      pushed = router_->accept(message(topic, 1000), nullptr);
    }
    return pushed;
  }
  static void drain(queue::Queue& queue) {
    std::vector<queue::Outgoing> taken;
    ASSERT_TRUE(test::wait_until([&] {
      taken.clear();
      queue.take(taken, 1000);
      for (const queue::Outgoing& outgoing : taken) queue.acknowledge(outgoing.sequence);
      return held_by(queue) == 0;
    }));
  }
  // Its disk is full from now on, and has noticed.
  void fill_disk() {
    free_ = 0;
    ASSERT_TRUE(test::wait_until([&] {
      fill("archive/x");
      return archive_->stats().degraded && router_->accept(message("archive/x", 1000), waiter_) == Push::full;
    }));
  }
  std::size_t lines_with(const std::string& text) const {
    const std::lock_guard lock(lines_mutex_);
    std::size_t count = 0;
    for (const std::string& line : lines_) count += line.find(text) != std::string::npos;
    return count;
  }

  mutable std::mutex lines_mutex_;
  std::vector<std::string> lines_;
  Logging listening_{[this](Level, std::string_view, std::string_view text) {
    const std::lock_guard lock(lines_mutex_);
    lines_.emplace_back(text);
  }};
  std::shared_ptr<int> waiter_ = std::make_shared<int>(0);
  std::atomic<std::uint64_t> free_ = std::uint64_t{1} << 40U;
  queue::Storage archive_storage_{clock_, [] { return true; },
                                  [this](const std::filesystem::path&) {
                                    return std::optional(queue::Space{free_, std::uint64_t{1} << 40U});
                                  }};
  std::unique_ptr<queue::Queue> archive_;
};

TEST_F(RouterWithDurable, AMessageGoesIntoAllQueuesOrIntoNone) {
  EXPECT_EQ(accept("both/1"), Push::ok);
  EXPECT_EQ(held_by(*queue_), 1U);
  EXPECT_EQ(held_by(*archive_), 1U);
  ASSERT_EQ(fill("archive/x"), Push::full);
  const std::uint64_t filled = held_by(*archive_);
  EXPECT_EQ(router_->accept(message("both/2", 1000), nullptr), Push::full);
  std::vector<Message> batch{message("up/1"), message("both/3", 1000)};
  EXPECT_EQ(router_->accept_all(std::vector<Message>(batch), nullptr), Push::full);
  EXPECT_EQ(held_by(*queue_), 1U);
  EXPECT_EQ(held_by(*archive_), filled);
  EXPECT_EQ(counter("output.archive", "dropped"), 0U);
  drain(*archive_);
  EXPECT_EQ(router_->accept_all(std::vector<Message>(batch), nullptr), Push::ok);
  EXPECT_EQ(held_by(*queue_), 3U);
  EXPECT_EQ(held_by(*archive_), 1U);
}

TEST_F(RouterWithDurable, RoomThatWasHeldForWhatDidNotGoIsGivenBack) {
  const BusyStorage busy(archive_storage_);
  ASSERT_EQ(fill("archive/x"), Push::full);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(router_->accept(message("both/x", 4000), nullptr), Push::full);
  }
  EXPECT_EQ(router_->accept(message("up/x", 4000), nullptr), Push::ok);
}

TEST_F(RouterWithDurable, WaitsForTheQueueThatRefusedThisThread) {
  const BusyStorage busy(archive_storage_);
  ASSERT_EQ(fill("archive/x"), Push::full);
  EXPECT_FALSE(router_->wait_room(std::chrono::nanoseconds(1)));
  std::thread([&] {
    EXPECT_EQ(router_->accept(message("up/x"), nullptr), Push::ok);
    EXPECT_TRUE(router_->wait_room(test::patience)) << "the session has room";
  }).join();
  EXPECT_FALSE(router_->wait_room(std::chrono::nanoseconds(1)));
  drain(*archive_);
  EXPECT_TRUE(router_->wait_room(test::patience));
}

TEST_F(RouterWithDurable, OneWhoseDiskIsFullGoesWithoutAndTheOthersGoOn) {
  fill_disk();
  const std::uint64_t before = counter("output.archive", "dropped");
  const std::uint64_t kept = held_by(*archive_);
  EXPECT_EQ(router_->accept(message("both/1", 1000), nullptr), Push::ok);
  EXPECT_EQ(router_->accept_all({message("both/2", 1000), message("archive/3", 1000)}, nullptr), Push::ok);
  EXPECT_EQ(topics(), (Topics{"both/1", "both/2"}));
  EXPECT_EQ(held_by(*archive_), kept);
  EXPECT_EQ(counter("output.archive", "dropped"), before + 3);
  EXPECT_EQ(lines_with("its queue can take nothing more"), 1U) << "said once";

  free_ = std::uint64_t{1} << 40U;
  ASSERT_TRUE(test::wait_until([&] {
    archive_->flush();
    return !archive_->stats().degraded;
  }));
  EXPECT_EQ(accept("both/4"), Push::ok);
  EXPECT_EQ(held_by(*archive_), kept + 1);
  EXPECT_EQ(topics(), (Topics{"both/4"}));
  EXPECT_EQ(counter("output.archive", "dropped"), before + 3);
  EXPECT_EQ(lines_with("takes messages again"), 1U);
}

TEST_F(RouterWithDurable, WhatSomebodyWaitsForIsNeverDroppedForWantOfDisk) {
  fill_disk();
  const std::uint64_t before = counter("output.archive", "dropped");
  EXPECT_EQ(router_->accept(message("both/1", 1000), waiter_), Push::full);
  EXPECT_EQ(topics(), Topics{});
  EXPECT_EQ(counter("output.archive", "dropped"), before);
}

TEST_F(RouterWithDurable, TheAnswerComesWhenAllQueuesHaveCommittedOrDelivered) {
  std::atomic<bool> answered = false;
  std::shared_ptr<void> waiter(nullptr, [&](void*) { answered = true; });
  free_ = 0;  // the archive cannot commit
  EXPECT_EQ(router_->accept(message("both/1"), waiter), Push::ok);
  waiter.reset();
  ASSERT_TRUE(test::wait_until([&] { return queue_->stats().messages == 1; }));
  EXPECT_FALSE(answered);
  drain(*archive_);
  EXPECT_TRUE(answered);
}

TEST_F(RouterWithDurable, WhatComesFromTheBrokerGoesIntoTheQueueOfTheOutput) {
  const BusyStorage busy(archive_storage_);
  EXPECT_EQ(router_->route_from_broker(message("archive/1")), Router::Outcome::delivered);
  EXPECT_EQ(held_by(*archive_), 1U);
  ASSERT_EQ(fill("archive/x"), Push::full);
  EXPECT_EQ(router_->route_from_broker(message("archive/2", 1000)), Router::Outcome::undelivered);
  EXPECT_EQ(counter("output.archive", "undelivered"), 1U);
}

}  // namespace
}  // namespace sluice
