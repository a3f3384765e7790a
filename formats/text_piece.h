/* text_piece -- pieces and files of the text formats (JSON, CSV, text), which are just bytes.
 *
 * A piece collects the UTF-8 of its rows; finishing it converts the encoding and compresses, so that a file is
 * head + pieces, each a segment of its own (a gzip member, a frame). Codecs whose segments cannot stand one
 * behind another (.deflate) are compressed once, at the file's tail. */
#pragma once
#include "base/utf8.h"
#include "formats/format.h"

/* Rows `rows[0..count)` (NULL: 0..count-1) of flat columns, appended to out in UTF-8, each with its line end. */
typedef bool (*text_append_fn)(const void *settings, const struct column *columns, const uint32_t *rows, uint32_t count,
                               struct buffer *out, struct error *err);

struct encoder {
    text_append_fn append;
    const void *settings;       /* The format's own; first argument of append. */
    const struct type *schema;
    const char *suffix;         /* ".json.gz" */
    struct slice head;          /* What each file begins with, in UTF-8. */
    enum codec codec;
    enum charset charset;
};

/* Options that JSON, CSV and text share: compression, encoding, lineSep. */
#define TEXT_COMPRESSION_OPTION \
    {.name = "compression", .kind = OPTION_TEXT, .fallback = "none", \
     .help = "Codec of the files: none, uncompressed, bzip2, deflate, gzip, lz4, snappy, zstd."}
#define TEXT_LINE_SEPARATOR_OPTION \
    {.name = "lineSep", .kind = OPTION_TEXT, .fallback = "\n", .help = "What each record ends with."}

/* compression and, where the table has it, encoding. */
bool text_encoder_init(struct encoder *encoder, const struct encoder_spec *spec, const char *extension, struct arena *arena,
                       struct error *err) MUST_CHECK;
/* lineSep, not empty. */
bool text_line_separator(const struct options *options, struct slice *out, struct error *err) MUST_CHECK;

/* dateFormat, timestampFormat, timestampNTZFormat, timeZone, locale of writers (format-semantics 1.3). */
struct text_times {
    const struct time_zone *zone;
    const struct datetime_pattern *date, *timestamp, *timestamp_ntz; /* NULL: the default, which has a short way. */
};
#define TEXT_TIME_OPTIONS \
    {.name = "dateFormat", .kind = OPTION_TEXT, .fallback = "yyyy-MM-dd", .help = "Pattern of dates."}, \
    {.name = "locale", .kind = OPTION_TEXT, .fallback = "en-US", .help = "Language tag for names of months and days in the patterns."}, \
    {.name = "timestampFormat", .kind = OPTION_TEXT, .fallback = TEXT_TIMESTAMP_FORMAT, .help = "Pattern of timestamps."}, \
    {.name = "timestampNTZFormat", .kind = OPTION_TEXT, .fallback = TEXT_TIMESTAMP_NTZ_FORMAT, .help = "Pattern of timestamps without zone."}, \
    {.name = "timeZone", .kind = OPTION_TEXT, .help = "Zone in which timestamps are written; default: the session's."}
#define TEXT_TIMESTAMP_FORMAT "yyyy-MM-dd'T'HH:mm:ss[.SSS][XXXXX]"
#define TEXT_TIMESTAMP_NTZ_FORMAT "yyyy-MM-dd'T'HH:mm:ss[.SSS]"

/* options NULL: the defaults. */
bool text_times_init(struct text_times *times, const struct options *options, const struct session *session, struct arena *arena,
                     struct error *err) MUST_CHECK;
/* The value of a DATE, TIMESTAMP or TIMESTAMP_NTZ column. */
bool text_times_append(const struct text_times *times, const struct column *column, size_t row, struct buffer *out, struct error *err);

/* All encoder_ops members but open, for the ops tables of the text formats. */
const char *text_suffix(const struct encoder *encoder);
struct piece *text_piece_new(const struct encoder *encoder, struct inlet_context *context, struct error *err);
bool text_piece_add(struct piece *piece, const struct chunk *chunk, struct error *err);
size_t text_piece_memory(const struct piece *piece);
bool text_piece_finish(struct piece *piece, struct error *err);
int64_t text_piece_rows(const struct piece *piece);
size_t text_piece_bytes(const struct piece *piece);
void text_piece_free(struct piece *piece);
struct encoder_file *text_file_new(const struct encoder *encoder, struct error *err);
bool text_file_head(struct encoder_file *file, struct buffer *out, struct error *err);
bool text_file_piece(struct encoder_file *file, struct piece *piece, struct slice *bytes, struct error *err);
bool text_file_tail(struct encoder_file *file, struct buffer *out, struct error *err);
int64_t text_file_rows(const struct encoder_file *file);
const struct leaf_stats *text_file_stats(const struct encoder_file *file, size_t *count);
void text_file_free(struct encoder_file *file);

#define TEXT_PIECE_OPS \
    .suffix = text_suffix, .piece_new = text_piece_new, .piece_add = text_piece_add, .piece_memory = text_piece_memory, \
    .piece_finish = text_piece_finish, .piece_rows = text_piece_rows, .piece_bytes = text_piece_bytes, .piece_free = text_piece_free, \
    .file_new = text_file_new, .file_head = text_file_head, .file_piece = text_file_piece, .file_tail = text_file_tail, \
    .file_rows = text_file_rows, .file_stats = text_file_stats, .file_free = text_file_free
