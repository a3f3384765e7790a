/* lines -- blocks of an input cut into records. See lines.h for the rules of ownership. */
#include "formats/lines.h"
#include "base/panic.h"
#include "formats/structurals.h"

#include <stdlib.h>
#include <string.h>

enum { PAST_END_READ = 64 << 10 }; /* What finishes the last record of a range is usually short. */

/* block:  0 .. at      handed out
 *         at .. ready  whole records
 *         ready .. fill  the beginning of a record */
struct lines {
    uint8_t separator[LINES_SEPARATOR_MAX];
    size_t separator_size;   /* 0: \n, \r, \r\n. */
    size_t unit, block_size, record_max;
    line_end_fn find_line_end;
    struct budget *budget;
    struct input *input;
    uint8_t *block;
    size_t capacity, at, ready, fill, region_start;
    int64_t block_byte;      /* File offset of block[0]. */
    int64_t start, end;
    uint64_t serial;
    bool range_ended;        /* input has no more bytes inside the range. */
    bool input_ended;        /* ... and none behind it. */
    bool skip_to_first;      /* The range begins inside somebody else's record. */
    bool pending_feed;       /* The last separator was \r at the very end of what was read. */
    bool skipping;           /* Inside an oversize record ... */
    int64_t skip_start;      /* ... which began here. */
    bool failed;             /* The input failed; *failure says why, once the whole records are gone. */
    struct error *failure;
};

struct lines *lines_new(const struct lines_spec *spec, struct budget *budget)
{
    invariant(spec->separator_size <= LINES_SEPARATOR_MAX);
    struct lines *lines = calloc(1, sizeof *lines);
    if (!lines) panic_out_of_memory(sizeof *lines);
    lines->failure = calloc(1, sizeof *lines->failure);
    if (!lines->failure) panic_out_of_memory(sizeof *lines->failure);
    if (spec->separator) {
        memcpy(lines->separator, spec->separator, spec->separator_size);
        lines->separator_size = spec->separator_size;
    }
    lines->unit = spec->unit ? spec->unit : 1;
    lines->block_size = spec->block_size ? spec->block_size : LINES_BLOCK_SIZE;
    lines->record_max = spec->record_max ? spec->record_max : LINES_RECORD_MAX;
    lines->find_line_end = line_end_scanner(isa_choose());
    lines->budget = budget;
    return lines;
}

void lines_free(struct lines *lines)
{
    if (!lines) return;
    block_release(lines->block);
    free(lines->failure);
    free(lines);
}

static size_t look_back(const struct lines_spec *spec)
{
    return spec->separator ? spec->separator_size : 1;
}

int64_t lines_open_at(const struct lines_spec *spec, int64_t start)
{
    int64_t back = (int64_t)look_back(spec);
    return start > back ? start - back : 0;
}

bool lines_splittable(const struct lines_spec *spec)
{
    if (!spec->separator) return true;
    for (size_t border = 1; border < spec->separator_size; border++)
        if (memcmp(spec->separator, spec->separator + spec->separator_size - border, border) == 0) return false;
    return true;
}

void lines_begin(struct lines *lines, struct input *input, int64_t start, int64_t end)
{
    struct lines_spec spec = {.separator = lines->separator_size ? lines->separator : NULL, .separator_size = lines->separator_size};
    lines->input = input;
    lines->at = lines->ready = lines->fill = lines->region_start = 0;
    lines->block_byte = lines_open_at(&spec, start);
    lines->start = start;
    lines->end = end;
    lines->range_ended = lines->input_ended = false;
    lines->skip_to_first = start > 0;
    lines->pending_feed = lines->skipping = lines->failed = false;
    lines->serial++;
}

/* Separators -------------------------------------------------------------------------------- */

static bool aligned(const struct lines *lines, size_t position)
{
    return lines->unit == 1 || (uint64_t)(lines->block_byte + (int64_t)position) % lines->unit == 0;
}

/* First separator in block[from, to), or SIZE_MAX. */
static size_t find_separator(const struct lines *lines, size_t from, size_t to)
{
    if (!lines->separator_size) {
        size_t found = lines->find_line_end(lines->block, from, to);
        return found < to ? found : SIZE_MAX;
    }
    while (from < to) {
        const uint8_t *found = lines->separator_size == 1 ? memchr(lines->block + from, lines->separator[0], to - from)
                                                          : memmem(lines->block + from, to - from, lines->separator, lines->separator_size);
        if (!found) return SIZE_MAX;
        size_t position = (size_t)(found - lines->block);
        if (aligned(lines, position)) return position;
        from = position + 1;
    }
    return SIZE_MAX;
}

/* End of the last separator that ends in block(from, to], or from. */
static size_t last_separator_end(const struct lines *lines, size_t from, size_t to)
{
    size_t size = lines->separator_size;
    if (!size) {
        while (to > from && lines->block[to - 1] != '\n' && lines->block[to - 1] != '\r') to--;
        return to;
    }
    for (; to >= from + size; to--)
        if (lines->block[to - 1] == lines->separator[size - 1] && memcmp(lines->block + to - size, lines->separator, size) == 0 &&
            aligned(lines, to - size))
            return to;
    return from;
}

/* Where the record behind the separator at `position` starts. */
static size_t behind_separator(struct lines *lines, size_t position)
{
    if (lines->separator_size) return position + lines->separator_size;
    if (lines->block[position] == '\n') return position + 1;
    if (position + 1 < lines->fill) return lines->block[position + 1] == '\n' ? position + 2 : position + 1;
    lines->pending_feed = true;
    return position + 1;
}

/* Reading ----------------------------------------------------------------------------------- */

static bool make_room(struct lines *lines, struct error *err)
{
    size_t tail = lines->fill - lines->at;
    if (tail && lines->at) memmove(lines->block, lines->block + lines->at, tail);
    lines->block_byte += (int64_t)lines->at;
    lines->at = lines->ready = 0;
    lines->fill = tail;
    size_t wanted = lines->block_size;
    while (wanted <= tail + lines->block_size / 2) wanted *= 2;
    size_t limit = lines->record_max + lines->block_size + LINES_SEPARATOR_MAX;
    if (wanted > limit) wanted = limit;
    if (wanted < lines->capacity && tail <= lines->block_size / 2) { /* A long record has passed: give its memory back. */
        uint8_t *smaller = block_alloc(lines->budget, lines->block_size, err);
        if (!smaller) return false;
        memcpy(smaller, lines->block, tail);
        block_release(lines->block);
        lines->block = smaller;
        lines->capacity = lines->block_size;
    }
    if (wanted <= lines->capacity) return true;
    if (!block_grow(lines->budget, (void **)&lines->block, wanted, err)) return false;
    lines->capacity = wanted;
    return true;
}

static void note_failure(struct lines *lines, const struct error *err)
{
    lines->failed = true;
    lines->range_ended = lines->input_ended = true;
    *lines->failure = *err;
}

/* One read; past the end of the range only when a record of ours is unfinished there. */
static void read_more(struct lines *lines, bool past_end)
{
    struct error err;
    error_clear(&err);
    size_t got = 0, room = lines->capacity - lines->fill;
    if (past_end && room > PAST_END_READ) room = PAST_END_READ;
    if (!input_read(lines->input, lines->block + lines->fill, room, past_end, &got, &err)) {
        note_failure(lines, &err);
        return;
    }
    if (got == 0) {
        if (past_end || lines->end < 0) lines->input_ended = true;
        lines->range_ended = true;
        return;
    }
    lines->fill += got;
}

static void drop_pending_feed(struct lines *lines)
{
    if (!lines->pending_feed || lines->fill == lines->at) return;
    lines->pending_feed = false;
    if (lines->block[lines->at] == '\n') lines->at++;
}

/* Adds input behind `fill` and finds out how far whole records go. */
static bool refill(struct lines *lines, struct error *err)
{
    size_t searched = lines->fill - lines->at; /* No whole record begins in what is left over. */
    if (!make_room(lines, err)) return false;
    do {
        read_more(lines, lines->range_ended && lines->end >= 0);
    } while (!lines->input_ended && !lines->range_ended && lines->fill < lines->capacity);
    memset(lines->block + lines->fill, 0, 64); /* Scanners look at whole vectors; a block has that room behind its end. */
    drop_pending_feed(lines);
    size_t overlap = lines->separator_size ? lines->separator_size - 1 : 0;
    size_t from = searched > overlap ? searched - overlap : 0;
    if (from < lines->at) from = lines->at;
    lines->ready = last_separator_end(lines, from, lines->fill);
    if (lines->ready == from) lines->ready = lines->at;
    if (lines->input_ended && !lines->failed) lines->ready = lines->fill;
    lines->region_start = lines->at;
    lines->serial++;
    return true;
}

/* An oversize record: throw away what is certainly inside it. A separator may begin in the last bytes. */
static void discard_inside(struct lines *lines)
{
    size_t keep = lines->separator_size ? lines->separator_size - 1 : 0;
    if (lines->fill - lines->at > keep) lines->at = lines->fill - keep;
    lines->ready = lines->at;
}

/* Not inside a record of ours. */
static bool between_records(const struct lines *lines)
{
    return !lines->skipping || lines->skip_to_first;
}

static bool ended_by_range(const struct lines *lines)
{
    return lines->end >= 0 && between_records(lines) && lines->block_byte + (int64_t)lines->at >= lines->end;
}

static bool ended(const struct lines *lines)
{
    if (ended_by_range(lines)) return true;
    if (!lines->input_ended) return false;
    return lines->failed || (lines->at == lines->fill && between_records(lines));
}

static void fill_line(const struct lines *lines, struct line *line, size_t from, size_t to)
{
    line->byte = lines->skipping ? lines->skip_start : lines->block_byte + (int64_t)from;
    line->byte_end = lines->block_byte + (int64_t)to;
    line->oversize = lines->skipping || (uint64_t)(line->byte_end - line->byte) > lines->record_max;
    line->data = line->oversize ? NULL : lines->block + from;
    line->size = (size_t)(line->byte_end - line->byte);
}

/* The separator at `found` ends a record: true when that record is handed out. */
static bool take_record(struct lines *lines, size_t found, struct line *line)
{
    size_t from = lines->at;
    lines->at = behind_separator(lines, found);
    if (lines->skip_to_first) {
        lines->skip_to_first = lines->skipping = false;
        return false;
    }
    fill_line(lines, line, from, found);
    lines->skipping = false;
    lines->block[found] = 0;
    return true;
}

static bool take_rest(struct lines *lines, struct line *line)
{
    bool ours = !lines->skip_to_first && (lines->at < lines->fill || lines->skipping);
    if (ours) fill_line(lines, line, lines->at, lines->fill);
    if (lines->block) lines->block[lines->fill] = 0;
    lines->at = lines->ready = lines->fill;
    lines->skipping = lines->skip_to_first = false;
    return ours;
}

enum lines_pull lines_next(struct lines *lines, struct line *line, struct error *err)
{
    for (;;) {
        if (lines->at < lines->ready && !ended_by_range(lines)) {
            size_t found = find_separator(lines, lines->at, lines->ready);
            if (found != SIZE_MAX) {
                if (take_record(lines, found, line)) return LINES_RECORD;
                continue;
            }
        }
        if (ended(lines)) break;
        if (lines->input_ended) {
            if (take_rest(lines, line)) return LINES_RECORD;
            continue;
        }
        if (lines->fill - lines->at > lines->record_max || lines->skipping || lines->skip_to_first) {
            if (!lines->skipping) lines->skip_start = lines->block_byte + (int64_t)lines->at;
            lines->skipping = true;
            discard_inside(lines);
        }
        if (!refill(lines, err)) return LINES_FAILED;
    }
    if (!lines->failed) return LINES_END;
    *err = *lines->failure;
    return LINES_FAILED;
}

struct slice lines_block(const struct lines *lines, uint64_t *serial)
{
    *serial = lines->serial;
    return slice_of(lines->block + lines->region_start, lines->ready - lines->region_start);
}
