/* json_write -- the JSON encoder.
 *
 * The schema is compiled into a tree of nodes that hold their key as it will be written, so that a row is
 * appended by walking nodes and columns side by side, without a look-up, a format string or an allocation
 * of its own. */
#include "formats/json_write.h"
#include "base/number.h"
#include "base/panic.h"
#include "formats/text_piece.h"
#include <math.h>
#include <stdlib.h>

static const struct option_spec json_write_options[] = {
    {.name = "charset", .kind = OPTION_TEXT, .help = "Another name of encoding.", .alias_of = "encoding"},
    TEXT_COMPRESSION_OPTION,
    {.name = "encoding", .kind = OPTION_TEXT, .fallback = "UTF-8", .help = "Encoding of the files: UTF-8, ISO-8859-1, US-ASCII, UTF-16(LE|BE), UTF-32(LE|BE)."},
    {.name = "ignoreNullFields", .kind = OPTION_BOOL, .help = "Leaves out fields that are null. Default: spark.sql.jsonGenerator.ignoreNullFields."},
    TEXT_LINE_SEPARATOR_OPTION,
    {.name = "pretty", .kind = OPTION_BOOL, .fallback = "false", .help = "Writes objects over several lines, indented by two blanks."},
    {.name = "sortKeys", .kind = OPTION_BOOL, .fallback = "false", .help = "Sorts the fields of structs by name and the entries of maps by key; default: the schema's order."},
    TEXT_TIME_OPTIONS,
    {.name = "writeNonAsciiCharacterAsCodePoint", .kind = OPTION_BOOL, .fallback = "false", .help = "Writes what is beyond ASCII as \\uXXXX."},
    {.name = NULL},
};

/* One type of the schema; `key` belongs to the field that holds it. */
struct node {
    enum type_kind kind;
    int scale;                  /* DECIMAL. */
    struct slice key;           /* "name": -- with quotes and colon. */
    uint32_t column;            /* Of a field: its place in the schema. */
    const struct node *children; /* STRUCT: fields; ARRAY: element; MAP: key, value. */
    size_t child_count;
};

struct json_rows {
    struct node root;
    struct text_times times;
    struct slice line_separator;
    bool ignore_nulls, pretty, ascii, sort_keys;
};

/* --- strings ---------------------------------------------------------------------------------------- */

/* Bit 7 of each byte that a JSON string cannot hold as it is, or that is beyond ASCII. */
static ALWAYS_INLINE uint64_t special_bytes(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    uint64_t control = (word - ones * 0x20) & ~word;
    return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | control | word) & high;
}

/* Length of the leading part that needs no escape (a few bytes short of it at worst is fine). */
static ALWAYS_INLINE size_t clean_prefix(const uint8_t *text, size_t size)
{
    size_t i = 0;
    while (size - i >= 8) {
        uint64_t word;
        memcpy(&word, text + i, 8);
        uint64_t special = special_bytes(word);
        if (special)
            return i + (size_t)__builtin_ctzll(special) / 8;
        i += 8;
    }
    while (i < size && text[i] >= 0x20 && text[i] < 0x80 && text[i] != '"' && text[i] != '\\')
        i++;
    return i;
}

static void append_unit(struct buffer *out, uint32_t unit)
{
    static const char digits[] = "0123456789ABCDEF";
    char text[6] = {'\\', 'u', digits[unit >> 12 & 15], digits[unit >> 8 & 15], digits[unit >> 4 & 15], digits[unit & 15]};
    buffer_append(out, text, sizeof text);
}

static void append_escape(struct buffer *out, uint8_t byte)
{
    static const char names[] = "btn\0fr"; /* 8, 9, 10, -, 12, 13 */
    char name = byte == '"' || byte == '\\' ? (char)byte : byte >= 8 && byte <= 13 ? names[byte - 8] : 0;
    if (!name) {
        append_unit(out, byte);
        return;
    }
    buffer_byte(out, '\\');
    buffer_byte(out, (uint8_t)name);
}

static void append_non_ascii(struct buffer *out, uint32_t code, bool ascii)
{
    if (!ascii) {
        uint8_t bytes[4];
        buffer_append(out, bytes, utf8_encode(code, bytes));
        return;
    }
    if (code >= 0x10000) {
        append_unit(out, 0xD800 + ((code - 0x10000) >> 10));
        code = 0xDC00 + ((code - 0x10000) & 0x3FF);
    }
    append_unit(out, code);
}

void json_append_string(struct buffer *out, const uint8_t *text, size_t size, bool ascii)
{
    const uint8_t *p = text, *end = text + size;
    buffer_reserve(out, size + 2);
    buffer_byte(out, '"');
    while (p < end) {
        size_t clean = clean_prefix(p, (size_t)(end - p));
        buffer_append(out, p, clean);
        p += clean;
        if (p == end)
            break;
        if (*p >= 0x80)
            append_non_ascii(out, utf8_next(&p, end), ascii);
        else
            append_escape(out, *p++);
    }
    buffer_byte(out, '"');
}

static void append_base64(struct buffer *out, const uint8_t *bytes, size_t size)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *p = (char *)buffer_reserve(out, (size + 2) / 3 * 4 + 2), *start = p;
    *p++ = '"';
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        *p++ = alphabet[group >> 18];
        *p++ = alphabet[group >> 12 & 63];
        *p++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *p++ = left > 2 ? alphabet[group & 63] : '=';
    }
    *p++ = '"';
    out->size += (size_t)(p - start);
}

/* --- scalars ---------------------------------------------------------------------------------------- */

static const uint8_t *bytes_of(const struct column *column, size_t row, size_t *size)
{
    int32_t start = column->offsets[row];
    *size = (size_t)(column->offsets[row + 1] - start);
    return *size ? column->data + start : (const uint8_t *)"";
}

static int64_t integer_of(const struct column *column, size_t row)
{
    switch (column->type->kind) {
    case TYPE_TINYINT:
        return ((const int8_t *)column->values)[row];
    case TYPE_SMALLINT:
        return ((const int16_t *)column->values)[row];
    case TYPE_INT:
    case TYPE_DATE:
        return ((const int32_t *)column->values)[row];
    default:
        return ((const int64_t *)column->values)[row];
    }
}

static void append_integer(struct buffer *out, int64_t value)
{
    out->size += print_int64(value, (char *)buffer_reserve(out, INT64_TEXT_MAX));
}

/* Numbers as Java prints them; what JSON has no number for goes between quotes. */
static void append_real(struct buffer *out, const struct column *column, size_t row, bool quoted)
{
    bool is_float = column->type->kind == TYPE_FLOAT;
    float single = is_float ? ((const float *)column->values)[row] : 0;
    double value = is_float ? (double)single : ((const double *)column->values)[row];
    quoted |= !isfinite(value);
    if (quoted)
        buffer_byte(out, '"');
    char *to = (char *)buffer_reserve(out, DOUBLE_TEXT_MAX);
    out->size += is_float ? print_float_java(single, to) : print_double_java(value, to);
    if (quoted)
        buffer_byte(out, '"');
}

static void append_decimal(struct buffer *out, const struct column *column, size_t row, int scale)
{
    int128 value;
    memcpy(&value, (const char *)column->values + row * sizeof value, sizeof value);
    out->size += print_decimal_java(value, scale, (char *)buffer_reserve(out, DECIMAL_TEXT_MAX));
}

static void append_boolean(struct buffer *out, const struct column *column, size_t row)
{
    bool value = bit_get(column->values, row);
    buffer_append(out, value ? "true" : "false", value ? 4 : 5);
}

/* A date or timestamp; a custom pattern may bring quotes, which are escaped afterwards. */
static bool append_time(const struct json_rows *rows, const struct column *column, size_t row, struct buffer *out, struct error *err)
{
    buffer_byte(out, '"');
    size_t start = out->size;
    if (!text_times_append(&rows->times, column, row, out, err))
        return false;
    size_t size = out->size - start;
    if (UNLIKELY(clean_prefix(out->data + start, size) < size)) {
        struct buffer text = {0};
        buffer_append(&text, out->data + start, size);
        out->size = start - 1;
        json_append_string(out, text.data, text.size, rows->ascii);
        buffer_free(&text);
        return true;
    }
    buffer_byte(out, '"');
    return true;
}

/* A key of a map: the internal value as text, as Spark has it (a date is its day number). */
static void append_map_key(const struct json_rows *rows, const struct node *node, const struct column *column, size_t row,
                           struct buffer *out)
{
    size_t size;
    if (node->kind == TYPE_STRING || node->kind == TYPE_BINARY) {
        const uint8_t *bytes = bytes_of(column, row, &size);
        if (node->kind == TYPE_STRING)
            json_append_string(out, bytes, size, rows->ascii);
        else
            append_base64(out, bytes, size);
        return;
    }
    buffer_byte(out, '"');
    if (node->kind == TYPE_FLOAT || node->kind == TYPE_DOUBLE) {
        char *to = (char *)buffer_reserve(out, DOUBLE_TEXT_MAX);
        out->size += node->kind == TYPE_FLOAT ? print_float_java(((const float *)column->values)[row], to)
                                              : print_double_java(((const double *)column->values)[row], to);
    } else if (node->kind == TYPE_DECIMAL) {
        append_decimal(out, column, row, node->scale);
    } else if (node->kind == TYPE_BOOLEAN) {
        append_boolean(out, column, row);
    } else {
        append_integer(out, integer_of(column, row));
    }
    buffer_byte(out, '"');
}

/* --- nested values ---------------------------------------------------------------------------------- */

static bool append_value(const struct json_rows *rows, const struct node *node, const struct column *column, size_t row, int depth,
                         struct buffer *out, struct error *err);

static void append_new_line(struct buffer *out, int depth)
{
    buffer_byte(out, '\n');
    for (int i = 0; i < depth; i++)
        buffer_append(out, "  ", 2);
}

/* Between two entries, or before the first one. */
static void begin_entry(const struct json_rows *rows, bool first, int depth, struct buffer *out)
{
    if (!first)
        buffer_byte(out, ',');
    if (rows->pretty)
        append_new_line(out, depth);
}

static void end_object(const struct json_rows *rows, bool empty, int depth, struct buffer *out)
{
    if (rows->pretty && empty)
        buffer_byte(out, ' ');
    else if (rows->pretty)
        append_new_line(out, depth);
    buffer_byte(out, '}');
}

static bool append_struct(const struct json_rows *rows, const struct node *node, const struct column *columns, size_t row, int depth,
                          struct buffer *out, struct error *err)
{
    bool empty = true;
    buffer_byte(out, '{');
    for (size_t i = 0; i < node->child_count; i++) {
        const struct node *child = &node->children[i];
        const struct column *column = &columns[child->column];
        bool valid = column_is_valid(column, row);
        if (!valid && rows->ignore_nulls)
            continue;
        begin_entry(rows, empty, depth + 1, out);
        empty = false;
        buffer_append(out, child->key.data, child->key.size);
        if (!valid)
            buffer_append(out, "null", 4);
        else if (!append_value(rows, child, column, row, depth + 1, out, err))
            return false;
    }
    end_object(rows, empty, depth, out);
    return true;
}

static bool append_element(const struct json_rows *rows, const struct node *node, const struct column *column, size_t row, int depth,
                           struct buffer *out, struct error *err)
{
    if (column_is_valid(column, row))
        return append_value(rows, node, column, row, depth, out, err);
    buffer_append(out, "null", 4);
    return true;
}

static bool append_array(const struct json_rows *rows, const struct node *node, const struct column *column, size_t row, int depth,
                         struct buffer *out, struct error *err)
{
    size_t start = (size_t)column->offsets[row], end = (size_t)column->offsets[row + 1];
    buffer_byte(out, '[');
    for (size_t i = start; i < end; i++) {
        if (i > start)
            buffer_byte(out, ',');
        if (rows->pretty)
            buffer_byte(out, ' ');
        if (!append_element(rows, &node->children[0], &column->children[0], i, depth, out, err))
            return false;
    }
    if (rows->pretty)
        buffer_byte(out, ' ');
    buffer_byte(out, ']');
    return true;
}

static bool append_entry(const struct json_rows *rows, const struct node *node, const struct column *column, size_t entry, bool first, int depth,
                         struct buffer *out, struct error *err)
{
    begin_entry(rows, first, depth + 1, out);
    append_map_key(rows, &node->children[0], &column->children[0], entry, out);
    buffer_text(out, rows->pretty ? " : " : ":");
    return append_element(rows, &node->children[1], &column->children[1], entry, depth + 1, out, err);
}

struct sorted_entry {
    struct slice key;
    size_t entry;
};

static int compare_names(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_entries(const void *left, const void *right)
{
    const struct sorted_entry *a = left, *b = right;
    int order = compare_names(a->key, b->key);
    return order ? order : (a->entry > b->entry) - (a->entry < b->entry);
}

/* The entries in the order of their keys as text, which is kept in `text`. */
static struct sorted_entry *sort_entries(const struct json_rows *rows, const struct node *node, const struct column *column, size_t start, size_t count,
                                         struct buffer *text)
{
    struct sorted_entry *entries = malloc((count + 1) * sizeof *entries);
    if (!entries)
        panic_out_of_memory(count * sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        size_t size = 0, begin = text->size;
        if (node->children[0].kind == TYPE_STRING) {
            const uint8_t *raw = bytes_of(&column->children[0], start + i, &size);
            buffer_append(text, raw, size);
        } else {
            append_map_key(rows, &node->children[0], &column->children[0], start + i, text);
        }
        entries[i] = (struct sorted_entry){.key = slice_of("", text->size - begin), .entry = start + i};
    }
    const uint8_t *at = text->data; /* Only now: the buffer moves while it grows. */
    for (size_t i = 0; i < count; at += entries[i++].key.size)
        entries[i].key.data = at;
    qsort(entries, count, sizeof *entries, compare_entries);
    return entries;
}

static bool append_map(const struct json_rows *rows, const struct node *node, const struct column *column, size_t row, int depth,
                       struct buffer *out, struct error *err)
{
    size_t start = (size_t)column->offsets[row], count = (size_t)column->offsets[row + 1] - start;
    struct buffer text = {0};
    struct sorted_entry *sorted = rows->sort_keys && count > 1 ? sort_entries(rows, node, column, start, count, &text) : NULL;
    bool good = true;
    buffer_byte(out, '{');
    for (size_t i = 0; good && i < count; i++)
        good = append_entry(rows, node, column, sorted ? sorted[i].entry : start + i, i == 0, depth, out, err);
    end_object(rows, count == 0, depth, out);
    free(sorted);
    buffer_free(&text);
    return good;
}

static bool append_value(const struct json_rows *rows, const struct node *node, const struct column *column, size_t row, int depth,
                         struct buffer *out, struct error *err)
{
    size_t size;
    const uint8_t *bytes;
    switch (node->kind) {
    case TYPE_BOOLEAN:
        append_boolean(out, column, row);
        return true;
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
        append_integer(out, integer_of(column, row));
        return true;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        append_real(out, column, row, false);
        return true;
    case TYPE_DECIMAL:
        append_decimal(out, column, row, node->scale);
        return true;
    case TYPE_STRING:
        bytes = bytes_of(column, row, &size);
        json_append_string(out, bytes, size, rows->ascii);
        return true;
    case TYPE_BINARY:
        bytes = bytes_of(column, row, &size);
        append_base64(out, bytes, size);
        return true;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_NTZ:
        break;
    case TYPE_ARRAY:
        return append_array(rows, node, column, row, depth, out, err);
    case TYPE_MAP:
        return append_map(rows, node, column, row, depth, out, err);
    case TYPE_STRUCT:
        return append_struct(rows, node, column->children, row, depth, out, err);
    case TYPE_VOID:
        buffer_append(out, "null", 4);
        return true;
    }
    return append_time(rows, column, row, out, err);
}

/* --- compilation ------------------------------------------------------------------------------------ */

static bool compile_node(struct node *node, const struct type *type, const struct json_rows *rows, struct arena *arena, struct error *err);

static struct slice compile_key(const struct field *field, const struct json_rows *rows, struct arena *arena)
{
    struct buffer key = {0};
    json_append_string(&key, (const uint8_t *)field->name, field->name_size, rows->ascii);
    buffer_text(&key, rows->pretty ? " : " : ":");
    struct slice copy = slice_of(arena_strndup(arena, (const char *)key.data, key.size), key.size);
    buffer_free(&key);
    return copy;
}

static struct slice field_name(const struct type *type, const struct node *node)
{
    const struct field *field = &type->fields[node->column];
    return slice_of(field->name, field->name_size);
}

/* Stable: equal names stay in their order. */
static void sort_fields(struct node *fields, const struct type *type)
{
    for (size_t i = 1; i < type->field_count; i++) {
        struct node moving = fields[i];
        size_t at = i;
        for (; at > 0 && compare_names(field_name(type, &fields[at - 1]), field_name(type, &moving)) > 0; at--)
            fields[at] = fields[at - 1];
        fields[at] = moving;
    }
}

static bool compile_children(struct node *node, const struct type *type, const struct json_rows *rows, struct arena *arena, struct error *err)
{
    struct node *children = ARENA_ARRAY(arena, struct node, type->field_count);
    for (size_t i = 0; i < type->field_count; i++) {
        if (!compile_node(&children[i], type->fields[i].type, rows, arena, err))
            return false;
        children[i].key = compile_key(&type->fields[i], rows, arena);
        children[i].column = (uint32_t)i;
    }
    if (rows->sort_keys && type->kind == TYPE_STRUCT)
        sort_fields(children, type);
    node->children = children;
    node->child_count = type->field_count;
    return true;
}

static bool compile_node(struct node *node, const struct type *type, const struct json_rows *rows, struct arena *arena, struct error *err)
{
    node->kind = type->kind;
    node->scale = type->scale;
    if (type->kind == TYPE_MAP && type_is_nested(type->fields[0].type)) {
        struct buffer text = {0};
        type_print_ddl(type, &text);
        error_set(err, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE, "The JSON datasource doesn't support the type \"%s\": its keys are nested",
                  buffer_string(&text));
        buffer_free(&text);
        return false;
    }
    return compile_children(node, type, rows, arena, err);
}

static bool session_ignores_nulls(const struct session *session)
{
    static const char name[] = "spark.sql.jsonGenerator.ignoreNullFields";
    if (!options_has(&session->conf, name))
        return true;
    const struct option_value *value = options_get(&session->conf, name);
    return !value->text || value->integer != 0;
}

const struct json_rows *json_rows_compile(const struct type *schema, const struct session *session, struct arena *arena, struct error *err)
{
    struct json_rows *rows = ARENA_NEW(arena, struct json_rows);
    rows->ignore_nulls = session_ignores_nulls(session);
    rows->line_separator = slice_text("\n");
    if (!text_times_init(&rows->times, NULL, session, arena, err) || !compile_node(&rows->root, schema, rows, arena, err))
        return NULL;
    return rows;
}

bool json_rows_append(const struct json_rows *rows, const struct column *columns, size_t row, struct buffer *out, struct error *err)
{
    return append_struct(rows, &rows->root, columns, row, 0, out, err);
}

static bool append_rows(const void *settings, const struct column *columns, const uint32_t *selection, uint32_t count, struct buffer *out,
                        struct error *err)
{
    const struct json_rows *rows = settings;
    for (uint32_t i = 0; i < count; i++) {
        if (!append_struct(rows, &rows->root, columns, selection ? selection[i] : i, 0, out, err))
            return false;
        buffer_append(out, rows->line_separator.data, rows->line_separator.size);
    }
    return true;
}

static struct encoder *json_open(const struct encoder_spec *spec, struct arena *arena, struct error *err)
{
    const struct options *options = spec->options;
    struct encoder *encoder = ARENA_NEW(arena, struct encoder);
    struct json_rows *rows = ARENA_NEW(arena, struct json_rows);
    rows->ignore_nulls = options_given(options, "ignoreNullFields") ? options_bool(options, "ignoreNullFields")
                                                                    : session_ignores_nulls(spec->session);
    rows->pretty = options_bool(options, "pretty");
    rows->sort_keys = options_bool(options, "sortKeys");
    rows->ascii = options_bool(options, "writeNonAsciiCharacterAsCodePoint");
    encoder->append = append_rows;
    encoder->settings = rows;
    if (!text_encoder_init(encoder, spec, ".json", arena, err) || !text_line_separator(options, &rows->line_separator, err) ||
        !text_times_init(&rows->times, options, spec->session, arena, err) || !compile_node(&rows->root, spec->schema, rows, arena, err))
        return NULL;
    return encoder;
}

const struct encoder_ops json_encoder = {.name = "json", .options = json_write_options, .open = json_open, TEXT_PIECE_OPS};
