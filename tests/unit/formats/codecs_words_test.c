/* codecs_words_test -- what is put word by word is what the library reads, for numbers of all kinds, at every phase and size. */
#include "formats/codecs.h"
#include "formats/codecs_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t seed = 20240607;

static uint64_t dice(uint64_t sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 20) % sides;
}

enum kind { SEQUENCE, SMALL, ROUND, TENTHS, RANDOM, SAME, FEW, TIMES, KIND_COUNT };

static uint64_t word_of(enum kind kind, size_t i)
{
    double real = 0;
    uint64_t word = 0;
    switch (kind) {
    case SEQUENCE: return i;
    case SMALL: return dice(10000000);
    case ROUND: real = (double)dice(10000000) * 10; break;
    case TENTHS: real = (double)dice(100000000) / 10; break;
    case RANDOM: return dice(UINT64_MAX) << 20 ^ dice(UINT64_MAX);
    case SAME: return UINT64_C(0x1122334455667788);
    case FEW: return dice(7) * UINT64_C(0x9E3779B97F4A7C15);
    case TIMES: return UINT64_C(1700000000000000) + i * 1000003 + dice(1000);
    case KIND_COUNT: break;
    }
    memcpy(&word, &real, 8);
    return word;
}

/* In memory of just that size, so that a sanitizer sees a byte read too many. */
static uint8_t *words(enum kind first, enum kind second, size_t head, size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size && i < head; i++) bytes[i] = (uint8_t)(i * 37);
    for (size_t at = head, i = 0; at < size; at += 8, i++) {
        uint64_t word = word_of(at < size / 2 ? first : second, i);
        memcpy(bytes + at, &word, size - at < 8 ? size - at : 8);
    }
    uint8_t *exact = realloc(bytes, size ? size : 1);
    assert_non_null(exact);
    return exact;
}

static void assert_unpacked(const struct buffer *packed, const uint8_t *bytes, size_t size)
{
    uint8_t *out = malloc(size + 1);
    size_t got;
    assert_non_null(out);
    assert_true(codec_snappy_block(slice_of(packed->data, packed->size), out, size, &got));
    assert_int_equal(got, size);
    if (size) assert_memory_equal(out, bytes, size);
    free(out);
}

static void put_size(struct buffer *out, size_t size)
{
    for (; size >= 0x80; size >>= 7) buffer_byte(out, (uint8_t)(size | 0x80));
    buffer_byte(out, (uint8_t)size);
}

static void check(enum kind first, enum kind second, size_t head, size_t size)
{
    struct buffer packed = {0};
    uint8_t *bytes = words(first, second, head, size);
    for (unsigned phase = 0; phase < 8; phase++) {
        buffer_clear(&packed);
        put_size(&packed, size);
        snappy_words_put(slice_of(bytes, size), phase, &packed);
        assert_unpacked(&packed, bytes, size);
        assert_true(packed.size <= size + size / 32 + 10);
    }
    buffer_clear(&packed);
    assert_true(codec_snappy_compress(slice_of(bytes, size), &packed));
    assert_unpacked(&packed, bytes, size);
    buffer_free(&packed);
    free(bytes);
}

static void every_short_size(void **state)
{
    (void)state;
    for (size_t size = 0; size < 300; size++) check((enum kind)(size % KIND_COUNT), (enum kind)(size / 8 % KIND_COUNT), size % 11, size);
}

static void sizes_at_the_seams(void **state)
{
    static const size_t seams[] = {2 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 144 << 10, 160 << 10, 256 << 10};
    (void)state;
    for (size_t i = 0; i < COUNTOF(seams); i++)
        for (size_t more = 0; more < 80; more += 1 + dice(20)) check((enum kind)dice(KIND_COUNT), (enum kind)dice(KIND_COUNT), dice(12), seams[i] - 40 + more);
}

static void every_kind_and_change_of_kind(void **state)
{
    (void)state;
    for (int first = 0; first < KIND_COUNT; first++)
        for (int second = 0; second < KIND_COUNT; second++) check((enum kind)first, (enum kind)second, dice(12), 300000 + dice(9));
}

static size_t packed_size(enum kind kind, size_t head)
{
    struct buffer packed = {0};
    uint8_t *bytes = words(kind, kind, head, 320000);
    assert_true(codec_snappy_compress(slice_of(bytes, 320000), &packed));
    size_t size = packed.size;
    buffer_free(&packed);
    free(bytes);
    return size;
}

/* Hundredths of the plain size, wherever in the word of the page the numbers begin. */
static void it_packs(void **state)
{
    (void)state;
    for (size_t head = 0; head < 8; head++) {
        assert_in_range(packed_size(SEQUENCE, head) * 100 / 320000, 45, 51);
        assert_in_range(packed_size(SMALL, head) * 100 / 320000, 60, 68);
        assert_in_range(packed_size(ROUND, head) * 100 / 320000, 65, 76);
        assert_in_range(packed_size(TENTHS, head) * 100 / 320000, 75, 90);
        assert_in_range(packed_size(RANDOM, head) * 100 / 320000, 100, 100);
        assert_in_range(packed_size(SAME, head) * 100 / 320000, 0, 5);
        assert_in_range(packed_size(FEW, head) * 100 / 320000, 5, 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_size),
        cmocka_unit_test(sizes_at_the_seams),
        cmocka_unit_test(every_kind_and_change_of_kind),
        cmocka_unit_test(it_packs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
