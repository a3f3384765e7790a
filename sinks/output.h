/* output -- the rows of a batch on their way into staged data files.
 *
 * Shared by the file sinks, Delta and foreachBatch. Workers fill tasks: per partition, pieces of at most
 * PIECE_BYTES raw, of which a bounded number is open (the largest is finished when there are too many).
 * output_append, one caller at a time and in task order, writes finished pieces to the partition's current file: a
 * file is head + pieces until the next one would pass the target size, + tail, whatever the number of
 * input files was. A bounded number of files is open: the one not used for longest is synced and closed, and
 * opened again when its partition gets more. output_prepare finishes and syncs all of them. */
#pragma once
#include "base/aside.h"
#include "sinks/partition.h"
#include "sinks/staging.h"

struct output_spec {
    const char *root;                    /* The sink's path: absolute, exists when a batch begins. */
    const char *query_id;
    struct inlet_context *context;
    const struct encoder_ops *encoder_ops;
    const struct encoder *encoder;       /* For layout->data_schema. */
    const struct partition_layout *layout;
    int64_t file_bytes_max;              /* Target: a file is closed before a piece would pass it. */
    int64_t file_rows_max;               /* No file has more rows; 0: no limit. */
    uint32_t file_pieces_max;            /* No file has more pieces (Parquet counts row groups in 16 bits); 0: no limit. */
    struct aside *aside;                 /* A second thread for a sync beside another; NULL: none. */
    bool keep_empty;                     /* A batch without rows gives a file if head and tail are not empty (schema, header). */
    /* NULL, or makes of each chunk the one that is written: *out has layout->schema; it may share or borrow what `chunk` has. */
    bool (*adapt)(void *user, const struct chunk *chunk, struct chunk *out, struct error *err);
    /* NULL, or fills manifest_file.detail when a file is complete. */
    void (*describe)(void *user, const struct encoder_file *file, const struct partition_key *key, struct buffer *out);
    void *user;
};

struct output;
struct output *output_new(const struct output_spec *spec); /* Copied; what it points to outlives the output. */
void output_free(struct output *output);

/* Tasks: any thread; one thread at a time each. */
struct sink_task *output_task_new(struct output *output);
bool output_task_add(struct sink_task *task, const struct chunk *chunk, struct error *err) MUST_CHECK;
bool output_task_finish(struct sink_task *task, struct error *err) MUST_CHECK;
size_t output_task_memory(const struct sink_task *task);
void output_task_free(struct sink_task *task);

bool output_begin(struct output *output, const struct batch_identity *batch, struct error *err) MUST_CHECK;
bool output_append(struct output *output, struct sink_task *task, struct error *err) MUST_CHECK;
/* The manifest's strings live in the arena. */
bool output_prepare(struct output *output, struct arena *arena, struct manifest *out, struct error *err) MUST_CHECK;
/* Closes what is open and removes the query's staged files. Once a manifest was given they stay: whether it is durable is
 * for the ledger to know, and the next batch's begin sweeps what nobody wants. */
void output_abort(struct output *output);
