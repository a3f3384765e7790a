/* json_read -- what a scan of JSON files holds, for the two files that are the reader: json_read.c (files,
 * ranges, framing) and json_records.c (records to rows, modes). */
#pragma once
#include "formats/json_parser.h"
#include "formats/range_cursor.h"

struct reader {
    struct read_spec spec;
    struct ndjson_settings settings;
    const struct ndjson_shape *shape;
};

/* A record as framed. */
struct ndjson_record {
    struct slice raw;     /* As in the file, for the corrupt record column. data NULL: too long to be held. */
    struct slice text;    /* In UTF-8; the same bytes where nothing had to be converted. NUL behind it. */
    bool valid;           /* text is UTF-8. */
    bool undecodable;     /* Bytes that are none in the encoding that was named. */
    int64_t byte, byte_end;
    int64_t number;       /* In its range, from 0. */
};

struct scan {
    const struct reader *reader;
    struct inlet_context *context;
    struct ndjson_parser parser;
    struct range_cursor files;       /* Its lines are NULL: multiLine. */
    struct buffer converted;         /* The record in UTF-8. */
    uint8_t *document;               /* multiLine: the file. A block. */
    bool document_read;
    int64_t document_size;           /* Of the file, where it is the document's: no more memory than that is needed. */

    struct ndjson_record record;     /* The one at hand. */
    bool in_array;                   /* It is an array, not all of whose elements have been given. */
    bool array_bad;                  /* Each of its rows goes to the corrupt record column ... */
    bool array_own_text;             /* ... with the text of its element, for the whole would be too much. */
    const uint8_t *array_odd;        /* It begins here, is not JSON, and waits for a chunk with room. */

    uint32_t rows;                   /* In the chunk at hand. */
    size_t text_size;                /* Bytes of records that went into it. */
};

static inline struct range_outcome *scan_outcome(struct scan *scan) { return range_cursor_outcome(&scan->files); }

/* Turns scan->record into rows (none, one, or the beginning of an array's). False: *err says why the batch cannot go on. */
bool ndjson_take_record(struct scan *scan, struct error *err);
/* More rows of the array record at hand. */
bool ndjson_continue_array(struct scan *scan);
