/* resolve -- which columns the reader makes, which come from the path, and how the query sees them. */
#include "loader/resolve.h"
#include "base/panic.h"
#include "base/uri.h"
#include "loader/roots.h"
#include "loader/tasks.h"

#include <strings.h>

/* A name that no query can spell. */
#define HIDDEN_BY_DATA "\001" METADATA_COLUMN

static bool same_name(const struct session *session, const char *a, const char *b)
{
    return session->case_sensitive ? strcmp(a, b) == 0 : strcasecmp(a, b) == 0;
}

static int find_partition(const struct session *session, const struct type *partitions, const char *name)
{
    for (size_t i = 0; i < partitions->field_count; i++)
        if (same_name(session, partitions->fields[i].name, name)) return (int)i;
    return -1;
}

/* The name under which bad records are kept, or NULL where the format has none. Compared exactly, as in Spark. */
static const char *corrupt_name(const struct pipeline *pipeline)
{
    if (!options_has(&pipeline->reader.options, "columnNameOfCorruptRecord")) return NULL;
    const char *name = options_text(&pipeline->reader.options, "columnNameOfCorruptRecord");
    return name ? name : pipeline->session.corrupt_column;
}

/* The user's field of that name, or NULL. */
static const struct field *user_field(const struct pipeline *pipeline, const char *name)
{
    const struct type *user = pipeline->reader.schema;
    for (size_t i = 0; i < user->field_count; i++)
        if (same_name(&pipeline->session, user->fields[i].name, name)) return &user->fields[i];
    return NULL;
}

/* The query's input: the user's columns that are not in the path, partition columns in the order of the path, `_metadata`.
 * A partition column that the user declares too has the user's spelling. A data or partition column `_metadata` wins over the hidden one. */
static const struct type *make_input(const struct pipeline *pipeline, const struct type *partitions, struct arena *arena, size_t *visible)
{
    const struct type *user = pipeline->reader.schema;
    struct field *fields = ARENA_ARRAY(arena, struct field, user->field_count + partitions->field_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < user->field_count; i++)
        if (find_partition(&pipeline->session, partitions, user->fields[i].name) < 0) fields[count++] = user->fields[i];
    for (size_t i = 0; i < partitions->field_count; i++) {
        const struct field *declared = user_field(pipeline, partitions->fields[i].name);
        fields[count] = declared ? *declared : partitions->fields[i];
        fields[count++].type = partitions->fields[i].type;
    }
    *visible = count;
    bool is_data = schema_find(type_struct(arena, fields, count), METADATA_COLUMN, strlen(METADATA_COLUMN), pipeline->session.case_sensitive) != -1;
    const char *metadata = is_data ? HIDDEN_BY_DATA : METADATA_COLUMN;
    fields[count++] = (struct field){.name = metadata, .name_size = strlen(metadata), .type = select_metadata_type(), .nullable = false};
    return type_struct(arena, fields, count);
}

struct split {
    struct field *read, *file;      /* Columns asked of the reader; all columns of the file. */
    size_t read_count, file_count;
    int corrupt;                    /* Index in read, or -1. */
};

/* User columns that are not in the path are the reader's; only those that the query uses are asked for. */
static bool split_columns(const struct pipeline *pipeline, const struct type *partitions, const struct type *input,
                          const struct projection *projection, int *origin, struct arena *arena, struct split *out, struct error *err)
{
    const struct type *user = pipeline->reader.schema;
    const char *corrupt = corrupt_name(pipeline);
    out->read = ARENA_ARRAY(arena, struct field, user->field_count + 1);
    out->file = ARENA_ARRAY(arena, struct field, user->field_count + 1);
    out->corrupt = -1;
    for (size_t i = 0; i < input->field_count; i++) {
        const struct field *field = &input->fields[i];
        int at = find_partition(&pipeline->session, partitions, field->name);
        if (i + 1 == input->field_count) at = (int)partitions->field_count; /* `_metadata` follows the partition columns. */
        if (at >= 0) {
            origin[i] = ~at;
            continue;
        }
        bool is_corrupt = corrupt && strcmp(field->name, corrupt) == 0;
        if (is_corrupt && (field->type->kind != TYPE_STRING || !field->nullable))
            return error_set(err, COND_INVALID_CORRUPT_RECORD_TYPE, "the column `%s` for corrupt records must have the nullable STRING type", field->name);
        if (!is_corrupt) out->file[out->file_count++] = *field;
        if (!projection->uses[i]) continue;
        if (is_corrupt) out->corrupt = (int)out->read_count;
        origin[i] = (int)out->read_count;
        out->read[out->read_count++] = *field;
    }
    return true;
}

static bool passes_through(const struct projection *projection, const int *origin, size_t read_count)
{
    if (projection->count != read_count) return false;
    for (size_t i = 0; i < projection->count; i++)
        if (projection->columns[i].path_size != 1 || origin[projection->columns[i].path[0]] != (int)i) return false;
    return true;
}

/* Where the reader's column `raw` goes to; -1: it has none. */
static void find_raw_text(struct resolved *out, const int *origin, int raw, struct arena *arena)
{
    out->raw_text = ARENA_ARRAY(arena, uint32_t, out->projection.count + 1);
    for (size_t i = 0; raw >= 0 && i < out->projection.count; i++)
        if (origin[out->projection.columns[i].path[0]] == raw) out->raw_text[out->raw_text_count++] = (uint32_t)i;
}

bool resolve_query(const struct pipeline *pipeline, const struct type *partition_schema, struct arena *arena, struct resolved *out,
                   struct error *err)
{
    memset(out, 0, sizeof *out);
    size_t visible;
    const struct type *input = make_input(pipeline, partition_schema, arena, &visible);
    if (!select_resolve(pipeline->select, input, visible, &pipeline->session, arena, &out->projection, err)) return false;
    int *origin = ARENA_ARRAY(arena, int, input->field_count);
    struct split split = {0};
    if (!split_columns(pipeline, partition_schema, input, &out->projection, origin, arena, &split, err)) return false;
    out->partition_schema = partition_schema;
    out->read_schema = type_struct(arena, split.read, split.read_count);
    out->output_schema = out->projection.schema;
    out->plan = (struct project_plan){&out->projection, origin};
    out->passes_through = passes_through(&out->projection, origin, split.read_count);
    find_raw_text(out, origin, pipeline->reader.reader == &text_reader && split.read_count ? 0 : split.corrupt, arena);
    for (size_t i = 0; i < out->projection.count; i++) out->uses_constants |= origin[out->projection.columns[i].path[0]] < 0;
    struct field *constants = ARENA_ARRAY(arena, struct field, partition_schema->field_count + 1);
    memcpy(constants, partition_schema->fields, partition_schema->field_count * sizeof *constants);
    constants[partition_schema->field_count] = input->fields[input->field_count - 1];
    out->constants_schema = type_struct(arena, constants, partition_schema->field_count + 1);
    struct read_spec spec = {
        .schema = out->read_schema, .file_schema = type_struct(arena, split.file, split.file_count), .corrupt_column = split.corrupt,
        .pruned = split.read_count - (split.corrupt >= 0) < split.file_count, .options = &pipeline->reader.options,
        .session = &pipeline->session, .ignore_corrupt_files = pipeline->reader.settings.ignore_corrupt_files};
    out->reader = pipeline->reader.reader->open(&spec, arena, err);
    return out->reader != NULL;
}

/* --- Constants of each file ------------------------------------------------------------------------------- */

static void put_text(struct column *column, const char *text, size_t size)
{
    uint32_t row = column->length++;
    memcpy(column->data + column->offsets[row], text, size);
    column->offsets[row + 1] = column->offsets[row] + (int32_t)size;
}

static void put_int64(struct column *column, int64_t value) { ((int64_t *)column->values)[column->length++] = value; }

/* file_path and file_name are URIs, escaped, as Spark gives them. The whole file counts as one block. */
static bool append_metadata(struct column *metadata, const struct ledger_input *file, struct arena *scratch, struct budget *budget, struct error *err)
{
    struct buffer path = {0}, name = {0};
    uri_from_path(&path, input_path(scratch, file), "file:");
    uri_escape_component(&name, file->name, strlen(file->name));
    struct column *path_column = &metadata->children[METADATA_FILE_PATH], *name_column = &metadata->children[METADATA_FILE_NAME];
    size_t path_at = (size_t)path_column->offsets[path_column->length], name_at = (size_t)name_column->offsets[name_column->length];
    bool ok = column_reserve_data(path_column, budget, path_at + path.size + 1, err) && column_reserve_data(name_column, budget, name_at + name.size + 1, err);
    if (ok) {
        put_text(path_column, (const char *)path.data, path.size);
        put_text(name_column, (const char *)name.data, name.size);
        put_int64(&metadata->children[METADATA_FILE_SIZE], file->size);
        put_int64(&metadata->children[METADATA_FILE_BLOCK_START], 0);
        put_int64(&metadata->children[METADATA_FILE_BLOCK_LENGTH], file->size);
        put_int64(&metadata->children[METADATA_FILE_MODIFICATION_TIME], file->mtime_us - ((file->mtime_us % 1000) + 1000) % 1000); /* Milliseconds, as Hadoop knows them. */
        metadata->length++;
    }
    buffer_free(&path);
    buffer_free(&name);
    return ok;
}

bool resolve_constants(const struct pipeline *pipeline, const struct resolved *resolved, const struct ledger_input *files, size_t count,
                       struct chunk *out, struct budget *budget, struct error *err)
{
    struct column *metadata = &out->columns[resolved->partition_schema->field_count];
    struct arena *scratch = arena_new("constants");
    struct partition_rules rules = load_partition_rules(scratch, pipeline);
    bool ok = column_reserve(metadata, budget, count, err);
    for (int i = 0; ok && i < METADATA_FIELD_COUNT; i++) ok = column_reserve(&metadata->children[i], budget, count, err);
    for (size_t i = 0; ok && i < count; i++) {
        ok = partitions_append(&rules, resolved->partition_schema, files[i].directory, out->columns, budget, err) &&
             append_metadata(metadata, &files[i], scratch, budget, err);
        if (!ok) error_at(err, input_path(scratch, &files[i]), 0, -1);
    }
    out->row_count = (uint32_t)count;
    arena_free(scratch);
    return ok;
}
