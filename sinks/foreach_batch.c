/* foreach_batch -- a command per batch, which gets the batch's rows as NDJSON on its standard input.
 *
 * The rows are spooled into one complete, durable file below the checkpoint first: a pipe could be cut short
 * by a crash, and the command could not tell. The manifest names the file, so publishing again gives the command the same
 * bytes. At least once; batch id and plan digest are in the command's environment. */
#include "base/file.h"
#include "sinks/command.h"
#include "sinks/output.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct option_spec foreach_batch_options[] = {
    {.name = NULL},
};

struct foreach_batch {
    const struct sink_spec *spec;
    struct arena *arena;
    struct partition_layout layout;
    struct output *output;
    struct options json_options;
};

static bool foreach_check(const struct sink_spec *spec, struct error *err)
{
    if (spec->partition_count) return error_set(err, COND_INLET_PARTITION_COLUMN, "foreachBatch cannot be partitioned: the command gets all columns");
    if (!spec->command || !spec->command[0]) return error_set(err, COND_INLET_MISSING_KEY, "foreachBatch needs a command");
    return true;
}

/* Rows are written as Spark's JSON writer does by default, whatever the sink's options are. */
static bool open_sink(struct foreach_batch *sink, const struct sink_spec *spec, struct error *err)
{
    const struct option_spec *json[] = {json_encoder.options};
    if (!foreach_check(spec, err)) return false;
    if (!partition_layout_make(sink->arena, spec->schema, NULL, 0, spec->session, &sink->layout, err)) return false;
    if (!options_parse(sink->arena, "json", json, 1, NULL, 0, spec->base_dir, &sink->json_options, err)) return false;
    struct encoder_spec encoder_spec = {.schema = sink->layout.data_schema, .options = &sink->json_options, .session = spec->session};
    struct encoder *encoder = json_encoder.open(&encoder_spec, sink->arena, err);
    if (!encoder || !directories_make(spec->work_dir, err)) return false;
    struct output_spec output = {.root = spec->work_dir, .query_id = spec->query_id, .context = spec->context, .encoder_ops = &json_encoder,
                                 .encoder = encoder, .layout = &sink->layout, .file_bytes_max = INT64_MAX};
    sink->output = output_new(&output);
    return true;
}

static void foreach_close(void *state)
{
    struct foreach_batch *sink = state;
    output_free(sink->output);
    if (sink->spec) {
        staging_tidy(sink->spec->work_dir, sink->spec->query_id);
        rmdir(sink->spec->work_dir);
    }
    arena_free(sink->arena);
    *sink = (struct foreach_batch){0};
}

static bool foreach_open(void *state, const struct sink_spec *spec, struct error *err)
{
    struct foreach_batch *sink = state;
    if (!spec->work_dir) return error_set(err, COND_INLET_INTERNAL, "foreachBatch has no scratch folder");
    *sink = (struct foreach_batch){.arena = arena_new("foreachBatch")};
    if (!open_sink(sink, spec, err)) {
        foreach_close(sink);
        return false;
    }
    sink->spec = spec;
    return true;
}

static bool foreach_committed(void *state, const struct batch_identity *batch, enum sink_state *out, struct error *err)
{
    (void)state;
    (void)batch;
    (void)err;
    *out = SINK_AT_BATCH_BEFORE; /* Only the command could know; it has the batch id to tell. */
    return true;
}

static bool foreach_stage_begin(void *state, const struct batch_identity *batch, struct error *err)
{
    struct foreach_batch *sink = state;
    return directories_make(sink->spec->work_dir, err) && output_begin(sink->output, batch, err);
}

static struct sink_task *foreach_task_new(void *state, uint32_t task_index, struct error *err)
{
    (void)task_index;
    (void)err;
    return output_task_new(((struct foreach_batch *)state)->output);
}

static bool foreach_stage_append(void *state, struct sink_task *task, struct error *err)
{
    return output_append(((struct foreach_batch *)state)->output, task, err);
}

static bool foreach_prepare(void *state, struct arena *arena, struct manifest *out, struct error *err)
{
    return output_prepare(((struct foreach_batch *)state)->output, arena, out, err);
}

static const char *const *batch_environment(const struct foreach_batch *sink, struct arena *arena, const struct batch_identity *batch,
                                            const struct manifest *manifest)
{
    const char **variables = ARENA_ARRAY(arena, const char *, 6);
    variables[0] = arena_printf(arena, "INLET_BATCH_ID=%lld", (long long)batch->batch_id);
    variables[1] = arena_printf(arena, "INLET_QUERY_ID=%s", sink->spec->query_id);
    variables[2] = arena_printf(arena, "INLET_QUERY_NAME=%s", sink->spec->query_name ? sink->spec->query_name : "");
    variables[3] = arena_printf(arena, "INLET_ROWS=%lld", (long long)manifest->rows);
    variables[4] = arena_printf(arena, "INLET_PLAN_DIGEST=%s", batch->plan_digest);
    return variables;
}

/* A batch without rows has no file: the command gets an empty one. */
static int open_spool(const struct foreach_batch *sink, struct arena *arena, const struct manifest *manifest, struct error *err)
{
    const char *path = manifest->count ? path_join(arena, sink->spec->work_dir, manifest->files[0].staged) : "/dev/null";
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        error_errno(err, "could not open the batch's rows, file \"%s\"", path);
    } else if (manifest->count && (fstat(fd, &info) != 0 || info.st_size != manifest->files[0].size)) {
        error_set(err, COND_INLET_DAMAGED_FILE, "the batch's rows, file \"%s\", are not the %lld bytes that were prepared", path,
                  (long long)manifest->files[0].size);
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool run_batch(const struct foreach_batch *sink, struct arena *arena, const struct batch_identity *batch, const struct manifest *manifest,
                      struct error *err)
{
    if (manifest->count > 1) return error_set(err, COND_INLET_INTERNAL, "the batch's rows are in %zu files", manifest->count);
    int input = open_spool(sink, arena, manifest, err);
    if (input < 0) return false;
    struct command command = {.argv = sink->spec->command, .directory = sink->spec->base_dir,
                              .environment = batch_environment(sink, arena, batch, manifest), .input = input,
                              .cancel = &sink->spec->context->cancel};
    bool ok = command_run(&command, err);
    close(input);
    return ok;
}

static bool foreach_publish(void *state, const struct batch_identity *batch, const struct manifest *manifest, struct error *err)
{
    struct arena *arena = arena_new("foreachBatch");
    bool ok = run_batch(state, arena, batch, manifest, err);
    arena_free(arena);
    return ok || error_context(err, "giving batch %lld to foreachBatch", (long long)batch->batch_id);
}

/* Only now: until the commit the command may have to be run again. */
static bool foreach_after_commit(void *state, struct error *err)
{
    (void)err;
    const struct foreach_batch *sink = state;
    staging_sweep(sink->spec->work_dir, sink->spec->query_id);
    return true;
}

static void foreach_abort(void *state)
{
    struct foreach_batch *sink = state;
    if (sink->output) output_abort(sink->output);
}

static const char *foreach_description(void *state)
{
    (void)state;
    return "ForeachBatchSink";
}

const struct sink_ops foreach_batch_sink = {
    .name = "foreachBatch", .options = foreach_batch_options, .state_size = sizeof(struct foreach_batch), .check = foreach_check,
    .open = foreach_open, .committed = foreach_committed, .stage_begin = foreach_stage_begin, .task_new = foreach_task_new,
    .task_add = output_task_add, .task_finish = output_task_finish, .task_memory = output_task_memory, .task_free = output_task_free,
    .stage_append = foreach_stage_append, .prepare = foreach_prepare, .publish = foreach_publish, .abort = foreach_abort,
    .after_commit = foreach_after_commit, .close = foreach_close, .description = foreach_description,
};
