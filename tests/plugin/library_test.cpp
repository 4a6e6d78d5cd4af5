// SPDX-License-Identifier: Apache-2.0
#include "plugin/library.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "plugin/catalogue.hpp"
#include "plugin/descriptor.hpp"

namespace sluice::plugin {
namespace {

namespace fs = std::filesystem;

const fs::path plugins = SLUICE_TEST_PLUGINS;

// Why the plugin is not loaded; empty: it is.
std::string refusal(const fs::path& file) {
  try {
    const Library library(file);
    return {};
  } catch (const LoadError& error) {
    return error.what();
  }
}

std::string refusal(const std::function<void(sluice_plugin&)>& change) {
  sluice_plugin plugin = make_descriptor();
  change(plugin);
  try {
    const Library library(plugin, "test", "sluice-test.so");
    return {};
  } catch (const LoadError& error) {
    return error.what();
  }
}

std::string spec_refusal(const std::function<void(sluice_setting_spec&)>& change) {
  std::vector<sluice_setting_spec> specs = {make_spec("key", SLUICE_INT64)};
  change(specs[0]);
  return refusal([&](sluice_plugin& plugin) { plugin.settings = array(specs); });
}

const char* const used = "sluice-test.so cannot be used: ";

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "sluice-plugin-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(Library, ReadsTheDescriptorOfAPluginInPlainC) {
  const Library library(plugins / "sluice-plain.so");
  EXPECT_EQ(library.name(), "plain");
  EXPECT_EQ(library.version(), "1.2.3");
  EXPECT_EQ(library.summary(), "Plain C.");
  EXPECT_TRUE(library.emits());
  EXPECT_TRUE(library.takes());
  EXPECT_FALSE(library.polled());
  ASSERT_EQ(library.settings().size(), 1U);
  EXPECT_EQ(library.settings()[0].name, "start");
  ASSERT_EQ(library.placeholders().size(), 1U);
  EXPECT_EQ(library.placeholders()[0].name, "tag");
}

TEST(Library, ReadsNothingPastTheEndOfAShorterDescriptor) {
  const Library library(plugins / "sluice-shorter.so");
  EXPECT_EQ(library.descriptor().handle, nullptr);
  EXPECT_EQ(library.descriptor().stop, nullptr);
  EXPECT_NE(library.descriptor().poll, nullptr);
  EXPECT_EQ(library.descriptor().size, sizeof(sluice_plugin));
}

TEST(Library, LoadsALongerDescriptorOfALaterMinorVersion) {
  const Library library(plugins / "sluice-longer.so");
  EXPECT_EQ(library.descriptor().size, sizeof(sluice_plugin));
}

TEST(Library, StepsByTheSizeOfTheElementsOfThePlugin) {
  const Library library(plugins / "sluice-longer.so");
  ASSERT_EQ(library.settings().size(), 2U);
  EXPECT_EQ(library.settings()[0].choices, (std::vector<std::string>{"slow", "fast"}));
  EXPECT_EQ(library.settings()[1].name, "level");
  ASSERT_EQ(library.placeholders().size(), 2U);
  EXPECT_EQ(library.placeholders()[1].name, "second");
}

TEST(Library, RefusesFilesThatAreNoUsablePlugins) {
  const std::string directory = plugins.string() + "/";
  EXPECT_EQ(
      refusal(plugins / "sluice-major.so"),
      directory +
          "sluice-major.so cannot be used: it is made for version 2 of the plugin interface, this agent has "
          "version 1");
  EXPECT_EQ(refusal(plugins / "sluice-tooshort.so"),
            directory + "sluice-tooshort.so cannot be used: its descriptor of 8 bytes is too short");
  EXPECT_EQ(
      refusal(plugins / "sluice-impostor.so"),
      directory + "sluice-impostor.so cannot be used: it calls itself \"somebody\", its file \"impostor\"");
  EXPECT_EQ(refusal(plugins / "sluice-none.so"),
            directory + "sluice-none.so is no sluice plugin: it exports no sluice_plugin_v1");
  const TemporaryDirectory temporary;
  const fs::path text = temporary.path() / "sluice-text.so";
  std::ofstream(text) << std::string(200, 'x');
  EXPECT_NE(refusal(text).find("sluice-text.so does not load: "), std::string::npos) << refusal(text);
  EXPECT_NE(refusal(text).find("invalid ELF header"), std::string::npos) << refusal(text);
  EXPECT_NE(refusal(temporary.path() / "sluice-absent.so").find("does not load"), std::string::npos);
  EXPECT_NE(refusal(temporary.path() / "plain.so").find("is named sluice-NAME.so"), std::string::npos);
}

TEST(Library, RefusesDescriptorsThatBreakTheRules) {
  const std::string start = used;
  EXPECT_EQ(refusal([](sluice_plugin&) {}), "");
  EXPECT_EQ(refusal([](sluice_plugin& p) { p.create = nullptr; }), start + "it has no `create`");
  EXPECT_EQ(refusal([](sluice_plugin& p) { p.destroy = nullptr; }), start + "it has no `destroy`");
  EXPECT_EQ(refusal([](sluice_plugin& p) { p.run = nullptr; }),
            start + "it has 0 of `run`, `poll` and `handle`; exactly one is needed");
  EXPECT_EQ(refusal([](sluice_plugin& p) { p.poll = p.run; }),
            start + "it has 2 of `run`, `poll` and `handle`; exactly one is needed");
  EXPECT_EQ(refusal([](sluice_plugin& p) { p.roles = 0; }),
            start + "it neither emits nor takes messages: `roles` is 0");
  EXPECT_EQ(refusal([](sluice_plugin& p) { p.roles = 5; }),
            start + "its `roles` are 5, of which this agent does not know all");
  EXPECT_EQ(refusal([](sluice_plugin& p) {
              p.poll = p.run;
              p.run = nullptr;
              p.roles = SLUICE_TAKES;
            }),
            start + "it takes messages, but has `poll`: that needs `run` or `handle`");
  EXPECT_EQ(refusal([](sluice_plugin& p) {
              p.run = nullptr;
              p.handle = [](void*, sluice_array, sluice_text*) -> sluice_status { return SLUICE_OK; };
            }),
            start + "it has `handle`, but its `roles` do not say that it takes messages");
  EXPECT_EQ(refusal([](sluice_plugin& p) {
              p.name = {nullptr, 4};
            }),
            start + "`name` is NULL and has a size");
  EXPECT_EQ(refusal([](sluice_plugin& p) { p.summary = str("\xff"); }), start + "`summary` is not UTF-8");
  EXPECT_EQ(refusal([](sluice_plugin& p) {
              p.settings = {&p, 1, 4};
            }),
            start + "`settings` has a stride that is too short");
  EXPECT_EQ(refusal([](sluice_plugin& p) {
              p.settings = {nullptr, 1, 200};
            }),
            start + "`settings` is NULL and has a count");
  EXPECT_EQ(refusal([](sluice_plugin& p) {
              p.settings = {&p, 1, 204};
            }),
            start + "`settings` is not aligned");
}

TEST(Library, RefusesPlaceholdersThatCannotStandInATopic) {
  const auto with = [](std::vector<const char*> names) {
    std::vector<sluice_placeholder> placeholders;
    for (const char* name : names) placeholders.push_back({sizeof(sluice_placeholder), str(name), {}});
    return refusal([&](sluice_plugin& plugin) { plugin.placeholders = array(placeholders); });
  };
  EXPECT_EQ(with({"tag", "unit_1"}), "");
  EXPECT_EQ(with({"Tag"}), std::string(used) + "placeholder \"Tag\": a name has only a-z, 0-9 and '_'");
  EXPECT_EQ(with({"agent"}), std::string(used) + "placeholder \"agent\": this name belongs to the agent");
  EXPECT_EQ(with({"tag", "tag"}), std::string(used) + "placeholder \"tag\" is declared twice");
}

TEST(Library, RefusesNamesOfSettingsThatBelongToTheAgent) {
  for (const char* name : {"plugin", "name", "enabled", "topic", "interval", "publish", "host", "buffer"}) {
    EXPECT_EQ(spec_refusal([&](sluice_setting_spec& spec) { spec.name = str(name); }),
              std::string(used) + "setting \"" + name + "\": this name belongs to the agent");
  }
}

TEST(Library, LetsTablesHaveTheirOwnNames) {
  const std::vector<sluice_setting_spec> inner = {make_spec("name", SLUICE_STRING)};
  EXPECT_EQ(spec_refusal([&](sluice_setting_spec& spec) {
              spec.type = SLUICE_TABLE;
              spec.children = array(inner);
            }),
            "");
}

TEST(Library, RefusesSettingsThatAreDeclaredWrongly) {
  const std::string start = std::string(used) + "setting \"key\": ";
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.type = 77; }),
            start + "`type` is 77, which is not a type of settings");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.type = SLUICE_LIST; }),
            start + "`element_type` is 0, which is not a type of settings");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.type = s.element_type = SLUICE_LIST; }),
            start + "a list of lists cannot be declared");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.flags = 64; }),
            start + "`flags` is 64, of which this agent does not know all");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.default_value = str("\"x\""); }),
            start + "the default is refused: expected an integer, got \"x\"");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.default_value = str("x y"); }),
            start + "the default x y is not a value");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) {
              s.default_value = str("5");
              s.minimum = whole(6);
            }),
            start + "the default is refused: expected at least 6, got 5");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) {
              s.default_value = str("5");
              s.flags = SLUICE_REQUIRED;
            }),
            start + "it is required, and has a default");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) {
              s.type = SLUICE_STRING;
              s.maximum = whole(6);
            }),
            start + "`maximum` is set, but the setting is a string");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.minimum.type = SLUICE_DOUBLE; }),
            start + "`minimum` is of another type than the setting");
  const std::vector<sluice_str> choices = {str("a")};
  EXPECT_EQ(spec_refusal([&](sluice_setting_spec& s) { s.choices = array(choices); }),
            start + "`choices` are for strings only");
  const std::vector<sluice_setting_spec> inner = {make_spec("x", SLUICE_BOOL)};
  EXPECT_EQ(spec_refusal([&](sluice_setting_spec& s) { s.children = array(inner); }),
            start + "`children` are for tables only");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.name = str("a b"); }),
            std::string(used) + "setting \"a b\": a name has only letters, digits, '_' and '-'");
  EXPECT_EQ(spec_refusal([](sluice_setting_spec& s) { s.size = 4; }),
            std::string(used) + "the size of setting 0 is not within its stride");
  EXPECT_NE(spec_refusal([](sluice_setting_spec& s) {
              s.type = SLUICE_TABLE;
              s.children = {&s, 1, sizeof s};
            }).find("tables are nested too deep"),
            std::string::npos);
  const std::vector<sluice_setting_spec> twice = {make_spec("key", SLUICE_BOOL),
                                                  make_spec("key", SLUICE_BOOL)};
  EXPECT_EQ(refusal([&](sluice_plugin& p) { p.settings = array(twice); }),
            std::string(used) + "setting \"key\" is declared twice");
}

TEST(Catalogue, LoadsAPluginOnceAndFindsItOneLevelBelow) {
  Catalogue catalogue({plugins / "absent", plugins.parent_path()});
  const Library& library = catalogue.find("plain");
  EXPECT_EQ(library.file(), plugins / "sluice-plain.so");
  EXPECT_EQ(&catalogue.find("plain"), &library);
}

TEST(Catalogue, NamesTheDirectoriesAndTheNearestPluginWhereOneIsMissing) {
  Catalogue catalogue({"/nowhere", plugins});
  try {
    catalogue.find("plan");
    FAIL();
  } catch (const LoadError& error) {
    EXPECT_EQ(std::string(error.what()), "no plugin \"plan\": there is no sluice-plan.so in /nowhere, " +
                                             plugins.string() + "; did you mean \"plain\"?");
  }
  EXPECT_THROW(catalogue.find("../plain"), LoadError);
  EXPECT_THROW(catalogue.find(""), LoadError);
  try {
    Catalogue({}).find("plain");
    FAIL();
  } catch (const LoadError& error) {
    EXPECT_EQ(std::string(error.what()),
              "no plugin \"plain\": there is no sluice-plain.so in any directory, as `plugin_dirs` is empty");
  }
}

TEST(Catalogue, FindsAPluginThatCameLater) {
  const TemporaryDirectory temporary;
  Catalogue catalogue({temporary.path()});
  EXPECT_THROW(catalogue.find("plain"), LoadError);
  fs::copy(plugins / "sluice-plain.so", temporary.path());
  EXPECT_EQ(catalogue.find("plain").name(), "plain");
}

TEST(Catalogue, ListsWhatLoadsAndWhatDoesNot) {
  Catalogue catalogue({plugins});
  std::map<std::string, Catalogue::Entry> entries;
  std::string before;
  for (const Catalogue::Entry& entry : catalogue.list()) {
    EXPECT_LT(before, entry.name);
    before = entry.name;
    entries[entry.name] = entry;
  }
  ASSERT_TRUE(entries.count("plain") == 1 && entries.count("none") == 1);
  EXPECT_EQ(entries["plain"].library, &catalogue.find("plain"));
  EXPECT_EQ(entries["plain"].error, "");
  EXPECT_EQ(entries["none"].library, nullptr);
  EXPECT_NE(entries["none"].error.find("is no sluice plugin"), std::string::npos);
}

}  // namespace
}  // namespace sluice::plugin
