/* datetime -- datetime patterns: the first line is a locale, the second a pattern, the rest a text to read by it. What it reads
 * it can print, unless the pattern says no. */
#include "base/civil.h"
#include "tests/fuzz/fuzz.h"

static void parse_all(const struct datetime_pattern *pattern, const struct datetime_pattern *printer, const char *text, size_t size)
{
    int32_t days;
    int64_t us;
    struct error err = {0};
    const struct time_zone *zone = time_zone_find("Europe/Berlin", 13, &err);
    struct buffer out = {0};
    if (datetime_parse_date(pattern, text, size, &days) && printer) (void)!datetime_print_date(printer, days, &out);
    if (datetime_parse_timestamp(pattern, text, size, zone, &us) && printer) (void)!datetime_print_timestamp(printer, us, zone, &out);
    if (datetime_parse_timestamp_ntz(pattern, text, size, &us) && printer) (void)!datetime_print_timestamp_ntz(printer, us, &out);
    buffer_free(&out);
}

static void print_some(const struct datetime_pattern *printer)
{
    static const int64_t times[] = {0, -1, 1709210096123456, -62135596800000000, 253402300799999999, INT64_MIN, INT64_MAX};
    struct buffer out = {0};
    for (size_t i = 0; i < COUNTOF(times); i++) {
        (void)!datetime_print_timestamp(printer, times[i], time_zone_utc(), &out);
        (void)!datetime_print_timestamp_ntz(printer, times[i], &out);
        (void)!datetime_print_date(printer, (int32_t)(times[i] >> 20), &out);
    }
    buffer_free(&out);
}

static void fuzz_one(struct slice input)
{
    struct arena *arena = arena_new("pattern");
    struct error err = {0};
    char *locale = fuzz_text(fuzz_line(&input)), *pattern = fuzz_text(fuzz_line(&input)), *text = fuzz_copy(input);
    const struct datetime_pattern *reader = datetime_pattern_compile(arena, pattern, *locale ? locale : NULL, DATETIME_PARSE, &err);
    if (!reader) fuzz_check_error(&err);
    const struct datetime_pattern *printer = datetime_pattern_compile(arena, pattern, *locale ? locale : NULL, DATETIME_PRINT, &err);
    if (!printer) fuzz_check_error(&err);
    if (reader) parse_all(reader, printer, text, input.size);
    if (printer) print_some(printer);
    free(locale);
    free(pattern);
    free(text);
    arena_free(arena);
}
