/* text_read -- text files: lines, separators, encodings, whole files; one range against two. The first byte chooses. */
#include "tests/fuzz/fuzz_reader.h"

static const struct fuzz_setup setups[] = {
    {"value STRING", {{NULL}}},
    {"value STRING", {{"wholetext", "true"}}},
    {"value STRING", {{"lineSep", "ab"}}},
    {"value STRING", {{"lineSep", "\r\n"}}},
    {"value STRING", {{"lineSep", "aab"}}},
};
static struct fuzz_reader readers[COUNTOF(setups)];

static void fuzz_one(struct slice input)
{
    size_t choice = fuzz_byte(&input) % COUNTOF(setups);
    struct fuzz_reader *reader = fuzz_reader_of(&readers[choice], &text_reader, &setups[choice]);
    const char *path = fuzz_file("a.txt", input);
    struct buffer scalar = {0}, best = {0};
    struct range_outcome outcome;
    setenv("INLET_ISA", "scalar", 1);
    fuzz_read_file(&text_reader, reader, path, &outcome, &scalar);
    unsetenv("INLET_ISA");
    fuzz_read_file(&text_reader, reader, path, &outcome, &best);
    fuzz_check_same(&scalar, &best, "scalar and best");
    if (input.size && text_reader.splittable(reader->reader, path)) {
        buffer_clear(&best);
        fuzz_read_halves(&text_reader, reader, path, (int64_t)(input.data[0] % input.size), &outcome, &best);
        fuzz_check_same(&scalar, &best, "cut in two");
    }
    buffer_free(&scalar);
    buffer_free(&best);
}
