/* csv_fields -- the text of one CSV field into a column (format-semantics 6.4, 6.5). */
#pragma once
#include "columns/chunk.h"
#include "formats/csv_settings.h"

enum csv_target_kind {
    CSV_SKIP, CSV_BOOLEAN, CSV_TINYINT, CSV_SMALLINT, CSV_INT, CSV_BIGINT, CSV_FLOAT, CSV_DOUBLE, CSV_DECIMAL,
    CSV_TEXT, CSV_DATE, CSV_TIMESTAMP, CSV_TIMESTAMP_NTZ
};

/* Where the fields at one position of a record go. */
struct csv_target {
    enum csv_target_kind kind;  /* CSV_SKIP: the query does not use it. */
    uint32_t column;            /* Index in the chunk. */
    int precision, scale;       /* CSV_DECIMAL. */
};

/* The target kind of a type; false: CSV cannot hold it. */
bool csv_target_of(const struct type *type, struct csv_target *out);

/* A chunk being filled, row by row. */
struct csv_rows {
    const struct csv_settings *settings;
    struct column *columns;
    struct budget *budget;
    uint32_t row;               /* The row being filled. */
    size_t *room;               /* Per column: bytes its text block holds. */
    bool plain_words;           /* nanValue and its kin do not look like numbers. */
    enum condition bad;         /* FAILFAST: what Spark calls the first bad field's fault; COND_NONE: none was bad. */
    bool no_memory;             /* *err says so. */
    struct error *err;
};

/* Puts a token; 64 bytes behind it are loaded, not used. False: the text is not of the type (the value is null), or no memory. */
bool csv_put(struct csv_rows *rows, const struct csv_target *target, const uint8_t *text, size_t size);
void csv_put_null(struct csv_rows *rows, uint32_t column);
/* Puts text into a STRING column, loading as above. False: no memory. */
bool csv_put_text(struct csv_rows *rows, uint32_t column, const uint8_t *text, size_t size);
/* Takes back what the row has so far in a column. */
void csv_take_back(struct csv_rows *rows, uint32_t column);
/* Is the token nullValue? */
static inline bool csv_is_null_value(const struct csv_settings *settings, const uint8_t *text, size_t size)
{
    return size == settings->null_value.size && (size == 0 || memcmp(text, settings->null_value.data, size) == 0);
}
/* Text of CSV_TEXT_SHORT bytes at most, where the column has room for it. */
enum { CSV_TEXT_SHORT = 32 };
static ALWAYS_INLINE bool csv_put_short_text(struct csv_rows *rows, uint32_t index, const uint8_t *text, size_t size)
{
    struct column *column = &rows->columns[index];
    size_t start = (size_t)column->offsets[rows->row], end = start + size;
    if (UNLIKELY(end > rows->room[index])) return false;
    memcpy(column->data + start, text, CSV_TEXT_SHORT); /* Both sides have 64 bytes behind them. */
    column->offsets[rows->row + 1] = (int32_t)end;
    return true;
}
