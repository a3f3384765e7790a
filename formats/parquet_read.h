/* parquet_read -- what the parts of the Parquet reader share: footer, levels, pages. Not for other rooms (formats/rows.h is).
 *
 *   parquet_footer.c        bytes at the end of the file -> structs, row groups one at a time
 *   parquet_read_schema.c   physical schema -> Spark's types, and the tree by which levels become columns
 *   parquet_read_runs.c     levels and indexes: the hybrid of runs and bit-packed groups
 *   parquet_read_values.c   values of a page -> a column's slots
 *   parquet_read_delta.c    pages of the DELTA encodings and BYTE_STREAM_SPLIT, rewritten as PLAIN ones
 *   parquet_read_pages.c    a column chunk, page after page
 *   parquet_read.c          rows: steps over all leaves, then lists and structs from their levels
 *
 * Nothing in a file is believed: every length, offset, count and level is checked before it is used, and
 * no allocation is larger than what the bytes at hand can stand for. */
#pragma once
#include "columns/chunk.h"
#include "formats/input.h"
#include "formats/parquet_format.h"

/* --- footer --- */

struct parquet_footer {
    struct parquet_file_metadata metadata; /* row_groups[i].columns are NULL: see parquet_footer_group. */
    struct slice *groups;                  /* Thrift bytes of each row group. */
    int64_t data_end;                      /* First byte of the footer. */
};

/* Reads and checks the footer of an open file. Everything lives in `arena`. */
bool parquet_footer_read(int fd, const char *path, struct arena *arena, struct parquet_footer *out, struct error *err) MUST_CHECK;
/* The columns of one row group, into `arena`. */
bool parquet_footer_group(const struct parquet_footer *footer, uint32_t group, struct arena *arena, struct parquet_row_group *out,
                          struct error *err) MUST_CHECK;
/* False with no error: the bytes end inside the header. */
bool parquet_page_header_parse(struct slice bytes, struct parquet_page_header *out, size_t *size);

/* --- schema --- */

enum read_transfer {
    READ_BITS,             /* BOOLEAN. */
    READ_SAME,             /* 4 or 8 bytes, as they stand. */
    READ_TINYINT,          /* INT32 that must fit. */
    READ_SMALLINT,
    READ_UINT8,            /* -> SMALLINT */
    READ_UINT16,           /* -> INT */
    READ_UINT32,           /* -> BIGINT */
    READ_UINT64,           /* -> DECIMAL(20,0) */
    READ_MILLIS,           /* -> microseconds */
    READ_INT96,            /* -> microseconds */
    READ_DECIMAL_INT32,
    READ_DECIMAL_INT64,
    READ_DECIMAL_FIXED,    /* Big-endian. */
    READ_DECIMAL_BYTES,
    READ_BYTES,            /* BYTE_ARRAY -> STRING, BINARY. */
    READ_FIXED,            /* FIXED -> BINARY. */
    READ_VOID              /* There are no values. */
};

struct read_leaf {
    const struct type *type;
    const char *path;            /* Dotted, for messages. */
    enum read_transfer transfer;
    int32_t physical;            /* enum parquet_physical */
    uint32_t physical_width;     /* Bytes of a PLAIN value; 0: BOOLEAN, BYTE_ARRAY. */
    uint32_t width;              /* Bytes of a value in the column; 0: bits and bytes. */
    uint16_t definition, repetition; /* Maximum levels. */
    uint16_t slot_definition;    /* An entry from this level on is a slot of the column. */
    bool keep_levels;            /* A group takes its shape from this leaf. */
    uint32_t file_column;        /* Index in a row group's columns. */
};

struct read_node {
    enum type_kind kind;
    uint16_t definition;         /* Level from which on the node is present. */
    uint16_t slot_definition;    /* Level from which on an entry is a slot of it. */
    uint16_t repetition;         /* Highest repetition level that begins a slot. */
    uint16_t element_definition; /* ARRAY, MAP: level from which on there is an element; they repeat at repetition + 1. */
    uint32_t leaf;               /* Its own, or the first one below it. */
    struct read_node *children;
    uint32_t child_count;
};

struct read_schema {
    const struct type *type;     /* STRUCT: what parquet_schema() gives. */
    struct read_node *fields;    /* One per field. */
    struct read_leaf *leaves;
    uint32_t leaf_count;
    uint32_t file_leaf_count;    /* Of the whole file. */
};

/* names NULL: all columns. spark_json NULL: none. */
bool read_schema_build(const struct parquet_file_metadata *metadata, const char *const *names, const char *spark_json,
                       struct arena *arena, struct read_schema *out, struct error *err) MUST_CHECK;

/* --- runs --- */

struct run_decoder {
    const uint8_t *at, *end;
    unsigned width;              /* Bits of a value, 0 .. 32. */
    bool high_first;             /* The deprecated BIT_PACKED levels: no headers, highest bit first. */
    uint32_t value;              /* Of the run. */
    uint64_t run_left;           /* Values left of a run, */
    uint64_t packed_left;        /* or of bit-packed groups, */
    uint64_t bit;                /* from this bit behind `packed` on. */
    const uint8_t *packed, *packed_end;
};

void run_decoder_init(struct run_decoder *decoder, struct slice bytes, unsigned width);
void run_decoder_init_packed(struct run_decoder *decoder, struct slice bytes, unsigned width);
/* False: the bytes do not hold so many values. */
bool run_decode(struct run_decoder *decoder, uint32_t *out, size_t count);

/* --- pages and values --- */

enum { READ_BLOCK = 1024 }; /* Entries that are decoded at once. */

enum value_encoding { VALUES_PLAIN, VALUES_DICTIONARY, VALUES_RUNS };

struct value_reader {
    enum value_encoding encoding;
    const uint8_t *at, *end;     /* PLAIN. */
    unsigned bit;                /* PLAIN BOOLEAN: next bit of *at. */
    struct run_decoder runs;     /* Indexes, or RLE booleans. */
    void *dictionary;            /* A block: converted values, or a struct slice each. */
    uint32_t dictionary_count;
    void *dictionary_page;       /* A block: what the slices point into. */
};

struct read_levels {             /* Levels of the rows of a chunk. Blocks. */
    uint16_t *definition, *repetition;
    size_t count;
};

struct page_reader {
    const struct read_leaf *leaf;
    int fd;
    int64_t data_end;
    struct budget *budget;
    enum page_codec codec;
    int64_t position;            /* Of the next page. */
    int64_t entries_in_chunk;    /* Not yet in a page that was loaded. */
    int64_t entries_in_page;     /* Not yet in the block. */
    void *page, *compressed;     /* Blocks. */
    void *plain;                 /* A block: the page, where it was rewritten. */
    struct run_decoder definition_runs, repetition_runs;
    uint16_t definition[READ_BLOCK], repetition[READ_BLOCK];
    size_t block_at, block_count;
    struct value_reader values;
    struct read_levels levels;
};

/* Points the reader at a column chunk. Keeps its buffers. */
bool page_reader_begin(struct page_reader *reader, const struct parquet_column_chunk *chunk, struct error *err) MUST_CHECK;
/* Appends the slots of the next `rows` rows to the column. */
bool page_reader_rows(struct page_reader *reader, struct column *column, uint32_t rows, struct error *err) MUST_CHECK;
bool page_reader_at_end(const struct page_reader *reader);
void page_reader_fini(struct page_reader *reader);

/* The values of a page of one of the DELTA encodings or BYTE_STREAM_SPLIT as PLAIN has them, into the block *plain. `most`: values
 * that the page may have. */
bool plain_from_delta(const struct read_leaf *leaf, int32_t encoding, struct slice bytes, int64_t most, struct budget *budget, void **plain,
                      size_t *size, struct error *err) MUST_CHECK;

/* Takes the values of a dictionary page. */
bool value_reader_dictionary(struct value_reader *reader, const struct read_leaf *leaf, struct slice bytes, uint32_t count,
                             struct budget *budget, struct error *err) MUST_CHECK;
/* Appends `slots` slots, of which those with valid[i] take the next values. slots <= READ_BLOCK. */
bool value_reader_append(struct value_reader *reader, const struct read_leaf *leaf, struct column *column, const uint8_t *valid,
                         size_t slots, size_t present, struct budget *budget, struct error *err) MUST_CHECK;
