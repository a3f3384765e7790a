/* partitions_test -- columns of key=value folders: names, types, values, and what is refused. Expected values are Spark 4.2's. */
#include "base/context.h"
#include "base/number.h"
#include "listing/partitions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct arena *arena;
    struct error err;
    struct session session;
    struct partition_rules rules;
    const char *base;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.arena = arena_new("test"), .base = "/landing"};
    struct buffer warnings = {0};
    if (!session_parse(fixture.arena, NULL, 0, &fixture.session, &warnings, &fixture.err)) return -1;
    buffer_free(&warnings);
    fixture.session.zone = time_zone_utc();
    fixture.rules = (struct partition_rules){.base_paths = &fixture.base, .base_path_count = 1, .infer_types = true, .session = &fixture.session};
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(f->arena);
    return 0;
}

/* Discovers the columns of up to four folders and compares their DDL. */
static void expect(struct fixture *f, const char *wanted, const char *a, const char *b, const char *c)
{
    const char *const folders[] = {a, b, c};
    size_t count = 0;
    while (count < 3 && folders[count]) count++;
    struct buffer text = {0};
    const struct type *schema = partitions_discover(&f->rules, folders, count, f->arena, &f->err);
    if (!schema) fail_msg("%s: %s", a, f->err.message);
    schema_print_ddl(schema, &text);
    assert_string_equal(buffer_string(&text), wanted);
    buffer_free(&text);
}

static void refuse(struct fixture *f, enum condition condition, const char *a, const char *b)
{
    const char *const folders[] = {a, b};
    assert_null(partitions_discover(&f->rules, folders, b ? 2 : 1, f->arena, &f->err));
    assert_int_equal(f->err.condition, condition);
}

static void types_are_inferred_as_spark_does(void **state)
{
    static const struct { const char *value, *type; } cases[] = {
        {"1", "INT"}, {"01", "INT"}, {"-7", "INT"}, {"2147483648", "BIGINT"}, {"99999999999999999999", "DECIMAL(20,0)"}, {"1.5", "DOUBLE"},
        {"true", "STRING"}, {"2024-01-02", "DATE"}, {"2024-01-02 03%3A04%3A05", "TIMESTAMP"}, {"abc", "STRING"}, {"1 2", "STRING"},
        {"__HIVE_DEFAULT_PARTITION__", "STRING"}, {"-2147483649", "BIGINT"}, {"1e30", "DECIMAL(31,0)"}, {"1E2", "DECIMAL(3,0)"}, {"1e-2", "DOUBLE"}, {"1E-2", "DOUBLE"},
        {"1.0e3", "DOUBLE"}, {"1d", "DOUBLE"}, {"-99999999999999999999", "DECIMAL(20,0)"}, {"999999999999999999999999999999999999999", "DOUBLE"},
        {"2024-01-02 03%3A04%3A05.6", "TIMESTAMP"}, {"2024-01-02 03%3A04", "STRING"}, {"2024-01-02T03%3A04%3A05", "STRING"}, {"2024-13-02 03%3A04%3A05", "STRING"},
        {"2024-01-02 03%3A04%3A0:", "STRING"}, {"2024-01-02 03%3A04%3A0 ", "STRING"}, {"2024-13-02", "STRING"}, {"2024-01%2F02", "STRING"},
        {"2024x01-02", "STRING"}, {"2024-01x02", "STRING"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        expect(f, arena_printf(f->arena, "k %s", cases[i].type), arena_printf(f->arena, "/landing/k=%s", cases[i].value), NULL, NULL);
    }
    f->rules.infer_types = false;
    expect(f, "k STRING", "/landing/k=1", NULL, NULL);
}

static void types_of_several_folders_are_merged(void **state)
{
    struct fixture *f = *state;
    expect(f, "k BIGINT", "/landing/k=1", "/landing/k=2147483648", NULL);
    expect(f, "k DOUBLE", "/landing/k=1", "/landing/k=1.5", NULL);
    expect(f, "k STRING", "/landing/k=2147483648", "/landing/k=1.5", NULL);
    expect(f, "k TIMESTAMP", "/landing/k=2024-01-02", "/landing/k=2024-01-02 03%3A04%3A05", NULL);
    expect(f, "k STRING", "/landing/k=2024-01-02", "/landing/k=1", NULL);
    expect(f, "k INT", "/landing/k=__HIVE_DEFAULT_PARTITION__", "/landing/k=1", NULL);
    expect(f, "k INT", "/landing/k=1", "/landing/k=1", "/landing/k=2");
    expect(f, "k DECIMAL(20,0)", "/landing/k=1", "/landing/k=99999999999999999999", NULL);
    expect(f, "k DECIMAL(20,0)", "/landing/k=99999999999999999999", "/landing/k=2147483648", NULL);
    expect(f, "k DECIMAL(20,0)", "/landing/k=2147483648", "/landing/k=1e18", NULL);
    expect(f, "k DECIMAL(21,0)", "/landing/k=99999999999999999999", "/landing/k=999999999999999999999", NULL);
    expect(f, "k DECIMAL(21,0)", "/landing/k=999999999999999999999", "/landing/k=99999999999999999999", "/landing/k=1");
    expect(f, "k STRING", "/landing/k=1.5", "/landing/k=99999999999999999999", NULL);
    expect(f, "k STRING", "/landing/k=x", "/landing/k=2024-01-02", "/landing/k=1");
}

static void columns_count_from_the_base_path_on(void **state)
{
    struct fixture *f = *state;
    expect(f, "y INT,m INT", "/landing/y=2024/m=1", NULL, NULL);
    expect(f, "", "/landing", "/landing/plain", NULL);
    expect(f, "k INT", "/landing", "/landing/k=1", NULL); /* A plain file beside key=value folders. */
    expect(f, "k INT", "/landing/k=1/plain", NULL, NULL);
    f->base = "/landing/y=2024";
    expect(f, "m INT", "/landing/y=2024/m=1", NULL, NULL);
    f->base = "/landing/y=2024//";
    expect(f, "m INT", "/landing/y=2024/m=1", NULL, NULL);
    f->base = "/";
    expect(f, "y INT,m INT", "/landing/y=2024/m=1", NULL, NULL);
    const char *const bases[] = {"/landing/y=2024", "/landing", "/land", "/landing/y=2024/m=1"};
    f->rules.base_paths = bases; /* The longest that leads there. */
    f->rules.base_path_count = 4;
    expect(f, "d INT", "/landing/y=2024/m=1/d=2", NULL, NULL);
    expect(f, "m INT", "/landing/y=2024/m=3", NULL, NULL);
    expect(f, "", "/elsewhere/y=1", NULL, NULL);
}

static void a_given_base_path_must_lead_to_every_folder(void **state)
{
    struct fixture *f = *state;
    f->rules.base_given = true;
    expect(f, "k INT", "/landing/k=1", NULL, NULL);
    refuse(f, COND_INLET_BAD_OPTION_VALUE, "/landing2/k=1", NULL);
    refuse(f, COND_INLET_BAD_OPTION_VALUE, "/landing/k=1", "/elsewhere/k=1");
    struct inlet_context context;
    inlet_context_init(&context);
    struct column column;
    column_init(&column, type_primitive(TYPE_INT));
    const struct field field = {.name = "k", .name_size = 1, .type = type_primitive(TYPE_INT), .nullable = true};
    error_clear(&f->err);
    assert_false(partitions_append(&f->rules, type_struct(f->arena, &field, 1), "/landing2/k=1", &column, context.budget, &f->err));
    assert_int_equal(f->err.condition, COND_INLET_BAD_OPTION_VALUE);
    column_fini(&column);
    inlet_context_fini(&context);
    f->rules.base_path_count = 0;
    expect(f, "", "/landing/k=1", NULL, NULL);
}

static void names_are_compared_as_the_session_says(void **state)
{
    struct fixture *f = *state;
    expect(f, "K INT", "/landing/K=1", "/landing/k=2", NULL);
    f->session.case_sensitive = true;
    refuse(f, COND_CONFLICTING_PARTITION_COLUMN_NAMES, "/landing/K=1", "/landing/k=2");
    f->rules.lenient = true;
    expect(f, "", "/landing/K=1", "/landing/k=2", NULL);
    expect(f, "k INT", "/landing/s/k=1", "/landing/t/k=2", NULL); /* Of two tables, and the same columns. */
}

static void conflicts_and_empty_values_are_refused(void **state)
{
    struct fixture *f = *state;
    refuse(f, COND_CONFLICTING_PARTITION_COLUMN_NAMES, "/landing/a=1", "/landing/b=2");
    refuse(f, COND_CONFLICTING_PARTITION_COLUMN_NAMES, "/landing/a=1", "/landing/a=1/b=2");
    refuse(f, COND_EMPTY_PARTITION_COLUMN_VALUE, "/landing/k=", NULL);
    refuse(f, COND_EMPTY_PARTITION_COLUMN_NAME, "/landing/=1", NULL);
    refuse(f, COND_EMPTY_PARTITION_COLUMN_NAME, "/landing/k=1/=1", NULL);
    refuse(f, COND_CONFLICTING_DIRECTORY_STRUCTURES, "/landing/s/k=1", "/landing/t/k=2");
    refuse(f, COND_CONFLICTING_DIRECTORY_STRUCTURES, "/landing/k=1", "/landing/s/k=2");
    expect(f, "k INT", "/landing/s/k=1", "/landing/s/k=2/plain", "/landing/t");
    expect(f, "l INT", "/landing/k=1/s/l=2", NULL, NULL);
    f->rules.lenient = true;
    expect(f, "", "/landing/a=1", "/landing/b=2", NULL);
}

static void named_columns_are_taken_and_no_others(void **state)
{
    struct fixture *f = *state;
    const char *const columns[] = {"year", "month", "day"};
    f->rules.columns = columns;
    f->rules.column_count = 3;
    expect(f, "year INT,month STRING,day STRING", "/landing/year=2022/week=1", NULL, NULL);
    f->rules.column_count = 0;
    expect(f, "", "/landing/year=2022", NULL, NULL);
}

static struct partition_value only_value(struct fixture *f, const char *folder)
{
    struct partition_value *values;
    size_t count;
    assert_true(partitions_of(&f->rules, folder, f->arena, &values, &count, &f->err));
    assert_int_equal(count, 1);
    return values[0];
}

static void names_and_values_are_decoded(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(only_value(f, "/landing/k=a%20b").value, "a b");
    assert_string_equal(only_value(f, "/landing/k=c%2Fd").value, "c/d");
    assert_string_equal(only_value(f, "/landing/k=x%3Dy").value, "x=y");
    assert_string_equal(only_value(f, "/landing/k=100%25").value, "100%");
    assert_string_equal(only_value(f, "/landing/k=50%").value, "50%");
    assert_string_equal(only_value(f, "/landing/k=x=y").value, "x=y");
    assert_string_equal(only_value(f, "/landing/a%20k=1").name, "a k");
    assert_null(only_value(f, "/landing/k=__HIVE_DEFAULT_PARTITION__").value);
}

static void a_value_that_cannot_be_cast_is_an_error(void **state)
{
    struct fixture *f = *state;
    const char *const folder = "/landing/k=x";
    f->rules.user_schema = schema_parse_ddl(f->arena, "v INT, k INT", &f->err);
    const struct type *schema = partitions_discover(&f->rules, &folder, 1, f->arena, &f->err);
    assert_non_null(schema);
    struct inlet_context context;
    inlet_context_init(&context);
    struct column column;
    column_init(&column, schema->fields[0].type);
    assert_false(partitions_append(&f->rules, schema, folder, &column, context.budget, &f->err));
    assert_int_equal(f->err.condition, COND_INVALID_PARTITION_VALUE);
    column_reset(&column);
    assert_true(partitions_append(&f->rules, schema, "/landing/k=7", &column, context.budget, &f->err));
    assert_true(partitions_append(&f->rules, schema, "/landing", &column, context.budget, &f->err));
    assert_int_equal(column.length, 2);
    assert_int_equal(((int32_t *)column.values)[0], 7);
    assert_int_equal(column.null_count, 1);
    column_fini(&column);
    inlet_context_fini(&context);
}

/* One value as `type`, printed; "bad" where it is refused. */
static void cast(struct fixture *f, const char *type, const char *value, double wanted, const char *special)
{
    const char *folder = arena_printf(f->arena, "/landing/k=%s", value);
    f->rules.user_schema = schema_parse_ddl(f->arena, arena_printf(f->arena, "k %s", type), &f->err);
    const struct type *schema = partitions_discover(&f->rules, &folder, 1, f->arena, &f->err);
    struct inlet_context context;
    struct column column;
    inlet_context_init(&context);
    column_init(&column, schema->fields[0].type);
    bool ok = partitions_append(&f->rules, schema, folder, &column, context.budget, &f->err);
    const char *got = !ok ? "bad" : column.null_count ? "null" : NULL;
    if (!got != !special || (got && strcmp(got, special) != 0)) fail_msg("%s of type %s: %s", value, type, got ? got : "a value");
    double number = 0;
    if (!got) {
        switch (schema->fields[0].type->kind) {
        case TYPE_BOOLEAN: number = bit_get(column.values, 0); break;
        case TYPE_TINYINT: number = ((int8_t *)column.values)[0]; break;
        case TYPE_SMALLINT: number = ((int16_t *)column.values)[0]; break;
        case TYPE_INT: number = ((int32_t *)column.values)[0]; break;
        case TYPE_FLOAT: number = (double)((float *)column.values)[0]; break;
        case TYPE_DOUBLE: number = ((double *)column.values)[0]; break;
        case TYPE_DATE: number = ((int32_t *)column.values)[0]; break;
        case TYPE_BIGINT: case TYPE_TIMESTAMP: case TYPE_TIMESTAMP_NTZ: number = (double)((int64_t *)column.values)[0]; break;
        default: number = (double)((int128 *)column.values)[0]; break;
        }
        if (number < wanted || number > wanted) fail_msg("%s of type %s: %g", value, type, number);
    }
    error_clear(&f->err);
    column_fini(&column);
    inlet_context_fini(&context);
}

static void values_are_cast_as_spark_does(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[][2] = {{"TINYINT", "1.5"}, {"TINYINT", " 7"}, {"TINYINT", "0x1"}, {"TINYINT", "99999999999"}, {"INT", "3000000000"}, {"INT", "1 "},
                                         {"INT", "5L"}, {"INT", "1d"}, {"INT", "1e3"}, {"INT", "%31"}, {"BOOLEAN", "t"}, {"BOOLEAN", "yes"}, {"BOOLEAN", "1"}, {"BOOLEAN", " true"},
                                         {"DOUBLE", "nan"}, {"FLOAT", "inf"}, {"DECIMAL(4,2)", "0x1"}, {"DECIMAL(4,2)", " 1"}, {"DECIMAL(4,2)", "1d"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) cast(f, bad[i][0], bad[i][1], 0, "bad");
    cast(f, "TINYINT", "128", -128, NULL);
    cast(f, "TINYINT", "200", -56, NULL);
    cast(f, "TINYINT", "-129", 127, NULL);
    cast(f, "SMALLINT", "40000", -25536, NULL);
    cast(f, "INT", "+5", 5, NULL);
    cast(f, "INT", "\u0661", 1, NULL);
    cast(f, "BOOLEAN", "tRuE", 1, NULL);
    cast(f, "DECIMAL(4,2)", "123.4", 0, "null");
    cast(f, "DECIMAL(4,2)", "99.999", 0, "null");
    cast(f, "DECIMAL(4,2)", "12.345", 1235, NULL);
    cast(f, "DECIMAL(3,0)", "2.5", 3, NULL);
    cast(f, "FLOAT", "0x1p3", 8, NULL);
    cast(f, "DOUBLE", " 1 ", 1, NULL);
    cast(f, "BOOLEAN", "FALSE", 0, NULL);
    cast(f, "BIGINT", "-9223372036854775808", -9223372036854775808.0, NULL);
    cast(f, "BIGINT", "9223372036854775808", 0, "bad");
    cast(f, "INT", "-2147483649", 0, "bad");
    cast(f, "DATE", "1970-01-03", 2, NULL);
    cast(f, "DATE", "x", 0, "bad");
    cast(f, "TIMESTAMP", "1970-01-01 00%3A00%3A01", 1000000, NULL);
    cast(f, "TIMESTAMP", "x", 0, "bad");
    cast(f, "TIMESTAMP_NTZ", "1970-01-01 00%3A00%3A02", 2000000, NULL);
    cast(f, "ARRAY<INT>", "1", 0, "bad");
    cast(f, "BOOLEAN", "__HIVE_DEFAULT_PARTITION__", 0, "null");
    cast(f, "STRING", "__HIVE_DEFAULT_PARTITION__", 0, "null");
}

static void text_is_decoded_and_bytes_are_not(void **state)
{
    struct fixture *f = *state;
    const char *folder = "/landing/s=a%20b/b=a%20b";
    f->rules.user_schema = schema_parse_ddl(f->arena, "s STRING, b BINARY", &f->err);
    const struct type *schema = partitions_discover(&f->rules, &folder, 1, f->arena, &f->err);
    struct inlet_context context;
    inlet_context_init(&context);
    struct column columns[2];
    for (int i = 0; i < 2; i++) column_init(&columns[i], schema->fields[i].type);
    for (int i = 0; i < 2; i++) assert_true(partitions_append(&f->rules, schema, folder, columns, context.budget, &f->err));
    assert_int_equal(columns[0].offsets[2], 2 * strlen("a b"));
    assert_memory_equal(columns[0].data, "a ba b", 6);
    assert_memory_equal(columns[1].data, "a%20ba%20b", 10);
    for (int i = 0; i < 2; i++) column_fini(&columns[i]);
    inlet_context_fini(&context);
}

static void a_value_that_is_not_validated_is_null(void **state)
{
    struct fixture *f = *state;
    struct option_input conf = {.name = "spark.sql.sources.validatePartitionColumns", .text = "false"};
    struct buffer warnings = {0};
    assert_true(session_parse(f->arena, &conf, 1, &f->session, &warnings, &f->err));
    buffer_free(&warnings);
    cast(f, "INT", "x", 0, "null");
    cast(f, "DATE", "2024-99-99", 0, "null");
}

/* With so little memory some column cannot take its value; with more of it all can. */
static void columns_that_have_no_room_are_an_error(void **state)
{
    struct fixture *f = *state;
    const char *folder = "/landing/k=1/s=text";
    const struct type *schema = partitions_discover(&f->rules, &folder, 1, f->arena, &f->err);
    size_t failed = 0;
    bool ok = false;
    for (size_t limit = 1; !ok; limit += 64) {
        struct budget *budget = budget_new(limit);
        struct column columns[2];
        for (int i = 0; i < 2; i++) column_init(&columns[i], schema->fields[i].type);
        error_clear(&f->err);
        ok = partitions_append(&f->rules, schema, folder, columns, budget, &f->err);
        if (!ok) assert_int_equal(f->err.condition, COND_INLET_NO_MEMORY);
        failed += !ok;
        for (int i = 0; i < 2; i++) column_fini(&columns[i]);
        assert_int_equal(budget_used(budget), 0);
        budget_free(budget);
    }
    assert_true(failed >= 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(types_are_inferred_as_spark_does), TEST(types_of_several_folders_are_merged), TEST(columns_count_from_the_base_path_on),
        TEST(conflicts_and_empty_values_are_refused), TEST(named_columns_are_taken_and_no_others), TEST(names_and_values_are_decoded),
        TEST(a_value_that_cannot_be_cast_is_an_error), TEST(values_are_cast_as_spark_does),
        TEST(a_given_base_path_must_lead_to_every_folder), TEST(names_are_compared_as_the_session_says), TEST(text_is_decoded_and_bytes_are_not),
        TEST(a_value_that_is_not_validated_is_null), TEST(columns_that_have_no_room_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
