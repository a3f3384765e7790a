/* show -- values as text, and Spark's console table.
 *
 * Two texts of a value: the cast to STRING, and the table's own, which prints every null as NULL and
 * BINARY as [0A FF]. Widths are counted as Spark does: UTF-16 units, full-width characters twice. */
#include "columns/show.h"
#include "base/number.h"

#include <stdlib.h>
#include <string.h>

struct style {
    const char *null_inside;  /* Null elements, values and fields. */
    bool hex_binary;
    const struct session *session;
};

static const char hex_digits[] = "0123456789ABCDEF";

static void print_binary(const uint8_t *bytes, size_t size, struct buffer *out)
{
    buffer_byte(out, '[');
    for (size_t i = 0; i < size; i++) {
        if (i) buffer_byte(out, ' ');
        buffer_byte(out, (uint8_t)hex_digits[bytes[i] >> 4]);
        buffer_byte(out, (uint8_t)hex_digits[bytes[i] & 15]);
    }
    buffer_byte(out, ']');
}

static void print_integer(struct buffer *out, int64_t value)
{
    char text[INT64_TEXT_MAX];
    buffer_append(out, text, print_int64(value, text));
}

/* Every type but the nested ones, STRING and BINARY. */
static void print_fixed(const struct column *column, size_t row, const struct session *session, struct buffer *out)
{
    char text[64];
    switch (column->type->kind) {
    case TYPE_BOOLEAN: buffer_text(out, bit_get(column->values, row) ? "true" : "false"); return;
    case TYPE_TINYINT: print_integer(out, ((const int8_t *)column->values)[row]); return;
    case TYPE_SMALLINT: print_integer(out, ((const int16_t *)column->values)[row]); return;
    case TYPE_INT: print_integer(out, ((const int32_t *)column->values)[row]); return;
    case TYPE_BIGINT: print_integer(out, ((const int64_t *)column->values)[row]); return;
    case TYPE_FLOAT: buffer_append(out, text, print_float_java(((const float *)column->values)[row], text)); return;
    case TYPE_DOUBLE: buffer_append(out, text, print_double_java(((const double *)column->values)[row], text)); return;
    case TYPE_DECIMAL:
        buffer_append(out, text, print_decimal_plain(((const int128 *)column->values)[row], column->type->scale, text));
        return;
    case TYPE_DATE: buffer_append(out, text, print_date(((const int32_t *)column->values)[row], text)); return;
    case TYPE_TIMESTAMP:
        buffer_append(out, text, print_timestamp(((const int64_t *)column->values)[row], session->zone, text));
        return;
    case TYPE_TIMESTAMP_NTZ:
        buffer_append(out, text, print_timestamp_ntz(((const int64_t *)column->values)[row], text));
        return;
    default: return;
    }
}

static void print_value(const struct column *column, size_t row, const struct style *style, struct buffer *out);

static void print_inside(const struct column *column, size_t row, const struct style *style, struct buffer *out)
{
    if (column_is_valid(column, row)) print_value(column, row, style, out);
    else buffer_text(out, style->null_inside);
}

static void print_list(const struct column *column, size_t row, const struct style *style, struct buffer *out)
{
    bool is_map = column->type->kind == TYPE_MAP;
    int32_t start = column->offsets[row], end = column->offsets[row + 1];
    buffer_byte(out, is_map ? '{' : '[');
    for (int32_t i = start; i < end; i++) {
        if (i > start) buffer_text(out, ", ");
        print_inside(&column->children[0], (size_t)i, style, out);
        if (!is_map) continue;
        buffer_text(out, " -> ");
        print_inside(&column->children[1], (size_t)i, style, out);
    }
    buffer_byte(out, is_map ? '}' : ']');
}

static void print_value(const struct column *column, size_t row, const struct style *style, struct buffer *out)
{
    switch (column->type->kind) {
    case TYPE_STRING:
    case TYPE_BINARY: {
        const uint8_t *bytes = column->data + column->offsets[row];
        size_t size = (size_t)(column->offsets[row + 1] - column->offsets[row]);
        if (column->type->kind == TYPE_BINARY && style->hex_binary) print_binary(bytes, size, out);
        else buffer_append(out, bytes, size);
        return;
    }
    case TYPE_ARRAY:
    case TYPE_MAP:
        print_list(column, row, style, out);
        return;
    case TYPE_STRUCT:
        buffer_byte(out, '{');
        for (uint32_t i = 0; i < column->child_count; i++) {
            if (i) buffer_text(out, ", ");
            print_inside(&column->children[i], row, style, out);
        }
        buffer_byte(out, '}');
        return;
    default:
        print_fixed(column, row, style->session, out);
    }
}

void show_value(const struct column *column, size_t row, const struct session *session, struct buffer *out)
{
    struct style style = {.null_inside = "null", .session = session};
    if (column_is_valid(column, row)) print_value(column, row, &style, out);
    else buffer_text(out, "NULL");
}

/* ---- the table --------------------------------------------------------------------------------- */

struct cell {
    const char *text;
    size_t size;
    size_t width; /* Half-width columns on a terminal. */
};

struct show_table {
    struct arena *arena;
    const struct type *schema;
    const struct session *session;
    size_t limit, truncate;
    size_t row_count;
    bool has_more;
    struct buffer cells; /* struct cell: the header, then row after row. */
    size_t *widths;
    struct buffer scratch;
};

enum { COLUMN_WIDTH_MIN = 3 };

static uint32_t character_at(const uint8_t *p, size_t size, size_t *length)
{
    size_t wanted = p[0] < 0xC2 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 1;
    *length = 1;
    if (wanted > size) return 0xFFFD;
    uint32_t point = wanted == 1 ? p[0] : p[0] & (0x7Fu >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0xFFFD;
        point = point << 6 | (p[i] & 0x3Fu);
    }
    *length = wanted;
    return point;
}

/* Spark's list (Utils.stringHalfWidth). */
static bool is_full_width(uint32_t point)
{
    static const uint32_t ranges[][2] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
                                         {0xFE10, 0xFE19}, {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}};
    for (size_t i = 0; i < COUNTOF(ranges); i++)
        if (point >= ranges[i][0] && point <= ranges[i][1]) return true;
    return false;
}

/* Counts UTF-16 units up to `units_max`; *size gets the bytes they take, *width their columns. */
static size_t measure(const uint8_t *text, size_t text_size, size_t units_max, size_t *size, size_t *width)
{
    size_t units = 0, i = 0;
    *width = 0;
    while (i < text_size) {
        size_t length;
        uint32_t point = character_at(text + i, text_size - i, &length);
        size_t more = point > 0xFFFF ? 2 : 1;
        if (units + more > units_max) break;
        units += more;
        *width += more + is_full_width(point);
        i += length;
    }
    *size = i;
    return units;
}

/* Line breaks and the like would break the table. */
static void escape_controls(struct buffer *out, const uint8_t *text, size_t size)
{
    static const char from[] = "\n\r\t\f\b\v\a", to[] = "nrtfbva";
    for (size_t i = 0; i < size; i++) {
        const char *found = text[i] ? strchr(from, text[i]) : NULL;
        if (found) buffer_byte(out, '\\');
        buffer_byte(out, found ? (uint8_t)to[found - from] : text[i]);
    }
}

static void add_cell(struct show_table *table, size_t column, const uint8_t *text, size_t size)
{
    struct buffer *scratch = &table->scratch;
    size_t kept, width;
    buffer_clear(scratch);
    escape_controls(scratch, text, size);
    size_t units = measure(scratch->data, scratch->size, SIZE_MAX, &kept, &width);
    if (table->truncate && units > table->truncate) {
        bool dots = table->truncate >= 4;
        measure(scratch->data, scratch->size, table->truncate - (dots ? 3 : 0), &kept, &width);
        scratch->size = kept;
        if (dots) buffer_text(scratch, "...");
        width += dots ? 3 : 0;
    }
    struct cell cell = {.size = scratch->size, .width = width};
    cell.text = arena_strndup(table->arena, scratch->size ? (const char *)scratch->data : "", scratch->size);
    buffer_append(&table->cells, &cell, sizeof cell);
    if (width > table->widths[column]) table->widths[column] = width;
}

struct show_table *show_table_new(const struct type *schema, size_t limit, size_t truncate,
                                  const struct session *session)
{
    struct arena *arena = arena_new("show table");
    struct show_table *table = ARENA_NEW(arena, struct show_table);
    *table = (struct show_table){.arena = arena, .schema = schema, .session = session, .limit = limit, .truncate = truncate};
    table->widths = ARENA_ARRAY(arena, size_t, schema->field_count);
    for (size_t i = 0; i < schema->field_count; i++) {
        table->widths[i] = COLUMN_WIDTH_MIN;
        add_cell(table, i, (const uint8_t *)schema->fields[i].name, schema->fields[i].name_size);
    }
    return table;
}

void show_table_free(struct show_table *table)
{
    if (!table) return;
    buffer_free(&table->cells);
    buffer_free(&table->scratch);
    arena_free(table->arena);
}

static void add_row(struct show_table *table, const struct column *columns, size_t row, struct buffer *text)
{
    struct style style = {.null_inside = "NULL", .hex_binary = true, .session = table->session};
    for (size_t i = 0; i < table->schema->field_count; i++) {
        buffer_clear(text);
        print_inside(&columns[i], row, &style, text);
        add_cell(table, i, text->data, text->size);
    }
    table->row_count++;
}

/* The rows wanted of `chunk`, flat: columns[i] shares or copies. */
static bool take_rows(const struct chunk *chunk, uint32_t count, struct column *columns, struct error *err)
{
    for (size_t i = 0; i < chunk->schema->field_count; i++) {
        bool is_flat = chunk->columns[i].encoding == COLUMN_PLAIN && !chunk->selection;
        if (is_flat) column_share(&columns[i], &chunk->columns[i]);
        else if (!column_take(&columns[i], &chunk->columns[i], chunk->selection, count, NULL, err)) return false;
    }
    return true;
}

bool show_table_add(struct show_table *table, const struct chunk *chunk, struct error *err)
{
    uint32_t available = chunk_selected(chunk);
    size_t wanted = table->limit - table->row_count;
    if (available > wanted) table->has_more = true;
    uint32_t count = available < wanted ? available : (uint32_t)wanted;
    size_t column_count = table->schema->field_count;
    struct column *columns = calloc(column_count + 1, sizeof *columns);
    if (!columns) return error_set(err, COND_INLET_NO_MEMORY, "could not get memory for a table of rows");
    bool ok = count == 0 || take_rows(chunk, chunk->selection ? count : chunk->row_count, columns, err);
    struct buffer text = {0};
    for (uint32_t row = 0; ok && row < count; row++) add_row(table, columns, row, &text);
    buffer_free(&text);
    for (size_t i = 0; i < column_count; i++) column_fini(&columns[i]);
    free(columns);
    return ok && !table->has_more;
}

static void print_rule(const struct show_table *table, struct buffer *out)
{
    buffer_byte(out, '+');
    for (size_t i = 0; i < table->schema->field_count; i++) {
        if (i) buffer_byte(out, '+');
        for (size_t j = 0; j < table->widths[i]; j++) buffer_byte(out, '-');
    }
    buffer_text(out, "+\n");
}

static void print_blanks(struct buffer *out, size_t count)
{
    while (count--) buffer_byte(out, ' ');
}

static void print_cells(const struct show_table *table, size_t row, struct buffer *out)
{
    size_t count = table->schema->field_count;
    const struct cell *cells = (const struct cell *)(const void *)table->cells.data + row * count;
    buffer_byte(out, '|');
    for (size_t i = 0; i < count; i++) {
        size_t blanks = table->widths[i] - cells[i].width;
        if (i) buffer_byte(out, '|');
        if (table->truncate) print_blanks(out, blanks);
        buffer_append(out, cells[i].text, cells[i].size);
        if (!table->truncate) print_blanks(out, blanks);
    }
    buffer_text(out, "|\n");
}

void show_table_print(const struct show_table *table, struct buffer *out)
{
    print_rule(table, out);
    print_cells(table, 0, out);
    print_rule(table, out);
    for (size_t row = 1; row <= table->row_count; row++) print_cells(table, row, out);
    print_rule(table, out);
    if (table->has_more) buffer_printf(out, "only showing top %zu row%s\n", table->limit, table->limit == 1 ? "" : "s");
}
