/* input_test -- codecs both ways, ranges, damage, several members. */
#include "formats/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const enum codec all_codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_BZIP2, CODEC_DEFLATE, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};
static char folder[] = "/tmp/inlet-input-XXXXXX";

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size) assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Mixed content: repetition and noise, longer than every internal buffer. */
static void make_text(struct buffer *out, size_t size)
{
    uint32_t seed = 12345;
    while (out->size < size) {
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 30) buffer_printf(out, "%u,some text that repeats,\n", seed);
        else buffer_append(out, &seed, 4);
    }
}

static bool ahead; /* All tests run twice: by the reading thread, and with one that decompresses ahead. */

static bool read_all(const char *path, size_t step, struct buffer *out, struct error *err)
{
    struct input *input = input_open(&local_store, path, 0, -1, NULL, NULL, err);
    if (!input) return false;
    if (ahead) input_read_ahead(input);
    size_t got;
    bool ok;
    while ((ok = input_read(input, buffer_reserve(out, step), step, false, &got, err)) && got) out->size += got;
    if (ok) ok = input_check_unchanged(input, err);
    input_close(input);
    return ok;
}

static void path_for(char *path, enum codec codec) { sprintf(path, "%s/x.csv%s", folder, codec_suffix(codec)); }

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 3, 1000, 196608, 196609, 3000000};
    for (size_t c = 0; c < COUNTOF(all_codecs); c++)
        for (size_t s = 0; s < COUNTOF(sizes); s++) {
            struct buffer plain = {0}, stored = {0}, back = {0};
            struct error err = {0};
            char path[100];
            make_text(&plain, sizes[s]);
            plain.size = sizes[s];
            assert_true(codec_compress(all_codecs[c], (struct slice){plain.data, plain.size}, &stored, &err));
            path_for(path, all_codecs[c]);
            write_file(path, stored.data, stored.size);
            assert_true(read_all(path, s % 2 ? 1000 : 1 << 20, &back, &err));
            assert_int_equal(back.size, plain.size);
            if (plain.size) assert_memory_equal(back.data, plain.data, plain.size);
            buffer_free(&plain);
            buffer_free(&stored);
            buffer_free(&back);
        }
}

static void test_concatenated_segments(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNTOF(all_codecs); c++) {
        struct buffer stored = {0}, back = {0};
        struct error err = {0};
        char path[100];
        for (int i = 0; i < 3; i++) assert_true(codec_compress(all_codecs[c], slice_text(i == 1 ? "" : "abc\n"), &stored, &err));
        path_for(path, all_codecs[c]);
        write_file(path, stored.data, stored.size);
        assert_true(read_all(path, 7, &back, &err));
        assert_string_equal(buffer_string(&back), "abc\nabc\n");
        buffer_free(&stored);
        buffer_free(&back);
    }
    assert_false(codec_concatenates(CODEC_DEFLATE));
    assert_true(codec_concatenates(CODEC_GZIP));
}

/* Every prefix is an error, never a short file; what could be decoded arrives first. */
static void test_truncated(void **state)
{
    (void)state;
    struct buffer plain = {0};
    make_text(&plain, 700000);
    for (size_t c = 1; c < COUNTOF(all_codecs); c++) {
        struct buffer stored = {0};
        struct error err = {0};
        char path[100];
        assert_true(codec_compress(all_codecs[c], (struct slice){plain.data, plain.size}, &stored, &err));
        path_for(path, all_codecs[c]);
        for (size_t cut = 1; cut < stored.size; cut += cut < 40 ? 1 : stored.size / 9) {
            struct buffer back = {0};
            write_file(path, stored.data, cut);
            bool ok = read_all(path, 100000, &back, &err);
            assert_true(back.size <= plain.size);
            if (back.size) assert_memory_equal(back.data, plain.data, back.size);
            if (ok) assert_true(all_codecs[c] == CODEC_SNAPPY || all_codecs[c] == CODEC_LZ4); /* Only between two blocks. */
            else assert_int_equal(err.condition, COND_INLET_DAMAGED_FILE);
            if (cut == stored.size / 2) assert_true(back.size > 0);
            buffer_free(&back);
        }
        buffer_free(&stored);
    }
    buffer_free(&plain);
}

static void test_trailing_zero_bytes(void **state)
{
    (void)state;
    struct buffer stored = {0}, back = {0};
    struct error err = {0};
    char path[100];
    assert_true(codec_compress(CODEC_GZIP, slice_text("abc\n"), &stored, &err));
    buffer_append(&stored, "\0\0\0\0\0\0\0\0\0\0\0", 11);
    path_for(path, CODEC_GZIP);
    write_file(path, stored.data, stored.size);
    assert_false(read_all(path, 100, &back, &err));
    assert_int_equal(err.condition, COND_INLET_DAMAGED_FILE);
    assert_string_equal(buffer_string(&back), "abc\n");
    buffer_free(&stored);
    buffer_free(&back);
}

/* Random damage: an error or other bytes, no crash, no endless loop. */
static void test_garbage(void **state)
{
    (void)state;
    struct buffer plain = {0};
    make_text(&plain, 30000);
    uint32_t seed = 7;
    for (size_t c = 1; c < COUNTOF(all_codecs); c++) {
        struct buffer stored = {0};
        struct error err = {0};
        char path[100];
        assert_true(codec_compress(all_codecs[c], (struct slice){plain.data, plain.size}, &stored, &err));
        path_for(path, all_codecs[c]);
        for (int round = 0; round < 60; round++) {
            struct buffer bad = {0}, back = {0};
            buffer_append(&bad, stored.data, stored.size);
            for (int k = 0; k <= round % 4; k++) {
                seed = seed * 1664525u + 1013904223u;
                bad.data[(seed >> 8) % (round % 3 ? bad.size : 16)] ^= (uint8_t)(seed >> 3);
            }
            write_file(path, bad.data, bad.size);
            (void)read_all(path, 5000, &back, &err);
            assert_true(back.size < 70u << 20);
            buffer_free(&bad);
            buffer_free(&back);
        }
        buffer_free(&stored);
    }
    buffer_free(&plain);
}

static void test_lz4_frame(void **state)
{
    (void)state;
    /* printf 'hello\nworld\n' | lz4 -c */
    static const uint8_t frame[] = {0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7, 0x0c, 0x00, 0x00, 0x80, 'h', 'e', 'l', 'l', 'o', '\n',
                                    'w', 'o', 'r', 'l', 'd', '\n', 0x00, 0x00, 0x00, 0x00, 0x30, 0x30, 0xf8, 0x06};
    char path[100];
    struct error err = {0};
    struct buffer back = {0}, twice = {0};
    path_for(path, CODEC_LZ4);
    buffer_append(&twice, frame, sizeof frame);
    buffer_append(&twice, frame, sizeof frame);
    write_file(path, twice.data, twice.size);
    assert_true(read_all(path, 5, &back, &err));
    assert_string_equal(buffer_string(&back), "hello\nworld\nhello\nworld\n");
    buffer_free(&back);
    buffer_free(&twice);
}

static void test_range(void **state)
{
    (void)state;
    char path[100], out[20];
    size_t got;
    struct error err = {0};
    struct object_stat stat;
    path_for(path, CODEC_NONE);
    write_file(path, "0123456789", 10);
    struct input *input = input_open(&local_store, path, 3, 6, NULL, &stat, &err);
    assert_non_null(input);
    assert_int_equal(stat.size, 10);
    assert_true(input_read(input, out, 20, false, &got, &err));
    assert_int_equal(got, 3);
    assert_memory_equal(out, "345", 3);
    assert_true(input_read(input, out, 20, false, &got, &err));
    assert_int_equal(got, 0);
    assert_true(input_read(input, out, 2, true, &got, &err));
    assert_int_equal(got, 2);
    assert_memory_equal(out, "67", 2);
    assert_true(input_check_unchanged(input, &err));
    write_file(path, "01234567890", 11);
    assert_false(input_check_unchanged(input, &err));
    assert_int_equal(err.condition, COND_INLET_FILE_CHANGED);
    input_close(input);
}

static void test_names(void **state)
{
    (void)state;
    enum codec codec;
    assert_int_equal(codec_of_path("/a/b.json.GZ"), CODEC_GZIP);
    assert_int_equal(codec_of_path("/a/b.zip"), CODEC_NONE);
    assert_int_equal(codec_of_path("/a.gz/b"), CODEC_NONE);
    assert_int_equal(codec_of_path("/a/b.zst"), CODEC_ZSTD);
    assert_true(codec_find("BZIP2", &codec));
    assert_int_equal(codec, CODEC_BZIP2);
    assert_true(codec_find("uncompressed", &codec));
    assert_int_equal(codec, CODEC_NONE);
    assert_false(codec_find("gz", &codec));
    assert_false(codec_find("zstd", &codec));
}

static void test_pages(void **state)
{
    (void)state;
    static const enum page_codec page_codecs[] = {PAGE_UNCOMPRESSED, PAGE_SNAPPY, PAGE_GZIP, PAGE_ZSTD, PAGE_LZ4_RAW};
    struct buffer plain = {0};
    struct error err = {0};
    make_text(&plain, 100000);
    uint8_t *back = malloc(plain.size + 1);
    for (size_t c = 0; c < COUNTOF(page_codecs); c++) {
        struct buffer page = {0};
        assert_true(page_compress(page_codecs[c], 0, (struct slice){plain.data, plain.size}, &page, &err));
        assert_true(page_decompress(page_codecs[c], (struct slice){page.data, page.size}, back, plain.size, &err));
        assert_memory_equal(back, plain.data, plain.size);
        assert_false(page_decompress(page_codecs[c], (struct slice){page.data, page.size}, back, plain.size + 1, &err));
        assert_false(page_decompress(page_codecs[c], (struct slice){page.data, page.size}, back, plain.size - 1, &err));
        assert_false(page_decompress(page_codecs[c], (struct slice){page.data, page.size / 2}, back, plain.size, &err));
        buffer_free(&page);
        assert_true(page_compress(page_codecs[c], 0, slice_text(""), &page, &err));
        assert_true(page_decompress(page_codecs[c], (struct slice){page.data, page.size}, back, 0, &err));
        buffer_free(&page);
    }
    free(back);
    buffer_free(&plain);
}

/* Closed before its end: the thread must not outlive the file. */
static void test_closed_early(void **state)
{
    (void)state;
    struct buffer plain = {0}, stored = {0};
    struct error err = {0};
    char path[100], part[5000];
    size_t got;
    make_text(&plain, 8000000);
    assert_true(codec_compress(CODEC_GZIP, (struct slice){plain.data, plain.size}, &stored, &err));
    path_for(path, CODEC_GZIP);
    write_file(path, stored.data, stored.size);
    for (size_t reads = 0; reads < 20; reads++) {
        struct input *input = input_open(&local_store, path, 0, -1, NULL, NULL, &err);
        assert_non_null(input);
        input_read_ahead(input);
        for (size_t i = 0; i < reads; i++) {
            assert_true(input_read(input, part, sizeof part, false, &got, &err));
            assert_int_equal(got, sizeof part);
            assert_memory_equal(part, plain.data + i * sizeof part, sizeof part);
        }
        input_close(input);
    }
    buffer_free(&stored);
    buffer_free(&plain);
}

static int read_alone(void **state) { (void)state; return ahead = false; }
static int read_with_thread(void **state) { (void)state; return !(ahead = true); }
#define ALONE(test) cmocka_unit_test_setup(test, read_alone)
#define AHEAD(test) {#test " ahead", test, read_with_thread, NULL, NULL}

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    const struct CMUnitTest tests[] = {
        ALONE(test_round_trip), ALONE(test_concatenated_segments), ALONE(test_truncated), ALONE(test_trailing_zero_bytes), ALONE(test_garbage),
        ALONE(test_lz4_frame), ALONE(test_range), ALONE(test_names), ALONE(test_pages),
        AHEAD(test_round_trip), AHEAD(test_concatenated_segments), AHEAD(test_truncated), AHEAD(test_trailing_zero_bytes), AHEAD(test_garbage),
        AHEAD(test_lz4_frame), AHEAD(test_closed_early),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t c = 0; c < COUNTOF(all_codecs); c++) {
        char path[100];
        path_for(path, all_codecs[c]);
        unlink(path);
    }
    rmdir(folder);
    return failed;
}
