/* options -- parsing of option maps by their tables, and the value grammars of Spark. */
#include "base/options.h"
#include "base/file.h"
#include "base/panic.h"
#include "base/uri.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- value grammars ---------------------------------------------------------------------------- */

/* Java's Long.parseLong in ASCII: sign, digits, nothing else. */
static bool parse_integer(const char *text, int64_t *out)
{
    const char *digits = text + (*text == '+' || *text == '-');
    if (!*digits || strspn(digits, "0123456789") != strlen(digits)) return false;
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return errno == 0;
}

static bool parse_real(const char *text, double *out)
{
    const char *p = text + (*text == '+' || *text == '-');
    if (!isdigit((unsigned char)*p) && *p != '.') return false; /* No words, no hexadecimal. */
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) return false;
    char *end;
    *out = strtod(text, &end);
    return *end == '\0' && end != text;
}

static const char *skip_blanks(const char *text)
{
    while (*text && isspace((unsigned char)*text)) text++;
    return text;
}

/* Splits "<digits><unit>" with blanks around and between; the unit is copied in lower case. */
static bool split_quantity(const char *text, int64_t *number, char unit[16])
{
    text = skip_blanks(text);
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)*text)) return false;
    *number = strtoll(text, &end, 10);
    if (errno) return false;
    size_t count = 0;
    for (const char *p = skip_blanks(end); isalpha((unsigned char)*p); p++) {
        if (count == 15) return false;
        unit[count++] = (char)tolower((unsigned char)*p);
        end = (char *)(uintptr_t)(p + 1);
    }
    unit[count] = '\0';
    return *skip_blanks(end) == '\0';
}

struct unit {
    const char *name;
    int64_t factor;
};

static bool scale_by_unit(int64_t number, const char *name, const struct unit *units, int64_t *out)
{
    for (; units->name; units++)
        if (strcmp(units->name, name) == 0) return !__builtin_mul_overflow(number, units->factor, out);
    return false;
}

bool parse_bytes_text(const char *text, int64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},           {"b", 1},         {"k", 1 << 10},      {"kb", 1 << 10},     {"m", 1 << 20},
        {"mb", 1 << 20},   {"g", 1 << 30},   {"gb", 1 << 30},     {"t", 1ll << 40},    {"tb", 1ll << 40},
        {"p", 1ll << 50},  {"pb", 1ll << 50}, {NULL, 0},
    };
    int64_t number;
    char unit[16];
    return split_quantity(text, &number, unit) && scale_by_unit(number, unit, units, bytes);
}

bool parse_duration_text(const char *text, int64_t *microseconds)
{
    static const struct unit units[] = {
        {"", 1000},         {"us", 1},           {"ms", 1000},          {"s", 1000000},
        {"m", 60000000},    {"min", 60000000},   {"h", 3600000000ll},   {"d", 86400000000ll}, {NULL, 0},
    };
    int64_t number;
    char unit[16];
    return split_quantity(text, &number, unit) && scale_by_unit(number, unit, units, microseconds);
}

static const struct unit interval_units[] = {
    {"microsecond", 1},         {"millisecond", 1000},     {"second", 1000000},
    {"minute", 60000000},       {"hour", 3600000000ll},    {"day", 86400000000ll},
    {"week", 604800000000ll},   {"month", 2678400000000ll}, {"year", 32140800000000ll}, {NULL, 0},
};

/* One "<number> <unit>" of an interval, added to *sum; advances *text behind it. */
static bool parse_interval_part(const char **text, int64_t *sum)
{
    const char *p = *text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+') p = skip_blanks(p + 1);
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)*p)) return false;
    int64_t number = strtoll(p, &end, 10), fraction = 0, value;
    if (errno) return false;
    bool has_fraction = *end == '.';
    if (has_fraction) { /* Only seconds have one, of at most nine digits. */
        int digits = 0;
        for (end++; isdigit((unsigned char)*end); end++, digits++)
            if (digits < 6) fraction = fraction * 10 + (*end - '0');
        if (digits > 9) return false;
        for (; digits < 6; digits++) fraction *= 10;
    }
    char unit[16];
    size_t count = 0;
    for (p = skip_blanks(end); isalpha((unsigned char)*p) && count < 15; p++)
        unit[count++] = (char)tolower((unsigned char)*p);
    if (count > 1 && unit[count - 1] == 's') count--;
    unit[count] = '\0';
    if (has_fraction && strcmp(unit, "second") != 0) return false;
    if (!scale_by_unit(number, unit, interval_units, &value) || __builtin_add_overflow(value, fraction, &value))
        return false;
    if (__builtin_add_overflow(*sum, negative ? -value : value, sum)) return false;
    *text = skip_blanks(p);
    return true;
}

bool parse_interval_text(const char *text, int64_t *microseconds)
{
    text = skip_blanks(text);
    if (strncasecmp(text, "interval", 8) == 0 && isspace((unsigned char)text[8])) text = skip_blanks(text + 8);
    if (!*text) return false;
    int64_t sum = 0;
    while (*text)
        if (!parse_interval_part(&text, &sum)) return false;
    *microseconds = sum;
    return true;
}

/* ---- nearest names ----------------------------------------------------------------------------- */

/* Edit distance with transpositions, ignoring case; gives up above names of 63 characters. */
size_t name_distance(const char *a, const char *b)
{
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > 63 || b_size > 63) return 64;
    size_t rows[3][64];
    size_t *before = rows[0], *previous = rows[1], *current = rows[2];
    for (size_t j = 0; j <= b_size; j++) previous[j] = j;
    memcpy(before, previous, sizeof rows[0]);
    for (size_t i = 1; i <= a_size; i++) {
        current[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            size_t best = previous[j - 1] + (x != y);
            if (previous[j] + 1 < best) best = previous[j] + 1;
            if (current[j - 1] + 1 < best) best = current[j - 1] + 1;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && y == tolower((unsigned char)a[i - 2]) &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            current[j] = best;
        }
        size_t *spare = before;
        before = previous;
        previous = current;
        current = spare;
    }
    return previous[b_size];
}

const char *nearest_name(const char *name, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 2; /* Must be less: one edit in short names, a third in long ones. */
    for (; *names; names++) {
        size_t distance = name_distance(name, *names);
        if (distance < best_distance && distance < strlen(*names)) {
            best_distance = distance;
            best = *names;
        }
    }
    return best;
}

/* ---- one value --------------------------------------------------------------------------------- */

struct parse {
    struct arena *arena;
    const char *owner, *base_dir;
    bool hidden; /* The value at hand is not to be printed. */
    struct error *err;
};

static const char *shown(const struct parse *parse, const struct option_spec *spec, const char *text)
{
    return spec->secret || parse->hidden ? "(hidden)" : text;
}

static bool refuse(struct parse *parse, const struct option_spec *spec, const char *text, const char *must)
{
    return error_set(parse->err, COND_INLET_BAD_OPTION_VALUE, "invalid value '%s' for option '%s', must be %s",
                     shown(parse, spec, text), spec->name, must);
}

static bool refuse_integer(struct parse *parse, const struct option_spec *spec, const char *text)
{
    long long minimum = spec->minimum, maximum = spec->maximum;
    if ((!minimum && !maximum) || minimum == INT64_MIN) return refuse(parse, spec, text, "an integer");
    if (maximum < INT32_MAX)
        return refuse(parse, spec, text, arena_printf(parse->arena, "an integer between %lld and %lld", minimum,
                                                      maximum));
    if (minimum == 1) return refuse(parse, spec, text, "a positive integer");
    return refuse(parse, spec, text, arena_printf(parse->arena, "an integer greater than or equal to %lld", minimum));
}

static bool within(const struct option_spec *spec, int64_t value)
{
    return (!spec->minimum && !spec->maximum) || (value >= spec->minimum && value <= spec->maximum);
}

/* Index of `text` in "a|b|c", -1 where it is none of them. */
static int64_t choice_index(const char *choices, const char *text)
{
    size_t size = strlen(text);
    int64_t index = 0;
    for (const char *p = choices;; index++) {
        size_t length = strcspn(p, "|");
        if (length == size && strncasecmp(p, text, size) == 0) return index;
        if (!p[length]) return -1;
        p += length + 1;
    }
}

static char *choices_listed(struct arena *arena, const char *choices)
{
    struct buffer out = {0};
    for (const char *p = choices; *p; p++) {
        if (*p == '|') buffer_text(&out, ", ");
        else buffer_byte(&out, (uint8_t)*p);
    }
    char *text = arena_strndup(arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

static bool parse_choice(struct parse *parse, const struct option_spec *spec, struct option_value *value)
{
    value->integer = choice_index(spec->choices, value->text);
    if (value->integer >= 0) return true;
    const char *listed = choices_listed(parse->arena, spec->choices);
    if (strcmp(spec->name, "compression") == 0) /* Spark has a condition for codecs. */
        return error_set(parse->err, COND_CODEC_NOT_AVAILABLE, "the codec %s is not available. Available codecs are %s",
                         shown(parse, spec, value->text), listed);
    return refuse(parse, spec, value->text, arena_printf(parse->arena, "one of %s", listed));
}

/* One UTF-16 unit, as Java counts: a code point up to U+FFFF. */
static bool parse_char(struct parse *parse, const struct option_spec *spec, struct option_value *value)
{
    const unsigned char *p = (const unsigned char *)value->text;
    size_t size = strlen(value->text);
    value->integer = 0;
    if (size == 0) return true;
    size_t length = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : 3;
    if (size != length || p[0] >= 0xF0)
        return error_set(parse->err, COND_OPTION_VALUE_EXCEEDS_ONE_CHARACTER,
                         "the value of %s cannot be more than one character, but got %s", spec->name, shown(parse, spec, value->text));
    value->integer = length == 1 ? p[0] : length == 2 ? (p[0] & 0x1F) << 6 | (p[1] & 0x3F)
                                                      : (p[0] & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    return true;
}

/* "s3://", "dbfs:/": somebody else's name space, taken as it is. */
static bool has_scheme(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return length > 1 && text[length] == ':' && text[length + 1] == '/';
}

static bool parse_path(struct parse *parse, const struct option_spec *spec, struct option_value *value)
{
    if (!*value->text) return refuse(parse, spec, value->text, "a path");
    if (strncasecmp(value->text, "file:", 5) == 0) value->text = path_from_uri(parse->arena, value->text);
    else if (has_scheme(value->text)) return true;
    if (parse->base_dir) value->text = path_absolute(parse->arena, parse->base_dir, value->text);
    return true;
}

static bool parse_value(struct parse *parse, const struct option_spec *spec, struct option_value *value)
{
    const char *text = value->text;
    switch (spec->kind) {
    case OPTION_TEXT:
        return true;
    case OPTION_BOOL:
        value->integer = strcasecmp(text, "true") == 0;
        return value->integer || strcasecmp(text, "false") == 0 || refuse(parse, spec, text, "'true' or 'false'");
    case OPTION_INT:
        return (parse_integer(text, &value->integer) && within(spec, value->integer)) ||
            refuse_integer(parse, spec, text);
    case OPTION_REAL:
        return parse_real(text, &value->real) || refuse(parse, spec, text, "a number");
    case OPTION_BYTES:
        return (parse_bytes_text(text, &value->integer) && within(spec, value->integer)) ||
               refuse(parse, spec, text, "a byte size such as 512m or 10g");
    case OPTION_DURATION:
        return parse_duration_text(text, &value->integer) ||
            refuse(parse, spec, text, "a duration such as 7d, 12h, 30s or 500ms");
    case OPTION_INTERVAL:
        return parse_interval_text(text, &value->integer) ||
            refuse(parse, spec, text, "an interval such as 1 day or 30 minutes");
    case OPTION_CHAR:
        return parse_char(parse, spec, value);
    case OPTION_CHOICE:
        return parse_choice(parse, spec, value);
    case OPTION_PATH:
        return parse_path(parse, spec, value);
    }
    panic_invariant("every option kind has a grammar", __FILE__, __LINE__);
}

static bool same_value(const struct option_spec *spec, const struct option_value *a, const struct option_value *b)
{
    if (spec->kind == OPTION_TEXT || spec->kind == OPTION_PATH) return strcmp(a->text, b->text) == 0;
    if (spec->kind == OPTION_REAL) return !(a->real < b->real) && !(a->real > b->real);
    return a->integer == b->integer;
}

/* An option that has no effect here may still be given with the value which is in force anyway. */
static bool check_refused(struct parse *parse, const struct option_spec *spec, const struct option_value *value)
{
    if (!spec->later && !spec->never) return true;
    if (spec->fallback) {
        struct option_value fallback = {.spec = spec, .text = spec->fallback};
        if (parse_value(parse, spec, &fallback) && same_value(spec, value, &fallback)) return true;
    }
    if (spec->later)
        return error_set(parse->err, COND_INLET_NOT_SUPPORTED_YET, "option '%s' is not supported yet: %s", spec->name,
                         spec->later);
    if (spec->fallback)
        return error_set(parse->err, COND_INLET_BAD_OPTION_VALUE, "option '%s' can only be '%s': %s", spec->name,
                         spec->fallback, spec->never);
    return error_set(parse->err, COND_INLET_BAD_OPTION_VALUE, "option '%s' cannot be set: %s", spec->name, spec->never);
}

/* ---- whole maps -------------------------------------------------------------------------------- */

static bool names_equal(const char *row, const char *name)
{
    size_t size = strlen(row);
    if (size > 2 && strcmp(row + size - 2, ".*") == 0) return strncasecmp(row, name, size - 1) == 0; /* resourceTag.* */
    return strcasecmp(row, name) == 0;
}

static struct option_value *find_value(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->count; i++)
        if (names_equal(options->values[i].spec->name, name)) return &options->values[i];
    return NULL;
}

static void add_rows(struct arena *arena, const struct option_spec *const *tables, size_t table_count,
                     struct options *out)
{
    size_t count = 0;
    for (size_t t = 0; t < table_count; t++)
        for (const struct option_spec *spec = tables[t]; spec && spec->name; spec++) count++;
    out->values = ARENA_ARRAY(arena, struct option_value, count + 1);
    out->count = 0;
    for (size_t t = 0; t < table_count; t++)
        for (const struct option_spec *spec = tables[t]; spec && spec->name; spec++)
            out->values[out->count++] = (struct option_value){.spec = spec};
}

static const char *nearest_option(struct arena *arena, const struct options *options, const char *name)
{
    const char **names = ARENA_ARRAY(arena, const char *, options->count + 1);
    for (size_t i = 0; i < options->count; i++) names[i] = options->values[i].spec->name;
    return nearest_name(name, names);
}

static bool refuse_unknown(struct parse *parse, const struct options *options, const char *name, const char *written)
{
    bool cloud = strcasecmp(parse->owner, "cloudFiles") == 0;
    if (cloud)
        error_set(parse->err, COND_CF_UNKNOWN_OPTION_KEYS_ERROR, "found unknown option keys: %s", written);
    else
        error_set(parse->err, COND_INLET_UNKNOWN_OPTION, "option '%s' is not known to %s", written, parse->owner);
    const char *nearest = nearest_option(parse->arena, options, name);
    if (nearest) error_hint(parse->err, "Did you mean '%s'?", nearest);
    return false;
}

static bool take_input(struct parse *parse, const struct option_input *input, struct options *options)
{
    const char *name = input->name;
    bool is_cloud = strcasecmp(parse->owner, "cloudFiles") == 0;
    if (is_cloud && strncasecmp(name, "cloudFiles.", 11) == 0) name += 11;
    struct option_value *value = find_value(options, name);
    if (!value) return refuse_unknown(parse, options, name, input->name);
    if (!input->text) {
        error_set(parse->err, COND_INLET_BAD_OPTION_VALUE, "option '%s' has no value", input->name);
        return error_hint(parse->err, "An empty text is written as \"\"; YAML takes what follows a bare # for a comment.");
    }
    if (value->given && strcmp(value->text, input->text) != 0)
        return error_set(parse->err, is_cloud ? COND_CF_INVALID_VALUE : COND_INLET_BAD_OPTION_VALUE,
                         "option '%s' is given twice with different values", value->spec->name);
    value->text = input->text;
    value->given = true;
    value->hidden = input->hidden;
    value->line = input->line;
    return true;
}

/* The value of an alias goes to the option that it stands for, unless that is given itself (it wins). */
static void settle_aliases(struct options *options)
{
    for (size_t i = 0; i < options->count; i++) {
        struct option_value *alias = &options->values[i];
        if (!alias->spec->alias_of || !alias->given) continue;
        struct option_value *target = find_value(options, alias->spec->alias_of);
        invariant(target && !target->spec->alias_of);
        if (target->given) continue;
        target->text = alias->text;
        target->given = true;
        target->hidden = alias->hidden;
        target->line = alias->line;
    }
}

static bool finish_value(struct parse *parse, struct option_value *value)
{
    if (value->spec->alias_of) return true; /* Checked at its target. */
    parse->hidden = value->hidden;
    if (value->given) return parse_value(parse, value->spec, value) && check_refused(parse, value->spec, value);
    value->text = value->spec->fallback;
    return !value->text || parse_value(parse, value->spec, value);
}

static bool fail(const struct parse *parse, int line)
{
    if (line > 0) parse->err->line = line;
    return error_context(parse->err, "reading the options of %s", parse->owner);
}

bool options_parse(struct arena *arena, const char *owner, const struct option_spec *const *tables, size_t table_count,
                   const struct option_input *inputs, size_t input_count, const char *base_dir,
                   struct options *out, struct error *err)
{
    struct error spare; /* Messages are composed even where the caller does not want them. */
    struct parse parse = {arena, owner, base_dir, false, err ? err : &spare};
    if (!err) error_clear(&spare);
    add_rows(arena, tables, table_count, out);
    for (size_t i = 0; i < input_count; i++) {
        if (take_input(&parse, &inputs[i], out)) continue;
        return fail(&parse, inputs[i].line);
    }
    settle_aliases(out);
    for (size_t i = 0; i < out->count; i++) {
        if (finish_value(&parse, &out->values[i])) continue;
        return fail(&parse, out->values[i].line);
    }
    return true;
}

/* ---- look-ups ---------------------------------------------------------------------------------- */

const struct option_value *options_get(const struct options *options, const char *name)
{
    const struct option_value *value = find_value(options, name);
    if (value && value->spec->alias_of) value = find_value(options, value->spec->alias_of);
    if (!value) {
        char text[128];
        snprintf(text, sizeof text, "some option table has '%s'", name);
        panic_invariant(text, __FILE__, __LINE__);
    }
    return value;
}

const char *options_text(const struct options *options, const char *name)
{
    return options_get(options, name)->text;
}

bool options_bool(const struct options *options, const char *name)
{
    return options_get(options, name)->integer != 0;
}

int64_t options_int(const struct options *options, const char *name)
{
    return options_get(options, name)->integer;
}

bool options_given(const struct options *options, const char *name)
{
    return options_get(options, name)->given;
}

bool options_has(const struct options *options, const char *name)
{
    return find_value(options, name) != NULL;
}
