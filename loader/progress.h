/* progress -- StreamingQueryProgress of one batch as Spark 4 prints it (file-source.md 8.3). */
#pragma once
#include "base/bytes.h"

struct batch_progress {
    const char *id, *run_id, *name;
    int64_t timestamp_us;          /* Trigger start. */
    int64_t previous_us;           /* Of the trigger before; 0: this is the first. */
    int64_t batch_id;
    int64_t rows_in, rows_out;
    /* Milliseconds of each phase; -1: left out. */
    int64_t add_batch_ms, commit_offsets_ms, get_batch_ms, latest_offset_ms, query_planning_ms, trigger_ms, wal_commit_ms;
    const char *source_description;
    bool is_cloud_files;
    int64_t start_offset, end_offset; /* Admission ordinals; start -1: null. */
    int64_t files_outstanding, bytes_outstanding;
    const char *sink_description;
    int64_t files, bytes, bad_records, dropped_records; /* Ours: under observedMetrics.inlet. */
};

/* One compact JSON object, without a newline. */
void progress_print(const struct batch_progress *progress, struct buffer *out);
