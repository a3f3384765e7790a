/* datetime_pattern -- compiles patterns such as dd/MM/yyyy HH:mm[:ss] (java.time's letters, Spark's exceptions).
 *
 * The result is an array of ops; an optional section is an op that knows where it ends. Parsing is in
 * datetime_parse.c, printing in datetime_print.c. Numbers that stand side by side (yyyyMMdd) share their
 * digits as java.time does: the first one leaves to the fixed-width ones behind it what they need. */
#include "base/datetime_internal.h"
#include "base/locale_text.h"
#include <stdio.h>

enum { NESTING_MAX = 32, PATTERN_SIZE_MAX = 1000 };

struct compiler {
    struct arena *arena;
    const char *pattern, *locale;
    enum datetime_use use;
    struct error *err;
    struct datetime_pattern *out;
    int open[NESTING_MAX];     /* Ops of the open optional sections. */
    int open_count;
    int adjacent;              /* Number op that reserves digits, or -1. */
    bool has_era;
};

static bool illegal(struct compiler *compiler, const char *why)
{
    return error_set(compiler->err, COND_DATETIME_PATTERN_SUGGESTION,
                     "the datetime pattern '%s' is not valid: %s; patterns are described at "
                     "https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html",
                     compiler->pattern, why);
}

static struct datetime_op *append_op(struct compiler *compiler, enum datetime_op_kind kind)
{
    struct datetime_op *op = &compiler->out->ops[compiler->out->op_count++];
    op->kind = kind;
    compiler->adjacent = -1;
    return op;
}

/* java.time's appendValue: fixed-width numbers let the active one before them reserve their digits. */
static void append_number(struct compiler *compiler, enum datetime_field field, int width_min, int width_max, enum sign_style sign)
{
    int active = compiler->adjacent;
    struct datetime_op *op = append_op(compiler, OP_NUMBER);
    op->field = field;
    op->width_min = width_min;
    op->width_max = width_max;
    op->sign = sign;
    compiler->adjacent = compiler->out->op_count - 1;
    if (active < 0)
        return;
    struct datetime_op *base = &compiler->out->ops[active];
    if (width_min == width_max && sign == SIGN_NOT_NEGATIVE) {
        base->width_reserved += width_max;
        compiler->adjacent = active;
    }
}

/* The names behind a text letter, as slices. */
static bool append_text(struct compiler *compiler, enum datetime_field field, enum locale_text text, int first)
{
    const char *names = locale_text(compiler->locale, text);
    if (!names) {
        char languages[128];
        locale_languages(languages, sizeof languages);
        return error_set(compiler->err, COND_INLET_NOT_SUPPORTED_YET,
                         "the locale '%s' is not supported in datetime patterns with names; languages are: %s", compiler->locale,
                         languages);
    }
    struct datetime_op *op = append_op(compiler, OP_TEXT);
    op->field = field;
    op->name_first = first;
    struct slice *slices = ARENA_ARRAY(compiler->arena, struct slice, 12);
    for (const char *p = names;; p++) {
        size_t size = strcspn(p, "|");
        slices[op->name_count++] = slice_of(p, size);
        p += size;
        if (!*p)
            break;
    }
    op->names = slices;
    return true;
}

static void append_literal(struct compiler *compiler, const char *text, size_t size)
{
    append_op(compiler, OP_LITERAL)->text = slice_of(arena_strndup(compiler->arena, text, size), size);
}

static bool compile_year(struct compiler *compiler, char letter, int count)
{
    enum datetime_field field = letter == 'y' && compiler->has_era ? FIELD_YEAR_OF_ERA : FIELD_YEAR;
    if (count == 2) {
        int active = compiler->adjacent;
        struct datetime_op *op = append_op(compiler, OP_REDUCED_YEAR);
        op->field = field;
        op->width_min = op->width_max = 2;
        if (active >= 0) {
            compiler->out->ops[active].width_reserved += 2;
            compiler->adjacent = active;
        } else {
            compiler->adjacent = compiler->out->op_count - 1;
        }
        return true;
    }
    append_number(compiler, field, count, 19, count < 4 ? SIGN_NORMAL : SIGN_EXCEEDS_PAD);
    return true;
}

/* Letters whose one-letter form is any width and whose two-letter form is two digits. */
static bool compile_two_digits(struct compiler *compiler, enum datetime_field field, int count)
{
    if (count > 2)
        return illegal(compiler, "a letter is repeated too often");
    if (count == 1)
        append_number(compiler, field, 1, 19, SIGN_NORMAL);
    else
        append_number(compiler, field, 2, 2, SIGN_NOT_NEGATIVE);
    return true;
}

static bool compile_named(struct compiler *compiler, enum datetime_field field, int count, enum locale_text text)
{
    if (count <= 2)
        return compile_two_digits(compiler, field, count);
    return append_text(compiler, field, count == 3 ? text : (enum locale_text)(text + 1), 1);
}

static bool compile_offset(struct compiler *compiler, char letter, int count)
{
    if (count > 5)
        return illegal(compiler, "an offset letter is repeated too often");
    bool localized = letter == 'O' || (letter == 'Z' && count == 4);
    if (letter == 'O' && count != 1 && count != 4)
        return illegal(compiler, "'O' takes one or four letters");
    if (localized) {
        const char *prefix = locale_text(compiler->locale, LOCALE_OFFSET_PREFIX);
        struct datetime_op *op = append_op(compiler, OP_LOCALIZED_OFFSET);
        op->text = slice_text(prefix ? prefix : "GMT");
        op->full = count == 4;
        return true;
    }
    struct datetime_op *op = append_op(compiler, OP_OFFSET);
    op->zulu = letter == 'X' || (letter == 'Z' && count == 5);
    op->width_min = letter == 'Z' && count < 4 ? 2 : count; /* As X counts: +0100. */
    return true;
}

static bool compile_zone(struct compiler *compiler, char letter, int count)
{
    if (letter == 'V') {
        if (count != 2)
            return illegal(compiler, "'V' takes exactly two letters");
        append_op(compiler, OP_ZONE_ID);
        return true;
    }
    if (count > 4)
        return illegal(compiler, "'z' is repeated too often");
    if (count == 4 || !locale_is_english(compiler->locale))
        return error_set(compiler->err, COND_INLET_NOT_SUPPORTED_YET,
                         "the datetime pattern '%s' asks for %s, which is not supported yet; use VV or XXX", compiler->pattern,
                         count == 4 ? "long zone names" : "zone names in this locale");
    append_op(compiler, OP_ZONE_TEXT);
    return true;
}

static bool compile_day_of_year(struct compiler *compiler, int count)
{
    if (count > 3)
        return illegal(compiler, "'D' is repeated too often");
    append_number(compiler, FIELD_DAY_OF_YEAR, count, count == 1 ? 19 : 3, count == 1 ? SIGN_NORMAL : SIGN_NOT_NEGATIVE);
    return true;
}

static bool compile_fraction(struct compiler *compiler, int count)
{
    if (count > 9)
        return illegal(compiler, "'S' stands for at most nine digits");
    struct datetime_op *op = append_op(compiler, OP_FRACTION);
    op->field = FIELD_NANO;
    op->width_min = compiler->use == DATETIME_PARSE ? 1 : count; /* Spark: any number of digits up to that. */
    op->width_max = count;
    return true;
}

static bool compile_letter(struct compiler *compiler, char letter, int count) /* A switch over the letters. */
{
    switch (letter) {
    case 'y':
        return compile_year(compiler, letter, count);
    case 'M':
        return compile_named(compiler, FIELD_MONTH, count, LOCALE_MONTH_SHORT);
    case 'L':
        return compile_named(compiler, FIELD_MONTH, count, LOCALE_MONTH_ALONE_SHORT);
    case 'Q':
    case 'q':
        return compile_named(compiler, FIELD_QUARTER, count, LOCALE_QUARTER_SHORT);
    case 'd':
        return compile_two_digits(compiler, FIELD_DAY, count);
    case 'D':
        return compile_day_of_year(compiler, count);
    case 'E':
        return append_text(compiler, FIELD_WEEKDAY, count < 4 ? LOCALE_DAY_SHORT : LOCALE_DAY_FULL, 1);
    case 'G':
        return append_text(compiler, FIELD_ERA, count < 4 ? LOCALE_ERA_SHORT : LOCALE_ERA_FULL, 0);
    case 'F':
        return count == 1 ? compile_two_digits(compiler, FIELD_WEEK_PLACE, 1) : illegal(compiler, "'F' takes one letter");
    case 'a':
        return count == 1 ? append_text(compiler, FIELD_HALF_DAY, LOCALE_HALF_DAY, 0) : illegal(compiler, "'a' takes one letter");
    case 'H':
        return compile_two_digits(compiler, FIELD_HOUR, count);
    case 'k':
        return compile_two_digits(compiler, FIELD_CLOCK_HOUR, count);
    case 'K':
        return compile_two_digits(compiler, FIELD_HALF_HOUR, count);
    case 'h':
        return compile_two_digits(compiler, FIELD_HALF_CLOCK_HOUR, count);
    case 'm':
        return compile_two_digits(compiler, FIELD_MINUTE, count);
    case 's':
        return compile_two_digits(compiler, FIELD_SECOND, count);
    case 'S':
        return compile_fraction(compiler, count);
    case 'V':
    case 'z':
        return compile_zone(compiler, letter, count);
    case 'O':
    case 'X':
    case 'x':
    case 'Z':
        return compile_offset(compiler, letter, count);
    default: {
        char why[32];
        snprintf(why, sizeof why, "unknown letter '%c'", letter);
        return illegal(compiler, why);
    }
    }
}

static bool open_section(struct compiler *compiler)
{
    if (compiler->open_count == NESTING_MAX)
        return illegal(compiler, "optional sections are nested too deeply");
    append_op(compiler, OP_OPTIONAL);
    compiler->open[compiler->open_count++] = compiler->out->op_count - 1;
    return true;
}

static bool close_section(struct compiler *compiler)
{
    if (compiler->open_count == 0)
        return illegal(compiler, "']' without '[' before it");
    compiler->out->ops[compiler->open[--compiler->open_count]].end = compiler->out->op_count;
    compiler->adjacent = -1;
    return true;
}

/* Text between quotes; '' is one quote. *at stands on the opening quote and is left behind the closing one. */
static bool compile_quoted(struct compiler *compiler, const char **at)
{
    struct buffer text = {0};
    const char *p = *at + 1;
    if (*p == '\'') { /* '' outside of a quoted text. */
        append_literal(compiler, "'", 1);
        *at = p + 1;
        return true;
    }
    for (; *p; p++) {
        if (*p == '\'') {
            if (p[1] != '\'')
                break;
            p++;
        }
        buffer_byte(&text, (uint8_t)*p);
    }
    bool closed = *p == '\'';
    if (closed && text.size > 0)
        append_literal(compiler, (const char *)text.data, text.size);
    buffer_free(&text);
    *at = p + 1;
    return closed || illegal(compiler, "the quoted text at its end is not closed");
}

static bool is_letter(char c) { return (unsigned char)((c | 0x20) - 'a') < 26; }

static bool compile_all(struct compiler *compiler)
{
    for (const char *p = compiler->pattern; *p;) {
        bool good = true;
        if (is_letter(*p)) {
            const char *start = p;
            while (*p == *start)
                p++;
            good = compile_letter(compiler, *start, (int)(p - start));
        } else if (*p == '\'') {
            good = compile_quoted(compiler, &p);
        } else if (*p == '[') {
            good = open_section(compiler);
            p++;
        } else if (*p == ']') {
            good = close_section(compiler);
            p++;
        } else if (*p == '{' || *p == '}' || *p == '#') {
            return illegal(compiler, "'{', '}' and '#' are reserved; quote them");
        } else {
            size_t size = 1;
            while ((p[size] & 0xC0) == 0x80)
                size++;
            append_literal(compiler, p, size);
            p += size;
        }
        if (!good)
            return false;
    }
    while (compiler->open_count > 0)
        close_section(compiler);
    return true;
}

/* Calls `visit` for each letter outside of quotes with its run length; false as soon as it says so. */
static bool each_letter(struct compiler *compiler, bool (*visit)(struct compiler *compiler, char letter, size_t run))
{
    bool quoted = false;
    for (const char *p = compiler->pattern; *p;) {
        size_t run = strspn(p, (char[]){*p, 0});
        if (*p == '\'')
            quoted ^= run & 1;
        else if (!quoted && is_letter(*p) && !visit(compiler, *p, run))
            return false;
        p += run;
    }
    return true;
}

/* Spark's own exceptions, before java.time sees the pattern. */
static bool check_letter(struct compiler *compiler, char letter, size_t run)
{
    compiler->has_era |= letter == 'G';
    if (strchr("YWwuec", letter))
        return error_set(compiler->err, COND_DATETIME_WEEK_BASED_PATTERN,
                         "all week-based patterns are unsupported since Spark 3.0, detected week-based character: %c; use the SQL "
                         "function EXTRACT instead",
                         letter);
    if (strchr("ABnNp", letter) || (compiler->use == DATETIME_PARSE && strchr("EFqQ", letter)))
        return error_set(compiler->err, COND_DATETIME_PATTERN_ILLEGAL,
                         "illegal pattern character '%c' in the datetime pattern '%s'; it cannot be used %s", letter,
                         compiler->pattern, strchr("EFqQ", letter) ? "for parsing" : "at all");
    if ((run >= 5 && strchr("GMLEQq", letter)) || (run >= 7 && letter == 'y'))
        return error_set(compiler->err, COND_DATETIME_PATTERN_LENGTH, "too many letters in the datetime pattern '%s': %c",
                         compiler->pattern, letter);
    return true;
}

static bool simple_date_format_takes(struct compiler *compiler, char letter, size_t run)
{
    (void)compiler;
    return strchr("GyYMLwWDdFEuaHkKhmsSzZX", letter) && (letter != 'X' || run <= 3);
}

/* Would the old parser of Spark 2 (SimpleDateFormat) have taken it? Then it is an upgrade problem. */
static bool wrap_if_legacy(struct compiler *compiler)
{
    size_t quotes = 0;
    for (const char *p = compiler->pattern; *p; p++)
        quotes += *p == '\'';
    if (compiler->err && compiler->err->condition != COND_INLET_NOT_SUPPORTED_YET && quotes % 2 == 0 &&
        each_letter(compiler, simple_date_format_takes))
        error_wrap(compiler->err, COND_DATETIME_PATTERN_RECOGNITION,
                   "the datetime pattern '%s' is not recognised since Spark 3.0; form a valid one with the guide at "
                   "https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html",
                   compiler->pattern);
    return false;
}

struct datetime_pattern *datetime_pattern_compile(struct arena *arena, const char *pattern, const char *locale,
                                                  enum datetime_use use, struct error *err)
{
    struct compiler compiler = {.arena = arena, .locale = locale ? locale : "en-US", .use = use, .err = err, .adjacent = -1};
    size_t size = strlen(pattern);
    compiler.pattern = pattern;
    if (size > PATTERN_SIZE_MAX) {
        error_set(err, COND_DATETIME_PATTERN_LENGTH, "the datetime pattern is longer than %d characters", PATTERN_SIZE_MAX);
        return NULL;
    }
    compiler.pattern = arena_strdup(arena, pattern);
    compiler.out = ARENA_NEW(arena, struct datetime_pattern);
    compiler.out->ops = ARENA_ARRAY(arena, struct datetime_op, size + 1);
    if (each_letter(&compiler, check_letter) && compile_all(&compiler))
        return compiler.out;
    wrap_if_legacy(&compiler);
    return NULL;
}
