/* zone_rule -- parses and applies rules such as CET-1CEST,M3.5.0,M10.5.0/3. */
#include "base/zone_rule.h"
#include "base/civil_internal.h"

struct cursor {
    const char *at, *end;
};

static bool accept(struct cursor *cursor, char c)
{
    if (cursor->at == cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

static bool take_number(struct cursor *cursor, int maximum, int *value)
{
    const char *start = cursor->at;
    *value = 0;
    while (cursor->at < cursor->end && (unsigned char)(*cursor->at - '0') < 10) {
        *value = *value * 10 + (*cursor->at++ - '0');
        if (*value > maximum)
            return false;
    }
    return cursor->at > start;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(struct cursor *cursor, int32_t *seconds)
{
    bool negative = accept(cursor, '-');
    if (!negative)
        accept(cursor, '+');
    int hour, minute = 0, second = 0;
    if (!take_number(cursor, 167, &hour))
        return false;
    if (accept(cursor, ':') && !take_number(cursor, 59, &minute))
        return false;
    if (accept(cursor, ':') && !take_number(cursor, 59, &second))
        return false;
    *seconds = hour * 3600 + minute * 60 + second;
    if (negative)
        *seconds = -*seconds;
    return true;
}

/* Letters, or anything between < and >. */
static bool take_name(struct cursor *cursor, char *out, size_t size)
{
    size_t length = 0;
    bool quoted = accept(cursor, '<');
    while (cursor->at < cursor->end) {
        char c = *cursor->at;
        if (quoted ? c == '>' : (unsigned char)((c | 0x20) - 'a') >= 26)
            break;
        if (length + 1 < size)
            out[length++] = c;
        cursor->at++;
    }
    out[length] = 0;
    return length > 0 && (!quoted || accept(cursor, '>'));
}

static bool take_change(struct cursor *cursor, struct zone_change *out)
{
    out->time = 2 * 3600;
    if (!accept(cursor, ','))
        return false;
    if (accept(cursor, 'M')) {
        out->kind = ZONE_DAY_MONTH;
        if (!take_number(cursor, 12, &out->month) || !accept(cursor, '.') || !take_number(cursor, 5, &out->week) ||
            !accept(cursor, '.') || !take_number(cursor, 6, &out->day) || out->month < 1 || out->week < 1)
            return false;
    } else {
        out->kind = accept(cursor, 'J') ? ZONE_DAY_JULIAN : ZONE_DAY_ZERO;
        if (!take_number(cursor, 365, &out->day))
            return false;
    }
    return !accept(cursor, '/') || take_time(cursor, &out->time);
}

bool zone_rule_parse(const char *text, size_t size, struct zone_rule *out)
{
    struct cursor cursor = {text, text + size};
    int32_t west;
    *out = (struct zone_rule){0};
    if (!take_name(&cursor, out->standard.abbreviation, sizeof out->standard.abbreviation) || !take_time(&cursor, &west))
        return false;
    out->standard.offset = -west;
    if (cursor.at == cursor.end)
        return true;
    out->has_daylight = true;
    out->daylight.daylight = true;
    if (!take_name(&cursor, out->daylight.abbreviation, sizeof out->daylight.abbreviation))
        return false;
    out->daylight.offset = out->standard.offset + 3600;
    if (cursor.at < cursor.end && *cursor.at != ',') {
        if (!take_time(&cursor, &west))
            return false;
        out->daylight.offset = -west;
    }
    return take_change(&cursor, &out->start) && take_change(&cursor, &out->finish) && cursor.at == cursor.end;
}

static int64_t change_day(const struct zone_change *change, int64_t year)
{
    int64_t first = civil_days(year, 1, 1);
    if (change->kind == ZONE_DAY_ZERO)
        return first + change->day;
    if (change->kind == ZONE_DAY_JULIAN)
        return first + change->day - 1 + (civil_is_leap(year) && change->day >= 60);
    first = civil_days(year, change->month, 1);
    int weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday. */
    int day = (change->day - weekday + 7) % 7 + (change->week - 1) * 7;
    while (!civil_valid(year, change->month, day + 1))
        day -= 7;
    return first + day;
}

int64_t zone_rule_instant(const struct zone_change *change, int64_t year, int32_t offset)
{
    return change_day(change, year) * 86400 + change->time - offset;
}
