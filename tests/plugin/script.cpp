// SPDX-License-Identifier: Apache-2.0
#include "plugin/doubles.hpp"

namespace sluice::plugin {
namespace {

Script* current = nullptr;  // set before the threads of an instance start

struct Scripted {
  Script* script;
  const sluice_host* host;
};

Scripted& self(void* instance) {
  return *static_cast<Scripted*>(instance);
}

sluice_status create(const sluice_host* host, const sluice_setting*, void** instance, sluice_text* error) {
  Script& script = *current;
  ++script.created;
  if (script.create) {
    if (const sluice_status status = script.create(*host, *error); status != SLUICE_OK) return status;
  }
  *instance = new Scripted{&script, host};
  return SLUICE_OK;
}
void destroy(void* instance) {
  ++self(instance).script->destroyed;
  delete static_cast<Scripted*>(instance);
}
sluice_status run(void* instance, sluice_text* error) {
  return self(instance).script->run(*self(instance).host, *error);
}
sluice_status poll(void* instance, sluice_text* error) {
  return self(instance).script->poll(*self(instance).host, *error);
}
sluice_status handle(void* instance, sluice_array messages, sluice_text* error) {
  return self(instance).script->handle(*self(instance).host, messages, *error);
}
void stop(void* instance) {
  self(instance).script->stop();
}
void committed(void* instance, std::uint64_t cookie, sluice_status status) {
  self(instance).script->committed(cookie, status);
}

}  // namespace

Library Script::library() {
  current = this;
  sluice_plugin plugin{};
  plugin.size = sizeof plugin;
  plugin.abi_major = SLUICE_ABI_MAJOR;
  plugin.name = SLUICE_STR("scripted");
  plugin.roles = roles;
  plugin.create = sluice::plugin::create;
  plugin.destroy = destroy;
  if (run) plugin.run = sluice::plugin::run;
  if (poll) plugin.poll = sluice::plugin::poll;
  if (handle) plugin.handle = sluice::plugin::handle;
  if (stop) plugin.stop = sluice::plugin::stop;
  if (committed) plugin.committed = sluice::plugin::committed;
  return Library(plugin, "scripted", "scripted");
}

}  // namespace sluice::plugin
