/* sink_tool -- one batch of NDJSON into a sink, from a shell: for cross-checks with other programs.
 *
 *   sink_tool SINK PATH BATCH SCHEMA FILE [--id UUID] [--digest TEXT] [--partition COLUMN]... [--option NAME=VALUE]...
 *             [--zone ZONE] [--stop-before publish] [-- COMMAND...]
 *
 * Says what committed() said (before, has, foreign) on standard error and publishes unless the batch stands there.
 * foreachBatch spools below PATH and runs COMMAND in the current folder. */
#include "formats/format.h"
#include "sinks/sink.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LIST_MAX = 16 };

struct job {
    struct arena *arena;
    struct inlet_context context;
    struct session session;
    const struct sink_ops *ops;
    void *sink;
    struct sink_spec spec;
    struct options options, reader_options;
    struct batch_identity batch;
    const char *file, *zone;
    bool stop_before_publish;
    const char *partitions[LIST_MAX];
    struct option_input inputs[LIST_MAX];
    size_t input_count;
};

static void parse_arguments(struct job *job, int argc, char **argv)
{
    job->spec.query_id = "e4a20b59-dd0e-4c50-b074-e8ae4786df30";
    job->batch.plan_digest = "digest";
    job->zone = "UTC";
    job->spec.partition_by = job->partitions;
    for (int i = 6; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--") == 0) {
            job->spec.command = (const char *const *)&argv[i + 1];
            return;
        }
        i++;
        if (strcmp(name, "--id") == 0) job->spec.query_id = value;
        else if (strcmp(name, "--digest") == 0) job->batch.plan_digest = value;
        else if (strcmp(name, "--zone") == 0) job->zone = value;
        else if (strcmp(name, "--stop-before") == 0) job->stop_before_publish = true;
        else if (strcmp(name, "--partition") == 0) job->partitions[job->spec.partition_count++] = value;
        else if (strcmp(name, "--option") == 0) {
            const char *equals = strchr(value, '=');
            job->inputs[job->input_count++] = (struct option_input){.name = arena_strndup(job->arena, value, (size_t)(equals - value)), .text = equals + 1};
        }
    }
}

static bool set_up(struct job *job, char **argv, struct error *err)
{
    struct buffer warnings = {0};
    struct option_input zone = {.name = "spark.sql.session.timeZone", .text = job->zone};
    char folder[4096];
    if (!getcwd(folder, sizeof folder)) return error_errno(err, "could not find the current folder");
    if (!session_parse(job->arena, &zone, 1, &job->session, &warnings, err)) return false;
    if (!(job->ops = sink_find(argv[1], err)) || !(job->spec.schema = schema_parse_ddl(job->arena, argv[4], err))) return false;
    const struct encoder_ops *encoder = job->ops->encoder ? encoder_find(job->ops->encoder, err) : NULL;
    const struct option_spec *tables[] = {job->ops->options, encoder ? encoder->options : NULL};
    if (!options_parse(job->arena, argv[1], tables, encoder ? 2 : 1, job->inputs, job->input_count, folder, &job->options, err)) return false;
    job->spec.path = job->spec.work_dir = argv[2];
    job->spec.options = &job->options;
    job->spec.session = &job->session;
    job->spec.context = &job->context;
    job->spec.query_name = "sink_tool";
    job->spec.base_dir = arena_strdup(job->arena, folder);
    job->batch.batch_id = atoll(argv[3]);
    job->file = argv[5];
    job->sink = arena_alloc(job->arena, job->ops->state_size);
    return job->ops->check(&job->spec, err);
}

static bool copy_rows(struct job *job, struct sink_task *task, struct error *err)
{
    const struct option_spec *tables[] = {json_reader.options, file_options};
    if (!options_parse(job->arena, "json", tables, 2, NULL, 0, "/", &job->reader_options, err)) return false;
    struct read_spec spec = {.schema = job->spec.schema, .file_schema = job->spec.schema, .corrupt_column = -1, .options = &job->reader_options,
                             .session = &job->session};
    struct reader *reader = json_reader.open(&spec, job->arena, err);
    struct scan *scan = reader ? json_reader.scan_new(reader, &job->context, err) : NULL;
    if (!scan) return false;
    struct file_range range = {.path = job->file, .end = -1, .size = -1, .mtime_us = -1};
    struct range_outcome outcome;
    struct chunk chunk;
    enum pull pull;
    chunk_init(&chunk, job->spec.schema);
    json_reader.scan_begin(scan, &range, 1, &outcome);
    while ((pull = json_reader.scan_next(scan, &chunk, err)) == PULL_CHUNK)
        if (!job->ops->task_add(task, &chunk, err)) break;
    chunk_fini(&chunk);
    json_reader.scan_free(scan);
    return pull == PULL_END;
}

static bool stage(struct job *job, struct manifest *manifest, struct error *err)
{
    if (!job->ops->stage_begin(job->sink, &job->batch, err)) return false;
    struct sink_task *task = job->ops->task_new(job->sink, 0, err);
    bool ok = task && copy_rows(job, task, err) && job->ops->task_finish(task, err) && job->ops->stage_append(job->sink, task, err);
    job->ops->task_free(task);
    ok = ok && job->ops->prepare(job->sink, job->arena, manifest, err);
    if (!ok) job->ops->abort(job->sink);
    return ok;
}

static bool run(struct job *job, struct error *err)
{
    static const char *const names[] = {"before", "has", "foreign"};
    enum sink_state state;
    struct manifest manifest;
    if (!job->ops->open(job->sink, &job->spec, err)) return false;
    bool ok = job->ops->committed(job->sink, &job->batch, &state, err);
    if (ok) fprintf(stderr, "%s\n", names[state]);
    if (ok && state == SINK_FOREIGN) ok = false;
    if (ok && state == SINK_AT_BATCH_BEFORE)
        ok = stage(job, &manifest, err) && (job->stop_before_publish || job->ops->publish(job->sink, &job->batch, &manifest, err)) &&
             (!job->ops->after_commit || job->ops->after_commit(job->sink, err));
    job->ops->close(job->sink);
    return ok;
}

int main(int argc, char **argv)
{
    struct job job = {0};
    struct error err;
    error_clear(&err);
    if (argc < 6) {
        fprintf(stderr, "usage: sink_tool SINK PATH BATCH SCHEMA FILE [--option NAME=VALUE]...\n");
        return 2;
    }
    job.arena = arena_new("sink_tool");
    inlet_context_init(&job.context);
    parse_arguments(&job, argc, argv);
    bool ok = set_up(&job, argv, &err) && run(&job, &err);
    if (!ok) {
        char text[8192];
        error_format(&err, text, sizeof text);
        fprintf(stderr, "%s\n", text);
    }
    inlet_context_fini(&job.context);
    arena_free(job.arena);
    return ok ? 0 : 1;
}
