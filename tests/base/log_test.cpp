// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/wait_until.hpp"

namespace sluice {
namespace {

class Lines {
 public:
  Logging::Receive receiver() {
    return [this](Level level, std::string_view part, std::string_view text) {
      const std::lock_guard lock(mutex_);
      lines_.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(part) + ": " +
                       std::string(text));
    };
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;  // guarded by mutex_
};

LogOptions levels(Level level, std::map<std::string, Level> by_part = {}) {
  LogOptions options;
  options.level = level;
  options.levels = std::move(by_part);
  return options;
}

TEST(Log, GivesLevelPartAndText) {
  Lines lines;
  Logging logging(lines.receiver());
  const Log log = logging.part("mqtt");
  log.trace("t{}", 1);
  log.debug("d{}", 2);
  log.info("i{}", "3");
  log.warn("w{:.1f}", 4.0);
  log.error("e{}", 5);
  EXPECT_EQ(lines.take(), (std::vector<std::string>{"0 mqtt: t1", "1 mqtt: d2", "2 mqtt: i3", "3 mqtt: w4.0",
                                                    "4 mqtt: e5"}));
}

TEST(Log, WritesALineAsItIs) {
  Lines lines;
  Logging logging(lines.receiver());
  logging.part("input.a").line(Level::warn, "{} % {braces}");
  EXPECT_EQ(lines.take(), (std::vector<std::string>{"3 input.a: {} % {braces}"}));
}

TEST(Log, LeavesOutWhatIsBelowTheLevel) {
  Lines lines;
  Logging logging(lines.receiver());
  logging.set_levels(levels(Level::warn));
  const Log log = logging.part("mqtt");
  EXPECT_FALSE(log.enabled(Level::info));
  EXPECT_TRUE(log.enabled(Level::warn));
  log.info("no");
  log.line(Level::info, "no");
  log.warn("yes");
  EXPECT_EQ(lines.take(), (std::vector<std::string>{"3 mqtt: yes"}));
}

TEST(Log, HasALevelByPart) {
  Lines lines;
  Logging logging(lines.receiver());
  logging.set_levels(levels(Level::info, {{"mqtt", Level::debug}, {"queue", Level::error}}));
  EXPECT_TRUE(logging.part("mqtt").enabled(Level::debug));
  EXPECT_FALSE(logging.part("mqtt").enabled(Level::trace));
  EXPECT_FALSE(logging.part("queue").enabled(Level::warn));
  EXPECT_TRUE(logging.part("route").enabled(Level::info));
  EXPECT_FALSE(logging.part("route").enabled(Level::debug));
}

TEST(Log, InheritsTheLevelOfWhatStandsBeforeADot) {
  Lines lines;
  Logging logging(lines.receiver());
  logging.set_levels(levels(Level::info, {{"input", Level::error}, {"input.line1", Level::trace}}));
  EXPECT_TRUE(logging.part("input.line1").enabled(Level::trace));
  EXPECT_TRUE(logging.part("input.line1.unit3").enabled(Level::trace));
  EXPECT_FALSE(logging.part("input.line2").enabled(Level::warn));
  EXPECT_FALSE(logging.part("input.line1x").enabled(Level::warn));
  EXPECT_TRUE(logging.part("inputs").enabled(Level::info));
}

TEST(Log, FollowsNewLevelsInHandlesThatLive) {
  Lines lines;
  Logging logging(lines.receiver());
  const Log log = logging.part("input.line1");
  const Log copy = log;
  logging.set_levels(levels(Level::info));
  EXPECT_FALSE(log.enabled(Level::debug));
  logging.set_levels(levels(Level::info, {{"input", Level::debug}}));
  EXPECT_TRUE(log.enabled(Level::debug));
  EXPECT_TRUE(copy.enabled(Level::debug));
  logging.set_levels(levels(Level::error));
  EXPECT_FALSE(copy.enabled(Level::warn));
}

TEST(Log, IsOnePartForOneName) {
  Lines lines;
  Logging logging(lines.receiver());
  const Log first = logging.part("a");
  const Log second = logging.part("a");
  logging.set_levels(levels(Level::error));
  EXPECT_FALSE(first.enabled(Level::warn));
  EXPECT_FALSE(second.enabled(Level::warn));
}

TEST(Log, OutlivesItsLogging) {
  Lines lines;
  auto logging = std::make_unique<Logging>(lines.receiver());
  const Log log = logging->part("late");
  logging.reset();
  log.info("still here");
  EXPECT_EQ(lines.take(), (std::vector<std::string>{"2 late: still here"}));
}

TEST(Log, SumsUpWhatRepeatsItself) {
  Lines lines;
  {
    Logging logging(lines.receiver(), {.most = 2});
    const Log log = logging.part("serial");
    for (int i = 0; i < 5; ++i) log.warn("no answer from {}", std::string(1, static_cast<char>('a' + i)));
    logging.part("modbus").warn("no answer from {}", "a");
    log.error("no answer from {}", "f");
    EXPECT_EQ(logging.suppressed(), 3U);
    EXPECT_EQ(lines.take(),
              (std::vector<std::string>{"3 serial: no answer from a", "3 serial: no answer from b",
                                        "3 modbus: no answer from a", "4 serial: no answer from f"}));
    logging.sum_up();  // the window is not over
    EXPECT_TRUE(lines.take().empty());
  }
  EXPECT_EQ(lines.take(),
            (std::vector<std::string>{"3 serial: 3 more of these in the last 1 s: no answer from e"}));
}

TEST(Log, SumsUpAtTheEndOfTheWindow) {
  Lines lines;
  Logging logging(lines.receiver(), {.most = 1, .window = std::chrono::seconds(1)});
  const Log log = logging.part("serial");
  log.info("once");
  log.info("once");
  lines.take();
  std::vector<std::string> summed;
  EXPECT_TRUE(test::wait_until([&] {
    logging.sum_up();
    summed = lines.take();
    return !summed.empty();
  }));
  EXPECT_EQ(summed, (std::vector<std::string>{"2 serial: 1 more of these in the last 1 s: once"}));
  log.info("once");
  EXPECT_EQ(lines.take().size(), 1U);
}

TEST(Log, NeverSumsUpWhatWasAskedFor) {
  Lines lines;
  Logging logging(lines.receiver(), {.most = 1});
  const Log log = logging.part("serial");
  for (int i = 0; i < 5; ++i) {
    log.trace("byte");
    log.debug("frame");
  }
  EXPECT_EQ(lines.take().size(), 10U);
}

TEST(Log, TakesLinesWhileLevelsChange) {
  Lines lines;
  Logging logging(lines.receiver());
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        const Log log = logging.part("input.x");
        for (int i = 0; i < 500; ++i) log.warn("line {}", i);
      });
    }
    for (int i = 0; i < 200; ++i) logging.set_levels(levels(i % 2 == 0 ? Level::trace : Level::warn));
  }
  EXPECT_EQ(lines.take().size(), 1500U);
}

TEST(Logging, WritesAFileAndRotatesIt) {
  std::string name = (std::filesystem::temp_directory_path() / "sluice-log-XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const std::filesystem::path directory = name;
  LogOptions options;
  options.target = LogOptions::Target::file;
  options.path = directory / "agent.log";
  options.max_bytes = 2000;
  options.keep = 2;
  {
    Logging logging(options, {.most = 0});
    const Log log = logging.part("queue");
    for (int i = 0; i < 500; ++i) log.info("line {}", i);
    log.debug("not written");
    log.info("the last one");
  }
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    ++files;
    EXPECT_LE(file.file_size(), options.max_bytes);
  }
  EXPECT_EQ(files, options.keep + 1U);
  std::stringstream text;
  text << std::ifstream(options.path).rdbuf();
  EXPECT_NE(text.str().find(" info queue: the last one\n"), std::string::npos) << text.str();
  EXPECT_EQ(text.str().find("not written"), std::string::npos);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace sluice
