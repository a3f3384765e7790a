/* datetime_test -- patterns: what java.time and Spark take, print and refuse. */
#include "base/civil.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena *arena;

static struct datetime_pattern *compile(const char *pattern, const char *locale, enum datetime_use use)
{
    struct error err = {0};
    struct datetime_pattern *compiled = datetime_pattern_compile(arena, pattern, locale, use, &err);
    if (!compiled)
        fail_msg("%s: %s", pattern, err.message);
    return compiled;
}

static void texts_are_parsed_by_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *locale, *text, *wanted;
    } rows[] = {
        {"dd/MM/yyyy HH:mm:ss", "en-US", "02/01/2024 03:04:05", "2024-01-02 03:04:05"}, {"dd/MM/yyyy HH:mm:ss", "en-US", "2/1/2024 3:4:5", NULL},
        {"dd/MM/yyyy HH:mm:ss", "en-US", "02/01/2024 03:04:05.5", NULL}, {"dd/MM/yyyy HH:mm:ss", "en-US", "31/02/2024 00:00:00", NULL},
        {"yyyy-MM-dd HH:mm:ss[.SSS][XXX]", "en-US", "2024-01-02 03:04:05.12", "2024-01-02 03:04:05.12"},
        {"yyyy-MM-dd HH:mm:ss[.SSS][XXX]", "en-US", "2024-01-02 03:04:05.123+02:00", "2024-01-02 01:04:05.123"},
        {"yyyy-MM-dd HH:mm:ss[.SSS][XXX]", "en-US", "2024-01-02 03:04:05.1234", NULL}, {"HH:mm", "en-US", "12:34", "1970-01-01 12:34:00"},
        {"hh:mm", "en-US", "13:02", NULL}, {"hh:mm a", "en-US", "01:02 pm", "1970-01-01 13:02:00"}, {"a", "en-US", "PM", "1970-01-01 12:00:00"},
        {"yyyyMMddHHmmss", "en-US", "20240102030405", "2024-01-02 03:04:05"}, {"yyMMdd", "en-US", "240102", "2024-01-02 00:00:00"},
        {"dd MMMM yyyy", "fr-FR", "15 ao\u00FBt 2024", "2024-08-15 00:00:00"}, {"dd MMMM yyyy", "fr-FR", "02 January 2024", NULL},
        {"dd MMMM yyyy", "fr-FR", "02 JANVIER 2024", "2024-01-02 00:00:00"}, {"d MMM yyyy", "de-DE", "3 M\u00C4RZ 2024", "2024-03-03 00:00:00"},
        {"[yyyy-MM-dd][dd/MM/yyyy]", "en-US", "02/01/2024", "2024-01-02 00:00:00"}, {"yyyy-MM-dd", "en-US", " 2024-01-02", NULL},
        {"yyyy-MM-dd", "en-US", "2024-1-2", NULL}, {"yyyy-MM-dd", "en-US", "2023-02-29", NULL}, {"yyyy-DDD", "en-US", "2024-366", "2024-12-31 00:00:00"},
        {"yyyy-DDD", "en-US", "2023-366", NULL}, {"yyyy-MM-dd HH:mm:ss VV", "en-US", "2024-01-02 03:04:05 Europe/Paris", "2024-01-02 02:04:05"},
        {"yyyy-MM-dd HH:mm:ss z", "en-US", "2024-01-02 03:04:05 PST", "2024-01-02 11:04:05"}, {"yyyy-MM-dd HH:mm::ss", "en-US", "2024-01-02 03:04:05", NULL},
        {"yyyy-MM-dd'T'HH", "en-US", "2024-01-02t05", "2024-01-02 05:00:00"}, {"yyyy", "en-US", "+12024", "+12024-01-01 00:00:00"}, {"yyyy", "en-US", "12024", NULL},
        {"yyyy-MM-dd G", "en-US", "0005-01-01 BC", "-0004-01-01 00:00:00"}, {"kk", "en-US", "24", "1970-01-01 00:00:00"}, {"HH", "en-US", "24", NULL},
        {"yyyy-MM-dd", "en-US", "", NULL}, {"yyyy-MM-dd HH:mm:ss O", "en-US", "2024-01-02 03:04:05 GMT+5:30", "2024-01-01 21:34:05"}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct datetime_pattern *pattern = compile(rows[i].pattern, rows[i].locale, DATETIME_PARSE);
        int64_t us;
        char text[TIMESTAMP_TEXT_MAX + 1] = "";
        bool good = datetime_parse_timestamp(pattern, rows[i].text, strlen(rows[i].text), time_zone_utc(), &us);
        if (good)
            text[print_timestamp(us, time_zone_utc(), text)] = 0;
        if (good != (rows[i].wanted != NULL) || (good && strcmp(text, rows[i].wanted) != 0))
            fail_msg("'%s' by %s is %s, not %s", rows[i].text, rows[i].pattern, good ? text : "bad", rows[i].wanted ? rows[i].wanted : "bad");
    }
}

static void wall_clocks_by_pattern_refuse_zones(void **state)
{
    (void)state;
    struct datetime_pattern *pattern = compile("yyyy-MM-dd HH:mm[XXX]", "en-US", DATETIME_PARSE);
    int64_t us;
    int32_t days;
    assert_true(datetime_parse_timestamp_ntz(pattern, "2024-01-02 03:04", 16, &us));
    assert_false(datetime_parse_timestamp_ntz(pattern, "2024-01-02 03:04Z", 17, &us));
    assert_true(datetime_parse_date(pattern, "2024-01-02 03:04Z", 17, &days));
    assert_int_equal(days, 19724);
}

static void instants_are_printed_by_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *locale, *zone, *wanted;
    } rows[] = {{"EEE d MMM yyyy h:mm a", "en-US", "UTC", "Thu 15 Aug 2024 3:04 PM"}, {"d MMMM yyyy", "de-DE", "UTC", "15 August 2024"},
                {"EEEE d MMMM", "es-ES", "UTC", "jueves 15 agosto"}, {"EEEE d MMMM", "it-IT", "UTC", "gioved\u00EC 15 agosto"},
                {"dd/MM/yyyy HH:mm", "en-US", "Asia/Tokyo", "16/08/2024 00:04"}, {"yyyy-MM-dd'T'HH:mm:ss[.SSS][XXXXX]", "en-US", "Asia/Kolkata", "2024-08-15T20:34:05.123+05:30"},
                {"HH 'o''clock' z VV O", "en-US", "Europe/Paris", "17 o'clock CEST Europe/Paris GMT+2"}, {"yy D Q QQQ G SSSSSSSSS", "en-US", "UTC", "24 228 3 Q3 AD 123456000"},
                {"x xx xxx X XX Z ZZZZ ZZZZZ", "en-US", "UTC", "+00 +0000 +00:00 Z Z +0000 GMT Z"}, {"yyyyyy", "en-US", "UTC", "002024"}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct buffer out = {0};
        const struct time_zone *zone = time_zone_find(rows[i].zone, strlen(rows[i].zone), NULL);
        assert_true(datetime_print_timestamp(compile(rows[i].pattern, rows[i].locale, DATETIME_PRINT), 1723734245123456, zone, &out));
        assert_string_equal(buffer_string(&out), rows[i].wanted);
        buffer_free(&out);
    }
    struct buffer out = {0};
    assert_false(datetime_print_date(compile("yyyy HH", "en-US", DATETIME_PRINT), 0, &out));
    assert_true(datetime_print_date(compile("yyyy[ HH]", "en-US", DATETIME_PRINT), 0, &out));
    assert_string_equal(buffer_string(&out), "1970");
    assert_false(datetime_print_timestamp_ntz(compile("yyyy XXX", "en-US", DATETIME_PRINT), 0, &out));
    buffer_free(&out);
}

static void wrong_patterns_have_sparks_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        enum datetime_use use;
        enum condition outer;
        const char *inner; /* In the cause; NULL: the outer one is all. */
    } rows[] = {{"YYYY-MM-dd", DATETIME_PARSE, COND_DATETIME_PATTERN_RECOGNITION, "DATETIME_WEEK_BASED_PATTERN"},
                {"yyyy e", DATETIME_PARSE, COND_DATETIME_WEEK_BASED_PATTERN, NULL}, {"EEE", DATETIME_PARSE, COND_DATETIME_PATTERN_RECOGNITION, "ILLEGAL_CHARACTER"},
                {"yyyy A", DATETIME_PRINT, COND_DATETIME_PATTERN_ILLEGAL, NULL}, {"MMMMM", DATETIME_PRINT, COND_DATETIME_PATTERN_RECOGNITION, "LENGTH"},
                {"V", DATETIME_PARSE, COND_DATETIME_PATTERN_SUGGESTION, NULL}, {"yyyy ]", DATETIME_PARSE, COND_DATETIME_PATTERN_RECOGNITION, "SUGGESTION"},
                {"'open", DATETIME_PARSE, COND_DATETIME_PATTERN_SUGGESTION, NULL}, {"T", DATETIME_PARSE, COND_DATETIME_PATTERN_SUGGESTION, NULL},
                {"ddd", DATETIME_PARSE, COND_DATETIME_PATTERN_RECOGNITION, "SUGGESTION"}, {"yyyy{", DATETIME_PARSE, COND_DATETIME_PATTERN_RECOGNITION, "SUGGESTION"},
                {"zzzz", DATETIME_PRINT, COND_INLET_NOT_SUPPORTED_YET, NULL}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct error err = {0};
        assert_null(datetime_pattern_compile(arena, rows[i].pattern, "en-US", rows[i].use, &err));
        if (err.condition != rows[i].outer || (rows[i].inner && !strstr(err.cause, rows[i].inner)))
            fail_msg("%s: %s; %s", rows[i].pattern, condition_name(err.condition), err.cause);
    }
    struct error err = {0};
    assert_null(datetime_pattern_compile(arena, "MMM", "tlh", DATETIME_PRINT, &err));
    assert_int_equal(err.condition, COND_INLET_NOT_SUPPORTED_YET);
    assert_non_null(datetime_pattern_compile(arena, "yyyy", "tlh", DATETIME_PRINT, &err)); /* Digits need no names. */
    char deep[200];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_null(datetime_pattern_compile(arena, deep, "en-US", DATETIME_PRINT, &err));
}

static int setup(void **state)
{
    (void)state;
    arena = arena_new("test");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_parsed_by_pattern),
        cmocka_unit_test(wall_clocks_by_pattern_refuse_zones),
        cmocka_unit_test(instants_are_printed_by_pattern),
        cmocka_unit_test(wrong_patterns_have_sparks_conditions),
    };
    return cmocka_run_group_tests_name("datetime", tests, setup, teardown);
}
