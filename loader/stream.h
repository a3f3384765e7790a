/* stream -- one pipeline at work: recover, discover, plan, run, prepare, publish, commit, clean.
 *
 *            +--------- no batch open <------------------------------------+
 *            | files pending                                               |
 *            v                                                             |
 *   plan(N) durable --run--> staged --prepared(N) durable--> publish --> commit(N) --> clean
 *            ^     file left the plan: replan, run again
 *            +---- crash: discard staging, run the same plan      crash after prepared: publish again, commit
 *
 * One coordinator (the caller's thread) owns the ledger and the sink; workers only run tasks. */
#pragma once
#include "loader/discover.h"
#include "loader/execute.h"
#include "loader/ledger.h"
#include "loader/pipeline.h"

struct stream;

enum stream_goal {
    STREAM_DRAIN,      /* availableNow: what is there when it begins, then end. */
    STREAM_ONE_BATCH,  /* Trigger once: all of it as one batch. */
    STREAM_SERVE       /* Until cancelled, by the pipeline's own trigger. */
};

/* Totals of one run, for the summary and the exit status. */
struct stream_totals {
    int64_t batches, files, rows_in, rows_out, bytes_in, bytes_out;
    int64_t bad_records, dropped_records, surplus_records;
    int64_t failed_files, vanished_files, skipped_files, unsettled_files, pending_files;
    int64_t cleaned_files;
    int64_t last_batch_id;     /* -1: none. */
};

/* What a display on another thread may read at any time. */
struct stream_live {
    struct live_counts counts;          /* Of the running batch. */
    _Atomic int64_t batch_id, batch_files, batch_bytes; /* -1, 0, 0 between batches. */
    _Atomic int64_t total_rows, total_files, total_bytes; /* Of committed batches of this run. */
    _Atomic int64_t pending_files, pending_bytes;
};

/* Opens checkpoint and sink, checks that they belong together. The pipeline is borrowed. */
struct stream *stream_open(const struct pipeline *pipeline, struct inlet_context *context, bool service, struct error *err) MUST_CHECK;
/* Finishes what a crash left open, then runs to its goal. False: *err; totals are filled either way. */
bool stream_run(struct stream *stream, enum stream_goal goal, struct stream_totals *totals, struct error *err) MUST_CHECK;
struct stream_live *stream_live(struct stream *stream);
struct ledger *stream_ledger(struct stream *stream);
void stream_close(struct stream *stream); /* NULL is allowed. */

/* Called by stream_run after each committed batch with its StreamingQueryProgress JSON. */
void stream_on_progress(struct stream *stream, void (*call)(void *user, const char *json), void *user);
