/* text_read_test -- the text reader: lines, whole files, byte order marks, damage. */
#include "formats/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/inlet-text-XXXXXX";
static char plain[64], zipped[64];

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size) assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Rows as "[..]" one after another; an error as "! CONDITION". */
static void expect_rows(const char *path, const char *schema, const char *option, const char *value, bool ignore_corrupt, const char *rows)
{
    struct arena *arena = arena_new("text test");
    struct inlet_context context;
    struct session session;
    struct options options;
    struct buffer warnings = {0}, out = {0};
    struct error err = {0};
    inlet_context_init(&context);
    assert_true(session_parse(arena, NULL, 0, &session, &warnings, &err));
    const struct option_spec *tables[] = {text_reader.options, file_options};
    struct option_input input = {option, value, 1};
    assert_true(options_parse(arena, "text", tables, 2, &input, option ? 1 : 0, "/", &options, &err));
    const struct type *type = schema_parse_ddl(arena, schema, &err);
    struct read_spec spec = {.schema = type, .file_schema = type, .corrupt_column = -1, .options = &options, .session = &session, .ignore_corrupt_files = ignore_corrupt};
    struct reader *reader = text_reader.open(&spec, arena, &err);
    if (!reader) buffer_printf(&out, "! %s", condition_name(err.condition));
    else {
        struct file_range range = {path, 0, -1, -1, -1};
        struct range_outcome outcome;
        struct chunk chunk;
        enum pull pull;
        struct scan *scan = text_reader.scan_new(reader, &context, &err);
        chunk_init(&chunk, type);
        text_reader.scan_begin(scan, &range, 1, &outcome);
        while ((pull = text_reader.scan_next(scan, &chunk, &err)) == PULL_CHUNK) {
            assert_true(column_check(&chunk.columns[0], &err));
            const int32_t *offsets = chunk.columns[0].offsets;
            for (uint32_t i = 0; i < chunk.row_count; i++) {
                buffer_text(&out, "[");
                buffer_append(&out, chunk.columns[0].data + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
                buffer_text(&out, "]");
            }
        }
        if (pull == PULL_FAILED) buffer_printf(&out, "! %s", condition_name(err.condition));
        else if (outcome.ignored_corrupt) buffer_text(&out, " ignored");
        chunk_fini(&chunk);
        text_reader.scan_free(scan);
    }
    assert_string_equal(buffer_string(&out), rows);
    buffer_free(&out);
    buffer_free(&warnings);
    inlet_context_fini(&context);
    arena_free(arena);
}

static void test_lines(void **state)
{
    (void)state;
    static const char text[] = "\xEF\xBB\xBFone\n\n  two \r\nthree\r\xEF\xBB\xBF\xFF" "four";
    write_file(plain, text, sizeof text - 1);
    expect_rows(plain, "value STRING", NULL, NULL, false, "[one][][  two ][three][\xEF\xBB\xBF\xFF" "four]");
    expect_rows(plain, "value STRING", "lineSep", "o", false, "[][ne\n\n  tw][ \r\nthree\r\xEF\xBB\xBF\xFF" "f][ur]");
    expect_rows(plain, "value STRING", "wholetext", "true", false, "[\xEF\xBB\xBFone\n\n  two \r\nthree\r\xEF\xBB\xBF\xFF" "four]");
    write_file(plain, "", 0);
    expect_rows(plain, "value STRING", NULL, NULL, false, "");
    expect_rows(plain, "value STRING", "wholetext", "true", false, "");
    write_file(plain, "\n", 1);
    expect_rows(plain, "value STRING", NULL, NULL, false, "[]");
}

static void test_refused(void **state)
{
    (void)state;
    expect_rows(plain, "line INT", NULL, NULL, false, "! UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE");
    expect_rows(plain, "a STRING, b STRING", NULL, NULL, false, "! INLET_TEXT_ONE_COLUMN");
    expect_rows(plain, "a STRING", "lineSep", "", false, "! INLET_BAD_OPTION_VALUE");
}

static void test_truncated(void **state)
{
    (void)state;
    struct buffer bytes = {0};
    struct error err = {0};
    assert_true(codec_compress(CODEC_GZIP, slice_text("one\ntwo\n"), &bytes, &err));
    write_file(zipped, bytes.data, bytes.size);
    expect_rows(zipped, "value STRING", NULL, NULL, false, "[one][two]");
    write_file(zipped, bytes.data, bytes.size - 6);
    expect_rows(zipped, "value STRING", NULL, NULL, false, "! FAILED_READ_FILE.NO_HINT");
    expect_rows(zipped, "value STRING", NULL, NULL, true, "[one][two] ignored");
    buffer_free(&bytes);
}

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    snprintf(plain, sizeof plain, "%s/a.txt", folder);
    snprintf(zipped, sizeof zipped, "%s/a.txt.gz", folder);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_refused), cmocka_unit_test(test_truncated)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(plain);
    unlink(zipped);
    rmdir(folder);
    return failed;
}
