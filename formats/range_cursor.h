/* range_cursor -- the file ranges of a scan, opened one after the other: what the readers of text formats share. */
#pragma once
#include "base/utf8.h"
#include "formats/format.h"
#include "formats/lines.h"

struct range_cursor {
    const struct file_range *ranges;     /* The task; borrowed. */
    size_t count, index;                 /* ranges[index] is being read, or next. */
    struct range_outcome *outcomes;
    struct input *input;                 /* Of ranges[index]; NULL: not opened. */
    struct lines *lines;                 /* NULL: the reader frames whole files by itself. */
    const struct lines_spec *lines_spec; /* Of `lines`. */
    const struct cancel *cancel;
    bool ignore_corrupt;                 /* ignoreCorruptFiles. */
    bool segment_due;                    /* The next row begins a segment: set by opening, cleared by the reader. */
    uint64_t block_serial;               /* Of the block of lines that was looked at ... */
    bool block_valid;                    /* ... and is UTF-8. */
};

/* `lines` NULL: whole files. *lines is borrowed until the end. */
void range_cursor_init(struct range_cursor *cursor, const struct lines_spec *lines, const struct read_spec *spec, struct inlet_context *context);
void range_cursor_fini(struct range_cursor *cursor);
/* Another task: see reader_ops.scan_begin. */
void range_cursor_begin(struct range_cursor *cursor, const struct file_range *ranges, size_t count, struct range_outcome *outcomes);
/* Opens ranges[index], as it was planned, and starts its lines. *stat gets what was opened; *err names the file. */
bool range_cursor_open(struct range_cursor *cursor, struct object_stat *stat, struct error *err) MUST_CHECK;
/* The end of ranges[index]: it must still be what was opened, save where damage was ignored. */
bool range_cursor_end(struct range_cursor *cursor, struct error *err) MUST_CHECK;
/* Reading failed with *err. True: it is damage (or an I/O error) that is to be ignored: noted in the outcome, the range ends here. False:
 * *err names the file, and for damage the record and byte. */
bool range_cursor_ignores(struct range_cursor *cursor, struct error *err) MUST_CHECK;
/* After a failed opening: goes on behind the range where that is to be ignored. */
bool range_cursor_skip(struct range_cursor *cursor, struct error *err) MUST_CHECK;

static inline bool range_cursor_more(const struct range_cursor *cursor) { return cursor->index < cursor->count; }
static inline const char *range_cursor_path(const struct range_cursor *cursor) { return cursor->ranges[cursor->index].path; }
static inline struct range_outcome *range_cursor_outcome(const struct range_cursor *cursor) { return &cursor->outcomes[cursor->index]; }

/* Is the line that was handed out last UTF-8? Whole blocks are looked at first. */
static inline bool range_cursor_valid(struct range_cursor *cursor, const uint8_t *data, size_t size)
{
    uint64_t serial;
    struct slice block = lines_block(cursor->lines, &serial);
    if (serial != cursor->block_serial) {
        cursor->block_serial = serial;
        cursor->block_valid = utf8_valid(block.data, block.size);
    }
    return cursor->block_valid || utf8_valid(data, size);
}
