/* source -- what every stream is behind, files too: offsets, ranges, tasks.
 *
 * The engine asks for what is new (latest), plans a batch from it (plan: durable in the ledger), reads
 * tasks on workers, and tells the source what was committed. The file source lives in loader/ (it needs the
 * ledger); Kafka, rate and others will live here. A source's id leads every ledger key. */
#pragma once
#include "base/context.h"
#include "columns/chunk.h"
#include "formats/format.h"

/* A span of a source's offsets: files: admission ordinals [start, end). */
struct source_range {
    uint32_t source_id;
    int64_t start, end;
    uint32_t schema_version;
};

/* A unit of work of one worker: self-contained, so that it could run elsewhere. */
struct source_task {
    uint32_t source_id;
    struct file_range *ranges;  /* Files; other sources use start/end alone. */
    uint32_t *file_index;       /* ranges[i] is a part of the batch's file number file_index[i]. */
    size_t range_count;
    int64_t bytes;              /* Size estimate. */
};
