// SPDX-License-Identifier: Apache-2.0
// Whole instances on real pseudo terminals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <sluice/testing.hpp>

#include "plugins/serial/pty.hpp"
#include "plugins/temporary_folder.hpp"

extern "C" const sluice_plugin sluice_plugin_v1;

namespace {

using plugin_test::Pty;
using sluice::Message;
using sluice::test::Emitted;
using sluice::test::FakeHost;
using sluice::test::Instance;
using sluice::test::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::vector<std::string> texts(const std::vector<Emitted>& messages) {
  std::vector<std::string> out;
  for (const Emitted& message : messages) out.push_back(message.value<std::string>("value"));
  return out;
}

// An instance whose port is open.
class OnPty {
 public:
  explicit OnPty(const std::string& settings)
      : serial(sluice_plugin_v1, "device = \"" + pty.device() + "\"\n" + settings) {
    serial.start();
    serial.wait_metric("opened", 1);
    serial.wait_log("opened");
  }
  Pty pty;
  Instance serial;
};

TEST(Serial, EmitsAFrameForEachLine) {
  OnPty on("delimiter = \"\\r\\n\"");
  on.pty.write("one\r\ntwo\r\nthr");
  on.pty.write("ee\r");
  on.pty.write("\n");
  EXPECT_THAT(texts(on.serial.wait_emitted(3)), ElementsAre("one", "two", "three"));
  EXPECT_EQ(on.serial.metric("frames").value, 3);
  EXPECT_EQ(on.serial.metric("bytes").value, 17);
  EXPECT_EQ(on.serial.metric("connected").value, 1);
  EXPECT_TRUE(on.serial.stop().ok());
  EXPECT_EQ(on.serial.metric("connected").value, 0);
}

TEST(Serial, CutsByteByByteAsInOneBurst) {
  OnPty on("");
  for (const char c : std::string("a\nbb\nccc\n")) {
    const double before = on.serial.metric("bytes").value;
    on.pty.write(std::string(1, c));
    on.serial.wait_metric("bytes", before + 1);
  }
  EXPECT_THAT(texts(on.serial.wait_emitted(3)), ElementsAre("a", "bb", "ccc"));
}

TEST(Serial, CutsAtSilence) {
  OnPty on("framing = \"silence\"\ngap = \"5ms\"\npayload = \"hex\"");
  on.pty.write("\x01\x02\n");
  EXPECT_THAT(texts(on.serial.wait_emitted(1)), ElementsAre("01020a"));
  on.pty.write("\xff");
  EXPECT_THAT(texts(on.serial.wait_emitted(2)), ElementsAre("01020a", "ff"));
}

TEST(Serial, CutsByLengthAndDropsWhatStaysUnfinished) {
  OnPty on("framing = \"length\"\nlength = 3\nframe_timeout = \"50ms\"");
  on.pty.write("abcde");
  on.serial.wait_metric("incomplete_frames", 1);
  on.pty.write("xyz");
  EXPECT_THAT(texts(on.serial.wait_emitted(2)), ElementsAre("abc", "xyz"));
}

TEST(Serial, StampsAFrameWhenItsFirstByteCame) {
  OnPty on("");
  const std::int64_t before = now();
  on.pty.write("21");
  on.serial.wait_metric("bytes", 2);
  const std::int64_t between = now();
  on.pty.write(".5\n");
  const Emitted message = on.serial.wait_emitted(1)[0];
  EXPECT_EQ(message.time_kind, sluice::TimeKind::HostMonotonic);
  EXPECT_GE(message.time_ns, before);
  EXPECT_LE(message.time_ns, between);
}

TEST(Serial, DropsAndCountsAFrameThatIsTooLong) {
  OnPty on("max_frame = \"16B\"");
  on.pty.write(std::string(1000, 'x') + "\nok\n");
  EXPECT_THAT(texts(on.serial.wait_emitted(1)), ElementsAre("ok"));
  EXPECT_EQ(on.serial.metric("overflows").value, 1);
  EXPECT_THAT(on.serial.wait_log("max_frame").text, HasSubstr("are baud and framing right?"));
}

TEST(Serial, MakesNumbersOfTextThatIsOne) {
  OnPty on("number = true");
  on.pty.write("21.5\r\n42\nOL\n");
  const auto messages = on.serial.wait_emitted(3);
  EXPECT_EQ(messages[0].value<double>("value"), 21.5);
  EXPECT_EQ(messages[1].value<std::int64_t>("value"), 42);
  EXPECT_EQ(messages[2].value<std::string>("value"), "OL");
}

TEST(Serial, MakesSamplesOfJsonAndCountsAndReportsWhatIsNone) {
  OnPty on("payload = \"json\"");
  on.pty.write("{\"t\":21.5,\"n\":3}\nhello\xff\n{\"t\":22}\n");
  const auto messages = on.serial.wait_emitted(2);
  EXPECT_EQ(messages[0].value<double>("t"), 21.5);
  EXPECT_EQ(messages[0].value<std::int64_t>("n"), 3);
  EXPECT_EQ(messages[1].value<std::int64_t>("t"), 22);
  EXPECT_EQ(on.serial.metric("bad_frames").value, 1);
  EXPECT_EQ(on.serial.metric("frames").value, 2);
  EXPECT_THAT(on.serial.wait_log("bad frame").text, HasSubstr("no JSON: \"hello\\xff\""));
}

TEST(Serial, ReportsBadFramesOnceAMinuteHoweverManyThereAre) {
  OnPty on("payload = \"json\"");
  for (int i = 0; i < 50; ++i) on.pty.write("bad\n");
  on.serial.wait_metric("bad_frames", 50);
  int lines = 0;
  for (const auto& line : on.serial.log()) lines += line.text.find("bad frame") != std::string::npos ? 1 : 0;
  EXPECT_EQ(lines, 1);
}

TEST(Serial, PassesTextOnThatIsNotUtf8) {
  OnPty on("");
  on.pty.write("caf\xe9 \xff\n");
  EXPECT_THAT(texts(on.serial.wait_emitted(1)), ElementsAre("caf\xe9 \xff"));
}

TEST(Serial, ReadsOnWhileTheAgentHasNoRoomAndKeepsTheOrder) {
  OnPty on("");
  on.serial.room(1);
  std::string all;
  for (int i = 0; i < 2000; ++i) all += std::to_string(i) + "\n";
  on.pty.write(all);
  on.serial.wait_metric("bytes", static_cast<double>(all.size()));
  EXPECT_EQ(on.serial.emitted().size(), 1u);
  on.serial.room(FakeHost::unlimited);
  const auto messages = on.serial.wait_emitted(2000);
  for (std::size_t i = 0; i < messages.size(); ++i)
    ASSERT_EQ(messages[i].value<std::string>("value"), std::to_string(i));
  EXPECT_EQ(on.serial.metric("dropped_frames").value, 0);
}

TEST(Serial, CountsWhatItDropsWhenTheAgentHasNoRoomForLong) {
  OnPty on("");
  on.serial.room(0);
  const std::string line = std::string(1023, 'x') + "\n";
  for (int i = 0; i < 1100; ++i) on.pty.write(line);
  on.serial.wait_metric("frames", 1100);
  const double dropped = on.serial.metric("dropped_frames").value;
  EXPECT_GT(dropped, 0);
  on.serial.room(FakeHost::unlimited);
  EXPECT_EQ(static_cast<double>(on.serial.wait_emitted(1100 - static_cast<std::size_t>(dropped)).size()),
            1100 - dropped);
}

TEST(Serial, WritesItsInitStringAfterOpening) {
  OnPty on("init = \"\\\\x02INIT\\\\r\"");
  EXPECT_EQ(on.pty.read(6), "\x02INIT\r");
}

TEST(Serial, AsksAndEmitsTheAnswers) {
  OnPty on("poll = \"Q\\r\"\npoll_interval = \"10ms\"\npoll_timeout = \"1h\"");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(on.pty.read(2), "Q\r");
    on.pty.write(std::to_string(i) + "\n");
  }
  EXPECT_THAT(texts(on.serial.wait_emitted(3)), ElementsAre("0", "1", "2"));
}

TEST(Serial, AsksAgainWhereNoAnswerCameAndSaysSoOnceEachWay) {
  OnPty on("poll = \"Q\"\npoll_interval = \"10ms\"\npoll_timeout = \"10ms\"");
  on.serial.wait_metric("poll_timeouts", 3);
  on.pty.read(3);
  on.pty.write("1\n");
  on.serial.wait_emitted(1);
  on.serial.wait_log("answers again");
  int lines = 0;
  for (const auto& line : on.serial.log()) {
    if (line.text.find("answers again") != std::string::npos) break;
    lines += line.text.find("no answer") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(lines, 1);
}

TEST(Serial, WritesNothingElseUntilTheAnswerHasCome) {
  OnPty on("poll = \"Q\"\npoll_interval = \"1h\"\npoll_timeout = \"1h\"");
  EXPECT_EQ(on.pty.read(1), "Q");
  const auto token = on.serial.send(Message().payload("CMD"));
  on.pty.write("x");
  on.serial.wait_metric("bytes", 1);  // it has gone round once
  on.pty.write("y");
  on.serial.wait_metric("bytes", 2);
  EXPECT_FALSE(on.pty.readable());
  on.pty.write("\n");
  EXPECT_EQ(on.pty.read(4), "CMD\n");
  EXPECT_EQ(on.serial.wait_completion(token).outcome, Outcome::Done);
}

TEST(Serial, WritesWhatMessagesAskFor) {
  OnPty on("delimiter = \"\\r\\n\"");
  const auto payload = on.serial.send(Message().payload(std::string_view("bin\0\xff", 5)));
  EXPECT_EQ(on.pty.read(7), std::string("bin\0\xff\r\n", 7));
  const auto sample = on.serial.send(Message().sample("setpoint", 21.5));
  EXPECT_EQ(on.pty.read(6), "21.5\r\n");
  EXPECT_EQ(on.serial.wait_completion(payload).outcome, Outcome::Done);
  EXPECT_EQ(on.serial.wait_completion(sample).outcome, Outcome::Done);
  EXPECT_EQ(on.serial.metric("written_bytes").value, 13);
}

TEST(Serial, KeepsTheOrderOfManyMessages) {
  OnPty on("");
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    on.serial.send(Message().payload(std::to_string(i)));
    expected += std::to_string(i) + "\n";
  }
  EXPECT_EQ(on.pty.read(expected.size()), expected);
  EXPECT_EQ(on.serial.wait_completions(300).size(), 300u);
}

TEST(Serial, RefusesAMessageThatItCannotWrite) {
  OnPty on("write_end = \"\"");
  const auto two = on.serial.wait_completion(on.serial.send(Message().sample("a", 1).sample("b", 2)));
  EXPECT_EQ(two.outcome, Outcome::Refused);
  EXPECT_THAT(two.text, HasSubstr("one sample"));
  EXPECT_EQ(on.serial.wait_completion(on.serial.send(Message().payload(""))).outcome, Outcome::Refused);
}

TEST(Serial, AnswersRetryWhereFlowControlLetsNothingOut) {
  OnPty on("flow = \"xon-xoff\"\nwrite_timeout = \"20ms\"");
  on.pty.write("\x13");  // XOFF
  on.pty.write("\n");
  on.serial.wait_metric("bytes", 1);
  const auto answer = on.serial.wait_completion(on.serial.send(Message().payload("wait")));
  EXPECT_EQ(answer.outcome, Outcome::Retry);
  EXPECT_GT(answer.retry_after.count(), 0);
  EXPECT_EQ(on.serial.metric("write_errors").value, 1);
  on.pty.write("\x11");  // XON
  const auto second = on.serial.wait_completion(on.serial.send(Message().payload("go")));
  EXPECT_EQ(second.outcome, Outcome::Done);
  EXPECT_EQ(on.pty.read(3), "go\n");
}

TEST(Serial, RefusesAWriteOfWhichAPartHasLeft) {
  OnPty on("write_timeout = \"20ms\"");
  // More than a pseudo terminal holds, and nobody reads.
  const auto answer =
      on.serial.wait_completion(on.serial.send(Message().payload(std::string(1'000'000, 'x'))));
  EXPECT_EQ(answer.outcome, Outcome::Refused);
  EXPECT_THAT(answer.text, HasSubstr("of 1000001 bytes were sent"));
}

TEST(Serial, FailsWithAReasonWhereTheDeviceIsMissing) {
  Instance serial(sluice_plugin_v1, "device = \"/dev/serial/by-id/nothing\"");
  serial.start();
  const auto end = serial.wait_end();
  EXPECT_EQ(end.status, sluice::Status::Failed);
  EXPECT_THAT(end.error, HasSubstr("cannot open /dev/serial/by-id/nothing: No such file"));
}

TEST(Serial, FailsWhereAnotherInstanceHasThePort) {
  OnPty on("");
  Instance second(sluice_plugin_v1, "device = \"" + on.pty.device() + "\"");
  second.start();
  EXPECT_THAT(second.wait_end().error, HasSubstr("another program has it open"));
}

TEST(Serial, FailsWhenItIsUnpluggedAndReadsOnAfterwardsAtTheSamePath) {
  const plugin_test::TemporaryFolder folder;
  const std::string path = folder.file("meter");
  auto pty = std::make_unique<Pty>();
  pty->link(path);
  Instance serial(sluice_plugin_v1, "device = \"" + path + "\"");
  for (int round = 1; round <= 3; ++round) {
    serial.start();  // what the agent does after its back-off
    serial.wait_metric("opened", round);
    serial.wait_metric("connected", 1);
    pty->write("whole\npart");
    serial.wait_emitted(static_cast<std::size_t>(round));
    pty.reset();
    serial.wait_metric("incomplete_frames", round);
    pty = std::make_unique<Pty>();
    pty->link(path);
  }
  EXPECT_THAT(serial.stop().error, HasSubstr("is gone: unplugged?"));
  EXPECT_EQ(serial.metric("connected").value, 0);
  EXPECT_EQ(serial.metric("frames").value, 3);
  EXPECT_EQ(serial.metric("opened").value, 3);
}

TEST(Serial, EmitsWhatItHadReadWhenItWasUnplugged) {
  auto pty = std::make_unique<Pty>();
  Instance serial(sluice_plugin_v1, "device = \"" + pty->device() + "\"");
  serial.room(0);
  serial.start();
  serial.wait_metric("opened", 1);
  serial.wait_log("opened");
  pty->write("last\n");
  serial.wait_metric("frames", 1);
  pty.reset();
  serial.room(FakeHost::unlimited);
  EXPECT_THAT(texts(serial.wait_emitted(1)), ElementsAre("last"));
  EXPECT_FALSE(serial.wait_end().ok());
}

TEST(Serial, AnswersMessagesThatItCouldNoLongerWrite) {
  auto pty = std::make_unique<Pty>();
  Instance serial(sluice_plugin_v1,
                  "device = \"" + pty->device() + "\"\nflow = \"xon-xoff\"\nwrite_timeout = \"1h\"");
  serial.start();
  serial.wait_log("opened");
  pty->write("\x13\n");
  serial.wait_metric("bytes", 1);
  const auto token = serial.send(Message().payload("held back"));
  pty->write("x");  // the loop goes round, and takes the message
  serial.wait_metric("bytes", 2);
  pty->write("x");
  serial.wait_metric("bytes", 3);
  pty.reset();
  EXPECT_EQ(serial.wait_completion(token).outcome, Outcome::Retry);
}

TEST(Serial, StopsWhileAWriteIsHeldBack) {
  OnPty on("flow = \"xon-xoff\"\nwrite_timeout = \"1h\"");
  on.pty.write("\x13\n");
  on.serial.wait_metric("bytes", 1);
  on.serial.send(Message().payload("held back"));
  EXPECT_TRUE(on.serial.stop().ok());
}

}  // namespace
