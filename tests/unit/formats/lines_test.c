/* lines_test -- framing against a plain splitter, at every seam; ranges; records too long; scanners of all instruction sets. */
#include "formats/lines.h"
#include "formats/structurals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/inlet-lines-XXXXXX";
static uint64_t seed = 20240607;

static uint32_t dice(uint32_t sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % sides;
}

static void random_text(struct buffer *out, size_t size, const char *alphabet)
{
    buffer_clear(out);
    for (size_t i = 0; i < size; i++) buffer_byte(out, (uint8_t)alphabet[dice((uint32_t)strlen(alphabet))]);
}

/* The plain splitter: appends "byte:text;" for each record. */
static void split_plainly(const struct buffer *text, const char *separator, struct buffer *out)
{
    size_t at = 0, size = separator ? strlen(separator) : 0;
    while (at < text->size) {
        size_t end = at;
        while (end < text->size) {
            if (separator ? text->size - end >= size && memcmp(text->data + end, separator, size) == 0 : text->data[end] == '\n' || text->data[end] == '\r') break;
            end++;
        }
        buffer_printf(out, "%zu:", at);
        buffer_append(out, text->data + at, end - at);
        buffer_text(out, ";");
        if (end == text->size) break;
        if (separator) at = end + size;
        else at = end + (text->data[end] == '\r' && end + 1 < text->size && text->data[end + 1] == '\n' ? 2 : 1);
    }
}

static void append_records(struct lines *lines, struct buffer *out)
{
    struct line line;
    struct error err;
    enum lines_pull pull;
    while ((pull = lines_next(lines, &line, &err)) == LINES_RECORD) {
        assert_false(line.oversize);
        assert_int_equal(line.data[line.size], 0);
        assert_int_equal(line.byte_end - line.byte, line.size);
        buffer_printf(out, "%lld:", (long long)line.byte);
        buffer_append(out, line.data, line.size);
        buffer_text(out, ";");
    }
    assert_int_equal(pull, LINES_END);
}

static void write_text(const struct buffer *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (text->size) assert_int_equal(fwrite(text->data, 1, text->size, file), text->size);
    assert_int_equal(fclose(file), 0);
}

static void range_of_file(struct lines *lines, const struct lines_spec *spec, int64_t start, int64_t end, struct buffer *out)
{
    struct error err;
    struct object_stat stat;
    struct input *input = input_open(&local_store, path, lines_open_at(spec, start), end, NULL, &stat, &err);
    assert_non_null(input);
    lines_begin(lines, input, start, end);
    append_records(lines, out);
    input_close(input);
}

static void records_are_those_of_the_plain_splitter(void **state)
{
    (void)state;
    static const char *const separators[] = {NULL, "\n", "|", "##", "<>", "abc"};
    struct buffer text = {0}, expected = {0}, got = {0};
    for (int round = 0; round < 300; round++) {
        const char *separator = separators[dice(COUNTOF(separators))];
        struct lines_spec spec = {.separator = (const uint8_t *)separator, .separator_size = separator ? strlen(separator) : 0, .block_size = 1 + dice(40)};
        struct lines *lines = lines_new(&spec, NULL);
        random_text(&text, dice(200), separator && separator[0] == 'a' ? "abcx" : "ab\n\r#|<>");
        buffer_clear(&expected);
        buffer_clear(&got);
        split_plainly(&text, separator, &expected);
        struct input *input = input_memory(slice_of(text.data, text.size), 0);
        lines_begin(lines, input, 0, -1);
        append_records(lines, &got);
        assert_string_equal(buffer_string(&got), buffer_string(&expected));
        input_close(input);
        lines_free(lines);
    }
    buffer_free(&text);
    buffer_free(&expected);
    buffer_free(&got);
}

static void ranges_cut_anywhere_give_each_record_once(void **state)
{
    (void)state;
    static const char *const separators[] = {NULL, "\n", "##", "<>", "abc"};
    struct buffer text = {0}, expected = {0}, got = {0};
    for (int round = 0; round < 60; round++) {
        const char *separator = separators[dice(COUNTOF(separators) - 1)];
        struct lines_spec spec = {.separator = (const uint8_t *)separator, .separator_size = separator ? strlen(separator) : 0, .block_size = 8 + dice(40)};
        struct lines *lines = lines_new(&spec, NULL);
        random_text(&text, dice(120), "ab\n\r<>c");
        write_text(&text);
        buffer_clear(&expected);
        split_plainly(&text, separator, &expected);
        for (int cuts = 0; cuts < 10; cuts++) {
            buffer_clear(&got);
            for (int64_t at = 0, end; at < (int64_t)text.size; at = end) {
                end = at + 1 + (int64_t)dice(cuts == 0 ? 1 : 30);
                if (end > (int64_t)text.size) end = (int64_t)text.size;
                range_of_file(lines, &spec, at, end, &got);
            }
            assert_string_equal(buffer_string(&got), buffer_string(&expected));
        }
        lines_free(lines);
    }
    buffer_free(&text);
    buffer_free(&expected);
    buffer_free(&got);
}

static void a_record_too_long_is_one_byte_range(void **state)
{
    (void)state;
    for (int rest = 0; rest < 2; rest++) {
        struct buffer text = {0};
        struct lines_spec spec = {.block_size = 16, .record_max = 64};
        struct lines *lines = lines_new(&spec, NULL);
        struct line line;
        struct error err;
        buffer_text(&text, "one\n");
        for (int i = 0; i < 1000; i++) buffer_text(&text, "x");
        if (!rest) buffer_text(&text, "\r\ntwo\n");
        struct input *input = input_memory(slice_of(text.data, text.size), 0);
        lines_begin(lines, input, 0, -1);
        assert_int_equal(lines_next(lines, &line, &err), LINES_RECORD);
        assert_int_equal(line.size, 3);
        assert_int_equal(lines_next(lines, &line, &err), LINES_RECORD);
        assert_true(line.oversize);
        assert_null(line.data);
        assert_int_equal(line.byte, 4);
        assert_int_equal(line.byte_end, 1004);
        if (!rest) {
            assert_int_equal(lines_next(lines, &line, &err), LINES_RECORD);
            assert_memory_equal(line.data, "two", 4);
            assert_int_equal(line.byte, 1006);
        }
        assert_int_equal(lines_next(lines, &line, &err), LINES_END);
        assert_int_equal(lines_next(lines, &line, &err), LINES_END);
        input_close(input);
        lines_free(lines);
        buffer_free(&text);
    }
}

static void a_range_inside_one_long_record_owns_nothing(void **state)
{
    (void)state;
    struct buffer text = {0}, got = {0};
    struct lines_spec spec = {.block_size = 16, .record_max = 64};
    struct lines *lines = lines_new(&spec, NULL);
    for (int i = 0; i < 1000; i++) buffer_text(&text, "x");
    buffer_text(&text, "\nend\n");
    write_text(&text);
    range_of_file(lines, &spec, 300, 600, &got);
    assert_int_equal(got.size, 0);
    range_of_file(lines, &spec, 600, 1005, &got);
    assert_string_equal(buffer_string(&got), "1001:end;");
    lines_free(lines);
    buffer_free(&text);
    buffer_free(&got);
}

static void separators_that_overlap_themselves_cannot_be_split(void **state)
{
    (void)state;
    static const struct { const char *separator; bool splittable; } cases[] = {{"\n", true}, {"##", false}, {"<>", true}, {"abab", false}, {"aba", false}, {"abc", true}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct lines_spec spec = {.separator = (const uint8_t *)cases[i].separator, .separator_size = strlen(cases[i].separator)};
        assert_int_equal(lines_splittable(&spec), cases[i].splittable);
    }
}

static void scanners_of_all_instruction_sets_agree(void **state)
{
    (void)state;
    struct buffer text = {0};
    for (int round = 0; round < 2000; round++) {
        random_text(&text, dice(300), round % 2 ? "abcdefgh\"\\\n\r\x01\x1f \x80\xff" : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\"\r");
        memset(buffer_reserve(&text, 64), '\n', 64);
        size_t from = dice((uint32_t)text.size + 1);
        for (int isa = ISA_SCALAR; isa <= (int)isa_choose(); isa++) {
            assert_int_equal(line_end_scanner((enum isa)isa)(text.data, from, text.size), line_end_scanner(ISA_SCALAR)(text.data, from, text.size));
            assert_int_equal(string_end_scanner((enum isa)isa)(text.data, from, text.size), string_end_scanner(ISA_SCALAR)(text.data, from, text.size));
        }
    }
    buffer_free(&text);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_those_of_the_plain_splitter),
        cmocka_unit_test(ranges_cut_anywhere_give_each_record_once),
        cmocka_unit_test(a_record_too_long_is_one_byte_range),
        cmocka_unit_test(a_range_inside_one_long_record_owns_nothing),
        cmocka_unit_test(separators_that_overlap_themselves_cannot_be_split),
        cmocka_unit_test(scanners_of_all_instruction_sets_agree),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
