/* check -- `inlet check`: everything that can be said of a pipeline file without reading a row. */
#include "cli/cli.h"
#include "listing/partitions.h"
#include "loader/clean.h"
#include "loader/preview.h"
#include "loader/resolve.h"
#include "loader/roots.h"

#include <stdio.h>
#include <string.h>

struct folders {
    struct arena *arena;
    const char **paths;
    size_t count, capacity;
};

static bool on_file(void *user, const struct sighting *sighting, enum admission_verdict verdict, const char *reason, struct error *err)
{
    struct folders *folders = user;
    (void)verdict, (void)reason, (void)err;
    if (folders->count && strcmp(folders->paths[folders->count - 1], sighting->directory) == 0) return true;
    if (folders->count == folders->capacity) {
        size_t wanted = folders->capacity ? folders->capacity * 2 : 64;
        const char **grown = ARENA_ARRAY(folders->arena, const char *, wanted);
        if (folders->count) memcpy(grown, folders->paths, folders->count * sizeof *grown);
        folders->paths = grown;
        folders->capacity = wanted;
    }
    folders->paths[folders->count++] = arena_strdup(folders->arena, sighting->directory);
    return true;
}

/* The columns that the key=value folders of the landing zone have now. */
static const struct type *find_partitions(struct arguments *arguments, const struct pipeline *pipeline, struct error *err)
{
    struct folders folders = {.arena = arguments->arena};
    if (!discover_preview(&pipeline->reader, NULL, arguments->context, on_file, &folders, err)) return NULL;
    struct partition_rules rules = load_partition_rules(arguments->arena, pipeline);
    return partitions_discover(&rules, folders.paths, folders.count, arguments->arena, err);
}

/* The query and the sink against the schema; only where that has not all the columns, the landing zone is looked at. */
static bool check_against(struct arguments *arguments, const struct pipeline *pipeline, const struct type *partitions, struct error *err)
{
    struct resolved resolved;
    if (!resolve_query(pipeline, partitions, arguments->arena, &resolved, err)) return false;
    struct sink_spec spec = {
        .path = pipeline->writer.path, .schema = resolved.output_schema, .partition_by = pipeline->writer.partition_by,
        .partition_count = pipeline->writer.partition_count, .options = &pipeline->writer.options, .session = &pipeline->session,
        .context = arguments->context, .query_id = "", .query_name = pipeline->name, .base_dir = pipeline->base_dir,
        .work_dir = pipeline->writer.checkpoint, .command = pipeline->writer.command};
    return pipeline->writer.sink->check(&spec, err) && clean_check(&pipeline->reader, err);
}

static bool check_query(struct arguments *arguments, const struct pipeline *pipeline, struct error *err)
{
    if (!load_base_check(&pipeline->reader, err)) return false;
    if (check_against(arguments, pipeline, type_struct(arguments->arena, NULL, 0), err)) return true;
    if (err->condition != COND_UNRESOLVED_COLUMN && err->condition != COND_INLET_PARTITION_COLUMN) return false;
    struct error later;
    error_clear(&later);
    const struct type *partitions = find_partitions(arguments, pipeline, &later);
    if (!partitions || !partitions->field_count) return false; /* The first error says more. */
    error_clear(err);
    return check_against(arguments, pipeline, partitions, err);
}

static void put_good(struct arguments *arguments, const struct pipeline *pipeline)
{
    struct buffer out = {0}, schema = {0};
    schema_print_ddl(pipeline->reader.schema, &schema);
    if (arguments->json) {
        struct json_print json = {.out = &out};
        json_begin(&json, NULL, '{');
        json_put_text(&json, "pipeline", pipeline->name);
        json_put_text(&json, "file", pipeline->file);
        json_put_bool(&json, "ok", true);
        json_put_text(&json, "format", pipeline->reader.format);
        json_put_text(&json, "schema", buffer_string(&schema));
        json_put_text(&json, "sink", pipeline->writer.sink->name);
        json_put_text(&json, "path", pipeline->writer.path);
        json_put_text(&json, "checkpoint", pipeline->writer.checkpoint);
        json_put_text(&json, "warnings", pipeline->warnings);
        json_end(&json, '}');
        buffer_byte(&out, '\n');
    } else if (!arguments->quiet) {
        buffer_printf(&out, "%s: ok: %s -> %s\n", pipeline->file, pipeline->reader.format, pipeline->writer.sink->name);
    }
    buffer_free(&schema);
    print_buffer(&out);
}

static int put_bad(struct arguments *arguments, const char *file, const struct error *err)
{
    if (arguments->json) {
        struct buffer out = {0};
        struct json_print json = {.out = &out};
        json_begin(&json, NULL, '{');
        json_put_text(&json, "file", file);
        json_put_bool(&json, "ok", false);
        json_put_text(&json, "condition", condition_name(err->condition));
        json_put_text(&json, "error", err->message);
        json_put_text(&json, "hint", err->hint);
        json_put_int(&json, "line", err->line);
        json_end(&json, '}');
        buffer_byte(&out, '\n');
        print_buffer(&out);
    }
    return fail_with(err);
}

static int check_run(struct arguments *arguments)
{
    int status = EXIT_DONE;
    struct error err;
    error_clear(&err);
    const char *here = ".";
    size_t words = arguments->word_count ? arguments->word_count : 1;
    for (size_t i = 0; i < words; i++) {
        const char **files;
        size_t count;
        if (!expand_pipelines(arguments->arena, arguments->word_count ? arguments->words[i] : here, &files, &count, &err)) return fail_with(&err);
        for (size_t j = 0; j < count; j++) {
            const struct pipeline *pipeline = pipeline_load(arguments->arena, files[j], &err);
            if (pipeline && !arguments->quiet) print_warnings(pipeline);
            if (pipeline && check_query(arguments, pipeline, &err)) put_good(arguments, pipeline);
            else {
                if (pipeline) pipeline_explain(pipeline, &err);
                status = put_bad(arguments, files[j], &err);
            }
            error_clear(&err);
        }
    }
    return status;
}

static const struct flag no_flags[] = {{0}};
const struct verb check_verb = {"check", "check [FLAGS] [PIPELINE...]", "check pipeline files without reading any data",
                                "Reads each pipeline file, its options, schema and query, and asks the sink whether it can write the result. Touches nothing.\n"
                                "Exit status 0 or 78.",
                                no_flags, check_run};
