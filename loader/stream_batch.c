/* stream_batch -- one micro-batch: plan, run, prepare, publish, commit; and what a crash left of one. */
#include "loader/stream_state.h"
#include "base/file.h"
#include "base/panic.h"
#include "base/plant.h"
#include "loader/manifest.h"
#include "loader/progress.h"
#include "loader/tasks.h"
#include "sinks/staging.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct batch_clock { /* Milliseconds of the phases, for progress. */
    int64_t trigger_us, start_ms, plan_ms, add_ms, commit_ms, resolve_ms;
};

static struct batch_identity identity_of(const struct plan *plan)
{
    return (struct batch_identity){plan->batch_id, plan->plan_digest, plan->batch_time_us};
}

/* A long text is digested piece by piece, each with the digest of those before it in front: the list of a million files is never in memory. */
static void fold(struct buffer *text, size_t size_max)
{
    if (text->size < size_max) return;
    char digest[DIGEST_TEXT_SIZE];
    digest_text(text->data, text->size, digest);
    buffer_clear(text);
    buffer_text(text, digest);
}

/* Everything that decides the bytes of the batch: the same digest means the same output. */
static const char *digest_plan(struct arena *arena, const struct plan *plan, const struct ledger_input *files, size_t count)
{
    enum { FOLD_BYTES = 64 << 10 };
    struct buffer text = {0};
    buffer_printf(&text, "%" PRId64 " %" PRId64 " %s\n", plan->batch_id, plan->batch_time_us, plan->pipeline_digest);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&text, "%" PRId64 " %s/%s %" PRId64 " %" PRId64 "\n", files[i].ordinal, files[i].directory, files[i].name, files[i].size, files[i].mtime_us);
        fold(&text, FOLD_BYTES);
    }
    for (size_t i = 0; i < plan->task_count; i++)
        for (size_t j = 0; j < plan->tasks[i].count; j++) {
            const struct plan_piece *piece = &plan->tasks[i].pieces[j];
            buffer_printf(&text, "%zu %u %" PRId64 " %" PRId64 "\n", i, piece->file_index, piece->start, piece->end);
            fold(&text, FOLD_BYTES);
        }
    char *digest = arena_alloc(arena, DIGEST_TEXT_SIZE);
    digest_text(text.data, text.size, digest);
    buffer_free(&text);
    return digest;
}

static const char *pipeline_digest(struct stream *stream, struct arena *arena)
{
    char *digest = arena_alloc(arena, DIGEST_TEXT_SIZE);
    digest_text(stream->pipeline->shape_text, strlen(stream->pipeline->shape_text), digest);
    return digest;
}

static const char *settings_text(struct stream *stream, struct arena *arena)
{
    const struct session *session = &stream->pipeline->session;
    return arena_printf(arena, "{\"spark.sql.session.timeZone\":\"%s\",\"spark.sql.ansi.enabled\":%s,\"spark.sql.caseSensitive\":%s}",
                        time_zone_name(session->zone), session->ansi ? "true" : "false", session->case_sensitive ? "true" : "false");
}

void stream_recut(struct stream *stream, struct plan *plan, const struct ledger_input *files, size_t count)
{
    plan->tasks = tasks_cut(stream->batch_arena, files, count, stream->pipeline->reader.reader, stream->resolved.reader, &plan->task_count);
    plan->plan_digest = digest_plan(stream->batch_arena, plan, files, count);
}

/* --- Running the planned batch ------------------------------------------------------------------------- */

static void drop_try(struct stream *stream)
{
    arena_free(stream->try.arena);
    stream->try = (struct batch_try){.state = TRY_NONE};
}

static void lay_out_outcomes(const struct open_batch *open, struct batch_try *try)
{
    try->outcomes = ARENA_ARRAY(try->arena, struct file_outcome, open->file_count + 1);
    for (size_t i = 0; i < open->file_count; i++) {
        try->outcomes[i].source_id = open->files[i].source_id;
        try->outcomes[i].ordinal = open->files[i].ordinal;
        try->outcomes[i].state = open->files[i].size == 0 ? OUTCOME_EMPTY : OUTCOME_INGESTED;
    }
}

static bool stage_batch(struct stream *stream, const struct open_batch *open, struct batch_try *try, struct error *err)
{
    const struct sink_ops *ops = stream->pipeline->writer.sink;
    struct batch_identity identity = identity_of(&open->plan);
    if (!ops->stage_begin(stream->sink, &identity, err)) {
        try->result.kind = FAILURE_SINK;
        return false;
    }
    lay_out_outcomes(open, try);
    struct chunk constants;
    struct execution execution = {
        .context = stream->context, .reader_ops = stream->pipeline->reader.reader, .reader = stream->resolved.reader,
        .read_schema = stream->resolved.read_schema, .project = stream->resolved.passes_through ? NULL : &stream->resolved.plan,
        .output_schema = stream->resolved.output_schema, .constants = &constants, .sink_ops = ops, .sink = stream->sink,
        .files = open->files, .tasks = open->plan.tasks, .task_count = open->plan.task_count, .outcomes = try->outcomes, .notes = try->arena,
        .live = &stream->live.counts};
    if (ops->utf8_only) {
        execution.raw_text = stream->resolved.raw_text;
        execution.raw_text_count = stream->resolved.raw_text_count;
    }
    for (size_t i = 0; i < open->file_count; i++) execution.input_bytes += open->files[i].size;
    chunk_init(&constants, stream->resolved.constants_schema);
    bool ok = !stream->resolved.uses_constants ||
              resolve_constants(stream->pipeline, &stream->resolved, open->files, open->file_count, &constants, stream->context->budget, err);
    if (!ok) try->result.kind = FAILURE_DATA;
    else ok = execute_batch(&execution, &try->result, err);
    chunk_fini(&constants);
    return ok;
}

/* L6, first half: what the readers say they gave is what the sink was given. */
static bool check_counts(const struct batch_try *try, int64_t rows, struct error *err)
{
    if (rows != try->result.rows)
        return error_set(err, COND_INLET_COUNT_MISMATCH, "the readers gave %" PRId64 " rows, the sink was handed %" PRId64, rows, try->result.rows);
    if (try->manifest.rows != rows)
        return error_set(err, COND_INLET_COUNT_MISMATCH, "the batch has %" PRId64 " rows, its staged files hold %" PRId64, rows, try->manifest.rows);
    return true;
}

static bool finish_staging(struct stream *stream, const struct open_batch *open, struct batch_try *try, struct error *err)
{
    const struct sink_ops *ops = stream->pipeline->writer.sink;
    struct manifest *manifest = &try->manifest;
    struct batch_identity early = identity_of(&open->plan);
    int64_t rows = 0;
    for (size_t i = 0; i < open->file_count; i++) rows += try->outcomes[i].rows;
    if (!ops->prepare(stream->sink, stream->batch_arena, manifest, err) || !check_counts(try, rows, err)) return false;
    struct buffer text = {0};
    manifest_print(manifest, &text);
    try->prepared = (struct prepared){.batch_id = open->plan.batch_id, .outcomes = try->outcomes, .outcome_count = open->file_count,
                                      .rows_out = manifest->rows, .bytes_out = manifest->bytes};
    try->prepared.manifest = slice_of(arena_strndup(try->arena, (const char *)text.data, text.size), text.size);
    buffer_free(&text);
    for (size_t i = 0; PLANTED(10) && i < open->file_count; i++) unlink(input_path(stream->batch_arena, &open->files[i]));
    return !PLANTED(41) || ops->publish(stream->sink, &early, manifest, err);
}

/* What the outcomes of a prepared batch come to. */
static void count_outcomes(struct stream *stream, struct open_batch *open, const struct file_outcome *outcomes)
{
    for (size_t i = 0; i < open->file_count; i++) {
        stream->totals.bad_records += outcomes[i].records_bad;
        stream->totals.dropped_records += outcomes[i].records_dropped;
        stream->totals.surplus_records += outcomes[i].records_surplus;
        open->records_bad += outcomes[i].records_bad;
        open->records_dropped += outcomes[i].records_dropped;
        open->bytes += open->files[i].size;
        open->rows += outcomes[i].rows;
    }
}

static bool publish(struct stream *stream, const struct plan *plan, const struct manifest *manifest, struct error *err)
{
    struct batch_identity identity = identity_of(plan);
    if (PLANTED(7) && !ledger_commit(stream->ledger, plan->batch_id, NULL, NULL, 0, NULL, err)) return false;
    if (!stream->pipeline->writer.sink->publish(stream->sink, &identity, manifest, err)) return error_context(err, "publishing batch %" PRId64, plan->batch_id);
    stream->sink_spec.first_use = false;
    return true;
}

static bool commit(struct stream *stream, const struct plan *plan, const char *progress, struct error *err)
{
    const struct sink_ops *ops = stream->pipeline->writer.sink;
    if (!PLANTED(7) && !ledger_commit(stream->ledger, plan->batch_id, NULL, NULL, 0, progress, err)) return false;
    struct error later;
    error_clear(&later);
    if (ops->after_commit && !ops->after_commit(stream->sink, &later)) log_event(stream->context, LOG_WARN, "sink.after_commit", "%s", later.message);
    return true;
}

/* --- Totals and progress --------------------------------------------------------------------------------- */

static void count_batch(struct stream *stream, const struct open_batch *open, const struct manifest *manifest)
{
    struct stream_totals *totals = &stream->totals;
    totals->batches++;
    totals->files += (int64_t)open->file_count;
    totals->rows_in += open->rows;
    totals->rows_out += manifest->rows;
    totals->bytes_in += open->bytes;
    totals->bytes_out += manifest->bytes;
    totals->last_batch_id = open->plan.batch_id;
    atomic_fetch_add(&stream->live.total_rows, open->rows);
    atomic_fetch_add(&stream->live.total_files, (int64_t)open->file_count);
    atomic_fetch_add(&stream->live.total_bytes, open->bytes);
}

/* What is said of the batch. It is made before the commit, whose transaction keeps it: that one's time is not in it. */
static bool describe_batch(struct stream *stream, const struct open_batch *open, const struct manifest *manifest, const struct batch_clock *clock,
                           struct buffer *json, struct error *err)
{
    struct ledger_counts counts;
    if (!ledger_counts(stream->ledger, &counts, err)) return false;
    atomic_store(&stream->live.pending_files, counts.files[FILE_PENDING]);
    atomic_store(&stream->live.pending_bytes, counts.pending_bytes);
    int64_t start = -1, end = -1;
    for (size_t i = 0; i < open->plan.range_count; i++) {
        if (start < 0 || open->plan.ranges[i].start < start) start = open->plan.ranges[i].start;
        if (open->plan.ranges[i].end > end) end = open->plan.ranges[i].end;
    }
    int64_t end_ms = monotonic_ms();
    struct buffer source = {0};
    buffer_printf(&source, "%s[", stream->pipeline->reader.settings.is_cloud_files ? "CloudFilesSource" : "FileStreamSource");
    uri_from_path(&source, stream->pipeline->reader.load[0], "file:");
    buffer_byte(&source, ']');
    struct batch_progress progress = {
        .id = ledger_query_id(stream->ledger), .run_id = stream->run_id, .name = stream->pipeline->name, .timestamp_us = clock->trigger_us,
        .previous_us = stream->previous_trigger_us, .batch_id = open->plan.batch_id, .rows_in = open->rows, .rows_out = manifest->rows,
        .add_batch_ms = clock->add_ms, .commit_offsets_ms = clock->commit_ms, .get_batch_ms = 0, .latest_offset_ms = stream->latest_offset_ms,
        .query_planning_ms = clock->resolve_ms, .trigger_ms = end_ms - clock->start_ms + stream->latest_offset_ms, .wal_commit_ms = clock->plan_ms,
        .source_description = buffer_string(&source), .is_cloud_files = stream->pipeline->reader.settings.is_cloud_files,
        .start_offset = start > 0 ? start : -1, .end_offset = end, .files_outstanding = counts.files[FILE_PENDING], .bytes_outstanding = counts.pending_bytes,
        .sink_description = stream->pipeline->writer.sink->description(stream->sink), .files = (int64_t)open->file_count, .bytes = open->bytes,
        .bad_records = open->records_bad, .dropped_records = open->records_dropped};
    progress_print(&progress, json);
    stream->previous_trigger_us = clock->trigger_us;
    buffer_free(&source);
    return true;
}

static void show_live(struct stream *stream, const struct open_batch *open)
{
    int64_t bytes = 0;
    for (size_t i = 0; open && i < open->file_count; i++) bytes += open->files[i].size;
    atomic_store(&stream->live.counts.rows, 0);
    atomic_store(&stream->live.counts.bytes, 0);
    atomic_store(&stream->live.counts.files, 0);
    atomic_store(&stream->live.batch_files, open ? (int64_t)open->file_count : 0);
    atomic_store(&stream->live.batch_bytes, bytes);
    atomic_store(&stream->live.batch_id, open ? open->plan.batch_id : -1);
}

/* The sink's own log must end where the ledger says: an old output folder is never trusted blindly. */
static bool check_sink(struct stream *stream, const struct plan *plan, bool prepared, struct error *err)
{
    struct batch_identity identity = identity_of(plan);
    enum sink_state state;
    if (!stream->pipeline->writer.sink->committed(stream->sink, &identity, &state, err)) return false;
    if (state == SINK_AT_BATCH_BEFORE || (state == SINK_HAS_BATCH && prepared)) return true;
    if (state == SINK_HAS_BATCH)
        error_set(err, COND_INLET_SINK_MISMATCH, "batch %" PRId64 " already stands in the sink, but the ledger has not prepared it", plan->batch_id);
    return error_hint(err, "Was the checkpoint restored from an older copy, or does another query write here? Use a new output folder with a new checkpoint.");
}

/* Damaged content fails the batch until somebody decides: say what there is to decide. */
static bool explain_failure(const struct open_batch *open, struct error *err)
{
    if (err && err->condition == COND_FAILED_READ_FILE && !err->hint[0] && strstr(err->cause, "[INLET_DAMAGED_FILE]"))
        error_hint(err, "The batch stays planned. Move the file away to load the others, replace it, or set ignoreCorruptFiles to true to keep the rows before the damage.");
    return error_context(err, "running batch %" PRId64, open->plan.batch_id);
}

/* Runs plan(N), whose query stands open; stream->try says how it went. */
static void try_batch(struct stream *stream, const struct open_batch *open)
{
    drop_try(stream);
    struct batch_try *try = &stream->try;
    int64_t start = monotonic_ms();
    try->arena = arena_new("run");
    error_clear(&try->error);
    show_live(stream, open);
    if (!check_sink(stream, &open->plan, false, &try->error)) try->state = TRY_FAILED;
    else if (!stage_batch(stream, open, try, &try->error)) try->state = TRY_NOT_STAGED;
    else if (!finish_staging(stream, open, try, &try->error)) {
        try->state = TRY_FAILED;
        error_context(&try->error, "preparing batch %" PRId64, open->plan.batch_id);
    } else try->state = TRY_STAGED;
    try->took_ms = monotonic_ms() - start;
}

/* From prepared(N) on: publish, commit, tell. */
static bool finish_batch(struct stream *stream, const struct open_batch *open, const struct manifest *manifest, struct batch_clock *clock, struct error *err)
{
    struct buffer progress = {0};
    int64_t start = monotonic_ms();
    bool ok = publish(stream, &open->plan, manifest, err);
    clock->commit_ms = monotonic_ms() - start;
    ok = ok && describe_batch(stream, open, manifest, clock, &progress, err) && commit(stream, &open->plan, buffer_string(&progress), err);
    if (ok) {
        count_batch(stream, open, manifest);
        if (stream->on_progress) stream->on_progress(stream->on_progress_user, buffer_string(&progress));
        show_live(stream, NULL);
    }
    buffer_free(&progress);
    return ok;
}

static bool prepare(struct stream *stream, const struct open_batch *open, struct error *err)
{
    if (ledger_prepare(stream->ledger, &stream->try.prepared, err)) return true;
    return error_context(err, "preparing batch %" PRId64, open->plan.batch_id);
}

/* Runs plan(N) to prepared(N); files may leave it on the way. The try of a batch that was run early, and failed, is the first one. */
static bool run_planned(struct stream *stream, struct open_batch *open, struct error *err)
{
    const struct batch_try *try = &stream->try;
    while (open->file_count) {
        if (try->state == TRY_NONE) {
            if (!stream_resolve(stream, open->files, open->file_count, err)) return false;
            try_batch(stream, open);
        }
        if (try->state == TRY_STAGED && prepare(stream, open, err)) return true;
        stream->pipeline->writer.sink->abort(stream->sink);
        if (try->state == TRY_STAGED) return false;
        *err = try->error;
        if (try->state == TRY_FAILED) return false;
        struct execution_result result = try->result;
        drop_try(stream);
        if (!stream_mend_plan(stream, open, &result, err)) return explain_failure(open, err);
    }
    return ledger_unplan(stream->ledger, open->plan.batch_id, err);
}

/* Runs plan(N) to its commit, if a file is left in it. */
static bool run_batch(struct stream *stream, struct open_batch *open, struct batch_clock *clock, struct error *err)
{
    int64_t start = monotonic_ms() - stream->try.took_ms;
    bool is_prepared = stream->try.state == TRY_STAGED, ok = is_prepared || run_planned(stream, open, err);
    if (ok && open->file_count) {
        count_outcomes(stream, open, stream->try.outcomes);
        clock->add_ms = monotonic_ms() - start;
        ok = finish_batch(stream, open, &stream->try.manifest, clock, err);
    }
    drop_try(stream);
    return ok;
}

bool stream_clean(struct stream *stream, struct error *err)
{
    struct clean_result_counts counts;
    if (!clean_due(stream->ledger, &stream->pipeline->reader, stream->context, &counts, err)) return false;
    stream->totals.cleaned_files += counts.cleaned;
    return true;
}

/* --- Recovery (design §1): a table, nothing is guessed. --------------------------------------------------- */

static bool recover_prepared(struct stream *stream, struct open_batch *open, struct error *err)
{
    struct manifest manifest;
    if (!manifest_parse(stream->batch_arena, open->manifest, &manifest, err)) return false;
    if (!stream_resolve(stream, NULL, 0, err) || !check_sink(stream, &open->plan, true, err)) return false;
    log_event(stream->context, LOG_INFO, "batch.republish", "batch=%" PRId64 " files=%zu", open->plan.batch_id, manifest.count);
    if (!publish(stream, &open->plan, &manifest, err) || !commit(stream, &open->plan, NULL, err)) return false;
    stream->totals.batches++;
    stream->totals.files += (int64_t)open->file_count;
    stream->totals.bad_records += open->records_bad;
    stream->totals.dropped_records += open->records_dropped;
    stream->totals.rows_in += open->rows;
    stream->totals.rows_out += manifest.rows;
    stream->totals.bytes_in += open->bytes;
    stream->totals.bytes_out += manifest.bytes;
    stream->totals.last_batch_id = open->plan.batch_id;
    return true;
}

/* Between batches there is nothing of ours in the staging folders: what is, a run left that was killed behind its last commit. */
static void sweep_leftovers(struct stream *stream)
{
    const struct pipeline_writer *writer = &stream->pipeline->writer;
    const char *query_id = ledger_query_id(stream->ledger), *work = path_join(stream->batch_arena, writer->checkpoint, SINK_WORK_FOLDER);
    if (writer->path) {
        staging_sweep(writer->path, query_id);
        staging_tidy(writer->path, query_id);
    }
    staging_sweep(work, query_id);
    staging_tidy(work, query_id);
    rmdir(work);
}

/* The batch runs with what is now in force: reader options, and the session's zone, ANSI mode and case, which Spark does not restore
 * from its offset log either. Where these differ from the plan's, its files are cut anew and the plan gets another digest, so
 * that a receiver of the batch can tell. Pieces of a file that a changed reader takes as a whole would give its records several times, or never. */
static bool follow_options(struct stream *stream, struct open_batch *open, struct error *err)
{
    const char *digest = pipeline_digest(stream, stream->batch_arena);
    if (!open->file_count || strcmp(digest, open->plan.pipeline_digest) == 0) return true;
    if (!stream_resolve(stream, open->files, open->file_count, err)) return false;
    const char *settings = settings_text(stream, stream->batch_arena);
    if (strcmp(settings, open->plan.settings ? open->plan.settings : "") != 0)
        log_event(stream->context, LOG_WARN, "batch.settings", "batch=%" PRId64 " was planned with %s and runs with %s", open->plan.batch_id,
                  open->plan.settings ? open->plan.settings : "none", settings);
    open->plan.pipeline_digest = digest;
    open->plan.settings = settings;
    stream_recut(stream, &open->plan, open->files, open->file_count);
    return ledger_replan(stream->ledger, &open->plan, NULL, 0, err);
}

bool stream_recover(struct stream *stream, struct error *err)
{
    struct open_batch open;
    arena_reset(stream->batch_arena);
    stream->planned_early = false;
    drop_try(stream);
    if (!ledger_open_batch(stream->ledger, stream->batch_arena, &open, err)) return false;
    if (open.stage == BATCH_NONE) {
        if (!stream->resolved_set) sweep_leftovers(stream); /* Later its own sink does. */
        return true;
    }
    if (open.stage == BATCH_PREPARED && !PLANTED(8)) return recover_prepared(stream, &open, err) || error_context(err, "publishing the prepared batch again");
    log_event(stream->context, LOG_INFO, "batch.again", "batch=%" PRId64 " files=%zu", open.plan.batch_id, open.file_count);
    struct batch_clock clock = {.trigger_us = context_now_us(stream->context), .start_ms = monotonic_ms(), .plan_ms = -1};
    return follow_options(stream, &open, err) && run_batch(stream, &open, &clock, err);
}

/* --- The next batch ---------------------------------------------------------------------------------------- */

static const char *limits_text(struct arena *arena, const struct take_limits *limits)
{
    struct buffer text = {0};
    if (limits->files_max) buffer_printf(&text, "maxFilesPerTrigger=%" PRId64, limits->files_max);
    if (limits->bytes_max) buffer_printf(&text, "%smaxBytesPerTrigger=%" PRId64, text.size ? " " : "", limits->bytes_max);
    const char *copy = arena_strndup(arena, (const char *)text.data, text.size);
    buffer_free(&text);
    return copy;
}

/* plan(N) for these files, in the batch arena; not written yet. */
static void make_plan(struct stream *stream, int64_t batch_id, const struct take_limits *limits, struct ledger_input *files, size_t count, struct open_batch *open)
{
    struct arena *arena = stream->batch_arena;
    struct plan *plan = &open->plan;
    memset(open, 0, sizeof *open);
    plan->batch_id = batch_id;
    plan->batch_time_us = context_now_us(stream->context);
    plan->watermark_late_us = plan->watermark_evict_us = WATERMARK_NONE;
    plan->settings = settings_text(stream, arena);
    plan->pipeline_digest = pipeline_digest(stream, arena);
    plan->limits = limits_text(arena, limits);
    plan->ranges = plan_ranges(arena, files, count, 0, &plan->range_count);
    open->stage = BATCH_PLANNED;
    open->files = files;
    open->file_count = count;
    stream_recut(stream, plan, files, count);
}

/* Into stream->early. */
static bool plan_batch(struct stream *stream, const struct take_limits *limits, struct ledger_input *files, size_t count, struct error *err)
{
    int64_t last;
    if (!ledger_last_committed(stream->ledger, &last, err)) return false;
    make_plan(stream, last + 1, limits, files, count, &stream->early);
    return ledger_plan_and_prepare(stream->ledger, &stream->early.plan, &(struct early_plan){.run = stream_run_early, .user = stream}, err);
}

/* Plan order is range order: by ordinal within a range, ranges as first taken. */
static int by_ordinal(const void *a, const void *b)
{
    const struct ledger_input *left = a, *right = b;
    return left->ordinal < right->ordinal ? -1 : left->ordinal > right->ordinal;
}

struct take_limits stream_limits(const struct stream *stream, int64_t ordinal_end, bool unlimited)
{
    const struct source_settings *settings = &stream->pipeline->reader.settings;
    struct take_limits limits = {.ordinal_end = ordinal_end};
    if (unlimited) return limits;
    limits.files_max = settings->max_files;
    limits.bytes_max = settings->max_bytes;
    limits.bytes_cross = settings->max_bytes_crossing;
    return limits;
}

/* Only where the query stands open for such files: to open one may write to the ledger, and may fail. */
const struct plan *stream_plan_early(void *user, int64_t batch_id, struct ledger_input *files, size_t count)
{
    struct stream *stream = user;
    struct take_limits limits = stream_limits(stream, 0, false);
    if (!stream_is_resolved(stream, files, count)) return NULL;
    qsort(files, count, sizeof *files, by_ordinal);
    make_plan(stream, batch_id, &limits, files, count, &stream->early);
    return &stream->early.plan;
}

/* What a batch may have to be run within the transaction that plans it: beside a commit of the ledger reading it takes little
 * time. What a sink that stages has done by then is swept where the transaction does not come to its end. */
enum { SMALL_FILES = 64, SMALL_BYTES = 1 << 20 };

static bool is_small(const struct open_batch *open)
{
    int64_t bytes = 0;
    if (open->file_count > SMALL_FILES) return false;
    for (size_t i = 0; i < open->file_count; i++) bytes += open->files[i].size;
    return bytes <= SMALL_BYTES;
}

/* A try that fails is kept for run_planned, and the plan alone is written. */
const struct prepared *stream_run_early(void *user)
{
    struct stream *stream = user;
    drop_try(stream);
    if (!stream->pipeline->writer.sink->staged || !is_small(&stream->early)) return NULL;
    try_batch(stream, &stream->early);
    return stream->try.state == TRY_STAGED ? &stream->try.prepared : NULL;
}

static bool plan_next(struct stream *stream, const struct take_limits *limits, struct batch_clock *clock, bool *ran, struct error *err)
{
    struct ledger_input *files;
    size_t count;
    arena_reset(stream->batch_arena);
    if (!ledger_take(stream->ledger, &stream->source, limits, stream->batch_arena, &files, &count, err)) return false;
    if (!count) return stream_check_query(stream, err);
    qsort(files, count, sizeof *files, by_ordinal);
    int64_t resolve = monotonic_ms();
    if (!stream_resolve(stream, files, count, err)) return false;
    int64_t plan = monotonic_ms();
    clock->resolve_ms = plan - resolve;
    if (!plan_batch(stream, limits, files, count, err)) return false;
    clock->plan_ms = monotonic_ms() - plan - stream->try.took_ms;
    *ran = true;
    return true;
}

bool stream_next_batch(struct stream *stream, int64_t ordinal_end, bool unlimited, bool *ran, struct error *err)
{
    struct batch_clock clock = {.trigger_us = context_now_us(stream->context), .start_ms = monotonic_ms()};
    struct take_limits limits = stream_limits(stream, ordinal_end, unlimited);
    *ran = stream->planned_early;
    stream->planned_early = false;
    if (*ran) clock.start_ms -= stream->try.took_ms;
    else if (!plan_next(stream, &limits, &clock, ran, err)) return false;
    return !*ran || (run_batch(stream, &stream->early, &clock, err) && stream_clean(stream, err) && ledger_merge(stream->ledger, err));
}
