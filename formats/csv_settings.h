/* csv_settings -- the options of the CSV reader, compiled once per stream (format-semantics 6.1). */
#pragma once
#include "base/utf8.h"
#include "formats/format.h"
#include "formats/lines.h"

/* Characters are UTF-16 units here. These two are none. */
#define CSV_OFF 0xFFFFFFFFu  /* No such character is set: equal to nothing. */
#define CSV_NONE 0xFFFFFFFEu /* There was no character before; an escape character that is not set, as in the original, is the same. */
/* The end of a record where several follow one another: the separator itself, or a \n beside a longer one. */
#define CSV_NEWLINE 0x110000u
#define CSV_FEED 0x110001u
static inline bool csv_is_newline(uint32_t ch) { return (ch & ~1u) == CSV_NEWLINE; }

enum { CSV_SEPARATOR_MAX = 32, CSV_LINE_SEPARATOR_MAX = 8 };

enum unescaped_quote { UNESCAPED_STOP_AT_DELIMITER, UNESCAPED_STOP_AT_CLOSING_QUOTE, UNESCAPED_BACK_TO_DELIMITER, UNESCAPED_SKIP_VALUE, UNESCAPED_RAISE_ERROR };

struct csv_settings {
    enum parse_mode mode;
    bool multi_line, header, enforce_schema, column_pruning;
    bool ignore_leading, ignore_trailing;
    uint32_t separator[CSV_SEPARATOR_MAX];
    size_t separator_count;
    uint8_t separator_bytes[4 * CSV_SEPARATOR_MAX];
    size_t separator_size;
    uint32_t quote, escape, escape_escape, comment;
    enum unescaped_quote unescaped;
    int64_t columns_max, chars_max;  /* chars_max -1: no limit. */
    int64_t skip_rows;
    struct slice null_value, empty_value, nan_value, positive_inf, negative_inf;
    enum charset charset;
    struct slice line_separator;     /* UTF-8; empty: \n, \r, \r\n. */
    bool feed_ends;                  /* \n ends a record outside quotes, though lineSep is another one: it has two characters. */
    struct lines_spec lines;         /* lineSep in the file's encoding. */
    const char *locale;              /* NULL: en-US. */
    const struct time_zone *zone;
    const struct datetime_pattern *date, *timestamp, *timestamp_ntz; /* NULL: the cast grammar. */
    bool prefer_date;                 /* Dates without a pattern are tried by yyyy-MM-dd first. */
    bool date_fallback, timestamp_fallback;
};

extern const struct option_spec csv_options[];

bool csv_settings_compile(const struct read_spec *spec, struct arena *arena, struct csv_settings *out, struct error *err) MUST_CHECK;
/* Does text of this encoding hold \n, quotes and separators as the same single bytes that ASCII does? */
bool charset_is_ascii_like(enum charset charset);
