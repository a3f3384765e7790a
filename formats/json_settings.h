/* json_settings -- the options of the JSON reader, compiled once per stream. */
#pragma once
#include "base/utf8.h"
#include "formats/format.h"
#include "formats/lines.h"

extern const struct option_spec ndjson_options[];

struct ndjson_settings {
    enum parse_mode mode;
    bool multi_line;
    bool allow_comments, allow_unquoted_names, allow_single_quotes, allow_leading_zeros;
    bool allow_nonnumeric, allow_backslash_any, allow_control_chars;
    bool partial_results;      /* spark.sql.json.enablePartialResults. */
    bool exact_strings;        /* Text of non-strings in a STRING column: as it stands, not re-serialised. */
    bool charset_given;
    enum charset charset;
    struct lines_spec lines;   /* How records are framed; not for multi_line. */
    int64_t depth_max, number_size_max, string_size_max;
    const struct time_zone *zone;
    bool zone_is_utc;
    const struct datetime_pattern *date, *timestamp, *timestamp_ntz; /* NULL: the cast grammar. */
    bool date_fallback, timestamp_fallback;
    const char *locale;        /* Whose separators DECIMAL strings have. */
    bool fast;                 /* Nothing here changes what the fast path takes for granted. */
};

bool ndjson_settings_compile(const struct read_spec *spec, struct arena *arena, struct ndjson_settings *out, struct error *err) MUST_CHECK;
