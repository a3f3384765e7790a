/* civil_test -- Spark's casts of dates and timestamps, zones, and their texts. */
#include "base/civil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct time_zone *zone(const char *name)
{
    struct error err = {0};
    const struct time_zone *found = time_zone_find(name, strlen(name), &err);
    if (!found)
        fail_msg("%s: %s", name, err.message);
    return found;
}

static void days_and_dates_agree_over_four_hundred_years(void **state)
{
    (void)state;
    for (int64_t days = -200000; days < 200000; days++) {
        int64_t year;
        int month, day;
        civil_from_days(days, &year, &month, &day);
        assert_true(civil_valid(year, month, day));
        assert_true(civil_days(year, month, day) == days);
    }
    assert_true(civil_days(1970, 1, 1) == 0);
    assert_true(civil_days(-1, 1, 1) == -719893);
    assert_false(civil_valid(2023, 2, 29));
    assert_true(civil_valid(2000, 2, 29));
    assert_false(civil_valid(1900, 2, 29));
}

static void texts_are_cast_to_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {{"2024-01-02", "2024-01-02"}, {"2024-1-2", "2024-01-02"}, {"2024-01", "2024-01-01"}, {"2024", "2024-01-01"},
                {"2024-01-02T03:04:05", "2024-01-02"}, {"2024-01-02 junk", "2024-01-02"}, {"2024-01-02T", "2024-01-02"}, {" 2024-01-02 ", "2024-01-02"},
                {"2024-01-02Z", NULL}, {"02/01/2024", NULL}, {"2024-02-30", NULL}, {"0001-01-01", "0001-01-01"}, {"1582-10-10", "1582-10-10"},
                {"10000-01-01", "+10000-01-01"}, {"+10000-01-01", "+10000-01-01"}, {"epoch", NULL}, {"19000", "+19000-01-01"}, {"", NULL},
                {"20240203", NULL}, {"2024 x", NULL}, {"2024-01 x", NULL}, {"1", NULL}, {"-0001-01-01", "-0001-01-01"}, {"9999999-01-01", NULL},
                {"2024-01-02-03", NULL}, {"2024-", NULL}, {"-", NULL}, {"2024-001-01", NULL}, {"\t2024-01-02\n", "2024-01-02"}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int32_t days;
        char text[DATE_TEXT_MAX + 1] = "";
        bool good = cast_date(rows[i].text, strlen(rows[i].text), &days);
        if (good)
            text[print_date(days, text)] = 0;
        if (good != (rows[i].wanted != NULL) || (good && strcmp(text, rows[i].wanted) != 0))
            fail_msg("'%s' is %s, not %s", rows[i].text, good ? text : "bad", rows[i].wanted ? rows[i].wanted : "bad");
    }
}

static void texts_are_cast_to_timestamps(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"2024-01-02T03:04:05", "2024-01-02 03:04:05"}, {"2024-01-02T03:04:05.1", "2024-01-02 03:04:05.1"},
        {"2024-01-02T03:04:05.123456789", "2024-01-02 03:04:05.123456"}, {"2024-01-02T03:04:05.123Z", "2024-01-02 03:04:05.123"},
        {"2024-01-02T03:04:05+01:00", "2024-01-02 02:04:05"}, {"2024-01-02T03:04:05+0100", "2024-01-02 02:04:05"},
        {"2024-01-02T03:04:05+01", "2024-01-02 02:04:05"}, {"2024-01-02T03:04:05 UTC", "2024-01-02 03:04:05"},
        {"2024-01-02T03:04:05 Europe/Paris", "2024-01-02 02:04:05"}, {"2024-01-02T03:04:05[Europe/Paris]", NULL}, {"2024-01-02", "2024-01-02 00:00:00"},
        {"2024-01", "2024-01-01 00:00:00"}, {"2024", "2024-01-01 00:00:00"}, {"2024-01-02T03:04", "2024-01-02 03:04:00"},
        {"2024-01-02T3:4:5", "2024-01-02 03:04:05"}, {"2024-01-02T03", "2024-01-02 03:00:00"}, {"2024-01-02T24:00:00", NULL}, {"2024-01-02T23:59:60", NULL},
        {"2024-02-30T00:00:00", NULL}, {"2024-13-01T00:00:00", NULL}, {" 2024-01-02T03:04:05 ", "2024-01-02 03:04:05"}, {"2024-01-02t03:04:05z", NULL},
        {"9999-12-31T23:59:59.999999", "9999-12-31 23:59:59.999999"}, {"+10000-01-01T00:00:00", "+10000-01-01 00:00:00"}, {"1700000000", NULL},
        {"2024-01-02T03:04:05-18:00", "2024-01-02 21:04:05"}, {"2024-01-02T03:04:05+19:00", NULL}, {"2024-01-02T03:04:05.", "2024-01-02 03:04:05"},
        {"2024-01-02T03:04:05,123", NULL}, {"-0001-01-01T00:00:00", "-0001-01-01 00:00:00"}, {"2024-01-01 12:00Z", NULL}, {"2024-01-01 12:", NULL},
        {"2024-01-01 12:00:00+9", "2024-01-01 03:00:00"}, {"2024-01-01 12:00:00 EST", "2024-01-01 17:00:00"}, {"2024-01-01 12:00:00GMT+1", "2024-01-01 11:00:00"},
        {"2024-01-01 12:00:00+1:30", "2024-01-01 10:30:00"}, {"2024-01-01 12:00:00+01:3", "2024-01-01 10:57:00"}, {"2024-01-01 12:00:00 Foo", NULL},
        {"2024-01-01 12:00:00z", NULL}, {"2024-01-01  12:00:00", NULL}, {"12:30", NULL}, {"T12:30", NULL}, {"", NULL}, {"2024-01-01 12:00:00 ../../etc/passwd", NULL},
        {"294247-01-10 04:00:54.775807", "+294247-01-10 04:00:54.775807"}, {"294247-01-10 04:00:54.775808", NULL}, {"999999-01-01", NULL}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int64_t us;
        char text[TIMESTAMP_TEXT_MAX + 1] = "";
        size_t size = strlen(rows[i].text);
        char *copy = malloc(size ? size : 1);
        memcpy(copy, rows[i].text, size);
        bool good = cast_timestamp(copy, size, time_zone_utc(), &us);
        free(copy);
        if (good)
            text[print_timestamp(us, time_zone_utc(), text)] = 0;
        if (good != (rows[i].wanted != NULL) || (good && strcmp(text, rows[i].wanted) != 0))
            fail_msg("'%s' is %s, not %s", rows[i].text, good ? text : "bad", rows[i].wanted ? rows[i].wanted : "bad");
    }
}

static void damaged_common_shapes_are_refused(void **state)
{
    (void)state;
    static const char good[] = "2024-01-02T03:04:05.123Z";
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            text[at] = (char)byte;
            int64_t fast, slow;
            bool taken = cast_timestamp(text, sizeof good - 1, time_zone_utc(), &fast);
            char padded[sizeof good + 1] = " "; /* A leading blank goes the long way. */
            memcpy(padded + 1, text, sizeof good - 1);
            bool taken_slow = cast_timestamp(padded, sizeof good, time_zone_utc(), &slow);
            if (taken != taken_slow || (taken && fast != slow))
                fail_msg("byte %d at %zu", byte, at);
        }
    }
}

static void wall_clocks_refuse_zones(void **state)
{
    (void)state;
    int64_t us;
    assert_true(cast_timestamp_ntz("2024-01-02T03:04:05", 19, false, &us));
    assert_false(cast_timestamp_ntz("2024-01-02T03:04:05Z", 20, false, &us));
    assert_true(cast_timestamp_ntz("2024-01-02T03:04:05Z", 20, true, &us));
    assert_false(cast_timestamp_ntz("2024-01-02 03:04:05 +01:00", 26, false, &us));
    assert_true(cast_timestamp_ntz("2024-01-02 03:04:05 +01:00", 26, true, &us));
    assert_false(cast_timestamp_ntz("2024-01-02 03:04:05 Foo", 23, true, &us));
    assert_false(cast_timestamp_ntz("03:04:05", 8, true, &us));
}

static void gaps_go_forward_and_overlaps_take_the_earlier_offset(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
        const char *back;
    } rows[] = {{"2024-03-31 01:30:00", 1711845000000000, "2024-03-31 01:30:00"}, {"2024-03-31 02:30:00", 1711848600000000, "2024-03-31 03:30:00"},
                {"2024-10-27 02:30:00", 1729989000000000, "2024-10-27 02:30:00"}, {"2024-07-01 00:00:00", 1719784800000000, "2024-07-01 00:00:00"},
                {"1900-01-01 00:00:00", -2208989361000000, "1900-01-01 00:00:00"}, {"2424-07-01 12:00:00", 14342608800000000, "2424-07-01 12:00:00"}};
    const struct time_zone *paris = zone("Europe/Paris");
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int64_t us;
        char text[TIMESTAMP_TEXT_MAX + 1];
        assert_true(cast_timestamp(rows[i].text, strlen(rows[i].text), paris, &us));
        assert_true(us == rows[i].us);
        text[print_timestamp(us, paris, text)] = 0;
        assert_string_equal(text, rows[i].back);
    }
}

static void zones_are_found_once_and_by_javas_rules(void **state)
{
    (void)state;
    assert_ptr_equal(zone("Europe/Paris"), zone("Europe/Paris"));
    assert_ptr_equal(zone("UTC"), time_zone_utc());
    assert_true(time_zone_is_utc(zone("Z")) && time_zone_is_utc(zone("GMT")) && time_zone_is_utc(zone("Etc/UTC")));
    static const struct {
        const char *id, *name;
        int32_t offset;
    } rows[] = {{"+05:30", "+05:30", 19800}, {"-8", "-08:00", -28800}, {"UTC+1", "UTC+01:00", 3600}, {"GMT-0330", "GMT-03:30", -12600},
                {"EST", "-05:00", -18000}, {"PST", "America/Los_Angeles", -28800}, {"GMT0", "GMT0", 0}, {"UT", "UT", 0}, {"Etc/GMT+5", "Etc/GMT+5", -18000}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const struct time_zone *found = zone(rows[i].id);
        assert_string_equal(time_zone_name(found), rows[i].name);
        assert_int_equal(time_zone_offset_at(found, 0), rows[i].offset);
    }
    static const char *const bad[] = {"", "Foo", "europe/paris", "+19:00", "+1:2:3", "../passwd", "posix/UTC", "/etc/passwd", "UTC0", "Europe", "tzdata.zi", "+"};
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct error err = {0};
        assert_null(time_zone_find(bad[i], strlen(bad[i]), &err));
        assert_int_equal(err.condition, COND_INVALID_TIME_ZONE);
    }
}

static void writers_print_milliseconds_and_offsets(void **state)
{
    (void)state;
    char text[TIMESTAMP_TEXT_MAX + 1];
    text[print_timestamp_millis(1704164645123999, time_zone_utc(), text)] = 0;
    assert_string_equal(text, "2024-01-02T03:04:05.123Z");
    text[print_timestamp_millis(-2208989361000000, zone("Europe/Paris"), text)] = 0;
    assert_string_equal(text, "1900-01-01T00:00:00.000+00:09:21");
    text[print_timestamp_millis(-1, zone("-03:30"), text)] = 0;
    assert_string_equal(text, "1969-12-31T20:29:59.999-03:30");
    text[print_timestamp_iso(0, text)] = 0;
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    text[print_timestamp_ntz_millis(1500, text)] = 0;
    assert_string_equal(text, "1970-01-01T00:00:00.001");
    text[print_timestamp_ntz(INT64_MIN, text)] = 0;
    assert_string_equal(text, "-290308-12-21 19:59:05.224192");
    text[print_timestamp(INT64_MAX, zone("+18:00"), text)] = 0; /* Stays at the end of the range. */
    assert_string_equal(text, "+294247-01-10 04:00:54.775807");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_and_dates_agree_over_four_hundred_years),
        cmocka_unit_test(texts_are_cast_to_dates),
        cmocka_unit_test(texts_are_cast_to_timestamps),
        cmocka_unit_test(damaged_common_shapes_are_refused),
        cmocka_unit_test(wall_clocks_refuse_zones),
        cmocka_unit_test(gaps_go_forward_and_overlaps_take_the_earlier_offset),
        cmocka_unit_test(zones_are_found_once_and_by_javas_rules),
        cmocka_unit_test(writers_print_milliseconds_and_offsets),
    };
    return cmocka_run_group_tests_name("civil", tests, NULL, NULL);
}
