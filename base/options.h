/* options -- option tables: the one source for parsing, checking, help and reference pages.
 *
 * Each format, source, sink has one const array of struct option_spec ended by a row with a NULL
 * name. Names are case-insensitive (Spark). `cloudFiles.X` and `X` are the same for format cloudFiles. */
#pragma once
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"

enum option_kind {
    OPTION_TEXT,
    OPTION_BOOL,      /* true / false in any case. */
    OPTION_INT,       /* 64-bit; minimum and maximum of the row hold. */
    OPTION_REAL,
    OPTION_BYTES,     /* Spark byte string: 10g, 64kb, plain bytes. */
    OPTION_DURATION,  /* Java time string: 7d, 500ms; a bare number is milliseconds. Parsed to microseconds. */
    OPTION_INTERVAL,  /* Spark calendar interval: "1 day", "interval 2 hours". Parsed to microseconds (month = 31 days). */
    OPTION_CHAR,      /* At most one character; "" is off. */
    OPTION_CHOICE,    /* One of `choices`, any case. */
    OPTION_PATH       /* Relative to the pipeline file; made absolute when parsed. */
};

struct option_spec {
    const char *name;          /* As Spark spells it. */
    enum option_kind kind;
    const char *fallback;      /* Default as text; NULL: none. */
    const char *help;          /* One sentence for `inlet options` and the reference page. */
    const char *choices;       /* OPTION_CHOICE: "a|b|c". */
    int64_t minimum, maximum;  /* OPTION_INT, OPTION_BYTES: both 0 means no bound. */
    bool secret;               /* Never printed. */
    const char *later;         /* Not NULL: known but not built yet; any value but the fallback is refused with this reason. */
    const char *never;         /* Not NULL: there is one way here and no other will come; any value but the fallback is refused with this reason. */
    const char *alias_of;      /* Not NULL: another spelling of that option (charset -> encoding). */
};

struct option_value {
    const struct option_spec *spec;
    const char *text;   /* As given, or the fallback; NULL where neither. */
    int64_t integer;    /* BOOL, INT, BYTES, DURATION (us), INTERVAL (us), CHAR (code point, 0 = off), CHOICE (index). */
    double real;
    bool given;
    bool hidden;        /* From the environment: not to be printed. */
    int line;
};

struct options {
    struct option_value *values; /* One per row of all tables, in table order. */
    size_t count;
};

struct option_input { /* One key: value of the pipeline file. */
    const char *name, *text; /* text NULL: the key has no value (an error). */
    int line;
    bool hidden;             /* The text came from the environment: it may be a secret. */
};

/* Parses `inputs` against the joined tables. Unknown names: INLET_UNKNOWN_OPTION (or CF_UNKNOWN_OPTION_KEYS_ERROR
 * when `owner` is "cloudFiles") that names the nearest known one and the line. Bad values: INLET_BAD_OPTION_VALUE with
 * Spark's wording where it has one. `owner` names the format in messages. base_dir: for OPTION_PATH. */
bool options_parse(struct arena *arena, const char *owner, const struct option_spec *const *tables, size_t table_count,
                   const struct option_input *inputs, size_t input_count, const char *base_dir,
                   struct options *out, struct error *err) MUST_CHECK;

/* Look-ups by name (any case). The name must be in the tables: anything else is a panic. */
const struct option_value *options_get(const struct options *options, const char *name);
const char *options_text(const struct options *options, const char *name); /* NULL where none. */
bool options_bool(const struct options *options, const char *name);
int64_t options_int(const struct options *options, const char *name);
bool options_given(const struct options *options, const char *name);
bool options_has(const struct options *options, const char *name); /* The name is in the tables. */

/* The nearest of `names` (NULL-terminated) to `name` by edit distance, or NULL when none is near. */
const char *nearest_name(const char *name, const char *const *names);
size_t name_distance(const char *a, const char *b); /* Edits between them, ignoring case. */

bool parse_bytes_text(const char *text, int64_t *bytes);          /* "10g" -> 10737418240 */
bool parse_duration_text(const char *text, int64_t *microseconds); /* "7d", "500ms", "10" (ms) */
bool parse_interval_text(const char *text, int64_t *microseconds); /* "1 day 2 hours", "interval 5 minutes" */
