/* cli -- what the verbs share: arguments, pipelines by name, output as text or JSON. */
#pragma once
#include "base/context.h"
#include "base/json_print.h"
#include "loader/ledger.h"
#include "loader/pipeline.h"

struct flag {
    const char *name;          /* Without the dashes. */
    char letter;               /* 0: none. */
    const char *value_name;    /* NULL: takes no value. */
    const char *help;
};

struct arguments {
    const struct verb *verb;
    const char **words;        /* Positional ones. */
    size_t word_count;
    const char *values[16];    /* One per row of verb->flags: its value, "" for a flag without one, NULL: not given. */
    bool json, quiet, verbose;
    struct arena *arena;
    struct inlet_context *context;
};

struct verb {
    const char *name, *synopsis, *summary, *help;
    const struct flag *flags;  /* Ended by a NULL name; NULL: none of its own. */
    int (*run)(struct arguments *arguments);
};

extern const struct verb run_verb, once_verb, check_verb, plan_verb, status_verb, files_verb, why_verb, history_verb, show_verb,
    retry_verb, stop_verb, options_verb, fsck_verb;

const char *flag_value(const struct arguments *arguments, const char *name); /* NULL: not given. */
bool flag_int(const struct arguments *arguments, const char *name, int64_t otherwise, int64_t *out); /* False: complained. */

/* Prints the error to standard error and gives its exit status. */
int fail_with(const struct error *err);
int usage_error(const struct arguments *arguments, const char *format, ...) PRINTF_LIKE(2, 3);
void print_buffer(struct buffer *out); /* To standard output; frees it. */

/* Where a question goes: a pipeline file, or a bare checkpoint folder. */
struct target {
    const struct pipeline *pipeline; /* NULL: only a checkpoint was named. */
    const char *checkpoint;
    const char *name;
};

/* Settings of a ledger: why its last run failed, and when. */
#define FAILURE_SETTING "run.failure"
#define FAILURE_TIME_SETTING "run.failure_us"

/* A file, or the pipeline files (*.yaml, *.yml, *.json with a writeStream) of a folder, sorted. */
bool expand_pipelines(struct arena *arena, const char *word, const char ***files, size_t *count, struct error *err) MUST_CHECK;
/* The targets that words name; none: the pipeline files of the current folder. */
bool find_targets(struct arguments *arguments, const char **words, size_t count, struct target **targets, size_t *target_count, struct error *err) MUST_CHECK;
void print_warnings(const struct pipeline *pipeline);
bool has_ending(const char *name, const char *ending);

/* The file that a word names: a path, absolute or from the current folder, or a file: URI as `_metadata.file_path` gives it. */
struct place {
    const char *path, *directory, *name;
};
struct place place_of(struct arguments *arguments, const char *word);

/* cli/signals.c: the first SIGTERM or SIGINT stops after the batch, the second at once. */
void signals_install(struct inlet_context *context);
/* The work is done and its exit status stands; the context goes. A third signal still ends what remains. */
void signals_done(void);
void stop_softly(struct inlet_context *context); /* As the first signal does; nothing where one came. Any thread. */
/* systemd's notification protocol: "READY=1", "STOPPING=1"; nothing without NOTIFY_SOCKET. */
void notify_systemd(const char *state);

/* cli/text.c: for people. */
void put_padded(struct buffer *out, const char *text, size_t width, bool right);
void put_size(struct buffer *out, int64_t bytes);       /* "1.2 GB" */
void put_count(struct buffer *out, int64_t count);       /* "1,234,567" */
void put_local_time(struct buffer *out, int64_t utc_us); /* "2026-11-22 18:15:03", or "-" */
void put_safe_text(struct buffer *out, const char *text); /* Control characters escaped. */
