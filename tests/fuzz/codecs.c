/* codecs -- compressed files and Parquet's page codecs. The first byte chooses the codec, the second how much is read at once;
 * the bytes must come out the same however they are asked for, also from a thread that reads ahead
 * (of a block with a bad checksum, more or less of them). What a codec packed, it unpacks. */
#include "formats/input.h"
#include "tests/fuzz/fuzz.h"

enum { OUT_MAX = 4 << 20 };

/* Everything the file gives, up to OUT_MAX bytes, and how it ended. */
static void read_in_steps(const char *path, size_t step, bool ahead, struct buffer *out)
{
    struct error err = {0};
    struct object_stat stat;
    struct input *input = input_open(&local_store, path, 0, -1, NULL, &stat, &err);
    fuzz_check(input, "%s", err.message);
    if (ahead) input_read_ahead(input);
    size_t got = 1;
    bool ok = true;
    while (out->size < OUT_MAX && got) {
        ok = input_read(input, buffer_reserve(out, step), step, false, &got, &err);
        if (!ok) break;
        fuzz_check(got <= step, "%zu bytes were given, %zu asked for", got, step);
        out->size += got;
    }
    if (!ok) {
        fuzz_check_error(&err);
        fuzz_check(err.condition == COND_INLET_DAMAGED_FILE, "%s", err.message);
    }
    if (out->size > OUT_MAX) out->size = OUT_MAX;
    buffer_text(out, ok ? "." : "!");
    input_close(input);
}

/* A reader that has enough of it: the thread ends with the file open. */
static void stop_early(const char *path, size_t step)
{
    struct error err = {0};
    struct buffer out = {0};
    struct object_stat stat;
    size_t got;
    struct input *input = input_open(&local_store, path, 0, -1, NULL, &stat, &err);
    fuzz_check(input, "%s", err.message);
    input_read_ahead(input);
    if (!input_read(input, buffer_reserve(&out, step), step, false, &got, &err)) fuzz_check_error(&err);
    input_close(input);
    buffer_free(&out);
}

static void check_file(enum codec codec, size_t step, struct slice input)
{
    char name[32];
    snprintf(name, sizeof name, "a.txt%s", codec_suffix(codec));
    const char *path = fuzz_file(name, input);
    struct buffer small = {0}, large = {0}, ahead = {0};
    read_in_steps(path, step, false, &small);
    read_in_steps(path, 1 << 20, false, &large);
    read_in_steps(path, step, true, &ahead);
    stop_early(path, step);
    bool good = small.data[small.size - 1] == '.';
    size_t least = (small.size < large.size ? small.size : large.size) - 1;
    fuzz_check((large.data[large.size - 1] == '.') == good, "damage depends on the steps");
    fuzz_check(!good || small.size == large.size, "steps of %zu give %zu bytes of %zu", step, small.size, large.size);
    fuzz_check(memcmp(small.data, large.data, least) == 0, "steps of %zu give other bytes", step);
    least = (small.size < ahead.size ? small.size : ahead.size) - 1;
    fuzz_check((ahead.data[ahead.size - 1] == '.') == good, "damage depends on the thread that reads ahead");
    fuzz_check(!good || small.size == ahead.size, "reading ahead gives %zu bytes of %zu", ahead.size, small.size);
    fuzz_check(memcmp(small.data, ahead.data, least) == 0, "reading ahead gives other bytes");
    buffer_free(&small);
    buffer_free(&large);
    buffer_free(&ahead);
}

static void check_round_trip(enum codec codec, struct slice input)
{
    struct error err = {0};
    struct buffer packed = {0}, out = {0};
    fuzz_check(codec_compress(codec, input, &packed, &err), "%s", err.message);
    char name[32];
    snprintf(name, sizeof name, "b.txt%s", codec_suffix(codec));
    read_in_steps(fuzz_file(name, slice_of(packed.data, packed.size)), 1 << 16, false, &out);
    fuzz_check(out.size == input.size + 1 && out.data[input.size] == '.', "%zu bytes became %zu", input.size, out.size);
    fuzz_check(input.size == 0 || memcmp(out.data, input.data, input.size) == 0, "other bytes came back");
    buffer_free(&packed);
    buffer_free(&out);
}

static void check_page(enum page_codec codec, size_t size, struct slice input)
{
    struct error err = {0};
    uint8_t *page = malloc(size ? size : 1);
    if (!page_decompress(codec, input, page, size, &err)) fuzz_check_error(&err);
    free(page);
}

static void fuzz_one(struct slice input)
{
    static const enum page_codec pages[] = {PAGE_UNCOMPRESSED, PAGE_SNAPPY, PAGE_GZIP, PAGE_LZ4_HADOOP, PAGE_ZSTD, PAGE_LZ4_RAW};
    unsigned choice = fuzz_byte(&input) % 20;
    size_t step = 1 + (size_t)fuzz_byte(&input) * 17;
    if (choice < 7) check_file((enum codec)choice, step, input);
    else if (choice < 14) check_round_trip((enum codec)(choice - 7), input);
    else check_page(pages[choice - 14], step, input);
}
