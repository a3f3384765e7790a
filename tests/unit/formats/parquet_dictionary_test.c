/* parquet_dictionary: equal texts and only those share an index, whatever sizes stand beside each other. */
#include "formats/parquet_values.h"
#include "tests/unit/fixture.h"

enum { COUNT = 5000, SIZE_MAX_TRIED = 80, DATA_MAX = COUNT * SIZE_MAX_TRIED + 64 };

static uint8_t data[DATA_MAX];
static int32_t offsets[COUNT + 1];
static uint16_t indices[COUNT], expected[COUNT];

static uint32_t seed = 1;
static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

/* Texts of the sizes given, of few letters, so that many are equal or differ in one byte or in their size only. */
static struct dense texts(uint32_t count, uint32_t shortest, uint32_t longest, uint32_t letters)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = shortest + draw(longest - shortest + 1), changed = size ? draw(size) : 0;
        offsets[i] = (int32_t)at;
        memset(data + at, 0, size);
        if (size) data[at + changed] = (uint8_t)draw(letters);
        at += size;
    }
    offsets[count] = (int32_t)at;
    memset(data + at, 0xA5, 64);
    return (struct dense){.kind = DENSE_BYTES, .count = count, .offsets = offsets, .data = data};
}

static uint32_t first_equal(uint32_t i)
{
    size_t size = (size_t)(offsets[i + 1] - offsets[i]);
    for (uint32_t j = 0; j < i; j++)
        if ((size_t)(offsets[j + 1] - offsets[j]) == size && memcmp(data + offsets[i], data + offsets[j], size) == 0) return j;
    return i;
}

static void number_values(uint32_t count)
{
    uint16_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = first_equal(i);
        expected[i] = first < i ? expected[first] : next++;
    }
}

static void test_texts(void **state)
{
    static const uint32_t sizes[][2] = {{0, 0}, {0, 8}, {8, 8}, {1, 9}, {0, 16}, {15, 17}, {16, 16}, {0, 32}, {31, 33}, {32, 32}, {0, 40}, {33, 80}, {0, 80}};
    (void)state;
    for (size_t s = 0; s < COUNTOF(sizes); s++)
        for (uint32_t part = 1; part <= COUNT; part = part * 7 + 1) { /* As many at a time; so groups end anywhere. */
            struct dense dense = texts(1500, sizes[s][0], sizes[s][1], 3);
            struct dictionary dictionary;
            number_values(dense.count);
            dictionary_init(&dictionary, DENSE_BYTES);
            for (uint32_t start = 0; start < dense.count; start += part) {
                uint32_t count = dense.count - start < part ? dense.count - start : part;
                assert_int_equal(dictionary_add(&dictionary, &dense, start, count, indices + start), count);
            }
            assert_memory_equal(indices, expected, dense.count * sizeof *indices);
            dictionary_free(&dictionary);
        }
}

/* Found again after the table has grown, by groups whose longest text is another. */
static void test_growth(void **state)
{
    (void)state;
    struct dictionary dictionary;
    dictionary_init(&dictionary, DENSE_BYTES);
    for (uint32_t longest = 2; longest <= SIZE_MAX_TRIED; longest += 13) {
        struct dense dense = texts(COUNT, 0, 2, 200);
        uint32_t before = dictionary.count;
        assert_int_equal(dictionary_add(&dictionary, &dense, 0, COUNT, indices), COUNT);
        assert_true(longest == 2 || dictionary.count - before < 100); /* Some 600 such texts there are, nearly all met. */
        dense = texts(COUNT, longest, longest, 20);
        assert_int_equal(dictionary_add(&dictionary, &dense, 0, COUNT, indices), COUNT);
        memcpy(expected, indices, sizeof indices);
        before = dictionary.count;
        assert_int_equal(dictionary_add(&dictionary, &dense, 0, COUNT, indices), COUNT);
        assert_memory_equal(indices, expected, sizeof indices);
        assert_int_equal(dictionary.count, before);
    }
    dictionary_free(&dictionary);
}

static void test_too_long(void **state)
{
    (void)state;
    static uint8_t large[DICTIONARY_BYTES_MAX + 65];
    const int32_t ends[] = {0, 1, DICTIONARY_BYTES_MAX + 1};
    struct dense dense = {.kind = DENSE_BYTES, .count = 2, .offsets = ends, .data = large};
    struct dictionary dictionary;
    dictionary_init(&dictionary, DENSE_BYTES);
    assert_int_equal(dictionary_add(&dictionary, &dense, 0, 1, indices), 1);
    assert_true(dictionary_add(&dictionary, &dense, 0, 2, indices) < 2);
    dictionary_free(&dictionary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_growth), cmocka_unit_test(test_too_long)};
    return cmocka_run_group_tests(tests, start, stop);
}
