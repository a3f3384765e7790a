/* stream -- opening a pipeline on its checkpoint, and the loop of its triggers. */
#include "loader/stream_state.h"
#include "loader/roots.h"
#include "base/file.h"
#include "base/panic.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <dirent.h>

int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define PARTITION_BY "sink.partition_by"

static const char *partition_text(const struct stream *stream)
{
    const struct pipeline_writer *writer = &stream->pipeline->writer;
    const char *text = "";
    for (size_t i = 0; i < writer->partition_count; i++) text = arena_printf(stream->arena, "%s%s%s", text, i ? ", " : "", writer->partition_by[i]);
    return text;
}

/* The facts that bind a checkpoint to a query. */
static size_t identity_facts(const struct stream *stream, struct ledger_setting facts[6])
{
    const struct pipeline *pipeline = stream->pipeline;
    size_t count = 0;
    facts[count++] = (struct ledger_setting){"sink.format", pipeline->writer.sink->name};
    facts[count++] = (struct ledger_setting){"sink.path", pipeline->writer.path ? pipeline->writer.path : ""};
    facts[count++] = (struct ledger_setting){"source.0.kind", pipeline->reader.settings.is_cloud_files ? "cloudFiles" : "files"};
    static const char *const identities[] = {"path", "path and mtime", "name"};
    facts[count++] = (struct ledger_setting){"source.0.identity", identities[stream->source.identity]};
    if (pipeline->writer.sink->layout_untold) facts[count++] = (struct ledger_setting){PARTITION_BY, partition_text(stream)};
    return count;
}

/* Until the first batch is there nothing is bound to the layout of the output. */
static bool free_partitions(struct stream *stream, struct error *err)
{
    int64_t last;
    const char *old;
    struct open_batch open;
    if (!ledger_setting_get(stream->ledger, stream->arena, PARTITION_BY, &old, err) || !ledger_last_committed(stream->ledger, &last, err) ||
        !ledger_open_batch(stream->ledger, stream->arena, &open, err)) return false;
    if (!old || last >= 0 || open.stage == BATCH_PREPARED) return true;
    return ledger_setting_set(stream->ledger, &(struct ledger_setting){PARTITION_BY, partition_text(stream)}, 1, err);
}

static bool folder_is_empty(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) return true;
    bool empty = true;
    struct dirent *entry;
    while (empty && (entry = readdir(directory))) empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(directory);
    return empty;
}

#define QUERY_NAME "query.name"
#define LOAD_PATHS "source.0.load"

static const char *load_text(const struct stream *stream)
{
    const struct pipeline_reader *reader = &stream->pipeline->reader;
    const char *text = "";
    for (size_t i = 0; i < reader->load_count; i++) text = arena_printf(stream->arena, "%s%s\n", text, reader->load[i]);
    return text;
}

static bool shares_line(const char *a, const char *b)
{
    for (size_t size; *a; a += size) {
        size = strcspn(a, "\n") + 1;
        for (const char *line = b; *line; line += strcspn(line, "\n") + 1)
            if (strncmp(a, line, size) == 0) return true;
    }
    return false;
}

/* A query may get another sink, another name, other paths to read; the one whose sink changes together with its name, or
 * with all that it reads, is another query: on this ledger it would take the files of the first for its own. */
static bool refuse_other_query(struct stream *stream, const char *old_path, struct error *err)
{
    const char *name, *load;
    if (!ledger_setting_get(stream->ledger, stream->arena, QUERY_NAME, &name, err) || !ledger_setting_get(stream->ledger, stream->arena, LOAD_PATHS, &load, err))
        return false;
    bool same_name = !name || strcmp(name, stream->pipeline->name) == 0, same_load = !load || shares_line(load, load_text(stream));
    if (same_name && same_load) return true;
    error_set(err, COND_INLET_CHECKPOINT_MISMATCH, "this is the checkpoint of another query: '%s', which reads %.*s and writes to \"%s\"", name ? name : "",
              load ? (int)strcspn(load, "\n") : 0, load ? load : "", old_path);
    return error_hint(err, "Give each query a checkpointLocation of its own. A query whose output moves keeps its name and its load paths meanwhile.");
}

/* What the query is called and reads now; both may change as long as the sink stays. */
static bool note_query(struct stream *stream, struct error *err)
{
    struct ledger_setting notes[] = {{QUERY_NAME, stream->pipeline->name}, {LOAD_PATHS, load_text(stream)}};
    for (size_t i = 0; i < COUNTOF(notes); i++) {
        const char *old;
        if (!ledger_setting_get(stream->ledger, stream->arena, notes[i].name, &old, err)) return false;
        if (old && strcmp(old, notes[i].value) == 0) continue;
        return ledger_setting_set(stream->ledger, notes, COUNTOF(notes), err);
    }
    return true;
}

/* A changed sink is allowed only with no open batch and an empty target (design: config changes never lose history). */
static bool allow_new_sink(struct stream *stream, struct error *err)
{
    const char *old_path, *old_format;
    const struct pipeline_writer *writer = &stream->pipeline->writer;
    if (!ledger_setting_get(stream->ledger, stream->arena, "sink.path", &old_path, err) ||
        !ledger_setting_get(stream->ledger, stream->arena, "sink.format", &old_format, err)) return false;
    const char *path = writer->path ? writer->path : "";
    if (!old_path || !old_format || (strcmp(old_path, path) == 0 && strcmp(old_format, writer->sink->name) == 0)) return true;
    struct open_batch open;
    if (!ledger_open_batch(stream->ledger, stream->arena, &open, err)) return false;
    int64_t last;
    if (!ledger_last_committed(stream->ledger, &last, err)) return false;
    bool free_to_move = open.stage == BATCH_NONE && (!*path || folder_is_empty(path));
    if (!free_to_move) {
        error_set(err, COND_INLET_CHECKPOINT_MISMATCH, "this checkpoint writes %s to \"%s\"; the pipeline file now says %s to \"%s\", which %s", old_format,
                  old_path, writer->sink->name, path, open.stage == BATCH_NONE ? "is not empty" : "cannot change while a batch is open");
        return error_hint(err, "Use a checkpoint of its own for another query, or point the sink at an empty folder.");
    }
    if (!refuse_other_query(stream, old_path, err)) return false;
    log_event(stream->context, LOG_WARN, "sink.changed", "from=%s to=%s", old_path, path);
    struct ledger_setting moved[] = {{"sink.path", path}, {"sink.format", writer->sink->name}, {SINK_FIRST_BATCH, arena_printf(stream->arena, "%" PRId64, last + 1)},
                                      {PARTITION_BY, partition_text(stream)}};
    return ledger_setting_set(stream->ledger, moved, COUNTOF(moved), err);
}

static bool bind_checkpoint(struct stream *stream, struct error *err)
{
    struct ledger_setting facts[6];
    size_t count = identity_facts(stream, facts);
    if (!allow_new_sink(stream, err) || !free_partitions(stream, err)) return false;
    if (ledger_facts_check(stream->ledger, facts, count, err) && note_query(stream, err)) return true;
    return error_context(err, "opening checkpoint \"%s\"", stream->pipeline->writer.checkpoint);
}

/* Spark: a load path that does not exist is an error at start; a glob without a match is not. */
static bool check_load_paths(const struct pipeline_reader *reader, struct error *err)
{
    for (size_t i = 0; i < reader->load_count; i++) {
        struct stat info;
        if (glob_has_magic(reader->load[i]) || stat(reader->load[i], &info) == 0) continue;
        error_set(err, COND_PATH_NOT_FOUND, "the load path \"%s\" does not exist", reader->load[i]);
        return error_hint(err, "Create the folder, or correct `load` in the pipeline file.");
    }
    return true;
}

struct stream *stream_open(const struct pipeline *pipeline, struct inlet_context *context, bool service, struct error *err)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) panic_out_of_memory(sizeof *stream);
    stream->pipeline = pipeline;
    stream->context = context;
    stream->arena = arena_new("stream");
    stream->resolve_arena = arena_new("resolve");
    stream->batch_arena = arena_new("batch");
    stream->source = discoverer_source(&pipeline->reader);
    stream->totals.last_batch_id = -1;
    atomic_store(&stream->live.batch_id, -1);
    uuid_v4(stream->run_id);
    if (!check_load_paths(&pipeline->reader, err) || !load_base_check(&pipeline->reader, err) || !clean_check(&pipeline->reader, err)) goto fail;
    stream->ledger = ledger_open(pipeline->writer.checkpoint, context, err);
    if (!stream->ledger || !bind_checkpoint(stream, err)) goto fail;
    stream->discoverer = discoverer_open(&pipeline->reader, stream->ledger, context, &stream->source, service, err);
    if (!stream->discoverer) goto fail;
    return stream;

fail:
    stream_close(stream);
    return NULL;
}

void stream_close(struct stream *stream)
{
    if (!stream) return;
    stream_drop_query(stream);
    arena_free(stream->try.arena);
    discoverer_close(stream->discoverer);
    ledger_close(stream->ledger);
    arena_free(stream->batch_arena);
    arena_free(stream->resolve_arena);
    arena_free(stream->arena);
    free(stream);
}

struct stream_live *stream_live(struct stream *stream) { return &stream->live; }
struct ledger *stream_ledger(struct stream *stream) { return stream->ledger; }

void stream_on_progress(struct stream *stream, void (*call)(void *user, const char *json), void *user)
{
    stream->on_progress = call;
    stream->on_progress_user = user;
}

/* Whatever arrives. By the monotonic clock: one that is set back must not make it longer. Ends early when the stream is to stop. */
static void sleep_for(const struct stream *stream, int64_t us)
{
    enum { SLICE_MS = 100 };
    int64_t end_ms = monotonic_ms() + (us + 999) / 1000, left_ms;
    while ((left_ms = end_ms - monotonic_ms()) > 0 && !cancel_soon(&stream->context->cancel))
        nanosleep(&(struct timespec){.tv_nsec = (long)(left_ms < SLICE_MS ? left_ms : SLICE_MS) * 1000000}, NULL);
}

/* At most `longest_us`, wherever the wall clock went since `until_us` was made. */
static void sleep_until(const struct stream *stream, int64_t until_us, int64_t longest_us)
{
    int64_t left_us = until_us - context_now_us(stream->context);
    sleep_for(stream, left_us < longest_us ? left_us : longest_us);
}

/* Failed files are looked at so often; one that seems as it was (an I/O error) is tried again at the start of a run, and each hour. */
enum { RETAKE_INTERVAL_US = 10000000 };
#define RETRY_INTERVAL_US (3600 * (int64_t)1000000)

static bool is_due(int64_t now_us, int64_t next_us, int64_t interval_us) { return now_us >= next_us || next_us > now_us + interval_us; }

static bool retake_failed(struct stream *stream, struct error *err)
{
    int64_t now = context_now_us(stream->context);
    if (!is_due(now, stream->next_retake_us, RETAKE_INTERVAL_US)) return true;
    if (!stream->next_retake_us && !ledger_failed_complete(stream->ledger, err)) return false;
    stream->next_retake_us = now + RETAKE_INTERVAL_US;
    enum retake_reach reach = RETAKE_CHANGED;
    if (is_due(now, stream->next_retry_us, RETRY_INTERVAL_US)) {
        reach = RETAKE_READABLE;
        stream->next_retry_us = now + RETRY_INTERVAL_US;
    }
    struct retake_counts counts;
    if (!retake_files(stream->ledger, stream->source.id, stream->context, reach, &counts, err)) return false;
    stream->totals.vanished_files += counts.gone;
    return true;
}

/* Looks for files; `plan`: and plans the next batch of a service in the same transaction, if it can. */
static bool look(struct stream *stream, bool plan, struct error *err)
{
    int64_t start = monotonic_ms();
    struct take_limits limits = stream_limits(stream, 0, false);
    struct early_plan early = {
        .limits = &limits, .make = stream_plan_early, .run = stream_run_early, .user = stream, .arena = stream->batch_arena};
    if (!retake_failed(stream, err)) return false;
    if (plan) arena_reset(stream->batch_arena);
    if (!discoverer_look(stream->discoverer, plan ? &early : NULL, &stream->report, err)) return false;
    stream->planned_early = early.planned;
    stream->latest_offset_ms = monotonic_ms() - start - (early.planned ? stream->try.took_ms : 0);
    stream->totals.skipped_files += (int64_t)stream->report.skipped;
    struct ledger_counts counts;
    if (!ledger_counts(stream->ledger, &counts, err)) return false;
    stream->has_failed = counts.files[FILE_FAILED] > 0;
    atomic_store(&stream->live.pending_files, counts.files[FILE_PENDING]);
    atomic_store(&stream->live.pending_bytes, counts.pending_bytes);
    return true;
}

/* Batches until nothing is pending below ordinal_end (0: no bound). A soft cancel stops between batches. */
static bool drain(struct stream *stream, int64_t ordinal_end, bool unlimited, struct error *err)
{
    for (;;) {
        bool ran;
        if (cancel_soon(&stream->context->cancel)) return true;
        if (!stream_next_batch(stream, ordinal_end, unlimited, &ran, err)) return false;
        if (!ran) return true;
    }
}

/* Files that were still being written when the run began get one shared wait: what nobody writes to any more is ready after
 * 2 s, however many files became quiet at different times. */
enum { SETTLE_WAIT_US = 2500000 };

static bool wait_for_unsettled(struct stream *stream, struct error *err)
{
    int64_t now = context_now_us(stream->context), end = now + SETTLE_WAIT_US, until;
    while ((until = stream->report.next_check_us) && until <= end && !cancel_soon(&stream->context->cancel)) {
        sleep_until(stream, until, SETTLE_WAIT_US);
        if (!look(stream, false, err)) return false;
    }
    return true;
}

static bool run_drain(struct stream *stream, bool one_batch, struct error *err)
{
    int64_t ordinal_end;
    if (!look(stream, false, err) || !wait_for_unsettled(stream, err)) return false;
    if (!ledger_next_ordinal(stream->ledger, stream->source.id, &ordinal_end, err)) return false;
    return drain(stream, ordinal_end, one_batch, err);
}

/* Spark: the next multiple of the interval since 1970, so a late batch does not shift the ones after it. */
static int64_t next_trigger_us(const struct stream *stream)
{
    int64_t interval = stream->pipeline->writer.trigger_interval_us, now = context_now_us(stream->context);
    return interval > 0 ? now / interval * interval + interval : now;
}

static int64_t next_look_us(const struct discovery_report *report)
{
    int64_t next = report->next_check_us, empty = report->empty_check_us;
    return next && (!empty || next < empty) ? next : empty;
}

/* Without batches a service looks so often whether the time has come to clean a file. */
enum { CLEAN_INTERVAL_US = 10000000 };

static bool clean_when_idle(struct stream *stream, struct error *err)
{
    int64_t now = context_now_us(stream->context);
    if (!is_due(now, stream->next_clean_us, CLEAN_INTERVAL_US)) return true;
    stream->next_clean_us = now + CLEAN_INTERVAL_US;
    return stream_clean(stream, err);
}

/* When a service without a timed trigger must look again, told of something or not; 0: no such time. */
static int64_t next_turn_us(const struct stream *stream)
{
    int64_t next = next_look_us(&stream->report);
    if (stream->has_failed && (!next || next > stream->next_retake_us)) next = stream->next_retake_us;
    if (stream->pipeline->reader.settings.clean == CLEAN_OFF) return next;
    return !next || next > stream->next_clean_us ? stream->next_clean_us : next;
}

/* A full disk in a service is waited for; everything else ends the stream. */
enum { DISK_WAIT_US = 5000000 };

static bool wait_for_space(struct stream *stream, struct error *err)
{
    if (err->condition != COND_INLET_DISK_FULL || cancel_soon(&stream->context->cancel)) return false;
    char text[1024];
    error_format(err, text, sizeof text);
    log_event(stream->context, LOG_WARN, "stream.blocked", "no space, trying again: %s", text);
    error_clear(err);
    sleep_for(stream, DISK_WAIT_US);
    return true;
}

static bool serve(struct stream *stream, struct error *err)
{
    while (!cancel_soon(&stream->context->cancel)) {
        bool timed = stream->pipeline->writer.trigger == TRIGGER_PROCESSING_TIME && stream->pipeline->writer.trigger_interval_us > 0;
        int64_t until = timed ? next_trigger_us(stream) : 0;
        bool ran = false;
        bool ok = stream_recover(stream, err) && look(stream, true, err) && stream_next_batch(stream, 0, false, &ran, err) && (ran || clean_when_idle(stream, err));
        if (!ok && !wait_for_space(stream, err)) return false;
        if (!ok || (ran && !timed)) continue;
        if (timed) sleep_until(stream, until, stream->pipeline->writer.trigger_interval_us); /* News must not wake it: it would find them again and again. */
        else if (!discoverer_wait(stream->discoverer, next_turn_us(stream), err)) return false;
    }
    return true;
}

static bool finish_totals(struct stream *stream, struct error *err)
{
    struct ledger_counts counts;
    if (!ledger_counts(stream->ledger, &counts, err)) return false;
    stream->totals.unsettled_files = counts.files[FILE_UNSETTLED];
    stream->totals.failed_files = counts.files[FILE_FAILED]; /* Also those of earlier runs: somebody has to look at them. */
    stream->totals.pending_files = counts.files[FILE_PENDING] + counts.files[FILE_PLANNED];
    return true;
}

bool stream_run(struct stream *stream, enum stream_goal goal, struct stream_totals *totals, struct error *err)
{
    bool ok = goal == STREAM_SERVE ? serve(stream, err)
                                   : stream_recover(stream, err) && stream_clean(stream, err) && run_drain(stream, goal == STREAM_ONE_BATCH, err);
    /* A stop that was asked for is no failure: the batch stays planned. */
    if (!ok && err->condition == COND_INLET_CANCELLED) {
        error_clear(err);
        ok = true;
    }
    if (ok) ok = stream_clean(stream, err) && finish_totals(stream, err);
    else finish_totals(stream, NULL);
    *totals = stream->totals;
    return ok;
}
