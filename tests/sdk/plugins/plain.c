/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin in plain C: counts up by `step` at each poll. The README of the SDK shows it. */
#include <sluice/plugin.h>
#include <stdio.h>
#include <stdlib.h>

struct counter {
  const sluice_host* host;
  int64_t step;
  int64_t value;
};

static sluice_status fail(sluice_text* error, const char* why) {
  int length = snprintf(error->data, error->capacity, "%s", why);
  error->used = (size_t)length < error->capacity ? (size_t)length : error->capacity;
  return SLUICE_FAILED;
}

static sluice_status create(const sluice_host* host, const sluice_setting* settings, void** instance,
                            sluice_text* error) {
  struct counter* made = calloc(1, sizeof(*made));
  if (made == NULL) return fail(error, "out of memory");
  made->host = host;
  /* Only `step` is declared, so there is nothing else. Arrays are stepped by stride, never by sizeof. */
  for (size_t i = 0; i < settings->children.count; ++i) {
    const char* at = (const char*)settings->children.data + i * settings->children.stride;
    made->step = ((const sluice_setting*)(const void*)at)->value.as.i64;
  }
  *instance = made;
  return SLUICE_OK;
}

static void destroy(void* instance) { free(instance); }

static sluice_status poll_once(void* instance, sluice_text* error) {
  struct counter* self = instance;
  sluice_sample sample = {.size = sizeof(sample),
                          .name = SLUICE_STR("value"),
                          .value = {.type = SLUICE_INT64, .as.i64 = self->value}};
  sluice_message message = {.size = sizeof(message), .samples = {&sample, 1, sizeof(sample)}};
  sluice_array messages = {&message, 1, sizeof(message)};
  switch (self->host->emit(self->host->self, messages, NULL)) {
    case SLUICE_OK:
      self->value += self->step;
      return SLUICE_OK;
    case SLUICE_INVALID:
      return fail(error, "the agent refused the message: its log says why");
    default: /* full or stopped: the same value again at the next poll */
      return SLUICE_OK;
  }
}

static const sluice_setting_spec settings[] = {{
    .size = sizeof(sluice_setting_spec),
    .name = SLUICE_STR("step"),
    .type = SLUICE_INT64,
    .default_value = SLUICE_STR("1"),
    .minimum = {.type = SLUICE_INT64, .as.i64 = 1},
    .help = SLUICE_STR("What is added at each poll."),
}};

SLUICE_PLUGIN_SYMBOL = {
    .size = sizeof(sluice_plugin),
    .abi_major = SLUICE_ABI_MAJOR,
    .abi_minor = SLUICE_ABI_MINOR,
    .name = SLUICE_STR("plain"),
    .version = SLUICE_STR("1.0.0"),
    .summary = SLUICE_STR("Counts, in C."),
    .settings = {settings, 1, sizeof(settings[0])},
    .roles = SLUICE_EMITS,
    .create = create,
    .destroy = destroy,
    .poll = poll_once,
};
