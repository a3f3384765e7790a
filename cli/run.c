/* run -- `inlet run` (a service) and `inlet once` (drain and exit). */
#include "base/file.h"
#include "cli/cli.h"
#include "cli/meter.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Streams that run together: what one of them says of all. */
struct company {
    struct job *jobs;
    size_t count;
    _Atomic int status;            /* Of the first stream that failed; 0: none. */
    _Atomic bool stopping;         /* systemd knows. */
    pthread_mutex_t lock;          /* Of the jobs' streams: a stream that ended is closed while others go on. */
};

struct job {
    struct arguments *arguments;
    const char *file;
    const struct pipeline *pipeline; /* NULL: the file is bad, `err` says how. */
    struct company *company;       /* A service's; else NULL. */
    struct stream *stream;
    struct stream_totals totals;
    struct error err;
    int status;
    bool ran;
    double seconds;
};

static const char *job_name(const struct job *job)
{
    return job->pipeline ? job->pipeline->name : path_basename(job->file);
}

static double monotonic_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum stream_goal goal_of(const struct job *job)
{
    if (!job->company) return STREAM_DRAIN;
    switch (job->pipeline->writer.trigger) {
    case TRIGGER_ONCE: return STREAM_ONE_BATCH;
    case TRIGGER_AVAILABLE_NOW: return STREAM_DRAIN;
    default: return STREAM_SERVE;
    }
}

/* Counts of all streams, for `systemctl status`. */
static void tell_progress(struct company *company)
{
    int64_t rows = 0, files = 0;
    pthread_mutex_lock(&company->lock);
    for (size_t i = 0; i < company->count; i++) {
        const struct job *job = &company->jobs[i];
        const struct stream_live *live = job->stream ? stream_live(job->stream) : NULL;
        rows += live ? atomic_load(&live->total_rows) : job->totals.rows_in;
        files += live ? atomic_load(&live->total_files) : job->totals.files;
    }
    pthread_mutex_unlock(&company->lock);
    struct buffer out = {0};
    buffer_text(&out, "STATUS=running: ");
    put_count(&out, rows);
    buffer_text(&out, " rows from ");
    put_count(&out, files);
    buffer_text(&out, " files so far");
    notify_systemd(buffer_string(&out));
    buffer_free(&out);
}

/* Per batch: for `run --json` a line of progress JSON. Lines of several streams do not mix: one write each. */
static void on_progress(void *user, const char *json)
{
    const struct job *job = user;
    tell_progress(job->company);
    if (!job->arguments->json) return;
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

static void tell_failure(struct job *job)
{
    pipeline_explain(job->pipeline, &job->err);
    fail_with(&job->err);
}

static bool open_job(struct job *job)
{
    if (!job->pipeline) return false; /* Told when it was read. */
    job->stream = stream_open(job->pipeline, job->arguments->context, goal_of(job) == STREAM_SERVE, &job->err);
    if (job->stream) return true;
    job->status = condition_exit_status(job->err.condition);
    tell_failure(job);
    return false;
}

static void run_job(struct job *job)
{
    double start = monotonic_seconds();
    keep_failure(job->stream, NULL);
    if (job->company) stream_on_progress(job->stream, on_progress, job);
    struct meter *meter = job->arguments->quiet || job->arguments->json ? NULL : meter_start(job->stream, job->pipeline->name);
    if (!stream_run(job->stream, goal_of(job), &job->totals, &job->err)) job->status = condition_exit_status(job->err.condition);
    else job->status = job->totals.failed_files ? EXIT_SOME_FAILED : EXIT_DONE;
    meter_stop(meter);
    if (job->err.condition) keep_failure(job->stream, &job->err);
    if (job->err.condition && job->status == EXIT_DONE) job->status = EXIT_BATCH_FAILED;
    job->seconds = monotonic_seconds() - start;
    job->ran = true;
    if (job->err.condition) tell_failure(job);
}

/* At once, not when the company ends: its checkpoint is free for others then. */
static void close_job(struct job *job)
{
    struct stream *stream = job->stream;
    if (job->company) pthread_mutex_lock(&job->company->lock);
    job->stream = NULL;
    if (job->company) pthread_mutex_unlock(&job->company->lock);
    stream_close(stream);
}

static void put_summary_json(const struct job *job)
{
    const struct stream_totals *totals = &job->totals;
    struct buffer out = {0};
    struct json_print json = {.out = &out};
    json_begin(&json, NULL, '{');
    json_put_text(&json, "pipeline", job_name(job));
    json_put_text(&json, "status", !job->ran && !job->status ? "not_started" : job->status == EXIT_DONE ? "done" : job->status == EXIT_SOME_FAILED ? "done_with_failures" : "failed");
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
    buffer_printf(&out, "%s: ", job_name(job));
    if (!job->ran && !job->status) buffer_text(&out, "not started");
    else if (!totals->batches) buffer_text(&out, job->status ? "failed, nothing committed" : "nothing new");
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

static struct job load_job(struct arguments *arguments, const char *file)
{
    struct job job = {.arguments = arguments, .file = file, .totals = {.last_batch_id = -1}};
    error_clear(&job.err);
    job.pipeline = pipeline_load(arguments->arena, file, &job.err);
    if (!job.pipeline) job.status = fail_with(&job.err);
    else if (!arguments->quiet) print_warnings(job.pipeline);
    return job;
}

/* Every pipeline file that the words name, also the bad ones: a job says what became of each. */
static bool load_jobs(struct arguments *arguments, struct job **jobs, size_t *count, struct error *err)
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
        for (size_t j = 0; j < file_count; j++) grown[(*count)++] = load_job(arguments, files[j]);
    }
    return true;
}

/* Half a service would go unnoticed: where one stream fails, the others finish their batch and the process ends with the status
 * of the failure, so that who started it (systemd) starts all of them again. */
static void *job_main(void *user)
{
    struct job *job = user;
    struct company *company = job->company;
    run_job(job);
    close_job(job);
    bool failed = job->err.condition != COND_NONE;
    if (!failed && !cancel_soon(&job->arguments->context->cancel)) return NULL; /* It had an end; the others go on. */
    int none = 0;
    if (failed && atomic_compare_exchange_strong(&company->status, &none, job->status)) {
        if (company->count > 1) log_event(job->arguments->context, LOG_WARN, "service.ending", "%s failed; the other pipelines finish their batch and stop", job->pipeline->name);
        stop_softly(job->arguments->context);
    }
    if (atomic_exchange(&company->stopping, true)) return NULL;
    struct buffer out = {0};
    notify_systemd("STOPPING=1");
    buffer_printf(&out, "STATUS=stopping%s%s%s", failed ? ": " : "", failed ? job->pipeline->name : "", failed ? " failed" : "");
    notify_systemd(buffer_string(&out));
    buffer_free(&out);
    return NULL;
}

/* All or none: a pipeline that is bad or cannot be opened would be missed by nobody. All are tried, so that all errors are told at once. */
static bool open_company(struct company *company)
{
    bool ok = true;
    for (size_t i = 0; i < company->count; i++) {
        if (open_job(&company->jobs[i])) continue;
        ok = false;
        if (!company->status) company->status = company->jobs[i].status;
    }
    return ok;
}

static void tell_ready(const struct company *company)
{
    struct buffer out = {0};
    notify_systemd("READY=1");
    buffer_printf(&out, "STATUS=running %zu pipeline%s", company->count, company->count == 1 ? "" : "s");
    notify_systemd(buffer_string(&out));
    buffer_free(&out);
}

static void run_threads(struct company *company)
{
    struct job *jobs = company->jobs;
    pthread_t *threads = ARENA_ARRAY(jobs[0].arguments->arena, pthread_t, company->count);
    bool *started = ARENA_ARRAY(jobs[0].arguments->arena, bool, company->count);
    for (size_t i = 1; i < company->count; i++) {
        int code = pthread_create(&threads[i], NULL, job_main, &jobs[i]);
        started[i] = code == 0;
        if (started[i]) continue;
        errno = code;
        error_errno(&jobs[i].err, "could not start a thread for the pipeline %s", jobs[i].pipeline->name);
        company->status = jobs[i].status = fail_with(&jobs[i].err);
        stop_softly(jobs[i].arguments->context);
    }
    job_main(&jobs[0]);
    for (size_t i = 1; i < company->count; i++)
        if (started[i]) pthread_join(threads[i], NULL);
}

static int run_together(struct job *jobs, size_t count)
{
    struct company company = {.jobs = jobs, .count = count, .lock = PTHREAD_MUTEX_INITIALIZER};
    for (size_t i = 0; i < count; i++) jobs[i].company = &company;
    if (open_company(&company)) {
        tell_ready(&company); /* Also where they only drain: systemd takes an end without it for a failure. */
        run_threads(&company);
    }
    int status = company.status;
    if (!company.stopping) notify_systemd("STOPPING=1");
    for (size_t i = 0; i < count; i++) {
        close_job(&jobs[i]);
        put_summary(&jobs[i]);
        if (!status) status = jobs[i].status;
    }
    return status;
}

/* Each for itself: a bad one keeps no other from being loaded, the exit status tells of it. */
static int run_in_turn(struct job *jobs, size_t count)
{
    int status = 0;
    for (size_t i = 0; i < count && !cancel_soon(&jobs[i].arguments->context->cancel); i++) {
        if (open_job(&jobs[i])) run_job(&jobs[i]);
        close_job(&jobs[i]);
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
    if (!load_jobs(arguments, &jobs, &count, &err)) return fail_with(&err);
    return service ? run_together(jobs, count) : run_in_turn(jobs, count);
}

static int run_run(struct arguments *arguments) { return start(arguments, true); }
static int once_run(struct arguments *arguments) { return start(arguments, false); }

static const struct flag no_flags[] = {{0}};

const struct verb run_verb = {
    "run", "run [FLAGS] PIPELINE...", "run pipelines as a service, by their own triggers",
    "Runs each pipeline by its trigger until it is stopped. SIGTERM or Ctrl-C finishes the batch and stops; a second one stops at once\n"
    "(the batch stays planned and is run again at the next start). All pipelines start or none; where one fails, the others finish their\n"
    "batch and the process ends with the status of the failure. Tells systemd when it is ready. With --json each batch's\n"
    "StreamingQueryProgress goes to standard output.",
    no_flags, run_run};
const struct verb once_verb = {
    "once", "once [FLAGS] PIPELINE...", "load what is there, then exit: for cron",
    "Drains each pipeline (trigger availableNow) and exits. Standard output ends with one line of JSON per pipeline when it is no terminal.\n"
    "Exit status 0 also when there was nothing new. Of several pipelines each is run, whatever becomes of the others, also of those whose file is\n"
    "bad; the exit status is the first that is not 0.",
    no_flags, once_run};
