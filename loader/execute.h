/* execute -- runs the tasks of one planned batch: ranges to chunks to columns to staged pieces.
 *
 * Workers take tasks in order; finished tasks reach the sink in task order, so the rows' order does not depend
 * on the number of threads. A worker may run ahead of the writing by a bounded number of tasks only. */
#pragma once
#include "base/context.h"
#include "engine/project.h"
#include "formats/format.h"
#include "loader/ledger.h"
#include "sinks/sink.h"
#include "sources/source.h"
#include <stdatomic.h>

/* What a progress display may read while the batch runs. */
struct live_counts {
    _Atomic int64_t rows, bytes, files;
};

struct execution {
    struct inlet_context *context;
    const struct reader_ops *reader_ops;
    const struct reader *reader;
    const struct type *read_schema;         /* Of the reader's chunks. */
    const struct project_plan *project;     /* NULL: the reader's chunks are the output. */
    const struct type *output_schema;
    const struct chunk *constants;          /* One row per file of the batch; NULL where nothing is constant. */
    const uint32_t *raw_text;               /* Output columns whose text the sink wants repaired. */
    size_t raw_text_count;
    const struct sink_ops *sink_ops;
    void *sink;
    const struct ledger_input *files;       /* Of the batch. */
    const struct plan_task *tasks;          /* As planned; each becomes ranges when its turn comes. */
    size_t task_count;
    int64_t input_bytes;                    /* Estimate, to decide on threads. */
    struct file_outcome *outcomes;          /* One per file: what its ranges gave is added up here. */
    struct arena *notes;                    /* Of the outcomes' texts. */
    struct live_counts *live;
};

enum failure_kind { FAILURE_NONE, FAILURE_INPUT_FILE, FAILURE_DATA, FAILURE_SINK };

struct execution_result {
    int64_t rows;              /* Given to the sink. */
    enum failure_kind kind;
    uint32_t file_index;       /* FAILURE_INPUT_FILE: the batch's file that vanished, changed or cannot be read. */
};

/* False: result->kind tells whether the batch can go on without a file. Nothing was made visible. */
bool execute_batch(const struct execution *execution, struct execution_result *result, struct error *err) MUST_CHECK;
