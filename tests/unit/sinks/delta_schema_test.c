/* delta_schema_test -- which columns fit a table, how they are widened, what is told of those that do not; and memory that runs out meanwhile. */
#include "fixture.h"
#include "disturbed.h"
#include "sinks/delta_schema.h"

static const struct type *schema_of(struct world *world, const char *ddl)
{
    const struct type *schema = schema_parse_ddl(world->arena, ddl, &world->err);
    if (!schema) fail_msg("%s: %s", ddl, world->err.message);
    return schema;
}

/* Fits columns to a table of others; the fit lives in the world. */
static bool fit(struct world *world, const char *table, const char *batch, bool merge, struct delta_fit *out)
{
    struct delta_snapshot snapshot = {.version = 3, .metadata = {.schema = schema_of(world, table)}};
    error_clear(&world->err);
    return delta_schema_fit(world->arena, &snapshot, schema_of(world, batch), NULL, 0, merge, out, &world->err);
}

static const char *ddl_of(struct world *world, const struct type *schema)
{
    struct buffer text = {0};
    schema_print_ddl(schema, &text);
    const char *copy = arena_strdup(world->arena, buffer_string(&text));
    buffer_free(&text);
    return copy;
}

static void only_what_loses_no_value_is_widened(void **state)
{
    (void)state;
    static const struct { const char *table, *batch; bool fits, widens; } cases[] = {
        {"BIGINT", "TINYINT", true, true}, {"BIGINT", "INT", true, true}, {"SMALLINT", "TINYINT", true, true}, {"INT", "SMALLINT", true, true},
        {"INT", "BIGINT", false, false}, {"INT", "INT", true, false}, {"DOUBLE", "FLOAT", true, true}, {"FLOAT", "DOUBLE", false, false},
        {"DOUBLE", "INT", false, false}, {"BOOLEAN", "INT", false, false}, {"INT", "BOOLEAN", false, false}, {"STRING", "INT", false, false},
        {"INT", "STRING", false, false}, {"INT", "FLOAT", false, false}, {"DECIMAL(10, 2)", "DECIMAL(8, 2)", true, true},
        {"DECIMAL(10, 2)", "DECIMAL(10, 2)", true, false}, {"DECIMAL(10, 2)", "DECIMAL(10, 3)", false, false},
        {"DECIMAL(10, 2)", "DECIMAL(12, 2)", false, false}, {"DECIMAL(10, 2)", "DECIMAL(8, 1)", false, false}, {"DECIMAL(10, 0)", "INT", false, false},
        {"DOUBLE", "DECIMAL(10, 2)", false, false}, {"ARRAY<BIGINT>", "ARRAY<INT>", true, true}, {"ARRAY<INT>", "ARRAY<STRING>", false, false},
        {"MAP<STRING, BIGINT>", "MAP<STRING, INT>", true, true}, {"MAP<INT, INT>", "MAP<STRING, INT>", false, false},
        {"STRUCT<x: BIGINT>", "STRUCT<X: INT>", true, true}, {"STRUCT<x: BIGINT>", "STRUCT<y: BIGINT>", false, false}, {"DATE", "TIMESTAMP", false, false}};
    struct world *world = world_new("a INT");
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct delta_fit found;
        bool ok = fit(world, arena_printf(world->arena, "c %s", cases[i].table), arena_printf(world->arena, "C %s", cases[i].batch), false, &found);
        if (ok != cases[i].fits || (ok && found.widens != cases[i].widens)) fail_msg("%s into %s", cases[i].batch, cases[i].table);
        if (!ok) assert_int_equal(world->err.condition, COND_DELTA_METADATA_MISMATCH);
        if (ok) assert_string_equal(ddl_of(world, found.written), ddl_of(world, schema_of(world, arena_printf(world->arena, "c %s", cases[i].table))));
    }
    world_free(world);
}

static void every_difference_is_told_with_its_path(void **state)
{
    (void)state;
    struct world *world = world_new("a INT");
    struct delta_fit found;
    assert_false(fit(world, "a INT, s STRUCT<x: INT, l: ARRAY<INT>>, m MAP<STRING, INT>", "a STRING, s STRUCT<x: INT, l: ARRAY<STRING>, n: INT>, m MAP<STRING, DATE>, z INT", false, &found));
    assert_contains(world->err.message, "column `a` is STRING in the data but INT in the table; ");
    assert_contains(world->err.message, "column `s.l.element` is STRING in the data but INT in the table; ");
    assert_contains(world->err.message, "column `s.n` INT is not in the table; ");
    assert_contains(world->err.message, "column `m.value` is DATE in the data but INT in the table; ");
    assert_contains(world->err.message, "column `z` INT is not in the table");
    assert_contains(world->err.hint, "Cast the columns");
    world_free(world);
}

static void columns_are_added_at_the_end_also_of_structs(void **state)
{
    (void)state;
    struct world *world = world_new("a INT");
    struct delta_fit found;
    assert_true(fit(world, "a INT, l ARRAY<STRUCT<x: INT>>", "z DATE, L ARRAY<STRUCT<y: INT, X: INT>>", true, &found));
    assert_true(found.changes);
    assert_string_equal(ddl_of(world, found.table), "a INT,l ARRAY<STRUCT<x: INT, y: INT>>,z DATE");
    assert_string_equal(ddl_of(world, found.written), "z DATE,l ARRAY<STRUCT<y: INT, x: INT>>");
    assert_false(fit(world, "a INT", "a INT, `b c` INT", true, &found));
    assert_int_equal(world->err.condition, COND_DELTA_INVALID_COLUMN_NAMES);
    assert_false(fit(world, "a INT", "a STRING, b INT", true, &found)); /* Adding helps the one, not the other. */
    assert_int_equal(world->err.condition, COND_DELTA_METADATA_MISMATCH);
    world_free(world);
}

static void partition_columns_are_those_of_the_table(void **state)
{
    (void)state;
    static const char *const has[] = {"k", "l"}, *const same[] = {"K", "l"}, *const fewer[] = {"k"}, *const turned[] = {"l", "k"};
    static const struct { const char *const *names; size_t count; bool ok; } cases[] = {{same, 2, true}, {NULL, 0, true}, {fewer, 1, false}, {turned, 2, false}};
    struct world *world = world_new("a INT");
    struct delta_snapshot snapshot = {.version = 0, .metadata = {.schema = schema_of(world, "a INT, k STRING, l STRING"),
                                      .partition_columns = (const char **)(uintptr_t)has, .partition_count = 2}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct delta_fit found;
        bool ok = delta_schema_fit(world->arena, &snapshot, snapshot.metadata.schema, cases[i].names, cases[i].count, false, &found, &world->err);
        assert_int_equal(ok, cases[i].ok);
        if (ok) assert_string_equal(found.partition_columns[0], "k");
        else assert_contains(world->err.message, "Table: [k, l]");
    }
    assert_contains(world->err.message, "Given: [l, k].");
    world_free(world);
}

static void not_null_below_the_top_level_is_refused(void **state)
{
    (void)state;
    static const struct { const char *table, *batch; const char *says; } cases[] = {
        {"a INT, s STRUCT<x: INT NOT NULL>", "a INT", NULL}, {"a INT, s STRUCT<x: INT NOT NULL>", "s STRUCT<x: INT>", "NOT NULL field `x`"},
        {"s STRUCT<l: ARRAY<STRUCT<deep: INT NOT NULL>>>", "s STRUCT<l: ARRAY<STRUCT<deep: INT>>>", "NOT NULL field `deep`"},
        {"m MAP<STRING, INT>", "m MAP<STRING, INT>", NULL}, {"a INT NOT NULL, b INT", "b INT", "Column `a`"}};
    struct world *world = world_new("a INT");
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct delta_fit found;
        bool ok = fit(world, cases[i].table, cases[i].batch, false, &found);
        assert_int_equal(ok, cases[i].says == NULL);
        if (!ok) assert_contains(world->err.message, cases[i].says);
    }
    world_free(world);
}

/* --- chunks ---------------------------------------------------------------------------------------------- */

static bool adapt(struct world *world, const struct delta_fit *found, const struct chunk *chunk, struct chunk *out)
{
    error_clear(&world->err);
    chunk_init(out, found->written);
    return delta_schema_adapt(found, chunk, out, world->context.budget, &world->err);
}

static void rows_that_are_not_selected_may_be_null(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct delta_fit found;
    struct chunk chunk, out;
    static const char *const cells[] = {"1", NULL, "2", "x", "3", "y"};
    uint32_t without[] = {1, 2}, with[] = {0, 2};
    assert_true(fit(world, "a INT, k STRING NOT NULL", "a INT, k STRING", false, &found));
    make_chunk(world, &chunk, cells, 3);
    assert_false(adapt(world, &found, &chunk, &out));
    assert_string_equal(world->err.message, "NOT NULL constraint violated for column: k");
    chunk_fini(&out);
    chunk.selection = without;
    chunk.selection_count = 2;
    assert_true(adapt(world, &found, &chunk, &out));
    chunk_fini(&out);
    chunk.selection = with;
    assert_false(adapt(world, &found, &chunk, &out));
    chunk_fini(&out);
    chunk.selection = NULL;
    chunk_fini(&chunk);
    world_free(world);
}

/* A struct of one INT in each row, as a reader makes it. */
static void make_struct_chunk(struct world *world, struct chunk *chunk, const char *const *cells, uint32_t rows)
{
    chunk_init(chunk, world->spec.schema);
    fill_column(&chunk->columns[0], cells, 1, rows, world->context.budget);
    fill_column(&chunk->columns[1].children[0], cells, 1, rows, world->context.budget);
    assert_true(column_reserve(&chunk->columns[1], world->context.budget, rows, NULL));
    chunk->columns[1].length = rows;
    chunk->row_count = rows;
}

static void memory_that_runs_out_is_an_error_and_no_loss(void **state)
{
    (void)state;
    if (getenv("VALGRIND")) return; /* Which has an allocator of its own. */
    struct world *world = world_new("a INT, s STRUCT<x: INT>");
    struct delta_fit found;
    static const char *const cells[] = {"1", "-2", "2147483647"};
    assert_true(fit(world, "a BIGINT, s STRUCT<x: BIGINT>", "a INT, s STRUCT<x: INT>", false, &found));
    for (uint32_t rows = 0; rows <= 3; rows += 3) {
        struct chunk chunk, out;
        make_struct_chunk(world, &chunk, cells, rows);
        bool ok = false;
        int failures = 0;
        for (long at = 1; !ok; at++) {
            fault.calls = 0;
            fault.at = at;
            fault.code = ENOMEM;
            fault.counts = true;
            ok = adapt(world, &found, &chunk, &out);
            fault.counts = false;
            if (!ok) assert_int_equal(world->err.condition, COND_INLET_NO_MEMORY);
            failures += !ok;
            if (!ok) chunk_fini(&out);
        }
        assert_true(failures >= 2);
        if (rows) assert_int_equal(((int64_t *)out.columns[1].children[0].values)[1], -2);
        if (rows) assert_int_equal(((int64_t *)out.columns[0].values)[2], INT32_MAX);
        chunk_fini(&out);
        chunk_fini(&chunk);
    }
    assert_int_equal(budget_used(world->context.budget), 0);
    world_free(world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_loses_no_value_is_widened),
        cmocka_unit_test(every_difference_is_told_with_its_path),
        cmocka_unit_test(columns_are_added_at_the_end_also_of_structs),
        cmocka_unit_test(partition_columns_are_those_of_the_table),
        cmocka_unit_test(not_null_below_the_top_level_is_refused),
        cmocka_unit_test(rows_that_are_not_selected_may_be_null),
        cmocka_unit_test(memory_that_runs_out_is_an_error_and_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
