/* stream_query -- the query and the sink of a stream, opened for the partition columns that its files have. */
#include "base/file.h"
#include "base/panic.h"
#include "listing/scope.h"
#include "loader/roots.h"
#include "loader/stream_state.h"
#include "loader/tasks.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Partition columns that the user's schema lacks are fixed when first seen: a column must not come and go. */
#define PARTITIONS_SETTING "source.0.partition_schema"
/* A folder that gave them: while it has files, later folders must agree with it. */
#define EXAMPLE_SETTING "source.0.partition_example"

void stream_drop_query(struct stream *stream)
{
    if (stream->sink) stream->pipeline->writer.sink->close(stream->sink);
    free(stream->sink);
    stream->sink = NULL;
    stream->resolved_set = false;
    arena_reset(stream->resolve_arena);
}

static bool has_files(const char *directory)
{
    bool found = false;
    DIR *folder = opendir(directory);
    const struct dirent *entry;
    while (folder && !found && (entry = readdir(folder)) != NULL) found = entry->d_type != DT_DIR && !name_is_hidden(entry->d_name);
    if (folder) closedir(folder);
    return found;
}

/* The first folder that has columns becomes the example that those of later batches are compared with. */
static bool keep_example(struct stream *stream, const struct partition_rules *rules, const char *const *directories, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct partition_value *values;
        size_t value_count;
        if (!partitions_of(rules, directories[i], stream->batch_arena, &values, &value_count, err)) return false;
        if (!value_count) continue;
        struct ledger_setting setting = {EXAMPLE_SETTING, directories[i]};
        return ledger_setting_set(stream->ledger, &setting, 1, err);
    }
    return true;
}

struct folders {
    const char **paths;
    size_t count;
};

/* Folders of the files, neighbours once. `present`: only of files that are still there. */
static struct folders folders_of(struct stream *stream, const struct ledger_input *files, size_t count, bool present)
{
    struct folders out = {ARENA_ARRAY(stream->batch_arena, const char *, count + 2), 0};
    for (size_t i = 0; i < count; i++) {
        if (out.count && strcmp(out.paths[out.count - 1], files[i].directory) == 0) continue;
        if (present && access(input_path(stream->batch_arena, &files[i]), F_OK) != 0) continue;
        out.paths[out.count++] = files[i].directory;
    }
    return out;
}

/* Spark compares all folders that there are, at each listing; here those of the batch and one of an earlier batch. A new example is kept in the
 * ledger; where nothing may be written there, NULL. */
static const struct type *compare_folders(struct stream *stream, const struct folders *folders, bool may_write, struct error *err)
{
    struct partition_rules rules = load_partition_rules(stream->batch_arena, stream->pipeline);
    const char **directories = folders->paths, *example;
    const struct type *found = partitions_discover(&rules, directories, folders->count, stream->batch_arena, err);
    if (!found || !found->field_count || rules.lenient) return found;
    if (!ledger_setting_get(stream->ledger, stream->batch_arena, EXAMPLE_SETTING, &example, err)) return NULL;
    if (!example || !has_files(example)) return may_write && keep_example(stream, &rules, directories, folders->count, err) ? found : NULL;
    directories[folders->count] = example;
    return partitions_discover(&rules, directories, folders->count + 1, stream->batch_arena, err) ? found : NULL;
}

/* A folder that was moved away because it did not fit must not be in the way for ever: its files have yet to be missed. */
static const struct type *discover_partitions(struct stream *stream, const struct ledger_input *files, size_t count, bool may_write, struct error *err)
{
    struct folders folders = folders_of(stream, files, count, false);
    const struct type *found = compare_folders(stream, &folders, may_write, err);
    if (found) return found;
    struct folders present = folders_of(stream, files, count, true);
    if (present.count == folders.count) return NULL;
    error_clear(err);
    return compare_folders(stream, &present, may_write, err);
}

static bool is_user_column(const struct stream *stream, const struct field *field)
{
    return schema_find(stream->pipeline->reader.schema, field->name, field->name_size, stream->pipeline->session.case_sensitive) >= 0;
}

/* The stored columns beyond the user's schema; NULL where none were ever stored. */
static bool stored_partitions(struct stream *stream, const struct type **out, struct error *err)
{
    const char *text;
    *out = NULL;
    if (!ledger_setting_get(stream->ledger, stream->batch_arena, PARTITIONS_SETTING, &text, err)) return false;
    if (!text) return true;
    *out = type_parse_json(stream->batch_arena, slice_text(text), err);
    return *out != NULL;
}

static bool store_partitions(struct stream *stream, const struct type *schema, struct error *err)
{
    struct buffer text = {0};
    type_print_json(schema, &text);
    struct ledger_setting setting = {PARTITIONS_SETTING, buffer_string(&text)};
    bool ok = ledger_setting_set(stream->ledger, &setting, 1, err);
    buffer_free(&text);
    return ok;
}

/* Only where the folders that earlier runs saw have gone: else the folders conflict already. Auto Loader passes such a column over. */
static bool refuse_late_column(const struct field *field, struct error *err)
{
    error_set(err, COND_CONFLICTING_PARTITION_COLUMN_NAMES, "conflicting partition column names detected: `%s` was not a column when earlier batches were loaded",
              field->name);
    return error_hint(err, "Add it to the schema of the reader, or load the folder with a checkpoint of its own.");
}

/* What is found now where the user's schema has it, and else what was found first. */
static bool settle_partitions(struct stream *stream, const struct type *found, const struct type **out, struct error *err)
{
    const struct type *stored;
    if (!stored_partitions(stream, &stored, err)) return false;
    if (!stored) {
        stored = found;
        if (found->field_count && !store_partitions(stream, found, err)) return false;
    }
    size_t count = 0;
    struct field *fields = ARENA_ARRAY(stream->batch_arena, struct field, found->field_count + stored->field_count + 1);
    for (size_t i = 0; i < stored->field_count; i++) fields[count++] = stored->fields[i];
    for (size_t i = 0; i < found->field_count; i++) {
        const struct field *field = &found->fields[i];
        bool has = schema_find(stored, field->name, field->name_size, stream->pipeline->session.case_sensitive) >= 0;
        if (!has && is_user_column(stream, field)) fields[count++] = *field;
        else if (!has && !stream->pipeline->reader.settings.is_cloud_files) return refuse_late_column(field, err);
    }
    /* A stored column that is the user's takes the type the schema has now. */
    for (size_t i = 0; i < count; i++) {
        int at = schema_find(stream->pipeline->reader.schema, fields[i].name, fields[i].name_size, stream->pipeline->session.case_sensitive);
        if (at >= 0) fields[i].type = stream->pipeline->reader.schema->fields[at].type;
    }
    *out = type_struct(stream->batch_arena, fields, count);
    return true;
}

static struct sink_spec make_sink_spec(const struct stream *stream, const struct type *schema, struct arena *arena)
{
    const struct pipeline_writer *writer = &stream->pipeline->writer;
    return (struct sink_spec){
        .path = writer->path, .schema = schema, .partition_by = writer->partition_by, .partition_count = writer->partition_count,
        .options = &writer->options, .session = &stream->pipeline->session, .context = stream->context, .query_id = ledger_query_id(stream->ledger),
        .query_name = stream->pipeline->name, .base_dir = stream->pipeline->base_dir,
        .work_dir = path_join(arena, writer->checkpoint, SINK_WORK_FOLDER), .command = writer->command};
}

static bool open_sink(struct stream *stream, struct error *err)
{
    const struct pipeline_writer *writer = &stream->pipeline->writer;
    int64_t first_batch, last_batch;
    if (!ledger_setting_int(stream->ledger, SINK_FIRST_BATCH, -1, &first_batch, err) || !ledger_last_committed(stream->ledger, &last_batch, err)) return false;
    stream->sink_spec = make_sink_spec(stream, stream->resolved.output_schema, stream->resolve_arena);
    stream->sink_spec.first_use = first_batch == last_batch + 1;
    if (!writer->sink->check(&stream->sink_spec, err)) return false;
    stream->sink = calloc(1, writer->sink->state_size + 1);
    if (!stream->sink) panic_out_of_memory(writer->sink->state_size);
    if (writer->sink->open(stream->sink, &stream->sink_spec, err)) return true;
    free(stream->sink);
    stream->sink = NULL;
    return false;
}

/* A batch without key=value folders keeps the columns of those before it: their rows get nulls. */
static bool is_resolved(const struct stream *stream, const struct type *found)
{
    return stream->resolved_set && (found->field_count == 0 || type_equal(found, stream->resolved.partition_schema, false));
}

bool stream_is_resolved(struct stream *stream, const struct ledger_input *files, size_t count)
{
    const struct type *found = discover_partitions(stream, files, count, false, NULL); /* The ledger is in the midst of a change. */
    return found && is_resolved(stream, found);
}

bool stream_resolve(struct stream *stream, const struct ledger_input *files, size_t count, struct error *err)
{
    const struct type *found = discover_partitions(stream, files, count, true, err), *partitions;
    if (!found) return false;
    if (is_resolved(stream, found)) return true;
    if (!settle_partitions(stream, found, &partitions, err)) return false;
    if (stream->resolved_set && type_equal(partitions, stream->resolved.partition_schema, false)) return true;
    stream_drop_query(stream);
    partitions = type_copy(stream->resolve_arena, partitions);
    if (!resolve_query(stream->pipeline, partitions, stream->resolve_arena, &stream->resolved, err) || !open_sink(stream, err)) {
        stream_drop_query(stream);
        return false;
    }
    stream->resolved_set = true;
    return true;
}

/* Without a file the partition columns are those of earlier runs; a query that needs others cannot be told from a wrong one. */
bool stream_check_query(struct stream *stream, struct error *err)
{
    if (stream->resolved_set || stream->query_checked) return true;
    struct arena *arena = arena_new("check");
    const struct type *partitions;
    struct resolved resolved;
    bool ok = settle_partitions(stream, type_struct(arena, NULL, 0), &partitions, err) && resolve_query(stream->pipeline, partitions, arena, &resolved, err);
    if (ok) {
        struct sink_spec spec = make_sink_spec(stream, resolved.output_schema, arena);
        ok = stream->pipeline->writer.sink->check(&spec, err);
    }
    arena_free(arena);
    stream->query_checked = ok;
    return ok;
}
