/* json_settings -- the JSON reader's option table, and its meaning (format-semantics 1.3, 5.1, 5.2). */
#include "formats/json_settings.h"
#include "base/civil.h"

#include <string.h>
#include <strings.h>

#define WITH_SCHEMA " Has no effect where a schema is given, as in Spark."
#define LATER_VARIANT "VARIANT columns are not built yet"
#define LATER_RESCUE "rescued data is not built yet"
#define LATER_BAD_RECORDS "a quarantine folder is not built yet; use a corrupt record column"

const struct option_spec ndjson_options[] = {
    {.name = "allowBackslashEscapingAnyCharacter", .kind = OPTION_BOOL, .fallback = "false", .help = "Takes \\x for x, whatever x is."},
    {.name = "allowComments", .kind = OPTION_BOOL, .fallback = "false", .help = "Takes /* */ and // comments."},
    {.name = "allowNonNumericNumbers", .kind = OPTION_BOOL, .fallback = "true", .help = "Takes NaN, Infinity, +Infinity, -Infinity, +INF and -INF as numbers."},
    {.name = "allowNumericLeadingZeros", .kind = OPTION_BOOL, .fallback = "false", .help = "Takes numbers such as 007."},
    {.name = "allowSingleQuotes", .kind = OPTION_BOOL, .fallback = "true", .help = "Takes 'text' for \"text\"."},
    {.name = "allowUnquotedControlChars", .kind = OPTION_BOOL, .fallback = "false", .help = "Takes bytes below 0x20 inside strings."},
    {.name = "allowUnquotedFieldNames", .kind = OPTION_BOOL, .fallback = "false", .help = "Takes field names without quotes."},
    {.name = "badRecordsPath", .kind = OPTION_PATH, .help = "Folder for bad records.", .later = LATER_BAD_RECORDS},
    {.name = "charset", .kind = OPTION_TEXT, .help = "Another name of encoding.", .alias_of = "encoding"},
    {.name = "columnNameOfCorruptRecord", .kind = OPTION_TEXT, .help = "Column that takes the text of bad records, where the schema has it."},
    {.name = "dateFormat", .kind = OPTION_TEXT, .help = "Pattern of dates; without it what CAST takes."},
    {.name = "dropFieldIfAllNull", .kind = OPTION_BOOL, .fallback = "false", .help = "Inference drops fields that are always null." WITH_SCHEMA},
    {.name = "enableDateTimeParsingFallback", .kind = OPTION_BOOL, .help = "Tries what CAST takes where a pattern does not match; default: only where no pattern is given."},
    {.name = "encoding", .kind = OPTION_TEXT, .help = "Encoding of the files: UTF-8, ISO-8859-1, US-ASCII, UTF-16(LE|BE), UTF-32(LE|BE)."},
    {.name = "inferTimestamp", .kind = OPTION_BOOL, .fallback = "false", .help = "Inference recognises timestamps." WITH_SCHEMA},
    {.name = "lineSep", .kind = OPTION_TEXT, .help = "Record separator; without it \\n, \\r and \\r\\n."},
    {.name = "locale", .kind = OPTION_TEXT, .fallback = "en-US", .help = "Language tag for names of months and for separators in DECIMAL strings."},
    {.name = "maxNestingDepth", .kind = OPTION_INT, .fallback = "1000", .help = "Deeper records are bad.", .minimum = 1, .maximum = INT32_MAX},
    {.name = "maxNumLen", .kind = OPTION_INT, .fallback = "1000", .help = "Records with a number of more digits are bad.", .minimum = 1, .maximum = INT32_MAX},
    {.name = "maxStringLen", .kind = OPTION_INT, .fallback = "20000000", .help = "Records with a longer string are bad.", .minimum = 1, .maximum = INT32_MAX},
    {.name = "mode", .kind = OPTION_CHOICE, .fallback = "PERMISSIVE", .help = "What becomes of bad records: a row of nulls, no row, or failure.", .choices = "PERMISSIVE|DROPMALFORMED|FAILFAST"},
    {.name = "multiLine", .kind = OPTION_BOOL, .fallback = "false", .help = "A file is one JSON value."},
    {.name = "prefersDecimal", .kind = OPTION_BOOL, .fallback = "false", .help = "Inference prefers DECIMAL to DOUBLE." WITH_SCHEMA},
    {.name = "primitivesAsString", .kind = OPTION_BOOL, .fallback = "false", .help = "Inference takes every primitive for a string." WITH_SCHEMA},
    {.name = "rescuedDataColumn", .kind = OPTION_TEXT, .help = "Column that keeps what does not fit the schema.", .later = LATER_RESCUE},
    {.name = "samplingRatio", .kind = OPTION_REAL, .fallback = "1.0", .help = "Part of the records that inference reads." WITH_SCHEMA},
    {.name = "singleVariantColumn", .kind = OPTION_TEXT, .help = "One VARIANT column for each record.", .later = LATER_VARIANT},
    {.name = "timestampFormat", .kind = OPTION_TEXT, .help = "Pattern of timestamps; without it what CAST takes."},
    {.name = "timestampNTZFormat", .kind = OPTION_TEXT, .help = "Pattern of timestamps without zone; without it what CAST takes."},
    {.name = "timeZone", .kind = OPTION_TEXT, .help = "Zone of timestamps that name none; default: the session's."},
    {.name = NULL},
};

static bool conf_bool(const struct session *session, const char *name, bool otherwise)
{
    if (!options_has(&session->conf, name)) return otherwise;
    const struct option_value *value = options_get(&session->conf, name);
    return value->text ? value->integer != 0 : otherwise;
}

static bool bad_value(struct error *err, const char *name, const char *value, const char *why)
{
    return error_set(err, COND_INLET_BAD_OPTION_VALUE, "option '%s' cannot be '%s': %s", name, value, why);
}

static bool compile_charset(const struct options *options, struct ndjson_settings *out, struct error *err)
{
    const char *name = options_text(options, "encoding");
    out->charset = CHARSET_UTF8;
    if (!name) return true;
    out->charset_given = true;
    out->charset = charset_find(name);
    bool listed = out->charset < CHARSET_UTF32LE && strcasecmp(charset_name(out->charset), name) == 0;
    if (!listed)
        return error_set(err, COND_INVALID_PARAMETER_CHARSET, "the value of parameter 'encoding' is invalid: expects one of the charsets 'iso-8859-1', 'us-ascii', 'utf-16', 'utf-16be', 'utf-16le', 'utf-32', 'utf-32be', 'utf-32le', 'utf-8', but got %s", name);
    if (out->multi_line) return true;
    if (out->charset == CHARSET_UTF16 || out->charset == CHARSET_UTF32)
        return bad_value(err, "encoding", name, "a byte order mark cannot be looked at line by line; name the byte order, or set multiLine");
    if (out->charset != CHARSET_UTF8 && !options_given(options, "lineSep"))
        return bad_value(err, "encoding", name, "the lineSep option must be specified for an encoding other than UTF-8");
    return true;
}

static size_t charset_unit(enum charset charset)
{
    switch (charset) {
    case CHARSET_UTF16: case CHARSET_UTF16LE: case CHARSET_UTF16BE: return 2;
    case CHARSET_UTF32: case CHARSET_UTF32LE: case CHARSET_UTF32BE: return 4;
    default: return 1;
    }
}

static bool compile_separator(const struct options *options, struct arena *arena, struct ndjson_settings *out, struct error *err)
{
    if (!options_given(options, "lineSep")) return true;
    const char *text = options_text(options, "lineSep");
    if (!text || !*text) return bad_value(err, "lineSep", "", "it cannot be an empty string");
    struct buffer bytes = {0};
    charset_from_utf8(out->charset, &bytes, (const uint8_t *)text, strlen(text));
    bool fits = bytes.size <= LINES_SEPARATOR_MAX;
    if (fits) {
        out->lines.separator = (const uint8_t *)arena_strndup(arena, (const char *)bytes.data, bytes.size);
        out->lines.separator_size = bytes.size;
        out->lines.unit = charset_unit(out->charset);
    }
    buffer_free(&bytes);
    return fits || bad_value(err, "lineSep", text, "it is longer than 255 bytes");
}

static bool compile_pattern(const struct options *options, const char *name, struct arena *arena, const struct datetime_pattern **out, struct error *err)
{
    const char *pattern = options_text(options, name);
    *out = NULL;
    if (!pattern) return true;
    *out = datetime_pattern_compile(arena, pattern, options_text(options, "locale"), DATETIME_PARSE, err);
    return *out || error_context(err, "while reading option '%s'", name);
}

static bool compile_datetime(const struct read_spec *spec, struct arena *arena, struct ndjson_settings *out, struct error *err)
{
    const struct options *options = spec->options;
    if (!compile_pattern(options, "dateFormat", arena, &out->date, err)) return false;
    if (!compile_pattern(options, "timestampFormat", arena, &out->timestamp, err)) return false;
    if (!compile_pattern(options, "timestampNTZFormat", arena, &out->timestamp_ntz, err)) return false;
    static const char conf[] = "spark.sql.legacy.json.enableDateTimeParsingFallback";
    out->date_fallback = conf_bool(spec->session, conf, !out->date);
    out->timestamp_fallback = conf_bool(spec->session, conf, !out->timestamp);
    if (options_given(options, "enableDateTimeParsingFallback"))
        out->date_fallback = out->timestamp_fallback = options_bool(options, "enableDateTimeParsingFallback");
    out->zone = spec->session->zone;
    const char *zone = options_text(options, "timeZone");
    if (zone && !(out->zone = time_zone_option(zone, err))) return error_context(err, "while reading option 'timeZone'");
    out->zone_is_utc = time_zone_is_utc(out->zone);
    return true;
}

bool ndjson_settings_compile(const struct read_spec *spec, struct arena *arena, struct ndjson_settings *out, struct error *err)
{
    const struct options *options = spec->options;
    memset(out, 0, sizeof *out);
    out->mode = (enum parse_mode)options_int(options, "mode");
    out->multi_line = options_bool(options, "multiLine");
    out->allow_comments = options_bool(options, "allowComments");
    out->allow_unquoted_names = options_bool(options, "allowUnquotedFieldNames");
    out->allow_single_quotes = options_bool(options, "allowSingleQuotes");
    out->allow_leading_zeros = options_bool(options, "allowNumericLeadingZeros");
    out->allow_nonnumeric = options_bool(options, "allowNonNumericNumbers");
    out->allow_backslash_any = options_bool(options, "allowBackslashEscapingAnyCharacter");
    out->allow_control_chars = options_bool(options, "allowUnquotedControlChars");
    out->depth_max = options_int(options, "maxNestingDepth");
    out->number_size_max = options_int(options, "maxNumLen");
    out->string_size_max = options_int(options, "maxStringLen");
    out->partial_results = conf_bool(spec->session, "spark.sql.json.enablePartialResults", true);
    if (!compile_charset(options, out, err) || !compile_separator(options, arena, out, err)) return false;
    out->exact_strings = !out->charset_given && conf_bool(spec->session, "spark.sql.json.enableExactStringParsing", true);
    if (!compile_datetime(spec, arena, out, err)) return false;
    out->locale = options_text(options, "locale");
    return true;
}
