/* SPDX-License-Identifier: Apache-2.0
 *
 * The layout of the interface, as plugins in the field have it compiled in. A failure here means that they would break.
 * A struct may grow at its end only: then its size here grows, and everything else stays. Compiled as C and as C++. */
#include <sluice/plugin.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SAME(expression, number) static_assert((expression) == (number), #expression)
#else
#define SAME(expression, number) _Static_assert((expression) == (number), #expression)
#endif

SAME(SLUICE_ABI_MAJOR, 1);
SAME(SLUICE_ABI_MINOR, 0);

/* Numbers that stand in compiled plugins. */
SAME(SLUICE_OK, 0);
SAME(SLUICE_FULL, 1);
SAME(SLUICE_STOPPED, 2);
SAME(SLUICE_TIMEOUT, 3);
SAME(SLUICE_INVALID, -1);
SAME(SLUICE_FAILED, -2);
SAME(SLUICE_NONE, 0);
SAME(SLUICE_BOOL, 1);
SAME(SLUICE_INT64, 2);
SAME(SLUICE_UINT64, 3);
SAME(SLUICE_DOUBLE, 4);
SAME(SLUICE_STRING, 5);
SAME(SLUICE_BYTES, 6);
SAME(SLUICE_DURATION, 7);
SAME(SLUICE_SIZE, 8);
SAME(SLUICE_TABLE, 9);
SAME(SLUICE_LIST, 10);
SAME(SLUICE_GOOD, 0);
SAME(SLUICE_STALE, 1);
SAME(SLUICE_BAD, 2);
SAME(SLUICE_TIME_NOW, 0);
SAME(SLUICE_TIME_DEVICE, 1);
SAME(SLUICE_TIME_HOST_WALL, 2);
SAME(SLUICE_TIME_HOST_MONOTONIC, 3);
SAME(SLUICE_MESSAGE_PAYLOAD, 1u);
SAME(SLUICE_MESSAGE_RETAIN, 2u);
SAME(SLUICE_DONE, 0);
SAME(SLUICE_RETRY, 1);
SAME(SLUICE_REFUSED, 2);
SAME(SLUICE_LOG_TRACE, 0);
SAME(SLUICE_LOG_DEBUG, 1);
SAME(SLUICE_LOG_INFO, 2);
SAME(SLUICE_LOG_WARN, 3);
SAME(SLUICE_LOG_ERROR, 4);
SAME(SLUICE_COUNTER, 1);
SAME(SLUICE_GAUGE, 2);
SAME(SLUICE_HISTOGRAM, 3);
SAME(SLUICE_REQUIRED, 1u);
SAME(SLUICE_SECRET, 2u);
SAME(SLUICE_EMITS, 1u);
SAME(SLUICE_TAKES, 2u);

/* Where a pointer has 64 bits. */
#if UINTPTR_MAX == UINT64_MAX

SAME(sizeof(sluice_str), 16);
SAME(offsetof(sluice_str, data), 0);
SAME(offsetof(sluice_str, size), 8);

SAME(sizeof(sluice_array), 24);
SAME(offsetof(sluice_array, data), 0);
SAME(offsetof(sluice_array, count), 8);
SAME(offsetof(sluice_array, stride), 16);

SAME(sizeof(sluice_text), 32);
SAME(offsetof(sluice_text, data), 8);
SAME(offsetof(sluice_text, capacity), 16);
SAME(offsetof(sluice_text, used), 24);

SAME(sizeof(sluice_value), 24);
SAME(offsetof(sluice_value, type), 0);
SAME(offsetof(sluice_value, as), 8);

SAME(sizeof(sluice_sample), 72);
SAME(offsetof(sluice_sample, name), 8);
SAME(offsetof(sluice_sample, value), 24);
SAME(offsetof(sluice_sample, quality), 48);
SAME(offsetof(sluice_sample, error), 56);

SAME(sizeof(sluice_pair), 40);
SAME(offsetof(sluice_pair, name), 8);
SAME(offsetof(sluice_pair, value), 24);

SAME(sizeof(sluice_message), 192);
SAME(offsetof(sluice_message, flags), 8);
SAME(offsetof(sluice_message, time_kind), 12);
SAME(offsetof(sluice_message, time_ns), 16);
SAME(offsetof(sluice_message, topic), 24);
SAME(offsetof(sluice_message, placeholders), 40);
SAME(offsetof(sluice_message, samples), 64);
SAME(offsetof(sluice_message, payload), 88);
SAME(offsetof(sluice_message, content_type), 104);
SAME(offsetof(sluice_message, response_topic), 120);
SAME(offsetof(sluice_message, correlation_data), 136);
SAME(offsetof(sluice_message, user_properties), 152);
SAME(offsetof(sluice_message, expiry_s), 176);
SAME(offsetof(sluice_message, token), 184);

SAME(sizeof(sluice_completion), 72);
SAME(offsetof(sluice_completion, token), 8);
SAME(offsetof(sluice_completion, outcome), 16);
SAME(offsetof(sluice_completion, retry_after_ns), 24);
SAME(offsetof(sluice_completion, text), 32);
SAME(offsetof(sluice_completion, samples), 48);

SAME(sizeof(sluice_host), 112);
SAME(offsetof(sluice_host, self), 8);
SAME(offsetof(sluice_host, stop_fd), 16);
SAME(offsetof(sluice_host, message_fd), 20);
SAME(offsetof(sluice_host, emit), 24);
SAME(offsetof(sluice_host, emit_durable), 32);
SAME(offsetof(sluice_host, wait_room), 40);
SAME(offsetof(sluice_host, receive), 48);
SAME(offsetof(sluice_host, complete), 56);
SAME(offsetof(sluice_host, log), 64);
SAME(offsetof(sluice_host, metric), 72);
SAME(offsetof(sluice_host, record), 80);
SAME(offsetof(sluice_host, now), 88);
SAME(offsetof(sluice_host, name), 96);

SAME(sizeof(sluice_setting), 88);
SAME(offsetof(sluice_setting, key), 8);
SAME(offsetof(sluice_setting, value), 24);
SAME(offsetof(sluice_setting, children), 48);
SAME(offsetof(sluice_setting, place), 72);

SAME(sizeof(sluice_setting_spec), 184);
SAME(offsetof(sluice_setting_spec, name), 8);
SAME(offsetof(sluice_setting_spec, type), 24);
SAME(offsetof(sluice_setting_spec, element_type), 28);
SAME(offsetof(sluice_setting_spec, flags), 32);
SAME(offsetof(sluice_setting_spec, unit), 40);
SAME(offsetof(sluice_setting_spec, default_value), 56);
SAME(offsetof(sluice_setting_spec, minimum), 72);
SAME(offsetof(sluice_setting_spec, maximum), 96);
SAME(offsetof(sluice_setting_spec, choices), 120);
SAME(offsetof(sluice_setting_spec, help), 144);
SAME(offsetof(sluice_setting_spec, children), 160);

SAME(sizeof(sluice_report), 32);
SAME(offsetof(sluice_report, self), 8);
SAME(offsetof(sluice_report, problem), 16);
SAME(offsetof(sluice_report, line), 24);

SAME(sizeof(sluice_placeholder), 40);
SAME(offsetof(sluice_placeholder, name), 8);
SAME(offsetof(sluice_placeholder, help), 24);

SAME(sizeof(sluice_plugin), 192);
SAME(offsetof(sluice_plugin, abi_major), 8);
SAME(offsetof(sluice_plugin, abi_minor), 12);
SAME(offsetof(sluice_plugin, name), 16);
SAME(offsetof(sluice_plugin, version), 32);
SAME(offsetof(sluice_plugin, summary), 48);
SAME(offsetof(sluice_plugin, settings), 64);
SAME(offsetof(sluice_plugin, placeholders), 88);
SAME(offsetof(sluice_plugin, roles), 112);
SAME(offsetof(sluice_plugin, validate), 120);
SAME(offsetof(sluice_plugin, plan), 128);
SAME(offsetof(sluice_plugin, create), 136);
SAME(offsetof(sluice_plugin, destroy), 144);
SAME(offsetof(sluice_plugin, run), 152);
SAME(offsetof(sluice_plugin, poll), 160);
SAME(offsetof(sluice_plugin, handle), 168);
SAME(offsetof(sluice_plugin, stop), 176);
SAME(offsetof(sluice_plugin, committed), 184);

#endif
