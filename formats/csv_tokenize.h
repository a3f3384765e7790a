/* csv_tokenize -- one CSV record into its fields: the whole grammar, character by character.
 * A character is a UTF-16 unit, as in Java: limits count those, and odd records show it.
 *
 * This is the careful path of the CSV reader and the specification of its fast one. It behaves as univocity
 * 2.9.1 does in Spark, oddities included. Its accidents are not copied: NUL is an ordinary
 * character even where quote or escape are off; rows that BACK_TO_DELIMITER splits off in a multiLine file do not
 * eat the character behind them; ignoreTrailingWhiteSpace does not fail on a record that begins with a blank
 * field; SKIP_VALUE and RAISE_ERROR do with a long separator what they do with a short one. */
#pragma once
#include "formats/csv_settings.h"

enum csv_parse {
    CSV_ROW,         /* Fields were found. */
    CSV_EMPTY,       /* Nothing: the text is at its end, or (a line) holds no field. */
    CSV_MORE,        /* The record does not end in this text, and the text is not the last. */
    CSV_TOO_MANY,    /* More than maxColumns. */
    CSV_TOO_LONG,    /* A field of more than maxCharsPerColumn. */
    CSV_UNESCAPED    /* RAISE_ERROR met an unescaped quote. */
};

struct csv_field {
    size_t start, size;      /* In csv_tokenizer.text. */
    bool null;               /* The null token. */
};

struct csv_tokenizer {
    /* The result of the last csv_tokenize(). */
    struct csv_field *fields;
    size_t field_count;
    size_t *row_ends;        /* A record gives one row, except with BACK_TO_DELIMITER in multiLine: row i ends before field row_ends[i]. */
    size_t row_count;
    struct buffer text;      /* Field texts, UTF-8; 64 bytes behind them may be loaded. */
    size_t record_start, record_end; /* In units; comments and empty lines in front are not part of it. */
    bool newline_is_feed;    /* It stands for \n itself: only that ends a quoted field the short way. */
    size_t newline_size;     /* Characters that a CSV_NEWLINE stands for: an oddity at the end of a file depends on it. */
    /* Inside. */
    const struct csv_settings *settings;
    const uint32_t *units;
    size_t at, count;
    bool final;
    enum csv_parse failure;  /* CSV_ROW: none. */
    uint32_t delimiter;      /* CSV_OFF where there are several characters. */
    uint32_t ch, prev;
    bool unescaped, trim, skipped;
    size_t match;            /* Characters of the separator that were met. */
    uint32_t *value;         /* The field being built. */
    size_t value_size, value_capacity;
    uint32_t *blanks;
    size_t blanks_size, blanks_capacity;
    size_t fields_capacity, rows_capacity;
};

void csv_tokenizer_init(struct csv_tokenizer *tokenizer, const struct csv_settings *settings);
void csv_tokenizer_fini(struct csv_tokenizer *tokenizer);

/* Tokenizes the record at units[start..count). final: no text follows. Where several records follow one another (multiLine: CSV_NEWLINE
 * units end them) the next starts at record_end; comments and empty lines before a record are skipped. */
enum csv_parse csv_tokenize(struct csv_tokenizer *tokenizer, const uint32_t *units, size_t start, size_t count, bool final);

/* Appends valid UTF-8 to *units as UTF-16 (malloc'ed, grown as needed). */
void csv_decode(struct slice text, uint32_t **units, size_t *count, size_t *capacity);
