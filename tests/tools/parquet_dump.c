/* parquet_dump -- prints a Parquet file's schema and rows as JSON lines, for cross-checks with other readers.
 *
 * Values come out raw: dates as days, timestamps as microseconds, decimals as text, bytes as hex. */
#include "base/number.h"
#include "formats/rows.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void print_cell(const struct column *column, size_t row, struct buffer *out);

static void print_real(double value, struct buffer *out)
{
    char text[DOUBLE_TEXT_MAX];
    if (isnan(value)) buffer_text(out, "\"NaN\"");
    else if (isinf(value)) buffer_text(out, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else buffer_append(out, text, print_double_json(value, text));
}

static void print_bytes(const struct column *column, size_t row, struct buffer *out)
{
    const uint8_t *bytes = column->data + column->offsets[row];
    size_t size = (size_t)(column->offsets[row + 1] - column->offsets[row]);
    if (column->type->kind == TYPE_STRING) {
        buffer_json_string(out, bytes, size);
        return;
    }
    buffer_byte(out, '"');
    for (size_t i = 0; i < size; i++) buffer_printf(out, "%02x", bytes[i]);
    buffer_byte(out, '"');
}

static void print_list(const struct column *column, size_t row, struct buffer *out)
{
    buffer_byte(out, '[');
    for (int32_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
        if (i > column->offsets[row]) buffer_byte(out, ',');
        if (column->type->kind == TYPE_MAP) buffer_byte(out, '[');
        print_cell(&column->children[0], (size_t)i, out);
        if (column->type->kind != TYPE_MAP) continue;
        buffer_byte(out, ',');
        print_cell(&column->children[1], (size_t)i, out);
        buffer_byte(out, ']');
    }
    buffer_byte(out, ']');
}

static void print_struct(const struct column *column, size_t row, struct buffer *out)
{
    buffer_byte(out, '{');
    for (uint32_t i = 0; i < column->child_count; i++) {
        if (i) buffer_byte(out, ',');
        buffer_json_string(out, column->type->fields[i].name, column->type->fields[i].name_size);
        buffer_byte(out, ':');
        print_cell(&column->children[i], row, out);
    }
    buffer_byte(out, '}');
}

static void print_cell(const struct column *column, size_t row, struct buffer *out)
{
    char text[DECIMAL_TEXT_MAX];
    if (!column_is_valid(column, row)) {
        buffer_text(out, "null");
        return;
    }
    switch (column->type->kind) {
    case TYPE_BOOLEAN: buffer_text(out, bit_get(column->values, row) ? "true" : "false"); break;
    case TYPE_TINYINT: buffer_printf(out, "%d", ((const int8_t *)column->values)[row]); break;
    case TYPE_SMALLINT: buffer_printf(out, "%d", ((const int16_t *)column->values)[row]); break;
    case TYPE_INT: case TYPE_DATE: buffer_printf(out, "%d", ((const int32_t *)column->values)[row]); break;
    case TYPE_BIGINT: case TYPE_TIMESTAMP: case TYPE_TIMESTAMP_NTZ: buffer_printf(out, "%" PRId64, ((const int64_t *)column->values)[row]); break;
    case TYPE_FLOAT: print_real((double)((const float *)column->values)[row], out); break;
    case TYPE_DOUBLE: print_real(((const double *)column->values)[row], out); break;
    case TYPE_DECIMAL:
        buffer_byte(out, '"');
        buffer_append(out, text, print_decimal_plain(((const int128 *)column->values)[row], column->type->scale, text));
        buffer_byte(out, '"');
        break;
    case TYPE_STRING: case TYPE_BINARY: print_bytes(column, row, out); break;
    case TYPE_ARRAY: case TYPE_MAP: print_list(column, row, out); break;
    case TYPE_STRUCT: print_struct(column, row, out); break;
    case TYPE_VOID: buffer_text(out, "null"); break;
    }
}

static bool print_rows(struct parquet_file *file, struct inlet_context *context, struct error *err)
{
    struct chunk chunk;
    struct buffer out = {0};
    enum pull pull;
    int64_t rows = 0;
    chunk_init(&chunk, parquet_schema(file));
    while ((pull = parquet_next(file, &chunk, context, err)) == PULL_CHUNK) {
        for (size_t i = 0; i < chunk.schema->field_count && pull == PULL_CHUNK; i++)
            if (!column_check(&chunk.columns[i], err)) pull = PULL_FAILED;
        if (pull == PULL_FAILED) break;
        for (size_t row = 0; row < chunk.row_count; row++, rows++) {
            buffer_byte(&out, '{');
            for (size_t i = 0; i < chunk.schema->field_count; i++) {
                if (i) buffer_byte(&out, ',');
                buffer_json_string(&out, chunk.schema->fields[i].name, chunk.schema->fields[i].name_size);
                buffer_byte(&out, ':');
                print_cell(&chunk.columns[i], row, &out);
            }
            buffer_text(&out, "}\n");
        }
        fwrite(out.data, 1, out.size, stdout);
        buffer_clear(&out);
    }
    chunk_fini(&chunk);
    buffer_free(&out);
    if (pull == PULL_END && rows != parquet_rows(file))
        return error_set(err, COND_INLET_COUNT_MISMATCH, "the footer tells of %" PRId64 " rows, %" PRId64 " came", parquet_rows(file), rows);
    return pull == PULL_END;
}

int main(int argc, char **argv)
{
    struct inlet_context context;
    struct error err = {0};
    struct arena *arena = arena_new("dump");
    inlet_context_init(&context);
    struct parquet_file *file = argc == 2 ? parquet_open(argv[1], arena, &err) : NULL;
    bool done = false;
    if (file) {
        struct buffer schema = {0};
        type_print_json(parquet_schema(file), &schema);
        printf("%s\n", buffer_string(&schema));
        buffer_free(&schema);
        done = print_rows(file, &context, &err);
        parquet_close(file);
    }
    if (!done) {
        char text[8192];
        error_format(&err, text, sizeof(text));
        fprintf(stderr, "%s\n", text);
    }
    arena_free(arena);
    inlet_context_fini(&context);
    return done ? 0 : 1;
}
