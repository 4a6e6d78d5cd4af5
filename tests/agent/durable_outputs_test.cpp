// SPDX-License-Identifier: Apache-2.0
// Outputs with durable = true, in the program as a whole: what they were given reaches them, through kill -9, a plugin that
// does not want it, a full disk, and a plugin that is not there, and MQTT goes on meanwhile.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "agent/agent_process.hpp"
#include "support/broker.hpp"
#include "support/free_port.hpp"
#include "support/subscriber.hpp"
#include "support/wait_until.hpp"

namespace sluice::test {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds long_patience{120};

// A small disk, seen by this process and its children only, for as long as it lives.
class SmallDisk {
 public:
  SmallDisk() {
    static const bool apart =
        unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    fs::create_directory(path_);
    mounted_ = apart && mount("none", path_.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  std::string file(const std::string& name) const { return path_ / name; }
  bool grow() { return mount("none", path_.c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0; }

 private:
  TemporaryDirectory directory_;
  fs::path path_ = directory_.path() / "disk";
  bool mounted_ = false;
};

// How often each value stands in the file, lines of JSON or plain numbers; and what is no line of either.
struct Written {
  std::map<long long, int> values;
  std::map<std::string, std::set<std::uint64_t>> sequences;  // by start
  std::size_t lines = 0;
  std::size_t torn = 0;
  bool in_order = true;

  explicit Written(const std::string& path) {
    std::ifstream file(path);
    long long last = -1;
    for (std::string line; std::getline(file, line); ++lines) {
      const auto parsed = nlohmann::json::parse(line, nullptr, false);
      if (parsed.is_discarded()) {
        ++torn;
        continue;
      }
      const long long value =
          parsed.is_number() ? parsed.get<long long>() : parsed["samples"]["value"].get<long long>();
      ++values[value];
      in_order = in_order && value > last;
      last = value;
      if (!parsed.contains("properties")) continue;
      const std::string id = parsed["properties"][0][1];
      sequences[id.substr(0, id.find('/'))].insert(std::stoull(id.substr(id.find('/') + 1)));
    }
  }
};

std::string counter(int count, const std::string& topic = "plant/sim") {
  return "[[input]]\nplugin = \"simulator\"\nname = \"sim\"\ntopic = \"" + topic +
         "\"\nsignal = \"counter\"\nrate = 0\ncount = " + std::to_string(count) + "\n";
}

class DurableOutputs : public testing::Test {
 protected:
  static constexpr const char* strict = "[output.buffer]\ndurability = \"strict\"\n";

  static std::string configuration(const std::string& rest, const std::string& url = {}) {
    const std::string nowhere = "mqtt://127.0.0.1:" + std::to_string(free_port());
    return "[agent]\nid = \"gw\"\nstate_dir = \"STATE\"\n[mqtt]\nbrokers = [\"" +
           (url.empty() ? nowhere : url) + "\"]\nstatus_topic = \"\"\n[buffer]\ndurability = \"strict\"\n" +
           rest;
  }
  static std::string file_output(const std::string& path, const std::string& more = {}) {
    return "[[output]]\nplugin = \"file\"\nname = \"archive\"\npath = \"" + path + "\"\ndurable = true\n" +
           more + strict;
  }
  std::string reluctant_output() {
    std::ofstream(gate_).close();
    return "[[output]]\nplugin = \"reluctant\"\nname = \"archive\"\npath = \"" + path_ + "\"\ngate = \"" +
           gate_ + "\"\ndurable = true\n" + strict;
  }
  static std::string routed(const std::string& to) { return "[[route]]\nmatch = \"#\"\nto = [" + to + "]\n"; }
  // With our plugin among the others.
  static std::string plugins(const std::string& directory) {
    return "plugin_dirs = [\"" + directory + "\"]\n";
  }
  static std::string with_plugins(std::string configuration, const std::string& directory) {
    const std::string after = "state_dir = \"STATE\"\n";
    return configuration.insert(configuration.find(after) + after.size(), plugins(directory));
  }
  // A folder with the simulator, and, where it is wanted, the reluctant plugin.
  std::string plugin_folder(bool with_reluctant = true) {
    const std::string folder = directory_.file("plugins");
    fs::create_directory(folder);
    fs::copy(SLUICE_PLUGIN_DIR "/sluice-simulator.so", folder);
    if (with_reluctant) bring_reluctant();
    return folder;
  }
  void bring_reluctant() {
    fs::copy(SLUICE_TEST_PLUGIN_DIR "/sluice-reluctant.so", directory_.file("plugins"));
  }
  void open_gate() { fs::remove(gate_); }

  nlohmann::json queue(const std::string& name = "archive") { return agent_.buffer()["queues"][name]; }
  std::uint64_t waiting() {
    const auto figures = queue();
    return figures["messages"].get<std::uint64_t>() + figures["in_memory"].get<std::uint64_t>();
  }
  bool drained() {
    return wait_until([&] { return waiting() == 0; }, long_patience);
  }
  std::uint64_t metric(const std::string& name) { return agent_.status()["metrics"]["output.archive"][name]; }
  void expect_balanced() {
    const auto verified = agent_.document({"buffer", "verify", "--queue", "archive"});
    EXPECT_TRUE(verified["differences"].empty()) << verified;
    EXPECT_TRUE(verified["ledger"]["balanced"].get<bool>()) << verified;
    EXPECT_EQ(verified["queues"].size(), 1U) << verified;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("archive.jsonl");
  std::string gate_ = directory_.file("gate");
  AgentProcess agent_{""};
};

TEST_F(DurableOutputs, AFileHasEveryMessageThroughKillsWhileItIsWritten) {
  constexpr int count = 30'000;
  constexpr int kills = 5;
  // The folder is missing: everything waits, committed.
  const std::string later = directory_.file("later/archive.jsonl");
  const std::string output = file_output(later, "fsync = \"each-batch\"\n");
  agent_.configure(configuration(counter(count) + output + routed("\"archive\"")));
  agent_.start();
  ASSERT_TRUE(wait_until([&] { return queue()["messages"] == count; }, long_patience)) << agent_.log();
  EXPECT_EQ(queue("mqtt")["messages"], 0);
  agent_.kill();
  EXPECT_EQ(queue()["messages"], count) << "the files say so, too";
  fs::create_directory(directory_.file("later"));
  agent_.configure(configuration(output + routed("\"archive\"")));
  int killed = 0;
  for (std::uintmax_t size = 0; killed < kills; ++killed) {
    agent_.launch();
    std::error_code none_yet;
    const auto grown = [&] {
      const auto now = fs::file_size(later, none_yet);
      return !none_yet && now > size + 100'000;
    };
    if (!wait_until(grown, std::chrono::seconds(10))) break;
    agent_.kill();
    size = fs::file_size(later);
  }
  agent_.start();
  ASSERT_TRUE(drained()) << agent_.log();
  const Written written(later);
  std::cout << "committed " << count << ", lines " << written.lines << ", kills " << killed << ", duplicates "
            << written.lines - written.torn - written.values.size() << ", torn " << written.torn
            << ", missing " << count - written.values.size() << '\n';
  EXPECT_EQ(written.values.size(), static_cast<std::size_t>(count));
  EXPECT_GE(killed, 2);
  expect_balanced();
  EXPECT_EQ(agent_.stop(), 0);
}

TEST_F(DurableOutputs, NothingIsMissingBeforeTheLastThatAKillLeft) {
  const std::string input = counter(0);
  agent_.configure(configuration(input + file_output(path_) + routed("\"archive\"")));
  for (int start = 1; start <= 3; ++start) {
    const auto size = fs::exists(path_) ? fs::file_size(path_) : 0;
    agent_.launch();
    ASSERT_TRUE(wait_until([&] { return fs::exists(path_) && fs::file_size(path_) > size + 500'000; }));
    agent_.kill();
  }
  agent_.configure(configuration(file_output(path_) + routed("\"archive\"")));
  agent_.start();
  ASSERT_TRUE(drained()) << agent_.log();
  const Written written(path_);
  EXPECT_EQ(written.sequences.size(), 3U);
  for (const auto& [start, sequences] : written.sequences) {
    std::cout << "start " << start << ": " << sequences.size() << " messages, numbers " << *sequences.begin()
              << " to " << *sequences.rbegin() << '\n';
    EXPECT_EQ(*sequences.rbegin() - *sequences.begin() + 1, sequences.size());
  }
  expect_balanced();
}

TEST_F(DurableOutputs, APluginThatAnswersLaterForLongLosesNothingAndDelaysNobody) {
  constexpr int count = 5000;
  Broker broker;
  Subscriber subscriber(broker.port());
  const std::string folder = plugin_folder();
  agent_.configure(with_plugins(
      configuration(counter(count) + reluctant_output() + routed("\"mqtt\", \"archive\""), broker.url()),
      folder));
  agent_.start();
  ASSERT_TRUE(subscriber.wait_for(count, long_patience)) << agent_.log();
  ASSERT_TRUE(wait_until([&] { return metric("retried") > 3000; }));
  EXPECT_EQ(waiting(), static_cast<std::uint64_t>(count));
  EXPECT_EQ(Written(path_).lines, 0U);
  // It waits across a restart, too; to end takes no longer for it.
  EXPECT_EQ(agent_.stop(), 0);
  agent_.configure(with_plugins(configuration(reluctant_output() + routed("\"mqtt\", \"archive\"")), folder));
  agent_.start();
  EXPECT_EQ(waiting(), static_cast<std::uint64_t>(count));
  open_gate();
  ASSERT_TRUE(drained()) << agent_.buffer();
  const Written written(path_);
  EXPECT_EQ(written.values.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(written.lines, static_cast<std::size_t>(count)) << "each once: nothing was killed";
  expect_balanced();
}

TEST_F(DurableOutputs, AFileOnAFullDiskHasEverythingInOrderOnceThereIsRoom) {
  SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "a tmpfs cannot be mounted here: that needs root";
  constexpr int count = 40'000;
  Broker broker;
  Subscriber subscriber(broker.port());
  const std::string path = disk.file("archive.jsonl");
  agent_.configure(
      configuration(counter(count) + file_output(path) + routed("\"mqtt\", \"archive\""), broker.url()));
  agent_.start();
  ASSERT_TRUE(subscriber.wait_for(count, long_patience)) << "the session does not wait for the file\n"
                                                         << agent_.log();
  ASSERT_TRUE(agent_.wait_for_log("No space left on device"));
  EXPECT_GT(waiting(), 0U);
  EXPECT_EQ(metric("dropped"), 0U);
  ASSERT_TRUE(disk.grow());
  ASSERT_TRUE(drained()) << agent_.log();
  const Written written(path);
  std::cout << "committed " << count << ", lines " << written.lines << ", torn " << written.torn << '\n';
  EXPECT_EQ(written.values.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(written.lines, static_cast<std::size_t>(count));
  EXPECT_TRUE(written.in_order);
  expect_balanced();
  EXPECT_EQ(agent_.stop(), 0);
}

TEST_F(DurableOutputs, WhatThePluginRefusesIsAmongTheDeadLettersOfItsQueue) {
  constexpr int count = 20;
  const std::string folder = plugin_folder();
  const std::string output = reluctant_output();
  open_gate();
  agent_.configure(with_plugins(
      configuration(counter(count, "plant/refused") + output + routed("\"mqtt\", \"archive\"")), folder));
  agent_.start();
  const auto dead = [&] { return queue()["dead_letters"] == count; };
  ASSERT_TRUE(wait_until([&] { return dead() && queue("mqtt")["messages"] == count; })) << agent_.buffer();
  const auto check = [&] {
    const auto letters = agent_.document({"buffer", "list", "--queue", "archive", "--dead"})["messages"];
    ASSERT_EQ(letters.size(), static_cast<std::size_t>(count)) << letters;
    EXPECT_EQ(letters[0]["reason"], "refused by the plugin: no place for it");
    EXPECT_EQ(letters[0]["topic"], "plant/refused");
    EXPECT_TRUE(agent_.document({"buffer", "list", "--dead"})["messages"].empty()) << "that is mqtt";
    EXPECT_EQ(agent_.document({"buffer", "list"})["messages"].size(), static_cast<std::size_t>(count));
    EXPECT_TRUE(agent_.document({"buffer", "list", "--queue", "archive"})["messages"].empty());
    const auto all = agent_.buffer();
    EXPECT_EQ(all["messages"], count);
    EXPECT_EQ(all["dead_letters"], count);
    EXPECT_EQ(all["queues"].size(), 2U);
    const auto one = agent_.document({"buffer", "stat", "--queue", "archive"});
    EXPECT_EQ(one["messages"], 0);
    EXPECT_EQ(one["queues"].size(), 1U);
    const auto verified = agent_.document({"buffer", "verify"});
    EXPECT_EQ(verified["ledger"]["committed"].get<int>(),
              verified["queues"]["mqtt"]["ledger"]["committed"].get<int>() +
                  verified["queues"]["archive"]["ledger"]["committed"].get<int>());
    EXPECT_TRUE(verified["ledger"]["balanced"].get<bool>());
    const Finished wrong = agent_.command({"buffer", "list", "--queue", "nobody"});
    EXPECT_NE(wrong.status, 0);
    EXPECT_NE(wrong.output.find("there is no queue \"nobody\": there is mqtt, archive"), std::string::npos)
        << wrong.output;
  };
  check();
  EXPECT_EQ(agent_.stop(), 0);
  check();
  EXPECT_EQ(agent_.document({"buffer", "drop", "--queue", "archive", "--all"})["dropped"], 0);
  EXPECT_EQ(agent_.buffer()["messages"], count) << "of mqtt nothing was dropped";

  // To a replacement on which nothing has ever run, and back into the queue here.
  AgentProcess replacement(with_plugins(configuration(output + routed("\"archive\"")), folder));
  replacement.directory().write("letters",
                                agent_.command({"buffer", "export", "--queue", "archive", "--dead"}).output);
  const std::string letters = replacement.directory().file("letters");
  EXPECT_EQ(replacement.command({"buffer", "import", letters, "--queue", "nobody"}).status, 70);
  EXPECT_EQ(replacement.document({"buffer", "import", letters, "--queue", "archive"})["imported"], count);
  EXPECT_EQ(replacement.command({"buffer", "import", letters}).status, 0) << "into that of mqtt";
  EXPECT_EQ(replacement.buffer()["queues"]["archive"]["messages"], count);
  EXPECT_EQ(replacement.buffer()["queues"]["mqtt"]["messages"], count);
  EXPECT_EQ(agent_.document({"buffer", "retry", "--all"})["retried"], 0) << "that is mqtt";
  EXPECT_EQ(agent_.document({"buffer", "retry", "--queue", "archive", "--all"})["retried"], count);
  EXPECT_EQ(queue()["messages"], count);
  EXPECT_EQ(queue()["letters"]["retried"], count);
  EXPECT_EQ(agent_.document({"buffer", "verify"})["letters"]["retried"], count);
  expect_balanced();
}

TEST_F(DurableOutputs, WhatAMissingPluginIsToGetWaitsInItsQueueUntilItComes) {
  constexpr int count = 3000;
  const std::string folder = plugin_folder(false);
  const std::string output = reluctant_output();
  open_gate();
  agent_.configure(with_plugins(configuration(counter(count) + output + routed("\"archive\"")), folder));
  agent_.start();
  ASSERT_TRUE(wait_until([&] { return queue()["messages"] == count; })) << agent_.log();
  bring_reluctant();
  ASSERT_TRUE(drained()) << agent_.log();
  const Written written(path_);
  EXPECT_EQ(written.values.size(), static_cast<std::size_t>(count));
  EXPECT_TRUE(written.in_order);
}

TEST_F(DurableOutputs, AStuckPluginLosesNothingAndTheAgentStillEndsInTime) {
  constexpr int count = 3000;
  const std::string folder = plugin_folder();
  const std::string output = reluctant_output();
  agent_.configure(
      with_plugins(configuration(counter(count, "plant/stuck") + output + routed("\"archive\"")), folder));
  agent_.start();
  ASSERT_TRUE(wait_until([&] { return queue()["messages"] == count; })) << agent_.log();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(agent_.stop(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(queue()["messages"], count);
  expect_balanced();
}

TEST_F(DurableOutputs, AQueueThatNoOutputHasAnyMoreIsNamedAndKept) {
  constexpr int count = 100;
  const std::string output = file_output(directory_.file("later/archive.jsonl"));
  agent_.configure(configuration(counter(count) + output + routed("\"archive\"")));
  agent_.start();
  ASSERT_TRUE(wait_until([&] { return queue()["messages"] == count; })) << agent_.log();
  EXPECT_EQ(agent_.stop(), 0);
  agent_.configure(configuration(routed("\"mqtt\"")));
  agent_.start();
  EXPECT_TRUE(agent_.wait_for_log("queue/archive is the queue of an output that is not there"));
  EXPECT_EQ(agent_.stop(), 0);
  EXPECT_EQ(queue()["messages"], count);
}

TEST_F(DurableOutputs, AQueueOfALaterVersionIsLeftAloneAndTheAgentComesUp) {
  const auto configure = [&](int count) {
    agent_.configure(configuration(counter(count) + file_output(path_) + routed("\"archive\"")));
  };
  configure(10);
  agent_.start();
  ASSERT_TRUE(wait_until([&] { return Written(path_).lines == 10; })) << agent_.log();
  EXPECT_EQ(agent_.stop(), 0);
  const std::string state = agent_.state_dir() + "/queue/archive/state.sqlite";
  {
    // PRAGMA user_version, in the header of the file.
    std::fstream file(state, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60).write("\0\0\3\xE8", 4);
  }
  const std::string before = read_file(state);
  configure(20);
  agent_.start();
  EXPECT_TRUE(agent_.wait_for_log("its queue cannot be used"));
  ASSERT_TRUE(wait_until([&] { return Written(path_).lines == 30; })) << "it works as with durable = false";
  EXPECT_FALSE(agent_.buffer()["queues"].contains("archive"));
  EXPECT_EQ(agent_.stop(), 0);
  EXPECT_EQ(read_file(state), before);
  EXPECT_EQ(agent_.log().find("is the queue of an output that is not there"), std::string::npos);
  EXPECT_EQ(agent_.command({"buffer", "list", "--queue", "mqtt"}).status, 0);
}

}  // namespace
}  // namespace sluice::test
