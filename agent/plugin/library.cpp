// SPDX-License-Identifier: Apache-2.0
#define BOOST_DLL_USE_STD_FS
#include "plugin/library.hpp"

#include <dlfcn.h>
#include <fmt/core.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cstdint>
#include <utility>

#include "base/utf8.hpp"
#include "plugin/abi.hpp"

namespace sluice::plugin {
namespace {

constexpr const char* symbol = "sluice_plugin_v1";
constexpr std::string_view prefix = "sluice-";

[[noreturn]] void refuse(const std::string& what) {
  throw LoadError(what);
}

std::string text(const sluice_str& span, const char* field) {
  if (!readable(span)) refuse(fmt::format("`{}` is NULL and has a size", field));
  if (!is_utf8(view(span))) refuse(fmt::format("`{}` is not UTF-8", field));
  return std::string(view(span));
}

bool is_placeholder_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::vector<Placeholder> read_placeholders(const sluice_array& array) {
  if (const char* fault = array_fault<sluice_placeholder>(array))
    refuse(fmt::format("`placeholders` {}", fault));
  std::vector<Placeholder> read;
  for (std::size_t i = 0; i < array.count; ++i) {
    sluice_placeholder room;
    const sluice_placeholder* raw = element(array, i, room);
    if (raw == nullptr) refuse(fmt::format("the size of placeholder {} is not within its stride", i));
    Placeholder placeholder{text(raw->name, "placeholders"), text(raw->help, "placeholders")};
    const std::string& name = placeholder.name;
    if (!is_placeholder_name(name)) {
      refuse(fmt::format("placeholder \"{}\": a name has only a-z, 0-9 and '_'", name));
    }
    if (name == "agent" || name == "input") {
      refuse(fmt::format("placeholder \"{}\": this name belongs to the agent", name));
    }
    const auto same = [&](const Placeholder& other) { return other.name == name; };
    if (std::any_of(read.begin(), read.end(), same)) {
      refuse(fmt::format("placeholder \"{}\" is declared twice", name));
    }
    read.push_back(std::move(placeholder));
  }
  return read;
}

void check_functions(const sluice_plugin& plugin) {
  if (plugin.create == nullptr) refuse("it has no `create`");
  if (plugin.destroy == nullptr) refuse("it has no `destroy`");
  const int ways = int{plugin.run != nullptr} + int{plugin.poll != nullptr} + int{plugin.handle != nullptr};
  if (ways != 1) refuse(fmt::format("it has {} of `run`, `poll` and `handle`; exactly one is needed", ways));
}

void check_roles(const sluice_plugin& plugin) {
  constexpr std::uint32_t known = SLUICE_EMITS | SLUICE_TAKES;
  if ((plugin.roles & ~known) != 0) {
    refuse(fmt::format("its `roles` are {}, of which this agent does not know all", plugin.roles));
  }
  if (plugin.roles == 0) refuse("it neither emits nor takes messages: `roles` is 0");
  const bool takes = (plugin.roles & SLUICE_TAKES) != 0;
  if (plugin.handle != nullptr && !takes)
    refuse("it has `handle`, but its `roles` do not say that it takes messages");
  if (plugin.poll != nullptr && takes)
    refuse("it takes messages, but has `poll`: that needs `run` or `handle`");
}

}  // namespace

Library::Library(const std::filesystem::path& file) : file_(std::filesystem::absolute(file)) {
  const std::string stem = file_.stem().string();
  if (file_.extension() != ".so" || stem.size() <= prefix.size() ||
      stem.compare(0, prefix.size(), prefix) != 0) {
    refuse(fmt::format("{}: a plugin's file is named sluice-NAME.so", file_.string()));
  }
  namespace dll = boost::dll;
  // The code is never unloaded (library.hpp), whatever becomes of the handle.
  const auto mode = static_cast<dll::load_mode::type>(static_cast<unsigned>(dll::load_mode::rtld_now) |
                                                      static_cast<unsigned>(dll::load_mode::rtld_local) |
                                                      static_cast<unsigned>(RTLD_NODELETE));
  dll::shared_library library;
  try {
    library.load(file_, mode);
  } catch (const std::exception& error) {
    refuse(fmt::format("{} does not load: {}", file_.string(), error.what()));
  }
  if (!library.has(symbol)) {
    refuse(fmt::format("{} is no sluice plugin: it exports no {}", file_.string(), symbol));
  }
  read(library.get<const sluice_plugin>(symbol), std::string_view(stem).substr(prefix.size()));
}

Library::Library(const sluice_plugin& descriptor, std::string_view name, std::filesystem::path file)
    : file_(std::move(file)) {
  read(descriptor, name);
}

void Library::read(const sluice_plugin& descriptor, std::string_view name) {
  try {
    // Only as much is known to be there as it says itself.
    constexpr std::size_t version_end = offsetof(sluice_plugin, abi_minor) + sizeof(descriptor.abi_minor);
    if (descriptor.size < version_end)
      refuse(fmt::format("its descriptor of {} bytes is too short", descriptor.size));
    if (descriptor.abi_major != SLUICE_ABI_MAJOR) {
      refuse(fmt::format("it is made for version {} of the plugin interface, this agent has version {}",
                         descriptor.abi_major, SLUICE_ABI_MAJOR));
    }
    std::memcpy(&descriptor_, &descriptor, std::min(descriptor.size, sizeof descriptor_));
    descriptor_.size = sizeof descriptor_;
    name_ = text(descriptor_.name, "name");
    if (name_ != name) refuse(fmt::format("it calls itself \"{}\", its file \"{}\"", name_, name));
    version_ = text(descriptor_.version, "version");
    summary_ = text(descriptor_.summary, "summary");
    check_functions(descriptor_);
    check_roles(descriptor_);
    placeholders_ = read_placeholders(descriptor_.placeholders);
    settings_ = read_specs(descriptor_.settings);
  } catch (const LoadError& error) {
    throw LoadError(fmt::format("{} cannot be used: {}", file_.string(), error.what()));
  }
}

}  // namespace sluice::plugin
