/* csv_stream -- multiLine files, record by record.
 *
 * A stretch of the file is at hand. Where the first line of it is a simple record, that is all; else some of it
 * is decoded for the tokenizer, and more of it where the record does not end there. Where it does not end in
 * the whole stretch, at least as much again is read, so that a long record costs no more than twice its size. */
#include "formats/csv_read.h"
#include "base/panic.h"

#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 256 << 10, DETECT_SIZE = 1 << 20, GUESS_AT_FIRST = 512 };
#define STREAM_RECORD_MAX LINES_RECORD_MAX

void csv_stream_fini(struct csv_stream *stream)
{
    buffer_free(&stream->bytes);
}

void csv_stream_begin(struct scan *scan)
{
    struct csv_stream *s = &scan->stream;
    struct csv_stream fresh = {.bytes = s->bytes, .guess = GUESS_AT_FIRST};
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

/* At most `end`: behind the last character that is whole and cannot be the first half of a separator. */
static size_t decodable(const struct csv_stream *s, size_t end)
{
    const uint8_t *text = s->bytes.data;
    size_t size = end;
    if (s->end && end == s->bytes.size) return size;
    for (size_t back = 1; back <= 3 && back <= size - s->byte_at; back++) {
        if ((text[size - back] & 0xC0) == 0x80) continue;
        if (character_size(text[size - back]) > back) size -= back;
        break;
    }
    for (size_t part = s->separator_size - 1; part > 0; part--)
        if (size - s->byte_at >= part && memcmp(text + size - part, s->separator, part) == 0) return size - part;
    return size;
}

/* Size of the line end at `at`; 0: none. */
static size_t line_end_size(const struct csv_stream *s, size_t at, size_t end)
{
    const uint8_t *text = s->bytes.data + at;
    if (end - at >= s->separator_size && memcmp(text, s->separator, s->separator_size) == 0) return s->separator_size;
    return s->feed_ends && *text == '\n' ? 1 : 0;
}

static void put_newline(struct scan *scan, size_t at, size_t size, size_t *count)
{
    const struct csv_stream *s = &scan->stream;
    bool separator = size == s->separator_size && memcmp(s->bytes.data + at, s->separator, size) == 0;
    csv_decode(slice_text("\n"), &scan->units, count, &scan->unit_capacity); /* Makes the room. */
    scan->units[*count - 1] = separator ? CSV_NEWLINE : CSV_FEED;
}

/* The units of about `size` bytes from the next record on; *all: of all that is at hand. */
static size_t decode(struct scan *scan, size_t size, bool *all)
{
    const struct csv_stream *s = &scan->stream;
    size_t left = s->bytes.size - s->byte_at, count = 0;
    size_t end = decodable(s, size < left ? s->byte_at + size : s->bytes.size), run = s->byte_at, at = run;
    *all = size >= left;
    while (at < end) {
        size_t line_end = s->bytes.data[at] == s->separator[0] || s->bytes.data[at] == '\n' ? line_end_size(s, at, end) : 0;
        if (line_end == 0) {
            at++;
            continue;
        }
        csv_decode(slice_of(s->bytes.data + run, at - run), &scan->units, &count, &scan->unit_capacity);
        put_newline(scan, at, line_end, &count);
        run = at += line_end;
    }
    csv_decode(slice_of(s->bytes.data + run, end - run), &scan->units, &count, &scan->unit_capacity);
    return count;
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* Forgets the records that were taken. */
static void shift(struct csv_stream *s)
{
    s->bytes.size -= s->byte_at;
    memmove(s->bytes.data, s->bytes.data + s->byte_at, s->bytes.size);
    s->byte_start += (int64_t)s->byte_at;
    s->byte_at = 0;
}

/* A failure to read is kept: what was read before it is a record first. */
static void read_more(struct scan *scan)
{
    struct csv_stream *s = &scan->stream;
    if (s->byte_at) shift(s);
    size_t wanted = s->separator_known ? s->bytes.size : DETECT_SIZE;
    if (wanted < READ_SIZE) wanted = READ_SIZE;
    for (size_t more = 0; more < wanted && !s->end;) {
        size_t got = 0;
        if (!scan->stored && !(scan->stored = malloc(sizeof *scan->stored))) panic_out_of_memory(sizeof *scan->stored);
        if (!input_read(scan->files.input, buffer_reserve(&s->bytes, READ_SIZE), READ_SIZE, false, &got, scan->stored)) s->failed = s->end = true;
        else if (got == 0) s->end = true;
        s->bytes.size += got;
        more += got;
    }
    memset(buffer_reserve(&s->bytes, 64), 0, 64);
    if (!s->separator_known) detect_separator(s);
    scan->tokenizer.newline_size = s->separator_size;
    scan->tokenizer.newline_is_feed = s->separator_size == 1 && s->separator[0] == '\n';
}

/* Moves *byte behind the units [from, to). */
static void walk(const struct scan *scan, size_t from, size_t to, size_t *byte)
{
    const struct csv_stream *s = &scan->stream;
    for (size_t i = from; i < to; i++)
        if ((scan->units[i] & 0xFFFFFC00u) != 0xDC00) /* The second half of a pair was counted with the first. */
            *byte += csv_is_newline(scan->units[i]) ? line_end_size(s, *byte, s->bytes.size) : character_size(s->bytes.data[*byte]);
}

/* Where a corrupt record's text ends: Spark strips \n, \r and \r\n, and keeps any other separator. */
static size_t shown_end(const struct csv_stream *s, size_t start, size_t end, bool ended)
{
    if (!ended) return end;
    const uint8_t *text = s->bytes.data;
    if (text[end] == '\n') return end > start && text[end - 1] == '\r' ? end - 1 : end;
    return text[end] == '\r' ? end : end + s->separator_size;
}

static void take_record(struct scan *scan, size_t start, size_t end)
{
    struct csv_stream *s = &scan->stream;
    size_t byte = s->byte_at, text_stop = end;
    walk(scan, 0, start, &byte);
    if (end > start && csv_is_newline(scan->units[end - 1])) text_stop--;
    size_t text_end = byte;
    walk(scan, start, text_stop, &text_end);
    scan->record.text = slice_of(s->bytes.data + byte, shown_end(s, byte, text_end, text_stop < end) - byte);
    scan->record.byte = s->byte_start + (int64_t)byte;
    walk(scan, text_stop, end, &text_end);
    s->guess = 2 * (text_end - s->byte_at) + 64;
    s->byte_at = text_end;
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
        if (!input_read(scan->files.input, buffer_reserve(&s->bytes, READ_SIZE), READ_SIZE, false, &got, scan->stored)) s->failed = s->end = true;
    }
    s->end = true;
    s->byte_at = 0;
    buffer_clear(&s->bytes);
    *why = CSV_MORE;
    return CSV_FRAMED_REFUSED;
}

/* Tokenizes a record in what is at hand; MORE: it does not end there. */
static enum csv_parse tokenize_at_hand(struct scan *scan)
{
    struct csv_stream *s = &scan->stream;
    for (size_t size = s->guess;; size *= 4) {
        bool all;
        size_t count = decode(scan, size, &all);
        enum csv_parse result = csv_tokenize(&scan->tokenizer, scan->units, 0, count, all && s->end);
        if (result != CSV_MORE || all) return result;
    }
}

enum csv_frame csv_stream_next(struct scan *scan, enum csv_parse *why, struct error *err)
{
    struct csv_stream *s = &scan->stream;
    if (!s->separator_known && !s->end) read_more(scan);
    while ((*why = tokenize_at_hand(scan)) == CSV_MORE) {
        if (s->bytes.size - s->byte_at > STREAM_RECORD_MAX) return refuse_rest(scan, why);
        read_more(scan);
    }
    if (*why == CSV_EMPTY) {
        if (!s->failed) return CSV_FRAMED_END;
        *err = *scan->stored;
        return CSV_FRAMED_FAILED;
    }
    take_record(scan, scan->tokenizer.record_start, scan->tokenizer.record_end);
    return *why == CSV_ROW ? CSV_FRAMED : CSV_FRAMED_REFUSED;
}

/* ---- lines ------------------------------------------------------------------------------------- */

bool csv_stream_line(struct scan *scan, bool one_more)
{
    struct csv_stream *s = &scan->stream;
    if (!s->separator_known || s->separator[s->separator_size - 1] != '\n') return false;
    size_t from = one_more ? s->line_end + s->separator_size : s->byte_at;
    if (one_more && s->separator_size != 1) return false; /* Line ends inside quotes would have to be changed to \n. */
    const uint8_t *start = s->bytes.data + s->byte_at;
    const uint8_t *feed = from < s->bytes.size ? memchr(s->bytes.data + from, '\n', s->bytes.size - from) : NULL;
    if (!feed || feed == start) return false;
    bool carriage = s->separator_size == 2;
    if (!carriage && feed[-1] == '\r') return false; /* A field's, but not in a corrupt record's text. */
    if (carriage && feed[-1] != '\r') return false;
    s->line_end = (size_t)(feed - s->bytes.data) - carriage;
    scan->record.byte = s->byte_start + (int64_t)s->byte_at;
    scan->record.text = slice_of(start, s->line_end - s->byte_at);
    return scan->record.text.size > 0;
}

void csv_stream_took_line(struct scan *scan)
{
    struct csv_stream *s = &scan->stream;
    s->byte_at = s->line_end + s->separator_size;
    s->guess = GUESS_AT_FIRST;
}
