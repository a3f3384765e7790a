/* context -- what one user of libinlet shares between its streams: budget, cancellation, log, doors.
 *
 * There are no mutable globals: two contexts in one process do not know each other. The library never
 * exits and installs no signal handlers; the command line does. */
#pragma once
#include "base/blocks.h"
#include <stdatomic.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Set once from any thread or signal handler; every blocking call looks at it. */
struct cancel {
    _Atomic int level; /* 0 run on; 1 stop after the batch; 2 stop now. */
};
static inline bool cancel_now(const struct cancel *cancel) { return cancel && atomic_load_explicit(&cancel->level, memory_order_relaxed) >= 2; }
static inline bool cancel_soon(const struct cancel *cancel) { return cancel && atomic_load_explicit(&cancel->level, memory_order_relaxed) >= 1; }

struct inlet_context {
    struct budget *budget;
    struct cancel cancel;
    unsigned thread_count;             /* Workers: processors of the affinity mask and the cgroup's quota; INLET_THREADS sets fewer. */
    enum log_level log_level;
    void (*log_line)(void *user, enum log_level level, const char *event, const char *text); /* NULL: standard error. */
    void *log_user;
    int64_t (*now_us)(void *user);     /* Wall clock, microseconds since 1970; NULL: the system's. */
    void *now_user;
};

void inlet_context_init(struct inlet_context *context);
void inlet_context_fini(struct inlet_context *context);
int64_t context_now_us(const struct inlet_context *context);
/* Stable event name, then key=value text: log_event(ctx, LOG_INFO, "batch.commit", "batch=%llu", ...). Never per row. */
void log_event(const struct inlet_context *context, enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(4, 5);
unsigned processor_count(void); /* Affinity mask, cgroup quota, INLET_THREADS; at least 1. */
