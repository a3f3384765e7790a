/* format -- what every file format can do: bytes to chunks (readers), chunks to bytes (encoders).
 *
 * Readers. reader_ops.open compiles options and schema once per stream into an immutable reader that all
 * workers share. A scan is one task of one worker: a list of file ranges, read in order, delivered as
 * chunks that may span small files (segments tell which). Bad records are data: the reader applies
 * the mode (PERMISSIVE, DROPMALFORMED, FAILFAST) itself and counts per range.
 *
 * Encoders. encoder_ops.open compiles type and options once per stream. A piece is built by one worker
 * from any number of chunks (a Parquet row group, a stretch of text) and is independent of all others;
 * a file is head + pieces in order + tail. So rows keep their order whatever the thread count. */
#pragma once
#include "base/session.h"
#include "columns/chunk.h"
#include "formats/input.h"

enum parse_mode { MODE_PERMISSIVE, MODE_DROPMALFORMED, MODE_FAILFAST };

struct file_range {
    const char *path;
    int64_t start, end;      /* Bytes as stored; end -1: whole file (always so for compressed files). */
    int64_t size, mtime_us;  /* As planned; -1: not checked. Otherwise a file that differs is INLET_FILE_CHANGED. */
    uint64_t inode;          /* The same; 0: not checked. */
    bool read_ahead;         /* A processor is free: decompress on a thread of its own. */
};

/* What became of a range. L6: records = rows_given's records + dropped + bad... per the mode:
 * records_framed == records_good + records_bad; rows = rows handed over. */
struct range_outcome {
    int64_t records_framed;  /* Records found (blank lines are none). */
    int64_t records_bad;     /* Malformed ones, whatever the mode did. */
    int64_t records_dropped; /* Not handed over (DROPMALFORMED). */
    int64_t records_surplus; /* Records with text behind their end that Spark ignores (DEVIATIONS.md). */
    int64_t rows;            /* Rows handed over (a JSON array record gives several). */
    int64_t bytes;           /* Bytes read as stored. */
    bool ignored_corrupt;    /* ignoreCorruptFiles: damage met, rows before it kept. */
    char damage[256];        /* Its text. */
};

struct read_spec {
    const struct type *schema;      /* STRUCT: columns to produce, in order, pruned to what the query uses. Includes the corrupt column where asked for. */
    const struct type *file_schema; /* STRUCT: all data columns the user declared, by position in the file (CSV), without the corrupt column. */
    int corrupt_column;             /* Index in schema, or -1. */
    bool pruned;                    /* schema lacks columns of file_schema. */
    const struct options *options;  /* Parsed from reader_ops.options + file_options. */
    const struct session *session;
    bool ignore_corrupt_files;
};

/* Spark refuses a query that uses nothing of its files but the corrupt record column. */
bool refuse_only_corrupt_column(const struct read_spec *spec, struct error *err) MUST_CHECK;
enum pull { PULL_CHUNK, PULL_END, PULL_FAILED };

struct reader; /* Immutable after open. */
struct scan;   /* One task. */

struct reader_ops {
    const char *name;                  /* As in format("json"). */
    const struct option_spec *options; /* This format's own; file_options are common to all. */
    const char *later;                 /* Not NULL: not built yet; refused by name. */
    struct reader *(*open)(const struct read_spec *spec, struct arena *arena, struct error *err); /* spec is copied; its pointers live as long as the arena. */
    bool (*splittable)(const struct reader *reader, const char *path);
    struct scan *(*scan_new)(const struct reader *reader, struct inlet_context *context, struct error *err);
    /* Starts a task: ranges and outcomes are borrowed until the next begin; outcomes[i] belongs to ranges[i] and is zeroed here. */
    void (*scan_begin)(struct scan *scan, const struct file_range *ranges, size_t count, struct range_outcome *outcomes);
    /* Fills *chunk (initialised with spec->schema; reset here; its buffers are reused). On PULL_FAILED *err has file, record, byte. */
    enum pull (*scan_next)(struct scan *scan, struct chunk *chunk, struct error *err);
    void (*scan_free)(struct scan *scan);
};

extern const struct option_spec file_options[]; /* ignoreCorruptFiles, ignoreMissingFiles, ...: common to all readers. */
const struct reader_ops *reader_find(const char *name, struct error *err); /* Any case; DATA_SOURCE_NOT_FOUND with the nearest name. */
const struct reader_ops *const *reader_list(void);                         /* NULL-terminated. */
extern const struct reader_ops json_reader, csv_reader, text_reader;

/* Statistics of one leaf column over a piece or a file, for Delta's stats and Parquet's footer. */
struct leaf_stats {
    const struct type *type;       /* The leaf's. */
    int64_t null_count;            /* Of values at the leaf (a null ancestor counts). */
    bool has_bounds;               /* minimum and maximum are set (not for nested repetition in Delta). */
    bool minimum_cut, maximum_cut; /* Text was cut (minimum is a prefix; maximum is a rounded-up prefix). */
    struct buffer minimum, maximum; /* Little-endian value, int128, or bytes. */
};

struct piece; /* Bytes of one piece in memory, plus what the file's tail needs to know of it. */

struct encoder_spec {
    const struct type *schema;      /* STRUCT without partition columns. */
    const struct options *options;
    const struct session *session;
    const char *footer_schema_json; /* Parquet: Spark's row.metadata. */
};

struct encoder;      /* Immutable after open. */
struct encoder_file; /* One file being assembled. */

struct encoder_ops {
    const char *name;
    const struct option_spec *options;
    const char *later;
    struct encoder *(*open)(const struct encoder_spec *spec, struct arena *arena, struct error *err);
    const char *(*suffix)(const struct encoder *encoder);      /* ".snappy.parquet", ".json.gz" */
    struct piece *(*piece_new)(const struct encoder *encoder, struct inlet_context *context, struct error *err);
    bool (*piece_add)(struct piece *piece, const struct chunk *chunk, struct error *err); /* Chunk of encoder schema, selection honoured, any column encoding. */
    size_t (*piece_memory)(const struct piece *piece);          /* Raw bytes held so far (to decide when to finish). */
    bool (*piece_finish)(struct piece *piece, struct error *err); /* Encodes and compresses; on the worker. */
    int64_t (*piece_rows)(const struct piece *piece);
    size_t (*piece_bytes)(const struct piece *piece);            /* After finish: bytes it will take in the file. */
    void (*piece_free)(struct piece *piece);
    struct encoder_file *(*file_new)(const struct encoder *encoder, struct error *err);
    /* Each appends to `out` what must be written next, in order. `file_offset` is kept inside. */
    bool (*file_head)(struct encoder_file *file, struct buffer *out, struct error *err);
    /* The bytes of the piece, without a copy: *bytes stay valid until piece_free. */
    bool (*file_piece)(struct encoder_file *file, struct piece *piece, struct slice *bytes, struct error *err);
    bool (*file_tail)(struct encoder_file *file, struct buffer *out, struct error *err);
    int64_t (*file_rows)(const struct encoder_file *file); /* Re-counted from what the tail says (L6). */
    /* Merged statistics of the file's leaves in schema order; NULL where the format has none. Valid until file_free. */
    const struct leaf_stats *(*file_stats)(const struct encoder_file *file, size_t *count);
    void (*file_free)(struct encoder_file *file);
};

const struct encoder_ops *encoder_find(const char *name, struct error *err);
const struct encoder_ops *const *encoder_list(void);
extern const struct encoder_ops parquet_encoder, json_encoder, csv_encoder, text_encoder;
