/* datetime_parse -- reads text by a compiled pattern: java.time's parsing with STRICT resolving, Spark's defaults.
 *
 * Fields are collected first and resolved at the end, as in java.time.format.Parsed: a field given twice must
 * agree, every value must be in its range, the date must exist, h and a make the hour. What is missing is
 * taken from 1970-01-01 00:00:00. */
#include "base/datetime_internal.h"
#include "base/number.h"
#include "base/utf8.h"
#include <strings.h>

enum { MICROS = 1000000 };

struct parsed {
    uint32_t present;               /* Bit per field. */
    int64_t values[FIELD_COUNT];
    const struct time_zone *zone;   /* Of V or z; NULL: none. */
};

struct cursor {
    const char *at, *end;
};

static bool has(const struct parsed *parsed, enum datetime_field field) { return parsed->present >> field & 1; }

static bool set_field(struct parsed *parsed, enum datetime_field field, int64_t value)
{
    if (has(parsed, field))
        return parsed->values[field] == value;
    parsed->present |= 1u << field;
    parsed->values[field] = value;
    return true;
}

/* Lower case of Latin, Greek and Cyrillic letters; others as they are. */
static uint32_t fold(uint32_t code)
{
    if (code < 0x80)
        return code >= 'A' && code <= 'Z' ? code + 32 : code;
    if ((code >= 0xC0 && code <= 0xDE && code != 0xD7) || (code >= 0x391 && code <= 0x3A9) || (code >= 0x410 && code <= 0x42F))
        return code + 32;
    if (code >= 0x400 && code <= 0x40F)
        return code + 80;
    if (code == 0x386)
        return 0x3AC;
    if (code >= 0x388 && code <= 0x38A)
        return code + 37;
    if (code == 0x3C2) /* Final sigma. */
        return 0x3C3;
    bool odd_upper = (code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17E);
    if (code >= 0x100 && code <= 0x17F && code != 0x130 && code != 0x131)
        return odd_upper ? code + (code & 1) : code | 1;
    return code;
}

size_t datetime_match_text(struct slice word, const char *text, size_t size)
{
    const uint8_t *w = word.data, *word_end = w + word.size;
    const uint8_t *t = (const uint8_t *)text, *text_end = t + size;
    while (w < word_end) {
        if (t == text_end)
            return 0;
        if (fold(utf8_next(&w, word_end)) != fold(utf8_next(&t, text_end)))
            return 0;
    }
    return (size_t)(t - (const uint8_t *)text);
}

static bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* java.time's NumberPrinterParser in strict mode. */
static bool parse_number(const struct datetime_op *op, struct cursor *cursor, int64_t *value)
{
    const char *start = cursor->at;
    bool negative = start < cursor->end && *start == '-', positive = start < cursor->end && *start == '+';
    if (negative ? op->sign == SIGN_NOT_NEGATIVE : positive && op->sign != SIGN_EXCEEDS_PAD)
        return false;
    start += negative || positive;
    int available = 0;
    int limit = op->width_max + op->width_reserved;
    while (available < limit && start + available < cursor->end && is_digit(start[available]))
        available++;
    if (available < op->width_min)
        return false;
    int width = available;
    if (op->width_reserved > 0) {
        int most = available - op->width_reserved;
        width = most > op->width_min ? most : op->width_min;
    }
    if (width > 18) /* Java goes on in BigInteger; no field's range reaches that far. */
        return false;
    *value = 0;
    for (int i = 0; i < width; i++)
        *value = *value * 10 + (start[i] - '0');
    if (negative && *value == 0)
        return false;
    if (op->sign == SIGN_EXCEEDS_PAD && !negative && positive != (width > op->width_min))
        return false;
    if (negative)
        *value = -*value;
    cursor->at = start + width;
    return true;
}

/* min..max digits of a fraction. */
static bool parse_fraction(const struct datetime_op *op, struct cursor *cursor, int width_min, int64_t *nanos)
{
    int digits = 0;
    *nanos = 0;
    while (digits < op->width_max && cursor->at < cursor->end && is_digit(*cursor->at)) {
        *nanos = *nanos * 10 + (*cursor->at++ - '0');
        digits++;
    }
    if (digits < width_min)
        return false;
    for (; digits < 9; digits++)
        *nanos *= 10;
    return true;
}

/* The longest name that fits. */
static bool parse_name(const struct datetime_op *op, struct cursor *cursor, int64_t *value)
{
    size_t best = 0;
    for (int i = 0; i < op->name_count; i++) {
        size_t matched = datetime_match_text(op->names[i], cursor->at, (size_t)(cursor->end - cursor->at));
        if (matched > best) {
            best = matched;
            *value = op->name_first + i;
        }
    }
    cursor->at += best;
    return best > 0;
}

/* Exactly two digits up to 59, behind a colon where asked for; leaves the cursor alone otherwise. */
static bool parse_pair(struct cursor *cursor, bool colon, int *value)
{
    const char *p = cursor->at;
    if (colon && (p == cursor->end || *p++ != ':'))
        return false;
    if (cursor->end - p < 2 || !is_digit(p[0]) || !is_digit(p[1]) || p[0] > '5')
        return false;
    *value = (p[0] - '0') * 10 + (p[1] - '0');
    cursor->at = p + 2;
    return true;
}

/* The forms X .. XXXXX: hours; minutes optional, required, with colon; seconds optional. */
static bool parse_offset(int form, bool zulu, struct cursor *cursor, int64_t *offset)
{
    static const char *const zeros[] = {"", "+00", "+0000", "+00:00", "+0000", "+00:00"};
    struct slice zero = slice_text(zulu ? "Z" : zeros[form]);
    size_t matched = datetime_match_text(zero, cursor->at, (size_t)(cursor->end - cursor->at));
    if (matched && (zulu || form > 1)) {
        cursor->at += matched;
        *offset = 0;
        return true;
    }
    if (cursor->at == cursor->end || (*cursor->at != '+' && *cursor->at != '-'))
        return false;
    int sign = *cursor->at == '-' ? -1 : 1, minute = 0, second = 0;
    bool colon = form == 3 || form == 5;
    const char *p = cursor->at + 1;
    if (cursor->end - p < 2 || !is_digit(p[0]) || !is_digit(p[1]))
        return false;
    int hour = (p[0] - '0') * 10 + (p[1] - '0');
    cursor->at = p + 2;
    bool minutes = parse_pair(cursor, colon, &minute);
    if (!minutes && form != 1)
        return false;
    if (minutes && form >= 4)
        parse_pair(cursor, colon, &second);
    int total = hour * 3600 + minute * 60 + second;
    *offset = sign * total;
    return total <= 18 * 3600;
}

/* GMT+1, GMT+1:30 or GMT+01:00; the prefix alone is zero. */
static bool parse_localized_offset(const struct datetime_op *op, struct cursor *cursor, int64_t *offset)
{
    size_t matched = datetime_match_text(op->text, cursor->at, (size_t)(cursor->end - cursor->at));
    if (!matched)
        return false;
    cursor->at += matched;
    *offset = 0;
    if (cursor->at == cursor->end || (*cursor->at != '+' && *cursor->at != '-'))
        return true;
    int sign = *cursor->at++ == '-' ? -1 : 1, hour = 0, minute = 0, second = 0, digits = 0;
    for (; digits < 2 && cursor->at < cursor->end && is_digit(*cursor->at); digits++)
        hour = hour * 10 + (*cursor->at++ - '0');
    if (digits == 0 || (op->full && digits != 2))
        return false;
    bool minutes = parse_pair(cursor, true, &minute);
    if (op->full && !minutes)
        return false;
    if (minutes)
        parse_pair(cursor, true, &second);
    int total = hour * 3600 + minute * 60 + second;
    *offset = sign * total;
    return total <= 18 * 3600;
}

/* English short names that mean one zone only (IST, BST and the like mean several and are refused). */
static const struct zone_word {
    const char *word, *zone;
} zone_words[] = {
    {"ACDT", "Australia/Adelaide"}, {"ADT", "America/Halifax"},  {"AEDT", "Australia/Sydney"}, {"AEST", "Australia/Sydney"},
    {"AKDT", "America/Juneau"},     {"AKST", "America/Juneau"},  {"AST", "America/Halifax"},   {"AWST", "Australia/Perth"},
    {"CDT", "America/Chicago"},     {"CEST", "Europe/Paris"},    {"CET", "Europe/Paris"},      {"CST", "America/Chicago"},
    {"EAT", "Africa/Nairobi"},      {"EDT", "America/New_York"}, {"EEST", "Europe/Bucharest"}, {"EET", "Europe/Bucharest"},
    {"EST", "America/New_York"},    {"HKT", "Asia/Hong_Kong"},   {"HST", "Pacific/Honolulu"},  {"JST", "Asia/Tokyo"},
    {"KST", "Asia/Seoul"},          {"MDT", "America/Denver"},   {"MSK", "Europe/Moscow"},     {"MST", "America/Denver"},
    {"NDT", "America/St_Johns"},    {"NST", "America/St_Johns"}, {"NZDT", "Pacific/Auckland"}, {"NZST", "Pacific/Auckland"},
    {"PDT", "America/Los_Angeles"}, {"PKT", "Asia/Karachi"},     {"PST", "America/Los_Angeles"}, {"SAST", "Africa/Johannesburg"},
    {"SGT", "Asia/Singapore"},      {"WEST", "Atlantic/Canary"}, {"WET", "Atlantic/Canary"},
};

static const struct time_zone *zone_of_word(const char *text, size_t size)
{
    for (size_t i = 0; i < COUNTOF(zone_words); i++) {
        if (strlen(zone_words[i].word) == size && datetime_match_text(slice_text(zone_words[i].word), text, size))
            return time_zone_find(zone_words[i].zone, strlen(zone_words[i].zone), NULL);
    }
    return NULL;
}

static bool is_zone_byte(char c) { return is_digit(c) || (unsigned char)((c | 0x20) - 'a') < 26 || (c && strchr("/_+-~.", c)); }

/* A region's id in any case: EUROPE/PARIS and europe/paris are Europe/Paris. */
static const struct time_zone *zone_of_region(const char *text, size_t size)
{
    const struct time_zone *zone = time_zone_find(text, size, NULL);
    char title[100];
    if (zone || size >= sizeof title || !memchr(text, '/', size))
        return zone;
    bool start = true;
    for (size_t i = 0; i < size; i++) {
        bool letter = (unsigned char)((text[i] | 0x20) - 'a') < 26;
        title[i] = letter ? (char)(start ? text[i] & ~0x20 : text[i] | 0x20) : text[i];
        start = !letter;
    }
    return time_zone_find(title, size, NULL);
}

/* Three letters are a region only here (java.time); PST, EST and their like are other readers' short ids. */
static bool is_short_id(const char *text, size_t size)
{
    static const char *const regions[] = {"CET", "EET", "MET", "PRC", "ROK", "UCT", "WET"};
    for (size_t i = 0; i < COUNTOF(regions); i++) {
        if (size == 3 && strncasecmp(text, regions[i], 3) == 0)
            return false;
    }
    return size == 3;
}

/* An offset behind nothing, UTC, GMT or UT; else the longest id that is known. */
static bool parse_zone(bool words, struct cursor *cursor, struct parsed *parsed)
{
    static const char *const prefixes[] = {"UTC", "GMT", "UT", ""};
    size_t size = (size_t)(cursor->end - cursor->at), prefix = 0;
    for (size_t i = 0; i < COUNTOF(prefixes) && !prefix; i++)
        prefix = datetime_match_text(slice_text(prefixes[i]), cursor->at, size);
    size_t length = 0;
    while (length < size && length < 100 && is_zone_byte(cursor->at[length]))
        length++;
    char next = prefix < size ? cursor->at[prefix] : 0;
    if (prefix || next == '+' || next == '-') {
        struct cursor tail = {cursor->at + prefix, cursor->end};
        int64_t offset = 0;
        bool offset_read = (next == '+' || next == '-') && parse_offset(5, true, &tail, &offset);
        if (!offset_read && !prefix)
            return false;
        char id[32];
        size_t id_size = (size_t)(tail.at - cursor->at);
        if (!offset_read)
            id_size = prefix + (next == '0' && (*cursor->at | 0x20) == 'g'); /* GMT0 is a region. */
        memcpy(id, cursor->at, id_size);
        for (size_t i = 0; i < prefix; i++)
            id[i] = (char)(id[i] & ~0x20);
        parsed->zone = time_zone_find(id, id_size, NULL);
        cursor->at += id_size;
        return parsed->zone != NULL;
    }
    for (; length > 0; length--) {
        parsed->zone = words ? zone_of_word(cursor->at, length) : NULL;
        if (!parsed->zone && length > (words ? 3 : 1) && !is_short_id(cursor->at, length))
            parsed->zone = zone_of_region(cursor->at, length);
        if (parsed->zone) {
            cursor->at += length;
            return true;
        }
    }
    if (cursor->at < cursor->end && (*cursor->at | 0x20) == 'z') {
        parsed->zone = time_zone_utc();
        cursor->at++;
        return true;
    }
    return false;
}

static bool parse_op(const struct datetime_op *op, bool date_only, struct cursor *cursor, struct parsed *parsed)
{
    int64_t value;
    size_t matched;
    switch (op->kind) {
    case OP_LITERAL:
        matched = datetime_match_text(op->text, cursor->at, (size_t)(cursor->end - cursor->at));
        cursor->at += matched;
        return matched > 0;
    case OP_NUMBER:
        return parse_number(op, cursor, &value) && set_field(parsed, op->field, value);
    case OP_REDUCED_YEAR:
        return parse_number(op, cursor, &value) && set_field(parsed, op->field, 2000 + value);
    case OP_FRACTION:
        return parse_fraction(op, cursor, date_only ? op->width_max : op->width_min, &value) && set_field(parsed, op->field, value);
    case OP_TEXT:
        return parse_name(op, cursor, &value) && set_field(parsed, op->field, value);
    case OP_OFFSET:
        return parse_offset(op->width_min, op->zulu, cursor, &value) && set_field(parsed, FIELD_OFFSET, value);
    case OP_LOCALIZED_OFFSET:
        return parse_localized_offset(op, cursor, &value) && set_field(parsed, FIELD_OFFSET, value);
    case OP_ZONE_ID:
        return parse_zone(false, cursor, parsed);
    case OP_ZONE_TEXT:
        return parse_zone(true, cursor, parsed);
    case OP_OPTIONAL:
        break;
    }
    return false;
}

static bool parse_ops(const struct datetime_pattern *pattern, int from, int to, bool date_only, struct cursor *cursor,
                      struct parsed *parsed)
{
    for (int i = from; i < to; i++) {
        const struct datetime_op *op = &pattern->ops[i];
        if (op->kind != OP_OPTIONAL) {
            if (!parse_op(op, date_only, cursor, parsed))
                return false;
            continue;
        }
        struct parsed saved = *parsed;
        struct cursor start = *cursor;
        if (!parse_ops(pattern, i + 1, op->end, date_only, cursor, parsed)) {
            *parsed = saved;
            *cursor = start;
        }
        i = op->end - 1;
    }
    return true;
}

static bool in_range(const struct parsed *parsed, enum datetime_field field, int64_t minimum, int64_t maximum)
{
    return !has(parsed, field) || (parsed->values[field] >= minimum && parsed->values[field] <= maximum);
}

/* Hours of all spellings become FIELD_HOUR or, without a half of the day, FIELD_HALF_HOUR. */
static bool resolve_hour(struct parsed *parsed)
{
    int64_t *values = parsed->values;
    if (!in_range(parsed, FIELD_CLOCK_HOUR, 1, 24) || !in_range(parsed, FIELD_HALF_CLOCK_HOUR, 1, 12))
        return false;
    if (has(parsed, FIELD_CLOCK_HOUR) && !set_field(parsed, FIELD_HOUR, values[FIELD_CLOCK_HOUR] % 24))
        return false;
    if (has(parsed, FIELD_HALF_CLOCK_HOUR) && !set_field(parsed, FIELD_HALF_HOUR, values[FIELD_HALF_CLOCK_HOUR] % 12))
        return false;
    if (!in_range(parsed, FIELD_HALF_HOUR, 0, 11) || !in_range(parsed, FIELD_HOUR, 0, 23))
        return false;
    if (!has(parsed, FIELD_HOUR)) {
        if (has(parsed, FIELD_HALF_DAY) && has(parsed, FIELD_HALF_HOUR))
            set_field(parsed, FIELD_HOUR, values[FIELD_HALF_DAY] * 12 + values[FIELD_HALF_HOUR]);
        return true;
    }
    return in_range(parsed, FIELD_HALF_DAY, values[FIELD_HOUR] / 12, values[FIELD_HOUR] / 12) &&
           in_range(parsed, FIELD_HALF_HOUR, values[FIELD_HOUR] % 12, values[FIELD_HOUR] % 12);
}

static bool resolve_time(struct parsed *parsed, int64_t *micros)
{
    if (!resolve_hour(parsed) || !in_range(parsed, FIELD_MINUTE, 0, 59) || !in_range(parsed, FIELD_SECOND, 0, 59))
        return false;
    const int64_t *values = parsed->values;
    int64_t hour = has(parsed, FIELD_HOUR)        ? values[FIELD_HOUR]
                   : has(parsed, FIELD_HALF_HOUR) ? values[FIELD_HALF_HOUR]
                   : has(parsed, FIELD_HALF_DAY)  ? values[FIELD_HALF_DAY] * 12
                                                  : 0;
    int64_t minute = has(parsed, FIELD_MINUTE) ? values[FIELD_MINUTE] : 0;
    int64_t second = has(parsed, FIELD_SECOND) ? values[FIELD_SECOND] : 0;
    int64_t nano = has(parsed, FIELD_NANO) ? values[FIELD_NANO] : 0;
    *micros = ((hour * 60 + minute) * 60 + second) * MICROS + nano / 1000;
    return true;
}

static bool resolve_year(struct parsed *parsed)
{
    int64_t *values = parsed->values;
    if (has(parsed, FIELD_YEAR_OF_ERA) && has(parsed, FIELD_ERA)) {
        int64_t year = values[FIELD_YEAR_OF_ERA];
        if (year < 1 || !set_field(parsed, FIELD_YEAR, values[FIELD_ERA] ? year : 1 - year))
            return false;
    }
    return in_range(parsed, FIELD_YEAR, -999999999, 999999999);
}

static bool resolve_date(struct parsed *parsed, int64_t *days)
{
    if (!resolve_year(parsed))
        return false;
    const int64_t *values = parsed->values;
    int64_t year = has(parsed, FIELD_YEAR) ? values[FIELD_YEAR] : 1970;
    if (!in_range(parsed, FIELD_DAY_OF_YEAR, 1, 366))
        return false;
    if (has(parsed, FIELD_YEAR) && has(parsed, FIELD_DAY_OF_YEAR)) {
        int64_t day_of_year = values[FIELD_DAY_OF_YEAR], given_year;
        if (day_of_year > 365 + civil_is_leap(year))
            return false;
        *days = civil_days(year, 1, 1) + day_of_year - 1;
        int month, day;
        civil_from_days(*days, &given_year, &month, &day);
        return in_range(parsed, FIELD_MONTH, month, month) && in_range(parsed, FIELD_DAY, day, day);
    }
    int64_t month = has(parsed, FIELD_MONTH) ? values[FIELD_MONTH] : 1;
    int64_t day = has(parsed, FIELD_DAY) ? values[FIELD_DAY] : 1;
    if (month < 1 || month > 12 || day < 1 || day > 31 || !civil_valid(year, (int)month, (int)day))
        return false;
    *days = civil_days(year, (int)month, (int)day);
    return true;
}

static bool parse_all(const struct datetime_pattern *pattern, const char *text, size_t size, bool date_only, struct parsed *parsed)
{
    struct cursor cursor = {text, text + size};
    parsed->present = 0;
    parsed->zone = NULL;
    return parse_ops(pattern, 0, pattern->op_count, date_only, &cursor, parsed) && cursor.at == cursor.end;
}

bool datetime_parse_date(const struct datetime_pattern *pattern, const char *text, size_t size, int32_t *days)
{
    struct parsed parsed;
    int64_t micros, value;
    if (!parse_all(pattern, text, size, true, &parsed) || !resolve_time(&parsed, &micros) || !resolve_date(&parsed, &value) ||
        value != (int32_t)value)
        return false;
    *days = (int32_t)value;
    return true;
}

static bool resolve_local(struct parsed *parsed, int64_t *local_us)
{
    int64_t micros, days, days_us;
    return resolve_time(parsed, &micros) && resolve_date(parsed, &days) &&
           !__builtin_mul_overflow(days, (int64_t)86400 * MICROS, &days_us) && !__builtin_add_overflow(days_us, micros, local_us);
}

bool datetime_parse_timestamp(const struct datetime_pattern *pattern, const char *text, size_t size, const struct time_zone *zone,
                              int64_t *utc_us)
{
    struct parsed parsed;
    int64_t local;
    if (!parse_all(pattern, text, size, false, &parsed) || !resolve_local(&parsed, &local))
        return false;
    if (!parsed.zone && has(&parsed, FIELD_OFFSET))
        return !__builtin_sub_overflow(local, parsed.values[FIELD_OFFSET] * MICROS, utc_us);
    *utc_us = time_zone_to_utc(parsed.zone ? parsed.zone : zone, local);
    return true;
}

bool datetime_parse_timestamp_ntz(const struct datetime_pattern *pattern, const char *text, size_t size, int64_t *local_us)
{
    struct parsed parsed;
    return parse_all(pattern, text, size, false, &parsed) && !parsed.zone && !has(&parsed, FIELD_OFFSET) &&
           resolve_local(&parsed, local_us);
}
