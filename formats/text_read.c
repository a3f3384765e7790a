/* text_read -- the text reader: a row for each line, or for each file (format-semantics 7). */
#include "base/panic.h"
#include "formats/format.h"
#include "formats/lines.h"

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
    const struct file_range *ranges;
    size_t range_count, range_index;
    struct range_outcome *outcomes;
    struct input *input;
    struct lines *lines;     /* NULL: whole files. */
    bool first_line, segment_due;
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
    if (!reader->whole) scan->lines = lines_new(&reader->lines, context->budget);
    return scan;
}

static void text_scan_free(struct scan *scan)
{
    if (!scan) return;
    input_close(scan->input);
    lines_free(scan->lines);
    free(scan);
}

static void text_scan_begin(struct scan *scan, const struct file_range *ranges, size_t count, struct range_outcome *outcomes)
{
    input_close(scan->input);
    scan->input = NULL;
    scan->ranges = ranges;
    scan->range_count = count;
    scan->range_index = 0;
    scan->outcomes = outcomes;
    memset(outcomes, 0, count * sizeof *outcomes);
}

/* ---- ranges ------------------------------------------------------------------------------------ */

static bool open_range(struct scan *scan, struct error *err)
{
    const struct file_range *range = &scan->ranges[scan->range_index];
    const struct store_ops *store = store_find(range->path, err);
    struct object_stat stat;
    if (!store) return false;
    int64_t open_at = scan->lines ? lines_open_at(&scan->reader->lines, range->start) : range->start;
    scan->input = input_open(store, range->path, open_at, range->end, &scan->context->cancel, &stat, err);
    if (!scan->input || !range_check_as_planned(range, &stat, err)) return error_at(err, range->path, 0, -1);
    if (range->read_ahead) input_read_ahead(scan->input);
    if (scan->lines) lines_begin(scan->lines, scan->input, range->start, range->end);
    scan->first_line = range->start == 0;
    scan->segment_due = true;
    return true;
}

static bool end_range(struct scan *scan, struct error *err)
{
    struct range_outcome *outcome = &scan->outcomes[scan->range_index];
    const char *path = scan->ranges[scan->range_index].path;
    outcome->bytes = input_bytes_stored(scan->input);
    bool unchanged = outcome->ignored_corrupt || input_check_unchanged(scan->input, err);
    input_close(scan->input);
    scan->input = NULL;
    scan->range_index++;
    return unchanged || error_at(err, path, 0, -1);
}

/* Reading failed. True: that is to be ignored, and the range ends here. */
static bool ignore_damage(struct scan *scan, struct error *err)
{
    return range_ignore_damage(&scan->ranges[scan->range_index], &scan->outcomes[scan->range_index], scan->reader->spec.ignore_corrupt_files, err);
}

/* ---- rows -------------------------------------------------------------------------------------- */

/* The row's text is in the column up to `end`, where the query uses it. */
static void finish_row(struct scan *scan, struct chunk *chunk, size_t size, int64_t byte)
{
    struct range_outcome *outcome = &scan->outcomes[scan->range_index];
    if (scan->reader->has_value) chunk->columns[0].offsets[scan->row + 1] = chunk->columns[0].offsets[scan->row] + (int32_t)size;
    if (scan->segment_due) chunk_add_segment(chunk, scan->row, (uint32_t)scan->range_index, byte, outcome->records_framed);
    scan->segment_due = false;
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
    const char *path = scan->ranges[scan->range_index].path;
    int64_t record = scan->outcomes[scan->range_index].records_framed + 1;
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
    switch (lines_next(scan->lines, &line, err)) {
    case LINES_RECORD: return take_line(scan, chunk, &line, err);
    case LINES_END: return end_range(scan, err);
    default: return ignore_damage(scan, err) && end_range(scan, err);
    }
}

static bool file_too_large(const struct scan *scan, struct error *err)
{
    error_set(err, COND_FAILED_READ_FILE, "a file of more than 2 GiB cannot be one value");
    return error_at(err, scan->ranges[scan->range_index].path, 1, -1);
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
        if (!input_read(scan->input, to, room, false, &got, err)) return ignore_damage(scan, err) && end_range(scan, err);
        if (got == 0) break;
        size += got;
        if (size >= step) step = size;
    }
    if (size) finish_row(scan, chunk, size, 0);
    return end_range(scan, err);
}

/* One step: a line or file, or a range's opening. */
static bool advance(struct scan *scan, struct chunk *chunk, struct error *err)
{
    if (scan->input) return scan->lines ? advance_line(scan, chunk, err) : take_file(scan, chunk, err);
    if (open_range(scan, err)) return true;
    if (!ignore_damage(scan, err)) return false;
    input_close(scan->input);
    scan->input = NULL;
    scan->range_index++;
    return true;
}

static bool bind_chunk(struct scan *scan, struct chunk *chunk, struct error *err)
{
    chunk_reset(chunk);
    scan->row = 0;
    scan->text = 0;
    scan->segment_due = true;
    if (!scan->reader->has_value) return true;
    if (!column_reserve(&chunk->columns[0], scan->context->budget, CHUNK_ROWS_MAX, err)) return false;
    chunk->columns[0].offsets[0] = 0;
    return chunk->columns[0].data || column_reserve_data(&chunk->columns[0], scan->context->budget, 1, err);
}

static enum pull text_scan_next(struct scan *scan, struct chunk *chunk, struct error *err)
{
    do {
        if (!bind_chunk(scan, chunk, err)) return PULL_FAILED;
        while (scan->range_index < scan->range_count && scan->row < CHUNK_ROWS_MAX && scan->text < CHUNK_TEXT_MAX)
            if (!advance(scan, chunk, err)) return PULL_FAILED;
    } while (scan->row == 0 && scan->range_index < scan->range_count);
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
