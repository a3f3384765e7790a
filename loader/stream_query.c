/* stream_query -- the query and the sink of a stream, opened for the partition columns that its files have. */
#include "base/file.h"
#include "base/panic.h"
#include "loader/roots.h"
#include "loader/stream_state.h"

#include <stdlib.h>
#include <string.h>

/* Partition columns that the user's schema lacks are fixed when first seen: a column must not come and go. */
#define PARTITIONS_SETTING "source.0.partition_schema"

void stream_drop_query(struct stream *stream)
{
    if (stream->sink) stream->pipeline->writer.sink->close(stream->sink);
    free(stream->sink);
    stream->sink = NULL;
    stream->resolved_set = false;
    arena_reset(stream->resolve_arena);
}

static const struct type *discover_partitions(struct stream *stream, const struct ledger_input *files, size_t count, struct error *err)
{
    struct partition_rules rules = load_partition_rules(stream->batch_arena, stream->pipeline);
    const char **directories = ARENA_ARRAY(stream->batch_arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) directories[i] = files[i].directory;
    return partitions_discover(&rules, directories, count, stream->batch_arena, err);
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

bool stream_resolve(struct stream *stream, const struct ledger_input *files, size_t count, struct error *err)
{
    const struct type *found = discover_partitions(stream, files, count, err), *partitions;
    if (!found) return false;
    /* A batch without key=value folders keeps the columns of those before it: their rows get nulls. */
    if (stream->resolved_set && (found->field_count == 0 || type_equal(found, stream->resolved.partition_schema, false))) return true;
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
