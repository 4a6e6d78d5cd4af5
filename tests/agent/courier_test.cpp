// SPDX-License-Identifier: Apache-2.0
// A courier with a real queue, and an instance that does what the test says; the last tests have a real one.
#include "courier.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "plugin/doubles.hpp"
#include "plugin/instance.hpp"
#include "queue/storage.hpp"
#include "support/temporary_directory.hpp"
#include "support/wait_until.hpp"

namespace sluice {
namespace {

using plugin::Outcome;
using std::chrono::hours;
using std::chrono::minutes;
using Topics = std::vector<std::string>;

// A mailbox of so many places; a delivery keeps its place until it is completed.
class FakeInstance {
 public:
  explicit FakeInstance(std::size_t places = 1000) : places_(places) {}

  Courier::Deliver door() {
    return [this](Delivery&& delivery) { return deliver(std::move(delivery)); };
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  /// The topics of the first `count`; fewer where they do not come.
  Topics topics(std::size_t count) {
    wait(count);
    const std::lock_guard lock(mutex_);
    Topics topics;
    for (const Delivery& delivery : delivered_) topics.push_back(delivery.topic());
    return topics;
  }
  Delivery at(std::size_t index) {
    wait(index + 1);
    const std::lock_guard lock(mutex_);
    return delivered_.at(index);
  }
  void complete(Courier& courier, std::size_t index, Outcome outcome = Outcome::done,
                const std::string& text = {}) {
    const Delivery delivery = at(index);
    {
      const std::lock_guard lock(mutex_);
      --taken_;
    }
    courier.completed(delivery, {outcome, text, {}});
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return delivered_.size();
  }
  std::size_t most_taken() const {
    const std::lock_guard lock(mutex_);
    return most_taken_;
  }

 private:
  Push deliver(Delivery&& delivery) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Push::closed;
    if (taken_ == places_) return Push::full;
    most_taken_ = std::max(most_taken_, ++taken_);
    delivered_.push_back(std::move(delivery));
    changed_.notify_all();
    return Push::ok;
  }
  void wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, test::patience, [&] { return delivered_.size() >= count; });
  }

  const std::size_t places_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  std::vector<Delivery> delivered_;
  std::size_t taken_ = 0;
  std::size_t most_taken_ = 0;
  bool closed_ = false;
};

class CourierTest : public testing::Test {
 protected:
  CourierTest() {
    options_.name = "archive";
    options_.directory = directory_.path() / "queue";
    start();
  }
  ~CourierTest() override { stop(); }

  void start() {
    storage_ = std::make_unique<queue::Storage>(clock_);
    queue_ = std::make_unique<queue::Queue>(*storage_, options_, logging_.part("queue"));
    courier_ = std::make_unique<Courier>(options_, *queue_, upstream_, clock_, metrics_,
                                         logging_.part("output.archive"));
  }
  void stop() {
    courier_->stop();
    queue_->stop();
    courier_.reset();
    queue_.reset();
    storage_.reset();
  }
  // It is there until the courier has been stopped.
  FakeInstance& new_instance(std::size_t places = 1000) { return instances_.emplace_back(places); }
  void append(const std::string& topic, std::chrono::seconds expiry = {}) {
    auto message = std::make_shared<Message>();
    message->topic = topic;
    message->input = "test";
    message->payload = "x";
    message->time.boot = clock_.boot();
    message->time.monotonic_ns = clock_.monotonic().count();
    message->time.wall_ns = clock_.wall().count();
    message->expiry = expiry;
    ASSERT_EQ(queue_->append({message, {}, {}}), Push::ok);
  }
  void append_all(const Topics& topics) {
    for (const std::string& topic : topics) append(topic);
  }
  std::uint64_t waiting() const {
    const queue::Stats stats = queue_->stats();
    return stats.messages + stats.in_memory;
  }
  // What is gone is counted by the storage thread.
  bool waits(std::uint64_t count) {
    return test::wait_until([&] {
      queue_->flush();
      return waiting() == count;
    });
  }
  std::uint64_t counter(const std::string& name) { return metrics_.counter("output.archive", name).value(); }

  test::TemporaryDirectory directory_;
  ManualClock clock_;
  Metrics metrics_;
  Logging logging_{[](Level, std::string_view, std::string_view) {}};
  plugin::TestUpstream upstream_;
  std::deque<FakeInstance> instances_;
  queue::Options options_;
  std::unique_ptr<queue::Storage> storage_;
  std::unique_ptr<queue::Queue> queue_;
  std::unique_ptr<Courier> courier_;
};

TEST_F(CourierTest, BringsMessagesInOrderAndAcknowledgesWhatIsDoneInAnyOrder) {
  FakeInstance& instance = new_instance();
  append("a/1");
  courier_->attach(instance.door());
  append_all({"a/2", "a/3"});
  EXPECT_EQ(instance.topics(3), (Topics{"a/1", "a/2", "a/3"}));
  EXPECT_TRUE(waits(3));
  instance.complete(*courier_, 2);
  instance.complete(*courier_, 0);
  EXPECT_TRUE(waits(1));
  instance.complete(*courier_, 1);
  EXPECT_TRUE(waits(0));
  EXPECT_EQ(upstream_.completions(3).size(), 3U);
  stop();
  start();
  EXPECT_TRUE(waits(0));
}

TEST_F(CourierTest, TheMessageCarriesItsId) {
  FakeInstance& instance = new_instance();
  courier_->attach(instance.door());
  append_all({"a/1", "a/2"});
  const Delivery second = instance.at(1);
  EXPECT_EQ(second.message->user_properties, (std::vector<Property>{{"id", "1/2"}}));
  EXPECT_EQ(second.message->payload, "x");
}

TEST_F(CourierTest, WhatIsRefusedGoesToTheDeadLettersWithItsReason) {
  FakeInstance& instance = new_instance();
  courier_->attach(instance.door());
  append_all({"a/1", "a/2"});
  instance.complete(*courier_, 0, Outcome::refused, "no such table");
  queue_->flush();
  const auto letters = queue_->read_dead_letters(0, 10);
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].topic, "a/1");
  EXPECT_EQ(letters[0].reason, "refused by the plugin: no such table");
  EXPECT_EQ(counter("dead_lettered"), 1U);
  EXPECT_TRUE(waits(1));
  ASSERT_EQ(upstream_.completions(1).size(), 1U);
  EXPECT_EQ(upstream_.completions(1)[0].second.text, "no such table");
}

TEST_F(CourierTest, WhatTimesOutIsTriedAgainAfterAPauseAndTellsNobody) {
  FakeInstance& instance = new_instance();
  courier_->attach(instance.door());
  append_all({"a/1", "a/2"});
  instance.topics(2);
  instance.complete(*courier_, 0, Outcome::timed_out);
  instance.complete(*courier_, 1, Outcome::timed_out);
  // Others pass meanwhile.
  append("a/3");
  EXPECT_EQ(instance.topics(3), (Topics{"a/1", "a/2", "a/3"}));
  clock_.advance(minutes(1));
  courier_->wake();
  EXPECT_EQ(instance.topics(5), (Topics{"a/1", "a/2", "a/3", "a/1", "a/2"}));
  EXPECT_EQ(counter("delivered_again"), 2U);
  for (const std::size_t index : {2U, 3U, 4U}) instance.complete(*courier_, index);
  EXPECT_TRUE(waits(0));
  EXPECT_EQ(upstream_.completions(3).size(), 3U);
}

TEST_F(CourierTest, WhatAnInstanceThatNeverAnswersCanHoldIsBounded) {
  FakeInstance& instance = new_instance();
  courier_->attach(instance.door());
  for (int i = 0; i < 3000; ++i) append("a");
  // Whatever it takes times out, and the clock stands still: in the end it is given no more.
  const auto comes = [&](std::size_t next) {
    return test::wait_until([&] { return next < instance.count(); }, std::chrono::milliseconds(300));
  };
  for (std::size_t next = 0; comes(next); ++next) instance.complete(*courier_, next, Outcome::timed_out);
  EXPECT_GE(instance.count(), 1000U);
  EXPECT_LE(instance.count(), 2016U);
  EXPECT_TRUE(waits(3000));
}

TEST_F(CourierTest, WithoutAnInstanceEverythingStaysForTheNextStart) {
  append_all({"a/1", "a/2"});
  stop();
  start();
  EXPECT_TRUE(waits(2));
  FakeInstance& instance = new_instance();
  courier_->attach(instance.door());
  EXPECT_EQ(instance.topics(2), (Topics{"a/1", "a/2"}));
}

TEST_F(CourierTest, WhatAStoppedInstanceLeavesGoesToTheNextOneFirst) {
  FakeInstance& first = new_instance(2);
  courier_->attach(first.door());
  append_all({"a/1", "a/2", "a/3"});
  EXPECT_EQ(first.topics(2), (Topics{"a/1", "a/2"}));
  first.close();
  first.complete(*courier_, 0, Outcome::stopped);
  first.complete(*courier_, 1, Outcome::stopped);
  EXPECT_TRUE(waits(3));
  FakeInstance& next = new_instance();
  courier_->attach(next.door());
  EXPECT_EQ(next.topics(3), (Topics{"a/1", "a/2", "a/3"}));
  EXPECT_EQ(upstream_.completions(0).size(), 0U);
}

TEST_F(CourierTest, AFullMailboxIsFilledAgainByTheCompletionsAlone) {
  FakeInstance& instance = new_instance(30);
  courier_->attach(instance.door());
  for (int i = 0; i < 200; ++i) append("a/" + std::to_string(i));
  for (std::size_t i = 0; i < 200; ++i) instance.complete(*courier_, i);
  EXPECT_EQ(instance.topics(200).size(), 200U);
  EXPECT_EQ(instance.topics(200).back(), "a/199");
  EXPECT_LE(instance.most_taken(), 30U);
  EXPECT_TRUE(waits(0));
}

TEST_F(CourierTest, OnePlaceInAFullMailboxIsUsedAtTheNextLookAtTheLatest) {
  FakeInstance& instance = new_instance(30);
  courier_->attach(instance.door());
  for (int i = 0; i < 40; ++i) append("a");
  instance.topics(30);
  instance.complete(*courier_, 7);
  courier_->wake();
  EXPECT_EQ(instance.topics(31).size(), 31U);
}

TEST_F(CourierTest, WhatHasExpiredIsNotDelivered) {
  append("a/1", std::chrono::seconds(10));
  append("a/2", std::chrono::seconds(100));
  clock_.advance(std::chrono::seconds(11));
  FakeInstance& instance = new_instance();
  courier_->attach(instance.door());
  EXPECT_EQ(instance.topics(1), (Topics{"a/2"}));
  EXPECT_EQ(counter("expired"), 1U);
  EXPECT_TRUE(waits(1));
}

TEST_F(CourierTest, TheBacklogGoesAtItsRate) {
  stop();
  options_.replay_rate = 5;
  start();
  for (int i = 0; i < 20; ++i) append("a");
  clock_.advance(hours(1));
  FakeInstance& instance = new_instance();
  courier_->attach(instance.door());
  EXPECT_EQ(instance.topics(5).size(), 5U);
  for (std::size_t due = 10; due <= 20; due += 5) {
    clock_.advance(std::chrono::seconds(1));
    EXPECT_LE(instance.count(), due - 5);
    courier_->wake();
    EXPECT_EQ(instance.topics(due).size(), due);
  }
}

TEST_F(CourierTest, LiveMessagesOvertakeABacklogThatGoesAtItsRate) {
  stop();
  options_.replay_rate = 5;
  options_.order = queue::Order::live_first;
  start();
  for (int i = 0; i < 20; ++i) append("old");
  clock_.advance(hours(1));
  FakeInstance& instance = new_instance();
  courier_->attach(instance.door());
  EXPECT_EQ(instance.topics(5), Topics(5, "old"));
  append_all({"new1", "new2"});
  EXPECT_EQ(instance.topics(7), (Topics{"old", "old", "old", "old", "old", "new1", "new2"}));
  clock_.advance(std::chrono::seconds(1));
  courier_->wake();
  EXPECT_EQ(instance.topics(12).size(), 12U);
}

TEST_F(CourierTest, DropsByALimitDoNotPileUpAsRecordsOfLosses) {
  stop();
  options_.max_bytes = 1 << 20;
  options_.persist_after = options_.commit_interval = Nanoseconds(0);
  start();
  const auto dropped = [&] { return queue_->stats().ledger.dropped_by_limit() > 0; };
  for (int i = 0; i < 100'000 && !dropped(); ++i) {
    append("a/" + std::to_string(i));
    if (i % 500 == 0) queue_->flush();
  }
  ASSERT_TRUE(dropped());
  courier_->wake();
  EXPECT_TRUE(test::wait_until([&] {
    clock_.advance(std::chrono::seconds(2));
    queue_->flush();
    return queue_->stats().losses == 0;
  }));
}

TEST_F(CourierTest, WhatTheInstanceEmitsGoesOn) {
  Message message;
  message.topic = "from/output";
  EXPECT_EQ(courier_->accept(std::move(message), nullptr), Push::ok);
  EXPECT_EQ(courier_->accept_all(std::vector<Message>(2), nullptr), Push::ok);
  EXPECT_EQ(upstream_.messages(3).size(), 3U);
  upstream_.set_capacity(3);
  EXPECT_FALSE(courier_->wait_room(std::chrono::nanoseconds(1)));
  upstream_.set_capacity(4);
  EXPECT_TRUE(courier_->wait_room(test::patience));
}

// With a real instance.
class CourierAndInstance : public CourierTest {
 protected:
  CourierAndInstance() {
    script_.roles = SLUICE_TAKES;
    instance_options_.name = "archive";
    instance_options_.is_input = false;
    instance_options_.mailbox_messages = 50;
    instance_options_.settings.path = "output \"archive\"";
  }
  ~CourierAndInstance() override { end_instance(); }

  void begin_instance() {
    const plugin::Library library = script_.library();
    instance_ = std::make_unique<plugin::Instance>(library, instance_options_, *courier_, clock_, metrics_,
                                                   logging_.part("output.archive"));
    courier_->attach([this](Delivery&& delivery) { return instance_->deliver(std::move(delivery)); });
    instance_->start();
  }
  void end_instance() {
    if (!instance_) return;
    instance_->request_stop();
    EXPECT_TRUE(instance_->join(std::chrono::steady_clock::now() + test::patience));
    courier_->stop();
    instance_.reset();
  }
  static std::string topic_of(const sluice_message& message) {
    return {message.topic.data, message.topic.size};
  }
  static const sluice_message& message_in(const sluice_array& messages, std::size_t index) {
    return *reinterpret_cast<const sluice_message*>(static_cast<const char*>(messages.data) +
                                                    index * messages.stride);
  }

  plugin::Script script_;
  plugin::InstanceOptions instance_options_;
  std::unique_ptr<plugin::Instance> instance_;
};

TEST_F(CourierAndInstance, AnHourOfRetriesLosesNothingKeepsTheirOrderAndDelaysNoOthers) {
  const Nanoseconds until = clock_.monotonic() + hours(1);
  script_.handle = [&](const sluice_host& host, sluice_array messages, sluice_text&) -> sluice_status {
    for (std::size_t i = 0; i < messages.count; ++i) {
      const sluice_message& message = message_in(messages, i);
      const bool later = topic_of(message).starts_with("stubborn/") && clock_.monotonic() < until;
      plugin::complete(host, message.token, later ? SLUICE_RETRY : SLUICE_DONE,
                       Nanoseconds(minutes(1)).count());
    }
    return SLUICE_OK;
  };
  begin_instance();
  Topics expected;
  for (int i = 0; i < 10; ++i) append(expected.emplace_back("stubborn/" + std::to_string(i)));
  // Each of the others passes while the ten are put off, and wakes the instance, whose clock stands still.
  for (std::size_t round = 1; round <= 60; ++round) {
    append("other");
    ASSERT_EQ(upstream_.completions(round).size(), round);
    clock_.advance(minutes(1));
  }
  append("other");
  const auto completions = upstream_.completions(71);
  ASSERT_EQ(completions.size(), 71U);
  Topics stubborn;
  for (const auto& [topic, completion] : completions) {
    EXPECT_EQ(completion.outcome, Outcome::done);
    if (topic != "other") stubborn.push_back(topic);
  }
  EXPECT_EQ(stubborn, expected);
  EXPECT_EQ(instance_->status().retried, 600U);
  EXPECT_EQ(instance_->status().timed_out, 0U);
  EXPECT_TRUE(waits(0));
  EXPECT_EQ(counter("delivered_again"), 0U);
}

TEST_F(CourierAndInstance, WhatItsStopLeavesUnansweredIsDeliveredAtTheNextStart) {
  script_.handle = [&](const sluice_host& host, sluice_array messages, sluice_text&) -> sluice_status {
    for (std::size_t i = 0; i < messages.count; ++i) {
      const sluice_message& message = message_in(messages, i);
      if (topic_of(message) == "a/2") plugin::complete(host, message.token);
    }
    return SLUICE_OK;
  };
  begin_instance();
  append_all({"a/1", "a/2", "a/3"});
  ASSERT_EQ(upstream_.completions(1).size(), 1U);
  ASSERT_TRUE(test::wait_until([&] { return instance_->status().received == 3; }));
  end_instance();
  stop();
  start();
  FakeInstance& next = new_instance();
  courier_->attach(next.door());
  EXPECT_EQ(next.topics(2), (Topics{"a/1", "a/3"}));
}

}  // namespace
}  // namespace sluice
