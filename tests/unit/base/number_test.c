/* number_test -- numbers to text and back: the C library and Java are the judges. */
#include "base/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void start_random(void)
{
    const char *given = getenv("INLET_SEED");
    seed = given ? strtoull(given, NULL, 10) : 88172645463325252u;
    print_message("# INLET_SEED=%llu\n", (unsigned long long)seed);
}

/* Exactly `size` bytes on the heap, so that a sanitizer sees a read behind them. */
static char *exact_copy(const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    return copy;
}

static void check_same_as_libc(const char *text)
{
    double wanted = strtod(text, NULL), got = 0;
    float wanted_float = strtof(text, NULL), got_float = 0;
    size_t size = strlen(text);
    char *copy = exact_copy(text, size);
    assert_true(parse_double(copy, size, &got));
    assert_true(parse_float(copy, size, &got_float));
    free(copy);
    if (memcmp(&wanted, &got, sizeof got) != 0 || memcmp(&wanted_float, &got_float, sizeof got_float) != 0)
        fail_msg("%s: %.17g, not %.17g; float %.9g, not %.9g", text, got, wanted, (double)got_float, (double)wanted_float);
}

static void doubles_are_read_as_the_c_library_reads_them(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0", "-0", "1", "1e400", "-1e400", "1e-400", "4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
        "2.2250738585072011e-308", "2.2250738585072014e-308", "1.7976931348623159e308", "1.7976931348623157e308", "9007199254740993",
        "9007199254740993.0000000000000000000000000001", "0.000000000000000000000000000000000000001e39",
        "100000000000000000000000000000e-29", "1e-1000000000000000", "0e999999999999", "3.4028235677973366e38", "3.4028235677973365e38",
        "123456789012345678901234567890", ".5", "5.", "1e5", "1E+05", "+1.5", "1.4e-45", "7.0064923216240853546186479164495e-46"};
    for (size_t i = 0; i < COUNTOF(texts); i++)
        check_same_as_libc(texts[i]);
    start_random();
    char text[256];
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = next_random();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof text, "%.*e", (int)(next_random() % 30), value);
        check_same_as_libc(text);
        snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)next_random(), (unsigned long long)next_random(),
                 (int)(next_random() % 700) - 350);
        check_same_as_libc(text);
    }
}

static void mantissas_of_64_bits_are_rounded_as_the_c_library_does(void **state)
{
    (void)state;
    start_random();
    char text[64];
    for (int i = 0; i < 50000; i++) {
        uint64_t mantissa = next_random() >> next_random() % 64;
        if (i % 4 == 0) mantissa = (UINT64_C(1) << 53) + (next_random() % 64) - 32;
        int exponent = (int)(next_random() % (i % 2 ? 60 : 760)) - (i % 2 ? 30 : 380);
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)mantissa, exponent);
        double wanted = strtod(text, NULL), got = double_of_decimal(mantissa, exponent);
        if (memcmp(&wanted, &got, sizeof got) != 0) fail_msg("%s: %.17g, not %.17g", text, got, wanted);
    }
}

static void midpoints_of_many_digits_round_to_even(void **state)
{
    (void)state;
    start_random();
    char text[1600];
    for (int i = 0; i < 300; i++) {
        uint64_t bits = next_random() & INT64_MAX, above = bits + 1;
        double low, high;
        memcpy(&low, &bits, sizeof low);
        memcpy(&high, &above, sizeof high);
        if (!isfinite(low) || !isfinite(high))
            continue;
        snprintf(text, sizeof text, "%.800Le", ((long double)low + (long double)high) / 2);
        check_same_as_libc(text);
        strchr(text, 'e')[-1] = '1';
        check_same_as_libc(text);
    }
}

static void garbage_is_no_number(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "-", "+", ".", "-.", "e5", "1e", "1e+", "1,5", "0x1", "1 ", " 1", "--1", "1.2.3", "1e5.5", "abc"};
    double value;
    float single;
    int64_t integer;
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        size_t size = strlen(texts[i]);
        char *copy = exact_copy(texts[i], size);
        assert_false(parse_double(copy, size, &value));
        assert_false(parse_float(copy, size, &single));
        assert_false(parse_int64(copy, size, &integer));
        free(copy);
    }
}

static void javas_doubles_have_words_suffixes_and_hex(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } rows[] = {{" 1.5 ", 1.5}, {"1d", 1}, {"1.5f", 1.5}, {"0x1p3", 8}, {"0x.8p1", 1}, {"-0x1.8p0", -1.5}, {"0x1p-1080", 0},
                {"Infinity", INFINITY}, {"-Infinity", -INFINITY}, {"+1e3D", 1000}, {"0x1p5000", INFINITY}, {"0x1p-1074", 4.9e-324},
                {"0x1.00000000000008p0", 1}, {"0x1.000000000000081p0", 1.0000000000000002}};
    double value;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        assert_true(parse_double_java(rows[i].text, strlen(rows[i].text), &value));
        if (value != rows[i].value)
            fail_msg("%s: %g", rows[i].text, value);
    }
    assert_true(parse_double_java("NaN", 3, &value) && isnan(value));
    static const char *const bad[] = {"", " ", "nan", "Inf", "infinity", "0x1", "1dd", "1L", "0xp1", "d"};
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(parse_double_java(bad[i], strlen(bad[i]), &value));
    float single;
    assert_true(parse_float_java("0x1.000001p0", 12, &single) && single == 1.0f);
    assert_true(parse_float_java("0x1p128", 7, &single) && isinf(single));
}

static void doubles_are_printed_as_java_does(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0.0"}, {-0.0, "-0.0"}, {1, "1.0"}, {0.1, "0.1"}, {1e7, "1.0E7"}, {9999999, "9999999.0"}, {1e-3, "0.001"},
                {1e-4, "1.0E-4"}, {123456789, "1.23456789E8"}, {2e23, "2.0E23"}, {1e23, "1.0E23"}, {4.9e-324, "4.9E-324"},
                {9.9e-324, "9.9E-324"}, {1.7976931348623157e308, "1.7976931348623157E308"}, {NAN, "NaN"}, {-INFINITY, "-Infinity"},
                {12.5, "12.5"}, {100, "100.0"}, {2.2250738585072014E-308, "2.2250738585072014E-308"}, {0.00123, "0.00123"}};
    char text[DOUBLE_TEXT_MAX];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        size_t size = print_double_java(rows[i].value, text);
        assert_int_equal(size, strlen(rows[i].text));
        assert_memory_equal(text, rows[i].text, size);
    }
    static const struct {
        float value;
        const char *text;
    } floats[] = {{1.4e-45f, "1.4E-45"}, {3.4028235e38f, "3.4028235E38"}, {0.1f, "0.1"}, {1.5f, "1.5"}, {16777216.0f, "1.6777216E7"}};
    for (size_t i = 0; i < COUNTOF(floats); i++) {
        size_t size = print_float_java(floats[i].value, text);
        assert_int_equal(size, strlen(floats[i].text));
        assert_memory_equal(text, floats[i].text, size);
    }
}

static void what_is_printed_reads_back_and_fits(void **state)
{
    (void)state;
    start_random();
    char text[DOUBLE_TEXT_MAX];
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = next_random();
        uint32_t low = (uint32_t)bits;
        double value, back;
        float single, single_back;
        memcpy(&value, &bits, sizeof value);
        memcpy(&single, &low, sizeof single);
        size_t size = print_double_java(value, text);
        assert_in_range(size, 3, DOUBLE_TEXT_MAX);
        assert_true(isnan(value) || (parse_double_java(text, size, &back) && memcmp(&back, &value, sizeof back) == 0));
        size = print_float_java(single, text);
        assert_true(isnan(single) || (parse_float_java(text, size, &single_back) && memcmp(&single_back, &single, 4) == 0));
    }
}

static void integers_have_their_whole_range(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, 12345678901, INT64_MAX, INT64_MIN, -1000000};
    char text[INT64_TEXT_MAX];
    int64_t back;
    for (size_t i = 0; i < COUNTOF(values); i++) {
        size_t size = print_int64(values[i], text);
        assert_true(parse_int64(text, size, &back) && back == values[i]);
    }
    static const char *const bad[] = {"9223372036854775808", "-9223372036854775809", "1.0", "1e2", "99999999999999999999"};
    for (size_t i = 0; i < COUNTOF(bad); i++)
        assert_false(parse_int64(bad[i], strlen(bad[i]), &back));
    assert_true(parse_int64("+0000000000000000000000007", 26, &back) && back == 7);
    assert_true(parse_int64_java("\u0661\u0662", 4, &back) && back == 12);
    assert_true(parse_int64_java("-\uFF11", 4, &back) && back == -1);
    assert_false(parse_int64_java("\u0661x", 3, &back));
    assert_false(parse_int64_java("\xD9", 1, &back));
}

static void check_decimal(const char *text, int precision, int scale, const char *wanted)
{
    int128 value;
    bool overflow;
    char out[DECIMAL_TEXT_MAX + 1];
    size_t size = strlen(text);
    char *copy = exact_copy(text, size);
    bool good = parse_decimal(copy, size, precision, scale, &value, &overflow);
    free(copy);
    if (good)
        out[print_decimal_plain(value, scale, out)] = 0;
    const char *got = good ? out : overflow ? "overflow" : "bad";
    if (strcmp(got, wanted) != 0)
        fail_msg("%s as decimal(%d,%d) is %s, not %s", text, precision, scale, got, wanted);
}

static void decimals_round_half_up_and_overflow(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int precision, scale;
        const char *wanted;
    } rows[] = {{"1", 10, 2, "1.00"}, {"1.005", 10, 2, "1.01"}, {"-1.005", 10, 2, "-1.01"}, {"99999999.994", 10, 2, "99999999.99"},
                {"99999999.995", 10, 2, "overflow"}, {"1e3", 10, 2, "1000.00"}, {"1e-2", 10, 2, "0.01"}, {"+1", 10, 2, "1.00"},
                {".5", 3, 1, "0.5"}, {"5.", 3, 1, "5.0"}, {"0.004", 3, 2, "0.00"}, {"0.005", 3, 2, "0.01"}, {"1.5.5", 10, 2, "bad"},
                {"", 10, 2, "bad"}, {"-", 10, 2, "bad"}, {".", 10, 2, "bad"}, {"1e", 10, 2, "bad"}, {" 1", 10, 2, "bad"}, {"1d", 10, 2, "bad"},
                {"99999999999999999999999999999999999999", 38, 0, "99999999999999999999999999999999999999"},
                {"100000000000000000000000000000000000000", 38, 0, "overflow"}, {"1e38", 38, 0, "overflow"}, {"1e37", 38, 1, "overflow"},
                {"9999999999999999999999999999999999999.9", 37, 0, "overflow"}, {"0.5e-38", 38, 38, "0.00000000000000000000000000000000000001"},
                {"0.49999999999999999999999999999999999999999999", 5, 0, "0"}, {"0.50000000000000000000000000000000000000000001", 5, 0, "1"},
                {"123456789012345678901234567890123456785e-1", 38, 0, "12345678901234567890123456789012345679"},
                {"1e-2000000000", 5, 2, "0.00"}, {"1e2000000000", 5, 2, "overflow"}, {"1e3000000000", 5, 2, "bad"}, {"0e2000000000", 5, 2, "0.00"},
                {"000000000000000000000000000000000000000000001.25", 3, 1, "1.3"}};
    for (size_t i = 0; i < COUNTOF(rows); i++)
        check_decimal(rows[i].text, rows[i].precision, rows[i].scale, rows[i].wanted);
}

static void decimals_are_printed_plain_and_as_big_decimal(void **state)
{
    (void)state;
    char out[DECIMAL_TEXT_MAX + 1];
    static const struct {
        int64_t unscaled;
        int scale;
        const char *plain, *java;
    } rows[] = {{1000, 10, "0.0000001000", "1.000E-7"}, {0, 10, "0.0000000000", "0E-10"}, {1, 10, "0.0000000001", "1E-10"}, {110, 2, "1.10", "1.10"},
                {-5, 1, "-0.5", "-0.5"}, {7, 0, "7", "7"}, {1, 6, "0.000001", "0.000001"}, {1, 7, "0.0000001", "1E-7"}, {0, 6, "0.000000", "0.000000"}};
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        out[print_decimal_plain(rows[i].unscaled, rows[i].scale, out)] = 0;
        assert_string_equal(out, rows[i].plain);
        out[print_decimal_java(rows[i].unscaled, rows[i].scale, out)] = 0;
        assert_string_equal(out, rows[i].java);
    }
    int128 most = 1;
    for (int i = 0; i < 38; i++)
        most *= 10;
    out[print_decimal_plain(-(most - 1), 38, out)] = 0;
    assert_string_equal(out, "-0.99999999999999999999999999999999999999");
}

static void locales_have_their_own_separators(void **state)
{
    (void)state;
    static const struct {
        const char *locale, *text, *wanted;
    } rows[] = {{"en-US", "1,234.56", "1234.56"}, {"en-US", "1,2,3", "123.00"}, {"en-US", "1e3", "1000.00"}, {"en-US", "+1", "1.00"}, {"en-US", " 1", "bad"},
                {"de-DE", "1.234,56", "1234.56"}, {"de-DE", "1,5", "1.50"}, {"de-DE", "1234", "1234.00"}, {"de-DE", "1,234.56", "bad"},
                {"de-DE", "1234.56", "123456.00"}, {"de-DE", "+1", "bad"}, {"de-DE", "1.", "bad"}, {"de-DE", "1,", "1.00"}, {"de-DE", "", "bad"},
                {"de-DE", "-1.000,005", "-1000.01"}, {"de", "1,5", "1.50"}, {"de_AT", "1\u00A0234,5", "1234.50"}, {"de-CH", "1\u2019234.5", "1234.50"},
                {"fr-FR", "1\u202F234,5", "1234.50"}, {"en-GB", "1,2,3.5", "123.50"}, {"es-MX", "1,234.5", "1234.50"}, {"es-ES", "1.234,5", "1234.50"},
                {"de-DE", "1E2", "100.00"}, {"de-DE", "1e2", "bad"}, {"sv-SE", "\u22121,5", "-1.50"}, {"en-US", "123456789", "bad"},
                /* Only en-US is BigDecimal's grammar; elsewhere exponents and minus signs are the locale's. */
                {"en", "1e3", "bad"}, {"en", "1E3", "1000.00"}, {"el-GR", "1e3", "1000.00"}, {"el-GR", "1E3", "bad"},
                {"sv-SE", "1\u00D710^3", "1000.00"}, {"sv-SE", "5\u00D710^\u22121", "0.50"}, {"uk", "1\u04153", "1000.00"},
                {"ar", "-5", "bad"}, {"ar", "\u061C-5", "-5.00"}, {"he", "\u200E-5", "-5.00"},
                {"de-DE", "1E", "bad"}, {"de-DE", "1E-\u0661", "0.10"}, {"de-DE", "1E99999999999", "bad"}};
    char out[DECIMAL_TEXT_MAX + 1];
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int128 value;
        bool good = parse_decimal_locale(rows[i].text, strlen(rows[i].text), rows[i].locale, 10, 2, &value);
        if (good)
            out[print_decimal_plain(value, 2, out)] = 0;
        if (strcmp(good ? out : "bad", rows[i].wanted) != 0)
            fail_msg("%s in %s is %s, not %s", rows[i].text, rows[i].locale, good ? out : "bad", rows[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_are_read_as_the_c_library_reads_them),
        cmocka_unit_test(mantissas_of_64_bits_are_rounded_as_the_c_library_does),
        cmocka_unit_test(midpoints_of_many_digits_round_to_even),
        cmocka_unit_test(garbage_is_no_number),
        cmocka_unit_test(javas_doubles_have_words_suffixes_and_hex),
        cmocka_unit_test(doubles_are_printed_as_java_does),
        cmocka_unit_test(what_is_printed_reads_back_and_fits),
        cmocka_unit_test(integers_have_their_whole_range),
        cmocka_unit_test(decimals_round_half_up_and_overflow),
        cmocka_unit_test(decimals_are_printed_plain_and_as_big_decimal),
        cmocka_unit_test(locales_have_their_own_separators),
    };
    return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
