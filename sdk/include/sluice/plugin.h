/* SPDX-License-Identifier: Apache-2.0
 *
 * The boundary between the sluice agent and its plugins: a C11 interface that needs libc only.
 * C++ authors write against <sluice/plugin.hpp>, which is made of this and nothing else.
 *
 * A plugin is a shared library that exports one data symbol, `sluice_plugin_v1`, of type sluice_plugin.
 *
 * Rules that hold for everything below
 *   Growth     Every struct but the spans (sluice_str, sluice_array) and sluice_value starts with its size,
 *              set by whoever fills it in. What lies past that size reads as zero, and zero always means
 *              what the first version did. A function that came later is asked for with SLUICE_HAS before
 *              it is called. Arrays carry the size of their elements: step by `stride`, never by sizeof.
 *              Unknown enumeration values are refused with SLUICE_INVALID.
 *   Ownership  Spans are borrowed for the duration of the call that passes them; nothing crosses to be freed.
 *              Text that goes back is written into a sluice_text, whose buffer belongs to the caller.
 *   Threads    Each function says by which thread it may be called:
 *              [load]      the agent's main thread, before any instance runs; no input or output is allowed
 *              [instance]  the thread that belongs to one instance, one call at a time
 *              [any]       every thread, at any moment between create and destroy
 *              The agent blocks all signals in the threads that it gives to plugins.
 *   Failure    No C++ exception may leave a function of the plugin. None ever enters through the host.
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_ABI_MAJOR 1u
#define SLUICE_ABI_MINOR 0u

/* ---- Basic types ------------------------------------------------------------------------------------- */

/* Text (UTF-8 unless stated otherwise) or bytes; not terminated by a zero; data may be NULL where size is 0. */
typedef struct sluice_str {
  const char* data;
  size_t size;
} sluice_str;

/* `count` elements that lie `stride` bytes apart. */
typedef struct sluice_array {
  const void* data;
  size_t count;
  size_t stride;
} sluice_array;

/* A buffer of the caller's for text that goes back: at most `capacity` bytes, the length goes to `used`.
 * Longer text is cut. */
typedef struct sluice_text {
  size_t size;
  char* data;
  size_t capacity;
  size_t used;
} sluice_text;

/* What calls answer. Negative values are failures of the call, positive ones are expected outcomes. */
typedef int32_t sluice_status;
enum {
  SLUICE_OK = 0,
  SLUICE_FULL = 1,      /* no room now: try again later, nothing was taken */
  SLUICE_STOPPED = 2,   /* the instance is to end */
  SLUICE_TIMEOUT = 3,   /* nothing happened in time */
  SLUICE_INVALID = -1,  /* an argument breaks a rule of this file; nothing was taken; the agent logs which */
  SLUICE_FAILED = -2    /* it did not work; the text says why */
};

enum {
  SLUICE_NONE = 0, /* no value */
  SLUICE_BOOL = 1,
  SLUICE_INT64 = 2,
  SLUICE_UINT64 = 3,
  SLUICE_DOUBLE = 4,
  SLUICE_STRING = 5, /* text; the agent escapes and marks what is not UTF-8 */
  SLUICE_BYTES = 6,
  /* in settings only */
  SLUICE_DURATION = 7, /* as.i64, ns, never negative */
  SLUICE_SIZE = 8,     /* as.u64, bytes */
  SLUICE_TABLE = 9,
  SLUICE_LIST = 10
};

/* The layout is fixed for ever: 24 bytes on a 64-bit machine. */
typedef struct sluice_value {
  uint32_t type;
  uint32_t reserved; /* 0 */
  union {
    int32_t boolean; /* 0 or 1 */
    int64_t i64;
    uint64_t u64;
    double f64;
    sluice_str text; /* SLUICE_STRING, SLUICE_BYTES */
  } as;
} sluice_value;

/* ---- Messages ---------------------------------------------------------------------------------------- */

enum { SLUICE_GOOD = 0, SLUICE_STALE = 1, SLUICE_BAD = 2 };

typedef struct sluice_sample {
  size_t size;
  /* One of a message, or each different. Never ts, quality, error, encoding, id, replayed, time. */
  sluice_str name;
  sluice_value value;
  uint32_t quality;
  uint32_t reserved;
  sluice_str error; /* why the quality is not good */
} sluice_sample;

/* A placeholder of a topic, or a user property. */
typedef struct sluice_pair {
  size_t size;
  sluice_str name;
  sluice_str value;
} sluice_pair;

enum {
  SLUICE_TIME_NOW = 0,            /* the host's clock when the message is emitted */
  SLUICE_TIME_DEVICE = 1,         /* ns since 1970 UTC by the device's own clock: never corrected */
  SLUICE_TIME_HOST_WALL = 2,      /* ns since 1970 UTC by the host's clock */
  SLUICE_TIME_HOST_MONOTONIC = 3  /* ns of CLOCK_MONOTONIC: the best choice, it survives clock steps */
};

enum {
  SLUICE_MESSAGE_PAYLOAD = 1u, /* the body is `payload`, also when it is empty; without it, `samples` */
  SLUICE_MESSAGE_RETAIN = 2u
};

/* A message, emitted by an instance or handed to one. */
typedef struct sluice_message {
  size_t size;
  uint32_t flags;
  uint32_t time_kind;
  int64_t time_ns;
  sluice_str topic;          /* emitted: empty = the instance's `topic` setting with the placeholders filled in */
  sluice_array placeholders; /* sluice_pair: the values of what the descriptor declares */
  sluice_array samples;      /* sluice_sample */
  sluice_str payload;
  sluice_str content_type;
  sluice_str response_topic;
  sluice_str correlation_data;
  sluice_array user_properties; /* sluice_pair */
  uint32_t expiry_s;            /* 0 = none */
  uint32_t reserved;
  uint64_t token; /* handed to an instance: names the message in complete(); emitted: 0 */
} sluice_message;

/* How an instance answers a message that it was handed. */
enum {
  SLUICE_DONE = 0,   /* handled; samples, if any, are the result */
  SLUICE_RETRY = 1,  /* not now: hand it out again after `retry_after_ns` */
  SLUICE_REFUSED = 2 /* never: `text` says why */
};

typedef struct sluice_completion {
  size_t size;
  uint64_t token;
  uint32_t outcome;
  uint32_t reserved;
  int64_t retry_after_ns;
  sluice_str text;
  sluice_array samples; /* sluice_sample: sent to the response topic, where the message has one */
} sluice_completion;

/* ---- The host, as an instance sees it ---------------------------------------------------------------- */

enum {
  SLUICE_LOG_TRACE = 0,
  SLUICE_LOG_DEBUG = 1,
  SLUICE_LOG_INFO = 2,
  SLUICE_LOG_WARN = 3,
  SLUICE_LOG_ERROR = 4
};

enum { SLUICE_COUNTER = 1, SLUICE_GAUGE = 2, SLUICE_HISTOGRAM = 3 };

typedef struct sluice_metric sluice_metric; /* opaque; lives as long as the process */

/* Valid from create until destroy has returned; of an instance that was abandoned because it did not stop, for
 * ever. After stop, emit answers SLUICE_STOPPED. `self` is passed back as the first argument of each function. */
typedef struct sluice_host {
  size_t size;
  void* self;
  int stop_fd;    /* poll(2) says readable once the instance is to end; do not read from it */
  int message_fd; /* poll(2) says readable while messages wait for receive; -1 where none can come */

  /* [any] Hands over `messages` (sluice_message). Never blocks. `accepted` (may be NULL) is set to how many,
   * counted from the first, were taken: all with SLUICE_OK. FULL: the agent's memory for messages on their way is used
   * up. INVALID: the message at index `accepted` breaks a rule. */
  sluice_status (*emit)(void* self, sluice_array messages, size_t* accepted);

  /* [any] The same, answered once by the descriptor's `committed` with this cookie, when all durable destinations
   * of all these messages have committed them to disk, or delivered them. All are taken, or none. */
  sluice_status (*emit_durable)(void* self, sluice_array messages, uint64_t cookie);

  /* [any] Waits until emit has room again: OK, TIMEOUT or STOPPED. A negative time waits without limit. */
  sluice_status (*wait_room)(void* self, int64_t timeout_ns);

  /* [instance] The next messages for this instance: at most `capacity` pointers are written to `messages`, borrowed
   * until the next receive, though a token stays valid until complete. OK (at least one), TIMEOUT or STOPPED. A
   * negative time waits without limit, 0 not at all. For instances with `run`. */
  sluice_status (*receive)(void* self, const sluice_message** messages, size_t capacity, size_t* count,
                           int64_t timeout_ns);

  /* [any] Answers a message that was handed out, once, in any order. An answer that comes after the time limit of
   * the agent is counted and ignored. INVALID: a token that is not outstanding. */
  sluice_status (*complete)(void* self, const sluice_completion* completion);

  /* [any] One line in the agent's log, marked with the instance's name. */
  void (*log)(void* self, int32_t level, sluice_str text);

  /* [any] The metric of this instance with this name ([a-z0-9_]+), made at the first call; NULL for an unknown kind
   * or a bad name. Counters go on by name when an instance is created anew. */
  sluice_metric* (*metric)(void* self, uint32_t kind, sluice_str name);
  /* [any] Counter: adds `value` (>= 0). Gauge: sets it. Histogram: records it (in seconds, where it is a time). */
  void (*record)(void* self, sluice_metric* metric, double value);

  /* [any] The host's clocks, ns: CLOCK_REALTIME since 1970 UTC, and CLOCK_MONOTONIC. */
  void (*now)(void* self, int64_t* wall_ns, int64_t* monotonic_ns);

  /* The instance's name in the configuration. */
  sluice_str name;
} sluice_host;

/* ---- Settings ---------------------------------------------------------------------------------------- */

/* One setting of an instance, as the host read and checked it: types, ranges, choices and required keys are right,
 * defaults filled in, secrets resolved. Borrowed for the call. */
typedef struct sluice_setting {
  size_t size;
  sluice_str key; /* empty for an element of a list */
  sluice_value value;
  sluice_array children; /* sluice_setting: of a table or a list, in the order of the file */
  sluice_str place;      /* "sluice.toml:42: input \"line1\": baud", or what names a default */
} sluice_setting;

enum {
  SLUICE_REQUIRED = 1u,
  SLUICE_SECRET = 2u /* never printed or logged */
};

/* What a plugin declares of one setting. The agent checks the file against it, and `sluice plugins NAME` prints it. */
typedef struct sluice_setting_spec {
  size_t size;
  sluice_str name;
  uint32_t type;         /* SLUICE_BOOL, INT64, DOUBLE, STRING, DURATION, SIZE, TABLE, LIST */
  uint32_t element_type; /* of a list; SLUICE_TABLE: each element is made of `children` */
  uint32_t flags;
  uint32_t reserved;
  sluice_str unit;          /* "ms", "Bd"; empty = none */
  sluice_str default_value; /* as it would stand in the file ("9600", "\"none\"", "500ms"); empty = none */
  sluice_value minimum;     /* DURATION in ns, SIZE in bytes; of type SLUICE_NONE = no limit; for a list, its length */
  sluice_value maximum;
  sluice_array choices; /* sluice_str: a string must be one of them */
  sluice_str help;      /* one sentence */
  sluice_array children; /* sluice_setting_spec: of a table, or of the tables of a list */
} sluice_setting_spec;

/* Where validate and plan say what they found. */
typedef struct sluice_report {
  size_t size;
  void* self;
  /* A setting that cannot work, and what would; the agent adds the place. All problems, not only the first. */
  void (*problem)(void* self, const sluice_setting* at, sluice_str text);
  /* A line of the plan. */
  void (*line)(void* self, sluice_str text);
} sluice_report;

/* ---- The plugin -------------------------------------------------------------------------------------- */

enum {
  SLUICE_EMITS = 1u, /* may stand under [[input]] */
  SLUICE_TAKES = 2u  /* may stand under [[output]], or in `to` of a route */
};

typedef struct sluice_placeholder {
  size_t size;
  sluice_str name; /* [a-z0-9_]+, without braces */
  sluice_str help;
} sluice_placeholder;

/* The life of an instance: create - (run | poll... | handle...) - stop - destroy. An instance that answers SLUICE_FAILED
 * from create, run, poll or handle is destroyed and, after a back-off, created anew: do not write reconnection code.
 * Exactly one of run, poll and handle is set. `error` receives the reason of a failure. */
typedef struct sluice_plugin {
  size_t size;
  uint32_t abi_major; /* SLUICE_ABI_MAJOR */
  uint32_t abi_minor; /* SLUICE_ABI_MINOR */
  sluice_str name;    /* as in `plugin = "NAME"` and sluice-NAME.so */
  sluice_str version;
  sluice_str summary;     /* one sentence */
  sluice_array settings;  /* sluice_setting_spec; not plugin, name, enabled, topic, interval, publish, host, buffer */
  sluice_array placeholders; /* sluice_placeholder */
  uint32_t roles;
  uint32_t reserved;

  /* [load] Optional: what types and ranges cannot say. SLUICE_OK, also with problems reported. */
  sluice_status (*validate)(const sluice_setting* settings, const sluice_report* report);
  /* [load] Optional: what the instance will do, such as the requests of a cycle, for `sluice check`. */
  sluice_status (*plan)(const sluice_setting* settings, const sluice_report* report);

  /* [instance] Makes an instance. Opens no device: run, poll and handle do that. `host` stays valid. */
  sluice_status (*create)(const sluice_host* host, const sluice_setting* settings, void** instance,
                          sluice_text* error);
  /* [instance] After the last call; never while another is under way. */
  void (*destroy)(void* instance);

  /* [instance] Works until stop_fd is readable, then answers SLUICE_OK. An early SLUICE_OK ends the instance for good. */
  sluice_status (*run)(void* instance, sluice_text* error);
  /* [instance] Called every `interval`; a call that takes longer delays the next and is counted as an overrun. */
  sluice_status (*poll)(void* instance, sluice_text* error);
  /* [instance] Takes messages (sluice_message, borrowed for the call). Each is answered by complete(), at once or later. */
  sluice_status (*handle)(void* instance, sluice_array messages, sluice_text* error);

  /* [any] Optional: comes once, from another thread, after stop_fd became readable; may not block. */
  void (*stop)(void* instance);
  /* [any] Answers emit_durable; may not block. status: OK, or STOPPED when the agent ended first. */
  void (*committed)(void* instance, uint64_t cookie, sluice_status status);
} sluice_plugin;

/* Is `field` there, and set, in the struct that `pointer` points to? */
#define SLUICE_HAS(pointer, field)                                                                     \
  ((pointer)->size >= (size_t)((const char*)&(pointer)->field - (const char*)(pointer)) +              \
                          sizeof((pointer)->field) &&                                                  \
   (pointer)->field)

#if defined(__GNUC__) || defined(__clang__)
#define SLUICE_EXPORT __attribute__((visibility("default")))
#else
#define SLUICE_EXPORT
#endif

/* The name and type of the exported symbol. */
#ifdef __cplusplus
#define SLUICE_PLUGIN_SYMBOL extern "C" SLUICE_EXPORT const sluice_plugin sluice_plugin_v1
#else
#define SLUICE_PLUGIN_SYMBOL SLUICE_EXPORT const sluice_plugin sluice_plugin_v1
#endif

#define SLUICE_STR(literal) {(literal), sizeof(literal) - 1}

#ifdef __cplusplus
}
#endif

#endif
