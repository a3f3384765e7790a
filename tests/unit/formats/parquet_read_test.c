/* parquet_read_test -- the Parquet reader on files made byte by byte: old shapes, lies, bombs, garbage. What other writers
 * write is in tests/formats/parquet_read_crosscheck.py. */
#include "formats/parquet_read.h"
#include "formats/rows.h"
#include "formats/thrift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct arena *arena;
    struct inlet_context context;
    char path[64];
    struct error err;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    strcpy(world->path, "/tmp/inlet-parquet-XXXXXX");
    int fd = world ? mkstemp(world->path) : -1;
    if (fd < 0) return -1;
    close(fd);
    world->arena = arena_new("test");
    inlet_context_init(&world->context);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    unlink(world->path);
    inlet_context_fini(&world->context);
    arena_free(world->arena);
    free(world);
    return 0;
}

/* --- making files --- */

struct element {
    const char *name;
    int physical, repetition, children, converted; /* physical -1: a group; converted -1: none. */
};

struct page {
    int type, encoding, level_encoding;
    int32_t value_count;
    const char *bytes;
    size_t size;
};

static void write_elements(struct thrift_writer *writer, const struct element *elements, size_t count)
{
    thrift_field_list(writer, 2, THRIFT_STRUCT, count);
    for (size_t i = 0; i < count; i++) {
        thrift_struct_begin(writer);
        if (elements[i].physical >= 0) thrift_field_i32(writer, 1, elements[i].physical);
        if (i > 0) thrift_field_i32(writer, 3, elements[i].repetition);
        thrift_field_binary(writer, 4, slice_text(elements[i].name));
        if (elements[i].children) thrift_field_i32(writer, 5, elements[i].children);
        if (elements[i].converted >= 0) thrift_field_i32(writer, 6, elements[i].converted);
        thrift_struct_end(writer);
    }
}

static void write_page(struct buffer *out, const struct page *page)
{
    struct thrift_writer writer;
    thrift_writer_init(&writer, out);
    thrift_struct_begin(&writer);
    thrift_field_i32(&writer, 1, page->type);
    thrift_field_i32(&writer, 2, (int32_t)page->size);
    thrift_field_i32(&writer, 3, (int32_t)page->size);
    thrift_field_struct(&writer, page->type == PARQUET_DICTIONARY_PAGE ? 7 : 5);
    thrift_field_i32(&writer, 1, page->value_count);
    thrift_field_i32(&writer, 2, page->encoding);
    if (page->type == PARQUET_DATA_PAGE) {
        thrift_field_i32(&writer, 3, page->level_encoding);
        thrift_field_i32(&writer, 4, page->level_encoding);
    }
    thrift_struct_end(&writer);
    thrift_struct_end(&writer);
    buffer_append(out, page->bytes, page->size);
}

static void write_group(struct thrift_writer *writer, int physical, int64_t rows, int64_t values, int64_t size)
{
    thrift_field_list(writer, 4, THRIFT_STRUCT, 1);
    thrift_struct_begin(writer);
    thrift_field_list(writer, 1, THRIFT_STRUCT, 1);
    thrift_struct_begin(writer);
    thrift_field_i64(writer, 2, 4);
    thrift_field_struct(writer, 3);
    thrift_field_i32(writer, 1, physical);
    thrift_field_i32(writer, 4, PAGE_UNCOMPRESSED);
    thrift_field_i64(writer, 5, values);
    thrift_field_i64(writer, 6, size);
    thrift_field_i64(writer, 7, size);
    thrift_field_i64(writer, 9, 4);
    thrift_struct_end(writer);
    thrift_struct_end(writer);
    thrift_field_i64(writer, 2, size);
    thrift_field_i64(writer, 3, rows);
    thrift_struct_end(writer);
}

/* A file of one column and one row group. */
static void make_file(struct world *world, const struct element *elements, size_t element_count, const struct page *pages, size_t page_count,
                      int64_t rows, struct buffer *out)
{
    struct thrift_writer writer;
    int64_t values = 0;
    buffer_text(out, "PAR1");
    for (size_t i = 0; i < page_count; i++) {
        write_page(out, &pages[i]);
        if (pages[i].type == PARQUET_DATA_PAGE) values += pages[i].value_count;
    }
    size_t start = out->size;
    thrift_writer_init(&writer, out);
    thrift_struct_begin(&writer);
    thrift_field_i32(&writer, 1, 1);
    write_elements(&writer, elements, element_count);
    thrift_field_i64(&writer, 3, rows);
    write_group(&writer, elements[element_count - 1].physical, rows, values, (int64_t)start - 4);
    thrift_struct_end(&writer);
    uint32_t footer = (uint32_t)(out->size - start);
    buffer_append(out, &footer, 4);
    buffer_text(out, "PAR1");
    FILE *file = fopen(world->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(out->data, 1, out->size, file), out->size);
    assert_int_equal(fclose(file), 0);
}

static void put(struct world *world, const void *data, size_t size)
{
    FILE *file = fopen(world->path, "wb");
    assert_non_null(file);
    if (size) assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Reads the file as far as it goes; every chunk must keep the layout. Returns rows, or -1 after an error. */
static int64_t read_all(struct world *world, struct chunk *keep)
{
    struct arena *arena = arena_new("file");
    struct parquet_file *file = parquet_open(world->path, arena, &world->err);
    int64_t rows = file ? 0 : -1;
    if (file) {
        struct chunk chunk;
        enum pull pull;
        chunk_init(&chunk, parquet_schema(file));
        while ((pull = parquet_next(file, &chunk, &world->context, &world->err)) == PULL_CHUNK) {
            rows += chunk.row_count;
            for (size_t i = 0; i < chunk.schema->field_count; i++) assert_true(column_check(&chunk.columns[i], &world->err));
            if (keep)
                for (size_t i = 0; i < chunk.schema->field_count; i++) column_share(&keep->columns[i], &chunk.columns[i]);
            if (rows > 100000) break;
        }
        if (pull == PULL_FAILED) rows = -1;
        chunk_fini(&chunk);
        parquet_close(file);
    }
    if (rows < 0) assert_true(error_is_set(&world->err));
    arena_free(arena);
    return rows;
}

#define BYTES(text) (text), sizeof(text) - 1

/* --- shapes of old writers --- */

static const struct element bare_repeated[] = {{"root", -1, 0, 1, -1}, {"r", PARQUET_INT32, PARQUET_REPEATED, 0, -1}};
/* Three rows: [1, 2], [], [3]: repetition 0 1 0 0, definition 1 1 0 1; packed runs of 8. */
static const struct page repeated_page = {PARQUET_DATA_PAGE, PARQUET_PLAIN, PARQUET_RLE, 4,
                                          BYTES("\2\0\0\0\3\2" "\2\0\0\0\3\x0b" "\1\0\0\0\2\0\0\0\3\0\0\0")};

static void check_lists(struct world *world, const struct element *elements, size_t count)
{
    struct buffer bytes = {0};
    struct chunk kept = {.columns = calloc(1, sizeof(struct column))};
    make_file(world, elements, count, &repeated_page, 1, 3, &bytes);
    int64_t rows = read_all(world, &kept);
    if (rows != 3) fail_msg("%s %s", world->err.message, world->err.cause);
    const struct column *list = &kept.columns[0];
    assert_int_equal(list->type ? list->length : 0, 3);
    assert_int_equal(list->null_count, 0);
    static const int32_t offsets[] = {0, 2, 2, 3}, values[] = {1, 2, 3};
    assert_memory_equal(list->offsets, offsets, sizeof(offsets));
    assert_memory_equal(list->children[0].values, values, sizeof(values));
    column_fini(&kept.columns[0]);
    free(kept.columns);
    buffer_free(&bytes);
}

static void a_repeated_field_is_an_array(void **state) { check_lists(*state, bare_repeated, 2); }

static void two_level_lists_are_arrays(void **state)
{
    static const struct element elements[] = {{"root", -1, 0, 1, -1},
                                              {"l", -1, PARQUET_REQUIRED, 1, PARQUET_CONVERTED_LIST},
                                              {"array", PARQUET_INT32, PARQUET_REPEATED, 0, -1}};
    check_lists(*state, elements, 3);
}

static void a_required_element_group_is_looked_through(void **state)
{
    static const struct element elements[] = {{"root", -1, 0, 1, -1},
                                              {"l", -1, PARQUET_REQUIRED, 1, PARQUET_CONVERTED_LIST},
                                              {"list", -1, PARQUET_REPEATED, 1, -1},
                                              {"element", PARQUET_INT32, PARQUET_REQUIRED, 0, -1}};
    check_lists(*state, elements, 4);
}

static const char *schema_of(struct world *world, const struct element *elements, size_t count)
{
    struct buffer bytes = {0}, text = {0};
    make_file(world, elements, count, &repeated_page, 1, 3, &bytes);
    struct parquet_file *file = parquet_open(world->path, world->arena, &world->err);
    assert_non_null(file);
    schema_print_ddl(parquet_schema(file), &text);
    const char *ddl = arena_strdup(world->arena, buffer_string(&text));
    parquet_close(file);
    buffer_free(&bytes);
    buffer_free(&text);
    return ddl;
}

static void tuples_and_arrays_of_groups_keep_their_struct(void **state)
{
    static const char *const names[][2] = {{"l_tuple", "l ARRAY<STRUCT<x: INT>>"}, {"array", "l ARRAY<STRUCT<x: INT>>"}, {"bag", "l ARRAY<INT>"}};
    struct world *world = *state;
    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct element elements[] = {{"root", -1, 0, 1, -1},
                                     {"l", -1, PARQUET_OPTIONAL, 1, PARQUET_CONVERTED_LIST},
                                     {names[i][0], -1, PARQUET_REPEATED, 1, -1},
                                     {"x", PARQUET_INT32, PARQUET_OPTIONAL, 0, -1}};
        const char *ddl = schema_of(world, elements, 4);
        char flat[128] = "";
        for (const char *at = ddl; *at; at++) /* NOT NULL is not what this is about. */
            if (strncmp(at, " NOT NULL", 9) == 0) at += 8;
            else strncat(flat, at, 1);
        assert_string_equal(flat, names[i][1]);
    }
}

static void bit_packed_levels_are_read(void **state)
{
    static const struct element elements[] = {{"root", -1, 0, 1, -1}, {"a", PARQUET_INT32, PARQUET_OPTIONAL, 0, -1}};
    /* Definition 1 0 1, highest bit first. */
    static const struct page page = {PARQUET_DATA_PAGE, PARQUET_PLAIN, PARQUET_BIT_PACKED, 3, BYTES("\xa0" "\7\0\0\0\x09\0\0\0")};
    struct world *world = *state;
    struct buffer bytes = {0};
    struct chunk kept = {.columns = calloc(1, sizeof(struct column))};
    make_file(world, elements, 2, &page, 1, 3, &bytes);
    assert_int_equal(read_all(world, &kept), 3);
    static const int32_t values[] = {7, 0, 9};
    assert_memory_equal(kept.columns[0].values, values, sizeof(values));
    assert_int_equal(kept.columns[0].null_count, 1);
    assert_false(column_is_valid(&kept.columns[0], 1));
    column_fini(&kept.columns[0]);
    free(kept.columns);
    buffer_free(&bytes);
}

/* --- runs --- */

static void runs_are_decoded_at_every_width(void **state)
{
    (void)state;
    for (unsigned width = 0; width <= 32; width++) {
        uint8_t packed[1 + 4 * 32 + 8] = {0};
        uint32_t mask = width == 32 ? UINT32_MAX : (1u << width) - 1, expected[32], got[32];
        packed[0] = 4 << 1 | 1; /* Four groups of eight. */
        for (unsigned i = 0; i < 32; i++) {
            expected[i] = (i * 2654435761u) & mask;
            for (unsigned k = 0; k < width; k++)
                if (expected[i] >> k & 1) bit_set(packed + 1, i * width + k);
        }
        struct run_decoder decoder;
        run_decoder_init(&decoder, slice_of(packed, 1 + 4 * width), width);
        assert_true(run_decode(&decoder, got, 5));
        assert_true(run_decode(&decoder, got + 5, 27));
        assert_memory_equal(got, expected, sizeof(got));
        assert_false(run_decode(&decoder, got, 1));
    }
    struct run_decoder decoder;
    uint32_t out[4];
    run_decoder_init(&decoder, slice_of("\xff\xff\xff\xff\xff\xff", 6), 8);
    assert_false(run_decode(&decoder, out, 1));
    run_decoder_init(&decoder, slice_of("\4", 1), 8); /* A run without its value. */
    assert_false(run_decode(&decoder, out, 1));
    run_decoder_init(&decoder, slice_of(NULL, 0), 3);
    assert_false(run_decode(&decoder, out, 1));
}

/* --- lies --- */

static void every_cut_and_every_changed_byte_is_survived(void **state)
{
    struct world *world = *state;
    struct buffer bytes = {0};
    make_file(world, bare_repeated, 2, &repeated_page, 1, 3, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        put(world, bytes.data, size);
        error_clear(&world->err);
        assert_int_equal(read_all(world, NULL), -1);
    }
    static const uint8_t changes[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t at = 0; at < bytes.size; at++)
        for (size_t i = 0; i < COUNTOF(changes); i++) {
            uint8_t old = bytes.data[at];
            bytes.data[at] = changes[i];
            put(world, bytes.data, bytes.size);
            error_clear(&world->err);
            read_all(world, NULL);
            bytes.data[at] = old;
        }
    buffer_free(&bytes);
}

static void a_run_of_a_billion_elements_does_not_take_the_memory(void **state)
{
    struct world *world = *state;
    struct buffer bytes = {0};
    /* One row whose list has 2^30 nulls: a repetition run of one 0, then of ones. */
    static const struct element elements[] = {{"root", -1, 0, 1, -1},
                                              {"l", -1, PARQUET_OPTIONAL, 1, PARQUET_CONVERTED_LIST},
                                              {"list", -1, PARQUET_REPEATED, 1, -1},
                                              {"element", PARQUET_INT64, PARQUET_OPTIONAL, 0, -1}};
    static const struct page page = {PARQUET_DATA_PAGE, PARQUET_PLAIN, PARQUET_RLE, 1 << 30,
                                     BYTES("\x08\0\0\0\2\0\xfe\xff\xff\xff\x07\1" "\x06\0\0\0\x80\x80\x80\x80\x08\2")};
    make_file(world, elements, 4, &page, 1, 1, &bytes);
    budget_free(world->context.budget);
    world->context.budget = budget_new(64 << 20);
    assert_int_equal(read_all(world, NULL), -1);
    assert_int_equal(world->err.condition, COND_INLET_NO_MEMORY);
    assert_int_equal(budget_used(world->context.budget), 0);
    assert_true(budget_peak(world->context.budget) <= 64 << 20);
    buffer_free(&bytes);
}

static void a_repeated_dictionary_value_makes_small_chunks(void **state)
{
    static const struct element elements[] = {{"root", -1, 0, 1, -1}, {"s", PARQUET_BYTE_ARRAY, PARQUET_REQUIRED, 0, PARQUET_CONVERTED_UTF8}};
    struct world *world = *state;
    struct buffer value = {0}, bytes = {0};
    uint32_t size = 100000;
    buffer_append(&value, &size, 4);
    memset(buffer_reserve(&value, size), 'x', size);
    value.size += size;
    const struct page pages[] = {{PARQUET_DICTIONARY_PAGE, PARQUET_PLAIN, 0, 1, (const char *)value.data, value.size},
                                 {PARQUET_DATA_PAGE, PARQUET_RLE_DICTIONARY, PARQUET_RLE, 20000, BYTES("\1\xc0\xb8\x02\0")}};
    make_file(world, elements, 2, pages, 2, 20000, &bytes); /* 2 GB of text when written out. */
    budget_free(world->context.budget);
    world->context.budget = budget_new(32 << 20);
    int64_t rows = read_all(world, NULL);
    if (rows != 20000) fail_msg("%s", world->err.message);
    buffer_free(&value);
    buffer_free(&bytes);
}

static void wrong_counts_are_errors(void **state)
{
    struct world *world = *state;
    for (int64_t rows = 2; rows <= 4; rows++) {
        struct buffer bytes = {0};
        make_file(world, bare_repeated, 2, &repeated_page, 1, rows, &bytes);
        assert_int_equal(read_all(world, NULL), rows == 3 ? 3 : -1);
        if (rows != 3) assert_int_equal(world->err.condition, COND_FAILED_READ_FILE);
        buffer_free(&bytes);
    }
}

static void unknown_encodings_are_refused_by_name(void **state)
{
    static const struct element elements[] = {{"root", -1, 0, 1, -1}, {"a", PARQUET_INT64, PARQUET_REQUIRED, 0, -1}};
    struct world *world = *state;
    static const int unknown[] = {1, PARQUET_BIT_PACKED, PARQUET_BYTE_STREAM_SPLIT + 1, 77}; /* 1: GROUP_VAR_INT, never used. */
    for (size_t i = 0; i < COUNTOF(unknown); i++) {
        const int encoding = unknown[i];
        struct buffer bytes = {0};
        const struct page page = {PARQUET_DATA_PAGE, encoding, PARQUET_RLE, 1, BYTES("\0\0\0\0\0\0\0\0")};
        make_file(world, elements, 2, &page, 1, 1, &bytes);
        assert_int_equal(read_all(world, NULL), -1);
        assert_int_equal(world->err.condition, COND_FAILED_READ_FILE);
        assert_non_null(strstr(world->err.message, "which is not supported"));
        buffer_free(&bytes);
    }
}

static void what_is_not_parquet_says_so(void **state)
{
    static const char *const texts[] = {"", "PAR1", "PAR1PAR1PAR1", "PAR1\1\0\0\0PAR1", "{\"a\":1}{\"a\":1}", "PAR1xxxxxxxx\4\0\0\0PARE", "PAR1\xff\xff\xff\xffPAR1"};
    struct world *world = *state;
    int64_t rows;
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        put(world, texts[i], strlen(texts[i]));
        assert_int_equal(read_all(world, NULL), -1);
        assert_int_equal(world->err.condition, COND_FAILED_READ_FILE_CANNOT_READ_FOOTER);
        assert_false(parquet_count_rows(world->path, &rows, &world->err));
    }
    assert_false(parquet_count_rows("/nowhere/at/all", &rows, &world->err));
    assert_int_equal(world->err.condition, COND_FAILED_READ_FILE_NOT_EXIST);
    assert_false(parquet_count_rows("/tmp", &rows, &world->err));
}

static void rows_are_counted_from_the_footer(void **state)
{
    struct world *world = *state;
    struct buffer bytes = {0};
    int64_t rows = 0;
    make_file(world, bare_repeated, 2, &repeated_page, 1, 3, &bytes);
    assert_true(parquet_count_rows(world->path, &rows, &world->err));
    assert_int_equal(rows, 3);
    buffer_free(&bytes);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_repeated_field_is_an_array),
        TEST(two_level_lists_are_arrays),
        TEST(a_required_element_group_is_looked_through),
        TEST(tuples_and_arrays_of_groups_keep_their_struct),
        TEST(bit_packed_levels_are_read),
        TEST(runs_are_decoded_at_every_width),
        TEST(every_cut_and_every_changed_byte_is_survived),
        TEST(a_run_of_a_billion_elements_does_not_take_the_memory),
        TEST(a_repeated_dictionary_value_makes_small_chunks),
        TEST(wrong_counts_are_errors),
        TEST(unknown_encodings_are_refused_by_name),
        TEST(what_is_not_parquet_says_so),
        TEST(rows_are_counted_from_the_footer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
