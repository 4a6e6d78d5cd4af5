/* SPDX-License-Identifier: Apache-2.0
 *
 * An input that emits one message and then ignores that it is to stop. */
#include <sluice/plugin.h>
#include <unistd.h>

static sluice_status create(const sluice_host* host, const sluice_setting* settings, void** instance,
                            sluice_text* error) {
  (void)settings;
  (void)error;
  *instance = (void*)host;
  return SLUICE_OK;
}

static void destroy(void* instance) {
  (void)instance;
}

static sluice_status run(void* instance, sluice_text* error) {
  (void)error;
  const sluice_host* host = instance;
  sluice_sample sample = {0};
  sample.size = sizeof sample;
  sample.name = (sluice_str)SLUICE_STR("value");
  sample.value.type = SLUICE_INT64;
  sluice_message message = {0};
  message.size = sizeof message;
  message.time_kind = SLUICE_TIME_HOST_MONOTONIC;
  host->now(host->self, NULL, &message.time_ns);
  message.samples = (sluice_array){&sample, 1, sizeof sample};
  host->emit(host->self, (sluice_array){&message, 1, sizeof message}, NULL);
  for (;;) pause();
  return SLUICE_OK;
}

SLUICE_PLUGIN_SYMBOL = {
    .size = sizeof(sluice_plugin),
    .abi_major = SLUICE_ABI_MAJOR,
    .abi_minor = SLUICE_ABI_MINOR,
    .name = SLUICE_STR("stubborn"),
    .version = SLUICE_STR("1"),
    .summary = SLUICE_STR("Does not stop."),
    .roles = SLUICE_EMITS,
    .create = create,
    .destroy = destroy,
    .run = run,
};
