/* sink_log -- Spark's _spark_metadata log of a file sink (file-source.md 7.2, 7.8, 7.9): read, append, compact. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

struct sink_log_entry {
    const char *path;  /* URI, as in the file. */
    int64_t size, modification_time_ms;
    const char *action; /* "add" or "delete". */
};

/* The live files at the newest batch. */
bool sink_log_files(const char *output, struct arena *arena, struct sink_log_entry **entries, size_t *count, struct error *err) MUST_CHECK;

/* A writer's log, <output>/_spark_metadata, which need not exist yet. It remembers what the folder holds and lists it again
 * only when somebody else has changed it. */
struct sink_log;
struct sink_log *sink_log_open(const char *output);
void sink_log_close(struct sink_log *log); /* NULL is allowed. */

/* Highest batch id, -1 where there is none. */
bool sink_log_latest(struct sink_log *log, int64_t *batch, struct error *err) MUST_CHECK;
/* From now on a compaction leaves out the files that were modified before (Spark's `retention`); 0: none. */
void sink_log_forget(struct sink_log *log, int64_t keep_from_ms);
/* Writes batch `batch` (N, or N.compact when (N+1) %% interval == 0), durable but nameless, so that nobody sees it; and beside it, as
 * nameless, whose it is (JSON: digest, query id), so that a re-publish knows its own work. *existed: the batch stands there already
 * and there is nothing to name. Drops what was written before and has got no name. */
bool sink_log_write(struct sink_log *log, int64_t batch, const struct sink_log_entry *entries, size_t count,
                    const char *query_id, const char *digest, bool *existed, struct error *err) MUST_CHECK;
/* The latter becomes .N.inlet; without the batch nobody looks at it. sink_log_settle makes that name durable. */
bool sink_log_place(struct sink_log *log, struct error *err) MUST_CHECK;
bool sink_log_settle(struct sink_log *log, struct error *err) MUST_CHECK;
/* Then gives the batch its name, never over an existing one (*existed), and makes that durable: now the batch is visible. Old plain files
 * below the last compaction are kept minBatchesToRetain (100) batches. */
bool sink_log_name(struct sink_log *log, bool *existed, struct error *err) MUST_CHECK;
/* What stands for `batch`: *present, and its query id and digest (empty strings: written by somebody else). */
bool sink_log_identity(struct sink_log *log, int64_t batch, struct arena *arena, bool *present, const char **query_id, const char **digest, struct error *err) MUST_CHECK;
