/* run -- `inlet run` (a service) and `inlet once` (drain and exit). */
#include "cli/cli.h"
#include "cli/meter.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct job {
    struct arguments *arguments;
    const char *file;
    const struct pipeline *pipeline;
    bool service;
    struct stream_totals totals;
    struct error err;
    int status;
    double seconds;
};

static double monotonic_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum stream_goal goal_of(const struct job *job)
{
    if (!job->service) return STREAM_DRAIN;
    switch (job->pipeline->writer.trigger) {
    case TRIGGER_ONCE: return STREAM_ONE_BATCH;
    case TRIGGER_AVAILABLE_NOW: return STREAM_DRAIN;
    default: return STREAM_SERVE;
    }
}

/* Per batch: a line of progress JSON for `run --json`. Lines of several streams do not mix: one write each. */
static void print_progress(void *user, const char *json)
{
    (void)user;
    struct buffer line = {0};
    buffer_printf(&line, "%s\n", json);
    print_buffer(&line);
}

/* Why the last run failed, for `inlet status`; gone once the next one begins. A help, never a reason to fail. */
static void keep_failure(struct stream *stream, const struct error *err)
{
    struct ledger *ledger = stream_ledger(stream);
    struct error ignored;
    error_clear(&ignored);
    if (!err) {
        int64_t failed_us;
        if (!ledger_setting_int(ledger, FAILURE_TIME_SETTING, 0, &failed_us, &ignored) || !failed_us) return;
    }
    char text[4096], time[32];
    if (err) error_format(err, text, sizeof text);
    snprintf(time, sizeof time, "%" PRId64, context_now_us(NULL));
    struct ledger_setting settings[] = {{FAILURE_SETTING, err ? text : NULL}, {FAILURE_TIME_SETTING, err ? time : NULL}};
    if (!ledger_setting_set(ledger, settings, COUNTOF(settings), &ignored)) error_clear(&ignored);
}

static void run_job(struct job *job)
{
    double start = monotonic_seconds();
    error_clear(&job->err);
    job->totals.last_batch_id = -1;
    enum stream_goal goal = goal_of(job);
    struct stream *stream = stream_open(job->pipeline, job->arguments->context, goal == STREAM_SERVE, &job->err);
    if (stream) {
        keep_failure(stream, NULL);
        if (job->service && job->arguments->json) stream_on_progress(stream, print_progress, NULL);
        struct meter *meter = job->arguments->quiet || job->arguments->json ? NULL : meter_start(stream, job->pipeline->name);
        if (job->service) notify_systemd("READY=1"); /* Also where it only drains: systemd takes an end without it for a failure. */
        if (!stream_run(stream, goal, &job->totals, &job->err)) job->status = condition_exit_status(job->err.condition);
        else job->status = job->totals.failed_files ? EXIT_SOME_FAILED : EXIT_DONE;
        meter_stop(meter);
        if (job->err.condition) keep_failure(stream, &job->err);
        stream_close(stream);
    } else {
        job->status = condition_exit_status(job->err.condition);
    }
    if (job->err.condition && job->status == EXIT_DONE) job->status = EXIT_BATCH_FAILED;
    job->seconds = monotonic_seconds() - start;
    if (job->err.condition) {
        pipeline_explain(job->pipeline, &job->err);
        fail_with(&job->err);
    }
}

static void put_summary_json(const struct job *job)
{
    const struct stream_totals *totals = &job->totals;
    struct buffer out = {0};
    struct json_print json = {.out = &out};
    json_begin(&json, NULL, '{');
    json_put_text(&json, "pipeline", job->pipeline->name);
    json_put_text(&json, "status", job->status == EXIT_DONE ? "done" : job->status == EXIT_SOME_FAILED ? "done_with_failures" : "failed");
    json_put_int(&json, "exit", job->status);
    json_put_int(&json, "batches", totals->batches);
    json_put_int(&json, "last_batch_id", totals->last_batch_id);
    json_put_int(&json, "files", totals->files);
    json_put_int(&json, "rows", totals->rows_out);
    json_put_int(&json, "rows_read", totals->rows_in);
    json_put_int(&json, "bytes_read", totals->bytes_in);
    json_put_int(&json, "bytes_written", totals->bytes_out);
    json_put_int(&json, "bad_records", totals->bad_records);
    json_put_int(&json, "dropped_records", totals->dropped_records);
    json_put_int(&json, "records_with_trailing_text", totals->surplus_records);
    json_put_int(&json, "failed_files", totals->failed_files);
    json_put_int(&json, "vanished_files", totals->vanished_files);
    json_put_int(&json, "skipped_files", totals->skipped_files);
    json_put_int(&json, "unsettled_files", totals->unsettled_files);
    json_put_int(&json, "pending_files", totals->pending_files);
    json_put_int(&json, "cleaned_files", totals->cleaned_files);
    json_put_real(&json, "seconds", (double)(int64_t)(job->seconds * 1000) / 1000);
    if (job->err.condition) {
        json_put_text(&json, "condition", condition_name(job->err.condition));
        json_put_text(&json, "error", job->err.message);
    }
    json_end(&json, '}');
    buffer_byte(&out, '\n');
    print_buffer(&out);
}

static void put_summary_text(const struct job *job)
{
    const struct stream_totals *totals = &job->totals;
    struct buffer out = {0};
    buffer_printf(&out, "%s: ", job->pipeline->name);
    if (!totals->batches) buffer_text(&out, job->status ? "failed, nothing committed" : "nothing new");
    else {
        put_count(&out, totals->rows_out);
        buffer_text(&out, " rows from ");
        put_count(&out, totals->files);
        buffer_printf(&out, " files in %" PRId64 " batch%s, ", totals->batches, totals->batches == 1 ? "" : "es");
        put_size(&out, totals->bytes_in);
        buffer_text(&out, " in, ");
        put_size(&out, totals->bytes_out);
        buffer_printf(&out, " out, %.2f s", job->seconds);
    }
    const struct { int64_t count; const char *what; } notes[] = {
        {totals->bad_records, "bad records"}, {totals->dropped_records, "records dropped"}, {totals->surplus_records, "records with text behind their end"},
        {totals->failed_files, "files failed"}, {totals->vanished_files, "files vanished"}, {totals->skipped_files, "files skipped"},
        {totals->unsettled_files, "files still being written"}, {totals->cleaned_files, "files cleaned"}};
    for (size_t i = 0; i < COUNTOF(notes); i++)
        if (notes[i].count) buffer_printf(&out, "; %" PRId64 " %s", notes[i].count, notes[i].what);
    buffer_byte(&out, '\n');
    print_buffer(&out);
}

static void put_summary(const struct job *job)
{
    if (job->arguments->json || !isatty(STDOUT_FILENO)) put_summary_json(job);
    else if (!job->arguments->quiet) put_summary_text(job);
}

static bool load_jobs(struct arguments *arguments, bool service, struct job **jobs, size_t *count, struct error *err)
{
    *count = 0;
    *jobs = NULL;
    for (size_t i = 0; i < arguments->word_count; i++) {
        const char **files;
        size_t file_count;
        if (!expand_pipelines(arguments->arena, arguments->words[i], &files, &file_count, err)) return false;
        struct job *grown = ARENA_ARRAY(arguments->arena, struct job, *count + file_count);
        if (*count) memcpy(grown, *jobs, *count * sizeof *grown);
        *jobs = grown;
        for (size_t j = 0; j < file_count; j++) {
            const struct pipeline *pipeline = pipeline_load(arguments->arena, files[j], err);
            if (!pipeline) return false;
            if (!arguments->quiet) print_warnings(pipeline);
            grown[(*count)++] = (struct job){.arguments = arguments, .file = files[j], .pipeline = pipeline, .service = service};
        }
    }
    return true;
}

static void *job_main(void *user)
{
    run_job(user);
    return NULL;
}

/* A service runs all its streams at once; one that fails does not take the others along. */
static int run_together(struct job *jobs, size_t count)
{
    pthread_t *threads = ARENA_ARRAY(jobs[0].arguments->arena, pthread_t, count);
    bool *started = ARENA_ARRAY(jobs[0].arguments->arena, bool, count);
    for (size_t i = 1; i < count; i++) started[i] = pthread_create(&threads[i], NULL, job_main, &jobs[i]) == 0;
    run_job(&jobs[0]);
    int status = jobs[0].status;
    for (size_t i = 1; i < count; i++) {
        if (started[i]) pthread_join(threads[i], NULL);
        else run_job(&jobs[i]);
        if (!status) status = jobs[i].status;
    }
    notify_systemd("STOPPING=1");
    for (size_t i = 0; i < count; i++) put_summary(&jobs[i]);
    return status;
}

static int run_in_turn(struct job *jobs, size_t count)
{
    int status = 0;
    for (size_t i = 0; i < count && !cancel_soon(&jobs[i].arguments->context->cancel); i++) {
        run_job(&jobs[i]);
        put_summary(&jobs[i]);
        if (!status) status = jobs[i].status;
    }
    return status;
}

static int start(struct arguments *arguments, bool service)
{
    struct job *jobs;
    size_t count;
    struct error err;
    error_clear(&err);
    if (!arguments->word_count) return usage_error(arguments, "which pipeline?");
    if (!load_jobs(arguments, service, &jobs, &count, &err)) return fail_with(&err);
    return service ? run_together(jobs, count) : run_in_turn(jobs, count);
}

static int run_run(struct arguments *arguments) { return start(arguments, true); }
static int once_run(struct arguments *arguments) { return start(arguments, false); }

static const struct flag no_flags[] = {{0}};

const struct verb run_verb = {
    "run", "run [FLAGS] PIPELINE...", "run pipelines as a service, by their own triggers",
    "Runs each pipeline by its trigger until it is stopped. SIGTERM or Ctrl-C finishes the batch and stops; a second one stops at once\n"
    "(the batch stays planned and is run again at the next start). Tells systemd when it is ready. With --json each batch's\n"
    "StreamingQueryProgress goes to standard output.",
    no_flags, run_run};
const struct verb once_verb = {
    "once", "once [FLAGS] PIPELINE...", "load what is there, then exit: for cron",
    "Drains each pipeline (trigger availableNow) and exits. Standard output ends with one line of JSON per pipeline when it is no terminal.\n"
    "Exit status 0 also when there was nothing new.",
    no_flags, once_run};
