/* delta -- the Delta sink: one commit per batch, exactly once by its txn action.
 *
 * Data files are staged and renamed like those of the file sinks; what makes them visible is one put-if-absent
 * commit which carries txn {appId: query id, version: batch id} and, in commitInfo, the plan's digest. Who
 * loses the race for a version looks at the table as it is now, checks that the batch still fits, and tries the
 * next one (file-source.md 9.7): appends never conflict with appends, only with changes that the batch does not fit,
 * and with a second writer under our own query id. */
#include "sinks/delta_schema.h"
#include "base/aside.h"
#include "base/draft.h"
#include "base/plant.h"
#include "base/tree.h"
#include "base/uuid.h"
#include "sinks/output.h"
#include "sinks/schema_check.h"
#include "sinks/sink_options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INDEXED_COLUMNS_DEFAULT = 32, CHECKPOINT_INTERVAL_DEFAULT = 10, VERSION_UNKNOWN = -2 };
static const char DIGEST_TAG[] = "inlet.planDigest";

static const struct option_spec delta_options[] = {
    {.name = "mergeSchema", .kind = OPTION_BOOL, .fallback = "false", .help = "Columns that the table lacks are added to it."},
    {.name = "userMetadata", .kind = OPTION_TEXT, .help = "Text kept with every commit; DESCRIBE HISTORY shows it."},
    MAX_FILE_SIZE_OPTION,
    MAX_RECORDS_OPTION,
    {.name = "overwriteSchema", .kind = OPTION_BOOL, .fallback = "false", .help = "Replace the table's schema.", .never = "a stream appends; it cannot replace a table"},
    {.name = "replaceWhere", .kind = OPTION_TEXT, .help = "Replace the rows of a condition.", .never = "a stream appends; it cannot replace rows"},
    {.name = "partitionOverwriteMode", .kind = OPTION_TEXT, .help = "Replace whole partitions.", .never = "a stream appends; it cannot replace rows"},
    {.name = "optimizeWrite", .kind = OPTION_BOOL, .help = "Gather small files.", .never = "use maxFileSize: files do not depend on the number of inputs"},
    {.name = "txnAppId", .kind = OPTION_TEXT, .help = "Name of the transaction.", .never = "it is the query's id"},
    {.name = "txnVersion", .kind = OPTION_INT, .help = "Number of the transaction.", .never = "it is the batch's id"},
    {.name = NULL},
};

/* A batch's commit for the table as it was when the batch was prepared, written without a name; by the sink's second thread, beside the
 * ledger's transaction. */
struct commit_job {
    const char *path;
    struct arena *arena;             /* Of the digest. */
    int64_t batch_id;                /* -1: none. */
    const char *digest;
    int64_t version;
    struct buffer actions;
    struct draft draft;
    bool written;
    struct error error;              /* Unless it is written. */
};

struct delta_sink {
    const struct sink_spec *spec;
    struct session session;          /* The query's, with the Parquet settings that Delta demands. */
    bool merge;
    const char *description;
    struct arena *arena;             /* Of the sink. */

    struct arena *table_arena;       /* Of what follows: the table as last seen, and what was made for it. */
    struct delta_snapshot snapshot;  /* Without files. Our own commits move its version on. */
    int64_t txn_version;             /* Newest batch of this query in the table; -1: none. */
    struct delta_fit fit;
    struct partition_layout layout;
    struct output *output;
    int indexed_columns;             /* Leaves that get statistics. */
    struct batch_identity batch;     /* Being staged; its text is borrowed until prepare. */
    struct aside *aside;             /* Has `job` between prepare and what comes next. */
    struct commit_job job;
    bool begun;                      /* A batch was staged by this process; what is published before was prepared by another. */
    bool stale;                      /* The fit was made for other metadata than the snapshot's. */
    int64_t checkpoint_due;          /* Version to write a checkpoint for; -1: none. */
    bool looked_for_checkpoint;      /* The first commit makes up for one that a killed run, or another writer, did not write. */
};

/* --- the table ------------------------------------------------------------------------------------ */

static const char *table_setting(const struct delta_snapshot *snapshot, const char *name)
{
    return tree_get_text(snapshot->metadata.configuration, name, NULL);
}

static int64_t table_setting_int(const struct delta_snapshot *snapshot, const char *name, int64_t otherwise)
{
    const char *text = table_setting(snapshot, name);
    char *end;
    long long value = text ? strtoll(text, &end, 10) : 0;
    return text && *text && !*end ? value : otherwise;
}

static bool load_table(struct delta_sink *sink, struct error *err)
{
    output_free(sink->output);
    sink->output = NULL;
    arena_reset(sink->table_arena);
    sink->stale = true;
    if (!delta_snapshot_load(sink->spec->path, -1, false, sink->table_arena, sink->spec->context, &sink->snapshot, err)) return false;
    sink->txn_version = delta_txn_version(&sink->snapshot, sink->spec->query_id);
    return sink->snapshot.version < 0 || delta_check_writable(&sink->snapshot, err);
}

/* Loads the table again if somebody else has committed. Versions have no gaps, so one look is enough, however long the log is. */
static bool refresh_table(struct delta_sink *sink, struct error *err)
{
    char next[PATH_MAX];
    if (sink->snapshot.version == VERSION_UNKNOWN) return load_table(sink, err);
    int size = snprintf(next, sizeof next, "%s/_delta_log/%020lld.json", sink->spec->path, (long long)sink->snapshot.version + 1);
    if (size < 0 || (size_t)size >= sizeof next) return error_set(err, COND_INLET_IO, "the path \"%s\" is too long", sink->spec->path);
    if (access(next, F_OK) == 0) return load_table(sink, err);
    return errno == ENOENT || error_errno(err, "could not look up file \"%s\"", next);
}

/* --- what is written ------------------------------------------------------------------------------ */

static bool adapt_chunk(void *user, const struct chunk *chunk, struct chunk *out, struct error *err)
{
    const struct delta_sink *sink = user;
    return delta_schema_adapt(&sink->fit, chunk, out, sink->spec->context->budget, err);
}

/* {"values":[...],"stats":"..."}: what the add action needs beside the manifest's own members. */
static void describe_file(void *user, const struct encoder_file *file, const struct partition_key *key, struct buffer *out)
{
    const struct delta_sink *sink = user;
    size_t count = 0;
    const struct leaf_stats *stats = parquet_encoder.file_stats(file, &count);
    struct buffer text = {0};
    delta_print_stats(&text, sink->layout.data_schema, parquet_encoder.file_rows(file), stats, count, sink->indexed_columns);
    buffer_printf(out, "{\"values\":%s,\"stats\":", key->values);
    buffer_json_string(out, text.data, text.size);
    buffer_byte(out, '}');
    buffer_free(&text);
}

static const char *schema_json(struct arena *arena, const struct type *schema)
{
    struct buffer json = {0};
    type_print_json(schema, &json);
    const char *text = arena_strndup(arena, (const char *)json.data, json.size);
    buffer_free(&json);
    return text;
}

static struct encoder *open_encoder(const struct delta_sink *sink, const struct partition_layout *layout, struct arena *arena, struct error *err)
{
    struct encoder_spec encoder = {.schema = layout->data_schema, .options = sink->spec->options, .session = &sink->session,
                                   .footer_schema_json = schema_json(arena, layout->data_schema)};
    return parquet_encoder.open(&encoder, arena, err);
}

static bool make_layout(struct delta_sink *sink, struct arena *arena, const struct delta_fit *fit, struct partition_layout *layout, struct error *err)
{
    if (!partition_layout_make(arena, fit->written, (const char *const *)fit->partition_columns, fit->partition_count, &sink->session, layout, err))
        return false;
    layout->print_value = delta_print_partition_value;
    return partition_layout_needs_data(layout, err);
}

/* Fits the batch's columns to the table as it is now. */
static bool set_up(struct delta_sink *sink, struct error *err)
{
    const struct sink_spec *spec = sink->spec;
    output_free(sink->output);
    sink->output = NULL;
    if (!delta_schema_fit(sink->table_arena, &sink->snapshot, spec->schema, spec->partition_by, spec->partition_count, sink->merge, &sink->fit, err) ||
        !make_layout(sink, sink->table_arena, &sink->fit, &sink->layout, err))
        return error_context(err, "writing to the Delta table \"%s\"", spec->path);
    struct encoder *encoder = open_encoder(sink, &sink->layout, sink->table_arena, err);
    if (!encoder) return false;
    sink->indexed_columns = (int)table_setting_int(&sink->snapshot, "delta.dataSkippingNumIndexedCols", INDEXED_COLUMNS_DEFAULT);
    if (table_setting(&sink->snapshot, "delta.dataSkippingStatsColumns")) sink->indexed_columns = 0;
    struct output_spec output = {.root = spec->path, .query_id = spec->query_id, .context = spec->context, .encoder_ops = &parquet_encoder,
                                 .encoder = encoder, .layout = &sink->layout, .file_bytes_max = options_int(spec->options, "maxFileSize"),
                                 .file_rows_max = sink_file_rows_max(spec), .file_pieces_max = SINK_FILE_PIECES_MAX,
                                 .describe = describe_file, .user = sink, .aside = sink->aside};
    if (sink->fit.widens || sink->fit.required[0]) output.adapt = adapt_chunk;
    sink->output = output_new(&output);
    sink->stale = false;
    return true;
}

/* --- check and open ------------------------------------------------------------------------------- */

static void force_setting(struct option_value *value, const char *name, const char *text, int64_t integer)
{
    if (strcasecmp(value->spec->name, name) != 0) return;
    value->text = text;
    value->integer = integer;
    value->given = true;
}

/* Delta's files have INT64 timestamps and three-level lists, whatever the session says. */
static void copy_session(struct arena *arena, const struct session *from, struct session *to)
{
    *to = *from;
    to->conf.values = ARENA_ARRAY(arena, struct option_value, from->conf.count + 1);
    for (size_t i = 0; i < from->conf.count; i++) {
        to->conf.values[i] = from->conf.values[i];
        force_setting(&to->conf.values[i], "spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS", 1);
        force_setting(&to->conf.values[i], "spark.sql.parquet.writeLegacyFormat", "false", 0);
    }
}

/* As if the table were new: what no table could hold. */
static bool delta_check(const struct sink_spec *spec, struct error *err)
{
    struct delta_sink sink = {.spec = spec};
    struct arena *arena = arena_new("check");
    struct delta_snapshot none = {.version = -1};
    struct delta_fit fit;
    struct partition_layout layout;
    copy_session(arena, spec->session, &sink.session);
    bool ok = delta_schema_fit(arena, &none, spec->schema, spec->partition_by, spec->partition_count, true, &fit, err) &&
              make_layout(&sink, arena, &fit, &layout, err) && open_encoder(&sink, &layout, arena, err) != NULL;
    arena_free(arena);
    return ok;
}

static bool refuse_file_sink_folder(const struct sink_spec *spec, struct arena *arena, struct error *err)
{
    struct stat info;
    const char *log = path_join(arena, spec->path, "_spark_metadata");
    if (stat(log, &info) != 0) return errno == ENOENT || errno == ENOTDIR || error_errno(err, "could not look up folder \"%s\"", log);
    error_set(err, COND_INLET_SINK_MISMATCH, "the folder \"%s\" is the output of a file sink: it has a _spark_metadata log", spec->path);
    return error_hint(err, "Start the Delta table at another path.");
}

static bool open_table(struct delta_sink *sink, struct error *err)
{
    const struct sink_spec *spec = sink->spec;
    return refuse_file_sink_folder(spec, sink->arena, err) && load_table(sink, err) && set_up(sink, err) &&
           (sink->snapshot.version >= 0 ? directories_make : directories_settle)(spec->path, err);
}

static void free_sink(struct delta_sink *sink)
{
    aside_free(sink->aside);
    if (sink->aside) draft_discard(&sink->job.draft); /* Not of a sink that was never open. */
    buffer_free(&sink->job.actions);
    arena_free(sink->job.arena);
    output_free(sink->output);
    arena_free(sink->table_arena);
    arena_free(sink->arena);
    *sink = (struct delta_sink){0};
}

static bool delta_open(void *state, const struct sink_spec *spec, struct error *err)
{
    struct delta_sink *sink = state;
    *sink = (struct delta_sink){.spec = spec, .arena = arena_new("delta sink"), .table_arena = arena_new("delta table"),
                                .merge = options_bool(spec->options, "mergeSchema"), .checkpoint_due = -1,
                                .aside = aside_new(spec->context->thread_count > 1),
                                .job = {.path = spec->path, .arena = arena_new("delta commit job"), .batch_id = -1, .draft = {.fd = -1}}};
    copy_session(sink->arena, spec->session, &sink->session);
    sink->description = arena_printf(sink->arena, "DeltaSink[%s]", spec->path);
    if (open_table(sink, err)) return true;
    free_sink(sink);
    return false;
}

static void delta_close(void *state)
{
    struct delta_sink *sink = state;
    if (sink->spec) staging_tidy(sink->spec->path, sink->spec->query_id);
    free_sink(sink);
}

static const char *delta_description(void *state) { return ((struct delta_sink *)state)->description; }

/* --- what the log says ---------------------------------------------------------------------------- */

/* The digest of the commit whose txn is (query, batch), "" where it has none. *found false: the log no longer goes back that far. */
static bool find_digest(const struct delta_sink *sink, int64_t batch_id, struct arena *arena, bool *found, const char **digest, struct error *err)
{
    *found = false;
    *digest = "";
    struct arena *scratch = arena_new("commit");
    bool ok = true;
    for (int64_t version = sink->snapshot.version; !*found && version >= 0; version--) {
        arena_reset(scratch);
        const struct tree *actions = delta_read_commit(sink->spec->path, version, scratch, err);
        if (!actions) {
            ok = err->condition == COND_PATH_NOT_FOUND; /* Cleaned away behind a checkpoint. */
            break;
        }
        const char *seen = "";
        for (const struct tree *action = actions->first; action; action = action->next) {
            const struct tree *txn = tree_get(action, "txn"), *info = tree_get(action, "commitInfo");
            if (txn && strcmp(tree_get_text(txn, "appId", ""), sink->spec->query_id) == 0 && tree_get_int(txn, "version", -1) == batch_id) *found = true;
            if (info) seen = tree_get_text(tree_get(info, "tags"), DIGEST_TAG, "");
        }
        if (*found) *digest = arena_strdup(arena, seen);
    }
    arena_free(scratch);
    return ok;
}

/* True, *same: the batch stands in the table by this very plan. Else *err says what stands there. */
static bool identify(const struct delta_sink *sink, const struct batch_identity *batch, bool *same, struct error *err)
{
    struct arena *arena = arena_new("identify");
    struct error scratch;
    struct error *to = err ? err : &scratch;
    error_clear(to);
    bool found;
    const char *digest;
    *same = false;
    bool ok = find_digest(sink, batch->batch_id, arena, &found, &digest, to);
    if (ok) *same = found && strcmp(digest, batch->plan_digest) == 0;
    if (ok && !*same)
        error_set(to, COND_INLET_SINK_MISMATCH, "batch %lld of this query already stands in the Delta table \"%s\"%s", (long long)batch->batch_id,
                  sink->spec->path, !found ? ", in a commit that is no longer in its log" : digest[0] ? ", by another plan" : ", not written by inlet");
    arena_free(arena);
    return ok;
}

static bool say_foreign(const struct delta_sink *sink, const struct batch_identity *batch, struct error *err)
{
    if (sink->txn_version < 0)
        error_set(err, COND_INLET_SINK_MISMATCH, "the Delta table \"%s\" has no batch of this query, but the checkpoint has committed up to batch %lld",
                  sink->spec->path, (long long)batch->batch_id - 1);
    else
        error_set(err, COND_INLET_SINK_MISMATCH, "the Delta table \"%s\" holds this query's batches up to %lld, but the checkpoint's next one is %lld",
                  sink->spec->path, (long long)sink->txn_version, (long long)batch->batch_id);
    return error_hint(err, "Give back the checkpoint or the table that belongs to the other, or start a new checkpoint.");
}

static bool delta_committed(void *state, const struct batch_identity *batch, enum sink_state *out, struct error *err)
{
    struct delta_sink *sink = state;
    *out = SINK_FOREIGN;
    if (!refresh_table(sink, err)) return false;
    if (sink->txn_version == batch->batch_id - 1 || (sink->txn_version < 0 && sink->spec->first_use)) {
        *out = SINK_AT_BATCH_BEFORE;
        return true;
    }
    if (sink->txn_version != batch->batch_id) {
        say_foreign(sink, batch, err);
        return true;
    }
    bool same;
    if (!identify(sink, batch, &same, err)) return false;
    if (same) *out = SINK_HAS_BATCH;
    return true;
}

/* --- a batch -------------------------------------------------------------------------------------- */

static void drop_job(struct delta_sink *sink)
{
    aside_wait(sink->aside);
    draft_discard(&sink->job.draft);
    arena_reset(sink->job.arena);
    sink->job.batch_id = -1;
}

static bool delta_stage_begin(void *state, const struct batch_identity *batch, struct error *err)
{
    struct delta_sink *sink = state;
    drop_job(sink);
    sink->batch = *batch;
    if (!refresh_table(sink, err) || (sink->stale && !set_up(sink, err))) return false;
    sink->begun = true;
    return output_begin(sink->output, batch, err);
}

static struct sink_task *delta_task_new(void *state, uint32_t task_index, struct error *err)
{
    (void)task_index;
    (void)err;
    return output_task_new(((struct delta_sink *)state)->output);
}

static bool delta_stage_append(void *state, struct sink_task *task, struct error *err)
{
    return output_append(((struct delta_sink *)state)->output, task, err);
}

/* What publish must know of the batch: its columns, how they are partitioned, and the identity of a table it may create. */
static void print_detail(const struct delta_sink *sink, struct arena *arena, struct manifest *out)
{
    struct buffer detail = {0};
    char table_id[UUID_TEXT_SIZE];
    uuid_v4(table_id);
    buffer_printf(&detail, "{\"schema\":%s,\"partitionBy\":[", schema_json(arena, sink->fit.written));
    for (size_t i = 0; i < sink->fit.partition_count; i++) {
        if (i) buffer_byte(&detail, ',');
        buffer_json_string(&detail, sink->fit.partition_columns[i], strlen(sink->fit.partition_columns[i]));
    }
    buffer_printf(&detail, "],\"merge\":%s,\"tableId\":\"%s\",\"createdTime\":%lld}", sink->merge ? "true" : "false", table_id,
                  (long long)(context_now_us(sink->spec->context) / 1000));
    out->detail = arena_strndup(arena, (const char *)detail.data, detail.size);
    buffer_free(&detail);
}

static void delta_abort(void *state)
{
    struct delta_sink *sink = state;
    if (sink->output) output_abort(sink->output);
}

/* --- publishing ----------------------------------------------------------------------------------- */

/* One try's knowledge; all in one arena. */
struct publication {
    struct delta_sink *sink;
    struct arena *arena;
    const struct batch_identity *batch;
    const struct manifest *manifest;
    const struct type *schema;           /* Of the batch, as staged. */
    const char **partition_by;
    size_t partition_count;
    bool merge;
    const char *table_id;
    int64_t created_time_ms;
};

static bool damaged_manifest(struct error *err)
{
    return error_set(err, COND_INLET_CHECKPOINT_DAMAGED, "the prepared batch's manifest is not a Delta sink's");
}

static bool read_detail(struct publication *publication, struct error *err)
{
    struct arena *arena = publication->arena;
    const struct tree *detail = tree_parse_json(arena, slice_text(publication->manifest->detail), err);
    const struct tree *schema = tree_get(detail, "schema"), *columns = tree_get(detail, "partitionBy");
    if (!schema || !columns) return damaged_manifest(err);
    struct buffer json = {0};
    tree_print_json(schema, &json);
    publication->schema = type_parse_json(arena, slice_of(json.data, json.size), err);
    buffer_free(&json);
    if (!publication->schema) return false;
    publication->partition_by = ARENA_ARRAY(arena, const char *, columns->count + 1);
    for (const struct tree *name = columns->first; name; name = name->next) publication->partition_by[publication->partition_count++] = name->text;
    publication->merge = tree_get_bool(detail, "merge", false);
    publication->table_id = tree_get_text(detail, "tableId", "");
    publication->created_time_ms = tree_get_int(detail, "createdTime", 0);
    return true;
}

static void print_commit_info(const struct publication *publication, struct buffer *out)
{
    const struct sink_spec *spec = publication->sink->spec;
    const struct manifest *manifest = publication->manifest;
    const char *note = options_text(spec->options, "userMetadata");
    char txn_id[UUID_TEXT_SIZE];
    uuid_v4(txn_id);
    buffer_printf(out, "{\"commitInfo\":{\"timestamp\":%lld,\"operation\":\"STREAMING UPDATE\",\"operationParameters\":{\"outputMode\":\"Append\",\"queryId\":",
                  (long long)(context_now_us(spec->context) / 1000));
    buffer_json_string(out, spec->query_id, strlen(spec->query_id));
    buffer_printf(out, ",\"epochId\":\"%lld\"}", (long long)publication->batch->batch_id);
    if (publication->sink->snapshot.version >= 0) buffer_printf(out, ",\"readVersion\":%lld", (long long)publication->sink->snapshot.version);
    buffer_printf(out, ",\"isolationLevel\":\"Serializable\",\"isBlindAppend\":true,\"operationMetrics\":{\"numRemovedFiles\":\"0\",\"numOutputRows\":\"%lld\","
                       "\"numOutputBytes\":\"%lld\",\"numAddedFiles\":\"%zu\"}", (long long)manifest->rows, (long long)manifest->bytes, manifest->count);
    if (note) {
        buffer_text(out, ",\"userMetadata\":");
        buffer_json_string(out, note, strlen(note));
    }
    buffer_printf(out, ",\"tags\":{\"%s\":", DIGEST_TAG);
    buffer_json_string(out, publication->batch->plan_digest, strlen(publication->batch->plan_digest));
    buffer_printf(out, "},\"engineInfo\":\"inlet/" INLET_VERSION "\",\"txnId\":\"%s\"}}\n", txn_id);
}

/* metaData and protocol, where this commit creates the table or adds columns to it. */
static void print_table(const struct publication *publication, const struct delta_fit *fit, struct delta_metadata *metadata, struct buffer *out)
{
    const struct delta_snapshot *snapshot = &publication->sink->snapshot;
    bool create = snapshot->version < 0;
    struct delta_protocol protocol;
    *metadata = snapshot->metadata;
    if (!fit->changes) return;
    if (create)
        *metadata = (struct delta_metadata){.id = publication->table_id, .partition_columns = fit->partition_columns,
                                            .partition_count = fit->partition_count, .created_time_ms = publication->created_time_ms};
    metadata->schema = fit->table;
    metadata->schema_json = schema_json(publication->arena, fit->table);
    delta_print_metadata(out, metadata);
    if (create) delta_protocol_for(fit->table, &protocol);
    else if (!delta_protocol_extend(publication->arena, &snapshot->protocol, fit->table, &protocol)) return;
    delta_print_protocol(out, &protocol);
}

static bool print_add(const struct publication *publication, const struct manifest_file *file, const struct delta_metadata *metadata, struct buffer *out,
                      struct error *err)
{
    struct arena *arena = publication->arena;
    const struct tree *detail = tree_parse_json(arena, slice_text(file->detail), err);
    const struct tree *values = tree_get(detail, "values");
    if (!values || values->count != metadata->partition_count) return damaged_manifest(err);
    struct buffer path = {0};
    delta_encode_path(&path, file->final_name);
    struct delta_add add = {.path = buffer_string(&path), .size = file->size, .modification_time_ms = file->mtime_ms,
                            .stats_json = tree_get_text(detail, "stats", NULL)};
    add.partition_values = ARENA_ARRAY(arena, const char *, values->count + 1);
    size_t i = 0;
    for (const struct tree *value = values->first; value; value = value->next) add.partition_values[i++] = value->kind == TREE_NULL ? NULL : value->text;
    delta_print_add(out, &add, metadata, true);
    buffer_free(&path);
    return true;
}

static bool print_actions(const struct publication *publication, const struct delta_fit *fit, struct buffer *out, struct error *err)
{
    struct delta_metadata metadata;
    struct delta_txn txn = {.app_id = publication->sink->spec->query_id, .version = publication->batch->batch_id,
                            .last_updated_ms = context_now_us(publication->sink->spec->context) / 1000};
    buffer_clear(out);
    print_commit_info(publication, out);
    print_table(publication, fit, &metadata, out);
    delta_print_txn(out, &txn);
    for (size_t i = 0; i < publication->manifest->count; i++)
        if (!print_add(publication, &publication->manifest->files[i], &metadata, out, err)) return false;
    return true;
}

static void note_commit(struct delta_sink *sink, const struct delta_fit *fit, const struct batch_identity *batch)
{
    sink->snapshot.version++;
    sink->txn_version = batch->batch_id;
    if (fit->changes) sink->snapshot.version = VERSION_UNKNOWN; /* The metadata is new: load the table before the next use. */
}

/* The fit is made of what was staged, against the table as it is now: it may have changed since the batch was prepared. */
static bool fit_now(struct publication *publication, struct delta_fit *fit, struct error *err)
{
    if (delta_schema_fit(publication->arena, &publication->sink->snapshot, publication->schema, publication->partition_by, publication->partition_count,
                         publication->merge, fit, err)) {
        bool staged_fits = publication->sink->snapshot.version < 0 || !fit->widens;
        if (staged_fits && fit->partition_count == publication->partition_count) return true;
        error_set(err, COND_DELTA_METADATA_CHANGED, "the table's types or partition columns have changed since the batch was prepared");
    }
    return error_context(err, "publishing batch %lld, which is prepared, to the Delta table \"%s\"", (long long)publication->batch->batch_id,
                         publication->sink->spec->path);
}

static void write_commit(void *user)
{
    struct commit_job *job = user;
    error_clear(&job->error);
    job->written = delta_commit_draft(job->path, job->version, slice_of(job->actions.data, job->actions.size), &job->draft, &job->error);
}

/* The commit is on its way to the disk while the ledger is told of the batch: it has no name, so nobody sees it, and a crash leaves
 * nothing of it. Where it does not come to that, or the table changes meanwhile, publish writes its own. */
static void start_commit(struct delta_sink *sink, const struct manifest *manifest)
{
    struct commit_job *job = &sink->job;
    struct publication publication = {.sink = sink, .arena = job->arena, .batch = &sink->batch, .manifest = manifest};
    struct delta_fit fit;
    if (sink->snapshot.version < 0 || sink->txn_version >= sink->batch.batch_id) return;
    if (!read_detail(&publication, NULL) || !fit_now(&publication, &fit, NULL) || fit.changes || !print_actions(&publication, &fit, &job->actions, NULL)) return;
    job->batch_id = sink->batch.batch_id;
    job->digest = arena_strdup(job->arena, sink->batch.plan_digest);
    job->version = sink->snapshot.version + 1;
    aside_start(sink->aside, write_commit, job);
}

static bool delta_prepare(void *state, struct arena *arena, struct manifest *out, struct error *err)
{
    struct delta_sink *sink = state;
    if (!output_prepare(sink->output, arena, out, err)) return false;
    print_detail(sink, arena, out);
    start_commit(sink, out);
    return true;
}

/* What start_commit has written, if it is for this batch and the table as it is now. */
static bool job_fits(struct delta_sink *sink, const struct batch_identity *batch, const struct delta_fit *fit)
{
    const struct commit_job *job = &sink->job;
    return job->batch_id == batch->batch_id && strcmp(job->digest, batch->plan_digest) == 0 && job->version == sink->snapshot.version + 1 && !fit->changes;
}

/* The commit is there, but a killed run may have put it there: only what the disk has is published. */
static bool settle_log(const struct delta_sink *sink, struct error *err)
{
    struct arena *arena = arena_new("log");
    bool ok = PLANTED(45) || directory_sync(path_join(arena, sink->spec->path, "_delta_log"), err);
    arena_free(arena);
    return ok;
}

/* Our query id at or past this batch: our own earlier success, or a second copy of the query. */
static bool settle_existing(struct delta_sink *sink, const struct batch_identity *batch, bool after_race, struct error *err)
{
    bool same = false;
    if (sink->txn_version == batch->batch_id && !identify(sink, batch, &same, err)) return false;
    if (same) return settle_log(sink, err);
    if (!after_race && sink->txn_version != batch->batch_id) return say_foreign(sink, batch, err);
    if (!after_race) return false; /* Said already. */
    return error_set(err, COND_DELTA_CONCURRENT_TRANSACTION,
                     "another writer has committed batch %lld under this query's id to the Delta table \"%s\"", (long long)sink->txn_version, sink->spec->path);
}

/* At each multiple of the interval; once per run also where one has gone by without a checkpoint. */
static void plan_checkpoint(struct delta_sink *sink, int64_t version)
{
    int64_t interval = table_setting_int(&sink->snapshot, "delta.checkpointInterval", CHECKPOINT_INTERVAL_DEFAULT);
    int64_t newest = sink->snapshot.checkpoint_version > 0 ? sink->snapshot.checkpoint_version : 0;
    if (interval <= 0 || version <= 0) return;
    bool missing = !sink->looked_for_checkpoint && version / interval > newest / interval;
    if (missing || version % interval == 0) sink->checkpoint_due = version;
    sink->looked_for_checkpoint = true;
}

/* The commit of this version, durable and without a name. */
static bool take_draft(struct publication *publication, const struct delta_fit *fit, struct draft *draft, struct error *err)
{
    struct delta_sink *sink = publication->sink;
    struct commit_job *job = &sink->job;
    if (!job_fits(sink, publication->batch, fit)) {
        job->version = sink->snapshot.version + 1;
        draft_discard(&job->draft);
        if (!print_actions(publication, fit, &job->actions, err)) return false;
        write_commit(job);
    }
    job->batch_id = -1;
    *draft = job->draft;
    job->draft.fd = -1;
    if (!job->written && err) *err = job->error;
    return job->written;
}

/* The data files have their names, but those are synced behind the draft of the commit, whose commit of the file system's
 * journal may have them in it; they are durable before the commit names them. */
static bool write_version(struct publication *publication, const struct delta_fit *fit, bool names_synced, bool *existed, struct error *err)
{
    struct draft draft;
    if (!take_draft(publication, fit, &draft, err)) return false;
    if (names_synced || staging_sync_names(publication->sink->spec->path, publication->manifest, err)) return draft_create(&draft, existed, err);
    draft_discard(&draft);
    return false;
}

static bool commit_batch(struct publication *publication, struct error *err)
{
    struct delta_sink *sink = publication->sink;
    bool renamed = false;
    for (bool raced = false;; raced = true, sink->snapshot.version = VERSION_UNKNOWN) {
        struct delta_fit fit;
        bool existed;
        if (!refresh_table(sink, err)) return false;
        if (sink->txn_version >= publication->batch->batch_id && !PLANTED(23)) return settle_existing(sink, publication->batch, raced, err);
        if (cancel_now(&sink->spec->context->cancel)) return error_set(err, COND_INLET_CANCELLED, "the commit was stopped");
        if (!fit_now(publication, &fit, err)) return false;
        if (!renamed && !staging_rename(sink->spec->path, publication->manifest, !sink->begun, err)) return false;
        if (!write_version(publication, &fit, renamed, &existed, err)) return false;
        renamed = true;
        if (existed) continue; /* Somebody was faster: look again, try the next version. */
        plan_checkpoint(sink, sink->snapshot.version + 1);
        note_commit(sink, &fit, publication->batch);
        return true;
    }
}

static bool delta_publish(void *state, const struct batch_identity *batch, const struct manifest *manifest, struct error *err)
{
    struct delta_sink *sink = state;
    struct publication publication = {.sink = sink, .arena = arena_new("publish"), .batch = batch, .manifest = manifest};
    aside_wait(sink->aside);
    bool ok = read_detail(&publication, err) && commit_batch(&publication, err) && staging_settle(sink->spec->path, manifest, err);
    drop_job(sink);
    arena_free(publication.arena);
    if (ok) staging_sweep(sink->spec->path, sink->spec->query_id);
    return ok;
}

/* Off the commit path: readers start faster with a checkpoint, nothing depends on it. */
static bool delta_after_commit(void *state, struct error *err)
{
    struct delta_sink *sink = state;
    if (sink->checkpoint_due < 0) return true;
    struct arena *arena = arena_new("checkpoint");
    struct delta_snapshot snapshot;
    bool ok = delta_snapshot_load(sink->spec->path, sink->checkpoint_due, false, arena, sink->spec->context, &snapshot, err) &&
              delta_write_checkpoint(sink->spec->path, &snapshot, sink->spec->context, err);
    sink->checkpoint_due = -1;
    arena_free(arena);
    return ok;
}

const struct sink_ops delta_sink = {
    .name = "delta", .options = delta_options, .encoder = "parquet", .state_size = sizeof(struct delta_sink), .staged = true, .needs_path = true,
    .utf8_only = true, .check = delta_check, .open = delta_open, .committed = delta_committed, .stage_begin = delta_stage_begin, .task_new = delta_task_new,
    .task_add = output_task_add, .task_finish = output_task_finish, .task_memory = output_task_memory, .task_free = output_task_free,
    .stage_append = delta_stage_append, .prepare = delta_prepare, .publish = delta_publish, .abort = delta_abort,
    .after_commit = delta_after_commit, .close = delta_close, .description = delta_description,
};
