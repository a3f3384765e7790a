/* file_sink -- checks, the log's state, and publishing by the manifest. */
#include "sinks/file_sink.h"
#include "base/plant.h"
#include "base/uri.h"
#include "formats/sink_log.h"
#include "sinks/sink_options.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct option_spec file_sink_options[] = {
    MAX_FILE_SIZE_OPTION,
    MAX_RECORDS_OPTION,
    {.name = "retention", .kind = OPTION_DURATION, .help = "Age at which files leave the sink's log when it is compacted, and with it what Spark reads; the files stay. Default: never."},
    {.name = NULL},
};

int64_t sink_file_rows_max(const struct sink_spec *spec)
{
    static const char setting[] = "spark.sql.files.maxRecordsPerFile";
    int64_t rows = 0;
    if (options_given(spec->options, "maxRecordsPerFile")) rows = options_int(spec->options, "maxRecordsPerFile");
    else if (options_has(&spec->session->conf, setting)) rows = options_int(&spec->session->conf, setting);
    return rows > 0 ? rows : 0;
}

/* --- check and open ------------------------------------------------------------------------------- */

static struct encoder *open_encoder(const struct file_sink_format *format, const struct sink_spec *spec, const struct partition_layout *layout,
                                    struct arena *arena, struct error *err)
{
    struct buffer json = {0};
    type_print_json(layout->data_schema, &json);
    struct encoder_spec encoder = {.schema = layout->data_schema, .options = spec->options, .session = spec->session,
                                   .footer_schema_json = arena_strndup(arena, (const char *)json.data, json.size)};
    buffer_free(&json);
    return format->encoder->open(&encoder, arena, err);
}

static bool check_schema(const struct file_sink_format *format, const struct sink_spec *spec, struct partition_layout *layout,
                         struct arena *arena, struct error *err)
{
    /* JSON objects may hold names that differ by case alone; a name twice could not be read back. CSV has columns by position. */
    bool case_matters = spec->session->case_sensitive || format->support == SUPPORT_ALL, by_position = format->support == SUPPORT_ATOMIC;
    if (!partition_layout_make(arena, spec->schema, spec->partition_by, spec->partition_count, spec->session, layout, err)) return false;
    if (format->support != SUPPORT_ALL && !partition_layout_needs_data(layout, err)) return false;
    if (!by_position && !schema_check_duplicates(spec->schema, case_matters, err)) return false;
    if (!schema_check_types(layout->data_schema, format->support, format->label, err)) return false;
    if (format->support == SUPPORT_STRING && layout->data_schema->field_count != 1)
        return error_set(err, COND_INLET_TEXT_ONE_COLUMN, "Text data source supports only a single column, and you have %zu columns",
                         layout->data_schema->field_count);
    return true;
}

bool file_sink_check(const struct file_sink_format *format, const struct sink_spec *spec, struct error *err)
{
    if (options_given(spec->options, "retention") && options_int(spec->options, "retention") <= 0)
        return error_set(err, COND_INLET_BAD_OPTION_VALUE, "option 'retention' cannot be '%s': every file would leave the log", options_text(spec->options, "retention"));
    struct arena *arena = arena_new("check");
    struct partition_layout layout;
    bool ok = check_schema(format, spec, &layout, arena, err) && open_encoder(format, spec, &layout, arena, err) != NULL;
    arena_free(arena);
    return ok;
}

/* Data files put beside a Delta log would be invisible to its readers, and junk to its owner. */
static bool refuse_delta_table(const struct sink_spec *spec, struct arena *arena, struct error *err)
{
    struct stat info;
    const char *log = path_join(arena, spec->path, "_delta_log");
    if (stat(log, &info) != 0) return errno == ENOENT || errno == ENOTDIR || error_errno(err, "could not look up folder \"%s\"", log);
    error_set(err, COND_INLET_SINK_MISMATCH, "the sink's folder \"%s\" is a Delta table", spec->path);
    return error_hint(err, "Write to it with format delta, or start at another path.");
}

static bool open_sink(struct file_sink *sink, const struct file_sink_format *format, const struct sink_spec *spec, struct error *err)
{
    sink->description = arena_printf(sink->arena, "FileSink[%s]", spec->path);
    if (!check_schema(format, spec, &sink->layout, sink->arena, err)) return false;
    struct encoder *encoder = open_encoder(format, spec, &sink->layout, sink->arena, err);
    if (!encoder) return false;
    if (!refuse_delta_table(spec, sink->arena, err)) return false;
    bool is_used = access(path_join(sink->arena, spec->path, "_spark_metadata"), F_OK) == 0;
    if (!(is_used ? directories_make : directories_settle)(spec->path, err)) return false;
    sink->aside = aside_new(spec->context->thread_count > 1);
    struct output_spec output = {.root = spec->path, .query_id = spec->query_id, .context = spec->context, .encoder_ops = format->encoder,
                                 .encoder = encoder, .layout = &sink->layout, .file_bytes_max = options_int(spec->options, "maxFileSize"),
                                 .file_rows_max = sink_file_rows_max(spec), .file_pieces_max = SINK_FILE_PIECES_MAX, .keep_empty = true, .aside = sink->aside};
    sink->output = output_new(&output);
    sink->log = sink_log_open(spec->path);
    sink->job = (struct log_job){.log = sink->log, .arena = arena_new("sink log job"), .batch_id = -1};
    return true;
}

bool file_sink_open(struct file_sink *sink, const struct file_sink_format *format, const struct sink_spec *spec, struct error *err)
{
    *sink = (struct file_sink){.spec = spec, .arena = arena_new("file sink")};
    if (open_sink(sink, format, spec, err)) return true;
    arena_free(sink->arena);
    *sink = (struct file_sink){0};
    return false;
}

static void file_sink_close(void *state)
{
    struct file_sink *sink = state;
    aside_free(sink->aside);
    output_free(sink->output);
    sink_log_close(sink->log);
    arena_free(sink->job.arena);
    if (sink->spec) staging_tidy(sink->spec->path, sink->spec->query_id);
    arena_free(sink->arena);
    *sink = (struct file_sink){0};
}

static const char *file_sink_description(void *state) { return ((struct file_sink *)state)->description; }

/* --- what the log says (design 5) --------------------------------------------------------------------- */

static bool say_foreign(struct error *err, const char *path, const char *what)
{
    error_set(err, COND_INLET_SINK_MISMATCH, "the log of the sink's folder \"%s\" %s", path, what);
    return error_hint(err, "Start at an empty folder, or give back the checkpoint that wrote this one.");
}

/* Whose batch `batch` is; *ours: this query's, *same: by the very plan at hand. */
static bool identify(const struct file_sink *sink, struct arena *arena, int64_t batch, const char *digest, bool *ours, bool *same, struct error *err)
{
    bool present;
    const char *query_id, *found;
    if (!sink_log_identity(sink->log, batch, arena, &present, &query_id, &found, err)) return false;
    *ours = present && strcmp(query_id, sink->spec->query_id) == 0;
    *same = *ours && strcmp(found, digest) == 0;
    return true;
}

static bool judge_log(const struct file_sink *sink, struct arena *arena, const struct batch_identity *batch, int64_t latest,
                      enum sink_state *out, struct error *err)
{
    const struct sink_spec *spec = sink->spec;
    int64_t wanted = batch->batch_id;
    bool ours = true, same = true;
    *out = SINK_FOREIGN;
    if (latest < 0) {
        if (wanted == 0 || spec->first_use) *out = SINK_AT_BATCH_BEFORE;
        else say_foreign(err, spec->path, arena_printf(arena, "is empty, but the checkpoint has committed up to batch %lld", (long long)wanted - 1));
        return true;
    }
    if (!identify(sink, arena, latest, batch->plan_digest, &ours, &same, err)) return false;
    if (!ours)
        say_foreign(err, spec->path, arena_printf(arena, "ends with batch %lld, which this query has not written", (long long)latest));
    else if (latest == wanted && same)
        *out = SINK_HAS_BATCH;
    else if (latest == wanted)
        say_foreign(err, spec->path, arena_printf(arena, "holds batch %lld by another plan", (long long)latest));
    else if (latest == wanted - 1)
        *out = SINK_AT_BATCH_BEFORE;
    else
        say_foreign(err, spec->path, arena_printf(arena, "ends with batch %lld, but the checkpoint's next one is %lld", (long long)latest, (long long)wanted));
    return true;
}

static bool file_sink_committed(void *state, const struct batch_identity *batch, enum sink_state *out, struct error *err)
{
    const struct file_sink *sink = state;
    struct arena *arena = arena_new("committed");
    int64_t latest;
    aside_wait(sink->aside);
    bool ok = sink_log_latest(sink->log, &latest, err) && judge_log(sink, arena, batch, latest, out, err);
    arena_free(arena);
    return ok;
}

/* The batch's entry is there, but a killed run may have put it there: only what the disk has is published. */
static bool settle_log(const struct file_sink *sink, struct arena *arena, struct error *err)
{
    return PLANTED(45) || directory_sync(path_join(arena, sink->spec->path, "_spark_metadata"), err);
}

/* --- a batch -------------------------------------------------------------------------------------- */

static bool file_sink_stage_begin(void *state, const struct batch_identity *batch, struct error *err)
{
    struct file_sink *sink = state;
    sink->begun = true;
    aside_wait(sink->aside);
    arena_reset(sink->job.arena);
    sink->job.batch_id = -1;
    sink->batch = *batch;
    return output_begin(sink->output, batch, err);
}

static struct sink_task *file_sink_task_new(void *state, uint32_t task_index, struct error *err)
{
    (void)task_index;
    (void)err;
    return output_task_new(((struct file_sink *)state)->output);
}

static bool file_sink_stage_append(void *state, struct sink_task *task, struct error *err)
{
    return output_append(((struct file_sink *)state)->output, task, err);
}

static void write_log(void *user)
{
    struct log_job *job = user;
    error_clear(&job->error);
    job->written = sink_log_write(job->log, job->batch_id, job->entries, job->count, job->query_id, job->digest, &job->existed, &job->error);
}

/* What write_log needs, as the manifest says it. */
static void fill_job(struct file_sink *sink, const struct batch_identity *batch, const struct manifest *manifest)
{
    const struct sink_spec *spec = sink->spec;
    struct log_job *job = &sink->job;
    arena_reset(job->arena);
    job->batch_id = batch->batch_id;
    job->digest = arena_strdup(job->arena, batch->plan_digest);
    job->query_id = spec->query_id;
    job->entries = ARENA_ARRAY(job->arena, struct sink_log_entry, manifest->count + 1);
    job->count = manifest->count;
    struct buffer uri = {0};
    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        buffer_clear(&uri);
        uri_from_path(&uri, path_join(job->arena, spec->path, file->final_name), "file://");
        job->entries[i] = (struct sink_log_entry){.path = arena_strndup(job->arena, (const char *)uri.data, uri.size), .size = file->size,
                                                  .modification_time_ms = file->mtime_ms, .action = "add"};
    }
    buffer_free(&uri);
    if (options_given(spec->options, "retention")) /* As in Spark: the age of the file, not of its rows. */
        sink_log_forget(sink->log, (context_now_us(spec->context) - options_int(spec->options, "retention")) / 1000);
}

/* The entry is on its way to the disk while the ledger is told of the batch: it has no name, so nobody sees it, and a crash leaves
 * nothing of it. A log that begins with this batch is begun by publish. */
static bool file_sink_prepare(void *state, struct arena *arena, struct manifest *out, struct error *err)
{
    struct file_sink *sink = state;
    int64_t latest;
    if (!output_prepare(sink->output, arena, out, err) || !sink_log_latest(sink->log, &latest, err)) return false;
    if (latest < 0 || latest != sink->batch.batch_id - 1) return true;
    fill_job(sink, &sink->batch, out);
    aside_start(sink->aside, write_log, &sink->job);
    return true;
}

static bool take_log(struct file_sink *sink, const struct batch_identity *batch, const struct manifest *manifest, bool *existed, struct error *err)
{
    struct log_job *job = &sink->job;
    if (job->batch_id != batch->batch_id || strcmp(job->digest, batch->plan_digest) != 0) {
        fill_job(sink, batch, manifest);
        write_log(job);
    }
    job->batch_id = -1;
    *existed = job->existed;
    if (!job->written && err) *err = job->error;
    return job->written;
}

static void settle_identity(void *user)
{
    struct log_job *job = user;
    error_clear(&job->error);
    job->written = sink_log_settle(job->log, &job->error);
}

/* The names of the data files and of the entry's identity, on both threads at once. */
static bool sync_names(struct file_sink *sink, const struct manifest *manifest, struct error *err)
{
    aside_start(sink->aside, settle_identity, &sink->job);
    bool ok = staging_sync_names(sink->spec->path, manifest, err);
    aside_wait(sink->aside);
    if (ok && !sink->job.written && err) *err = sink->job.error;
    return ok && (sink->job.written || PLANTED(53));
}

/* The data files get their names, and the log's entry its identity: one commit of the file system's journal has both, and they
 * are durable before the log names them. */
static bool publish_new(struct file_sink *sink, const struct batch_identity *batch, const struct manifest *manifest, struct error *err)
{
    const char *path = sink->spec->path;
    bool existed;
    if (!take_log(sink, batch, manifest, &existed, err)) return false;
    if (!existed && (!staging_rename(path, manifest, !sink->begun, err) || !sink_log_place(sink->log, err) ||
                     !sync_names(sink, manifest, err) || !sink_log_name(sink->log, &existed, err))) return false;
    if (!existed) return staging_settle(path, manifest, err);
    /* Between our look and our write somebody wrote it. */
    return error_set(err, COND_CONCURRENT_STREAM_LOG_UPDATE, "Concurrent update to the log. Multiple streaming jobs detected for %lld at \"%s\"",
                     (long long)batch->batch_id, path);
}

static bool publish(struct file_sink *sink, struct arena *arena, const struct batch_identity *batch, const struct manifest *manifest,
                    struct error *err)
{
    enum sink_state found;
    int64_t latest;
    aside_wait(sink->aside);
    if (!sink_log_latest(sink->log, &latest, err)) return false;
    if (latest < batch->batch_id) return publish_new(sink, batch, manifest, err);
    /* The log is written last: if it is ours, everything stands. */
    return judge_log(sink, arena, batch, latest, &found, err) && found == SINK_HAS_BATCH && settle_log(sink, arena, err);
}

static bool file_sink_publish(void *state, const struct batch_identity *batch, const struct manifest *manifest, struct error *err)
{
    struct file_sink *sink = state;
    struct arena *arena = arena_new("publish");
    bool ok = publish(sink, arena, batch, manifest, err);
    arena_free(arena);
    if (ok) staging_sweep(sink->spec->path, sink->spec->query_id);
    else error_context(err, "publishing batch %lld to \"%s\"", (long long)batch->batch_id, sink->spec->path);
    return ok;
}

static void file_sink_abort(void *state)
{
    struct file_sink *sink = state;
    if (sink->output) output_abort(sink->output);
}

/* --- the four tables ------------------------------------------------------------------------------ */

#define FILE_SINK(format_name, spark_label, type_support, utf8)                                                               \
    static const struct file_sink_format format_name##_format = {&format_name##_encoder, spark_label, type_support};          \
    static bool format_name##_check(const struct sink_spec *spec, struct error *err)                                          \
    {                                                                                                                         \
        return file_sink_check(&format_name##_format, spec, err);                                                             \
    }                                                                                                                         \
    static bool format_name##_open(void *state, const struct sink_spec *spec, struct error *err)                              \
    {                                                                                                                         \
        return file_sink_open(state, &format_name##_format, spec, err);                                                       \
    }                                                                                                                         \
    const struct sink_ops format_name##_sink = {.name = #format_name, .options = file_sink_options, .encoder = #format_name,  \
        .state_size = sizeof(struct file_sink), .staged = true, .needs_path = true, .layout_untold = true,                    \
        .utf8_only = utf8, .check = format_name##_check,                                                                      \
        .open = format_name##_open, .committed = file_sink_committed, .stage_begin = file_sink_stage_begin,                   \
        .task_new = file_sink_task_new, .task_add = output_task_add, .task_finish = output_task_finish,                       \
        .task_memory = output_task_memory, .task_free = output_task_free, .stage_append = file_sink_stage_append,             \
        .prepare = file_sink_prepare, .publish = file_sink_publish, .abort = file_sink_abort, .close = file_sink_close,       \
        .description = file_sink_description}

FILE_SINK(parquet, "Parquet", SUPPORT_PARQUET, true);
FILE_SINK(json, "JSON", SUPPORT_ALL, false);
FILE_SINK(csv, "CSV", SUPPORT_ATOMIC, false);
FILE_SINK(text, "Text", SUPPORT_STRING, false);
