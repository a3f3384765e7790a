/* context -- defaults of a context, the log line, and how many processors are ours. */
#include "base/context.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Enough for two workers at their full row groups; more threads get their share on top. */
enum { BUDGET_BASE = 96 << 20, BUDGET_PER_THREAD = 64 << 20 };

void inlet_context_init(struct inlet_context *context)
{
    memset(context, 0, sizeof *context);
    context->thread_count = processor_count();
    context->budget = budget_new(BUDGET_BASE + (size_t)context->thread_count * BUDGET_PER_THREAD);
    context->log_level = LOG_WARN;
}

void inlet_context_fini(struct inlet_context *context)
{
    budget_free(context->budget);
    context->budget = NULL;
}

int64_t context_now_us(const struct inlet_context *context)
{
    if (context && context->now_us) return context->now_us(context->now_user);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void log_event(const struct inlet_context *context, enum log_level level, const char *event, const char *format, ...)
{
    if (!context || level > context->log_level) return;
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 && *at != '\t') *at = ' '; /* One event, one line. */
    if (context->log_line) {
        context->log_line(context->log_user, level, event, text);
        return;
    }
    static const char *const names[] = {"error", "warning", "info", "debug"};
    fprintf(stderr, "inlet: %s: %s: %s\n", names[level], event, text);
}

/* Whole processors of a cgroup quota, or 0 where none is set. */
static unsigned quota_of(const char *path, const char *period_path)
{
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    long long quota = -1, period = 100000;
    int got = fscanf(file, "%lld %lld", &quota, &period); /* v2: "max 100000" gives 0 matches. */
    fclose(file);
    if (got < 1 || quota <= 0) return 0;
    if (got == 1 && period_path) {
        file = fopen(period_path, "re");
        if (file) {
            if (fscanf(file, "%lld", &period) != 1) period = 100000;
            fclose(file);
        }
    }
    if (period <= 0) return 0;
    long long whole = (quota + period - 1) / period;
    return whole < 1 ? 1 : (unsigned)whole;
}

unsigned processor_count(void)
{
    cpu_set_t set;
    unsigned count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = (unsigned)CPU_COUNT(&set);
    unsigned quota = quota_of("/sys/fs/cgroup/cpu.max", NULL);
    if (!quota) quota = quota_of("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (quota && quota < count) count = quota;
    const char *asked = getenv("INLET_THREADS");
    if (asked) {
        long wanted = strtol(asked, NULL, 10);
        if (wanted >= 1 && (unsigned long)wanted < count) count = (unsigned)wanted;
    }
    return count ? count : 1;
}
