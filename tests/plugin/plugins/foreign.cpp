// SPDX-License-Identifier: Apache-2.0
// Built by clang with libc++: its strings, vectors and exceptions are not those of the agent.
#include <sluice/plugin.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#ifndef _LIBCPP_VERSION
#error this plugin is to be built with libc++
#endif

namespace {

struct Instance {
  const sluice_host* host;
  int turn = 0;
};

sluice_status create(const sluice_host* host, const sluice_setting*, void** instance, sluice_text*) {
  *instance = new Instance{host};
  return SLUICE_OK;
}
void destroy(void* instance) {
  delete static_cast<Instance*>(instance);
}

sluice_status emit(Instance& self, const std::string& text) {
  std::vector<sluice_sample> samples(1);
  samples[0].size = sizeof(sluice_sample);
  samples[0].name = SLUICE_STR("text");
  samples[0].value.type = SLUICE_STRING;
  samples[0].value.as.text = {text.data(), text.size()};
  sluice_message message{};
  message.size = sizeof message;
  message.samples = {samples.data(), samples.size(), sizeof samples[0]};
  return self.host->emit(self.host->self, {&message, 1, sizeof message}, nullptr);
}

// Emits, fails by an error text, emits, and lets an exception out.
sluice_status poll(void* instance, sluice_text* error) {
  static int turns = 0;
  auto& self = *static_cast<Instance*>(instance);
  switch (turns++) {
    case 0:
      return emit(self, std::string(100, 'x') + " by libc++");
    case 1:
      try {
        throw std::runtime_error("caught inside");
      } catch (const std::exception& caught) {
        error->used = std::strlen(caught.what());
        std::memcpy(error->data, caught.what(), error->used);
        return SLUICE_FAILED;
      }
    case 2:
      throw std::runtime_error("not caught");
    default:
      return emit(self, "still here");
  }
}

sluice_plugin make_plugin() {
  sluice_plugin plugin{};
  plugin.size = sizeof plugin;
  plugin.abi_major = SLUICE_ABI_MAJOR;
  plugin.name = SLUICE_STR("foreign");
  plugin.roles = SLUICE_EMITS;
  plugin.create = create;
  plugin.destroy = destroy;
  plugin.poll = poll;
  return plugin;
}

}  // namespace

SLUICE_PLUGIN_SYMBOL = make_plugin();
