// SPDX-License-Identifier: Apache-2.0
#include "sluice/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stddef.h>

#include <string>
#include <vector>

#include "sluice/value.hpp"

namespace {

using sluice::Setting;
using sluice::SettingError;
using sluice::Settings;
using sluice::abi::borrow;
using std::chrono::milliseconds;
using std::chrono::seconds;

sluice_setting entry(const char* key, sluice_value value, const char* place = "f.toml:1: key") {
  sluice_setting out{};
  out.size = sizeof(out);
  out.key = borrow(key);
  out.value = value;
  out.place = borrow(place);
  return out;
}

sluice_value integer(std::uint32_t type, std::int64_t number) {
  sluice_value out = sluice::abi::value_of(type);
  out.as.i64 = number;
  return out;
}

// A table of one setting of each kind.
class SettingTest : public ::testing::Test {
 protected:
  SettingTest() {
    elements_ = {entry("", sluice::abi::to_c("a")), entry("", sluice::abi::to_c("b"))};
    list_ = entry("list", sluice::abi::value_of(SLUICE_LIST));
    list_.children = {elements_.data(), elements_.size(), sizeof(sluice_setting)};
    sluice_setting table = entry("table", sluice::abi::value_of(SLUICE_TABLE), "f.toml:9: table");
    inner_ = {entry("deep", sluice::abi::to_c(5))};
    table.children = {inner_.data(), inner_.size(), sizeof(sluice_setting)};
    all_ = {entry("flag", sluice::abi::to_c(true)),
            entry("baud", sluice::abi::to_c(9600), "f.toml:3: input \"a\": baud"),
            entry("minus", sluice::abi::to_c(-1)),
            entry("number", sluice::abi::to_c(1.5)),
            entry("text", sluice::abi::to_c("hello")),
            entry("wait", integer(SLUICE_DURATION, 1'500'000'000)),
            entry("size", integer(SLUICE_SIZE, 4096)),
            list_,
            table};
    root_ = entry("", sluice::abi::value_of(SLUICE_TABLE), "f.toml:1: input \"a\"");
    root_.children = {all_.data(), all_.size(), sizeof(sluice_setting)};
  }

  template <class T>
  std::string refusal(const Setting& setting) {
    try {
      (void)setting.as<T>();
    } catch (const SettingError& error) {
      return error.what();
    }
    return "none";
  }

  std::vector<sluice_setting> elements_;
  std::vector<sluice_setting> inner_;
  std::vector<sluice_setting> all_;
  sluice_setting list_{};
  sluice_setting root_{};
  Settings settings{&root_};
};

TEST_F(SettingTest, ReadsEachType) {
  EXPECT_TRUE(settings["flag"].as<bool>());
  EXPECT_EQ(settings["baud"].as<int>(), 9600);
  EXPECT_EQ(settings["baud"].as<std::uint16_t>(), 9600);
  EXPECT_EQ(settings["baud"].as<double>(), 9600.0);
  EXPECT_EQ(settings["number"].as<float>(), 1.5f);
  EXPECT_EQ(settings["text"].as<std::string>(), "hello");
  EXPECT_EQ(settings["text"].as<std::string_view>(), "hello");
  EXPECT_EQ(settings["wait"].as<milliseconds>(), milliseconds(1500));
  EXPECT_EQ(settings["wait"].as<std::chrono::duration<double>>().count(), 1.5);
  EXPECT_EQ(settings["size"].as_bytes(), 4096u);
  EXPECT_EQ(settings["size"].as<int>(), 4096);
  EXPECT_EQ(settings["list"].as<std::vector<std::string>>(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(settings["table"]["deep"].as<int>(), 5);
}

TEST_F(SettingTest, CutsOffWhatIsFinerThanTheDuration) {
  EXPECT_EQ(settings["wait"].as<seconds>(), seconds(1));
}

TEST_F(SettingTest, RefusesTheWrongTypeWithItsPlace) {
  EXPECT_EQ(refusal<std::string>(settings["baud"]),
            "f.toml:3: input \"a\": baud: expected text, got an integer");
  EXPECT_EQ(refusal<int>(settings["text"]), "f.toml:1: key: expected an integer, got text");
  EXPECT_EQ(refusal<int>(settings["number"]), "f.toml:1: key: expected an integer, got a number");
  EXPECT_EQ(refusal<bool>(settings["baud"]),
            "f.toml:3: input \"a\": baud: expected a boolean, got an integer");
  EXPECT_EQ(refusal<int>(settings["wait"]), "f.toml:1: key: expected an integer, got a duration");
  EXPECT_EQ(refusal<seconds>(settings["baud"]),
            "f.toml:3: input \"a\": baud: expected a duration, got an integer");
  EXPECT_EQ(refusal<std::vector<int>>(settings["text"]), "f.toml:1: key: expected a list, got text");
  EXPECT_EQ(refusal<std::vector<int>>(settings["list"]), "f.toml:1: key: expected an integer, got text");
  EXPECT_THROW((void)settings["baud"].as_bytes(), SettingError);
}

TEST_F(SettingTest, RefusesANumberThatDoesNotFit) {
  EXPECT_EQ(refusal<std::uint8_t>(settings["baud"]),
            "f.toml:3: input \"a\": baud: expected 0..255, got 9600");
  EXPECT_EQ(refusal<unsigned>(settings["minus"]), "f.toml:1: key: expected 0..4294967295, got -1");
  EXPECT_EQ(refusal<std::int8_t>(settings["size"]), "f.toml:1: key: expected -128..127, got 4096");
  EXPECT_EQ(settings["minus"].as<std::int8_t>(), -1);
}

TEST_F(SettingTest, SaysWhereAnAbsentOneIsMissing) {
  EXPECT_FALSE(settings.has("none"));
  EXPECT_TRUE(settings.has("baud"));
  EXPECT_EQ(refusal<int>(settings["none"]), "f.toml:1: input \"a\": none: expected an integer, got nothing");
  EXPECT_EQ(refusal<int>(settings["table"]["none"]),
            "f.toml:9: table: none: expected an integer, got nothing");
  EXPECT_EQ(refusal<int>(settings["none"]["deeper"]),
            "f.toml:1: input \"a\": deeper: expected an integer, got nothing");
  EXPECT_EQ(settings["none"].value_or(7), 7);
  EXPECT_EQ(settings["none"].value_or("x"), "x");
  EXPECT_EQ(settings["baud"].value_or(7), 9600);
  for (const Setting& nothing : settings["none"]) FAIL() << nothing.key();
}

TEST_F(SettingTest, IteratesInTheOrderOfTheFile) {
  std::string seen;
  for (const Setting& element : settings["list"]) seen += element.as<std::string>();
  EXPECT_EQ(seen, "ab");
  EXPECT_EQ(settings["list"][1].as<std::string>(), "b");
  EXPECT_THROW((void)settings["list"][2], SettingError);
  EXPECT_EQ((*settings.begin()).key(), "flag");
  EXPECT_EQ(settings.size(), 9u);
}

TEST_F(SettingTest, StepsByStrideAndReadsZeroPastTheSize) {
  struct Newer {
    sluice_setting known;
    char later[56];
  };
  std::vector<Newer> newer(2);
  newer[0].known = entry("a", sluice::abi::to_c(1));
  newer[1].known = entry("b", sluice::abi::to_c(2));
  // As if `children` and `place` were added later than this host.
  newer[1].known.size = offsetof(sluice_setting, children);
  newer[1].known.children = {elements_.data(), elements_.size(), sizeof(sluice_setting)};
  sluice_setting root = entry("", sluice::abi::value_of(SLUICE_TABLE));
  root.children = {newer.data(), newer.size(), sizeof(Newer)};
  const Settings read(&root);
  EXPECT_EQ(read["b"].as<int>(), 2);
  EXPECT_EQ(read["b"].place(), "");
  EXPECT_TRUE(read["b"].empty());
}

TEST_F(SettingTest, IsEmptyWithoutARoot) {
  const Settings none(nullptr);
  EXPECT_EQ(none.size(), 0u);
  EXPECT_EQ(refusal<int>(none["a"]), "a: expected an integer, got nothing");
}

struct Heard {
  std::vector<const sluice_setting*> at;
  std::vector<std::string> texts;
};

TEST_F(SettingTest, ReportsProblemsWhereTheyAre) {
  Heard heard;
  sluice_report raw{};
  raw.size = sizeof(raw);
  raw.self = &heard;
  raw.problem = [](void* self, const sluice_setting* at, sluice_str text) {
    static_cast<Heard*>(self)->at.push_back(at);
    static_cast<Heard*>(self)->texts.emplace_back(sluice::abi::view(text));
  };
  sluice::Report report(&raw);
  report.problem(settings["baud"], "too fast");
  report.problem(settings["none"], "missing");
  report.line("not asked for");  // this host knows no `line`
  EXPECT_THAT(heard.at, ::testing::ElementsAre(&all_[1], &root_));
  EXPECT_THAT(heard.texts, ::testing::ElementsAre("too fast", "missing"));
}

}  // namespace
