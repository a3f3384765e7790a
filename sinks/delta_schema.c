/* delta_schema -- merging schemas, saying what differs, widening columns. */
#include "sinks/delta_schema.h"
#include "sinks/schema_check.h"

#include <string.h>
#include <strings.h>

/* --- merging -------------------------------------------------------------------------------------- */

struct merger {
    struct arena *arena;
    bool merge;
    bool changes, widens;
    struct buffer differences;     /* "; "-joined. */
    bool adds_only;                /* Every difference is a column that mergeSchema would add. */
};

/* `in_table` NULL: the table has no such column. */
static void differ(struct merger *merger, const char *path, const struct type *in_data, const struct type *in_table)
{
    struct buffer first = {0}, second = {0};
    type_print_ddl(in_data, &first);
    if (in_table) type_print_ddl(in_table, &second);
    if (merger->differences.size) buffer_text(&merger->differences, "; ");
    if (in_table) buffer_printf(&merger->differences, "column `%s` is %s in the data but %s in the table", path, buffer_string(&first), buffer_string(&second));
    else buffer_printf(&merger->differences, "column `%s` %s is not in the table", path, buffer_string(&first));
    buffer_free(&first);
    buffer_free(&second);
}

static bool is_safe_upcast(const struct type *from, const struct type *to)
{
    bool integers = from->kind >= TYPE_TINYINT && from->kind <= TYPE_BIGINT && to->kind >= TYPE_TINYINT && to->kind <= TYPE_BIGINT;
    if (integers) return from->kind < to->kind;
    if (from->kind == TYPE_FLOAT) return to->kind == TYPE_DOUBLE;
    return from->kind == TYPE_DECIMAL && to->kind == TYPE_DECIMAL && from->scale == to->scale && from->precision < to->precision;
}

static int find_field(const struct type *type, const struct field *wanted)
{
    for (size_t i = 0; i < type->field_count; i++)
        if (type->fields[i].name_size == wanted->name_size && strcasecmp(type->fields[i].name, wanted->name) == 0) return (int)i;
    return -1;
}

static void merge_type(struct merger *merger, const char *path, const struct type *table, const struct type *batch,
                       const struct type **written, const struct type **merged);

static void merge_struct(struct merger *merger, const char *path, const struct type *table, const struct type *batch,
                         const struct type **written, const struct type **merged)
{
    struct field *files = ARENA_ARRAY(merger->arena, struct field, batch->field_count + 1);
    struct field *fields = ARENA_ARRAY(merger->arena, struct field, table->field_count + batch->field_count + 1);
    size_t count = table->field_count;
    memcpy(fields, table->fields, count * sizeof *fields);
    for (size_t i = 0; i < batch->field_count; i++) {
        const struct field *field = &batch->fields[i];
        const char *name = path[0] ? arena_printf(merger->arena, "%s.%s", path, field->name) : field->name;
        int at = find_field(table, field);
        if (at < 0) {
            fields[count] = *field;
            fields[count].nullable = true;
            fields[count].type = type_as_nullable(merger->arena, field->type);
            files[i] = fields[count++];
            if (!merger->merge) differ(merger, name, field->type, NULL);
            merger->changes = true;
            continue;
        }
        files[i] = fields[at];
        files[i].nullable = true;
        merge_type(merger, name, table->fields[at].type, field->type, &files[i].type, &fields[at].type);
    }
    *written = type_struct(merger->arena, files, batch->field_count);
    *merged = type_struct(merger->arena, fields, count);
}

static void merge_type(struct merger *merger, const char *path, const struct type *table, const struct type *batch,
                       const struct type **written, const struct type **merged)
{
    *written = *merged = table;
    if (table->kind != batch->kind) {
        if (is_safe_upcast(batch, table)) {
            merger->widens = true;
        } else {
            merger->adds_only = false;
            differ(merger, path, batch, table);
        }
        return;
    }
    const struct type *parts[2], *merged_parts[2];
    switch (table->kind) {
    case TYPE_STRUCT: merge_struct(merger, path, table, batch, written, merged); return;
    case TYPE_ARRAY:
        merge_type(merger, arena_printf(merger->arena, "%s.element", path), table->fields[0].type, batch->fields[0].type, &parts[0], &merged_parts[0]);
        *written = type_array(merger->arena, parts[0], true);
        *merged = type_array(merger->arena, merged_parts[0], table->fields[0].nullable);
        return;
    case TYPE_MAP:
        merge_type(merger, arena_printf(merger->arena, "%s.key", path), table->fields[0].type, batch->fields[0].type, &parts[0], &merged_parts[0]);
        merge_type(merger, arena_printf(merger->arena, "%s.value", path), table->fields[1].type, batch->fields[1].type, &parts[1], &merged_parts[1]);
        *written = type_map(merger->arena, parts[0], parts[1], true);
        *merged = type_map(merger->arena, merged_parts[0], merged_parts[1], table->fields[1].nullable);
        return;
    case TYPE_DECIMAL:
        if (table->precision == batch->precision && table->scale == batch->scale) return;
        if (is_safe_upcast(batch, table)) {
            merger->widens = true;
            return;
        }
        merger->adds_only = false;
        differ(merger, path, batch, table);
        return;
    default: return;
    }
}

/* --- rules ---------------------------------------------------------------------------------------- */

static bool check_names(const struct type *type, struct error *err)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        if (type->kind == TYPE_STRUCT && strpbrk(field->name, " ,;{}()\n\t=")) {
            error_set(err, COND_DELTA_INVALID_COLUMN_NAMES, "Found invalid character(s) among ' ,;{}()\\n\\t=' in the column name \"%s\" of the schema",
                      field->name);
            return error_hint(err, "Rename the column in the query, for example with AS.");
        }
        if (!check_names(field->type, err)) return false;
    }
    return true;
}

/* NOT NULL below the top level would have to be checked value by value inside arrays and structs. */
static bool check_nested_required(const struct type *type, const char *column, struct error *err)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        bool is_key = type->kind == TYPE_MAP && i == 0;
        if (!field->nullable && !is_key)
            return error_set(err, COND_INLET_NOT_SUPPORTED_YET, "column `%s` of the Delta table has a NOT NULL field `%s` inside; inlet checks NOT NULL of whole columns only",
                             column, field->name);
        if (!check_nested_required(field->type, column, err)) return false;
    }
    return true;
}

static bool collect_required(struct arena *arena, const struct type *table, const struct type *batch, const char *const **out, struct error *err)
{
    const char **names = ARENA_ARRAY(arena, const char *, table->field_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < table->field_count; i++) {
        const struct field *field = &table->fields[i];
        bool present = find_field(batch, field) >= 0;
        if (present && !check_nested_required(field->type, field->name, err)) return false;
        if (field->nullable) continue;
        if (!present)
            return error_set(err, COND_DELTA_NOT_NULL_VIOLATED, "Column `%s`, which has a NOT NULL constraint, is missing from the data being written into the table",
                             field->name);
        names[count++] = field->name;
    }
    *out = names;
    return true;
}

static bool same_partitions(const struct delta_metadata *metadata, const char *const *partition_by, size_t count)
{
    if (metadata->partition_count != count) return false;
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(metadata->partition_columns[i], partition_by[i]) != 0) return false;
    return true;
}

static void print_list(struct buffer *out, const char *const *names, size_t count)
{
    buffer_byte(out, '[');
    for (size_t i = 0; i < count; i++) buffer_printf(out, "%s%s", i ? ", " : "", names[i]);
    buffer_byte(out, ']');
}

static bool refuse_partitions(const struct delta_metadata *metadata, const char *const *partition_by, size_t count, struct error *err)
{
    struct buffer asked = {0}, has = {0};
    print_list(&asked, partition_by, count);
    print_list(&has, (const char *const *)metadata->partition_columns, metadata->partition_count);
    error_set(err, COND_DELTA_METADATA_MISMATCH, "Partition columns do not match the partition columns of the table. Given: %s. Table: %s",
              buffer_string(&asked), buffer_string(&has));
    buffer_free(&asked);
    buffer_free(&has);
    return error_hint(err, "Leave partitionBy out to write as the table is partitioned.");
}

static bool fit_new(struct arena *arena, const struct type *batch, const char *const *partition_by, size_t count, struct delta_fit *out, struct error *err)
{
    if (!check_names(batch, err)) return false;
    out->table = out->written = type_as_nullable(arena, batch);
    out->changes = true;
    out->required = ARENA_ARRAY(arena, const char *, 1);
    out->partition_columns = ARENA_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct field wanted = {.name = partition_by[i], .name_size = strlen(partition_by[i])};
        int at = find_field(batch, &wanted);
        out->partition_columns[i] = at >= 0 ? batch->fields[at].name : partition_by[i]; /* An unknown one is the layout's to refuse. */
    }
    out->partition_count = count;
    return true;
}

static bool refuse_schema(struct merger *merger, struct error *err)
{
    error_set(err, COND_DELTA_METADATA_MISMATCH, "A schema mismatch detected when writing to the Delta table: %s", buffer_string(&merger->differences));
    if (merger->adds_only) return error_hint(err, "Set the writer's option mergeSchema to true to add the columns to the table.");
    return error_hint(err, "Cast the columns in the query to the table's types, or write to another table.");
}

static bool fit_table(struct arena *arena, const struct delta_snapshot *snapshot, const struct type *batch, bool merge, struct delta_fit *out, struct error *err)
{
    const struct delta_metadata *metadata = &snapshot->metadata;
    struct merger merger = {.arena = arena, .merge = merge, .adds_only = true};
    merge_struct(&merger, "", metadata->schema, batch, &out->written, &out->table);
    bool ok = merger.differences.size == 0 || refuse_schema(&merger, err);
    buffer_free(&merger.differences);
    if (!ok || (merger.changes && !check_names(out->table, err))) return false;
    out->changes = merger.changes;
    out->widens = merger.widens;
    out->partition_columns = metadata->partition_columns;
    out->partition_count = metadata->partition_count;
    return collect_required(arena, metadata->schema, batch, &out->required, err);
}

bool delta_schema_fit(struct arena *arena, const struct delta_snapshot *snapshot, const struct type *batch, const char *const *partition_by,
                      size_t partition_count, bool merge, struct delta_fit *out, struct error *err)
{
    *out = (struct delta_fit){0};
    if (!schema_check_duplicates(batch, false, err) || !schema_check_types(batch, SUPPORT_DELTA, "Delta", err)) return false;
    if (snapshot->version < 0) return fit_new(arena, batch, partition_by, partition_count, out, err);
    if (partition_count && !same_partitions(&snapshot->metadata, partition_by, partition_count))
        return refuse_partitions(&snapshot->metadata, partition_by, partition_count, err);
    return fit_table(arena, snapshot, batch, merge, out, err);
}

/* --- adapting ------------------------------------------------------------------------------------- */

static int64_t integer_at(const struct column *column, size_t row)
{
    switch (column->type->kind) {
    case TYPE_TINYINT: return ((const int8_t *)column->values)[row];
    case TYPE_SMALLINT: return ((const int16_t *)column->values)[row];
    default: return ((const int32_t *)column->values)[row];
    }
}

static void widen_values(const struct column *from, enum type_kind kind, void *values)
{
    for (uint32_t i = 0; i < from->length; i++) switch (kind) {
        case TYPE_SMALLINT: ((int16_t *)values)[i] = (int16_t)integer_at(from, i); break;
        case TYPE_INT: ((int32_t *)values)[i] = (int32_t)integer_at(from, i); break;
        case TYPE_BIGINT: ((int64_t *)values)[i] = integer_at(from, i); break;
        default: ((double *)values)[i] = (double)((const float *)from->values)[i]; break;
        }
}

/* *column is a share of the batch's, PLAIN; from here it is of type `to`, which it may be widened to. */
static bool widen_column(struct column *column, const struct type *to, struct budget *budget, struct error *err)
{
    const struct type *from = column->type;
    if (from->kind == to->kind) {
        for (uint32_t i = 0; i < column->child_count; i++)
            if (!widen_column(&column->children[i], to->fields[i].type, budget, err)) return false;
        column->type = to;
        return true;
    }
    void *values = block_alloc(budget, (size_t)column->length * type_width(to->kind) + 1, err);
    if (!values) return false;
    if (column->length) widen_values(column, to->kind, values);
    block_release(column->values);
    column->values = values;
    column->type = to;
    return true;
}

static bool has_null(const struct column *column, const struct chunk *chunk)
{
    if (!column->null_count) return false;
    if (!chunk->selection) return true;
    for (uint32_t i = 0; i < chunk->selection_count; i++)
        if (!column_is_valid(column, chunk->selection[i])) return true;
    return false;
}

static bool is_required(const struct delta_fit *fit, const struct field *field)
{
    for (size_t i = 0; fit->required[i]; i++)
        if (strcmp(fit->required[i], field->name) == 0) return true;
    return false;
}

bool delta_schema_adapt(const struct delta_fit *fit, const struct chunk *chunk, struct chunk *out, struct budget *budget, struct error *err)
{
    for (size_t i = 0; i < fit->written->field_count; i++) {
        const struct field *field = &fit->written->fields[i];
        struct column *column = &out->columns[i];
        column_fini(column);
        if (!column_plain(column, &chunk->columns[i], budget, err)) return false;
        if (is_required(fit, field) && has_null(column, chunk))
            return error_set(err, COND_DELTA_NOT_NULL_VIOLATED, "NOT NULL constraint violated for column: %s", field->name);
        if (fit->widens && !widen_column(column, field->type, budget, err)) return false;
    }
    out->row_count = chunk->row_count;
    return true;
}
