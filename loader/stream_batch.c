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

struct batch_run {
    struct open_batch *open;
    struct arena *arena;               /* Of this run: what a run that failed took is given back before the next. */
    struct file_outcome *outcomes;     /* One per file. */
    struct chunk constants;
    struct execution_result result;
};

static void lay_out_outcomes(struct batch_run *run)
{
    const struct open_batch *open = run->open;
    run->outcomes = ARENA_ARRAY(run->arena, struct file_outcome, open->file_count + 1);
    for (size_t i = 0; i < open->file_count; i++) {
        run->outcomes[i].source_id = open->files[i].source_id;
        run->outcomes[i].ordinal = open->files[i].ordinal;
        run->outcomes[i].state = open->files[i].size == 0 ? OUTCOME_EMPTY : OUTCOME_INGESTED;
    }
}

static bool stage_batch(struct stream *stream, struct batch_run *run, struct error *err)
{
    struct open_batch *open = run->open;
    const struct sink_ops *ops = stream->pipeline->writer.sink;
    struct batch_identity identity = identity_of(&open->plan);
    if (!ops->stage_begin(stream->sink, &identity, err)) {
        run->result.kind = FAILURE_SINK;
        return false;
    }
    lay_out_outcomes(run);
    struct execution execution = {
        .context = stream->context, .reader_ops = stream->pipeline->reader.reader, .reader = stream->resolved.reader,
        .read_schema = stream->resolved.read_schema, .project = stream->resolved.passes_through ? NULL : &stream->resolved.plan,
        .output_schema = stream->resolved.output_schema, .constants = &run->constants, .sink_ops = ops, .sink = stream->sink,
        .files = open->files, .tasks = open->plan.tasks, .task_count = open->plan.task_count, .outcomes = run->outcomes, .notes = run->arena,
        .live = &stream->live.counts};
    if (ops->utf8_only) {
        execution.raw_text = stream->resolved.raw_text;
        execution.raw_text_count = stream->resolved.raw_text_count;
    }
    for (size_t i = 0; i < open->file_count; i++) execution.input_bytes += open->files[i].size;
    chunk_init(&run->constants, stream->resolved.constants_schema);
    bool ok = !stream->resolved.uses_constants ||
              resolve_constants(stream->pipeline, &stream->resolved, open->files, open->file_count, &run->constants, stream->context->budget, err);
    if (!ok) run->result.kind = FAILURE_DATA;
    else ok = execute_batch(&execution, &run->result, err);
    chunk_fini(&run->constants);
    return ok;
}

/* L6, first half: what the readers say they gave is what the sink was given. */
static bool check_counts(const struct batch_run *run, int64_t rows, const struct manifest *manifest, struct error *err)
{
    if (rows != run->result.rows)
        return error_set(err, COND_INLET_COUNT_MISMATCH, "the readers gave %" PRId64 " rows, the sink was handed %" PRId64, rows, run->result.rows);
    if (manifest->rows != rows)
        return error_set(err, COND_INLET_COUNT_MISMATCH, "the batch has %" PRId64 " rows, its staged files hold %" PRId64, rows, manifest->rows);
    return true;
}

static bool prepare_batch(struct stream *stream, struct batch_run *run, struct manifest *manifest, struct error *err)
{
    const struct sink_ops *ops = stream->pipeline->writer.sink;
    int64_t rows = 0;
    const struct file_outcome *outcomes = run->outcomes;
    for (size_t i = 0; i < run->open->file_count; i++) rows += outcomes[i].rows;
    if (!ops->prepare(stream->sink, stream->batch_arena, manifest, err) || !check_counts(run, rows, manifest, err)) return false;
    struct buffer text = {0};
    manifest_print(manifest, &text);
    struct batch_identity early = identity_of(&run->open->plan);
    for (size_t i = 0; PLANTED(10) && i < run->open->file_count; i++) unlink(input_path(stream->batch_arena, &run->open->files[i]));
    if (PLANTED(41) && !ops->publish(stream->sink, &early, manifest, err)) return false;
    struct prepared prepared = {.batch_id = run->open->plan.batch_id, .manifest = slice_of(text.data, text.size), .outcomes = outcomes,
                                .outcome_count = run->open->file_count, .rows_out = manifest->rows, .bytes_out = manifest->bytes};
    bool ok = ledger_prepare(stream->ledger, &prepared, err);
    buffer_free(&text);
    if (!ok) return false;
    for (size_t i = 0; i < run->open->file_count; i++) {
        stream->totals.bad_records += outcomes[i].records_bad;
        stream->totals.dropped_records += outcomes[i].records_dropped;
        stream->totals.surplus_records += outcomes[i].records_surplus;
        run->open->records_bad += outcomes[i].records_bad;
        run->open->records_dropped += outcomes[i].records_dropped;
        run->open->bytes += run->open->files[i].size;
    }
    run->open->rows = rows;
    return true;
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

/* One run of plan(N), to prepared(N) if all goes well. False: it was not even staged. */
static bool try_batch(struct stream *stream, struct batch_run *run, struct manifest *manifest, bool *prepared, struct error *err)
{
    run->arena = arena_new("run");
    bool staged = stage_batch(stream, run, err);
    *prepared = staged && prepare_batch(stream, run, manifest, err);
    arena_free(run->arena);
    return staged;
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

/* Runs plan(N) to its commit; files may leave it on the way. */
static bool run_planned(struct stream *stream, struct open_batch *open, struct batch_clock *clock, struct error *err)
{
    struct manifest manifest;
    int64_t start = monotonic_ms();
    for (;;) {
        struct batch_run run = {.open = open};
        if (open->file_count == 0) return ledger_unplan(stream->ledger, open->plan.batch_id, err);
        if (!stream_resolve(stream, open->files, open->file_count, err) || !check_sink(stream, &open->plan, false, err)) return false;
        show_live(stream, open);
        bool prepared, staged = try_batch(stream, &run, &manifest, &prepared, err);
        if (prepared) break;
        stream->pipeline->writer.sink->abort(stream->sink);
        if (staged) return error_context(err, "preparing batch %" PRId64, open->plan.batch_id);
        if (!stream_mend_plan(stream, open, &run.result, err)) return explain_failure(open, err);
    }
    clock->add_ms = monotonic_ms() - start;
    return finish_batch(stream, open, &manifest, clock, err);
}

bool stream_clean(struct stream *stream, struct error *err)
{
    struct clean_result_counts counts;
    if (!clean_due(stream->ledger, &stream->pipeline->reader, stream->context, 0, &counts, err)) return false;
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
    if (!ledger_open_batch(stream->ledger, stream->batch_arena, &open, err)) return false;
    if (open.stage == BATCH_NONE) {
        if (!stream->resolved_set) sweep_leftovers(stream); /* Later its own sink does. */
        return true;
    }
    if (open.stage == BATCH_PREPARED && !PLANTED(8)) return recover_prepared(stream, &open, err) || error_context(err, "publishing the prepared batch again");
    log_event(stream->context, LOG_INFO, "batch.again", "batch=%" PRId64 " files=%zu", open.plan.batch_id, open.file_count);
    struct batch_clock clock = {.trigger_us = context_now_us(stream->context), .start_ms = monotonic_ms(), .plan_ms = -1};
    return follow_options(stream, &open, err) && run_planned(stream, &open, &clock, err);
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

static bool plan_batch(struct stream *stream, const struct take_limits *limits, struct ledger_input *files, size_t count, struct open_batch *open, struct error *err)
{
    int64_t last;
    if (!ledger_last_committed(stream->ledger, &last, err)) return false;
    make_plan(stream, last + 1, limits, files, count, open);
    return ledger_plan(stream->ledger, &open->plan, err);
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

static bool plan_next(struct stream *stream, const struct take_limits *limits, struct open_batch *open, struct batch_clock *clock, bool *ran, struct error *err)
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
    if (!plan_batch(stream, limits, files, count, open, err)) return false;
    clock->plan_ms = monotonic_ms() - plan;
    *ran = true;
    return true;
}

bool stream_next_batch(struct stream *stream, int64_t ordinal_end, bool unlimited, bool *ran, struct error *err)
{
    struct batch_clock clock = {.trigger_us = context_now_us(stream->context), .start_ms = monotonic_ms()};
    struct take_limits limits = stream_limits(stream, ordinal_end, unlimited);
    struct open_batch open = stream->early;
    *ran = stream->planned_early;
    stream->planned_early = false;
    if (!*ran && !plan_next(stream, &limits, &open, &clock, ran, err)) return false;
    return !*ran || (run_planned(stream, &open, &clock, err) && stream_clean(stream, err));
}
