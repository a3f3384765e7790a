/* csv_write -- the CSV encoder, by the rules of the univocity writer as Spark sets it up (format-semantics 6.7).
 *
 * A value is trimmed, and quoted where it begins with the quote or, in the first column, with the comment
 * character, or holds a separator, a line end or (escapeQuotes) a quote, be it among the blanks trimmed off its end.
 * A lineSep of two characters also stands for each \n inside values. Null and empty values have texts of
 * their own, which are written raw where they bring their quotes. A quote or escape character that is switched
 * off ("") is the NUL character, as in Spark. Unlike there, a row whose whole text would be empty is
 * written as a quoted empty value: a reader would skip the blank line, and the row would be lost. */
#include "base/number.h"
#include "formats/text_piece.h"

enum { EXTENSION_BYTES_MAX = 64 };

static const struct option_spec csv_write_options[] = {
    {.name = "charset", .kind = OPTION_TEXT, .help = "Another name of encoding.", .alias_of = "encoding"},
    {.name = "charToEscapeQuoteEscaping", .kind = OPTION_CHAR, .help = "Character that escapes the escape character inside quotes; default: the escape character, where it is not the quote."},
    {.name = "codec", .kind = OPTION_TEXT, .help = "Another name of compression.", .alias_of = "compression"},
    {.name = "comment", .kind = OPTION_CHAR, .fallback = "", .help = "A first field that begins with this character is quoted; empty: #."},
    TEXT_COMPRESSION_OPTION,
    {.name = "delimiter", .kind = OPTION_TEXT, .help = "Another name of sep.", .alias_of = "sep"},
    {.name = "emptyValue", .kind = OPTION_TEXT, .fallback = "\"\"", .help = "What an empty string is written as."},
    {.name = "encoding", .kind = OPTION_TEXT, .fallback = "UTF-8", .help = "Encoding of the files: UTF-8, ISO-8859-1, US-ASCII, UTF-16(LE|BE), UTF-32(LE|BE)."},
    {.name = "escape", .kind = OPTION_CHAR, .fallback = "\\", .help = "Character that escapes quotes inside a quoted field."},
    {.name = "escapeQuotes", .kind = OPTION_BOOL, .fallback = "true", .help = "Fields that hold a quote are quoted."},
    {.name = "extension", .kind = OPTION_TEXT, .fallback = "csv", .help = "What the files' names end in, in front of the codec's ending."},
    {.name = "header", .kind = OPTION_BOOL, .fallback = "false", .help = "Each file begins with the names of the columns."},
    {.name = "ignoreLeadingWhiteSpace", .kind = OPTION_BOOL, .fallback = "true", .help = "Drops blanks in front of values."},
    {.name = "ignoreTrailingWhiteSpace", .kind = OPTION_BOOL, .fallback = "true", .help = "Drops blanks behind values."},
    TEXT_LINE_SEPARATOR_OPTION,
    {.name = "nullValue", .kind = OPTION_TEXT, .fallback = "", .help = "What null is written as."},
    {.name = "quote", .kind = OPTION_CHAR, .fallback = "\"", .help = "Character around fields that need it."},
    {.name = "quoteAll", .kind = OPTION_BOOL, .fallback = "false", .help = "All fields are quoted."},
    {.name = "sep", .kind = OPTION_TEXT, .fallback = ",", .help = "Field separator, also of several characters; \\t, \\b, \\f, \\r, \\\", \\' and \\\\ are understood."},
    TEXT_TIME_OPTIONS,
    {.name = NULL},
};

/* What a byte may be the start of. */
enum { BYTE_TRIGGER = 1 /* separator, line end, quote */, BYTE_ESCAPED = 2 /* quote, escape, perhaps \n */, BYTE_HIGH = 4 /* not ASCII */ };

struct csv_rows {
    uint8_t classes[256];
    struct slice separator, line_separator;
    struct slice quote, escape, escape_escape, comment; /* escape_escape may be empty: nothing. */
    struct slice null_value, empty_value;
    bool quote_all, escape_quotes, trim_leading, trim_trailing;
    bool line_ends_written_out; /* \n inside a value becomes the line separator. */
    bool plain_values; /* Numbers, booleans and default dates never need a look. */
    struct text_times times;
    const struct type *schema;
};

static bool starts_with(const uint8_t *p, const uint8_t *end, struct slice what)
{
    return (size_t)(end - p) >= what.size && what.size > 0 && memcmp(p, what.data, what.size) == 0;
}

/* --- one value -------------------------------------------------------------------------------------- */

/* The union of the classes of all bytes. */
static ALWAYS_INLINE unsigned classify(const struct csv_rows *rows, struct slice text)
{
    unsigned classes = 0;
    for (size_t i = 0; i < text.size; i++)
        classes |= rows->classes[text.data[i]];
    return classes;
}

/* Whether a whole character of `set` stands at p: characters beyond ASCII share bytes. */
static bool begins_with_character_of(struct slice set, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *set_end = set.data + set.size;
    for (const uint8_t *at = set.data; at < set_end;) {
        const uint8_t *start = at;
        utf8_next(&at, set_end);
        if (starts_with(p, end, slice_of(start, (size_t)(at - start))))
            return true;
    }
    return false;
}

/* A byte of a trigger's kind may still be something else: the separator may have several. */
static bool has_trigger(const struct csv_rows *rows, struct slice text)
{
    const uint8_t *end = text.data + text.size;
    for (const uint8_t *p = text.data; p < end; p++) {
        if (!(rows->classes[*p] & BYTE_TRIGGER))
            continue;
        if (*p == '\n' || *p == '\r' || starts_with(p, end, rows->separator) ||
            (rows->escape_quotes && starts_with(p, end, rows->quote)))
            return true;
        if (begins_with_character_of(rows->line_separator, p, end))
            return true;
    }
    return false;
}

static void append_quoted(const struct csv_rows *rows, struct slice text, struct buffer *out)
{
    buffer_append(out, rows->quote.data, rows->quote.size);
    const uint8_t *p = text.data, *end = p + text.size, *start = p;
    while (p < end) {
        if (!(rows->classes[*p] & BYTE_ESCAPED)) {
            p++;
            continue;
        }
        if (*p == '\n' && rows->line_ends_written_out) {
            buffer_append(out, start, (size_t)(p - start));
            buffer_append(out, rows->line_separator.data, rows->line_separator.size);
            start = ++p;
            continue;
        }
        bool quote = starts_with(p, end, rows->quote), escape = !quote && starts_with(p, end, rows->escape);
        if (quote || escape) {
            struct slice with = quote ? rows->escape : rows->escape_escape;
            buffer_append(out, start, (size_t)(p - start));
            buffer_append(out, with.data, with.size);
            start = p;
            p += (quote ? rows->quote.size : rows->escape.size) - 1;
        }
        p++;
    }
    buffer_append(out, start, (size_t)(p - start));
    buffer_append(out, rows->quote.data, rows->quote.size);
}

static struct slice trim(const struct csv_rows *rows, struct slice text)
{
    while (rows->trim_leading && text.size > 0 && text.data[0] <= ' ') {
        text.data++;
        text.size--;
    }
    while (rows->trim_trailing && text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    return text;
}

static bool brings_quotes(const struct csv_rows *rows, struct slice text)
{
    return text.size >= 2 * rows->quote.size && starts_with(text.data, text.data + text.size, rows->quote) &&
           memcmp(text.data + text.size - rows->quote.size, rows->quote.data, rows->quote.size) == 0;
}

/* `special`: the text stands for null or an empty value. */
static void append_text(const struct csv_rows *rows, struct slice text, bool special, size_t column, struct buffer *out)
{
    struct slice trimmed = trim(rows, text);
    if (trimmed.size == 0 && !special) {
        append_text(rows, rows->empty_value, true, column, out);
        return;
    }
    const uint8_t *end = text.data + text.size;
    bool quoted = rows->quote_all || starts_with(trimmed.data, end, rows->quote) ||
                  (column == 0 && trimmed.size > 0 && starts_with(text.data, end, rows->comment));
    if (quoted && special && brings_quotes(rows, text)) {
        buffer_append(out, text.data, text.size);
        return;
    }
    struct slice looked_at = slice_of(trimmed.data, (size_t)(end - trimmed.data));
    unsigned classes = classify(rows, looked_at);
    if (!quoted && (classes & BYTE_TRIGGER))
        quoted = has_trigger(rows, looked_at);
    struct buffer repaired = {0};
    if (UNLIKELY(classes & BYTE_HIGH) && !utf8_valid(trimmed.data, trimmed.size)) {
        utf8_repair(&repaired, trimmed.data, trimmed.size);
        trimmed = slice_of(repaired.data, repaired.size);
    }
    if (quoted)
        append_quoted(rows, trimmed, out);
    else
        buffer_append(out, trimmed.data, trimmed.size);
    buffer_free(&repaired);
}

/* [00 FF]: Spark's default style of binary output. */
static void print_binary(const uint8_t *bytes, size_t size, struct buffer *out)
{
    static const char digits[] = "0123456789ABCDEF";
    buffer_byte(out, '[');
    for (size_t i = 0; i < size; i++) {
        if (i > 0)
            buffer_byte(out, ' ');
        buffer_byte(out, (uint8_t)digits[bytes[i] >> 4]);
        buffer_byte(out, (uint8_t)digits[bytes[i] & 15]);
    }
    buffer_byte(out, ']');
}

static struct slice bytes_of(const struct column *column, size_t row)
{
    int32_t start = column->offsets[row], size = column->offsets[row + 1] - start;
    return size > 0 ? slice_of(column->data + start, (size_t)size) : slice_of("", 0);
}

static void print_integer(int64_t value, struct buffer *out)
{
    out->size += print_int64(value, (char *)buffer_reserve(out, INT64_TEXT_MAX));
}

static void print_decimal(const struct column *column, size_t row, struct buffer *out)
{
    int128 value;
    memcpy(&value, (const char *)column->values + row * sizeof value, sizeof value);
    out->size += print_decimal_java(value, column->type->scale, (char *)buffer_reserve(out, DECIMAL_TEXT_MAX));
}

/* The text of a value that is not a string. */
static bool print_value(const struct csv_rows *rows, const struct column *column, size_t row, struct buffer *out, struct error *err)
{
    struct slice bytes;
    switch (column->type->kind) {
    case TYPE_BOOLEAN:
        buffer_text(out, bit_get(column->values, row) ? "true" : "false");
        return true;
    case TYPE_TINYINT:
        print_integer(((const int8_t *)column->values)[row], out);
        return true;
    case TYPE_SMALLINT:
        print_integer(((const int16_t *)column->values)[row], out);
        return true;
    case TYPE_INT:
        print_integer(((const int32_t *)column->values)[row], out);
        return true;
    case TYPE_BIGINT:
        print_integer(((const int64_t *)column->values)[row], out);
        return true;
    case TYPE_FLOAT:
        out->size += print_float_java(((const float *)column->values)[row], (char *)buffer_reserve(out, DOUBLE_TEXT_MAX));
        return true;
    case TYPE_DOUBLE:
        out->size += print_double_java(((const double *)column->values)[row], (char *)buffer_reserve(out, DOUBLE_TEXT_MAX));
        return true;
    case TYPE_DECIMAL:
        print_decimal(column, row, out);
        return true;
    case TYPE_BINARY:
        bytes = bytes_of(column, row);
        print_binary(bytes.data, bytes.size, out);
        return true;
    default:
        return text_times_append(&rows->times, column, row, out, err);
    }
}

static bool has_custom_pattern(const struct csv_rows *rows, enum type_kind kind)
{
    return (kind == TYPE_DATE && rows->times.date) || (kind == TYPE_TIMESTAMP && rows->times.timestamp) ||
           (kind == TYPE_TIMESTAMP_NTZ && rows->times.timestamp_ntz);
}

static bool append_value(const struct csv_rows *rows, const struct column *column, size_t row, size_t index, struct buffer *scratch,
                         struct buffer *out, struct error *err)
{
    if (!column_is_valid(column, row)) {
        append_text(rows, rows->null_value, true, index, out);
        return true;
    }
    enum type_kind kind = column->type->kind;
    if (kind == TYPE_STRING) {
        struct slice text = bytes_of(column, row);
        append_text(rows, text.size ? text : rows->empty_value, text.size == 0, index, out);
        return true;
    }
    if (rows->plain_values && !has_custom_pattern(rows, kind))
        return print_value(rows, column, row, out, err);
    buffer_clear(scratch);
    if (!print_value(rows, column, row, scratch, err))
        return false;
    append_text(rows, slice_of(scratch->data, scratch->size), false, index, out);
    return true;
}

/* --- rows ------------------------------------------------------------------------------------------- */

static void end_row(const struct csv_rows *rows, size_t start, struct buffer *out)
{
    if (out->size == start) {
        buffer_append(out, rows->quote.data, rows->quote.size);
        buffer_append(out, rows->quote.data, rows->quote.size);
    }
    buffer_append(out, rows->line_separator.data, rows->line_separator.size);
}

static bool append_rows(const void *settings, const struct column *columns, const uint32_t *selection, uint32_t count, struct buffer *out,
                        struct error *err)
{
    const struct csv_rows *rows = settings;
    struct buffer scratch = {0};
    bool good = true;
    for (uint32_t i = 0; good && i < count; i++) {
        size_t start = out->size, row = selection ? selection[i] : i;
        for (size_t column = 0; good && column < rows->schema->field_count; column++) {
            if (column > 0)
                buffer_append(out, rows->separator.data, rows->separator.size);
            good = append_value(rows, &columns[column], row, column, &scratch, out, err);
        }
        end_row(rows, start, out);
    }
    buffer_free(&scratch);
    return good;
}

static struct slice header_line(const struct csv_rows *rows, struct arena *arena)
{
    struct buffer line = {0};
    for (size_t i = 0; i < rows->schema->field_count; i++) {
        const struct field *field = &rows->schema->fields[i];
        if (i > 0)
            buffer_append(&line, rows->separator.data, rows->separator.size);
        struct slice name = field->name_size ? slice_of(field->name, field->name_size) : rows->empty_value;
        append_text(rows, name, field->name_size == 0, i, &line);
    }
    end_row(rows, 0, &line);
    struct slice copy = slice_of(arena_strndup(arena, (const char *)line.data, line.size), line.size);
    buffer_free(&line);
    return copy;
}

/* --- options ---------------------------------------------------------------------------------------- */

/* Undoes \t and the like. */
static bool compile_separator(const char *text, struct arena *arena, struct slice *out, struct error *err)
{
    static const char names[] = "trbf\"'\\", values[] = "\t\r\b\f\"'\\";
    if (!*text)
        return error_set(err, COND_DELIMITER_EMPTY, "invalid value for delimiter: it cannot be an empty string");
    char *copy = arena_strdup(arena, text), *to = copy;
    for (const char *p = text; *p; p++) {
        if (*p != '\\') {
            *to++ = *p;
            continue;
        }
        const char *name = *++p ? strchr(names, *p) : NULL;
        if (!*p)
            return error_set(err, COND_DELIMITER_BACKSLASH,
                             "invalid value for delimiter: a single backslash is prohibited, it begins an escape sequence");
        if (!name)
            return error_set(err, COND_DELIMITER_SPECIAL,
                             "invalid value for delimiter: unsupported special character for delimiter: \\%c", *p);
        *to++ = values[name - names];
    }
    *out = slice_of(copy, (size_t)(to - copy));
    return true;
}

/* A character option; 0 is the NUL character. */
static struct slice character(int64_t code_point, struct arena *arena)
{
    uint8_t bytes[4];
    size_t size = utf8_encode((uint32_t)code_point, bytes);
    uint8_t *copy = arena_alloc(arena, sizeof bytes);
    memcpy(copy, bytes, size);
    return slice_of(copy, size);
}

static void compile_characters(struct csv_rows *rows, const struct options *options, struct arena *arena)
{
    rows->quote = character(options_int(options, "quote"), arena);
    rows->escape = character(options_int(options, "escape"), arena);
    int64_t comment = options_int(options, "comment");
    rows->comment = character(comment ? comment : '#', arena);
    if (options_given(options, "charToEscapeQuoteEscaping") && options_int(options, "charToEscapeQuoteEscaping") != 0)
        rows->escape_escape = character(options_int(options, "charToEscapeQuoteEscaping"), arena);
    else if (!slice_equal(rows->quote, rows->escape) && options_int(options, "escape") != 0)
        rows->escape_escape = rows->escape;
}

static void compile_classes(struct csv_rows *rows)
{
    for (int byte = 0x80; byte < 0x100; byte++)
        rows->classes[byte] = BYTE_HIGH;
    rows->classes['\n'] |= BYTE_TRIGGER;
    rows->classes['\r'] |= BYTE_TRIGGER;
    if (rows->line_ends_written_out)
        rows->classes['\n'] |= BYTE_ESCAPED;
    rows->classes[rows->separator.data[0]] |= BYTE_TRIGGER;
    for (size_t i = 0; i < rows->line_separator.size; i++)
        rows->classes[rows->line_separator.data[i]] |= BYTE_TRIGGER;
    rows->classes[rows->quote.data[0]] |= BYTE_ESCAPED | (rows->escape_quotes ? BYTE_TRIGGER : 0);
    rows->classes[rows->escape.data[0]] |= BYTE_ESCAPED;
    static const char plain[] = "0123456789+-.:ETZNaInfinytrulse";
    rows->plain_values = !rows->quote_all && !strchr(plain, rows->comment.data[0]) && !strchr(plain, rows->quote.data[0]);
    for (const char *p = plain; *p; p++)
        rows->plain_values &= rows->classes[(uint8_t)*p] == 0;
}

static struct slice text_option(const struct options *options, const char *name)
{
    const char *text = options_text(options, name);
    return text ? slice_text(text) : slice_of("", 0);
}

static bool compile_rows(struct csv_rows *rows, const struct encoder_spec *spec, struct arena *arena, struct error *err)
{
    const struct options *options = spec->options;
    rows->schema = spec->schema;
    rows->quote_all = options_bool(options, "quoteAll");
    rows->escape_quotes = options_bool(options, "escapeQuotes");
    rows->trim_leading = options_bool(options, "ignoreLeadingWhiteSpace");
    rows->trim_trailing = options_bool(options, "ignoreTrailingWhiteSpace");
    rows->null_value = text_option(options, "nullValue");
    rows->empty_value = text_option(options, "emptyValue");
    if (!compile_separator(options_text(options, "sep"), arena, &rows->separator, err) ||
        !text_line_separator(options, &rows->line_separator, err) || !text_times_init(&rows->times, options, spec->session, arena, err))
        return false;
    size_t separator_count = utf8_count(rows->line_separator.data, rows->line_separator.size);
    rows->line_ends_written_out = separator_count == 2;
    if (separator_count > 2)
        return error_set(err, COND_INLET_BAD_OPTION_VALUE, "option 'lineSep' cannot be '%s': it can contain only 1 character, or 2",
                         options_text(options, "lineSep"));
    compile_characters(rows, options, arena);
    compile_classes(rows);
    return true;
}

static bool check_schema(const struct type *schema, struct error *err)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct type *type = schema->fields[i].type;
        if (!type_is_nested(type) && type->kind != TYPE_VOID)
            continue;
        struct buffer text = {0};
        type_print_ddl(type, &text);
        error_set(err, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE, "The CSV datasource doesn't support the column `%s` of the type \"%s\"",
                  schema->fields[i].name, buffer_string(&text));
        buffer_free(&text);
        return false;
    }
    return true;
}

/* A name that readers take for what it is: one part of a path, and no codec's. */
static const char *file_extension(const struct options *options, struct arena *arena, struct error *err)
{
    const char *given = options_text(options, "extension");
    char *extension = arena_printf(arena, ".%s", given ? given : "");
    enum codec named = codec_of_path(extension);
    if (strlen(extension) <= EXTENSION_BYTES_MAX && !strchr(extension, '/') && named == CODEC_NONE)
        return extension;
    error_set(err, COND_INLET_BAD_OPTION_VALUE, "option 'extension' cannot be '%s': %s", given,
              named != CODEC_NONE ? "readers would take the files for compressed ones" : "it is to be the end of a file name");
    if (named != CODEC_NONE)
        error_hint(err, "Use compression; it adds its own ending.");
    return NULL;
}

static struct encoder *csv_open(const struct encoder_spec *spec, struct arena *arena, struct error *err)
{
    struct encoder *encoder = ARENA_NEW(arena, struct encoder);
    struct csv_rows *rows = ARENA_NEW(arena, struct csv_rows);
    const char *extension = file_extension(spec->options, arena, err);
    encoder->append = append_rows;
    encoder->settings = rows;
    if (!extension || !check_schema(spec->schema, err) || !text_encoder_init(encoder, spec, extension, arena, err) || !compile_rows(rows, spec, arena, err))
        return NULL;
    if (options_bool(spec->options, "header"))
        encoder->head = header_line(rows, arena);
    return encoder;
}

const struct encoder_ops csv_encoder = {.name = "csv", .options = csv_write_options, .open = csv_open, TEXT_PIECE_OPS};
