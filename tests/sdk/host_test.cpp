// SPDX-License-Identifier: Apache-2.0
#include "sluice/host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

namespace {

using sluice::Host;
using sluice::Message;
using sluice::Status;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

struct Answered {
  std::uint64_t token;
  std::uint32_t outcome;
  std::int64_t retry_after_ns;
  std::string text;
  std::size_t samples;
  bool operator==(const Answered& other) const {
    return token == other.token && outcome == other.outcome && retry_after_ns == other.retry_after_ns &&
           text == other.text && samples == other.samples;
  }
};

// A host made by hand: each function answers what the test says.
class HostTest : public ::testing::Test {
 protected:
  HostTest() {
    raw_.size = sizeof(raw_);
    raw_.self = this;
    raw_.stop_fd = ::eventfd(0, EFD_CLOEXEC);
    raw_.message_fd = ::eventfd(0, EFD_CLOEXEC);
    raw_.name = sluice::abi::borrow("line1");
    raw_.emit = [](void* self, sluice_array messages, std::size_t* accepted) {
      return of(self).emit_(messages, accepted);
    };
    raw_.wait_room = [](void* self, std::int64_t) { return of(self).wait_room_(); };
    raw_.complete = [](void* self, const sluice_completion* raw) -> sluice_status {
      of(self).answered_.push_back(Answered{raw->token, raw->outcome, raw->retry_after_ns,
                                            std::string(sluice::abi::view(raw->text)), raw->samples.count});
      return SLUICE_OK;
    };
    raw_.log = [](void* self, std::int32_t level, sluice_str text) {
      of(self).lines_.push_back(std::to_string(level) + std::string(sluice::abi::view(text)));
    };
    raw_.metric = [](void* self, std::uint32_t kind, sluice_str name) -> sluice_metric* {
      if (sluice::abi::view(name) == "bad") return nullptr;
      of(self).lines_.push_back("metric " + std::to_string(kind));
      return reinterpret_cast<sluice_metric*>(self);
    };
    raw_.record = [](void* self, sluice_metric* metric, double value) {
      EXPECT_EQ(static_cast<void*>(metric), self);
      of(self).recorded_.push_back(value);
    };
    raw_.now = [](void*, std::int64_t* wall, std::int64_t* monotonic) {
      *wall = 11;
      *monotonic = 22;
    };
  }
  ~HostTest() override {
    ::close(raw_.stop_fd);
    ::close(raw_.message_fd);
  }

  static HostTest& of(void* self) { return *static_cast<HostTest*>(self); }
  void stop() const { ASSERT_EQ(::eventfd_write(raw_.stop_fd, 1), 0); }

  sluice_host raw_{};
  Host host_{&raw_};
  std::function<sluice_status(sluice_array, std::size_t*)> emit_;
  std::function<sluice_status()> wait_room_;
  std::vector<Answered> answered_;
  std::vector<std::string> lines_;
  std::vector<double> recorded_;
};

TEST_F(HostTest, TellsHowManyWereTaken) {
  emit_ = [](sluice_array messages, std::size_t* accepted) -> sluice_status {
    EXPECT_EQ(messages.count, 3u);
    *accepted = 2;
    return SLUICE_FULL;
  };
  std::size_t accepted = 0;
  EXPECT_EQ(host_.emit(std::vector<Message>(3), &accepted), Status::Full);
  EXPECT_EQ(accepted, 2u);
}

TEST_F(HostTest, WaitsForRoomAndGoesOnWhereItStopped) {
  std::vector<std::int64_t> taken;
  bool room = true;
  emit_ = [&](sluice_array messages, std::size_t* accepted) -> sluice_status {
    *accepted = 0;
    for (const sluice::ReceivedMessage& message : sluice::Messages(messages)) {
      if (!room) return SLUICE_FULL;
      taken.push_back(message.time_ns());
      ++*accepted;
      room = false;
    }
    return SLUICE_OK;
  };
  int waits = 0;
  wait_room_ = [&]() -> sluice_status {
    ++waits;
    room = true;
    return SLUICE_OK;
  };
  std::vector<Message> messages(4);
  for (std::size_t i = 0; i < messages.size(); ++i) messages[i].at_wall(static_cast<std::int64_t>(i));
  EXPECT_TRUE(host_.emit_waiting(messages));
  EXPECT_THAT(taken, ::testing::ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(waits, 3);
}

TEST_F(HostTest, GivesUpWaitingForRoomWhenItIsToEnd) {
  emit_ = [](sluice_array, std::size_t*) -> sluice_status { return SLUICE_FULL; };
  wait_room_ = []() -> sluice_status { return SLUICE_STOPPED; };
  EXPECT_FALSE(host_.emit_waiting(Message()));
  emit_ = [](sluice_array, std::size_t*) -> sluice_status { return SLUICE_STOPPED; };
  EXPECT_FALSE(host_.emit_waiting(Message()));
}

TEST_F(HostTest, ThrowsWhereAMessageToWaitForIsInvalid) {
  emit_ = [](sluice_array, std::size_t*) -> sluice_status { return SLUICE_INVALID; };
  EXPECT_THROW(host_.emit_waiting(Message()), std::invalid_argument);
}

TEST_F(HostTest, AnswersMessages) {
  EXPECT_TRUE(host_.complete(1));
  EXPECT_TRUE(host_.complete(2, Message().sample("a", 1).sample("b", 2)));
  EXPECT_TRUE(host_.retry(3, seconds(1), "busy"));
  EXPECT_TRUE(host_.refuse(4, "never"));
  EXPECT_THAT(answered_,
              ::testing::ElementsAre(Answered{1, SLUICE_DONE, 0, "", 0}, Answered{2, SLUICE_DONE, 0, "", 2},
                                     Answered{3, SLUICE_RETRY, 1'000'000'000, "busy", 0},
                                     Answered{4, SLUICE_REFUSED, 0, "never", 0}));
}

TEST_F(HostTest, AnswersByHowTheWorkEnds) {
  sluice_message raw{};
  raw.size = sizeof(raw);
  raw.token = 5;
  const sluice::ReceivedMessage message(raw);
  host_.answer(message, [] {});
  host_.answer(message, [] { return Message().sample("a", 1); });
  host_.answer(message, [] { throw sluice::Retry(milliseconds(2), "busy"); });
  host_.answer(message, [] { throw sluice::Refused("never"); });
  EXPECT_THROW(host_.answer(message, [] { throw std::runtime_error("other"); }), std::runtime_error);
  EXPECT_THAT(answered_,
              ::testing::ElementsAre(Answered{5, SLUICE_DONE, 0, "", 0}, Answered{5, SLUICE_DONE, 0, "", 1},
                                     Answered{5, SLUICE_RETRY, 2'000'000, "busy", 0},
                                     Answered{5, SLUICE_REFUSED, 0, "never", 0}));
}

TEST_F(HostTest, WaitsUntilItIsToEnd) {
  EXPECT_TRUE(host_.wait(milliseconds(1)));
  EXPECT_FALSE(host_.stopping());
  stop();
  EXPECT_FALSE(host_.wait(sluice::forever));
  EXPECT_TRUE(host_.stopping());
}

TEST_F(HostTest, WaitsForWhateverComesFirst) {
  const int own = ::eventfd(0, EFD_CLOEXEC);
  sluice::Wake wake = host_.wait(milliseconds(1), own);
  EXPECT_FALSE(wake.stopping || wake.messages || wake.events != 0);
  ASSERT_EQ(::eventfd_write(own, 1), 0);
  EXPECT_EQ(host_.wait(sluice::forever, own).events, POLLIN);
  ASSERT_EQ(::eventfd_write(raw_.message_fd, 1), 0);
  EXPECT_TRUE(host_.wait(sluice::forever, -1).messages);
  stop();
  EXPECT_TRUE(host_.wait(sluice::forever, -1).stopping);
  ::close(own);
}

TEST_F(HostTest, LogsMeasuresAndTellsTheTime) {
  host_.warn("hot");
  const sluice::Counter counter = host_.counter("n");
  ++counter;
  counter.add(2);
  host_.gauge("g").set(-1.5);
  host_.histogram("h").record(milliseconds(500));
  host_.counter("bad").add();  // goes nowhere
  EXPECT_THAT(lines_, ::testing::ElementsAre("3hot", "metric 1", "metric 2", "metric 3"));
  EXPECT_THAT(recorded_, ::testing::ElementsAre(1, 2, -1.5, 0.5));
  EXPECT_EQ(host_.now().wall_ns, 11);
  EXPECT_EQ(host_.now().monotonic_ns, 22);
  EXPECT_EQ(host_.name(), "line1");
}

TEST_F(HostTest, ReceivesNothingWhereTheHostFails) {
  raw_.receive = [](void*, const sluice_message**, std::size_t, std::size_t* count,
                    std::int64_t) -> sluice_status {
    *count = 3;
    return SLUICE_TIMEOUT;
  };
  const sluice::Received received = host_.receive(seconds(1));
  EXPECT_TRUE(received.empty());
  EXPECT_FALSE(received.stopped());
}

// An older host, whose struct ends before everything that came later.
TEST_F(HostTest, AsksForFunctionsBeforeItCallsThem) {
  emit_ = [](sluice_array, std::size_t*) -> sluice_status { return SLUICE_FULL; };
  raw_.size = offsetof(sluice_host, wait_room);
  const Host& host = host_;
  EXPECT_EQ(host.emit_durable(Message(), 1), Status::Invalid);
  EXPECT_TRUE(host.receive(nanoseconds(0)).empty());
  EXPECT_FALSE(host.complete(1));
  host.info("nowhere");
  host.counter("n").add();
  EXPECT_EQ(host.now().wall_ns, 0);
  EXPECT_EQ(host.name(), "");
  EXPECT_TRUE(lines_.empty());
  stop();
  EXPECT_FALSE(host.emit_waiting(Message()));  // without wait_room it looks at stop_fd
  EXPECT_TRUE(host.receive(sluice::forever).stopped());
  raw_.size = offsetof(sluice_host, stop_fd);
  EXPECT_EQ(host.emit(Message()), Status::Invalid);
  EXPECT_EQ(host.message_fd(), -1);
  EXPECT_EQ(host.stop_fd(), -1);
}

}  // namespace
