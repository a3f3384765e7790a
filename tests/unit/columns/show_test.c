/* The console table and values cast to text. */
#include "columns/show.h"
#include "tests/unit/fixture.h"

static struct session session;

static void set_text(struct column *column, const char *const *texts, uint32_t count)
{
    assert_true(column_reserve(column, NULL, count, &err));
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++) total += texts[i] ? strlen(texts[i]) : 0;
    assert_true(column_reserve_data(column, NULL, total + 1, &err));
    column->offsets[0] = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t size = texts[i] ? strlen(texts[i]) : 0;
        if (size) memcpy(column->data + column->offsets[i], texts[i], size);
        column->offsets[i + 1] = column->offsets[i] + (int32_t)size;
        if (!texts[i]) bit_clear(column->validity, i), column->null_count++;
    }
    column->length = count;
}

static void set_ints(struct column *column, const int32_t *values, uint32_t count)
{
    assert_true(column_reserve(column, NULL, count, &err));
    memcpy(column->values, values, count * sizeof *values);
    column->length = count;
}

static const char *print(const struct type *schema, const struct chunk *chunk, size_t limit, size_t truncate, bool full)
{
    struct buffer out = {0};
    error_clear(&err);
    struct show_table *table = show_table_new(schema, limit, truncate, &session);
    assert_int_equal(show_table_add(table, chunk, &err), !full);
    assert_false(error_is_set(&err));
    show_table_print(table, &out);
    show_table_free(table);
    const char *text = arena_strndup(arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

static void the_table_is_laid_out_as_sparks(void **state)
{
    (void)state;
    const struct type *schema = schema_parse_ddl(arena, "id INT, `a long name` STRING", &err);
    struct chunk chunk;
    chunk_init(&chunk, schema);
    set_ints(&chunk.columns[0], (const int32_t[]){1, -20, 3}, 3);
    set_text(&chunk.columns[1], (const char *const[]){"abcdefghijklmnopqrstuvwxyz", NULL, "x\ny\tz"}, 3);
    chunk.row_count = 3;
    assert_string_equal(print(schema, &chunk, 20, 20, false),
                        "+---+--------------------+\n| id|         a long name|\n+---+--------------------+\n|  1|abcdefghijklmnopq...|\n"
                        "|-20|                NULL|\n|  3|             x\\ny\\tz|\n+---+--------------------+\n");
    chunk_fini(&chunk);
}

static void rows_beyond_the_limit_are_said(void **state)
{
    (void)state;
    const struct type *schema = schema_parse_ddl(arena, "a INT", &err);
    struct chunk chunk;
    chunk_init(&chunk, schema);
    set_ints(&chunk.columns[0], (const int32_t[]){1, 2, 3}, 3);
    chunk.row_count = 3;
    assert_string_equal(print(schema, &chunk, 1, 20, true), "+---+\n|  a|\n+---+\n|  1|\n+---+\nonly showing top 1 row\n");
    assert_string_equal(print(schema, &chunk, 2, 0, true), "+---+\n|a  |\n+---+\n|1  |\n|2  |\n+---+\nonly showing top 2 rows\n");
    assert_string_equal(print(schema, &chunk, 3, 20, false), "+---+\n|  a|\n+---+\n|  1|\n|  2|\n|  3|\n+---+\n");
    uint32_t *selection = block_alloc(NULL, 2 * sizeof *selection, &err);
    selection[0] = 0;
    selection[1] = 2;
    chunk.selection = selection;
    chunk.selection_count = 2;
    assert_string_equal(print(schema, &chunk, 20, 20, false), "+---+\n|  a|\n+---+\n|  1|\n|  3|\n+---+\n");
    chunk_fini(&chunk);
}

static void full_width_characters_count_twice(void **state)
{
    (void)state;
    const struct type *schema = schema_parse_ddl(arena, "`名` STRING", &err);
    struct chunk chunk;
    chunk_init(&chunk, schema);
    set_text(&chunk.columns[0], (const char *const[]){"中文字", "ab", "\U0001F600"}, 3);
    chunk.row_count = 3;
    assert_string_equal(print(schema, &chunk, 20, 20, false), "+------+\n|    名|\n+------+\n|中文字|\n|    ab|\n|    \U0001F600|\n+------+\n");
    assert_string_equal(print(schema, &chunk, 20, 2, false), "+----+\n|  名|\n+----+\n|中文|\n|  ab|\n|  \U0001F600|\n+----+\n");
    chunk_fini(&chunk);
}

static void nested_values_have_their_texts(void **state)
{
    (void)state;
    const struct type *schema = schema_parse_ddl(arena, "l ARRAY<INT>, m MAP<STRING, INT>, s STRUCT<a: INT, b: BINARY>, n BINARY", &err);
    struct chunk chunk;
    chunk_init(&chunk, schema);
    struct column *list = &chunk.columns[0], *map = &chunk.columns[1], *structure = &chunk.columns[2];
    set_ints(&list->children[0], (const int32_t[]){1, 0}, 2);
    bit_clear(list->children[0].validity, 1);
    assert_true(column_reserve(list, NULL, 1, &err) && column_reserve(map, NULL, 1, &err) && column_reserve(structure, NULL, 1, &err));
    list->offsets[0] = map->offsets[0] = 0;
    list->offsets[1] = map->offsets[1] = 2;
    set_text(&map->children[0], (const char *const[]){"k", "v"}, 2);
    set_ints(&map->children[1], (const int32_t[]){7, 0}, 2);
    bit_clear(map->children[1].validity, 1);
    set_ints(&structure->children[0], (const int32_t[]){5}, 1);
    set_text(&structure->children[1], (const char *const[]){"\x01\xFF"}, 1);
    set_text(&chunk.columns[3], (const char *const[]){"AB"}, 1);
    list->length = map->length = structure->length = chunk.row_count = 1;
    struct buffer out = {0};
    for (size_t i = 0; i < 4; i++) {
        show_value(&chunk.columns[i], 0, &session, &out);
        buffer_byte(&out, ' ');
    }
    assert_string_equal(buffer_string(&out), "[1, null] {k -> 7, v -> null} {5, \x01\xFF} AB ");
    buffer_free(&out);
    const char *table = print(schema, &chunk, 20, 0, false);
    assert_non_null(strstr(table, "|[1, NULL]|{k -> 7, v -> NULL}|{5, [01 FF]}|[41 42]|\n"));
    chunk_fini(&chunk);
}

static void numbers_and_times_are_sparks(void **state)
{
    (void)state;
    const struct type *schema = schema_parse_ddl(arena, "a BOOLEAN, b TINYINT, c BIGINT, d DOUBLE, e DECIMAL(10,2), f DATE, g TIMESTAMP, h FLOAT", &err);
    struct chunk chunk;
    chunk_init(&chunk, schema);
    for (size_t i = 0; i < 8; i++) {
        assert_true(column_reserve(&chunk.columns[i], NULL, 1, &err));
        chunk.columns[i].length = 1;
    }
    bit_set(chunk.columns[0].values, 0);
    *(int8_t *)chunk.columns[1].values = -128;
    *(int64_t *)chunk.columns[2].values = INT64_MIN;
    *(double *)chunk.columns[3].values = 1e10;
    *(__int128 *)chunk.columns[4].values = -5;
    *(int32_t *)chunk.columns[5].values = 19724;
    *(int64_t *)chunk.columns[6].values = 1704164645120000;
    *(float *)chunk.columns[7].values = 0.1f;
    chunk.row_count = 1;
    assert_non_null(strstr(print(schema, &chunk, 1, 0, false), "|true|-128|-9223372036854775808|1.0E10|-0.05|2024-01-02|2024-01-02 03:04:05.12|0.1|\n"));
    chunk_fini(&chunk);
}

static void no_columns_and_no_rows_are_tables_too(void **state)
{
    (void)state;
    const struct type *none = schema_parse_ddl(arena, "", &err);
    struct chunk chunk;
    chunk_init(&chunk, none);
    chunk.row_count = 1;
    assert_string_equal(print(none, &chunk, 20, 20, false), "++\n||\n++\n||\n++\n");
    chunk_fini(&chunk);
}

static int start_here(void **state)
{
    session.zone = time_zone_utc();
    return start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_laid_out_as_sparks),
        cmocka_unit_test(rows_beyond_the_limit_are_said),
        cmocka_unit_test(full_width_characters_count_twice),
        cmocka_unit_test(nested_values_have_their_texts),
        cmocka_unit_test(numbers_and_times_are_sparks),
        cmocka_unit_test(no_columns_and_no_rows_are_tables_too),
    };
    return cmocka_run_group_tests_name("show", tests, start_here, stop);
}
