/* civil -- the calendar, Spark's cast grammars for dates and timestamps, and their plain texts.
 *
 * The grammars are those of CAST(text AS DATE / TIMESTAMP / TIMESTAMP_NTZ), which readers use when no
 * pattern is given. Texts such as 2024-01-02T03:04:05.123Z are nearly all there is in practice and go through a
 * fixed-position path of two 8-byte comparisons; everything else through the segments. */
#include "base/civil.h"
#include "base/civil_internal.h"
#include "base/number.h"

enum { SECONDS_PER_DAY = 86400, MICROS = 1000000 };

/* Howard Hinnant's days_from_civil: years of 400 from 1 March. */
int64_t civil_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_divide(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = floor_divide(days, 146097);
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted + (shifted < 10 ? 3 : -9));
    *year = year_of_era + era * 400 + (*month <= 2);
}

bool civil_is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

bool civil_valid(int64_t year, int month, int day)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1)
        return false;
    return day <= lengths[month - 1] + (month == 2 && civil_is_leap(year));
}

/* Off both ends: bytes up to the blank, and DEL. */
static void trim(const char **text, size_t *size)
{
    const unsigned char *p = (const unsigned char *)*text, *end = p + *size;
    while (p < end && (*p <= ' ' || *p == 0x7F))
        p++;
    while (p < end && (end[-1] <= ' ' || end[-1] == 0x7F))
        end--;
    *text = (const char *)p;
    *size = (size_t)(end - p);
}

/* Up to `maximum` digits; the count that was there (0: none; maximum + 1: too many). */
static int scan_digits(const char **at, const char *end, int maximum, int64_t *value)
{
    int count = 0;
    *value = 0;
    for (; *at < end && (unsigned char)(**at - '0') < 10; (*at)++) {
        if (count > maximum)
            return count;
        *value = *value * 10 + (**at - '0');
        count++;
    }
    return count;
}

struct date_parts {
    int64_t year, month, day;
    int count; /* Parts that were written: 1 to 3. */
};

/* [+-]?y{4,maximum} [-m{1,2} [-d{1,2}]] */
static bool scan_date(const char **at, const char *end, int year_digits_max, struct date_parts *out)
{
    bool negative = *at < end && **at == '-';
    if (*at < end && (**at == '-' || **at == '+'))
        (*at)++;
    int digits = scan_digits(at, end, year_digits_max, &out->year);
    if (digits < 4 || digits > year_digits_max)
        return false;
    if (negative)
        out->year = -out->year;
    out->month = out->day = 1;
    out->count = 1;
    int64_t *parts[] = {&out->month, &out->day};
    while (out->count < 3 && *at < end && **at == '-') {
        (*at)++;
        digits = scan_digits(at, end, 2, parts[out->count - 1]);
        if (digits < 1 || digits > 2)
            return false;
        out->count++;
    }
    return civil_valid(out->year, (int)out->month, (int)out->day);
}

bool cast_date(const char *text, size_t size, int32_t *days)
{
    trim(&text, &size);
    const char *p = text, *end = text + size;
    struct date_parts date;
    if (!scan_date(&p, end, 7, &date))
        return false;
    if (p < end && (date.count < 3 || (*p != ' ' && *p != 'T')))
        return false;
    int64_t value = civil_days(date.year, (int)date.month, (int)date.day);
    if (value != (int32_t)value)
        return false;
    *days = (int32_t)value;
    return true;
}

/* Fraction digits behind the point: the first six count, the rest is cut. */
static int64_t scan_fraction(const char **at, const char *end)
{
    int64_t micros = 0;
    int count = 0;
    for (; *at < end && (unsigned char)(**at - '0') < 10; (*at)++) {
        if (count < 6) {
            micros = micros * 10 + (**at - '0');
            count++;
        }
    }
    for (; count < 6; count++)
        micros *= 10;
    return micros;
}

/* h{1,2} [":" m{1,2} [":" s{1,2} [ "." digits* ] [zone]]]; *at is left at the zone. */
static bool scan_time(const char **at, const char *end, int64_t *micros)
{
    int64_t part[3] = {0};
    int count = 0;
    for (;;) {
        int digits = scan_digits(at, end, 2, &part[count]);
        if (digits < 1 || digits > 2)
            return false;
        count++;
        if (*at == end || count == 3)
            break;
        if (**at != ':')
            return false;
        (*at)++;
    }
    if (part[0] > 23 || part[1] > 59 || part[2] > 59)
        return false;
    int64_t fraction = 0;
    if (*at < end && **at == '.') {
        (*at)++;
        fraction = scan_fraction(at, end);
    }
    *micros = (part[0] * 3600 + part[1] * 60 + part[2]) * MICROS + fraction;
    return true;
}

/* Wall clock of a trimmed text; *zone is what follows the seconds, not empty if there is something. */
static bool scan_timestamp(const char *text, size_t size, int64_t *local_us, struct slice *zone)
{
    const char *p = text, *end = text + size;
    struct date_parts date;
    if (!scan_date(&p, end, 6, &date))
        return false;
    int64_t time = 0;
    if (p < end) {
        if (date.count < 3 || (*p != ' ' && *p != 'T'))
            return false;
        p++;
        if (!scan_time(&p, end, &time))
            return false;
    }
    *zone = slice_of(p, (size_t)(end - p));
    int64_t days_us;
    if (__builtin_mul_overflow(civil_days(date.year, (int)date.month, (int)date.day), (int64_t)SECONDS_PER_DAY * MICROS, &days_us))
        return false;
    return !__builtin_add_overflow(days_us, time, local_us);
}

static ALWAYS_INLINE uint64_t load_8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

/* Every byte of `word` against the picture: '0' stands for a digit, others for themselves. Returns digits as numbers. */
static ALWAYS_INLINE bool matches(uint64_t word, uint64_t picture, uint64_t slack, uint64_t *digits)
{
    *digits = word ^ picture;
    return (((*digits + slack) | *digits) & 0x8080808080808080u) == 0;
}

static ALWAYS_INLINE int two_digits(uint64_t digits, int byte)
{
    return (int)((digits >> (8 * byte)) & 0xF) * 10 + (int)((digits >> (8 * byte + 8)) & 0xF);
}

/* yyyy-mm-ddThh:mm:ss (or a blank for the T) in the first 19 bytes. Little-endian. */
static ALWAYS_INLINE bool fast_seconds(const char *text, int64_t *seconds)
{
    const uint64_t date_picture = 0x2D30302D30303030u, date_slack = 0x7F76767F76767676u;   /* 0000-00- */
    const uint64_t time_picture = 0x30303A3030543030u, time_slack = 0x76767F76767F7676u;   /* 00T00:00 */
    const uint64_t blank = (uint64_t)('T' ^ ' ') << 16;
    uint64_t date, time;
    uint64_t picture = text[10] == ' ' ? time_picture ^ blank : time_picture;
    if (!matches(load_8(text), date_picture, date_slack, &date) || !matches(load_8(text + 8), picture, time_slack, &time))
        return false;
    unsigned tens = (unsigned char)(text[17] - '0'), ones = (unsigned char)(text[18] - '0');
    if (text[16] != ':' || tens > 5 || ones > 9)
        return false;
    int year = two_digits(date, 0) * 100 + two_digits(date, 2), month = two_digits(date, 5);
    int day = two_digits(time, 0), hour = two_digits(time, 3), minute = two_digits(time, 6);
    if (hour > 23 || minute > 59 || !civil_valid(year, month, day))
        return false;
    *seconds = civil_days(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + (int)(tens * 10 + ones);
    return true;
}

/* The common shapes: nothing, Z, or a fraction and perhaps Z behind the seconds. */
static bool fast_timestamp(const char *text, size_t size, int64_t *us, bool *has_z)
{
    int64_t seconds, fraction = 0;
    if (size < 19 || !fast_seconds(text, &seconds))
        return false;
    const char *p = text + 19, *end = text + size;
    if (p < end && *p == '.') {
        p++;
        fraction = scan_fraction(&p, end);
    }
    *has_z = p < end && *p == 'Z';
    if (p + *has_z != end)
        return false;
    *us = seconds * MICROS + fraction;
    return true;
}

bool cast_timestamp(const char *text, size_t size, const struct time_zone *zone, int64_t *utc_us)
{
    bool has_z;
    int64_t local;
    if (LIKELY(fast_timestamp(text, size, &local, &has_z))) {
        *utc_us = has_z ? local : time_zone_to_utc(zone, local);
        return true;
    }
    struct slice tail;
    trim(&text, &size);
    if (!scan_timestamp(text, size, &local, &tail))
        return false;
    if (tail.size == 0) {
        *utc_us = time_zone_to_utc(zone, local);
        return true;
    }
    trim((const char **)&tail.data, &tail.size);
    int32_t offset;
    if (zone_parse_offset((const char *)tail.data, tail.size, &offset))
        return !__builtin_sub_overflow(local, (int64_t)offset * MICROS, utc_us);
    const struct time_zone *named = time_zone_find((const char *)tail.data, tail.size, NULL);
    if (!named)
        return false;
    *utc_us = time_zone_to_utc(named, local);
    return true;
}

bool cast_timestamp_ntz(const char *text, size_t size, bool allow_zone, int64_t *local_us)
{
    bool has_z;
    if (LIKELY(fast_timestamp(text, size, local_us, &has_z)))
        return allow_zone || !has_z;
    struct slice tail;
    trim(&text, &size);
    if (!scan_timestamp(text, size, local_us, &tail))
        return false;
    if (tail.size == 0)
        return true;
    trim((const char **)&tail.data, &tail.size);
    int32_t offset;
    return allow_zone && (zone_parse_offset((const char *)tail.data, tail.size, &offset) ||
                          time_zone_find((const char *)tail.data, tail.size, NULL) != NULL);
}

static ALWAYS_INLINE char *put_two(char *out, int value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

/* Four digits at least; a sign where the year does not lie in 0..9999. */
static char *put_year(char *out, int64_t year)
{
    if (LIKELY(year >= 0 && year <= 9999)) {
        out = put_two(out, (int)year / 100);
        return put_two(out, (int)year % 100);
    }
    *out++ = year < 0 ? '-' : '+';
    int64_t magnitude = year < 0 ? -year : year;
    if (magnitude <= 9999) {
        out = put_two(out, (int)magnitude / 100);
        return put_two(out, (int)magnitude % 100);
    }
    return out + print_int64(magnitude, out);
}

static char *put_date(char *out, int64_t days)
{
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    out = put_year(out, year);
    *out++ = '-';
    out = put_two(out, month);
    *out++ = '-';
    return put_two(out, day);
}

size_t print_date(int32_t days, char *out) { return (size_t)(put_date(out, days) - out); }

/* Date, separator, hh:mm:ss; *micros gets what is left of the second. */
static char *put_seconds(char *out, int64_t local_us, char separator, int *micros)
{
    int64_t days = floor_divide(local_us, (int64_t)SECONDS_PER_DAY * MICROS);
    int64_t rest = floor_remainder(local_us, (int64_t)SECONDS_PER_DAY * MICROS);
    int seconds = (int)(rest / MICROS);
    *micros = (int)(rest % MICROS);
    out = put_date(out, days);
    *out++ = separator;
    out = put_two(out, seconds / 3600);
    *out++ = ':';
    out = put_two(out, seconds / 60 % 60);
    *out++ = ':';
    return put_two(out, seconds % 60);
}

static char *put_fraction(char *out, int micros, int digits)
{
    *out++ = '.';
    for (int divisor = 100000; digits > 0; divisor /= 10, digits--)
        *out++ = (char)('0' + micros / divisor % 10);
    return out;
}

size_t print_timestamp_ntz(int64_t local_us, char *out)
{
    int micros;
    char *p = put_seconds(out, local_us, ' ', &micros);
    if (micros == 0)
        return (size_t)(p - out);
    int digits = 6;
    for (int rest = micros; rest % 10 == 0; rest /= 10)
        digits--;
    return (size_t)(put_fraction(p, micros, digits) - out);
}

size_t print_timestamp(int64_t utc_us, const struct time_zone *zone, char *out)
{
    return print_timestamp_ntz(time_zone_to_local(zone, utc_us), out);
}

size_t print_timestamp_ntz_millis(int64_t local_us, char *out)
{
    int micros;
    char *p = put_seconds(out, local_us, 'T', &micros);
    return (size_t)(put_fraction(p, micros, 3) - out);
}

size_t print_timestamp_millis(int64_t utc_us, const struct time_zone *zone, char *out)
{
    int32_t offset = time_zone_offset_at(zone, utc_us);
    char *p = out + print_timestamp_ntz_millis(time_zone_to_local(zone, utc_us), out);
    if (offset == 0) {
        *p++ = 'Z';
        return (size_t)(p - out);
    }
    int magnitude = offset < 0 ? -offset : offset;
    *p++ = offset < 0 ? '-' : '+';
    p = put_two(p, magnitude / 3600);
    *p++ = ':';
    p = put_two(p, magnitude / 60 % 60);
    if (magnitude % 60) {
        *p++ = ':';
        p = put_two(p, magnitude % 60);
    }
    return (size_t)(p - out);
}

size_t print_timestamp_iso(int64_t utc_us, char *out) { return print_timestamp_millis(utc_us, time_zone_utc(), out); }
