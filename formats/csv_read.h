/* csv_read -- inside of the CSV reader: csv_read.c opens files and frames lines, csv_stream.c frames multiLine
 * records, csv_records.c turns records into rows. */
#pragma once
#include "formats/csv_fields.h"
#include "formats/csv_marks.h"
#include "formats/csv_tokenize.h"
#include "formats/range_cursor.h"

enum { CSV_POSITIONS = 1024 };

/* Immutable after open. */
struct reader {
    struct read_spec spec;
    struct csv_settings settings;
    struct csv_target *targets;    /* By position in a record. */
    uint8_t *wanted;               /* By position, as the tokenizer takes it; NULL: all are. */
    size_t field_count;            /* Positions that the user's schema has. */
    size_t used_count;             /* Behind the last position that the query uses. */
    bool pruned;                   /* The number of fields in a record does not matter. */
    bool rows_only;                /* The query uses no field: records are counted, not looked into. */
    bool stops_early;              /* The rest of a record does not matter once the used fields are read. */
    bool plain_words;              /* See csv_rows. */
    struct csv_marks marks;
    bool fast;                     /* The fast path knows these settings. */
    bool usual;                    /* These are one separator of one byte, no trimming, no limit of a field. */
    bool fast_stream;              /* And may be tried on multiLine files. */
};

/* What became of the record's text; `text` is valid UTF-8. */
struct csv_record {
    struct slice text;             /* data NULL: longer than can be kept. 64 bytes behind it may be loaded. */
    int64_t byte;                  /* Where it starts in the (decompressed) file. */
    int64_t number;                /* From 0 in its range. */
};

/* multiLine: a stretch of the file, from the next record on. */
struct csv_stream {
    struct buffer bytes;           /* Valid UTF-8 and perhaps the beginning of a character; 64 bytes behind it may be loaded. */
    size_t byte_at;                /* In `bytes`: the next record. */
    size_t line_end;               /* In `bytes`: where the stretch of csv_stream_line() ends. */
    int64_t byte_start;            /* In the file: the first of `bytes`. */
    size_t guess;                  /* Bytes that the next record may need. */
    bool separator_known, end;
    uint8_t separator[2 * CSV_LINE_SEPARATOR_MAX];
    size_t separator_size;
    bool feed_ends;                /* \n ends a record whatever the separator is. */
    bool failed;                   /* Reading stopped with an error; the records before it come first. */
};

struct scan {
    const struct reader *reader;
    struct inlet_context *context;
    struct range_cursor files;     /* Its lines are NULL: multiLine. */
    struct csv_stream stream;
    bool header_due, first_line;
    int64_t skip_due;
    struct csv_record record;
    struct csv_rows rows;          /* The chunk being filled. */
    size_t text;                   /* Bytes of records in it. */
    struct csv_tokenizer tokenizer;
    uint32_t *units;               /* Of one line or stretch, for the tokenizer. */
    size_t unit_capacity;
    csv_marks_fn find_marks;
    uint32_t positions[CSV_POSITIONS];
    struct buffer converted;       /* The record's text, where it is not the file's own. */
    struct buffer plain;           /* A field without its escapes. */
    struct error *stored;          /* multiLine: what stopped the reading. */
};

static inline struct range_outcome *scan_outcome(const struct scan *scan) { return range_cursor_outcome(&scan->files); }

/* Takes scan->record (a line) as a row, or as a bad record. False: *err. */
bool csv_take_line(struct scan *scan, struct chunk *chunk, struct error *err) MUST_CHECK;
/* Tries scan->record.text as a record of a multiLine file. */
enum csv_taken { CSV_TAKEN, CSV_TAKEN_OPEN, CSV_TAKEN_ODD, CSV_TAKEN_FAILED }; /* OPEN: it ends inside quotes; ODD: the tokenizer must look. */
enum csv_taken csv_try_line(struct scan *scan, struct chunk *chunk, struct error *err);
/* The same for the fields that the tokenizer holds, by row_ends. */
bool csv_take_tokens(struct scan *scan, struct chunk *chunk, struct error *err) MUST_CHECK;
/* A record that the tokenizer refused, or that is too long to keep. */
bool csv_take_refused(struct scan *scan, struct chunk *chunk, enum csv_parse why, struct error *err) MUST_CHECK;
/* Tokenizes scan->record.text carefully. */
enum csv_parse csv_tokenize_line(struct scan *scan);
/* Compares the tokenized header with the schema (enforceSchema=false). */
bool csv_check_header(struct scan *scan, struct error *err) MUST_CHECK;

void csv_stream_begin(struct scan *scan);
void csv_stream_fini(struct csv_stream *stream);
enum csv_frame { CSV_FRAMED, CSV_FRAMED_REFUSED, CSV_FRAMED_END, CSV_FRAMED_FAILED };
/* The next record of a multiLine file, tokenized; REFUSED: *why. */
enum csv_frame csv_stream_next(struct scan *scan, enum csv_parse *why, struct error *err);
/* scan->record from the next record on to a line end: the first one, or one more than last time. False: there is none in sight. */
bool csv_stream_line(struct scan *scan, bool one_more);
/* That was a record. */
void csv_stream_took_line(struct scan *scan);
