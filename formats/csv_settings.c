/* csv_settings -- the CSV reader's option table, and its meaning (format-semantics 1.3, 6.1). */
#include "formats/csv_settings.h"
#include "base/civil.h"

#include <string.h>
#include <strings.h>

#define WITH_SCHEMA " Has no effect where a schema is given, as in Spark."
#define TUNES "Tunes Spark's own parser; any value gives the same rows."
#define LATER_VARIANT "VARIANT columns are not built yet"
#define LATER_RESCUE "rescued data is not built yet"
#define LATER_BAD_RECORDS "a quarantine folder is not built yet; use a corrupt record column"
#define LATER_BY_NAME "columns go by position"

const struct option_spec csv_options[] = {
    {.name = "badRecordsPath", .kind = OPTION_PATH, .help = "Folder for bad records.", .later = LATER_BAD_RECORDS},
    {.name = "charToEscapeQuoteEscaping", .kind = OPTION_CHAR, .help = "Character that escapes the escape character; default: the escape character, where it is not the quote."},
    {.name = "charset", .kind = OPTION_TEXT, .help = "Another name of encoding.", .alias_of = "encoding"},
    {.name = "columnNameOfCorruptRecord", .kind = OPTION_TEXT, .help = "Column that takes the text of bad records, where the schema has it."},
    {.name = "columnPruning", .kind = OPTION_BOOL, .help = "Looks only at the columns that the query uses; default: true unless multiLine."},
    {.name = "comment", .kind = OPTION_CHAR, .fallback = "", .help = "Lines that begin with this character are skipped; empty: none."},
    {.name = "dateFormat", .kind = OPTION_TEXT, .help = "Pattern of dates; without it yyyy-MM-dd and what CAST takes."},
    {.name = "delimiter", .kind = OPTION_TEXT, .help = "Another name of sep.", .alias_of = "sep"},
    {.name = "emptyValue", .kind = OPTION_TEXT, .fallback = "", .help = "What a quoted empty field stands for."},
    {.name = "enableDateTimeParsingFallback", .kind = OPTION_BOOL, .help = "Tries what CAST takes where a pattern does not match; default: only where no pattern is given."},
    {.name = "encoding", .kind = OPTION_TEXT, .fallback = "UTF-8", .help = "Encoding of the files: UTF-8, ISO-8859-1, US-ASCII, UTF-16(LE|BE), UTF-32(LE|BE)."},
    {.name = "enforceSchema", .kind = OPTION_BOOL, .fallback = "true", .help = "false: the names in a header must be those of the schema, in its order."},
    {.name = "escape", .kind = OPTION_CHAR, .fallback = "\\", .help = "Character that escapes quotes inside a quoted field; empty: none."},
    {.name = "header", .kind = OPTION_BOOL, .fallback = "false", .help = "The first line of each file that is neither blank nor a comment is a header."},
    {.name = "ignoreLeadingWhiteSpace", .kind = OPTION_BOOL, .fallback = "false", .help = "Drops blanks in front of fields."},
    {.name = "ignoreTrailingWhiteSpace", .kind = OPTION_BOOL, .fallback = "false", .help = "Drops blanks behind fields without quotes."},
    {.name = "inferSchema", .kind = OPTION_BOOL, .fallback = "false", .help = "Inference finds types other than STRING." WITH_SCHEMA},
    {.name = "inputBufferSize", .kind = OPTION_INT, .fallback = "1048576", .help = TUNES, .minimum = 1, .maximum = INT32_MAX},
    {.name = "lineSep", .kind = OPTION_TEXT, .help = "Record separator of one or two characters; without it \\n, \\r and \\r\\n."},
    {.name = "locale", .kind = OPTION_TEXT, .fallback = "en-US", .help = "Language tag for names of months and for separators in DECIMAL fields."},
    {.name = "maxCharsPerColumn", .kind = OPTION_INT, .fallback = "-1", .help = "A longer field fails the query; -1: no limit.", .minimum = -1, .maximum = INT32_MAX},
    {.name = "maxColumns", .kind = OPTION_INT, .fallback = "20480", .help = "A record of more fields fails the query.", .minimum = 1, .maximum = 1 << 24},
    {.name = "mergeSchema", .kind = OPTION_BOOL, .fallback = "false", .help = "Inference merges the schemas of all files." WITH_SCHEMA},
    {.name = "mode", .kind = OPTION_CHOICE, .fallback = "PERMISSIVE", .help = "What becomes of bad records: nulls where fields are bad, no row, or failure.", .choices = "PERMISSIVE|DROPMALFORMED|FAILFAST"},
    {.name = "multiLine", .kind = OPTION_BOOL, .fallback = "false", .help = "Quoted fields may hold line ends."},
    {.name = "nanValue", .kind = OPTION_TEXT, .fallback = "NaN", .help = "What not-a-number is written as."},
    {.name = "negativeInf", .kind = OPTION_TEXT, .fallback = "-Inf", .help = "What negative infinity is written as."},
    {.name = "nullValue", .kind = OPTION_TEXT, .fallback = "", .help = "What null is written as; an empty field without quotes is always null."},
    {.name = "parserCaseSensitive", .kind = OPTION_BOOL, .help = "Header names match by case.", .later = LATER_BY_NAME},
    {.name = "positiveInf", .kind = OPTION_TEXT, .fallback = "Inf", .help = "What infinity is written as."},
    {.name = "preferDate", .kind = OPTION_BOOL, .fallback = "true", .help = "Inference prefers DATE to TIMESTAMP; DATE columns read yyyy-MM-dd first."},
    {.name = "quote", .kind = OPTION_CHAR, .fallback = "\"", .help = "Character around fields that may hold separators; empty: none."},
    {.name = "readerCaseSensitive", .kind = OPTION_BOOL, .help = "Header names match by case.", .later = LATER_BY_NAME},
    {.name = "rescuedDataColumn", .kind = OPTION_TEXT, .help = "Column that keeps what does not fit the schema.", .later = LATER_RESCUE},
    {.name = "samplingRatio", .kind = OPTION_REAL, .fallback = "1.0", .help = "Part of the records that inference reads." WITH_SCHEMA},
    {.name = "sep", .kind = OPTION_TEXT, .fallback = ",", .help = "Field separator, also of several characters; \\t, \\b, \\f, \\r, \\\", \\' and \\\\ are understood."},
    {.name = "singleVariantColumn", .kind = OPTION_TEXT, .help = "One VARIANT column for each record.", .later = LATER_VARIANT},
    {.name = "skipRows", .kind = OPTION_INT, .fallback = "0", .help = "Lines to skip at the start of each file, before the header.", .minimum = 0, .maximum = INT32_MAX},
    {.name = "timestampFormat", .kind = OPTION_TEXT, .help = "Pattern of timestamps; without it what CAST takes."},
    {.name = "timestampNTZFormat", .kind = OPTION_TEXT, .help = "Pattern of timestamps without zone; without it what CAST takes."},
    {.name = "timeZone", .kind = OPTION_TEXT, .help = "Zone of timestamps that name none; default: the session's."},
    {.name = "unescapedQuoteHandling", .kind = OPTION_CHOICE, .fallback = "STOP_AT_DELIMITER", .help = "What a quote inside a quoted field does that is not escaped.",
     .choices = "STOP_AT_DELIMITER|STOP_AT_CLOSING_QUOTE|BACK_TO_DELIMITER|SKIP_VALUE|RAISE_ERROR"},
    {.name = NULL},
};

static bool bad_value(struct error *err, const char *name, const char *value, const char *why)
{
    return error_set(err, COND_INLET_BAD_OPTION_VALUE, "option '%s' cannot be '%s': %s", name, value, why);
}

static bool conf_bool(const struct session *session, const char *name, bool otherwise)
{
    if (!options_has(&session->conf, name)) return otherwise;
    const struct option_value *value = options_get(&session->conf, name);
    return value->text ? value->integer != 0 : otherwise;
}

/* With room behind it to load, as field texts have. */
static struct slice text_option(const struct options *options, const char *name, struct arena *arena)
{
    const char *text = options_text(options, name);
    size_t size = text ? strlen(text) : 0;
    uint8_t *copy = arena_alloc(arena, size + 64);
    if (size) memcpy(copy, text, size);
    return slice_of(copy, size);
}

static uint32_t char_option(const struct options *options, const char *name)
{
    int64_t character = options_int(options, name);
    return character ? (uint32_t)character : CSV_OFF;
}

/* ---- separator --------------------------------------------------------------------------------- */

/* One code point of valid UTF-8; ill-formed bytes stand for themselves. */
static uint32_t take_code_point(const uint8_t **at)
{
    const uint8_t *p = *at;
    size_t more = p[0] < 0xC0 ? 0 : p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
    uint32_t point = more == 0 ? p[0] : p[0] & (0x3Fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            *at = p + 1;
            return p[0];
        }
        point = point << 6 | (p[i] & 0x3F);
    }
    *at = p + more + 1;
    return point;
}

static bool unescape(const uint8_t **at, uint32_t *point, struct error *err)
{
    static const char names[] = "trbf\"'\\", values[] = "\t\r\b\f\"'\\";
    uint8_t name = (*at)[1];
    if (!name) return error_set(err, COND_DELIMITER_BACKSLASH, "invalid value for delimiter: a single backslash is prohibited, it begins an escape sequence");
    const char *found = strchr(names, name);
    if (!found) return error_set(err, COND_DELIMITER_SPECIAL, "invalid value for delimiter: unsupported special character for delimiter: \\%c", name);
    *point = (uint8_t)values[found - names];
    *at += 2;
    return true;
}

static bool compile_separator(const struct options *options, struct csv_settings *out, struct error *err)
{
    const uint8_t *at = (const uint8_t *)options_text(options, "sep");
    if (!*at) return error_set(err, COND_DELIMITER_EMPTY, "invalid value for delimiter: it cannot be an empty string");
    while (*at) {
        uint32_t point = 0;
        if (out->separator_count + 2 > CSV_SEPARATOR_MAX) return bad_value(err, "sep", options_text(options, "sep"), "it is longer than 31 characters");
        if (*at != '\\') point = take_code_point(&at);
        else if (!unescape(&at, &point, err)) return false;
        if (point > 0xFFFF) {
            out->separator[out->separator_count++] = 0xD800 | (point - 0x10000) >> 10;
            out->separator[out->separator_count++] = 0xDC00 | (point & 0x3FF);
        } else {
            out->separator[out->separator_count++] = point;
        }
        out->separator_size += utf8_encode(point, out->separator_bytes + out->separator_size);
    }
    return true;
}

/* ---- encoding and line ends -------------------------------------------------------------------- */

bool charset_is_ascii_like(enum charset charset)
{
    return charset == CHARSET_UTF8 || charset == CHARSET_ISO_8859_1 || charset == CHARSET_US_ASCII;
}

static bool compile_charset(const struct options *options, struct csv_settings *out, struct error *err)
{
    const char *name = options_text(options, "encoding");
    out->charset = charset_find(name);
    return out->charset != CHARSET_UNKNOWN ||
           error_set(err, COND_INVALID_PARAMETER_CHARSET, "the value of parameter 'encoding' is invalid: expects one of the charsets 'iso-8859-1', 'us-ascii', 'utf-16', 'utf-16be', 'utf-16le', 'utf-32', 'utf-32be', 'utf-32le', 'utf-8', but got %s", name);
}

/* Java counts UTF-16 units. */
static size_t java_length(const char *text)
{
    size_t units = 0;
    for (const uint8_t *p = (const uint8_t *)text; *p; p++)
        if ((*p & 0xC0) != 0x80) units += *p >= 0xF0 ? 2 : 1;
    return units;
}

/* Files of wide encodings are converted before they are framed, so their separator is framed in UTF-8. */
static bool compile_line_separator(const struct options *options, struct arena *arena, struct csv_settings *out, struct error *err)
{
    if (!options_given(options, "lineSep")) return true;
    const char *text = options_text(options, "lineSep");
    if (!*text) return bad_value(err, "lineSep", "", "it cannot be an empty string");
    if (java_length(text) > 2) return bad_value(err, "lineSep", text, "it can contain only 1 character, or 2");
    out->line_separator = slice_text(text);
    out->feed_ends = java_length(text) == 2;
    struct buffer bytes = {0};
    enum charset charset = charset_is_ascii_like(out->charset) ? out->charset : CHARSET_UTF8;
    charset_from_utf8(charset, &bytes, (const uint8_t *)text, strlen(text));
    out->lines.separator = (const uint8_t *)arena_strndup(arena, (const char *)bytes.data, bytes.size);
    out->lines.separator_size = bytes.size;
    buffer_free(&bytes);
    return true;
}

/* ---- dates and times --------------------------------------------------------------------------- */

static bool compile_pattern(const struct options *options, const char *name, struct arena *arena, const struct datetime_pattern **out, struct error *err)
{
    const char *pattern = options_text(options, name);
    *out = NULL;
    if (!pattern) return true;
    *out = datetime_pattern_compile(arena, pattern, options_text(options, "locale"), DATETIME_PARSE, err);
    return *out || error_context(err, "reading option '%s'", name);
}

static bool compile_datetime(const struct read_spec *spec, struct arena *arena, struct csv_settings *out, struct error *err)
{
    const struct options *options = spec->options;
    if (!compile_pattern(options, "dateFormat", arena, &out->date, err)) return false;
    if (!compile_pattern(options, "timestampFormat", arena, &out->timestamp, err)) return false;
    if (!compile_pattern(options, "timestampNTZFormat", arena, &out->timestamp_ntz, err)) return false;
    static const char conf[] = "spark.sql.legacy.csv.enableDateTimeParsingFallback";
    out->date_fallback = conf_bool(spec->session, conf, !out->date);
    out->timestamp_fallback = conf_bool(spec->session, conf, !out->timestamp);
    if (options_given(options, "enableDateTimeParsingFallback"))
        out->date_fallback = out->timestamp_fallback = options_bool(options, "enableDateTimeParsingFallback");
    /* A date without a pattern of the user's is read by yyyy-MM-dd, which takes a part of what CAST takes. */
    out->prefer_date = options_bool(options, "preferDate");
    bool strict = !out->date && !out->date_fallback && out->prefer_date;
    if (strict && !(out->date = datetime_pattern_compile(arena, "yyyy-MM-dd", options_text(options, "locale"), DATETIME_PARSE, err))) return false;
    out->zone = spec->session->zone;
    const char *zone = options_text(options, "timeZone");
    if (zone && !(out->zone = time_zone_option(zone, err))) return error_context(err, "reading option 'timeZone'");
    return true;
}

bool csv_settings_compile(const struct read_spec *spec, struct arena *arena, struct csv_settings *out, struct error *err)
{
    const struct options *options = spec->options;
    memset(out, 0, sizeof *out);
    out->mode = (enum parse_mode)options_int(options, "mode");
    out->multi_line = options_bool(options, "multiLine");
    out->header = options_bool(options, "header");
    out->enforce_schema = options_bool(options, "enforceSchema");
    bool pruning = !out->multi_line && conf_bool(spec->session, "spark.sql.csv.parser.columnPruning.enabled", true);
    out->column_pruning = options_given(options, "columnPruning") ? options_bool(options, "columnPruning") : pruning;
    out->ignore_leading = options_bool(options, "ignoreLeadingWhiteSpace");
    out->ignore_trailing = options_bool(options, "ignoreTrailingWhiteSpace");
    out->quote = char_option(options, "quote");
    out->escape = char_option(options, "escape");
    if (out->escape == CSV_OFF) out->escape = CSV_NONE;
    out->comment = char_option(options, "comment");
    out->escape_escape = options_given(options, "charToEscapeQuoteEscaping") ? char_option(options, "charToEscapeQuoteEscaping") : CSV_OFF;
    if (out->escape_escape == CSV_OFF) out->escape_escape = out->escape != out->quote ? out->escape : CSV_NONE;
    out->unescaped = (enum unescaped_quote)options_int(options, "unescapedQuoteHandling");
    out->columns_max = options_int(options, "maxColumns");
    out->chars_max = options_int(options, "maxCharsPerColumn");
    out->skip_rows = options_int(options, "skipRows");
    out->null_value = text_option(options, "nullValue", arena);
    out->empty_value = text_option(options, "emptyValue", arena);
    out->nan_value = text_option(options, "nanValue", arena);
    out->positive_inf = text_option(options, "positiveInf", arena);
    out->negative_inf = text_option(options, "negativeInf", arena);
    const char *locale = options_text(options, "locale");
    out->locale = strcasecmp(locale, "en-US") == 0 ? NULL : locale;
    return compile_separator(options, out, err) && compile_charset(options, out, err) &&
           compile_line_separator(options, arena, out, err) && compile_datetime(spec, arena, out, err);
}
