/* csv_fields_test -- the short ways of doubles, times and truth values against the long ones, on random and boundary texts. */
#include "formats/csv_fields.h"
#include "base/arena.h"
#include "base/civil.h"
#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

static uint32_t seed = 7;

static uint32_t pick(uint32_t count)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % count;
}

struct one {
    struct csv_settings settings;
    struct csv_target target;
    struct column column;
    struct csv_rows rows;
    struct arena *arena;
    struct error err;
    uint8_t text[256];
};

static void one_begin(struct one *one, const char *type)
{
    memset(one, 0, sizeof *one);
    error_clear(&one->err);
    one->arena = arena_new("test");
    const struct type *found = type_parse_ddl(one->arena, type, &one->err);
    assert_non_null(found);
    assert_true(csv_target_of(found, &one->target));
    column_init(&one->column, found);
    assert_true(column_reserve(&one->column, NULL, 64, &one->err));
    one->settings.zone = time_zone_utc();
    one->settings.nan_value = slice_text("NaN");
    one->settings.positive_inf = slice_text("Inf");
    one->settings.negative_inf = slice_text("-Inf");
    one->rows = (struct csv_rows){.settings = &one->settings, .columns = &one->column, .plain_words = true, .row = 3, .err = &one->err};
}

static void one_end(struct one *one)
{
    column_fini(&one->column);
    arena_free(one->arena);
}

/* Puts the text, with bytes behind it that would go on. */
static bool put(struct one *one, const char *text, size_t size)
{
    memset(one->text, "0.:9eZ"[pick(6)], sizeof one->text);
    memcpy(one->text, text, size);
    bit_set(one->column.validity, 3);
    return csv_put(&one->rows, &one->target, one->text, size);
}

static void check_double(struct one *one, const char *text, size_t size)
{
    double wanted = 0;
    bool good = parse_double_java(text, size, &wanted);
    if (!good && size == 3 && memcmp(text, "Inf", 3) == 0) return;
    if (!good && size == 4 && memcmp(text, "-Inf", 4) == 0) return;
    assert_int_equal(put(one, text, size), good);
    if (good) assert_memory_equal((double *)one->column.values + 3, &wanted, sizeof wanted);
}

static void doubles(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"0", "-0", "0.0", "-0.0", ".5", "5.", "-.5", "-", ".", "-.", "1.5.2", "007", "007.50", "9007199254740992", "9007199254740993",
        "900719925474099.2", "900719925474099.3", "0.000000000000001", "0.0000000000000001", "12345678.12345678", "123456789.123456789", "1234567890123456", "12345678901234567",
        "123456789012345678901234567890", "1e5", "1E-3", "+1", "1_0", "NaN", "Infinity", "-Infinity", "1d", "1f", "0x1p3", " 1", "1 ", "99999999", "9999999.9", "-99999999.99999999"};
    struct one one;
    one_begin(&one, "DOUBLE");
    for (size_t i = 0; i < COUNTOF(texts); i++) check_double(&one, texts[i], strlen(texts[i]));
    for (int round = 0; round < 200000; round++) {
        char text[48];
        size_t size = 0;
        if (pick(2)) text[size++] = '-';
        for (uint32_t n = pick(pick(4) ? 9 : 19); n; n--) text[size++] = (char)('0' + pick(10));
        if (pick(4)) text[size++] = '.';
        for (uint32_t n = pick(pick(4) ? 9 : 19); n; n--) text[size++] = (char)('0' + pick(10));
        if (!pick(50) && size) text[pick((uint32_t)size)] = "-+.eE xf/:"[pick(10)];
        if (size) check_double(&one, text, size);
    }
    one_end(&one);
}

/* The point in each place of a short number, and each byte in each place of it. */
static void short_doubles(void **unused)
{
    (void)unused;
    struct one one;
    one_begin(&one, "DOUBLE");
    for (size_t size = 1; size <= 10; size++)
        for (size_t point = 0; point <= size; point++)
            for (size_t odd = 0; odd < size; odd++)
                for (unsigned byte = 1; byte < 256; byte++) {
                    char text[16] = "-987654321";
                    size_t sign = pick(2);
                    memmove(text, text + 1 - sign, size + sign);
                    if (point < size) text[sign + point] = '.';
                    text[sign + odd] = (char)byte;
                    check_double(&one, text, sign + size);
                }
    one_end(&one);
}

static void timestamps(void **unused)
{
    (void)unused;
    struct one one;
    one_begin(&one, "TIMESTAMP");
    for (int round = 0; round < 200000; round++) {
        char text[64];
        int size = snprintf(text, sizeof text, "%04u-%02u-%02u%c%02u:%02u:%02u", pick(3) ? 1970 + pick(80) : pick(10000), pick(14), pick(33), "T T "[pick(4)], pick(25), pick(61), pick(61));
        if (pick(3)) size += snprintf(text + size, sizeof text - (size_t)size, ".%0*u", (int)pick(8) + 1, pick(100000));
        if (pick(2)) text[size++] = 'Z';
        if (!pick(20)) text[pick((uint32_t)size)] = "-+.:Z 0x/"[pick(9)];
        if (!pick(20)) size = (int)pick((uint32_t)size) + 1;
        int64_t wanted = 0;
        bool good = cast_timestamp(text, (size_t)size, one.settings.zone, &wanted);
        assert_int_equal(put(&one, text, (size_t)size), good);
        if (good) assert_int_equal(((int64_t *)one.column.values)[3], wanted);
    }
    one_end(&one);
}

static void dates(void **unused)
{
    (void)unused;
    struct one one;
    one_begin(&one, "DATE");
    for (int round = 0; round < 100000; round++) {
        char text[64];
        int size = snprintf(text, sizeof text, "%04u-%02u-%02u", pick(3) ? 1970 + pick(80) : pick(10000), pick(14), pick(33));
        if (!pick(10)) text[pick((uint32_t)size)] = "-+.:Z 0x/"[pick(9)];
        int32_t wanted = 0;
        bool good = cast_date(text, (size_t)size, &wanted);
        assert_int_equal(put(&one, text, (size_t)size), good);
        if (good) assert_int_equal(((int32_t *)one.column.values)[3], wanted);
    }
    one_end(&one);
}

static void truth_values(void **unused)
{
    (void)unused;
    static const char *const words[] = {"true", "false", "TRUE", "False", "tRuE", "fALSE", "trues", "fals", "alse", "ffalse", "xalse", "true ", "1", "T", "\x54rue", "\x46" "alse", "\x14rue", "&alse"};
    struct one one;
    one_begin(&one, "BOOLEAN");
    for (size_t i = 0; i < COUNTOF(words); i++) {
        size_t size = strlen(words[i]);
        bool yes = strcasecmp(words[i], "true") == 0, no = strcasecmp(words[i], "false") == 0;
        assert_int_equal(put(&one, words[i], size), yes || no);
        if (yes || no) assert_int_equal(bit_get(one.column.values, 3), yes);
    }
    one_end(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles),
        cmocka_unit_test(short_doubles),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(dates),
        cmocka_unit_test(truth_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
