// SPDX-License-Identifier: Apache-2.0
#include "sluice/description.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using sluice::Description;
using sluice::DescriptorStorage;
using sluice::setting;
using sluice::SettingSpec;
using sluice::abi::Array;
using sluice::abi::view;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The specs as the agent reads them, for as long as this lives.
class Declared {
 public:
  explicit Declared(std::vector<SettingSpec> specs)
      : storage_(Description("a", "1.0.0", "b").settings(std::move(specs))),
        specs_(storage_.plugin().settings) {}
  const sluice_setting_spec& operator[](std::size_t index) const { return specs_[index]; }

 private:
  DescriptorStorage storage_;
  Array<sluice_setting_spec> specs_;
};

std::string default_of(SettingSpec spec) {
  return std::string(view(Declared({std::move(spec)})[0].default_value));
}

TEST(SettingSpec, WritesDefaultsAsTheyStandInTheFile) {
  EXPECT_EQ(default_of(setting("a").integer().defaults(-9600)), "-9600");
  EXPECT_EQ(default_of(setting("a").integer().defaults(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(default_of(setting("a").boolean().defaults(false)), "false");
  EXPECT_EQ(default_of(setting("a").number().defaults(0.001)), "0.001");
  EXPECT_EQ(default_of(setting("a").number().defaults(0.0000001)), "1e-07");
  EXPECT_EQ(default_of(setting("a").number().defaults(1.0)), "1.0");
  EXPECT_EQ(default_of(setting("a").number().defaults(100)), "100");
  EXPECT_EQ(default_of(setting("a").string().defaults("none")), "\"none\"");
  EXPECT_EQ(default_of(setting("a").string().defaults("")), "\"\"");
  EXPECT_EQ(default_of(setting("a").string().defaults("\"\\\r\n\t\x01")), "\"\\\"\\\\\\r\\n\\t\\u0001\"");
  EXPECT_EQ(default_of(setting("a").duration().defaults("500ms")), "500ms");
  EXPECT_EQ(default_of(setting("a").duration().defaults(milliseconds(1500))), "1500ms");
  EXPECT_EQ(default_of(setting("a").duration().defaults(hours(2))), "2h");
  EXPECT_EQ(default_of(setting("a").duration().defaults(seconds(0))), "0s");
  EXPECT_EQ(default_of(setting("a").size().defaults("4KiB")), "4KiB");
  EXPECT_EQ(default_of(setting("a").size().defaults(4096)), "4096B");
  EXPECT_EQ(default_of(setting("a").list_of_strings().defaults_as_written("[\"a\"]")), "[\"a\"]");
  EXPECT_EQ(default_of(setting("a").string()), "");
}

TEST(SettingSpec, GivesLimitsTheTypeOfTheSetting) {
  const Declared specs({setting("a").integer().range(50, 4000000), setting("b").number().range(0, 1.5),
                        setting("c").duration().range(milliseconds(1), hours(1)),
                        setting("d").size().at_most(4096), setting("e").list_of_strings().at_least(1)});
  EXPECT_EQ(specs[0].minimum.type, std::uint32_t{SLUICE_INT64});
  EXPECT_EQ(specs[0].minimum.as.i64, 50);
  EXPECT_EQ(specs[0].maximum.as.i64, 4000000);
  EXPECT_EQ(specs[1].minimum.type, std::uint32_t{SLUICE_DOUBLE});
  EXPECT_EQ(specs[1].minimum.as.f64, 0.0);
  EXPECT_EQ(specs[1].maximum.as.f64, 1.5);
  EXPECT_EQ(specs[2].minimum.type, std::uint32_t{SLUICE_DURATION});
  EXPECT_EQ(specs[2].minimum.as.i64, 1'000'000);
  EXPECT_EQ(specs[2].maximum.as.i64, 3'600'000'000'000);
  EXPECT_EQ(specs[3].minimum.type, std::uint32_t{SLUICE_NONE});
  EXPECT_EQ(specs[3].maximum.type, std::uint32_t{SLUICE_SIZE});
  EXPECT_EQ(specs[3].maximum.as.u64, 4096u);
  EXPECT_EQ(specs[4].minimum.type, std::uint32_t{SLUICE_INT64});
  EXPECT_EQ(specs[4].minimum.as.i64, 1);
}

TEST(SettingSpec, DeclaresTypesChoicesAndFlags) {
  const Declared specs({setting("parity").string().choices({"none", "even"}).unit("u").help("Parity."),
                        setting("password").string().required().secret(),
                        setting("tags").list_of_integers()});
  EXPECT_EQ(view(specs[0].name), "parity");
  EXPECT_EQ(specs[0].type, std::uint32_t{SLUICE_STRING});
  EXPECT_EQ(view(specs[0].unit), "u");
  EXPECT_EQ(view(specs[0].help), "Parity.");
  const Array<sluice_str> choices(specs[0].choices);
  ASSERT_EQ(choices.size(), 2u);
  EXPECT_EQ(view(choices[1]), "even");
  EXPECT_EQ(specs[1].flags, SLUICE_REQUIRED | SLUICE_SECRET);
  EXPECT_EQ(specs[2].type, std::uint32_t{SLUICE_LIST});
  EXPECT_EQ(specs[2].element_type, std::uint32_t{SLUICE_INT64});
}

TEST(SettingSpec, NestsTablesAndListsOfTables) {
  const Declared specs({setting("units").list_of_tables(
      {setting("address").integer(), setting("tags").list_of_tables({setting("name").string()}),
       setting("retry").table({setting("times").integer()})})});
  EXPECT_EQ(specs[0].element_type, std::uint32_t{SLUICE_TABLE});
  const Array<sluice_setting_spec> unit(specs[0].children);
  ASSERT_EQ(unit.size(), 3u);
  EXPECT_EQ(view(unit[1].name), "tags");
  EXPECT_EQ(view(Array<sluice_setting_spec>(unit[1].children)[0].name), "name");
  EXPECT_EQ(unit[2].type, std::uint32_t{SLUICE_TABLE});
  EXPECT_EQ(view(Array<sluice_setting_spec>(unit[2].children)[0].name), "times");
}

TEST(Description, BecomesADescriptor) {
  DescriptorStorage storage(
      Description("meter", "2.1.0", "Reads.").emits().takes().placeholder("tag", "its name"));
  const sluice_plugin& plugin = storage.plugin();
  EXPECT_EQ(plugin.size, sizeof(sluice_plugin));
  EXPECT_EQ(plugin.abi_major, SLUICE_ABI_MAJOR);
  EXPECT_EQ(plugin.abi_minor, SLUICE_ABI_MINOR);
  EXPECT_EQ(view(plugin.name), "meter");
  EXPECT_EQ(view(plugin.version), "2.1.0");
  EXPECT_EQ(view(plugin.summary), "Reads.");
  EXPECT_EQ(plugin.roles, SLUICE_EMITS | SLUICE_TAKES);
  const Array<sluice_placeholder> placeholders(plugin.placeholders);
  ASSERT_EQ(placeholders.size(), 1u);
  EXPECT_EQ(view(placeholders[0].name), "tag");
  EXPECT_EQ(view(placeholders[0].help), "its name");
}

}  // namespace
