// SPDX-License-Identifier: Apache-2.0
#include "sluice/testing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace {

using sluice::Description;
using sluice::descriptor;
using sluice::Host;
using sluice::Message;
using sluice::Settings;
using sluice::Status;
using sluice::test::BadSettings;
using sluice::test::check;
using sluice::test::End;
using sluice::test::FakeHost;
using sluice::test::Instance;
using sluice::test::Outcome;
using sluice::test::TimedOut;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Both ways: emits a count, and answers what it receives.
struct Both {
  static Description describe() {
    return Description("both", "1.0.0", ".")
        .emits()
        .takes()
        .placeholder("tag", "t")
        .settings({sluice::setting("count").integer().defaults(3)});
  }
  Both(Host host, const Settings& settings) : host_(host), count_(settings["count"].as<int>()) {}
  void run() {
    host_.info(std::string(host_.name()) + " runs");
    const sluice::Counter sent = host_.counter("sent");
    for (int i = 0; i < count_; ++i) {
      if (!host_.emit_waiting(Message().placeholder("tag", "t1").sample("value", i).at_monotonic(i))) return;
      ++sent;
    }
    for (;;) {
      const sluice::Received received = host_.receive(sluice::forever);
      if (received.stopped()) return;
      for (const sluice::ReceivedMessage& message : received) {
        if (message.payload() == "fail") throw std::runtime_error("told to fail");
        host_.answer(message, [&] { return Message().sample("echo", message.payload()); });
      }
    }
  }
  Host host_;
  int count_;
};

TEST(Instance, CollectsWhatIsEmitted) {
  Instance both(descriptor<Both>(), "count = 2", "line1");
  both.start();
  const auto emitted = both.wait_emitted(2);
  EXPECT_EQ(emitted[1].number("value"), 1);
  EXPECT_EQ(emitted[1].value<std::int64_t>("value"), 1);
  EXPECT_EQ(emitted[1].placeholders.at("tag"), "t1");
  EXPECT_EQ(emitted[1].time_kind, sluice::TimeKind::HostMonotonic);
  EXPECT_EQ(emitted[1].time_ns, 1);
  EXPECT_THROW((void)emitted[1].sample("none"), std::out_of_range);
  both.wait_metric("sent", 2);
  EXPECT_EQ(both.metric("sent").kind, std::uint32_t{SLUICE_COUNTER});
  EXPECT_EQ(both.metric("none").value, 0);
  EXPECT_EQ(both.wait_log("runs").text, "line1 runs");
  EXPECT_TRUE(both.stop().ok());
}

TEST(Instance, HandsMessagesInAndCollectsAnswers) {
  Instance both(descriptor<Both>(), "count = 0");
  const auto early = both.send(Message().payload("early"));  // waits for receive
  both.start();
  const auto late = both.send(Message().payload("late"));
  EXPECT_EQ(std::get<std::string>(both.wait_completion(late).sample("echo").value), "late");
  EXPECT_EQ(both.wait_completion(early).outcome, Outcome::Done);
  EXPECT_EQ(both.wait_completions(2).size(), 2u);
}

TEST(Instance, AnswersFullOnDemand) {
  Instance both(descriptor<Both>(), "count = 5");
  both.room(2);
  both.start();
  EXPECT_EQ(both.wait_emitted(2).size(), 2u);
  both.room(1);
  EXPECT_EQ(both.wait_emitted(3).size(), 3u);
  both.room(FakeHost::unlimited);
  EXPECT_EQ(both.wait_emitted(5).size(), 5u);
}

TEST(Instance, EndsOneThatWaitsForRoom) {
  Instance both(descriptor<Both>(), "");
  both.room(0);
  both.start();
  both.wait_log("runs");
  EXPECT_TRUE(both.stop().ok());
  EXPECT_TRUE(both.emitted().empty());
}

TEST(Instance, TellsHowRunEnded) {
  Instance both(descriptor<Both>(), "count = 0");
  both.start();
  both.send(Message().payload("fail"));
  const End end = both.wait_end();
  EXPECT_EQ(end.status, Status::Failed);
  EXPECT_EQ(end.error, "told to fail");
  EXPECT_EQ(both.stop().error, "told to fail");
}

TEST(Instance, SaysWhatItWaitedForInVain) {
  Instance both(descriptor<Both>(), "count = 1");
  both.start();
  both.wait_emitted(1);
  both.wait_log("runs");
  try {
    both.wait_emitted(2, milliseconds(1));
    FAIL();
  } catch (const TimedOut& late) {
    EXPECT_THAT(late.what(), HasSubstr("waited in vain for 2 messages emitted; 1 emitted"));
    EXPECT_THAT(late.what(), HasSubstr("log: test runs"));
  }
}

TEST(Instance, RefusesBadSettings) {
  try {
    Instance both(descriptor<Both>(), "count = \"x\"\ncounts = 1");
    FAIL();
  } catch (const BadSettings& bad) {
    EXPECT_THAT(bad.what(),
                HasSubstr("settings:1: count: expected an integer, got \"x\"\nsettings:2: counts: unknown"));
  }
}

// Never looks at the stop descriptor until it is let go.
struct Stuck {
  static inline std::atomic<bool> let_go{false};
  static inline std::atomic<bool> destroyed{false};
  static Description describe() { return Description("stuck", "1.0.0", "."); }
  Stuck(Host host, const Settings&) : host_(host) {}
  ~Stuck() { destroyed = true; }
  void run() {
    host_.info("stuck");
    while (!let_go) std::this_thread::yield();
  }
  Host host_;
};

TEST(Instance, OutlivesATestWhoseRunHangs) {
  {
    Instance stuck(descriptor<Stuck>(), "");
    stuck.start();
    stuck.wait_log("stuck");
    EXPECT_THROW(stuck.stop(milliseconds(1)), TimedOut);
    Stuck::let_go = true;
  }
  while (!Stuck::destroyed) std::this_thread::yield();
}

struct Emitter {
  static Description describe() { return Description("emitter", "1.0.0", ".").placeholder("tag", "t"); }
  Emitter(Host host, const Settings&) : host_(host), thread_(std::this_thread::get_id()) {}
  void poll() {
    EXPECT_EQ(std::this_thread::get_id(), thread_);  // the thread it was made on
    sigset_t blocked;
    sigemptyset(&blocked);
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    EXPECT_EQ(sigismember(&blocked, SIGTERM), 1);
    emit(host_);
  }
  void stop() noexcept { stops = stops + 1; }
  void committed(std::uint64_t cookie, bool ok) noexcept { answers.emplace_back(cookie, ok); }

  static inline void (*emit)(Host&) = nullptr;
  static inline int stops = 0;
  static inline std::vector<std::pair<std::uint64_t, bool>> answers;
  Host host_;
  std::thread::id thread_;
};

TEST(Instance, RefusesWhatTheAgentWouldRefuse) {
  Instance emitter(descriptor<Emitter>(), "");
  Emitter::emit = [](Host& host) {
    EXPECT_EQ(host.emit(Message()), Status::Invalid);
    for (const char* taken : {"ts", "quality", "error", "id", "time", "encoding", "replayed"}) {
      EXPECT_EQ(host.emit(Message().sample(taken, 1)), Status::Invalid) << taken;
    }
    EXPECT_EQ(host.emit(Message().sample("a", 1).sample("a", 2)), Status::Invalid);
    EXPECT_EQ(host.emit(Message().sample("a", 1).sample("", 2)), Status::Invalid);
    EXPECT_EQ(host.emit(Message().sample("a", 1).placeholder("unit", "1")), Status::Invalid);
    EXPECT_EQ(host.emit(Message().sample("a", 1, static_cast<sluice::Quality>(9))), Status::Invalid);
    std::size_t accepted = 9;
    const std::vector<Message> second{Message().sample("a", 1), Message(), Message().sample("a", 3)};
    EXPECT_EQ(host.emit(second, &accepted), Status::Invalid);
    EXPECT_EQ(accepted, 1u);
    EXPECT_EQ(host.emit(Message().payload("").placeholder("tag", "1")), Status::Ok);
    EXPECT_FALSE(host.complete(77));
  };
  EXPECT_TRUE(emitter.poll().ok());
  EXPECT_EQ(emitter.emitted().size(), 2u);
  EXPECT_THAT(emitter.wait_log("\"unit\"").text, HasSubstr("not declared"));
  emitter.wait_log("token that is not outstanding");
}

TEST(Instance, CommitsDurableMessagesWhenToldTo) {
  Instance emitter(descriptor<Emitter>(), "");
  Emitter::answers.clear();
  Emitter::emit = [](Host& host) {
    const std::vector<Message> two{Message().sample("a", 1), Message().sample("a", 2)};
    EXPECT_EQ(host.emit_durable(two, 5), Status::Ok);
  };
  emitter.poll();
  ASSERT_EQ(emitter.emitted().size(), 2u);
  EXPECT_EQ(emitter.emitted()[1].cookie, 5u);
  emitter.commit(5);
  emitter.commit(6, false);
  EXPECT_THAT(Emitter::answers, ElementsAre(std::make_pair(5u, true), std::make_pair(6u, false)));
  emitter.room(1);
  Emitter::emit = [](Host& host) {
    const std::vector<Message> two{Message().sample("a", 1), Message().sample("a", 2)};
    EXPECT_EQ(host.emit_durable(two, 7), Status::Full);  // all, or none
  };
  emitter.poll();
  EXPECT_EQ(emitter.emitted().size(), 2u);
}

TEST(Instance, StopsOnceAndAnswersStopped) {
  Emitter::stops = 0;
  Instance emitter(descriptor<Emitter>(), "");
  emitter.request_stop();
  Emitter::emit = [](Host& host) {
    EXPECT_TRUE(host.stopping());
    EXPECT_EQ(host.emit(Message().sample("a", 1)), Status::Stopped);
    EXPECT_FALSE(host.emit_waiting(Message().sample("a", 1)));
  };
  EXPECT_TRUE(emitter.poll().ok());
  emitter.stop();
  EXPECT_EQ(Emitter::stops, 1);
}

TEST(Instance, SetsTheClockAndReportsAFailedPoll) {
  Instance emitter(descriptor<Emitter>(), "");
  emitter.set_now({5, 6});
  Emitter::emit = [](Host& host) {
    host.gauge("g").set(3);
    host.gauge("g").set(2);
    host.histogram("h").record(0.25);
    EXPECT_EQ(host.now().monotonic_ns, 6);
    throw std::runtime_error("at " + std::to_string(host.now().wall_ns));
  };
  EXPECT_EQ(emitter.poll().error, "at 5");
  EXPECT_EQ(emitter.wait_end().error, "at 5");
  EXPECT_EQ(emitter.metric("g").value, 2);
  EXPECT_THAT(emitter.metric("h").recorded, ElementsAre(0.25));
}

// ---- Shared libraries: in C, by this compiler, and by clang with libc++

TEST(PlainC, IsAPlugin) {
  Instance plain(sluice::test::load(PLAIN), "step = 5");
  EXPECT_TRUE(plain.poll().ok());
  EXPECT_TRUE(plain.poll().ok());
  EXPECT_EQ(plain.emitted()[1].value<std::int64_t>("value"), 5);
  EXPECT_THAT(check(sluice::test::load(PLAIN), "step = 0").problems,
              ElementsAre("settings:1: step: expected 1.., got 0"));
}

class Throwing : public ::testing::TestWithParam<const char*> {
 protected:
  const sluice_plugin& plugin() const { return sluice::test::load(GetParam()); }
};

TEST_P(Throwing, FromWhatReadsSettings) {
  EXPECT_THAT(check(plugin(), "where = \"validate\"").problems, ElementsAre("settings: thrown by validate"));
  EXPECT_THAT(check(plugin(), "where = \"plan\"").problems, ElementsAre("settings: thrown by plan"));
  EXPECT_THAT(check(plugin(), "").lines, ElementsAre("will throw"));
  try {
    Instance made(plugin(), "where = \"create\"");
    FAIL();
  } catch (const std::runtime_error& thrown) {
    EXPECT_STREQ(thrown.what(), "thrown by create");
  }
}

TEST_P(Throwing, WhileMessagesAreHandled) {
  Instance throwing(plugin(), "");
  EXPECT_EQ(std::get<std::string>(
                throwing.wait_completion(throwing.send(Message().payload("a"))).sample("echo").value),
            "a");
  const auto again = throwing.wait_completion(throwing.send(Message().payload("retry")));
  EXPECT_EQ(again.outcome, Outcome::Retry);
  EXPECT_EQ(again.retry_after, milliseconds(7));
  EXPECT_EQ(again.text, "busy");
  const auto never = throwing.wait_completion(throwing.send(Message().payload("refuse")));
  EXPECT_EQ(never.outcome, Outcome::Refused);
  EXPECT_EQ(never.text, "never");
  throwing.send(Message().payload("throw"));
  EXPECT_EQ(throwing.wait_end().error, "thrown by handle");
  throwing.send(Message().payload("throw 7"));
  EXPECT_EQ(throwing.wait_end().error, "an exception that is not a std::exception");
  EXPECT_EQ(throwing.completions().size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(ThisCompiler, Throwing, ::testing::Values(THROWING));
#ifdef THROWING_LIBCXX
INSTANTIATE_TEST_SUITE_P(ClangAndLibcxx, Throwing, ::testing::Values(THROWING_LIBCXX));
#endif

}  // namespace
