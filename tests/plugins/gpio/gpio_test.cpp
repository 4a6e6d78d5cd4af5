// SPDX-License-Identifier: Apache-2.0
// The plugin on chips in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <sluice/testing.hpp>

#include "fake_kernel.hpp"
#include "gpio.hpp"

namespace sluice::gpio {
namespace {

using test::Emitted;
using test::Instance;

// The kernel of the test that runs.
FakeKernel*& current() {
  static FakeKernel* kernel = nullptr;
  return kernel;
}

struct FakeGpio : Gpio {
  FakeGpio(Host host, const Settings& settings) : Gpio(host, settings, *current()) {}
};

const sluice_plugin& plugin() {
  return descriptor<FakeGpio>();
}

std::int64_t value(const Emitted& message) {
  return message.value<std::int64_t>("value");
}
std::string line(const Emitted& message) {
  return message.placeholders.at("line");
}

struct Gpios : ::testing::Test {
  FakeKernel kernel;
  Gpios() {
    current() = &kernel;
    kernel.add("gpiochip0", "soc", {{"led", "", false}, {"fan", "regulator", false}});
    kernel.add("gpiochip1", "board",
               {{"door", "", true}, {"pulse", "", false}, {"relay", "", false}, {"valve", "", true}});
  }
};

constexpr const char* inputs = R"(
  chip = "gpiochip1"
  [[line]]
  name = "door"
  [[line]]
  name = "meter"
  line_name = "pulse"
)";

TEST_F(Gpios, PublishTheStateAtTheStart) {
  Instance gpio(plugin(), inputs);
  gpio.start();
  const auto all = gpio.wait_emitted(2);
  EXPECT_EQ(line(all[0]), "door");
  EXPECT_EQ(value(all[0]), 1);
  EXPECT_EQ(line(all[1]), "meter");
  EXPECT_EQ(value(all[1]), 0);
  EXPECT_EQ(all[0].samples.size(), 1u);
  EXPECT_EQ(all[0].time_kind, TimeKind::HostMonotonic);
  EXPECT_TRUE(gpio.stop().ok());
}

TEST_F(Gpios, PublishEdgesWithTheKernelsTimeAndNumber) {
  Instance gpio(plugin(), inputs);
  gpio.start();
  gpio.wait_emitted(2);
  kernel.pull("gpiochip1", 1, true, 1000);
  kernel.pull("gpiochip1", 1, false, 2000);
  kernel.pull("gpiochip1", 0, false, 3000);
  const auto all = gpio.wait_emitted(5);
  EXPECT_EQ(line(all[2]), "meter");
  EXPECT_EQ(value(all[2]), 1);
  EXPECT_EQ(all[2].value<std::string>("edge"), "rising");
  EXPECT_EQ(all[2].number("seq"), 1);
  EXPECT_EQ(all[2].time_kind, TimeKind::HostMonotonic);
  EXPECT_EQ(all[2].time_ns, 1000);
  EXPECT_EQ(value(all[3]), 0);
  EXPECT_EQ(all[3].value<std::string>("edge"), "falling");
  EXPECT_EQ(all[3].number("seq"), 2);
  EXPECT_EQ(line(all[4]), "door");
  EXPECT_EQ(all[4].number("seq"), 1) << "numbered by line";
  EXPECT_EQ(all[4].samples.size(), 3u) << "nothing was lost";
  EXPECT_EQ(gpio.metric("edges").value, 3);
}

TEST_F(Gpios, CountAndPublishEdgesThatTheKernelDropped) {
  Instance gpio(plugin(), inputs);
  gpio.start();
  gpio.wait_emitted(2);
  for (int i = 0; i < 5; ++i) kernel.pull("gpiochip1", 1, i % 2 == 0, i, i < 4);
  const auto all = gpio.wait_emitted(3);
  EXPECT_EQ(all[2].number("seq"), 5);
  EXPECT_EQ(all[2].number("lost"), 4);
  EXPECT_EQ(gpio.metric("lost_edges").value, 4);
  EXPECT_EQ(gpio.wait_log("dropped edges").level, Level::Warn);
  kernel.pull("gpiochip1", 1, false, 9);
  EXPECT_EQ(gpio.wait_emitted(4)[3].samples.size(), 3u) << "told once";
}

TEST_F(Gpios, PublishOnlyTheEdgesAskedFor) {
  Instance gpio(plugin(), R"(
    chip = "gpiochip1"
    [[line]]
    name = "pulse"
    edge = "falling"
    [[line]]
    name = "door"
    edge = "none")");
  gpio.start();
  gpio.wait_emitted(2);
  kernel.pull("gpiochip1", 0, false, 1);
  kernel.pull("gpiochip1", 1, true, 2);
  kernel.pull("gpiochip1", 1, false, 3);
  EXPECT_EQ(gpio.wait_emitted(3)[2].time_ns, 3);
  EXPECT_EQ(gpio.metric("edges").value, 1);
}

TEST_F(Gpios, PublishTheStateAgainAndAgainWhereTold) {
  Instance gpio(plugin(), std::string("every = \"5ms\"\n") + inputs);
  gpio.start();
  const auto all = gpio.wait_emitted(10);
  EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const Emitted& one) { return line(one) == "door"; }), 5);
}

TEST_F(Gpios, AreFoundByPathNameOrLabel) {
  for (const char* chip : {"/dev/gpiochip1", "gpiochip1", "board"}) {
    Instance gpio(plugin(), std::string("chip = \"") + chip + "\"\n[[line]]\nname = \"x\"\noffset = 0\n");
    gpio.start();
    EXPECT_EQ(value(gpio.wait_emitted(1)[0]), 1) << chip;
    gpio.stop();
  }
}

TEST_F(Gpios, SayWhatIsWrongWithChipOrLine) {
  const auto expect = [](const std::string& settings, const std::string& text) {
    Instance gpio(plugin(), settings);
    gpio.start();
    const test::End end = gpio.wait_end();
    EXPECT_EQ(end.status, Status::Failed);
    EXPECT_EQ(end.error, text);
    EXPECT_TRUE(gpio.emitted().empty());
  };
  expect("chip = \"none\"\n[[line]]\nname = \"a\"",
         "there is no GPIO chip \"none\"; there are: gpiochip0 [soc], gpiochip1 [board]");
  expect("chip = \"soc\"\n[[line]]\nname = \"a\"", "line \"a\": gpiochip0 [soc] has no line named \"a\"");
  expect("chip = \"soc\"\n[[line]]\nname = \"a\"\noffset = 2",
         "line \"a\": gpiochip0 [soc] has 2 lines, so there is no offset 2");
  expect("chip = \"soc\"\n[[line]]\nname = \"led\"\n[[line]]\nname = \"fan\"",
         "line \"fan\" (gpiochip0 [soc], offset 1) is in use by \"regulator\"");
  kernel.add("gpiochip2", "soc", {{"led", "", false}});
  expect("chip = \"soc\"\n[[line]]\nname = \"led\"",
         "several chips have the label \"soc\": gpiochip0 [soc] and gpiochip2 [soc]");
}

TEST_F(Gpios, NameThemselvesAsTheConsumer) {
  Instance gpio(plugin(), inputs, "cabinet");
  gpio.start();
  gpio.wait_emitted(2);
  EXPECT_STREQ(kernel.requests().at(0).consumer, "sluice:cabinet");
  Instance other(plugin(), inputs, "other");
  other.start();
  EXPECT_EQ(other.wait_end().error,
            "line \"door\" (gpiochip1 [board], offset 0) is in use by \"sluice:cabinet\"");
  // Once the first has ended, its lines are free again.
  gpio.stop();
  Instance third(plugin(), inputs, "third");
  third.start();
  third.wait_emitted(2);
}

TEST_F(Gpios, NoticeThatTheChipIsGoneWhereTheKernelWakesNobody) {
  Instance gpio(plugin(), inputs);
  gpio.start();
  gpio.wait_emitted(2);
  kernel.remove("gpiochip1");
  EXPECT_EQ(gpio.wait_end().status, Status::Failed);
  EXPECT_EQ(gpio.wait_emitted(4)[2].sample("value").error, "cannot read the lines: No such device");
}

TEST_F(Gpios, CountEdgesThatTheKernelTookForOne) {
  Instance gpio(plugin(), inputs);
  gpio.start();
  gpio.wait_emitted(2);
  kernel.pull("gpiochip1", 1, true, 1);
  kernel.merge("gpiochip1", 1, false);
  kernel.pull("gpiochip1", 1, true, 3);
  const auto all = gpio.wait_emitted(4);
  EXPECT_EQ(all[3].number("seq"), 2);
  EXPECT_EQ(all[3].number("lost"), 1);
  EXPECT_EQ(gpio.metric("merged_edges").value, 1);
  EXPECT_EQ(gpio.metric("lost_edges").value, 0);
}

TEST_F(Gpios, TakeNoDroppedEdgeForAMergedOne) {
  Instance gpio(plugin(), inputs);
  gpio.start();
  gpio.wait_emitted(2);
  kernel.pull("gpiochip1", 1, true, 1);
  kernel.pull("gpiochip1", 1, false, 2, true);
  kernel.pull("gpiochip1", 1, true, 3);
  EXPECT_EQ(gpio.wait_emitted(4)[3].number("lost"), 1);
  EXPECT_EQ(gpio.metric("merged_edges").value, 0);
  EXPECT_EQ(gpio.metric("lost_edges").value, 1);
}

TEST_F(Gpios, PublishThatTheChipIsGoneAndFail) {
  kernel.wake_on_removal();
  auto gpio = std::make_unique<Instance>(plugin(), inputs);
  gpio->start();
  gpio->wait_emitted(2);
  kernel.remove("gpiochip1");
  EXPECT_EQ(gpio->wait_end().status, Status::Failed);
  const auto all = gpio->wait_emitted(4);
  EXPECT_EQ(all[2].sample("value").quality, Quality::Bad);
  EXPECT_EQ(all[2].sample("value").error, "cannot read edges: No such device");
  gpio.reset();
  // The agent makes a new instance after a pause: it waits as long as the chip is away, and works once it is back.
  gpio = std::make_unique<Instance>(plugin(), inputs);
  gpio->start();
  EXPECT_NE(gpio->wait_end().error.find("there is no GPIO chip \"gpiochip1\""), std::string::npos);
  kernel.add("gpiochip1", "board", {{"door", "", false}, {"pulse", "", false}});
  gpio = std::make_unique<Instance>(plugin(), inputs);
  gpio->start();
  EXPECT_EQ(value(gpio->wait_emitted(2)[0]), 0);
}

// ---- Debounce

TEST_F(Gpios, LeaveDebouncingToTheKernel) {
  Instance gpio(plugin(), "chip = \"board\"\n[[line]]\nname = \"door\"\ndebounce = \"20ms\"\n");
  gpio.start();
  gpio.wait_emitted(1);
  const auto request = kernel.requests().at(0);
  ASSERT_EQ(request.config.num_attrs, 1u);
  EXPECT_EQ(request.config.attrs[0].attr.id, GPIO_V2_LINE_ATTR_ID_DEBOUNCE);
  EXPECT_EQ(request.config.attrs[0].attr.debounce_period_us, 20000u);
  kernel.pull("gpiochip1", 0, false, 7);
  EXPECT_EQ(gpio.wait_emitted(2)[1].time_ns, 7) << "published at once";
}

TEST_F(Gpios, DebounceThemselvesWhereTheKernelRefusesAndSaySo) {
  kernel.refuse_debounce();
  Instance gpio(plugin(),
                "chip = \"board\"\n[[line]]\nname = \"pulse\"\nedge = \"rising\"\ndebounce = \"30ms\"\n");
  gpio.start();
  gpio.wait_emitted(1);
  EXPECT_EQ(gpio.wait_log("cannot debounce").level, Level::Warn);
  EXPECT_EQ(kernel.requests().size(), 2u);
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  // A contact that bounces, and is on at the end: one edge, of the last change. (All but that seem to be in the future, so
  // that a slow machine does not find the line steady in between.)
  const std::int64_t start = now();
  constexpr std::int64_t hour = 3'600'000'000'000;
  for (int i = 0; i < 7; ++i) kernel.pull("gpiochip1", 1, i % 2 == 0, i < 6 ? start + hour : start);
  const auto all = gpio.wait_emitted(2);
  EXPECT_EQ(value(all[1]), 1);
  EXPECT_EQ(all[1].value<std::string>("edge"), "rising");
  EXPECT_EQ(all[1].time_ns, start);
  EXPECT_EQ(all[1].number("seq"), 7);
  EXPECT_EQ(gpio.metric("bounces").value, 7);
}

// ---- Outputs

constexpr const char* outputs = R"(
  chip = "board"
  [[line]]
  name = "door"
  [[line]]
  name = "relay"
  direction = "out"
  initial = 1
  at_exit = 0
  [[line]]
  name = "valve"
  direction = "out"
  active_low = true
)";

struct Outputs : Gpios {
  Instance gpio{plugin(), outputs};
  void SetUp() override {
    gpio.start();
    gpio.wait_emitted(3);
  }
  test::Completion send(const std::string& topic, const std::string& payload) {
    return gpio.wait_completion(gpio.send(Message().topic(topic).payload(payload)));
  }
  bool relay() const { return kernel.voltage("gpiochip1", 2); }
  bool valve() const { return kernel.voltage("gpiochip1", 3); }
};

TEST_F(Outputs, StartAtTheirInitialValueInOneRequest) {
  EXPECT_TRUE(relay());
  EXPECT_TRUE(valve()) << "inactive is high";
  EXPECT_EQ(kernel.requests().size(), 1u);
}

TEST_F(Outputs, AreSetByTopicOrPayload) {
  test::Completion done = send("cmd/gw/relay", "0");
  EXPECT_EQ(done.outcome, test::Outcome::Done) << done.text;
  EXPECT_EQ(done.sample("value").value, Value(std::int64_t{0}));
  EXPECT_FALSE(relay());
  EXPECT_EQ(send("cmd/gw/set", R"({"line":"valve","value":1})").outcome, test::Outcome::Done);
  EXPECT_FALSE(valve());
  EXPECT_EQ(send("cmd/gw/valve", "false").outcome, test::Outcome::Done);
  EXPECT_TRUE(valve());
  EXPECT_EQ(send("cmd/gw/relay", "toggle").sample("value").value, Value(std::int64_t{1}));
  EXPECT_TRUE(relay());
  EXPECT_EQ(send("cmd/gw/relay", R"({"value":false})").outcome, test::Outcome::Done);
  EXPECT_FALSE(relay());
  // Their new state is published.
  const auto all = gpio.wait_emitted(8);
  EXPECT_EQ(line(all[3]), "relay");
  EXPECT_EQ(value(all[3]), 0);
  EXPECT_EQ(line(all[4]), "valve");
  EXPECT_EQ(value(all[4]), 1);
  EXPECT_EQ(gpio.metric("sets").value, 5);
}

TEST_F(Outputs, AreSetBySamplesOfOtherInputs) {
  const auto token = gpio.send(Message().topic("x").sample("relay", false).sample("valve", 1.0));
  const test::Completion done = gpio.wait_completion(token);
  EXPECT_EQ(done.outcome, test::Outcome::Done) << done.text;
  EXPECT_EQ(done.sample("valve").value, Value(std::int64_t{1}));
  EXPECT_FALSE(relay());
  EXPECT_FALSE(valve());
}

TEST_F(Outputs, RefuseWhatTheyCannotDo) {
  const auto expect = [&](const std::string& topic, const std::string& payload, const std::string& text) {
    const test::Completion answer = send(topic, payload);
    EXPECT_EQ(answer.outcome, test::Outcome::Refused) << payload;
    EXPECT_EQ(answer.text, text);
  };
  expect("cmd/door", "1", "line \"door\" is an input");
  expect("cmd/lamp", "1", "there is no line \"lamp\"");
  expect("cmd/relay", "2", "expected 0, 1, true, false, on, off or toggle, got \"2\"");
  expect("cmd/relay", "", "expected 0, 1, true, false, on, off or toggle, got \"\"");
  expect("cmd/relay", "{", "expected a JSON object like {\"line\":\"relay\",\"value\":1}");
  expect("cmd/relay", "{}", "expected \"value\" in the JSON object");
  expect("cmd/relay", R"({"value":1,"line":3})", "\"line\": expected text");
  EXPECT_TRUE(relay());
  EXPECT_EQ(gpio.metric("sets_refused").value, 7);
}

TEST_F(Outputs, AreLeftAsToldAtTheEnd) {
  send("cmd/valve", "1");
  EXPECT_TRUE(gpio.stop().ok());
  EXPECT_FALSE(relay()) << "at_exit = 0";
  EXPECT_FALSE(valve()) << "left as it was";
}

TEST_F(Gpios, NeedNoNameWhereThereIsOneOutput) {
  Instance gpio(plugin(), "chip = \"board\"\n[[line]]\nname = \"relay\"\ndirection = \"out\"\n");
  gpio.start();
  const auto answer = gpio.wait_completion(gpio.send(Message().topic("cmd/gw/anything").payload("on")));
  EXPECT_EQ(answer.outcome, test::Outcome::Done) << answer.text;
  EXPECT_TRUE(kernel.voltage("gpiochip1", 2));
}

}  // namespace
}  // namespace sluice::gpio
