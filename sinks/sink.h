/* sink -- what every sink can do.
 *
 * One batch: stage_begin; any number of tasks on any threads (task_new, task_add..., task_finish); the coordinator
 * hands finished tasks to stage_append in task order; prepare makes everything durable under staging
 * names and gives the manifest; publish makes the batch visible from the manifest alone, any number of times (L3).
 * abort drops what was staged. Sinks with staged == false (foreachBatch, console) do their work in publish from what
 * stage_append spooled, and are run again after a crash: at least once. */
#pragma once
#include "base/session.h"
#include "columns/chunk.h"
#include "formats/format.h"

struct sink_spec {
    const char *path;                     /* start: absolute; NULL for sinks without one. */
    const struct type *schema;            /* STRUCT: all output columns, partition columns too, in query order. */
    const char *const *partition_by; size_t partition_count; /* As the user wrote them. */
    const struct options *options;
    const struct session *session;
    struct inlet_context *context;
    const char *query_id, *query_name;    /* UUID text. */
    const char *base_dir;                 /* The pipeline file's folder. */
    const char *work_dir;                 /* Scratch folder below the checkpoint, absolute; created by the sink that needs it (foreachBatch). */
    const char *const *command;           /* foreachBatch: argv, NULL-terminated. */
    bool first_use;                       /* The checkpoint has not written to this path before: an empty log is right, whatever the batch. */
};

struct batch_identity {
    int64_t batch_id;
    const char *plan_digest;              /* Text. */
    int64_t batch_time_us;
};

/* One staged file. Stored in the ledger with prepared(N); all that publish may use. */
struct manifest_file {
    const char *staged;                   /* Relative to the sink's path, below _inlet/. */
    const char *final_name;               /* Relative to the sink's path. */
    int64_t size, rows, mtime_ms;
    const char *detail;                   /* Sink's own text (Delta: partition values and stats as JSON), or "". */
};

struct manifest {
    struct manifest_file *files;
    size_t count;
    int64_t rows;                         /* Re-counted from the finished files (L6). */
    int64_t bytes;
    const char *detail;                   /* Sink's own text (Delta: schema change of this batch), or "". */
};

enum sink_state {
    SINK_AT_BATCH_BEFORE, /* The sink's log ends right before this batch (or is empty and this is batch 0, or first_use). */
    SINK_HAS_BATCH,       /* This batch stands in the sink with our query id and this digest. */
    SINK_FOREIGN          /* Anything else; *err says what was found (INLET_SINK_MISMATCH). */
};

struct sink_task;

struct sink_ops {
    const char *name;                     /* As in format("delta"). */
    const struct option_spec *options;    /* The sink's own. */
    const char *encoder;                  /* encoder_find(encoder)->options belong to the sink too; NULL: none. */
    size_t state_size;                    /* The caller allocates it, zeroed. */
    bool staged;                          /* Exactly once. */
    bool needs_path;
    bool utf8_only;                       /* Readers refuse a whole file for a text in it that is no UTF-8. */
    bool layout_untold;                   /* Nothing in the output says which its partition columns are: the checkpoint holds them. */
    const char *later;                    /* Not NULL: refused by name. */
    bool (*check)(const struct sink_spec *spec, struct error *err);        /* Types, partition columns, options; touches nothing. */
    bool (*open)(void *state, const struct sink_spec *spec, struct error *err); /* Spec outlives the state. May create the folder. */
    /* What the sink's log says of batch N (design §5). last_committed: N - 1, or -1. */
    bool (*committed)(void *state, const struct batch_identity *batch, enum sink_state *out, struct error *err);
    bool (*stage_begin)(void *state, const struct batch_identity *batch, struct error *err); /* Empties an older staging folder of ours. */
    struct sink_task *(*task_new)(void *state, uint32_t task_index, struct error *err);      /* Any thread. */
    bool (*task_add)(struct sink_task *task, const struct chunk *chunk, struct error *err);
    bool (*task_finish)(struct sink_task *task, struct error *err);
    size_t (*task_memory)(const struct sink_task *task);
    void (*task_free)(struct sink_task *task);
    /* In task order, one caller at a time. Writes the finished pieces of the task and frees them. May also be called before
     * task_finish, any number of times, for the task whose turn it is: so one huge input stays in bounded memory. */
    bool (*stage_append)(void *state, struct sink_task *task, struct error *err);
    bool (*prepare)(void *state, struct arena *arena, struct manifest *out, struct error *err);
    bool (*publish)(void *state, const struct batch_identity *batch, const struct manifest *manifest, struct error *err);
    /* Drops what was staged; safe at any time: what prepare gave a manifest of is left alone. */
    void (*abort)(void *state);
    bool (*after_commit)(void *state, struct error *err); /* Optional: Delta checkpoints; failure is only logged. */
    void (*close)(void *state);
    const char *(*description)(void *state); /* "FileSink[/out]" for progress. */
};

const struct sink_ops *sink_find(const char *name, struct error *err); /* Any case; nearest name in the error. */
const struct sink_ops *const *sink_list(void);
extern const struct sink_ops parquet_sink, json_sink, csv_sink, text_sink, delta_sink, console_sink, foreach_batch_sink;
