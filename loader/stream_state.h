/* stream_state -- what a stream's own files share: its state, and the steps of a batch. Private to loader/stream*.c. */
#pragma once
#include "base/uri.h"
#include "base/uuid.h"
#include "loader/clean.h"
#include "loader/resolve.h"
#include "loader/retake.h"
#include "loader/stream.h"

#include <time.h>

/* Setting: the first batch that a changed sink got. */
#define SINK_FIRST_BATCH "sink.first_batch"
/* Below the checkpoint: what a sink without a folder stages. */
#define SINK_WORK_FOLDER "work"

enum try_state {
    TRY_NONE,
    TRY_STAGED,                  /* `prepared` is what the ledger is told. */
    TRY_NOT_STAGED,              /* `result` says whether a file is to blame. */
    TRY_FAILED
};

/* One run of plan(N), up to what the ledger is to be told. */
struct batch_try {
    enum try_state state;
    struct arena *arena;         /* Of this run: what one that failed took is given back before the next. */
    struct file_outcome *outcomes; /* One per file. */
    struct execution_result result;
    struct manifest manifest;    /* In the batch arena. */
    struct prepared prepared;
    int64_t took_ms;
    struct error error;          /* Unless it is staged. */
};

struct stream {
    const struct pipeline *pipeline;
    struct inlet_context *context;
    struct arena *arena, *resolve_arena, *batch_arena;
    struct ledger *ledger;
    struct ledger_source source;
    struct discoverer *discoverer;
    struct discovery_report report;
    char run_id[UUID_TEXT_SIZE];

    bool resolved_set;           /* `resolved`, `sink` are open for partition columns `resolved.partition_schema`. */
    bool query_checked;          /* Without files. */
    struct resolved resolved;
    struct sink_spec sink_spec;
    void *sink;                  /* sink_ops->state_size bytes. */

    bool planned_early;          /* `early`: planned in the transaction that admitted its files, and not published yet. */
    struct open_batch early;     /* In the batch arena. */
    struct batch_try try;        /* The last one. Of `early` and staged: the transaction that planned it has prepared it. */

    struct stream_totals totals;
    struct stream_live live;
    int64_t latest_offset_ms, previous_trigger_us, next_clean_us;
    int64_t next_retake_us, next_retry_us; /* When failed files are looked at again: those that changed; all that can be opened. */
    bool has_failed;
    void (*on_progress)(void *user, const char *json);
    void *on_progress_user;
};

int64_t monotonic_ms(void);

/* stream_query.c: the query and the sink for the partition columns of these files; kept while those stay the same. */
bool stream_resolve(struct stream *stream, const struct ledger_input *files, size_t count, struct error *err) MUST_CHECK;
void stream_drop_query(struct stream *stream);
bool stream_is_resolved(struct stream *stream, const struct ledger_input *files, size_t count); /* For these: stream_resolve has nothing to do. */
/* Once, where there is nothing to read: a wrong column or sink is told although no file has come. */
bool stream_check_query(struct stream *stream, struct error *err) MUST_CHECK;

/* stream_batch.c */
bool stream_recover(struct stream *stream, struct error *err) MUST_CHECK; /* Finishes the open batch, if there is one. */
/* What may be pending now; for struct early_plan, whose `user` is the stream. */
struct take_limits stream_limits(const struct stream *stream, int64_t ordinal_end, bool unlimited);
const struct plan *stream_plan_early(void *user, int64_t batch_id, struct ledger_input *files, size_t count);
const struct prepared *stream_run_early(void *user);
/* Publishes or runs the batch that was planned early, or takes, plans and runs one; *ran false: nothing was pending. */
bool stream_next_batch(struct stream *stream, int64_t ordinal_end, bool unlimited, bool *ran, struct error *err) MUST_CHECK;
bool stream_clean(struct stream *stream, struct error *err) MUST_CHECK;
void stream_recut(struct stream *stream, struct plan *plan, const struct ledger_input *files, size_t count); /* Tasks and digest anew. */

/* stream_mend.c: takes what vanished, changed or cannot be read out of the plan. True: run it again. False: the failure stands. */
bool stream_mend_plan(struct stream *stream, struct open_batch *open, const struct execution_result *result, struct error *err) MUST_CHECK;
