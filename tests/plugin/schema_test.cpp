// SPDX-License-Identifier: Apache-2.0
#include "plugin/schema.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "plugin/abi_settings.hpp"
#include "plugin/descriptor.hpp"

namespace sluice::plugin {
namespace {

using Specs = std::vector<sluice_setting_spec>;

// A value as the configuration reads it from line 42.
Setting given(const std::string& key, Value value) {
  Setting setting;
  setting.key = key;
  setting.place = {"sluice.toml", 42, 1};
  setting.path = "input \"line1\": " + key;
  if (std::holds_alternative<bool>(value)) setting.kind = SettingKind::boolean;
  if (std::holds_alternative<std::int64_t>(value)) setting.kind = SettingKind::integer;
  if (std::holds_alternative<double>(value)) setting.kind = SettingKind::number;
  if (std::holds_alternative<std::string>(value)) setting.kind = SettingKind::string;
  setting.value = std::move(value);
  return setting;
}
Setting given(const std::string& key, const char* text) {
  return given(key, Value(std::string(text)));
}
Setting given(const std::string& key, int number) {
  return given(key, Value(std::int64_t{number}));
}

Setting given(const std::string& key, SettingKind kind, std::vector<Setting> children) {
  Setting setting;
  setting.key = key;
  setting.kind = kind;
  setting.place = {"sluice.toml", 42, 1};
  setting.path = "input \"line1\": " + key;
  setting.children = std::move(children);
  return setting;
}

Setting instance(std::vector<Setting> children) {
  Setting table;
  table.place = {"sluice.toml", 40, 1};
  table.path = "input \"line1\"";
  table.children = std::move(children);
  return table;
}

std::string problems_of(const Specs& specs, std::vector<Setting> children) {
  Problems problems;
  check_settings(instance(std::move(children)), make_library(specs), problems);
  std::string text;
  for (const Problem& problem : problems.all()) text += (text.empty() ? "" : "\n") + to_string(problem);
  return text;
}

Setting checked(const Specs& specs, std::vector<Setting> children) {
  Problems problems;
  Setting table = check_settings(instance(std::move(children)), make_library(specs), problems);
  for (const Problem& problem : problems.all()) ADD_FAILURE() << to_string(problem);
  return table;
}

sluice_setting_spec ranged(const char* name, std::uint32_t type, std::int64_t low, std::int64_t high) {
  sluice_setting_spec spec = make_spec(name, type);
  spec.minimum = whole(low);
  spec.maximum = whole(high);
  return spec;
}

sluice_setting_spec list_of(const char* name, std::uint32_t element) {
  sluice_setting_spec spec = make_spec(name, SLUICE_LIST);
  spec.element_type = element;
  return spec;
}

const std::string here = "sluice.toml:42: input \"line1\": ";

TEST(Schema, NamesPlaceKeyExpectationAndWhatWasGot) {
  const Specs specs = {ranged("baud", SLUICE_INT64, 50, 4'000'000)};
  EXPECT_EQ(problems_of(specs, {given("baud", "fast")}),
            "sluice.toml:42: input \"line1\": baud: expected 50..4000000, got \"fast\"");
  EXPECT_EQ(problems_of(specs, {given("baud", 49)}), here + "baud: expected 50..4000000, got 49");
  EXPECT_EQ(problems_of(specs, {given("baud", Value(9600.5))}),
            here + "baud: expected an integer in 50..4000000, got 9600.5");
  EXPECT_EQ(problems_of(specs, {given("baud", 50)}), "");
  EXPECT_EQ(problems_of(specs, {given("baud", 4'000'000)}), "");
}

TEST(Schema, ChecksEveryType) {
  const auto check = [](std::uint32_t type, Setting value) {
    return problems_of({make_spec("key", type)}, {value});
  };
  EXPECT_EQ(check(SLUICE_BOOL, given("key", "yes")), here + "key: expected true or false, got \"yes\"");
  EXPECT_EQ(check(SLUICE_INT64, given("key", Value(true))), here + "key: expected an integer, got true");
  EXPECT_EQ(check(SLUICE_DOUBLE, given("key", "1,5")), here + "key: expected a number, got \"1,5\"");
  EXPECT_EQ(check(SLUICE_STRING, given("key", 5)), here + "key: expected a string, got 5");
  EXPECT_EQ(check(SLUICE_DURATION, given("key", 5)),
            here + "key: expected a duration such as \"500ms\", got 5");
  EXPECT_EQ(check(SLUICE_DURATION, given("key", "5 parsecs")),
            here + "key: expected a duration such as \"500ms\", got \"5 parsecs\"");
  EXPECT_EQ(check(SLUICE_SIZE, given("key", "5x")),
            here + "key: expected a size such as \"64MiB\", got \"5x\"");
  EXPECT_EQ(check(SLUICE_TABLE, given("key", 5)), here + "key: expected a table, got 5");
  EXPECT_EQ(problems_of({list_of("key", SLUICE_INT64)}, {given("key", 5)}),
            here + "key: expected a list, got 5");
  EXPECT_EQ(check(SLUICE_STRING, given("key", SettingKind::list, {})),
            here + "key: expected a string, got a list");
}

TEST(Schema, ChecksRangesOfEveryType) {
  sluice_setting_spec least = make_spec("key", SLUICE_INT64);
  least.minimum = whole(1);
  EXPECT_EQ(problems_of({least}, {given("key", 0)}), here + "key: expected at least 1, got 0");
  EXPECT_EQ(problems_of({least}, {given("key", "x")}),
            here + "key: expected an integer of at least 1, got \"x\"");
  sluice_setting_spec most = make_spec("key", SLUICE_DOUBLE);
  most.maximum = whole(2);
  EXPECT_EQ(problems_of({most}, {given("key", Value(2.5))}), here + "key: expected at most 2, got 2.5");
  EXPECT_EQ(problems_of({ranged("key", SLUICE_DOUBLE, 0, 1)}, {given("key", Value(std::nan("")))}),
            here + "key: expected 0..1, got nan");
  const sluice_setting_spec wait = ranged("key", SLUICE_DURATION, 10'000'000, 3'600'000'000'000);
  EXPECT_EQ(problems_of({wait}, {given("key", "5ms")}), here + "key: expected 10ms..1h, got \"5ms\"");
  EXPECT_EQ(problems_of({wait}, {given("key", "soon")}),
            here + "key: expected a duration of 10ms..1h, got \"soon\"");
  const sluice_setting_spec room = ranged("key", SLUICE_SIZE, 1024, 1 << 20);
  EXPECT_EQ(problems_of({room}, {given("key", "2MiB")}), here + "key: expected 1KiB..1MiB, got \"2MiB\"");
}

TEST(Schema, ChecksChoicesAndSuggests) {
  const std::vector<sluice_str> choices = {str("none"), str("even"), str("odd")};
  sluice_setting_spec parity = make_spec("parity", SLUICE_STRING);
  parity.choices = array(choices);
  EXPECT_EQ(
      problems_of({parity}, {given("parity", "evn")}),
      here + "parity: expected one of \"none\", \"even\", \"odd\", got \"evn\"; did you mean \"even\"?");
  EXPECT_EQ(problems_of({parity}, {given("parity", "mark")}),
            here + "parity: expected one of \"none\", \"even\", \"odd\", got \"mark\"");
  EXPECT_EQ(problems_of({parity}, {given("parity", 1)}),
            here + "parity: expected one of \"none\", \"even\", \"odd\", got 1");
  EXPECT_EQ(problems_of({parity}, {given("parity", "odd")}), "");
}

TEST(Schema, ChecksListsAndTheirLengths) {
  sluice_setting_spec list = list_of("ids", SLUICE_INT64);
  list.minimum = whole(1);
  list.maximum = whole(2);
  Setting one = given("", 5);
  one.path.clear();
  Setting text = given("", "x");
  text.path.clear();
  EXPECT_EQ(problems_of({list}, {given("ids", SettingKind::list, {})}),
            here + "ids: expected 1..2 elements, got 0");
  EXPECT_EQ(problems_of({list}, {given("ids", SettingKind::list, {one, text})}),
            here + "ids[1]: expected an integer, got \"x\"");
  EXPECT_EQ(problems_of({list}, {given("ids", SettingKind::list, {one, one})}), "");
  list.maximum = {};
  EXPECT_EQ(problems_of({list}, {given("ids", SettingKind::list, {})}),
            here + "ids: expected at least 1 element, got 0");
}

TEST(Schema, ChecksTablesOfTables) {
  const Specs inner = {ranged("address", SLUICE_INT64, 0, 65535), make_spec("scale", SLUICE_DOUBLE, "1.0")};
  sluice_setting_spec tags = list_of("tags", SLUICE_TABLE);
  tags.children = array(inner);
  Setting address = given("address", 70'000);
  Setting typing = given("adress", 1);
  address.path = "input \"line1\": tags[0].address";
  typing.path = "input \"line1\": tags[0].adress";
  EXPECT_EQ(problems_of({tags}, {given("tags", SettingKind::list,
                                       {given("", SettingKind::table, {address, typing})})}),
            here + "tags[0].address: expected 0..65535, got 70000\n" + here +
                "tags[0].adress: unknown setting; did you mean \"address\"?");
  Setting number = given("", 5);
  number.path.clear();
  EXPECT_EQ(problems_of({tags}, {given("tags", SettingKind::list, {number})}),
            here + "tags[0]: expected a table, got 5");
  address.value = std::int64_t{7};
  const Setting table =
      checked({tags}, {given("tags", SettingKind::list, {given("", SettingKind::table, {address})})});
  const Setting* scale = table.find("tags")->children[0].find("scale");
  ASSERT_NE(scale, nullptr);
  EXPECT_EQ(scale->value, Value(1.0));
}

TEST(Schema, RefusesUnknownKeysWithASuggestion) {
  const Specs specs = {make_spec("baud", SLUICE_INT64), make_spec("device", SLUICE_STRING)};
  EXPECT_EQ(problems_of(specs, {given("bauds", 1)}), here + "bauds: unknown setting; did you mean \"baud\"?");
  EXPECT_EQ(problems_of(specs, {given("colour", 1)}),
            here + "colour: unknown setting; there are: baud, device");
  EXPECT_EQ(problems_of({}, {given("colour", 1)}), here + "colour: unknown setting; there are none here");
}

TEST(Schema, NamesRequiredKeysThatAreMissingAtTheTable) {
  sluice_setting_spec device = make_spec("device", SLUICE_STRING);
  device.flags = SLUICE_REQUIRED;
  EXPECT_EQ(problems_of({device}, {}), "sluice.toml:40: input \"line1\": device: missing; expected a string");
}

TEST(Schema, ReportsAllProblemsTogether) {
  const Specs specs = {make_spec("a", SLUICE_INT64), make_spec("b", SLUICE_INT64)};
  EXPECT_EQ(problems_of(specs, {given("a", "x"), given("b", "y"), given("zzz", 1)}),
            here + "a: expected an integer, got \"x\"\n" + here + "b: expected an integer, got \"y\"\n" +
                here + "zzz: unknown setting; there are: a, b");
}

TEST(Schema, NeverShowsSecrets) {
  sluice_setting_spec key = make_spec("key", SLUICE_STRING);
  key.flags = SLUICE_SECRET;
  const std::vector<sluice_str> choices = {str("hunter1")};
  key.choices = array(choices);
  EXPECT_EQ(problems_of({key}, {given("key", "hunter2")}),
            here + "key: expected \"hunter1\", got a string (secret, not shown)");
  sluice_setting_spec pin = ranged("pin", SLUICE_INT64, 0, 9);
  pin.flags = SLUICE_SECRET;
  EXPECT_EQ(problems_of({pin}, {given("pin", 1234)}),
            here + "pin: expected 0..9, got an integer (secret, not shown)");
}

TEST(Schema, GivesThePluginWhatItDeclared) {
  const Specs inner = {make_spec("retries", SLUICE_INT64, "3")};
  sluice_setting_spec table = make_spec("limits", SLUICE_TABLE);
  table.children = array(inner);
  sluice_setting_spec list = list_of("codes", SLUICE_STRING);
  list.default_value = str("[\"a\", 'b']");
  const Specs specs = {make_spec("rate", SLUICE_DOUBLE),
                       make_spec("timeout", SLUICE_DURATION, "500ms"),
                       make_spec("room", SLUICE_SIZE, "64KiB"),
                       make_spec("mode", SLUICE_STRING, "\"x\\ty\""),
                       make_spec("on", SLUICE_BOOL, "true"),
                       make_spec("mask", SLUICE_INT64, "0xff"),
                       make_spec("absent", SLUICE_STRING),
                       table,
                       list};
  const Setting all = checked(specs, {given("rate", 2), given("timeout", "1.5s")});
  EXPECT_EQ(all.find("rate")->value, Value(2.0)) << "an integer stands for a number";
  EXPECT_EQ(all.find("timeout")->value, Value(std::int64_t{1'500'000'000}));
  EXPECT_EQ(all.find("room")->value, Value(std::uint64_t{65536}));
  EXPECT_EQ(all.find("mode")->value, Value(std::string("x\ty")));
  EXPECT_EQ(all.find("on")->value, Value(true));
  EXPECT_EQ(all.find("mask")->value, Value(std::int64_t{255}));
  EXPECT_EQ(all.find("absent"), nullptr);
  EXPECT_EQ(all.find("limits")->find("retries")->value, Value(std::int64_t{3}))
      << "also in a table that is not there";
  ASSERT_EQ(all.find("codes")->children.size(), 2U);
  EXPECT_EQ(all.find("codes")->children[1].value, Value(std::string("b")));
  EXPECT_EQ(all.children[0].key, "rate") << "what is in the file comes first, in its order";
}

TEST(Schema, LeavesOutATableOfWhichSomethingIsRequired) {
  Specs inner = {make_spec("host_name", SLUICE_STRING)};
  inner[0].flags = SLUICE_REQUIRED;
  sluice_setting_spec table = make_spec("proxy", SLUICE_TABLE);
  table.children = array(inner);
  EXPECT_EQ(checked({table}, {}).find("proxy"), nullptr);
  EXPECT_EQ(problems_of({table}, {given("proxy", SettingKind::table, {})}),
            here + "proxy.host_name: missing; expected a string");
}

TEST(AbiSettings, AreTheTreeWithItsPlaces) {
  const Setting table =
      checked({make_spec("rate", SLUICE_DOUBLE), list_of("codes", SLUICE_STRING),
               make_spec("wait", SLUICE_DURATION, "1s")},
              {given("rate", 2), given("codes", SettingKind::list, {given("", "a"), given("", "b")})});
  const AbiSettings settings(table);
  const sluice_setting& root = *settings.root();
  EXPECT_EQ(root.value.type, SLUICE_TABLE);
  ASSERT_EQ(root.children.count, 3U);
  const auto* children = static_cast<const sluice_setting*>(root.children.data);
  const auto view = [](sluice_str text) { return std::string(text.data, text.size); };
  EXPECT_EQ(view(children[0].key), "rate");
  EXPECT_EQ(children[0].value.type, SLUICE_DOUBLE);
  EXPECT_EQ(children[0].value.as.f64, 2.0);
  EXPECT_EQ(view(children[0].place), "sluice.toml:42: input \"line1\": rate");
  const auto* codes = static_cast<const sluice_setting*>(children[1].children.data);
  ASSERT_EQ(children[1].children.count, 2U);
  EXPECT_EQ(codes[1].key.size, 0U);
  EXPECT_EQ(view(codes[1].value.as.text), "b");
  EXPECT_EQ(children[2].value.type, SLUICE_DURATION);
  EXPECT_EQ(children[2].value.as.i64, 1'000'000'000);
  EXPECT_EQ(view(children[2].place), "input \"line1\": wait: default");
}

TEST(Schema, AsksThePluginForItsOwnProblemsAndItsPlan) {
  const Specs specs = {make_spec("rate", SLUICE_DOUBLE, "1.0")};
  sluice_plugin plugin = make_descriptor();
  plugin.settings = array(specs);
  plugin.validate = [](const sluice_setting* settings, const sluice_report* report) -> sluice_status {
    const auto* rate = static_cast<const sluice_setting*>(settings->children.data);
    const sluice_setting copy = *rate;
    report->problem(report->self, rate, SLUICE_STR("too fast"));
    report->problem(report->self, nullptr, SLUICE_STR("nothing to do"));
    report->problem(report->self, &copy, SLUICE_STR("copied"));
    return SLUICE_OK;
  };
  plugin.plan = [](const sluice_setting*, const sluice_report* report) -> sluice_status {
    report->line(report->self, SLUICE_STR("reads 2 registers"));
    return SLUICE_FAILED;
  };
  const Library library(plugin, "test", "sluice-test.so");
  const Setting table = checked(specs, {given("rate", 2)});
  Problems problems;
  validate(library, table, problems);
  ASSERT_EQ(problems.all().size(), 3U);
  EXPECT_EQ(to_string(problems.all()[0]), here + "rate: too fast");
  EXPECT_EQ(to_string(problems.all()[1]), "sluice.toml:40: input \"line1\": nothing to do");
  EXPECT_EQ(to_string(problems.all()[2]), here + "rate: copied");
  Problems of_plan;
  EXPECT_EQ(plan(library, table, of_plan), std::vector<std::string>{"reads 2 registers"});
  ASSERT_EQ(of_plan.all().size(), 1U);
  EXPECT_EQ(to_string(of_plan.all()[0]),
            "sluice.toml:40: input \"line1\": `plan` of plugin \"test\" answered -2");
}

TEST(Schema, DescribesSettingsForPeople) {
  const Specs inner = {ranged("address", SLUICE_INT64, 0, 65535)};
  sluice_setting_spec tags = list_of("tags", SLUICE_TABLE);
  tags.children = array(inner);
  tags.minimum = whole(1);
  tags.flags = SLUICE_REQUIRED;
  sluice_setting_spec wait = make_spec("wait", SLUICE_DURATION, "500ms");
  wait.unit = str("ms");
  wait.help = str("How long.");
  const auto rows = describe_settings(make_library({wait, tags}));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].name, "wait");
  EXPECT_EQ(rows[0].type, "duration");
  EXPECT_EQ(rows[0].unit, "ms");
  EXPECT_EQ(rows[0].default_text, "500ms");
  EXPECT_EQ(rows[0].help, "How long.");
  EXPECT_EQ(rows[1].type, "list of tables");
  EXPECT_EQ(rows[1].range, "at least 1");
  EXPECT_TRUE(rows[1].required);
  EXPECT_EQ(rows[2].name, "tags[].address");
  EXPECT_EQ(rows[2].range, "0..65535");
}

TEST(Schema, ChecksTopicTemplates) {
  const std::vector<sluice_placeholder> placeholders = {{sizeof(sluice_placeholder), str("tag"), {}}};
  sluice_plugin plugin = make_descriptor();
  plugin.placeholders = array(placeholders);
  const Library library(plugin, "test", "sluice-test.so");
  EXPECT_EQ(check_topic_template("{agent}/{input}/{tag}", library), "");
  EXPECT_EQ(check_topic_template("plant/{tags}", library), "unknown placeholder {tags}; did you mean {tag}?");
  EXPECT_EQ(check_topic_template("{colour}", library),
            "unknown placeholder {colour}; there are: {agent}, {input}, {tag}");
  const std::string braces =
      "expected a placeholder in braces, such as {agent}; a topic has no braces of its own here";
  for (const char* text : {"{tag", "tag}", "{{tag}}", "a{b{tag}"}) {
    EXPECT_EQ(check_topic_template(text, library), braces) << text;
  }
  EXPECT_EQ(check_topic_template("", library), "the topic is empty");
  EXPECT_EQ(check_topic_template("a/+/{tag}", library), "the topic has a wildcard");
  EXPECT_EQ(check_topic_template("a/\xff", library), "the topic is not UTF-8");
}

}  // namespace
}  // namespace sluice::plugin
