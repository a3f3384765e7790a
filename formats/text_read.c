/* text_read -- the text reader: a row for each line, or for each file (format-semantics 7). */
#include "base/panic.h"
#include "formats/range_cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_spec text_options[] = {
    {.name = "charset", .kind = OPTION_TEXT, .help = "Another name of encoding.", .alias_of = "encoding"},
    {.name = "encoding", .kind = OPTION_TEXT, .fallback = "UTF-8", .help = "Encoding of lineSep; the text itself is taken as it is."},
    {.name = "lineSep", .kind = OPTION_TEXT, .help = "Line separator; without it \\n, \\r and \\r\\n."},
    {.name = "wholetext", .kind = OPTION_BOOL, .fallback = "false", .help = "One row for each file."},
    {.name = NULL},
};

enum { DOCUMENT_AT_FIRST = 64 << 10 };
static const size_t DOCUMENT_MAX = INT32_MAX - 64; /* Offsets of text columns are 32 bits. */

struct reader {
    struct read_spec spec;
    struct lines_spec lines;
    bool whole;
    bool has_value;          /* The query uses the text. */
};

struct scan {
    const struct reader *reader;
    struct inlet_context *context;
    struct range_cursor files;
    bool first_line;
    uint32_t row;
    size_t text;
};

/* ---- the reader -------------------------------------------------------------------------------- */

static bool check_schema(const struct read_spec *spec, struct error *err)
{
    const struct type *schema = spec->file_schema;
    for (size_t i = 0; i < schema->field_count; i++) {
        if (schema->fields[i].type->kind == TYPE_STRING) continue;
        struct buffer type = {0};
        type_print_ddl(schema->fields[i].type, &type);
        error_set(err, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE, "the Text datasource doesn't support the column `%s` of the type \"%s\"",
                  schema->fields[i].name, buffer_string(&type));
        buffer_free(&type);
        return false;
    }
    if (schema->field_count == 1) return true;
    return error_set(err, COND_INLET_TEXT_ONE_COLUMN, "Text data source supports only a single column, and you have %zu columns", schema->field_count);
}

static bool compile_separator(struct reader *reader, struct arena *arena, struct error *err)
{
    const struct options *options = reader->spec.options;
    const char *name = options_text(options, "encoding");
    enum charset charset = charset_find(name);
    if (charset == CHARSET_UNKNOWN)
        return error_set(err, COND_INLET_BAD_OPTION_VALUE, "option 'encoding' cannot be '%s': the encoding is not known", name);
    if (!options_given(options, "lineSep")) return true;
    const char *text = options_text(options, "lineSep");
    struct buffer bytes = {0};
    charset_from_utf8(charset, &bytes, (const uint8_t *)text, strlen(text));
    bool fits = bytes.size > 0 && bytes.size <= LINES_SEPARATOR_MAX;
    reader->lines.separator = (const uint8_t *)arena_strndup(arena, (const char *)bytes.data, bytes.size);
    reader->lines.separator_size = bytes.size;
    buffer_free(&bytes);
    if (fits) return true;
    return error_set(err, COND_INLET_BAD_OPTION_VALUE, "option 'lineSep' cannot be '%s': %s", text,
                     *text ? "it is longer than 255 bytes" : "'lineSep' cannot be an empty string");
}

static struct reader *text_open(const struct read_spec *spec, struct arena *arena, struct error *err)
{
    struct reader *reader = ARENA_NEW(arena, struct reader);
    reader->spec = *spec;
    reader->whole = options_bool(spec->options, "wholetext");
    reader->has_value = spec->schema->field_count > 0;
    return check_schema(spec, err) && compile_separator(reader, arena, err) ? reader : NULL;
}

static bool text_splittable(const struct reader *reader, const char *path)
{
    return !reader->whole && codec_of_path(path) == CODEC_NONE && lines_splittable(&reader->lines);
}

static struct scan *text_scan_new(const struct reader *reader, struct inlet_context *context, struct error *err)
{
    (void)err;
    struct scan *scan = calloc(1, sizeof *scan);
    if (!scan) panic_out_of_memory(sizeof *scan);
    scan->reader = reader;
    scan->context = context;
    range_cursor_init(&scan->files, reader->whole ? NULL : &reader->lines, &reader->spec, context);
    return scan;
}

static void text_scan_free(struct scan *scan)
{
    if (!scan) return;
    range_cursor_fini(&scan->files);
    free(scan);
}

static void text_scan_begin(struct scan *scan, const struct file_range *ranges, size_t count, struct range_outcome *outcomes)
{
    range_cursor_begin(&scan->files, ranges, count, outcomes);
}

/* ---- ranges ------------------------------------------------------------------------------------ */

static bool open_range(struct scan *scan, struct error *err)
{
    struct object_stat stat;
    if (!range_cursor_open(&scan->files, &stat, err)) return false;
    scan->first_line = scan->files.ranges[scan->files.index].start == 0;
    return true;
}

/* ---- rows -------------------------------------------------------------------------------------- */

/* The row's text is in the column up to `end`, where the query uses it. */
static void finish_row(struct scan *scan, struct chunk *chunk, size_t size, int64_t byte)
{
    struct range_outcome *outcome = range_cursor_outcome(&scan->files);
    if (scan->reader->has_value) chunk->columns[0].offsets[scan->row + 1] = chunk->columns[0].offsets[scan->row] + (int32_t)size;
    if (scan->files.segment_due) chunk_add_segment(chunk, scan->row, (uint32_t)scan->files.index, byte, outcome->records_framed);
    scan->files.segment_due = false;
    outcome->records_framed++;
    outcome->rows++;
    scan->row++;
    scan->text += size;
}

/* Room for `size` more bytes behind what the column has. */
static bool reserve_text(struct scan *scan, struct chunk *chunk, size_t size, struct error *err)
{
    struct column *column = &chunk->columns[0];
    size_t needed = (size_t)column->offsets[scan->row] + size;
    return column->data && needed <= block_size(column->data) ? true : column_reserve_data(column, scan->context->budget, needed, err);
}

static bool take_line(struct scan *scan, struct chunk *chunk, struct line *line, struct error *err)
{
    const char *path = range_cursor_path(&scan->files);
    int64_t record = range_cursor_outcome(&scan->files)->records_framed + 1;
    if (line->oversize) {
        error_set(err, COND_FAILED_READ_FILE, "a line of %lld bytes is longer than %zu MiB", (long long)(line->byte_end - line->byte), LINES_RECORD_MAX >> 20);
        return error_at(err, path, record, line->byte);
    }
    if (scan->first_line && line->size >= 3 && memcmp(line->data, "\xEF\xBB\xBF", 3) == 0) {
        line->data += 3;
        line->size -= 3;
    }
    scan->first_line = false;
    if (scan->reader->has_value) {
        if (!reserve_text(scan, chunk, line->size, err)) return false;
        if (line->size) memcpy(chunk->columns[0].data + chunk->columns[0].offsets[scan->row], line->data, line->size);
    }
    finish_row(scan, chunk, line->size, line->byte);
    return true;
}

static bool advance_line(struct scan *scan, struct chunk *chunk, struct error *err)
{
    struct line line;
    switch (lines_next(scan->files.lines, &line, err)) {
    case LINES_RECORD: return take_line(scan, chunk, &line, err);
    case LINES_END: return range_cursor_end(&scan->files, err);
    default: return range_cursor_ignores(&scan->files, err) && range_cursor_end(&scan->files, err);
    }
}

static bool file_too_large(const struct scan *scan, struct error *err)
{
    error_set(err, COND_FAILED_READ_FILE, "a file of more than 2 GiB cannot be one value");
    return error_at(err, range_cursor_path(&scan->files), 1, -1);
}

/* The whole file, right into the column. A file without a byte gives no row. */
static bool take_file(struct scan *scan, struct chunk *chunk, struct error *err)
{
    size_t size = 0, step = DOCUMENT_AT_FIRST, got;
    uint8_t unused[4096];
    for (;;) {
        uint8_t *to = unused;
        size_t room = sizeof unused;
        if (scan->reader->has_value) {
            if (size + step > DOCUMENT_MAX - (size_t)chunk->columns[0].offsets[scan->row])
                return file_too_large(scan, err);
            if (!reserve_text(scan, chunk, size + step, err)) return false;
            to = chunk->columns[0].data + chunk->columns[0].offsets[scan->row] + size;
            room = step;
        }
        if (!input_read(scan->files.input, to, room, false, &got, err)) return range_cursor_ignores(&scan->files, err) && range_cursor_end(&scan->files, err);
        if (got == 0) break;
        size += got;
        if (size >= step) step = size;
    }
    if (size) finish_row(scan, chunk, size, 0);
    return range_cursor_end(&scan->files, err);
}

/* One step: a line or file, or a range's opening. */
static bool advance(struct scan *scan, struct chunk *chunk, struct error *err)
{
    if (scan->files.input) return scan->files.lines ? advance_line(scan, chunk, err) : take_file(scan, chunk, err);
    return open_range(scan, err) || range_cursor_skip(&scan->files, err);
}

static bool bind_chunk(struct scan *scan, struct chunk *chunk, struct error *err)
{
    chunk_reset(chunk);
    scan->row = 0;
    scan->text = 0;
    scan->files.segment_due = true;
    if (!scan->reader->has_value) return true;
    if (!column_reserve(&chunk->columns[0], scan->context->budget, CHUNK_ROWS_MAX, err)) return false;
    chunk->columns[0].offsets[0] = 0;
    return chunk->columns[0].data || column_reserve_data(&chunk->columns[0], scan->context->budget, 1, err);
}

static enum pull text_scan_next(struct scan *scan, struct chunk *chunk, struct error *err)
{
    do {
        if (!bind_chunk(scan, chunk, err)) return PULL_FAILED;
        while (range_cursor_more(&scan->files) && scan->row < CHUNK_ROWS_MAX && scan->text < CHUNK_TEXT_MAX)
            if (!advance(scan, chunk, err)) return PULL_FAILED;
    } while (scan->row == 0 && range_cursor_more(&scan->files));
    if (scan->row == 0) return PULL_END;
    if (scan->reader->has_value) chunk->columns[0].length = scan->row;
    chunk->row_count = scan->row;
    return PULL_CHUNK;
}

const struct reader_ops text_reader = {
    .name = "text",
    .options = text_options,
    .open = text_open,
    .splittable = text_splittable,
    .scan_new = text_scan_new,
    .scan_begin = text_scan_begin,
    .scan_next = text_scan_next,
    .scan_free = text_scan_free,
};
