// SPDX-License-Identifier: Apache-2.0
// A plugin that breaks the rule that no exception may leave it: the setting `where` names the function that throws.
// Built three times, with run, poll or handle as its WORK.
#include <poll.h>
#include <sluice/plugin.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace {

struct Instance {
  const sluice_host* host;
  std::string where;
};

std::string_view view(sluice_str text) {
  return {text.data, text.size};
}

std::string where(const sluice_setting* settings) {
  const auto* setting = static_cast<const sluice_setting*>(settings->children.data);
  return std::string(view(setting->value.as.text));
}

void throw_where(std::string_view where, std::string_view here) {
  if (where == here) throw std::runtime_error("thrown by " + std::string(here));
  if (where == std::string(here) + " int") throw 42;
}

sluice_status validate(const sluice_setting* settings, const sluice_report*) {
  throw_where(where(settings), "validate");
  return SLUICE_OK;
}
sluice_status plan(const sluice_setting* settings, const sluice_report*) {
  throw_where(where(settings), "plan");
  return SLUICE_OK;
}
sluice_status create(const sluice_host* host, const sluice_setting* settings, void** instance, sluice_text*) {
  throw_where(where(settings), "create");
  *instance = new Instance{host, where(settings)};
  return SLUICE_OK;
}
void destroy(void* instance) {
  const std::string where = static_cast<Instance*>(instance)->where;
  delete static_cast<Instance*>(instance);
  throw_where(where, "destroy");
}
[[maybe_unused]] sluice_status work(Instance& instance) {
  throw_where(instance.where, "work");
  sluice_sample sample{};
  sample.size = sizeof sample;
  sample.name = SLUICE_STR("value");
  sluice_message message{};
  message.size = sizeof message;
  message.samples = {&sample, 1, sizeof sample};
  instance.host->emit_durable(instance.host->self, {&message, 1, sizeof message}, 5);
  return SLUICE_OK;
}
[[maybe_unused]] sluice_status run(void* instance, sluice_text*) {
  auto& self = *static_cast<Instance*>(instance);
  work(self);
  pollfd fd{self.host->stop_fd, POLLIN, 0};
  ::poll(&fd, 1, -1);
  return SLUICE_OK;
}
[[maybe_unused]] sluice_status poll_once(void* instance, sluice_text*) {
  return work(*static_cast<Instance*>(instance));
}
[[maybe_unused]] sluice_status handle(void* instance, sluice_array, sluice_text*) {
  return work(*static_cast<Instance*>(instance));
}
void stop(void* instance) {
  throw_where(static_cast<Instance*>(instance)->where, "stop");
}
void committed(void* instance, uint64_t, sluice_status) {
  throw_where(static_cast<Instance*>(instance)->where, "committed");
}

sluice_setting_spec make_spec() {
  sluice_setting_spec spec{};
  spec.size = sizeof spec;
  spec.name = SLUICE_STR("where");
  spec.type = SLUICE_STRING;
  spec.flags = SLUICE_REQUIRED;
  return spec;
}
const sluice_setting_spec specs[] = {make_spec()};

sluice_plugin make_plugin() {
  sluice_plugin plugin{};
  plugin.size = sizeof plugin;
  plugin.abi_major = SLUICE_ABI_MAJOR;
  plugin.settings = {specs, 1, sizeof specs[0]};
  plugin.roles = SLUICE_EMITS;
  plugin.validate = validate;
  plugin.plan = plan;
  plugin.create = create;
  plugin.destroy = destroy;
#if defined(WORK_RUN)
  plugin.name = SLUICE_STR("throwing_run");
  plugin.run = run;
#elif defined(WORK_POLL)
  plugin.name = SLUICE_STR("throwing_poll");
  plugin.poll = poll_once;
#else
  plugin.name = SLUICE_STR("throwing_handle");
  plugin.handle = handle;
  plugin.roles = SLUICE_EMITS | SLUICE_TAKES;
#endif
  plugin.stop = stop;
  plugin.committed = committed;
  return plugin;
}

}  // namespace

SLUICE_PLUGIN_SYMBOL = make_plugin();
