/* digits_test -- numbers read by vectors against those read eight digits at a time, and these against the C library. */
#include "formats/digits_vector.h"
#include "formats/structurals.h"
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed = 20240607;

static uint32_t dice(uint32_t sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % sides;
}

typedef const uint8_t *(*number_fn)(const uint8_t *p, struct fast_number *number);

static const uint8_t *by_eights(const uint8_t *p, struct fast_number *number) { return fast_number(p, number); }
#if defined(__x86_64__)
DIGITS_AVX2 static const uint8_t *by_avx2(const uint8_t *p, struct fast_number *number) { return number_avx2(p, number); }
DIGITS_AVX512 static const uint8_t *by_avx512(const uint8_t *p, struct fast_number *number) { return number_avx512(p, number); }
static const number_fn numbers[] = {by_eights, by_avx2, by_avx512};
#else
static const number_fn numbers[] = {by_eights};
#endif

static void check_same(const struct fast_number *a, const struct fast_number *b)
{
    assert_int_equal(a->exponent, b->exponent);
    assert_int_equal(a->digits, b->digits);
    assert_int_equal(a->negative, b->negative);
    assert_int_equal(a->integer, b->integer);
    assert_int_equal(a->big, b->big);
    assert_true(a->mantissa == b->mantissa);
}

/* The text stands at the end of what it may be followed by: 64 bytes, which are no digits and some that are. */
static void check(const char *text, const char *behind)
{
    size_t size = strlen(text);
    uint8_t *copy = malloc(size + 64);
    assert_non_null(copy);
    memset(copy + size, dice(2) ? '7' : 0, 64);
    memcpy(copy, text, size);
    memcpy(copy + size, behind, strlen(behind) + 1);
    struct fast_number wanted = {0};
    const uint8_t *end = fast_number(copy, &wanted);
    for (int isa = ISA_SCALAR; isa <= (int)isa_choose(); isa++) {
        struct fast_number got = {0};
        const uint8_t *got_end = numbers[isa](copy, &got);
        if (got_end != end) fail_msg("%s (%s): %s ends at %td, not %td", text, behind, isa_name((enum isa)isa), got_end ? got_end - copy : -1, end ? end - copy : -1);
        if (end) check_same(&got, &wanted);
    }
    free(copy);
}

static void put_digits(struct buffer *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) buffer_byte(out, (uint8_t)('0' + dice(dice(5) ? 10 : 1)));
}

static void random_numbers_are_read_the_same_way(void **state)
{
    static const char *const behind[] = {",", "}", "]", " ", "", "x", "/", ":", ".", "e", "-", "\n", ",1", "\xff"};
    (void)state;
    struct buffer text = {0};
    for (int i = 0; i < 400000; i++) {
        buffer_clear(&text);
        if (dice(2)) buffer_text(&text, "-");
        put_digits(&text, dice(dice(3) ? 12 : 40));
        if (dice(2)) {
            buffer_text(&text, ".");
            put_digits(&text, dice(dice(3) ? 12 : 40));
        }
        if (dice(4) == 0) {
            buffer_text(&text, dice(2) ? "e" : "E");
            if (dice(3)) buffer_text(&text, dice(2) ? "+" : "-");
            put_digits(&text, dice(dice(6) ? 4 : 24));
        }
        check(buffer_string(&text), behind[dice(COUNTOF(behind))]);
    }
    buffer_free(&text);
}

static void every_place_of_the_point(void **state)
{
    (void)state;
    char text[64];
    for (int all = 1; all < 40; all++) {
        for (int whole = 0; whole <= all; whole++) {
            for (int sign = 0; sign < 2; sign++) {
                int at = 0;
                if (sign) text[at++] = '-';
                for (int i = 0; i < all; i++) {
                    if (i == whole) text[at++] = '.';
                    text[at++] = (char)('1' + (i * 7 + whole) % 9);
                }
                text[at] = 0;
                check(text, ",");
                check(text, "e5,");
            }
        }
    }
}

static void integers_have_their_value(void **state)
{
    (void)state;
    char text[32];
    for (int i = 0; i < 100000; i++) {
        uint64_t value = ((uint64_t)dice(1u << 30) << 30 | dice(1u << 30)) >> dice(60);
        snprintf(text, sizeof text, "%llu", (unsigned long long)value);
        uint8_t padded[96] = {0};
        memcpy(padded, text, strlen(text));
        for (int isa = ISA_SCALAR; isa <= (int)isa_choose(); isa++) {
            struct fast_number got;
            assert_ptr_equal(numbers[isa](padded, &got), padded + strlen(text));
            assert_true(got.big || got.mantissa == value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_numbers_are_read_the_same_way),
        cmocka_unit_test(every_place_of_the_point),
        cmocka_unit_test(integers_have_their_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
