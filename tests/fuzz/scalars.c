/* scalars -- numbers, dates, timestamps, durations, byte counts and UTF-8 from text: what is read is printed and read again to the
 * same value; doubles agree with strtod. */
#include "base/civil.h"
#include "base/number.h"
#include "base/options.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>

static bool is_json_number(struct slice text)
{
    size_t i = 0, digits = 0;
    if (i < text.size && (text.data[i] == '-' || text.data[i] == '+')) i++;
    for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) digits++;
    if (!digits) return false;
    if (i < text.size && text.data[i] == '.') {
        size_t start = ++i;
        while (i < text.size && text.data[i] >= '0' && text.data[i] <= '9') i++;
        if (i == start) return false;
    }
    if (i < text.size && (text.data[i] | 32) == 'e') {
        i++;
        if (i < text.size && (text.data[i] == '-' || text.data[i] == '+')) i++;
        size_t start = i;
        while (i < text.size && text.data[i] >= '0' && text.data[i] <= '9') i++;
        if (i == start) return false;
    }
    return i == text.size;
}

static void check_doubles(const char *text, size_t size, const char *terminated)
{
    double value, again;
    float small;
    char out[DOUBLE_TEXT_MAX + 1];
    if (is_json_number(slice_of(text, size))) {
        fuzz_check(parse_double(text, size, &value), "a number is refused: %s", terminated);
        again = strtod(terminated, NULL);
        fuzz_check(memcmp(&value, &again, sizeof value) == 0, "%s is %a, strtod says %a", terminated, value, again);
        fuzz_check(parse_float(text, size, &small), "a number is refused: %s", terminated);
        float expected = strtof(terminated, NULL);
        fuzz_check(memcmp(&small, &expected, sizeof small) == 0, "%s is %a, strtof says %a", terminated, (double)small, (double)expected);
    }
    if (parse_double_java(text, size, &value)) {
        size_t length = print_double_java(value, out);
        fuzz_check(length <= DOUBLE_TEXT_MAX, "%zu bytes are too many", length);
        fuzz_check(parse_double_java(out, length, &again) && (isnan(value) ? isnan(again) : value == again), "%.*s is not %a", (int)length, out, value);
        length = print_double_json(value, out);
        if (isfinite(value)) fuzz_check(parse_double(out, length, &again) && value == again, "%.*s is not %a", (int)length, out, value);
    }
    if (parse_float_java(text, size, &small)) {
        float other;
        size_t length = print_float_java(small, out);
        fuzz_check(parse_float_java(out, length, &other) && (isnan(small) ? isnan(other) : small == other), "%.*s is not %a", (int)length, out, (double)small);
    }
}

static void check_integers(const char *text, size_t size)
{
    int64_t value, again;
    char out[INT64_TEXT_MAX + 1];
    if (parse_int64(text, size, &value)) {
        size_t length = print_int64(value, out);
        fuzz_check(parse_int64(out, length, &again) && again == value, "%lld comes back as %lld", (long long)value, (long long)again);
        fuzz_check(parse_int64_java(text, size, &again) && again == value, "Java's grammar is no superset");
    } else if (parse_int64_java(text, size, &value)) {
        size_t length = print_int64(value, out);
        fuzz_check(parse_int64(out, length, &again) && again == value, "%lld comes back as %lld", (long long)value, (long long)again);
    }
}

static void check_decimals(const char *text, size_t size, int precision, int scale)
{
    int128 value, again;
    bool overflow;
    char out[DECIMAL_TEXT_MAX + 1];
    if (parse_decimal(text, size, precision, scale, &value, &overflow)) {
        size_t length = print_decimal_plain(value, scale, out);
        fuzz_check(length <= DECIMAL_TEXT_MAX, "%zu bytes are too many", length);
        fuzz_check(parse_decimal(out, length, precision, scale, &again, &overflow) && again == value, "%.*s is another decimal", (int)length, out);
        length = print_decimal_java(value, scale, out);
        fuzz_check(length <= DECIMAL_TEXT_MAX, "%zu bytes are too many", length);
        fuzz_check(parse_decimal(out, length, precision, scale, &again, &overflow) && again == value, "%.*s is another decimal", (int)length, out);
    }
    static const char *const locales[] = {"en-US", "de-DE", "fr", "hi", "xx"};
    for (size_t i = 0; i < COUNTOF(locales); i++) (void)!parse_decimal_locale(text, size, locales[i], precision, scale, &value);
}

static void check_times(const char *text, size_t size, const struct time_zone *zone)
{
    int32_t days, other;
    int64_t us, again;
    char out[TIMESTAMP_TEXT_MAX + 1];
    if (cast_date(text, size, &days)) {
        size_t length = print_date(days, out);
        fuzz_check(length <= DATE_TEXT_MAX, "%zu bytes are too many", length);
        fuzz_check(cast_date(out, length, &other) && other == days, "%.*s is not day %d", (int)length, out, days);
    }
    if (cast_timestamp(text, size, zone, &us)) {
        fuzz_check(print_timestamp(us, zone, out) <= TIMESTAMP_TEXT_MAX, "too many bytes");
        fuzz_check(print_timestamp_iso(us, out) <= TIMESTAMP_TEXT_MAX, "too many bytes");
        fuzz_check(print_timestamp_millis(us, zone, out) <= TIMESTAMP_TEXT_MAX, "too many bytes");
        size_t length = print_timestamp(us, time_zone_utc(), out);
        fuzz_check(cast_timestamp(out, length, time_zone_utc(), &again) && again == us, "%.*s is not %lld", (int)length, out, (long long)us);
    }
    if (cast_timestamp_ntz(text, size, true, &us)) {
        size_t length = print_timestamp_ntz(us, out);
        fuzz_check(cast_timestamp_ntz(out, length, false, &again) && again == us, "%.*s is not %lld", (int)length, out, (long long)us);
        fuzz_check(print_timestamp_ntz_millis(us, out) <= TIMESTAMP_TEXT_MAX, "too many bytes");
    }
}

static void check_utf8(struct slice input)
{
    struct buffer repaired = {0}, narrow = {0}, wide = {0};
    const uint8_t *at = input.data, *end = input.data + input.size;
    size_t points = 0;
    for (; at < end; points++) utf8_next(&at, end);
    utf8_repair(&repaired, input.data, input.size);
    fuzz_check(utf8_valid(repaired.data, repaired.size), "what was repaired is not valid");
    bool valid = utf8_valid(input.data, input.size);
    fuzz_check(valid == (repaired.size == input.size && (input.size == 0 || memcmp(repaired.data, input.data, input.size) == 0)), "valid text was changed, or the other way");
    fuzz_check(utf8_count(repaired.data, repaired.size) == points, "two counts");
    for (enum charset charset = CHARSET_UTF8; charset < CHARSET_UNKNOWN; charset++) {
        buffer_clear(&narrow);
        buffer_clear(&wide);
        charset_to_utf8(charset, &narrow, input.data, input.size);
        fuzz_check(utf8_valid(narrow.data, narrow.size), "%s gives what is not UTF-8", charset_name(charset));
        charset_from_utf8(charset, &wide, repaired.data, repaired.size);
    }
    buffer_free(&repaired);
    buffer_free(&narrow);
    buffer_free(&wide);
}

static void fuzz_one(struct slice input)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "+05:30", "Asia/Kolkata", "Africa/Monrovia"};
    uint8_t choice = fuzz_byte(&input);
    const char *zone = zones[choice % COUNTOF(zones)];
    char *text = fuzz_copy(input), *terminated = fuzz_text(input);
    int64_t value;
    struct error err = {0};
    check_doubles(text, input.size, terminated);
    check_integers(text, input.size);
    check_decimals(text, input.size, 1 + choice % 38, choice % (1 + choice % 38));
    check_times(text, input.size, time_zone_find(zone, strlen(zone), &err));
    check_utf8(slice_of(text, input.size));
    if (!time_zone_find(text, input.size, &err)) fuzz_check_error(&err);
    (void)!parse_bytes_text(terminated, &value);
    (void)!parse_duration_text(terminated, &value);
    (void)!parse_interval_text(terminated, &value);
    free(text);
    free(terminated);
}
