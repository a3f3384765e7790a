/* partition_test -- resolving partitionBy, folder names as Spark gives them, sorting rows. */
#include "fixture.h"
#include "sinks/partition.h"

static bool layout_of(struct world *world, const char *const *names, size_t count, struct partition_layout *layout)
{
    return partition_layout_make(world->arena, world->spec.schema, names, count, &world->session, layout, &world->err);
}

static void unknown_column_is_refused_with_the_columns_there_are(void **state)
{
    (void)state;
    struct world *world = world_new("k STRING, b INT");
    struct partition_layout layout;
    const char *names[] = {"nope"};
    assert_false(layout_of(world, names, 1, &layout));
    assert_int_equal(world->err.condition, COND_INLET_PARTITION_COLUMN);
    assert_string_equal(world->err.message, "Partition column nope not found in existing columns (k, b)");
    world_free(world);
}

static void all_columns_nested_columns_and_twice_are_refused(void **state)
{
    (void)state;
    struct world *world = world_new("k STRING, b INT");
    struct partition_layout layout;
    const char *both[] = {"k", "b"}, *twice[] = {"k", "K"}, *nested[] = {"s"};
    assert_true(layout_of(world, both, 2, &layout));
    assert_false(partition_layout_needs_data(&layout, &world->err));
    assert_int_equal(world->err.condition, COND_ALL_PARTITION_COLUMNS);
    assert_false(layout_of(world, twice, 2, &layout));
    assert_int_equal(world->err.condition, COND_COLUMN_ALREADY_EXISTS);
    world_free(world);
    world = world_new("s STRUCT<a: INT>, b INT");
    assert_false(layout_of(world, nested, 1, &layout));
    assert_int_equal(world->err.condition, COND_INVALID_PARTITION_COLUMN_TYPE);
    assert_contains(world->err.message, "STRUCT<a: INT>");
    world_free(world);
}

static void names_match_without_case_and_keep_the_schemas_spelling(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, `K=y` STRING");
    struct partition_layout layout;
    const char *names[] = {"k=Y"};
    assert_true(layout_of(world, names, 1, &layout));
    assert_string_equal(layout.prefixes[0], "K%3Dy=");
    assert_int_equal(layout.data_schema->field_count, 1);
    assert_string_equal(layout.data_schema->fields[0].name, "a");
    world->session.case_sensitive = true;
    assert_false(layout_of(world, names, 1, &layout));
    world_free(world);
}

/* From Spark 4.2: cases sink_parquet_partition, _escapes, _escapes2. */
static const char *const folders[][2] = {
    {"x", "k=x"}, {"X", "k=X"}, {NULL, "k=__HIVE_DEFAULT_PARTITION__"}, {"", "k=__HIVE_DEFAULT_PARTITION__"}, {"a b", "k=a b"}, {"a\tb", "k=a%09b"},
    {"a\"b", "k=a%22b"}, {"a#b", "k=a%23b"}, {"a%b", "k=a%25b"}, {"a'b", "k=a%27b"}, {"a*b", "k=a%2Ab"}, {"a/b", "k=a%2Fb"}, {"a:b", "k=a%3Ab"},
    {"a=b", "k=a%3Db"}, {"a?b", "k=a%3Fb"}, {"a[b]", "k=a%5Bb%5D"}, {"a\\b", "k=a%5Cb"}, {"a^b", "k=a%5Eb"}, {"a{b}", "k=a%7Bb}"}, {"a&b", "k=a&b"},
    {"a+b", "k=a+b"}, {"a,b", "k=a,b"}, {"a~b", "k=a~b"}, {"\xc3\xa9", "k=\xc3\xa9"}, {" a", "k= a"}, {"..", "k=.."}, {".", "k=."}, {"a\nb", "k=a%0Ab"},
    {"a\x01" "b", "k=a%01b"}, {"a\x7f" "b", "k=a%7Fb"}, {"a<b>", "k=a<b>"}, {"a|b", "k=a|b"}, {"\xf0\x9f\x98\x80", "k=\xf0\x9f\x98\x80"},
    {"bad\xff", "k=bad\xef\xbf\xbd"},
};

static void folders_are_named_as_spark_names_them(void **state)
{
    (void)state;
    struct world *world = world_new("k STRING, a INT");
    struct partition_layout layout;
    const char *names[] = {"k"};
    assert_true(layout_of(world, names, 1, &layout));
    const char *cells[2 * COUNTOF(folders)];
    for (size_t i = 0; i < COUNTOF(folders); i++) {
        cells[2 * i] = folders[i][0];
        cells[2 * i + 1] = "1";
    }
    struct chunk chunk;
    make_chunk(world, &chunk, cells, COUNTOF(folders));
    struct partition_split *split = partition_split_new(&layout);
    const struct partition_rows *groups;
    size_t count;
    assert_true(partition_split_chunk(split, &chunk, world->context.budget, &groups, &count, &world->err));
    assert_int_equal(count, COUNTOF(folders) - 1); /* null and the empty text are one. */
    for (size_t g = 0; g < count; g++)
        for (uint32_t i = 0; i < groups[g].count; i++)
            assert_string_equal(partition_split_key(split, groups[g].partition)->folder, folders[groups[g].rows[i]][1]);
    partition_split_free(split);
    chunk_fini(&chunk);
    world_free(world);
}

static void rows_are_sorted_stably_and_numbers_last_over_chunks(void **state)
{
    (void)state;
    struct world *world = world_new("k INT, t TIMESTAMP, a INT");
    struct partition_layout layout;
    const char *names[] = {"k", "t"};
    assert_true(layout_of(world, names, 2, &layout));
    struct partition_split *split = partition_split_new(&layout);
    static const char *const first[] = {"2", "1500000", "0", "1", "0", "1", "2", "1500000", "2", NULL, NULL, "3"};
    static const char *const second[] = {"7", "0", "0", "1", "0", "1"};
    struct chunk chunk;
    const struct partition_rows *groups;
    size_t count;
    make_chunk(world, &chunk, first, 4);
    assert_true(partition_split_chunk(split, &chunk, world->context.budget, &groups, &count, &world->err));
    assert_int_equal(count, 3);
    assert_int_equal(groups[0].count, 2);
    assert_int_equal(groups[0].rows[0], 0);
    assert_int_equal(groups[0].rows[1], 2);
    assert_string_equal(partition_split_key(split, 0)->folder, "k=2/t=1970-01-01 00%3A00%3A01.5");
    assert_string_equal(partition_split_key(split, 2)->folder, "k=__HIVE_DEFAULT_PARTITION__/t=__HIVE_DEFAULT_PARTITION__");
    chunk_fini(&chunk);
    make_chunk(world, &chunk, second, 2);
    assert_true(partition_split_chunk(split, &chunk, world->context.budget, &groups, &count, &world->err));
    assert_int_equal(count, 2);
    assert_int_equal(groups[0].partition, 3);
    assert_int_equal(groups[1].partition, 1); /* As in the chunk before. */
    chunk_fini(&chunk);
    partition_split_free(split);
    world_free(world);
}

static void a_folder_name_that_no_file_system_takes_is_an_error_while_staging(void **state)
{
    (void)state;
    struct world *world = world_new("k STRING, a INT");
    struct partition_layout layout;
    const char *names[] = {"k"};
    assert_true(layout_of(world, names, 1, &layout));
    char text[300];
    memset(text, 'x', sizeof text);
    text[299] = 0;
    const char *cells[] = {text, "1"};
    struct chunk chunk;
    make_chunk(world, &chunk, cells, 1);
    struct partition_split *split = partition_split_new(&layout);
    const struct partition_rows *groups;
    size_t count;
    assert_false(partition_split_chunk(split, &chunk, world->context.budget, &groups, &count, &world->err));
    assert_int_equal(world->err.condition, COND_TASK_WRITE_FAILED);
    partition_split_free(split);
    chunk_fini(&chunk);
    world_free(world);
}

static bool split_cells(struct world *world, const struct partition_layout *layout, struct chunk *chunk, struct partition_split **split,
                        const struct partition_rows **groups, size_t *count)
{
    *split = partition_split_new(layout);
    error_clear(&world->err);
    return partition_split_chunk(*split, chunk, world->context.budget, groups, count, &world->err);
}

static void booleans_and_selected_rows_are_sorted(void **state)
{
    (void)state;
    struct world *world = world_new("k BOOLEAN, a INT");
    struct partition_layout layout;
    const char *names[] = {"k"};
    static const char *const cells[] = {"true", "0", "false", "1", NULL, "2", "true", "3", "false", "4"};
    uint32_t selection[] = {1, 3, 4};
    assert_true(layout_of(world, names, 1, &layout));
    struct chunk chunk;
    struct partition_split *split;
    const struct partition_rows *groups;
    size_t count;
    make_chunk(world, &chunk, cells, 5);
    assert_true(split_cells(world, &layout, &chunk, &split, &groups, &count));
    assert_int_equal(count, 3);
    partition_split_free(split);
    chunk.selection = selection;
    chunk.selection_count = 3;
    assert_true(split_cells(world, &layout, &chunk, &split, &groups, &count));
    assert_int_equal(count, 2);
    assert_string_equal(partition_split_key(split, groups[0].partition)->folder, "k=false");
    assert_int_equal(groups[0].count, 2);
    assert_int_equal(groups[0].rows[0], 1);
    assert_int_equal(groups[0].rows[1], 4);
    assert_string_equal(partition_split_key(split, groups[1].partition)->folder, "k=true");
    assert_int_equal(groups[1].rows[0], 3);
    chunk.selection = NULL;
    partition_split_free(split);
    chunk_fini(&chunk);
    world_free(world);
}

static void a_column_that_could_be_either_is_refused_as_ambiguous(void **state)
{
    (void)state;
    struct world *world = world_new("k STRING, K INT, a INT");
    struct partition_layout layout;
    const char *names[] = {"k"};
    world->session.case_sensitive = false;
    assert_false(layout_of(world, names, 1, &layout));
    assert_string_equal(world->err.message, "Partition column k is ambiguous in existing columns (k, K, a)");
    world->session.case_sensitive = true;
    assert_true(layout_of(world, names, 1, &layout));
    world_free(world);
}

static void folders_deeper_than_paths_can_be_are_an_error_while_staging(void **state)
{
    (void)state;
    enum { COLUMNS = 9 };
    static const char ddl[] = "a STRING, b STRING, c STRING, d STRING, e STRING, f STRING, g STRING, h STRING, i STRING, n INT";
    struct world *world = world_new(ddl);
    const char *names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"}, *cells[COLUMNS + 1];
    char text[241];
    struct partition_layout layout;
    assert_true(layout_of(world, names, COLUMNS, &layout));
    memset(text, 'x', sizeof text);
    text[240] = 0;
    for (int i = 0; i < COLUMNS; i++) cells[i] = text;
    cells[COLUMNS] = "1";
    struct chunk chunk;
    struct partition_split *split;
    const struct partition_rows *groups;
    size_t count;
    make_chunk(world, &chunk, cells, 1);
    assert_false(split_cells(world, &layout, &chunk, &split, &groups, &count));
    assert_int_equal(world->err.condition, COND_TASK_WRITE_FAILED);
    assert_contains(world->err.message, "have a path of 2186 bytes");
    partition_split_free(split);
    chunk_fini(&chunk);
    world_free(world);
}

static bool print_text(const struct column *column, size_t row, struct buffer *out)
{
    uint32_t start = (uint32_t)column->offsets[row], end = (uint32_t)column->offsets[row + 1];
    if (end - start == 2) return false; /* One that it takes for null. */
    buffer_append(out, column->data + start, end - start);
    return true;
}

static void values_beside_the_names_are_json_and_hold_no_nul(void **state)
{
    (void)state;
    struct world *world = world_new("k STRING, l STRING, a INT");
    struct partition_layout layout;
    const char *names[] = {"k", "l"};
    static const char *const cells[] = {"x\"y", NULL, "1", "no", "", "2", "1?1", "z", "3"};
    assert_true(layout_of(world, names, 2, &layout));
    layout.print_value = print_text;
    struct chunk chunk;
    struct partition_split *split;
    const struct partition_rows *groups;
    size_t count;
    make_chunk(world, &chunk, cells, 3);
    assert_true(split_cells(world, &layout, &chunk, &split, &groups, &count));
    assert_string_equal(partition_split_key(split, 0)->values, "[\"x\\\"y\",null]");
    assert_string_equal(partition_split_key(split, 1)->values, "[null,null]");
    assert_string_equal(partition_split_key(split, 2)->values, "[\"1?1\",\"z\"]");
    partition_split_free(split);
    *(uint8_t *)memchr(chunk.columns[0].data, '?', 8) = 0;
    assert_false(split_cells(world, &layout, &chunk, &split, &groups, &count));
    assert_string_equal(world->err.message, "a value of partition column k holds a NUL character");
    partition_split_free(split);
    chunk_fini(&chunk);
    world_free(world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_column_is_refused_with_the_columns_there_are),
        cmocka_unit_test(all_columns_nested_columns_and_twice_are_refused),
        cmocka_unit_test(names_match_without_case_and_keep_the_schemas_spelling),
        cmocka_unit_test(folders_are_named_as_spark_names_them),
        cmocka_unit_test(rows_are_sorted_stably_and_numbers_last_over_chunks),
        cmocka_unit_test(a_folder_name_that_no_file_system_takes_is_an_error_while_staging),
        cmocka_unit_test(booleans_and_selected_rows_are_sorted),
        cmocka_unit_test(a_column_that_could_be_either_is_refused_as_ambiguous),
        cmocka_unit_test(folders_deeper_than_paths_can_be_are_an_error_while_staging),
        cmocka_unit_test(values_beside_the_names_are_json_and_hold_no_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
