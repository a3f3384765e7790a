/* show -- `inlet show PATH`: rows of a Parquet, JSON or Delta output as a table, or as NDJSON. */
#include "base/panic.h"
#include "base/tree.h"
#include "cli/cli.h"
#include "cli/show_files.h"
#include "columns/show.h"
#include "formats/json_write.h"
#include "formats/rows.h"

#include <stdio.h>
#include <stdlib.h>

struct viewer {
    struct arguments *arguments;
    struct shown_output output;
    struct session session;
    const struct type *schema;      /* Of the rows shown: data columns, then partition columns as text. */
    struct show_table *table;       /* Table output; NULL: JSON. */
    const struct json_rows *rows;
    int64_t limit, shown;
    struct buffer out;
};

/* --- Parquet and Delta ---------------------------------------------------------------------------------------- */

static bool is_partition(const struct shown_output *output, const char *name)
{
    for (size_t i = 0; i < output->partition_count; i++)
        if (strcmp(output->partition_columns[i], name) == 0) return true;
    return false;
}

static const struct type *shown_schema(struct arena *arena, const struct shown_output *output, const struct type *data)
{
    struct field *fields = ARENA_ARRAY(arena, struct field, data->field_count + output->partition_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < data->field_count; i++)
        if (!is_partition(output, data->fields[i].name)) fields[count++] = data->fields[i];
    for (size_t i = 0; i < output->partition_count; i++) {
        const char *name = output->partition_columns[i];
        fields[count++] = (struct field){.name = name, .name_size = strlen(name), .type = type_primitive(TYPE_STRING), .nullable = true};
    }
    return type_struct(arena, fields, count);
}

static bool open_output(struct viewer *viewer, const struct type *data, struct error *err)
{
    struct arena *arena = viewer->arguments->arena;
    viewer->schema = shown_schema(arena, &viewer->output, data);
    if (!viewer->table && !viewer->arguments->json)
        viewer->table = show_table_new(viewer->schema, (size_t)viewer->limit, flag_value(viewer->arguments, "wide") ? 0 : 40, &viewer->session);
    else if (viewer->arguments->json) viewer->rows = json_rows_compile(viewer->schema, &viewer->session, arena, err);
    return !viewer->arguments->json || viewer->rows;
}

static bool fill_text(struct column *column, const char *text, uint32_t rows, struct budget *budget, struct error *err)
{
    column_fini(column);
    if (!text) return column_make_null(column, type_primitive(TYPE_STRING), rows, budget, err);
    size_t size = strlen(text);
    column_init(column, type_primitive(TYPE_STRING));
    if (!column_reserve(column, budget, rows, err) || !column_reserve_data(column, budget, size * rows + 1, err)) return false;
    for (uint32_t i = 0; i < rows; i++) {
        memcpy(column->data + i * size, text, size);
        column->offsets[i + 1] = (int32_t)((i + 1) * size);
    }
    column->length = rows;
    return true;
}

/* The file's columns under the shown schema: by name; missing ones are null. */
static bool arrange(struct viewer *viewer, const struct shown_file *file, const struct chunk *in, struct chunk *out, struct error *err)
{
    struct budget *budget = viewer->arguments->context->budget;
    size_t data_count = viewer->schema->field_count - viewer->output.partition_count;
    for (size_t i = 0; i < data_count; i++) {
        const struct field *field = &viewer->schema->fields[i];
        int at = schema_find(in->schema, field->name, field->name_size, true);
        if (at == -2 && i < in->schema->field_count && strcmp(in->schema->fields[i].name, field->name) == 0) at = (int)i; /* A name twice: by position. */
        column_fini(&out->columns[i]);
        if (at == -2) {
            column_init(&out->columns[i], field->type);
            return error_set(err, COND_FAILED_READ_FILE_TYPE_MISMATCH, "column `%s` is there more than once in file \"%s\"", field->name, file->path);
        } else if (at < 0) {
            if (!column_make_null(&out->columns[i], field->type, in->row_count, budget, err)) return false;
        } else if (!type_equal(in->schema->fields[at].type, field->type, false)) {
            column_init(&out->columns[i], field->type);
            return error_set(err, COND_FAILED_READ_FILE_TYPE_MISMATCH, "column `%s` has another type in file \"%s\"", field->name, file->path);
        } else if (!column_plain(&out->columns[i], &in->columns[at], budget, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < viewer->output.partition_count; i++)
        if (!fill_text(&out->columns[data_count + i], file->partition_values ? file->partition_values[i] : NULL, in->row_count, budget, err)) return false;
    out->row_count = in->row_count;
    return true;
}

static bool put_chunk(struct viewer *viewer, const struct chunk *chunk, bool *full, struct error *err)
{
    error_clear(err);
    if (viewer->table) {
        *full = !show_table_add(viewer->table, chunk, err);
        return !error_is_set(err);
    }
    for (uint32_t row = 0; row < chunk->row_count && viewer->shown < viewer->limit; row++, viewer->shown++) {
        if (!json_rows_append(viewer->rows, chunk->columns, row, &viewer->out, err)) return false;
        buffer_byte(&viewer->out, '\n');
        if (viewer->out.size > 1 << 16) print_buffer(&viewer->out);
    }
    *full = viewer->shown >= viewer->limit;
    return true;
}

static bool show_parquet_file(struct viewer *viewer, const struct shown_file *shown, bool *full, struct error *err)
{
    struct arena *arena = arena_new("show");
    struct parquet_file *file = parquet_open(shown->path, arena, err);
    bool ok = file != NULL;
    if (ok && !viewer->schema) ok = open_output(viewer, type_copy(viewer->arguments->arena, parquet_schema(file)), err);
    if (ok) {
        struct chunk in, out;
        chunk_init(&in, parquet_schema(file));
        chunk_init(&out, viewer->schema);
        enum pull pull = PULL_END;
        while (ok && !*full && (pull = parquet_next(file, &in, viewer->arguments->context, err)) == PULL_CHUNK)
            ok = arrange(viewer, shown, &in, &out, err) && put_chunk(viewer, &out, full, err);
        if (pull == PULL_FAILED) ok = false;
        chunk_fini(&out);
        chunk_fini(&in);
    }
    if (file) parquet_close(file);
    arena_free(arena);
    return ok;
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

struct json_view { /* Rows as trees, and the union of their keys in order of appearance. */
    struct tree **rows;
    size_t row_count;
    const char *keys[256];
    size_t key_count;
    const struct shown_file *file;  /* Whose lines are read; */
    const struct shown_file **of;   /* and the file of each row: its folder names hold the partition columns. */
};

static void learn_keys(struct json_view *view, const struct tree *row)
{
    for (const struct tree *value = row->first; value; value = value->next) {
        bool known = false;
        for (size_t i = 0; i < view->key_count && !known; i++) known = strcmp(view->keys[i], value->key) == 0;
        if (!known && view->key_count < COUNTOF(view->keys)) view->keys[view->key_count++] = value->key;
    }
}

/* The object as it stands in the file, with the values of its folders behind its own. */
static void put_json_line(struct viewer *viewer, const struct shown_file *file, struct slice line)
{
    struct buffer *out = &viewer->out;
    size_t size = line.size;
    while (size && (line.data[size - 1] == ' ' || line.data[size - 1] == '\r')) size--;
    bool is_object = size >= 2 && line.data[0] == '{' && line.data[size - 1] == '}', has_fields = size > 2;
    buffer_append(out, line.data, is_object ? size - 1 : size);
    for (size_t i = 0; is_object && i < viewer->output.partition_count; i++) {
        const char *name = viewer->output.partition_columns[i], *value = file->partition_values[i];
        if (!value) continue;
        if (has_fields) buffer_byte(out, ',');
        has_fields = true;
        buffer_json_string(out, name, strlen(name));
        buffer_byte(out, ':');
        buffer_json_string(out, value, strlen(value));
    }
    if (is_object) buffer_byte(out, '}');
    buffer_byte(out, '\n');
}

static bool take_line(struct viewer *viewer, struct json_view *view, struct slice line, struct error *err)
{
    if (!line.size) return true;
    if (viewer->arguments->json) {
        put_json_line(viewer, view->file, line);
        if (viewer->out.size > 1 << 16) print_buffer(&viewer->out);
        viewer->shown++;
        return true;
    }
    struct tree *row = tree_parse_json(viewer->arguments->arena, line, err);
    if (!row) {
        if (err) err->line = 0; /* Of the JSON text, not of a pipeline file. */
        return error_wrap(err, COND_FAILED_READ_FILE, "line %lld is not a JSON object", (long long)viewer->shown + 1);
    }
    learn_keys(view, row);
    view->of[view->row_count] = view->file;
    view->rows[view->row_count++] = row;
    viewer->shown++;
    return true;
}

static bool show_json_file(struct viewer *viewer, struct json_view *view, const struct shown_file *file, struct error *err)
{
    view->file = file;
    struct object_stat stat;
    struct input *input = input_open(&local_store, file->path, 0, -1, &viewer->arguments->context->cancel, &stat, err);
    if (!input) return false;
    struct buffer text = {0};
    bool ok = true, end = false;
    while (ok && !end && viewer->shown < viewer->limit) {
        size_t got, start = 0;
        ok = input_read(input, buffer_reserve(&text, 64 << 10), 64 << 10, false, &got, err);
        if (!ok) break;
        text.size += got;
        end = got == 0;
        for (uint8_t *newline; ok && viewer->shown < viewer->limit && (newline = memchr(text.data + start, '\n', text.size - start));) {
            size_t size = (size_t)(newline - text.data) - start;
            ok = take_line(viewer, view, slice_of(text.data + start, size), err);
            start += size + 1;
        }
        if (ok && end && start < text.size && viewer->shown < viewer->limit) ok = take_line(viewer, view, slice_of(text.data + start, text.size - start), err);
        memmove(text.data, text.data + start, text.size - start);
        text.size -= start;
    }
    buffer_free(&text);
    input_close(input);
    return ok;
}

static void put_json_table(struct viewer *viewer, const struct json_view *view)
{
    struct arena *arena = viewer->arguments->arena;
    size_t partitions = viewer->output.partition_count, count = view->key_count + partitions;
    struct field *fields = ARENA_ARRAY(arena, struct field, count + 1);
    for (size_t i = 0; i < count; i++) {
        const char *name = i < view->key_count ? view->keys[i] : viewer->output.partition_columns[i - view->key_count];
        fields[i] = (struct field){.name = name, .name_size = strlen(name), .type = type_primitive(TYPE_STRING), .nullable = true};
    }
    const struct type *schema = type_struct(arena, fields, count);
    viewer->table = show_table_new(schema, (size_t)viewer->limit, flag_value(viewer->arguments, "wide") ? 0 : 40, &viewer->session);
    struct chunk chunk;
    struct error err;
    chunk_init(&chunk, schema);
    for (size_t row = 0; row < view->row_count; row++) {
        chunk_reset(&chunk);
        for (size_t i = 0; i < view->key_count; i++) {
            struct tree *value = tree_get(view->rows[row], view->keys[i]);
            struct buffer text = {0};
            if (value && value->kind >= TREE_LIST) tree_print_json(value, &text);
            else if (value && value->kind != TREE_NULL) buffer_append(&text, value->text, value->text_size);
            if (!fill_text(&chunk.columns[i], value && value->kind != TREE_NULL ? buffer_string(&text) : NULL, 1, NULL, &err)) panic_out_of_memory(text.size);
            buffer_free(&text);
        }
        for (size_t i = 0; i < partitions; i++)
            if (!fill_text(&chunk.columns[view->key_count + i], view->of[row]->partition_values[i], 1, NULL, &err)) panic_out_of_memory(0);
        chunk.row_count = 1;
        if (!show_table_add(viewer->table, &chunk, &err)) break;
    }
    chunk_fini(&chunk);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static bool show_rows(struct viewer *viewer, struct error *err)
{
    bool full = false, ok = true;
    if (viewer->output.format == SHOWN_PARQUET) {
        if (viewer->output.schema) ok = open_output(viewer, viewer->output.schema, err);
        for (size_t i = 0; ok && !full && i < viewer->output.count; i++) ok = show_parquet_file(viewer, &viewer->output.files[i], &full, err);
        return ok;
    }
    struct json_view view = {.rows = ARENA_ARRAY(viewer->arguments->arena, struct tree *, viewer->arguments->json ? 1 : viewer->limit + 1)};
    view.of = ARENA_ARRAY(viewer->arguments->arena, const struct shown_file *, viewer->arguments->json ? 1 : viewer->limit + 1);
    for (size_t i = 0; ok && viewer->shown < viewer->limit && i < viewer->output.count; i++) ok = show_json_file(viewer, &view, &viewer->output.files[i], err);
    if (ok && !viewer->arguments->json) put_json_table(viewer, &view);
    return ok;
}

static int show_run(struct arguments *arguments)
{
    struct viewer viewer = {.arguments = arguments};
    struct error err;
    struct buffer warnings = {0};
    error_clear(&err);
    if (arguments->word_count != 1) return usage_error(arguments, "which output?");
    if (!flag_int(arguments, "limit", arguments->json ? INT64_MAX : 20, &viewer.limit)) return EXIT_USAGE;
    if (!session_parse(arguments->arena, NULL, 0, &viewer.session, &warnings, &err)) return fail_with(&err);
    if (!find_shown_files(arguments->words[0], arguments->arena, arguments->context, &viewer.output, &err)) return fail_with(&err);
    bool ok = show_rows(&viewer, &err);
    if (viewer.table) {
        if (ok) show_table_print(viewer.table, &viewer.out);
        show_table_free(viewer.table);
    }
    print_buffer(&viewer.out);
    if (ok && !viewer.schema && viewer.output.format == SHOWN_PARQUET && !arguments->quiet) fprintf(stderr, "inlet: no data files\n");
    buffer_free(&warnings);
    return ok ? EXIT_DONE : fail_with(&err);
}

static const struct flag show_flags[] = {{"limit", 'n', "N", "at most N rows (20; with --json all)"}, {"wide", 'w', NULL, "do not cut long values"}, {0}};
const struct verb show_verb = {"show", "show [FLAGS] PATH", "rows of a Parquet, JSON or Delta output as a table",
                               "PATH is a file or an output folder. Of a Delta table or a folder with Spark's log only what the log names is shown.", show_flags, show_run};
