// SPDX-License-Identifier: Apache-2.0
#include "sluice/plugin.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using sluice::Description;
using sluice::descriptor;
using sluice::Host;
using sluice::Messages;
using sluice::Report;
using sluice::Settings;

// Calls through the C interface, as the agent does.
class Caller {
 public:
  explicit Caller(const sluice_plugin& plugin) : plugin_(plugin) {
    host_.size = sizeof(host_);
    host_.self = this;
    host_.stop_fd = host_.message_fd = -1;
    host_.complete = [](void* self, const sluice_completion* raw) -> sluice_status {
      static_cast<Caller*>(self)->outcomes.push_back(raw->outcome);
      return SLUICE_OK;
    };
    settings_.size = sizeof(settings_);
    settings_.value.type = SLUICE_TABLE;
    report_.size = sizeof(report_);
    report_.self = this;
    report_.problem = [](void* self, const sluice_setting*, sluice_str text) {
      static_cast<Caller*>(self)->lines.push_back("problem: " + std::string(sluice::abi::view(text)));
    };
    report_.line = [](void* self, sluice_str text) {
      static_cast<Caller*>(self)->lines.emplace_back(sluice::abi::view(text));
    };
  }
  ~Caller() {
    if (instance_ != nullptr) plugin_.destroy(instance_);
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  sluice_status create() { return plugin_.create(&host_, &settings_, &instance_, error()); }
  sluice_status run() { return plugin_.run(instance_, error()); }
  sluice_status poll() { return plugin_.poll(instance_, error()); }
  sluice_status handle(std::size_t count) {
    std::vector<sluice_message> messages(count);
    for (sluice_message& message : messages) message.size = sizeof(message);
    return plugin_.handle(instance_, sluice_array{messages.data(), count, sizeof(sluice_message)}, error());
  }
  void stop() { plugin_.stop(instance_); }
  void committed(sluice_status status) { plugin_.committed(instance_, 5, status); }
  sluice_status validate() { return plugin_.validate(&settings_, &report_); }
  sluice_status plan() { return plugin_.plan(&settings_, &report_); }
  std::string text() const { return std::string(buffer_, error_.used); }
  void capacity(std::size_t bytes) { capacity_ = bytes; }
  template <class P>
  P& instance() {
    return *static_cast<P*>(instance_);
  }

  std::vector<std::string> lines;
  std::vector<std::uint32_t> outcomes;

 private:
  sluice_text* error() {
    error_ = sluice_text{sizeof(error_), buffer_, capacity_, 0};
    return &error_;
  }
  const sluice_plugin& plugin_;
  sluice_host host_{};
  sluice_setting settings_{};
  sluice_report report_{};
  void* instance_ = nullptr;
  char buffer_[64] = {};
  std::size_t capacity_ = sizeof(buffer_);
  sluice_text error_{};
};

// Throws an int or an exception from everything.
template <bool Standard>
struct Thrower {
  static void raise(const char* text) {
    if (Standard) throw std::runtime_error(text);
    throw 7;
  }
  static Description describe() { return Description("thrower", "1", "."); }
  Thrower(Host, const Settings&) {}
  static void validate(const Settings&, Report&) { raise("validate"); }
  static void plan(const Settings&, Report&) { raise("plan"); }
  void run() { raise("run"); }
  void stop() { raise("stop"); }
  void committed(std::uint64_t, bool) { raise("committed"); }
};

struct BadCreate : Thrower<true> {
  BadCreate(Host host, const Settings& settings) : Thrower(host, settings) { raise("create"); }
};

TEST(Plugin, TurnsExceptionsOfEveryEntryPointIntoText) {
  Caller caller(descriptor<Thrower<true>>());
  ASSERT_EQ(caller.create(), SLUICE_OK);
  EXPECT_EQ(caller.run(), SLUICE_FAILED);
  EXPECT_EQ(caller.text(), "run");
  EXPECT_EQ(caller.validate(), SLUICE_FAILED);
  EXPECT_EQ(caller.plan(), SLUICE_FAILED);
  EXPECT_THAT(caller.lines, ::testing::ElementsAre("problem: validate", "problem: plan"));
  caller.stop();
  caller.committed(SLUICE_OK);

  Caller creating(descriptor<BadCreate>());
  EXPECT_EQ(creating.create(), SLUICE_FAILED);
  EXPECT_EQ(creating.text(), "create");
}

TEST(Plugin, NamesWhatIsNoException) {
  Caller caller(descriptor<Thrower<false>>());
  ASSERT_EQ(caller.create(), SLUICE_OK);
  EXPECT_EQ(caller.run(), SLUICE_FAILED);
  EXPECT_EQ(caller.text(), "an exception that is not a std::exception");
  EXPECT_EQ(caller.validate(), SLUICE_FAILED);
  caller.stop();
  caller.committed(SLUICE_STOPPED);
}

struct Poller {
  static Description describe() { return Description("poller", "1", "."); }
  Poller(Host, const Settings&) {}
  void poll() { throw std::runtime_error("\xC3\xA4\xC3\xA4\xC3\xA4"); }
};

TEST(Plugin, CutsATextThatIsTooLongBetweenTwoCharacters) {
  Caller caller(descriptor<Poller>());
  ASSERT_EQ(caller.create(), SLUICE_OK);
  caller.capacity(5);
  EXPECT_EQ(caller.poll(), SLUICE_FAILED);
  EXPECT_EQ(caller.text(), "\xC3\xA4\xC3\xA4");
}

struct HandlesAll {
  static Description describe() { return Description("all", "1", "."); }
  HandlesAll(Host host, const Settings&) : host_(host) {}
  void handle(Messages messages) {
    if (messages.size() > 2) throw std::runtime_error("handle");
    for (const sluice::ReceivedMessage& message : messages) host_.refuse(message.token(), "");
  }
  Host host_;
};

struct HandlesOne {
  static Description describe() { return Description("one", "1", "."); }
  HandlesOne(Host, const Settings&) {}
  void handle(const sluice::ReceivedMessage&) {
    if (++calls_ == 2) throw sluice::Refused("the second");
    if (calls_ == 4) throw std::runtime_error("the fourth");
  }
  int calls_ = 0;
};

TEST(Plugin, HandsOverAllMessagesAtOnce) {
  Caller caller(descriptor<HandlesAll>());
  ASSERT_EQ(caller.create(), SLUICE_OK);
  EXPECT_EQ(caller.handle(2), SLUICE_OK);
  EXPECT_THAT(caller.outcomes, ::testing::ElementsAre(SLUICE_REFUSED, SLUICE_REFUSED));
  EXPECT_EQ(caller.handle(3), SLUICE_FAILED);
  EXPECT_EQ(caller.text(), "handle");
}

TEST(Plugin, AnswersOneMessageAfterTheOther) {
  Caller caller(descriptor<HandlesOne>());
  ASSERT_EQ(caller.create(), SLUICE_OK);
  EXPECT_EQ(caller.handle(5), SLUICE_FAILED);
  EXPECT_EQ(caller.text(), "the fourth");
  // What threw is not answered, and nothing after it.
  EXPECT_THAT(caller.outcomes, ::testing::ElementsAre(SLUICE_DONE, SLUICE_REFUSED, SLUICE_DONE));
}

TEST(Plugin, SetsOnlyWhatTheClassHas) {
  const sluice_plugin& poller = descriptor<Poller>();
  EXPECT_EQ(poller.run, nullptr);
  EXPECT_NE(poller.poll, nullptr);
  EXPECT_EQ(poller.handle, nullptr);
  EXPECT_EQ(poller.validate, nullptr);
  EXPECT_EQ(poller.plan, nullptr);
  EXPECT_EQ(poller.stop, nullptr);
  EXPECT_EQ(poller.committed, nullptr);
  EXPECT_EQ(poller.roles, std::uint32_t{SLUICE_EMITS});
  EXPECT_EQ(descriptor<HandlesAll>().roles, std::uint32_t{SLUICE_TAKES});
  EXPECT_NE((descriptor<Thrower<true>>().stop), nullptr);
  EXPECT_NE((descriptor<Thrower<true>>().committed), nullptr);
}

struct BadDescribe {
  static Description describe() { throw std::runtime_error("describe"); }
  BadDescribe(Host, const Settings&) {}
  void run() {}
};

TEST(Plugin, IsNothingWhereItsDescriptionThrows) {
  EXPECT_EQ(descriptor<BadDescribe>().size, 0u);
}

struct WrongSetting {
  static Description describe() { return Description("wrong", "1", "."); }
  WrongSetting(Host, const Settings& settings) { (void)settings["port"].as<int>(); }
  static void validate(const Settings& settings, Report&) { (void)settings["port"].as<int>(); }
  void run() {}
};

TEST(Plugin, ReportsASettingThatValidateCannotRead) {
  Caller caller(descriptor<WrongSetting>());
  EXPECT_EQ(caller.validate(), SLUICE_OK);
  EXPECT_THAT(caller.lines, ::testing::ElementsAre("problem: expected an integer, got nothing"));
  EXPECT_EQ(caller.create(), SLUICE_FAILED);
  EXPECT_EQ(caller.text(), "port: expected an integer, got nothing");
}

struct Durable {
  static inline std::vector<bool> answers;
  static Description describe() { return Description("durable", "1", "."); }
  Durable(Host, const Settings&) {}
  void run() {}
  void committed(std::uint64_t cookie, bool ok) noexcept {
    EXPECT_EQ(cookie, 5u);
    answers.push_back(ok);
  }
};

TEST(Plugin, TellsWhetherMessagesWereCommitted) {
  Caller caller(descriptor<Durable>());
  ASSERT_EQ(caller.create(), SLUICE_OK);
  EXPECT_EQ(caller.run(), SLUICE_OK);
  caller.committed(SLUICE_OK);
  caller.committed(SLUICE_STOPPED);
  EXPECT_THAT(Durable::answers, ::testing::ElementsAre(true, false));
}

}  // namespace
