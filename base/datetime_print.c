/* datetime_print -- writes a date, an instant in a zone or a wall clock by a compiled pattern.
 *
 * An optional section is left out when the value lacks one of its fields (a date has no hour, a wall clock no
 * zone); outside of such a section that makes the whole text impossible. */
#include "base/datetime_internal.h"
#include "base/number.h"
#include <stdlib.h>

enum { MICROS = 1000000 };

/* What is printed, taken apart. */
struct moment {
    int64_t days, year;
    int month, day;
    bool has_time;
    int hour, minute, second, micros;
    const struct time_zone *zone; /* NULL: none. */
    int64_t utc_us;
    int32_t offset;
};

static int64_t day_of_year(const struct moment *moment) { return moment->days - civil_days(moment->year, 1, 1) + 1; }

/* False: the moment has no such field. */
static bool field_value(const struct moment *moment, enum datetime_field field, int64_t *value)
{
    *value = 0;
    switch (field) {
    case FIELD_YEAR:
        *value = moment->year;
        return true;
    case FIELD_YEAR_OF_ERA:
        *value = moment->year > 0 ? moment->year : 1 - moment->year;
        return true;
    case FIELD_ERA:
        *value = moment->year > 0;
        return true;
    case FIELD_MONTH:
        *value = moment->month;
        return true;
    case FIELD_DAY:
        *value = moment->day;
        return true;
    case FIELD_DAY_OF_YEAR:
        *value = day_of_year(moment);
        return true;
    case FIELD_WEEKDAY:
        *value = ((moment->days + 3) % 7 + 7) % 7 + 1; /* 1970-01-01 was a Thursday; Monday is 1. */
        return true;
    case FIELD_QUARTER:
        *value = (moment->month + 2) / 3;
        return true;
    case FIELD_WEEK_PLACE:
        *value = (moment->day - 1) % 7 + 1;
        return true;
    case FIELD_HOUR:
        *value = moment->hour;
        break;
    case FIELD_CLOCK_HOUR:
        *value = moment->hour ? moment->hour : 24;
        break;
    case FIELD_HALF_HOUR:
        *value = moment->hour % 12;
        break;
    case FIELD_HALF_CLOCK_HOUR:
        *value = moment->hour % 12 ? moment->hour % 12 : 12;
        break;
    case FIELD_HALF_DAY:
        *value = moment->hour / 12;
        break;
    case FIELD_MINUTE:
        *value = moment->minute;
        break;
    case FIELD_SECOND:
        *value = moment->second;
        break;
    default:
        return false;
    }
    return moment->has_time;
}

static void put_padded(struct buffer *out, int64_t value, int width)
{
    char digits[INT64_TEXT_MAX];
    size_t size = print_int64(value, digits);
    for (size_t i = size; i < (size_t)width; i++)
        buffer_byte(out, '0');
    buffer_append(out, digits, size);
}

static bool put_number(const struct datetime_op *op, int64_t value, struct buffer *out)
{
    char digits[INT64_TEXT_MAX];
    int length = (int)print_int64(value < 0 ? -value : value, digits);
    if (length > op->width_max || (value < 0 && op->sign == SIGN_NOT_NEGATIVE))
        return false;
    if (value < 0)
        buffer_byte(out, '-');
    else if (op->sign == SIGN_EXCEEDS_PAD && length > op->width_min)
        buffer_byte(out, '+');
    put_padded(out, value < 0 ? -value : value, op->width_min);
    return true;
}

static void put_fraction(int micros, int width, struct buffer *out)
{
    int divisor = 100000;
    for (int i = 0; i < width; i++, divisor /= 10)
        buffer_byte(out, (uint8_t)('0' + (divisor ? micros / divisor % 10 : 0)));
}

/* Forms 1..5 as the letters X..XXXXX. */
static void put_offset(int form, bool zulu, int32_t offset, struct buffer *out)
{
    int magnitude = abs(offset), minute = magnitude / 60 % 60, second = magnitude % 60;
    bool colon = form == 3 || form == 5;
    /* An offset whose seconds alone are not zero is written as zero where the form has no seconds. */
    bool zero = magnitude / 3600 == 0 && minute == 0 && (form < 4 || second == 0);
    if (zero && zulu) {
        buffer_byte(out, 'Z');
        return;
    }
    buffer_byte(out, offset < 0 && !zero ? '-' : '+');
    put_padded(out, magnitude / 3600, 2);
    if (form == 1 && minute == 0)
        return;
    if (colon)
        buffer_byte(out, ':');
    put_padded(out, minute, 2);
    if (form >= 4 && second) {
        if (colon)
            buffer_byte(out, ':');
        put_padded(out, second, 2);
    }
}

static void put_localized_offset(const struct datetime_op *op, int32_t offset, struct buffer *out)
{
    buffer_append(out, op->text.data, op->text.size);
    if (offset == 0)
        return;
    int magnitude = abs(offset), minute = magnitude / 60 % 60, second = magnitude % 60;
    buffer_byte(out, offset < 0 ? '-' : '+');
    put_padded(out, magnitude / 3600, op->full ? 2 : 1);
    if (op->full || minute || second) {
        buffer_byte(out, ':');
        put_padded(out, minute, 2);
    }
    if (second) {
        buffer_byte(out, ':');
        put_padded(out, second, 2);
    }
}

/* Java's word for UTC's relatives and for plain offsets is their id. */
static void put_zone_text(const struct moment *moment, struct buffer *out)
{
    const char *name = time_zone_name(moment->zone), *word = time_zone_abbreviation(moment->zone, moment->utc_us);
    bool named = *word && *word != '+' && *word != '-';
    buffer_text(out, named ? word : name);
}

static bool put_op(const struct datetime_op *op, const struct moment *moment, struct buffer *out)
{
    int64_t value;
    switch (op->kind) {
    case OP_LITERAL:
        buffer_append(out, op->text.data, op->text.size);
        return true;
    case OP_NUMBER:
        return field_value(moment, op->field, &value) && put_number(op, value, out);
    case OP_REDUCED_YEAR:
        if (!field_value(moment, op->field, &value))
            return false;
        put_padded(out, (value < 0 ? -value : value) % 100, 2);
        return true;
    case OP_FRACTION:
        if (moment->has_time)
            put_fraction(moment->micros, op->width_max, out);
        return moment->has_time;
    case OP_TEXT:
        if (!field_value(moment, op->field, &value))
            return false;
        value -= op->name_first;
        buffer_append(out, op->names[value].data, op->names[value].size);
        return true;
    default:
        break;
    }
    if (!moment->zone)
        return false;
    if (op->kind == OP_OFFSET)
        put_offset(op->width_min, op->zulu, moment->offset, out);
    else if (op->kind == OP_LOCALIZED_OFFSET)
        put_localized_offset(op, moment->offset, out);
    else if (op->kind == OP_ZONE_ID)
        buffer_text(out, time_zone_name(moment->zone));
    else
        put_zone_text(moment, out);
    return true;
}

static bool put_ops(const struct datetime_pattern *pattern, int from, int to, const struct moment *moment, struct buffer *out)
{
    for (int i = from; i < to; i++) {
        const struct datetime_op *op = &pattern->ops[i];
        if (op->kind != OP_OPTIONAL) {
            if (!put_op(op, moment, out))
                return false;
            continue;
        }
        size_t size = out->size;
        if (!put_ops(pattern, i + 1, op->end, moment, out))
            out->size = size;
        i = op->end - 1;
    }
    return true;
}

static bool put_all(const struct datetime_pattern *pattern, const struct moment *moment, struct buffer *out)
{
    size_t size = out->size;
    if (put_ops(pattern, 0, pattern->op_count, moment, out))
        return true;
    out->size = size;
    return false;
}

static void split_date(struct moment *moment, int64_t days)
{
    moment->days = days;
    civil_from_days(days, &moment->year, &moment->month, &moment->day);
}

static void split_local(struct moment *moment, int64_t local_us)
{
    int64_t days = floor_divide(local_us, (int64_t)86400 * MICROS);
    int64_t rest = floor_remainder(local_us, (int64_t)86400 * MICROS);
    split_date(moment, days);
    moment->has_time = true;
    moment->micros = (int)(rest % MICROS);
    int seconds = (int)(rest / MICROS);
    moment->hour = seconds / 3600;
    moment->minute = seconds / 60 % 60;
    moment->second = seconds % 60;
}

bool datetime_print_date(const struct datetime_pattern *pattern, int32_t days, struct buffer *out)
{
    struct moment moment = {0};
    split_date(&moment, days);
    return put_all(pattern, &moment, out);
}

bool datetime_print_timestamp(const struct datetime_pattern *pattern, int64_t utc_us, const struct time_zone *zone, struct buffer *out)
{
    struct moment moment = {.zone = zone, .utc_us = utc_us, .offset = time_zone_offset_at(zone, utc_us)};
    split_local(&moment, time_zone_to_local(zone, utc_us));
    return put_all(pattern, &moment, out);
}

bool datetime_print_timestamp_ntz(const struct datetime_pattern *pattern, int64_t local_us, struct buffer *out)
{
    struct moment moment = {0};
    split_local(&moment, local_us);
    return put_all(pattern, &moment, out);
}
