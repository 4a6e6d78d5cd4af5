/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.h by itself, first and last, as C and as every C++: its layout, and each of its macros in use. */
#include <sluice/plugin.h>

#include "layout.h"

static sluice_status create(const sluice_host* host, const sluice_setting* settings, void** instance,
                            sluice_text* error) {
  (void)settings;
  (void)instance;
  (void)error;
  return SLUICE_HAS(host, emit) ? SLUICE_OK : SLUICE_FAILED;
}

static void destroy(void* instance) { (void)instance; }

SLUICE_PLUGIN_SYMBOL = {
    sizeof(sluice_plugin), SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR, SLUICE_STR("a"), SLUICE_STR("1"), SLUICE_STR(""),
    {NULL, 0, 0},          {NULL, 0, 0},     SLUICE_EMITS,     0,               NULL,            NULL,
    create,                destroy,          NULL,             NULL,            NULL,            NULL,
    NULL};

#include <sluice/plugin.h>
