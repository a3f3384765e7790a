/* lines -- the records of a line format, framed out of an input.
 *
 * Reads the input in blocks and hands out one record after the other, without its separator: split
 * at \n, \r or \r\n, or at a separator of the caller's. A range [start, end) owns the records that
 * START in it: the first record of a range is the first one that begins at or behind `start`, the
 * last one begins before `end` and is finished past it. The ranges of a file thus give each record once.
 *
 *   range.start                             range.end
 *       v                                       v
 *   ...tail of\n|record|\n|record|\n|record that goes past the end\n|not ours
 *
 * Memory is one block (LINES_BLOCK_SIZE), grown for a long record up to LINES_RECORD_MAX. A longer record is
 * skipped and handed out as a byte range only (`oversize`): one bad record.
 *
 * Records are borrowed and stay as they are until the block changes, that is: at most until the next
 * lines_next() whose line has another `block_serial`. data[size] is always a NUL byte (the separator is
 * overwritten) and at least 64 bytes behind it are readable. Not thread-safe; one per scan, reused
 * for its files by lines_begin(). */
#pragma once
#include "formats/input.h"

#define LINES_BLOCK_SIZE ((size_t)1 << 20)
#define LINES_RECORD_MAX ((size_t)64 << 20)
#define LINES_SEPARATOR_MAX 255

struct line {
    const uint8_t *data;   /* NULL where oversize. */
    size_t size;           /* Without the separator. */
    int64_t byte;          /* Offset of its first byte in the (decompressed) file. */
    int64_t byte_end;      /* Offset behind its last byte, without the separator. */
    bool oversize;         /* Longer than LINES_RECORD_MAX: [byte, byte_end) was skipped. */
};

struct lines_spec {
    const uint8_t *separator; /* NULL: \n, \r and \r\n. Otherwise these bytes only. Borrowed. */
    size_t separator_size;    /* 1..LINES_SEPARATOR_MAX. */
    size_t unit;              /* Separators start at multiples of this many bytes (UTF-16: 2, UTF-32: 4); 0 and 1: anywhere. */
    size_t block_size;        /* 0: LINES_BLOCK_SIZE. Tests make it small. */
    size_t record_max;        /* 0: LINES_RECORD_MAX. */
};

struct lines;

struct lines *lines_new(const struct lines_spec *spec, struct budget *budget); /* *spec is copied. */
void lines_free(struct lines *lines); /* NULL is allowed. Does not close the input. */

/* Where a caller must open the input so that a range starting at `start` can be framed: somewhat before it. */
int64_t lines_open_at(const struct lines_spec *spec, int64_t start);
/* Can a file be cut into ranges? Not with separators that overlap themselves ("aa", "abab"). */
bool lines_splittable(const struct lines_spec *spec);

/* Starts on `input`, which was opened at lines_open_at(spec, start); end -1: to the end of the file. The input is
 * borrowed until the next lines_begin() or lines_free(). */
void lines_begin(struct lines *lines, struct input *input, int64_t start, int64_t end);

enum lines_pull { LINES_RECORD, LINES_END, LINES_FAILED };

/* The next record. A separator at the very end of the file makes no empty record behind it. After
 * LINES_FAILED the whole records before the failure have all been delivered, the unfinished one has not. */
enum lines_pull lines_next(struct lines *lines, struct line *line, struct error *err);

/* The complete records of the block from which the last record came, from its first byte to the separator of its
 * last one, for work that is cheaper per block (UTF-8 validation); separators already handed out are NUL.
 * Changes when *serial changes. */
struct slice lines_block(const struct lines *lines, uint64_t *serial);
