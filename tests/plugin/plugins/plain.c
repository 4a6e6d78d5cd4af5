/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin in plain C that emits and takes messages: it emits one message, then answers each message that it gets
 * with the sample it was sent, and emits it again under its topic. */
#include <sluice/plugin.h>
#include <stdlib.h>
#include <string.h>

struct plain {
  const sluice_host* host;
  int64_t start;
};

static sluice_status fail(sluice_text* error, const char* text) {
  error->used = strlen(text) < error->capacity ? strlen(text) : error->capacity;
  memcpy(error->data, text, error->used);
  return SLUICE_FAILED;
}

static sluice_status create(const sluice_host* host, const sluice_setting* settings, void** instance,
                            sluice_text* error) {
  struct plain* plain = calloc(1, sizeof *plain);
  if (plain == NULL) return fail(error, "no memory");
  plain->host = host;
  const char* at = settings->children.data;
  for (size_t i = 0; i < settings->children.count; ++i, at += settings->children.stride) {
    const sluice_setting* setting = (const sluice_setting*)at;
    if (setting->key.size == 5 && memcmp(setting->key.data, "start", 5) == 0)
      plain->start = setting->value.as.i64;
  }
  *instance = plain;
  return SLUICE_OK;
}

static void destroy(void* instance) {
  free(instance);
}

static sluice_status emit(struct plain* plain, sluice_array samples) {
  const sluice_pair pair = {sizeof pair, SLUICE_STR("tag"), SLUICE_STR("a/b")};
  sluice_message message = {0};
  message.size = sizeof message;
  message.time_kind = SLUICE_TIME_HOST_MONOTONIC;
  plain->host->now(plain->host->self, NULL, &message.time_ns);
  message.placeholders = (sluice_array){&pair, 1, sizeof pair};
  message.samples = samples;
  return plain->host->emit(plain->host->self, (sluice_array){&message, 1, sizeof message}, NULL);
}

static sluice_status run(void* instance, sluice_text* error) {
  struct plain* plain = instance;
  const sluice_host* host = plain->host;
  sluice_sample sample = {0};
  sample.size = sizeof sample;
  sample.name = (sluice_str)SLUICE_STR("start");
  sample.value.type = SLUICE_INT64;
  sample.value.as.i64 = plain->start;
  if (emit(plain, (sluice_array){&sample, 1, sizeof sample}) != SLUICE_OK) return fail(error, "emit");
  for (;;) {
    const sluice_message* message = NULL;
    size_t count = 0;
    const sluice_status status = host->receive(host->self, &message, 1, &count, -1);
    if (status == SLUICE_STOPPED) return SLUICE_OK;
    if (status != SLUICE_OK) return fail(error, "receive");
    if (emit(plain, message->samples) != SLUICE_OK) return fail(error, "emit");
    sluice_completion completion = {0};
    completion.size = sizeof completion;
    completion.token = message->token;
    completion.outcome = SLUICE_DONE;
    completion.samples = message->samples;
    if (host->complete(host->self, &completion) != SLUICE_OK) return fail(error, "complete");
  }
}

static const sluice_setting_spec settings[] = {
    {.size = sizeof(sluice_setting_spec),
     .name = SLUICE_STR("start"),
     .type = SLUICE_INT64,
     .default_value = SLUICE_STR("7"),
     .help = SLUICE_STR("The first value.")},
};
static const sluice_placeholder placeholders[] = {
    {sizeof(sluice_placeholder), SLUICE_STR("tag"), SLUICE_STR("the tag")},
};

SLUICE_PLUGIN_SYMBOL = {
    .size = sizeof(sluice_plugin),
    .abi_major = SLUICE_ABI_MAJOR,
    .abi_minor = SLUICE_ABI_MINOR,
    .name = SLUICE_STR("plain"),
    .version = SLUICE_STR("1.2.3"),
    .summary = SLUICE_STR("Plain C."),
    .settings = {settings, 1, sizeof settings[0]},
    .placeholders = {placeholders, 1, sizeof placeholders[0]},
    .roles = SLUICE_EMITS | SLUICE_TAKES,
    .create = create,
    .destroy = destroy,
    .run = run,
};
