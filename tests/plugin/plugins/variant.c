/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors of other builds of plugin.h than the agent's, one for each definition of VARIANT_x. */
#include <sluice/plugin.h>
#include <stdlib.h>
#include <string.h>

/* What a later version of plugin.h may look like: every element has grown. */
struct grown_spec {
  sluice_setting_spec spec;
  uint64_t later[3];
};
struct grown_placeholder {
  sluice_placeholder placeholder;
  uint64_t later;
};
struct grown_choice {
  sluice_str choice;
  uint64_t later;
};
struct grown_sample {
  sluice_sample sample;
  uint64_t later[5];
};
struct grown_pair {
  sluice_pair pair;
  uint64_t later;
};
struct grown_message {
  sluice_message message;
  uint64_t later[7];
};

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

static sluice_sample make_sample(const char* name, int64_t value) {
  sluice_sample sample;
  memset(&sample, 0xFF, sizeof sample); /* what lies past `size` must not be read */
  sample.size = offsetof(sluice_sample, quality);
  sample.name.data = name;
  sample.name.size = strlen(name);
  sample.value.type = SLUICE_INT64;
  sample.value.reserved = 0;
  sample.value.as.i64 = value;
  return sample;
}

static sluice_status poll(void* instance, sluice_text* error) {
  const sluice_host* host = instance;
  const struct grown_sample samples[2] = {{make_sample("one", 1), {0}}, {make_sample("two", 2), {0}}};
  const struct grown_pair pairs[2] = {
      {{sizeof(struct grown_pair), SLUICE_STR("first"), SLUICE_STR("a")}, 9},
      {{sizeof(struct grown_pair), SLUICE_STR("second"), SLUICE_STR("b")}, 9}};
  struct grown_message messages[2];
  memset(messages, 0, sizeof messages);
  for (size_t i = 0; i < 2; ++i) {
    messages[i].message.size = sizeof messages[i];
    messages[i].message.placeholders = (sluice_array){pairs, 2, sizeof pairs[0]};
    messages[i].message.samples = (sluice_array){samples, 2, sizeof samples[0]};
    messages[i].later[0] = ~UINT64_C(0);
  }
  (void)error;
  host->emit(host->self, (sluice_array){messages, 2, sizeof messages[0]}, NULL);
  return SLUICE_OK;
}

static const struct grown_choice choices[] = {{SLUICE_STR("slow"), 9}, {SLUICE_STR("fast"), 9}};
static const struct grown_spec settings[] = {
    {{.size = sizeof(struct grown_spec),
      .name = SLUICE_STR("speed"),
      .type = SLUICE_STRING,
      .default_value = SLUICE_STR("\"slow\""),
      .choices = {choices, 2, sizeof choices[0]}},
     {9}},
    {{.size = sizeof(struct grown_spec), .name = SLUICE_STR("level"), .type = SLUICE_DOUBLE}, {9}},
};
static const struct grown_placeholder placeholders[] = {
    {{sizeof(struct grown_placeholder), SLUICE_STR("first"), SLUICE_STR("")}, 9},
    {{sizeof(struct grown_placeholder), SLUICE_STR("second"), SLUICE_STR("")}, 9},
};

/* A function that must never be called: it lies past the end of the descriptor. */
#define NOWHERE ((void (*)(void*))(uintptr_t)0xdead)

struct descriptor {
  sluice_plugin plugin;
  uint64_t later[16];
};

#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
SLUICE_EXPORT const struct descriptor sluice_plugin_v1 = {
    {
        .abi_major = SLUICE_ABI_MAJOR,
        .settings = {settings, 2, sizeof settings[0]},
        .placeholders = {placeholders, 2, sizeof placeholders[0]},
        .roles = SLUICE_EMITS,
        .create = create,
        .destroy = destroy,
        .poll = poll,
#if defined(VARIANT_SHORTER)
        .name = SLUICE_STR("shorter"),
        .size = offsetof(sluice_plugin, handle),
        .handle = (sluice_status(*)(void*, sluice_array, sluice_text*))(uintptr_t)0xdead,
        .stop = NOWHERE,
#elif defined(VARIANT_TOOSHORT)
        .size = sizeof(size_t),
#elif defined(VARIANT_LONGER)
        .name = SLUICE_STR("longer"),
        .size = sizeof(struct descriptor),
        .abi_minor = 99,
#elif defined(VARIANT_MAJOR)
        .name = SLUICE_STR("major"),
        .size = sizeof(sluice_plugin),
        .abi_major = 2,
#elif defined(VARIANT_IMPOSTOR)
        .name = SLUICE_STR("somebody"),
        .size = sizeof(sluice_plugin),
#endif
    },
    {1, 2, 3},
};
