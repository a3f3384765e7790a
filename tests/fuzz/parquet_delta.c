/* parquet_delta -- pages of the DELTA encodings and BYTE_STREAM_SPLIT, as the Parquet reader rewrites them: what comes out is
 * PLAIN, not more than was allowed, and all of it the page's. The first byte chooses encoding and type, the second the values
 * that the page's header allows. */
#include "formats/parquet_read.h"
#include "tests/fuzz/fuzz.h"

static const struct read_leaf leaves[] = {
    {.path = "i", .physical = PARQUET_INT32, .physical_width = 4},
    {.path = "l", .physical = PARQUET_INT64, .physical_width = 8},
    {.path = "s", .physical = PARQUET_BYTE_ARRAY},
    {.path = "f", .physical = PARQUET_FIXED, .physical_width = 5},
    {.path = "d", .physical = PARQUET_DOUBLE, .physical_width = 8},
    {.path = "b", .physical = PARQUET_BOOLEAN},
};
static const int32_t encodings[] = {PARQUET_DELTA_BINARY_PACKED, PARQUET_DELTA_LENGTH_BYTE_ARRAY, PARQUET_DELTA_BYTE_ARRAY, PARQUET_BYTE_STREAM_SPLIT};

/* Values of the PLAIN page; it must end with one. */
static int64_t count_values(const struct read_leaf *leaf, struct slice plain)
{
    int64_t count = 0;
    for (; plain.size; count++) {
        uint32_t size = leaf->physical_width;
        if (!size) {
            fuzz_check(plain.size >= 4, "a length is cut");
            memcpy(&size, plain.data, 4);
            plain = slice_of(plain.data + 4, plain.size - 4);
        }
        fuzz_check(size <= plain.size, "a value of %u bytes has %zu", size, plain.size);
        plain = slice_of(plain.data + size, plain.size - size);
    }
    return count;
}

static void fuzz_one(struct slice input)
{
    uint8_t choice = fuzz_byte(&input);
    int32_t encoding = encodings[choice % COUNTOF(encodings)];
    const struct read_leaf *leaf = &leaves[choice / COUNTOF(encodings) % COUNTOF(leaves)];
    int64_t most = fuzz_byte(&input) * 17;
    struct error err = {0};
    struct budget *budget = fuzz_context()->budget;
    size_t used = budget_used(budget), size = 0;
    char *bytes = fuzz_copy(input);
    void *plain = NULL;
    if (plain_from_delta(leaf, encoding, slice_of(bytes, input.size), most, budget, &plain, &size, &err)) {
        int64_t count = count_values(leaf, slice_of(plain, size));
        fuzz_check(encoding == PARQUET_BYTE_STREAM_SPLIT || count <= most, "%lld values of %lld", (long long)count, (long long)most);
    } else {
        fuzz_check_error(&err);
    }
    block_release(plain);
    free(bytes);
    fuzz_check(budget_used(budget) == used, "%zu bytes of blocks were left behind", budget_used(budget) - used);
}
