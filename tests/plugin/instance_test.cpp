// SPDX-License-Identifier: Apache-2.0
#include "plugin/instance.hpp"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <map>

#include "plugin/doubles.hpp"

namespace sluice::plugin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class InstanceTest : public ::testing::Test {
 protected:
  InstanceTest() {
    options_.name = "test";
    options_.agent_id = "gw";
    options_.interval = milliseconds(1);
    options_.backoff_min = milliseconds(1);
    options_.backoff_max = milliseconds(4);
    options_.settings.path = "input \"test\"";
    script_.run = [](const sluice_host& host, sluice_text&) {
      wait_for_stop(host);
      return SLUICE_OK;
    };
  }

  std::unique_ptr<Instance> start() {
    const Library library = script_.library();
    auto instance = std::make_unique<Instance>(library, options_, upstream_, *clock_, metrics_, lines_.log());
    instance->start();
    return instance;
  }

  void take_by_handle(decltype(Script::handle) handle) {
    script_.run = nullptr;
    script_.handle = std::move(handle);
    script_.roles = SLUICE_TAKES;
  }

  static bool stop(Instance& instance) {
    instance.request_stop();
    return instance.join(std::chrono::steady_clock::now() + patience);
  }

  std::uint64_t counter(std::string_view scope, std::string_view name) {
    return metrics_.counter(scope, name).value();
  }

  // In this order: what an instance uses outlives it.
  SystemClock system_clock_;
  ManualClock manual_clock_;
  const Clock* clock_ = &system_clock_;
  Metrics metrics_;
  Lines lines_;
  TestUpstream upstream_;
  Script script_;
  InstanceOptions options_;
};

sluice_status fail(sluice_text& error, std::string_view text) {
  error.used = text.copy(error.data, error.capacity);
  return SLUICE_FAILED;
}

// Takes all messages that come until the instance stops; `body` gets each.
decltype(Script::run) receiver(std::function<void(const sluice_host&, const sluice_message&)> body) {
  return [body = std::move(body)](const sluice_host& host, sluice_text&) -> sluice_status {
    for (;;) {
      const sluice_message* messages[8];
      std::size_t count = 0;
      const sluice_status status = host.receive(host.self, messages, 8, &count, -1);
      if (status != SLUICE_OK) return status == SLUICE_STOPPED ? SLUICE_OK : SLUICE_FAILED;
      for (std::size_t i = 0; i < count; ++i) body(host, *messages[i]);
    }
  };
}

TEST_F(InstanceTest, RunsUntilItIsStopped) {
  script_.run = [](const sluice_host& host, sluice_text&) {
    EXPECT_EQ(emit(host, 5), SLUICE_OK);
    wait_for_stop(host);
    return SLUICE_OK;
  };
  auto instance = start();
  const auto messages = upstream_.messages(1);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].topic, "gw/test");
  EXPECT_EQ(messages[0].input, "test");
  EXPECT_EQ(instance->status().state, InstanceState::running);
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(instance->status().state, InstanceState::stopped);
  EXPECT_EQ(instance->status().emitted, 1U);
  EXPECT_EQ(script_.created, 1);
  EXPECT_EQ(script_.destroyed, 1);
}

TEST_F(InstanceTest, IsCreatedAnewAfterEachFailure) {
  std::atomic<int> turn{0};
  script_.create = [&](const sluice_host&, sluice_text& error) -> sluice_status {
    return ++turn == 1 ? fail(error, "no such device") : SLUICE_OK;
  };
  script_.run = [&](const sluice_host& host, sluice_text& error) -> sluice_status {
    if (turn < 4) return fail(error, "line\nbroken");
    emit(host, 1);
    wait_for_stop(host);
    return SLUICE_OK;
  };
  auto instance = start();
  ASSERT_EQ(upstream_.messages(1).size(), 1U);
  const InstanceStatus status = instance->status();
  EXPECT_EQ(status.restarts, 3U);
  EXPECT_EQ(status.last_error, "line broken");
  EXPECT_EQ(script_.destroyed, 2) << "what was never created is not destroyed";
  EXPECT_EQ(lines_.count("no such device", Level::warn), 1U);
  EXPECT_EQ(lines_.count("line broken", Level::warn), 1U) << "the same failure again is no news\n"
                                                          << lines_.all();
  EXPECT_TRUE(stop(*instance));
}

TEST_F(InstanceTest, EndsForGoodWhenRunAnswersOkBeforeStop) {
  script_.run = [](const sluice_host&, sluice_text&) { return SLUICE_OK; };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::stopped; }));
  EXPECT_EQ(script_.created, 1);
  EXPECT_EQ(lines_.count("ended by itself"), 1U);
}

TEST_F(InstanceTest, StopsWhileItBacksOff) {
  options_.backoff_min = std::chrono::hours(1);
  options_.backoff_max = std::chrono::hours(1);
  script_.run = [](const sluice_host&, sluice_text& error) { return fail(error, "gone"); };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::waiting; }));
  EXPECT_EQ(instance->status().last_error, "gone");
  EXPECT_TRUE(stop(*instance));
}

TEST_F(InstanceTest, ThatWasNeverStartedCanBeDestroyed) {
  const Library library = script_.library();
  Instance instance(library, options_, upstream_, *clock_, metrics_, lines_.log());
  EXPECT_EQ(instance.status().state, InstanceState::idle);
}

TEST_F(InstanceTest, RefusesATopicThatThePluginCannotFill) {
  options_.topic_template = "{agent}/{line}";
  const Library library = script_.library();
  EXPECT_THROW(Instance(library, options_, upstream_, *clock_, metrics_, lines_.log()),
               std::invalid_argument);
}

TEST_F(InstanceTest, GivesPluginsThreadsWithAllSignalsBlocked) {
  std::atomic<int> in_run{-1};
  std::atomic<int> in_stop{-1};
  const auto blocked = [] {
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, nullptr, &set);
    return int{sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGHUP) == 1 &&
               sigismember(&set, SIGCHLD) == 1};
  };
  script_.run = [&](const sluice_host& host, sluice_text&) {
    in_run = blocked();
    wait_for_stop(host);
    return SLUICE_OK;
  };
  Signal stopped;
  script_.stop = [&] {
    in_stop = blocked();
    stopped.set();
  };
  auto instance = start();
  ASSERT_TRUE(eventually([&] { return in_run >= 0; }));
  EXPECT_EQ(blocked(), 0) << "the thread that starts instances keeps its own";
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(in_run, 1);
  if (in_stop >= 0) {
    EXPECT_EQ(in_stop, 1);
  }
}

TEST_F(InstanceTest, CallsStopOnceFromAnotherThreadAfterStopFd) {
  std::atomic<int> stops{0};
  std::atomic<bool> readable{false};
  Signal stopped;
  const sluice_host* seen = nullptr;
  pthread_t runner{};
  script_.run = [&](const sluice_host& host, sluice_text&) {
    seen = &host;
    runner = pthread_self();
    emit(host, 1);
    stopped.wait();
    return SLUICE_OK;
  };
  script_.stop = [&] {
    ++stops;
    pollfd fd{seen->stop_fd, POLLIN, 0};
    readable = ::poll(&fd, 1, 0) == 1 && pthread_equal(runner, pthread_self()) == 0;
    stopped.set();
  };
  auto instance = start();
  upstream_.messages(1);
  instance->request_stop();
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(stops, 1);
  EXPECT_TRUE(readable);
}

TEST_F(InstanceTest, EmitAnswersStoppedAfterStop) {
  std::map<std::string, sluice_status> answers;
  script_.committed = [](std::uint64_t, sluice_status) {};
  script_.run = [&](const sluice_host& host, sluice_text&) {
    wait_for_stop(host);
    answers["emit"] = emit(host, 1);
    answers["emit_durable"] = host.emit_durable(host.self, {nullptr, 0, 0}, 1);
    answers["wait_room"] = host.wait_room(host.self, -1);
    return SLUICE_OK;
  };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::running; }));
  EXPECT_TRUE(stop(*instance));
  for (const auto& [function, status] : answers) EXPECT_EQ(status, SLUICE_STOPPED) << function;
  EXPECT_EQ(answers.size(), 3U);
  EXPECT_EQ(upstream_.calls(), 0U);
}

TEST_F(InstanceTest, ThatHangsAfterStopIsAbandonedAndTheAgentGoesOn) {
  // The thread outlives this test: what it uses is never freed, and nothing of the agent's is called by it.
  struct Forever {
    Script script;
    std::atomic<const sluice_host*> host{nullptr};
    std::atomic<bool> again{false};
    std::atomic<int> answer{99};
  };
  static auto& forever = *new Forever;
  forever.script.run = [](const sluice_host& host, sluice_text&) -> sluice_status {
    forever.host = &host;
    while (!forever.again) ::poll(nullptr, 0, 5);
    std::int64_t wall = 0;
    host.now(host.self, &wall, nullptr);
    host.log(host.self, SLUICE_LOG_INFO, SLUICE_STR("too late"));
    host.record(host.self, host.metric(host.self, SLUICE_COUNTER, SLUICE_STR("late")), 1);
    const sluice_status status = emit(host, 1);
    forever.answer = wall > 0 ? status : -99;
    for (;;) ::pause();
  };
  forever.script.roles = SLUICE_EMITS | SLUICE_TAKES;
  const Library library = forever.script.library();
  {
    auto upstream = std::make_unique<TestUpstream>();
    auto metrics = std::make_unique<Metrics>();
    Instance instance(library, options_, *upstream, *clock_, *metrics, lines_.log());
    instance.start();
    ASSERT_TRUE(eventually([&] { return forever.host != nullptr; }));
    EXPECT_EQ(instance.deliver(make_delivery("cmd")), Push::ok);
    instance.request_stop();
    EXPECT_FALSE(instance.join(std::chrono::steady_clock::now() + milliseconds(50)));
    EXPECT_EQ(instance.status().state, InstanceState::stuck);
    EXPECT_EQ(lines_.count("abandoned", Level::error), 1U);
    EXPECT_EQ(instance.deliver(make_delivery("cmd")), Push::closed);
    const auto completions = upstream->completions(1);
    ASSERT_EQ(completions.size(), 1U);
    EXPECT_EQ(completions[0].second.outcome, Outcome::stopped);
    EXPECT_FALSE(instance.join(std::chrono::steady_clock::now())) << "and again";
  }
  forever.again = true;
  EXPECT_TRUE(eventually([&] { return forever.answer != 99; }));
  EXPECT_EQ(forever.answer, SLUICE_STOPPED);
  EXPECT_EQ(lines_.count("too late"), 0U);
  EXPECT_EQ(forever.script.destroyed, 0);
}

TEST_F(InstanceTest, WhoseStopBlocksDoesNotBlockTheAgent) {
  struct Forever {
    Script script;
    std::atomic<bool> running{false};
  };
  static auto& forever = *new Forever;
  forever.script.run = [](const sluice_host& host, sluice_text&) {
    forever.running = true;
    wait_for_stop(host);
    return SLUICE_OK;
  };
  static std::atomic<bool> in_stop{false};
  forever.script.stop = [] {
    in_stop = true;
    for (;;) ::pause();
  };
  const Library library = forever.script.library();
  Instance instance(library, options_, upstream_, *clock_, metrics_, lines_.log());
  instance.start();
  ASSERT_TRUE(
      eventually([&] { return instance.status().state == InstanceState::running && forever.running; }));
  instance.request_stop();
  if (!instance.join(std::chrono::steady_clock::now() + milliseconds(200))) {
    EXPECT_EQ(instance.status().state, InstanceState::stuck);
  } else {
    EXPECT_FALSE(in_stop) << "run had ended before stop was called";
  }
}

TEST_F(InstanceTest, AnswersFullAndLetsThePluginWaitForRoom) {
  upstream_.set_capacity(2);
  std::size_t accepted = 0;
  sluice_status emitted = SLUICE_OK;
  sluice_status waited_short = SLUICE_OK;
  sluice_status waited_long = SLUICE_FAILED;
  Signal full;
  script_.run = [&](const sluice_host& host, sluice_text&) {
    emitted = emit(host, 1, 5, &accepted);
    waited_short = host.wait_room(host.self, 0);
    full.set();
    waited_long = host.wait_room(host.self, -1);
    emit(host, 2);
    return SLUICE_OK;
  };
  auto instance = start();
  ASSERT_TRUE(full.wait());
  upstream_.set_capacity(100);
  EXPECT_EQ(upstream_.messages(3).size(), 3U);
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(emitted, SLUICE_FULL);
  EXPECT_EQ(accepted, 2U);
  EXPECT_EQ(waited_short, SLUICE_TIMEOUT);
  EXPECT_EQ(waited_long, SLUICE_OK);
  EXPECT_EQ(counter("input.test", "full"), 1U);
}

TEST_F(InstanceTest, AnswersEachDurableEmitOnce) {
  std::mutex mutex;
  std::map<std::uint64_t, std::vector<sluice_status>> answers;
  script_.committed = [&](std::uint64_t cookie, sluice_status status) {
    const std::lock_guard lock(mutex);
    answers[cookie].push_back(status);
  };
  upstream_.set_capacity(4);
  std::vector<sluice_status> emitted;
  Signal done;
  script_.run = [&](const sluice_host& host, sluice_text&) {
    const sluice_sample sample = make_sample("value", 1);
    sluice_message message{};
    message.size = sizeof message;
    message.samples = {&sample, 1, sizeof sample};
    const sluice_message pair[] = {message, message};
    const sluice_array messages = {pair, 2, sizeof message};
    emitted.push_back(host.emit_durable(host.self, messages, 100));
    emitted.push_back(host.emit_durable(host.self, messages, 101));
    emitted.push_back(host.emit_durable(host.self, messages, 102));
    upstream_.commit();
    upstream_.set_capacity(100);
    emitted.push_back(host.emit_durable(host.self, messages, 103));
    done.set();
    wait_for_stop(host);
    return SLUICE_OK;
  };
  auto instance = start();
  ASSERT_TRUE(done.wait());
  EXPECT_TRUE(stop(*instance));
  upstream_.commit();
  EXPECT_EQ(emitted, (std::vector<sluice_status>{SLUICE_OK, SLUICE_OK, SLUICE_FULL, SLUICE_OK}));
  const std::map<std::uint64_t, std::vector<sluice_status>> expected = {
      {100, {SLUICE_OK}}, {101, {SLUICE_OK}}, {103, {SLUICE_STOPPED}}};
  EXPECT_EQ(answers, expected) << "102 was not taken, 103 was not committed before the end";
}

TEST_F(InstanceTest, RefusesDurableEmitsThatNobodyCouldBeToldOf) {
  sluice_status answer = SLUICE_OK;
  script_.run = [&](const sluice_host& host, sluice_text&) {
    answer = host.emit_durable(host.self, {nullptr, 0, 0}, 1);
    return SLUICE_OK;
  };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::stopped; }));
  EXPECT_EQ(answer, SLUICE_INVALID);
}

TEST_F(InstanceTest, TellsTheIndexOfAnInvalidMessageAndLogsEachKindOnce) {
  std::size_t accepted = 99;
  std::vector<sluice_status> answers;
  script_.run = [&](const sluice_host& host, sluice_text&) {
    const sluice_sample good = make_sample("value", 1);
    const sluice_sample bad = make_sample("ts", 1);
    sluice_message messages[2] = {};
    messages[0].size = messages[1].size = sizeof(sluice_message);
    messages[0].samples = {&good, 1, sizeof good};
    messages[1].samples = {&bad, 1, sizeof bad};
    for (int i = 0; i < 3; ++i) {
      answers.push_back(host.emit(host.self, {messages, 2, sizeof(sluice_message)}, &accepted));
    }
    return SLUICE_OK;
  };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::stopped; }));
  EXPECT_EQ(answers, std::vector<sluice_status>(3, SLUICE_INVALID));
  EXPECT_EQ(accepted, 1U);
  EXPECT_EQ(instance->status().invalid, 3U);
  EXPECT_EQ(instance->status().emitted, 3U);
  EXPECT_EQ(lines_.count("emit: message 1: sample 0: name is one of ts, quality, error, encoding, id, time"),
            1U)
      << lines_.all();
}

TEST_F(InstanceTest, DoesNotLetAPluginEmitThatDoesNotSaySo) {
  sluice_status answer = SLUICE_OK;
  script_.roles = SLUICE_TAKES;
  script_.run = [&](const sluice_host& host, sluice_text&) {
    answer = emit(host, 1);
    return SLUICE_OK;
  };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::stopped; }));
  EXPECT_EQ(answer, SLUICE_INVALID);
}

TEST_F(InstanceTest, PollsOnAScheduleAndCountsOverrunsWithoutMakingUpForThem) {
  clock_ = &manual_clock_;
  options_.interval = milliseconds(10);
  script_.run = nullptr;
  std::mutex mutex;
  std::vector<std::int64_t> polled;
  std::atomic<int> polls{0};
  const std::int64_t first = manual_clock_.monotonic().count();
  script_.poll = [&](const sluice_host& host, sluice_text&) -> sluice_status {
    std::int64_t now = 0;
    host.now(host.self, nullptr, &now);
    {
      const std::lock_guard lock(mutex);
      polled.push_back((now - first) / 1'000'000);
    }
    if (polled.size() == 2) manual_clock_.advance(milliseconds(35));  // this call took that long
    ++polls;
    return SLUICE_OK;
  };
  auto instance = start();
  ASSERT_TRUE(eventually([&] { return polls == 1; }));
  manual_clock_.advance(milliseconds(10));
  ASSERT_TRUE(eventually([&] { return polls == 2; }));
  // It is 45 ms now: those of 20, 30 and 40 are left out, the next is due at 50.
  manual_clock_.advance(milliseconds(5));
  ASSERT_TRUE(eventually([&] { return polls == 3; }));
  manual_clock_.advance(milliseconds(10));
  ASSERT_TRUE(eventually([&] { return polls == 4; }));
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(polled, (std::vector<std::int64_t>{0, 10, 50, 60}));
  EXPECT_EQ(instance->status().overruns, 1U);
}

TEST_F(InstanceTest, MetricsGoOnByNameOverARestart) {
  std::vector<sluice_metric*> made;
  script_.run = [&](const sluice_host& host, sluice_text& error) -> sluice_status {
    sluice_metric* frames = host.metric(host.self, SLUICE_COUNTER, SLUICE_STR("frames"));
    made.push_back(frames);
    host.record(host.self, frames, 2);
    host.record(host.self, host.metric(host.self, SLUICE_GAUGE, SLUICE_STR("depth")), 1.5);
    host.record(host.self, host.metric(host.self, SLUICE_HISTOGRAM, SLUICE_STR("latency")), 0.25);
    EXPECT_EQ(host.metric(host.self, 9, SLUICE_STR("what")), nullptr);
    EXPECT_EQ(host.metric(host.self, SLUICE_COUNTER, SLUICE_STR("Bad-Name")), nullptr);
    EXPECT_EQ(host.metric(host.self, SLUICE_COUNTER, SLUICE_STR("")), nullptr);
    EXPECT_EQ(host.metric(host.self, SLUICE_GAUGE, SLUICE_STR("frames")), nullptr) << "it is a counter";
    host.record(host.self, nullptr, 1);
    host.record(host.self, frames, -1);
    if (made.size() < 3) return fail(error, "again");
    return SLUICE_OK;
  };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::stopped; }));
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(made[0], made[2]);
  EXPECT_EQ(counter("input.test.plugin", "frames"), 6U);
  EXPECT_EQ(metrics_.gauge("input.test.plugin", "depth").value(), 1.5);
  EXPECT_EQ(metrics_.histogram("input.test.plugin", "latency").count(), 3U);
  EXPECT_EQ(counter("input.test", "restarts"), 2U);
}

TEST_F(InstanceTest, LogsWhatThePluginSaysAsOneLine) {
  script_.run = [&](const sluice_host& host, sluice_text&) {
    host.log(host.self, SLUICE_LOG_WARN, SLUICE_STR("two\nlines\n"));
    host.log(host.self, 77, SLUICE_STR("unknown level"));
    EXPECT_EQ(std::string(host.name.data, host.name.size), "test");
    return SLUICE_OK;
  };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::stopped; }));
  EXPECT_EQ(lines_.count("two lines", Level::warn), 1U);
  EXPECT_EQ(lines_.count("unknown level", Level::error), 1U);
}

TEST_F(InstanceTest, HandlesMessagesInOrderAndReportsEachCompletion) {
  std::vector<std::string> topics;
  take_by_handle([&](const sluice_host& host, sluice_array messages, sluice_text&) {
    for (std::size_t i = 0; i < messages.count; ++i) {
      const auto& message = static_cast<const sluice_message*>(messages.data)[i];
      topics.emplace_back(message.topic.data, message.topic.size);
      EXPECT_EQ(complete(host, message.token, topics.size() % 2 == 0 ? SLUICE_REFUSED : SLUICE_DONE),
                SLUICE_OK);
    }
    return SLUICE_OK;
  });
  auto instance = start();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(instance->deliver(make_delivery("t/" + std::to_string(i))), Push::ok);
  const auto completions = upstream_.completions(4);
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(topics, (std::vector<std::string>{"t/0", "t/1", "t/2", "t/3"}));
  ASSERT_EQ(completions.size(), 4U);
  EXPECT_EQ(completions[0].second.outcome, Outcome::done);
  EXPECT_EQ(completions[1].second.outcome, Outcome::refused);
  EXPECT_EQ(completions[1].second.text, "no such tag");
  EXPECT_EQ(instance->status().completed, 2U);
  EXPECT_EQ(instance->status().refused, 2U);
  EXPECT_EQ(instance->status().received, 4U);
}

TEST_F(InstanceTest, TakesCompletionsInAnyOrderAndEachOnce) {
  std::vector<std::uint64_t> tokens;
  std::vector<sluice_status> answers;
  script_.roles = SLUICE_TAKES;
  script_.run = receiver([&](const sluice_host& host, const sluice_message& message) {
    tokens.push_back(message.token);
    if (tokens.size() < 3) return;
    for (const std::size_t i : {2U, 0U, 1U}) answers.push_back(complete(host, tokens[i]));
    answers.push_back(complete(host, tokens[0]));
    answers.push_back(complete(host, 12345));
    answers.push_back(complete(host, 0));
    answers.push_back(complete(host, tokens[0], 7));
    answers.push_back(complete(host, tokens[0], SLUICE_RETRY, -1));
    answers.push_back(host.complete(host.self, nullptr));
  });
  auto instance = start();
  for (const char* topic : {"a", "b", "c"}) instance->deliver(make_delivery(topic));
  const auto completions = upstream_.completions(3);
  EXPECT_TRUE(stop(*instance));
  ASSERT_EQ(completions.size(), 3U);
  EXPECT_EQ(completions[0].first, "c");
  EXPECT_EQ(completions[1].first, "a");
  EXPECT_EQ(completions[2].first, "b");
  const std::vector<sluice_status> expected = {SLUICE_OK,      SLUICE_OK,      SLUICE_OK,
                                               SLUICE_INVALID, SLUICE_INVALID, SLUICE_INVALID,
                                               SLUICE_INVALID, SLUICE_INVALID, SLUICE_INVALID};
  EXPECT_EQ(answers, expected);
}

TEST_F(InstanceTest, ReportsATimeLimitAndIgnoresTheLateAnswer) {
  clock_ = &manual_clock_;
  std::atomic<std::uint64_t> token{0};
  std::atomic<const sluice_host*> seen{nullptr};
  script_.roles = SLUICE_TAKES;
  script_.run = receiver([&](const sluice_host& host, const sluice_message& message) {
    seen = &host;
    token = message.token;
  });
  auto instance = start();
  instance->deliver(make_delivery("slow"));
  ASSERT_TRUE(eventually([&] { return token != 0; }));
  instance->expire();
  EXPECT_EQ(instance->status().outstanding, 1U);
  manual_clock_.advance(seconds(31));
  instance->expire();
  const auto completions = upstream_.completions(1);
  ASSERT_EQ(completions.size(), 1U);
  EXPECT_EQ(completions[0].second.outcome, Outcome::timed_out);
  EXPECT_EQ(complete(*seen, token), SLUICE_OK) << "late: counted and ignored";
  EXPECT_EQ(complete(*seen, token), SLUICE_INVALID) << "and once only";
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(upstream_.completions(1).size(), 1U);
  EXPECT_EQ(instance->status().timed_out, 1U);
  EXPECT_EQ(instance->status().late, 1U);
}

TEST_F(InstanceTest, HandsOutAgainWhatIsToBeRetried) {
  std::vector<std::string> topics;
  take_by_handle([&](const sluice_host& host, sluice_array messages, sluice_text&) {
    for (std::size_t i = 0; i < messages.count; ++i) {
      const auto& message = static_cast<const sluice_message*>(messages.data)[i];
      topics.emplace_back(message.topic.data, message.topic.size);
      complete(host, message.token, topics.size() < 3 ? SLUICE_RETRY : SLUICE_DONE, 1'000'000);
    }
    return SLUICE_OK;
  });
  auto instance = start();
  instance->deliver(make_delivery("again"));
  const auto completions = upstream_.completions(1);
  EXPECT_TRUE(stop(*instance));
  ASSERT_EQ(completions.size(), 1U) << "only the end is reported";
  EXPECT_EQ(completions[0].second.outcome, Outcome::done);
  EXPECT_EQ(topics, std::vector<std::string>(3, "again"));
  EXPECT_EQ(instance->status().retried, 2U);
}

TEST_F(InstanceTest, MessageFdIsReadableForWhatWaitsAndForWhatIsRetried) {
  std::vector<std::string> topics;
  script_.roles = SLUICE_TAKES;
  script_.run = [&](const sluice_host& host, sluice_text&) -> sluice_status {
    for (;;) {
      pollfd fds[2] = {{host.stop_fd, POLLIN, 0}, {host.message_fd, POLLIN, 0}};
      ::poll(fds, 2, -1);
      if (fds[0].revents != 0) return SLUICE_OK;
      const sluice_message* message = nullptr;
      std::size_t count = 0;
      const sluice_status status = host.receive(host.self, &message, 1, &count, 0);
      if (status != SLUICE_OK) continue;
      topics.emplace_back(message->topic.data, message->topic.size);
      complete(host, message->token, topics.size() == 1 ? SLUICE_RETRY : SLUICE_DONE, 1'000'000);
    }
  };
  auto instance = start();
  instance->deliver(make_delivery("x"));
  EXPECT_EQ(upstream_.completions(1).size(), 1U);
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(topics, (std::vector<std::string>{"x", "x"}));
}

TEST_F(InstanceTest, HandsOutAgainToTheNextLifeWhatWasNotCompleted) {
  std::vector<std::string> topics;
  take_by_handle([&](const sluice_host& host, sluice_array messages, sluice_text& error) -> sluice_status {
    for (std::size_t i = 0; i < messages.count; ++i) {
      const auto& message = static_cast<const sluice_message*>(messages.data)[i];
      topics.emplace_back(message.topic.data, message.topic.size);
      if (script_.created == 1) return fail(error, "device gone");
      complete(host, message.token);
    }
    return SLUICE_OK;
  });
  auto instance = start();
  instance->deliver(make_delivery("first"));
  EXPECT_EQ(upstream_.completions(1).size(), 1U);
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(topics, (std::vector<std::string>{"first", "first"}));
}

TEST_F(InstanceTest, BoundsWhatIsNotCompletedAndReportsItWhenItStops) {
  options_.mailbox_messages = 3;
  std::atomic<int> taken{0};
  script_.roles = SLUICE_TAKES;
  script_.run = receiver([&](const sluice_host&, const sluice_message&) { ++taken; });
  auto instance = start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(instance->deliver(make_delivery("x")), Push::ok);
  ASSERT_TRUE(eventually([&] { return taken == 3; }));
  Delivery left = make_delivery("left");
  EXPECT_EQ(instance->deliver(std::move(left)), Push::full);
  EXPECT_EQ(left.topic(), "left") << "as it was";
  EXPECT_TRUE(stop(*instance));
  const auto completions = upstream_.completions(3);
  ASSERT_EQ(completions.size(), 3U);
  for (const auto& [topic, completion] : completions) EXPECT_EQ(completion.outcome, Outcome::stopped);
  EXPECT_EQ(instance->deliver(std::move(left)), Push::closed);
  EXPECT_EQ(left.topic(), "left");
}

TEST_F(InstanceTest, BoundsTheBytesOfWhatIsNotCompleted) {
  options_.mailbox_bytes = 4096;
  script_.roles = SLUICE_TAKES;
  auto instance = start();
  const auto heavy = [] {
    auto message = std::make_shared<Message>();
    message->topic = "heavy";
    message->payload = std::string(8000, 'x');
    return Delivery{message, "", {}};
  };
  EXPECT_EQ(instance->deliver(heavy()), Push::ok) << "one message always has room";
  EXPECT_EQ(instance->deliver(heavy()), Push::full);
}

TEST_F(InstanceTest, DeliversNothingToAPluginThatTakesNothing) {
  auto instance = start();
  EXPECT_EQ(instance->deliver(make_delivery("x")), Push::closed);
}

TEST_F(InstanceTest, ReceiveIsForPluginsWithRunThatTakeMessages) {
  std::atomic<int> answer{99};
  std::atomic<int> fd{99};
  script_.run = nullptr;
  script_.poll = [&](const sluice_host& host, sluice_text&) {
    const sluice_message* message = nullptr;
    std::size_t count = 7;
    fd = host.message_fd;
    answer = host.receive(host.self, &message, 1, &count, 0);
    EXPECT_EQ(count, 0U);
    return SLUICE_OK;
  };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return answer != 99; }));
  EXPECT_TRUE(stop(*instance));
  EXPECT_EQ(answer, SLUICE_INVALID);
  EXPECT_EQ(fd, -1);
}

TEST_F(InstanceTest, ReceiveTimesOutAndRefusesNoRoom) {
  script_.roles = SLUICE_TAKES;
  std::vector<sluice_status> answers;
  script_.run = [&](const sluice_host& host, sluice_text&) {
    const sluice_message* message = nullptr;
    std::size_t count = 0;
    answers.push_back(host.receive(host.self, &message, 1, &count, 1'000'000));
    answers.push_back(host.receive(host.self, &message, 0, &count, 0));
    answers.push_back(host.receive(host.self, nullptr, 1, &count, 0));
    answers.push_back(host.receive(host.self, &message, 1, nullptr, 0));
    return SLUICE_OK;
  };
  auto instance = start();
  EXPECT_TRUE(eventually([&] { return instance->status().state == InstanceState::stopped; }));
  EXPECT_EQ(answers,
            (std::vector<sluice_status>{SLUICE_TIMEOUT, SLUICE_INVALID, SLUICE_INVALID, SLUICE_INVALID}));
}

}  // namespace
}  // namespace sluice::plugin
