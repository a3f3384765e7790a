/* progress -- keys in Spark's order; maps sorted; NaN and infinite rates are left out. */
#include "loader/progress.h"
#include "base/civil.h"
#include "base/number.h"

#include <inttypes.h>

static void put_text(struct buffer *out, const char *key, const char *text)
{
    buffer_printf(out, "\"%s\":", key);
    if (text) buffer_json_string(out, text, strlen(text));
    else buffer_text(out, "null");
}

static void put_double(struct buffer *out, const char *key, double value)
{
    char text[DOUBLE_TEXT_MAX];
    buffer_printf(out, ",\"%s\":", key);
    buffer_append(out, text, print_double_java(value, text));
}

static void put_phase(struct buffer *out, const char *key, int64_t value, bool *first)
{
    if (value < 0) return;
    buffer_printf(out, "%s\"%s\":%" PRId64, *first ? "" : ",", key, value);
    *first = false;
}

static void put_durations(struct buffer *out, const struct batch_progress *progress)
{
    bool first = true;
    buffer_text(out, ",\"durationMs\":{");
    put_phase(out, "addBatch", progress->add_batch_ms, &first);
    put_phase(out, "commitOffsets", progress->commit_offsets_ms, &first);
    put_phase(out, "getBatch", progress->get_batch_ms, &first);
    put_phase(out, "latestOffset", progress->latest_offset_ms, &first);
    put_phase(out, "queryPlanning", progress->query_planning_ms, &first);
    put_phase(out, "triggerExecution", progress->trigger_ms, &first);
    put_phase(out, "walCommit", progress->wal_commit_ms, &first);
    buffer_byte(out, '}');
}

/* Rows per second; the input rate of a first trigger is 0.0 (divided by infinity). */
static void put_rates(struct buffer *out, const struct batch_progress *progress)
{
    double input = 0;
    int64_t since_ms = (progress->timestamp_us - progress->previous_us) / 1000;
    bool has_input = progress->previous_us == 0 || since_ms > 0;
    if (progress->previous_us && since_ms > 0) input = (double)progress->rows_in * 1000.0 / (double)since_ms;
    int64_t trigger_ms = progress->trigger_ms > 0 ? progress->trigger_ms : 1;
    if (has_input) put_double(out, "inputRowsPerSecond", input);
    put_double(out, "processedRowsPerSecond", (double)progress->rows_in * 1000.0 / (double)trigger_ms);
}

static void put_offset(struct buffer *out, const char *key, const struct batch_progress *progress, int64_t offset)
{
    if (offset < 0) buffer_printf(out, "\"%s\":null", key);
    else buffer_printf(out, "\"%s\":{\"%s\":%" PRId64 "}", key, progress->is_cloud_files ? "seqNum" : "logOffset", offset);
}

static void put_source(struct buffer *out, const struct batch_progress *progress)
{
    buffer_text(out, ",\"sources\":[{");
    put_text(out, "description", progress->source_description);
    buffer_byte(out, ',');
    put_offset(out, "startOffset", progress, progress->start_offset);
    buffer_byte(out, ',');
    put_offset(out, "endOffset", progress, progress->end_offset);
    buffer_printf(out, ",\"latestOffset\":null,\"numInputRows\":%" PRId64, progress->rows_in);
    put_rates(out, progress);
    buffer_printf(out, ",\"metrics\":{\"numBytesOutstanding\":\"%" PRId64 "\",\"numFilesOutstanding\":\"%" PRId64 "\"}}]",
                  progress->bytes_outstanding, progress->files_outstanding);
}

void progress_print(const struct batch_progress *progress, struct buffer *out)
{
    char time[TIMESTAMP_TEXT_MAX];
    size_t size = print_timestamp_iso(progress->timestamp_us, time);
    buffer_byte(out, '{');
    put_text(out, "id", progress->id);
    buffer_byte(out, ',');
    put_text(out, "runId", progress->run_id);
    buffer_byte(out, ',');
    put_text(out, "name", progress->name);
    buffer_printf(out, ",\"timestamp\":\"%.*s\",\"batchId\":%" PRId64 ",\"batchDuration\":%" PRId64 ",\"numInputRows\":%" PRId64, (int)size,
                  time, progress->batch_id, progress->trigger_ms, progress->rows_in);
    put_rates(out, progress);
    put_durations(out, progress);
    buffer_text(out, ",\"stateOperators\":[]");
    put_source(out, progress);
    buffer_text(out, ",\"sink\":{");
    put_text(out, "description", progress->sink_description);
    buffer_printf(out, ",\"numOutputRows\":%" PRId64 "}", progress->rows_out);
    buffer_printf(out, ",\"observedMetrics\":{\"inlet\":{\"badRecords\":%" PRId64 ",\"bytes\":%" PRId64 ",\"droppedRecords\":%" PRId64 ",\"files\":%" PRId64 "}}}",
                  progress->bad_records, progress->bytes, progress->dropped_records, progress->files);
}
