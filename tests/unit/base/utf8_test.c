/* utf8_test -- all validators agree; Java's replacement characters; encodings both ways. */
#include "base/utf8.h"
#include "base/utf8_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void assert_valid(const void *text, size_t size, bool wanted)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, text, size);
    bool valid;
    for (enum utf8_variant variant = UTF8_SCALAR; variant <= UTF8_AVX2; variant++) {
        if (utf8_valid_with(variant, copy, size, &valid) && valid != wanted)
            fail_msg("variant %d says %d of %zu bytes", variant, valid, size);
    }
    assert_true(utf8_valid(copy, size) == wanted);
    free(copy);
}

static void ill_formed_sequences_are_found_at_every_position(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC3\x28", "\xE2\x28\xA1", "\xF0\x9F\x28\x80"};
    static const char *const good[] = {"a", "\u00E9", "\u20AC", "\U0001F600", "\uD7FF", "\uE000", "\U0010FFFF", "\u0800", "\U00010000"};
    char text[140];
    for (size_t at = 0; at < 100; at++) {
        for (size_t i = 0; i < COUNTOF(bad); i++) {
            memset(text, 'x', sizeof text);
            memcpy(text + at, bad[i], strlen(bad[i]));
            assert_valid(text, at + strlen(bad[i]), false);
            assert_valid(text, sizeof text, false);
        }
        for (size_t i = 0; i < COUNTOF(good); i++) {
            memset(text, 'x', sizeof text);
            memcpy(text + at, good[i], strlen(good[i]));
            assert_valid(text, at + strlen(good[i]), true);
            assert_valid(text, sizeof text, true);
        }
    }
    assert_valid("", 0, true);
}

static void variants_agree_on_random_damage(void **state)
{
    (void)state;
    for (int round = 0; round < 50000; round++) {
        uint8_t text[160];
        size_t size = 0, wanted = next_random() % 150;
        while (size < wanted) {
            uint32_t code = (uint32_t)(next_random() % (next_random() % 3 ? 0x80 : 0x110000));
            size += utf8_encode(code, text + size);
        }
        if (size > 0 && next_random() % 2)
            text[next_random() % size] = (uint8_t)next_random();
        bool valid;
        assert_true(utf8_valid_with(UTF8_SCALAR, text, size, &valid));
        assert_valid(text, size, valid);
    }
}

static void assert_repaired(const char *text, size_t size, const char *wanted)
{
    struct buffer out = {0};
    utf8_repair(&out, (const uint8_t *)text, size);
    assert_string_equal(buffer_string(&out), wanted);
    buffer_free(&out);
}

static void replacement_characters_are_javas(void **state)
{
    (void)state;
    assert_repaired("\xFF"
                    "A\xC3\xE2\x82\xF0\x9F\x98",
                    8, "\uFFFDA\uFFFD\uFFFD\uFFFD");
    assert_repaired("\xED\xA0\x80", 3, "\uFFFD");
    assert_repaired("\xED\xA0x", 3, "\uFFFDx");
    assert_repaired("\xE0\x80\x80", 3, "\uFFFD\uFFFD\uFFFD");
    assert_repaired("\xC0\x80", 2, "\uFFFD\uFFFD");
    assert_repaired("\xE2\x82(", 3, "\uFFFD(");
    assert_repaired("abc\u00E9", 5, "abc\u00E9");
    assert_repaired("", 0, "");
}

static void charsets_are_found_by_javas_names(void **state)
{
    (void)state;
    assert_int_equal(charset_find("latin1"), CHARSET_ISO_8859_1);
    assert_int_equal(charset_find("iso-8859-1"), CHARSET_ISO_8859_1);
    assert_int_equal(charset_find("UTF8"), CHARSET_UTF8);
    assert_int_equal(charset_find("utf_16le"), CHARSET_UTF16LE);
    assert_int_equal(charset_find("windows-1252"), CHARSET_UNKNOWN);
    assert_int_equal(charset_find(""), CHARSET_UNKNOWN);
    assert_string_equal(charset_name(CHARSET_UTF16BE), "UTF-16BE");
}

static void text_survives_every_wide_encoding(void **state)
{
    (void)state;
    static const char text[] = "a\u00E9\u20AC\U0001F600z";
    for (enum charset charset = CHARSET_UTF8; charset < CHARSET_UNKNOWN; charset++) {
        if (charset == CHARSET_ISO_8859_1 || charset == CHARSET_US_ASCII)
            continue;
        struct buffer coded = {0}, back = {0};
        charset_from_utf8(charset, &coded, (const uint8_t *)text, strlen(text));
        charset_to_utf8(charset, &back, coded.data, coded.size);
        assert_string_equal(buffer_string(&back), text);
        buffer_free(&coded);
        buffer_free(&back);
    }
    struct buffer out = {0};
    charset_from_utf8(CHARSET_ISO_8859_1, &out, (const uint8_t *)text, strlen(text));
    assert_string_equal(buffer_string(&out), "a\xE9??z");
    buffer_clear(&out);
    charset_to_utf8(CHARSET_UTF16, &out, (const uint8_t *)"\xFF\xFE\x41\x00\x3D\xD8", 6); /* A mark, A, half a pair. */
    assert_string_equal(buffer_string(&out), "A\uFFFD");
    buffer_clear(&out);
    charset_to_utf8(CHARSET_UTF16, &out, (const uint8_t *)"\x00\x41\x00", 3); /* Big-endian without a mark; an odd byte. */
    assert_string_equal(buffer_string(&out), "A\uFFFD");
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ill_formed_sequences_are_found_at_every_position),
        cmocka_unit_test(variants_agree_on_random_damage),
        cmocka_unit_test(replacement_characters_are_javas),
        cmocka_unit_test(charsets_are_found_by_javas_names),
        cmocka_unit_test(text_survives_every_wide_encoding),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
