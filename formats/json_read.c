/* json_read -- the JSON reader: files and ranges into records, records into chunks (format-semantics 5).
 *
 * Framing and encodings are here; what a record becomes is json_records.c, how its text is read is
 * json_fast.c and json_careful.c. One scan belongs to one thread. */
#include "formats/json_read.h"
#include "base/panic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DOCUMENT_AT_FIRST = 1 << 20 };
static const int64_t DOCUMENT_MAX = INT32_MAX - 64; /* Offsets of text columns are 32 bits. */

/* The reader -------------------------------------------------------------------------------- */

static struct reader *json_open(const struct read_spec *spec, struct arena *arena, struct error *err)
{
    struct reader *reader = ARENA_NEW(arena, struct reader);
    reader->spec = *spec;
    if (!refuse_only_corrupt_column(spec, err) || !ndjson_settings_compile(spec, arena, &reader->settings, err)) return NULL;
    reader->shape = ndjson_shape_new(spec->schema, spec->corrupt_column, spec->session->case_sensitive, arena, err);
    return reader->shape ? reader : NULL;
}

static bool json_splittable(const struct reader *reader, const char *path)
{
    return !reader->settings.multi_line && codec_of_path(path) == CODEC_NONE && lines_splittable(&reader->settings.lines);
}

static struct scan *json_scan_new(const struct reader *reader, struct inlet_context *context, struct error *err)
{
    (void)err;
    struct scan *scan = calloc(1, sizeof *scan);
    if (!scan) panic_out_of_memory(sizeof *scan);
    scan->reader = reader;
    scan->context = context;
    ndjson_parser_init(&scan->parser, reader->shape, &reader->settings, context->budget);
    range_cursor_init(&scan->files, reader->settings.multi_line ? NULL : &reader->settings.lines, &reader->spec, context);
    return scan;
}

static void drop_document(struct scan *scan)
{
    block_release(scan->document);
    scan->document = NULL;
}

static void json_scan_free(struct scan *scan)
{
    if (!scan) return;
    range_cursor_fini(&scan->files);
    drop_document(scan);
    ndjson_parser_fini(&scan->parser);
    buffer_free(&scan->converted);
    free(scan);
}

static void json_scan_begin(struct scan *scan, const struct file_range *ranges, size_t count, struct range_outcome *outcomes)
{
    drop_document(scan);
    range_cursor_begin(&scan->files, ranges, count, outcomes);
    scan->in_array = false;
    scan->array_odd = NULL;
}

/* Ranges ------------------------------------------------------------------------------------ */

static bool open_range(struct scan *scan, struct error *err)
{
    struct range_cursor *files = &scan->files;
    const struct ndjson_settings *settings = &scan->reader->settings;
    struct object_stat stat;
    if (!range_cursor_open(files, &stat, err)) return false;
    const struct file_range *range = &files->ranges[files->index];
    bool compressed = codec_of_path(range->path) != CODEC_NONE;
    scan->parser.exact_strings = settings->exact_strings && !(settings->multi_line && compressed);
    scan->document_read = false;
    scan->document_size = compressed || stat.size < 0 ? 0 : stat.size;
    return true;
}

/* Records ----------------------------------------------------------------------------------- */

enum framing { FRAMED, FRAMED_END, FRAMED_FAILED };

/* Is `text` not what charset_to_utf8 made of `raw`, but for what it had to replace? */
static bool has_replaced(enum charset charset, struct slice raw, struct slice text)
{
    if (!memmem(text.data, text.size, "\xef\xbf\xbd", 3)) return false;
    if (charset == CHARSET_UTF8) return !utf8_valid(raw.data, raw.size);
    struct buffer again = {0};
    charset_from_utf8(charset, &again, text.data, text.size);
    bool same = slice_equal(slice_of(again.data, again.size), raw);
    buffer_free(&again);
    return !same;
}

/* scan->record.text from .raw, where the file is not simply UTF-8. Leaves room to look ahead. */
static void convert_record(struct scan *scan, enum charset charset)
{
    struct ndjson_record *record = &scan->record;
    buffer_clear(&scan->converted);
    charset_to_utf8(charset, &scan->converted, record->raw.data, record->raw.size);
    memset(buffer_reserve(&scan->converted, 128), 0, 128);
    record->text = slice_of(scan->converted.data, scan->converted.size);
    record->valid = true;
}

static enum framing next_line(struct scan *scan, struct error *err)
{
    const struct ndjson_settings *settings = &scan->reader->settings;
    struct ndjson_record *record = &scan->record;
    struct line line;
    enum lines_pull pull = lines_next(scan->files.lines, &line, err);
    if (pull != LINES_RECORD) return pull == LINES_END ? FRAMED_END : FRAMED_FAILED;
    /* A file may have one, and its first line another. An oversize line has no bytes here. */
    size_t mark = !line.oversize && line.byte == 0 && line.size >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    record->raw = record->text = slice_of(line.data + mark, line.size - mark);
    record->byte = line.byte;
    record->byte_end = line.byte_end;
    record->undecodable = false;
    if (line.oversize) return FRAMED;
    if (settings->charset == CHARSET_UTF8) {
        record->valid = range_cursor_valid(&scan->files, line.data, line.size);
        if (LIKELY(record->valid || !settings->charset_given)) return FRAMED;
    }
    convert_record(scan, settings->charset);
    record->undecodable = has_replaced(settings->charset, record->raw, record->text);
    return FRAMED;
}

/* What a JSON parser takes the bytes for when nobody tells: by a byte order mark, or by where the zeros are. */
static enum charset detect_charset(const uint8_t *text, size_t size)
{
    if (size >= 4) {
        uint32_t head = (uint32_t)text[0] << 24 | (uint32_t)text[1] << 16 | (uint32_t)text[2] << 8 | text[3];
        if (head == 0x0000feff || head >> 8 == 0) return CHARSET_UTF32BE;
        if (head == 0xfffe0000 || (head & 0x00ffffff) == 0) return CHARSET_UTF32LE;
    }
    if (size < 2) return CHARSET_UTF8;
    if ((text[0] == 0xfe && text[1] == 0xff) || !text[0]) return CHARSET_UTF16BE;
    if ((text[0] == 0xff && text[1] == 0xfe) || !text[1]) return CHARSET_UTF16LE;
    return CHARSET_UTF8;
}

static bool read_document(struct scan *scan, size_t *size, struct error *err)
{
    size_t capacity = DOCUMENT_AT_FIRST, got;
    if (scan->document_size >= DOCUMENT_AT_FIRST && scan->document_size < DOCUMENT_MAX - 64) capacity = (size_t)scan->document_size + 64; /* And some, to meet its end. */
    *size = 0;
    for (;;) {
        if (!block_grow(scan->context->budget, (void **)&scan->document, capacity, err)) return false;
        if (!input_read(scan->files.input, scan->document + *size, capacity - *size, false, &got, err)) return false;
        if (got == 0) break;
        *size += got;
        if ((int64_t)*size >= DOCUMENT_MAX) return error_set(err, COND_INLET_NO_MEMORY, "a file of more than 2 GiB cannot be read as one JSON value");
        if (*size == capacity) capacity *= 2;
        if ((int64_t)capacity > DOCUMENT_MAX) capacity = (size_t)DOCUMENT_MAX;
    }
    memset(scan->document + *size, 0, 64);
    return true;
}

static enum framing next_document(struct scan *scan, struct error *err)
{
    const struct ndjson_settings *settings = &scan->reader->settings;
    struct ndjson_record *record = &scan->record;
    size_t size;
    if (scan->document_read) return FRAMED_END;
    scan->document_read = true;
    if (!read_document(scan, &size, err)) return FRAMED_FAILED;
    record->raw = record->text = slice_of(scan->document, size);
    record->byte = 0;
    record->byte_end = (int64_t)size;
    enum charset charset = settings->charset_given ? settings->charset : detect_charset(scan->document, size);
    record->valid = charset == CHARSET_UTF8 && utf8_valid(scan->document, size);
    if (charset != CHARSET_UTF8 || (!record->valid && settings->charset_given)) convert_record(scan, charset);
    return FRAMED;
}

/* One step: a record of the range at hand, or the range's opening or end. */
static bool advance(struct scan *scan, struct chunk *chunk, struct error *err)
{
    if (!scan->files.input) return open_range(scan, err) || range_cursor_skip(&scan->files, err);
    enum framing framing = scan->files.lines ? next_line(scan, err) : next_document(scan, err);
    if (framing == FRAMED_FAILED && !range_cursor_ignores(&scan->files, err)) return false;
    if (framing != FRAMED) {
        drop_document(scan);
        return range_cursor_end(&scan->files, err);
    }
    scan->record.number = scan_outcome(scan)->records_framed;
    uint32_t rows = scan->rows;
    if (!ndjson_take_record(scan, err)) return false;
    if (UNLIKELY(scan->files.segment_due && scan->rows > rows)) {
        chunk_add_segment(chunk, rows, (uint32_t)scan->files.index, scan->record.byte, scan->record.number);
        scan->files.segment_due = false;
    }
    return true;
}

static bool fill_chunk(struct scan *scan, struct chunk *chunk, struct error *err)
{
    if (scan->in_array) { /* Goes on in this chunk. */
        chunk_add_segment(chunk, 0, (uint32_t)scan->files.index, scan->record.byte, scan->record.number);
        if (!ndjson_continue_array(scan)) return false;
    }
    while (!scan->in_array && range_cursor_more(&scan->files)) {
        if (scan->rows >= CHUNK_ROWS_MAX || scan->text_size >= CHUNK_TEXT_MAX) break;
        if (!advance(scan, chunk, err)) return false;
    }
    return true;
}

static enum pull json_scan_next(struct scan *scan, struct chunk *chunk, struct error *err)
{
    struct ndjson_slots *slots = &scan->parser.slots;
    slots->err = err;
    for (;;) {
        if (cancel_now(&scan->context->cancel)) return error_set(err, COND_INLET_CANCELLED, "reading was cancelled"), PULL_FAILED;
        chunk_reset(chunk);
        scan->rows = 0;
        scan->text_size = 0;
        scan->files.segment_due = true;
        if (!ndjson_slots_bind(slots, chunk) || !fill_chunk(scan, chunk, err)) return PULL_FAILED;
        if (scan->rows) break;
        if (!scan->in_array && !range_cursor_more(&scan->files)) return PULL_END;
    }
    if (!ndjson_slots_finish(slots, scan->rows)) return PULL_FAILED;
    chunk->row_count = scan->rows;
    return PULL_CHUNK;
}

const struct reader_ops json_reader = {
    .name = "json",
    .options = ndjson_options,
    .open = json_open,
    .splittable = json_splittable,
    .scan_new = json_scan_new,
    .scan_begin = json_scan_begin,
    .scan_next = json_scan_next,
    .scan_free = json_scan_free,
};
