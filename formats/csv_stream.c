/* csv_stream -- multiLine files: bytes into code points with record ends marked, record by record.
 *
 * The tokenizer needs a whole record at hand. It gets what is there; where the record does not end in it, more
 * is read (at least as much again, so that a long record costs no more than twice its size) and the
 * record is begun anew. */
#include "formats/csv_read.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 256 << 10, DETECT_SIZE = 1 << 20 };
#define STREAM_RECORD_MAX LINES_RECORD_MAX

void csv_stream_fini(struct csv_stream *stream)
{
    free(stream->units);
    buffer_free(&stream->bytes);
}

void csv_stream_begin(struct scan *scan)
{
    struct csv_stream *s = &scan->stream;
    struct csv_stream fresh = {.units = s->units, .unit_capacity = s->unit_capacity, .bytes = s->bytes};
    *s = fresh;
    buffer_clear(&s->bytes);
    const struct slice given = scan->reader->settings.line_separator;
    if (given.size == 0) return;
    memcpy(s->separator, given.data, given.size);
    s->separator_size = given.size;
    s->feed_ends = scan->reader->settings.feed_ends;
    s->separator_known = true;
}

/* The first line end of the file is what its records end with; \n ends one in any case. */
static void detect_separator(struct csv_stream *s)
{
    const uint8_t *text = s->bytes.data, *end = text + s->bytes.size;
    while (text < end && *text != '\n' && *text != '\r') text++;
    bool carriage = text < end && *text == '\r', both = carriage && text + 1 < end && text[1] == '\n';
    memcpy(s->separator, both ? "\r\n" : carriage ? "\r" : "\n", 2);
    s->separator_size = both ? 2 : 1;
    s->feed_ends = true;
    s->separator_known = true;
}

/* ---- bytes to units ---------------------------------------------------------------------------- */

static size_t character_size(uint8_t first) { return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4; }

/* Behind the last character that is whole and cannot be the first half of a separator. */
static size_t decodable(const struct csv_stream *s)
{
    size_t size = s->bytes.size;
    const uint8_t *text = s->bytes.data;
    if (s->end) return size;
    for (size_t back = 1; back <= 3 && back <= size - s->decoded; back++) {
        if ((text[size - back] & 0xC0) == 0x80) continue;
        if (character_size(text[size - back]) > back) size -= back;
        break;
    }
    for (size_t part = s->separator_size - 1; part > 0; part--)
        if (size - s->decoded >= part && memcmp(text + size - part, s->separator, part) == 0) return size - part;
    return size;
}

static void decode_run(struct csv_stream *s, size_t end)
{
    csv_decode(slice_of(s->bytes.data + s->decoded, end - s->decoded), &s->units, &s->unit_count, &s->unit_capacity);
    s->decoded = end;
}

static void put_newline(struct csv_stream *s, size_t size)
{
    bool separator = size == s->separator_size && memcmp(s->bytes.data + s->decoded, s->separator, size) == 0;
    csv_decode(slice_text("\n"), &s->units, &s->unit_count, &s->unit_capacity); /* Makes the room. */
    s->units[s->unit_count - 1] = separator ? CSV_NEWLINE : CSV_FEED;
    s->decoded += size;
}

/* Size of the line end at `at`; 0: none. */
static size_t line_end_size(const struct csv_stream *s, size_t at, size_t end)
{
    const uint8_t *text = s->bytes.data + at;
    if (end - at >= s->separator_size && memcmp(text, s->separator, s->separator_size) == 0) return s->separator_size;
    return s->feed_ends && *text == '\n' ? 1 : 0;
}

static void decode(struct csv_stream *s)
{
    size_t end = decodable(s), at = s->decoded;
    while (at < end) {
        size_t size = s->bytes.data[at] == s->separator[0] || s->bytes.data[at] == '\n' ? line_end_size(s, at, end) : 0;
        if (size == 0) {
            at++;
            continue;
        }
        decode_run(s, at);
        put_newline(s, size);
        at += size;
    }
    decode_run(s, end);
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* Forgets the records that were taken. */
static void shift(struct csv_stream *s)
{
    s->unit_count -= s->unit_at;
    memmove(s->units, s->units + s->unit_at, s->unit_count * sizeof *s->units);
    s->unit_at = 0;
    s->bytes.size -= s->byte_at;
    memmove(s->bytes.data, s->bytes.data + s->byte_at, s->bytes.size);
    s->decoded -= s->byte_at;
    s->byte_start += (int64_t)s->byte_at;
    s->byte_at = 0;
}

/* A failure to read is kept: what was read before it is a record first. */
static void read_more(struct scan *scan)
{
    struct csv_stream *s = &scan->stream;
    size_t wanted = s->separator_known ? s->bytes.size : DETECT_SIZE;
    if (wanted < READ_SIZE) wanted = READ_SIZE;
    for (size_t more = 0; more < wanted && !s->end;) {
        size_t got = 0;
        if (!scan->stored && !(scan->stored = malloc(sizeof *scan->stored))) panic_out_of_memory(sizeof *scan->stored);
        if (!input_read(scan->input, buffer_reserve(&s->bytes, READ_SIZE), READ_SIZE, false, &got, scan->stored)) s->failed = s->end = true;
        else if (got == 0) s->end = true;
        s->bytes.size += got;
        more += got;
    }
    if (!s->separator_known) detect_separator(s);
    scan->tokenizer.newline_size = s->separator_size;
    decode(s);
}

/* Moves *byte behind the units [from, to). */
static void walk(const struct csv_stream *s, size_t from, size_t to, size_t *byte)
{
    for (size_t i = from; i < to; i++)
        if ((s->units[i] & 0xFFFFFC00u) != 0xDC00) /* The second half of a pair was counted with the first. */
            *byte += csv_is_newline(s->units[i]) ? line_end_size(s, *byte, s->bytes.size) : character_size(s->bytes.data[*byte]);
}

static void take_record(struct scan *scan, size_t start, size_t end)
{
    struct csv_stream *s = &scan->stream;
    size_t byte = s->byte_at;
    walk(s, s->unit_at, start, &byte);
    scan->record.byte = s->byte_start + (int64_t)byte;
    size_t text_end = byte, text_stop = end;
    if (end > start && csv_is_newline(s->units[end - 1])) text_stop--;
    walk(s, start, text_stop, &text_end);
    buffer_reserve(&s->bytes, 64);
    scan->record.text = slice_of(s->bytes.data + byte, text_end - byte);
    walk(s, text_stop, end, &text_end);
    s->byte_at = text_end;
    s->unit_at = end;
}

/* The rest of the file is one record, too long to keep. */
static enum csv_frame refuse_rest(struct scan *scan, enum csv_parse *why)
{
    struct csv_stream *s = &scan->stream;
    scan->record.text = (struct slice){NULL, 0};
    scan->record.byte = s->byte_start;
    size_t got = 1;
    while (!s->end && got) {
        buffer_clear(&s->bytes);
        if (!input_read(scan->input, buffer_reserve(&s->bytes, READ_SIZE), READ_SIZE, false, &got, scan->stored)) s->failed = s->end = true;
    }
    s->end = true;
    s->unit_at = s->unit_count = s->byte_at = s->decoded = 0;
    buffer_clear(&s->bytes);
    *why = CSV_MORE;
    return CSV_FRAMED_REFUSED;
}

enum csv_frame csv_stream_next(struct scan *scan, enum csv_parse *why, struct error *err)
{
    struct csv_stream *s = &scan->stream;
    struct csv_tokenizer *t = &scan->tokenizer;
    for (;;) {
        *why = s->separator_known || s->end ? csv_tokenize(t, s->units, s->unit_at, s->unit_count, s->end) : CSV_MORE;
        if (*why != CSV_MORE) break;
        shift(s);
        if (s->unit_count > STREAM_RECORD_MAX) return refuse_rest(scan, why);
        read_more(scan);
    }
    if (*why == CSV_EMPTY) {
        if (!s->failed) return CSV_FRAMED_END;
        *err = *scan->stored;
        return CSV_FRAMED_FAILED;
    }
    take_record(scan, t->record_start, t->record_end);
    return *why == CSV_ROW ? CSV_FRAMED : CSV_FRAMED_REFUSED;
}
