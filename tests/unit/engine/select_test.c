/* The query's list of columns: what is taken, what is refused and how. */
#include "engine/select.h"
#include "tests/unit/fixture.h"

static struct session session;

/* Data columns, a partition column, the hidden one. */
static const struct type *input_schema(void)
{
    const struct type *data = schema_parse_ddl(arena, "v INT, s STRUCT<a: INT NOT NULL, B: STRUCT<c: STRING>>, `a.b` STRING, l ARRAY<STRUCT<x: INT>>, input STRUCT<v: STRING>, k STRING", &err);
    struct field fields[8];
    memcpy(fields, data->fields, data->field_count * sizeof *fields);
    fields[6] = (struct field){.name = "_metadata", .name_size = 9, .type = select_metadata_type()};
    return type_struct(arena, fields, 7);
}

static bool resolve(const char *sql, struct projection *out)
{
    error_clear(&err);
    const struct select *select = select_parse(arena, sql, &err);
    return select && select_resolve(select, input_schema(), 6, &session, arena, out, &err);
}

static const char *printed(const struct projection *projection)
{
    struct buffer out = {0};
    schema_print_ddl(projection->schema, &out);
    const char *text = arena_strndup(arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

static void lists_of_columns_are_taken(void **state)
{
    (void)state;
    static const struct { const char *sql, *schema; } cases[] = {
        {"SELECT v FROM input", "v INT"},
        {"select V, K from INPUT ;", "V INT,K STRING"},
        {"SELECT s.a AS `x,y`, S.b.C d FROM input", "`x,y` INT,d STRING"},
        {"SELECT `a.b`, `v` FROM `input`", "`a.b` STRING,v INT"},
        {"SELECT s.* FROM input", "a INT,B STRUCT<c: STRING>"},
        {"SELECT input.k, t.v FROM input AS t", NULL},
        {"SELECT t.v, t.k FROM input t", "v INT,k STRING"},
        {"SELECT input.v, input.input.v w FROM input", "v INT,w STRING"},
        {"SELECT _metadata.file_name AS n, _metadata.FILE_SIZE FROM input", "n STRING NOT NULL,FILE_SIZE BIGINT NOT NULL"},
        {"SELECT v, -- one\n /* two /* nested */ */ k FROM input", "v INT,k STRING"},
        {"SELECT a AS v FROM input", NULL},
        {"SELECT v v, v v FROM input", "v INT,v INT"},
        {"SELECT l.x, l.X AS y FROM input", "x ARRAY<INT>,y ARRAY<INT>"},
        {"SELECT ALL v FROM input", "v INT"},
        {"SELECT /*+ COALESCE(1) */ v FROM input", "v INT"},
        {"SELECT date FROM input", NULL},
        {NULL, "v INT,s STRUCT<a: INT NOT NULL, B: STRUCT<c: STRING>>,`a.b` STRING,l ARRAY<STRUCT<x: INT>>,input STRUCT<v: STRING>,k STRING"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct projection projection = {0};
        bool ok = resolve(cases[i].sql, &projection);
        if (ok != (cases[i].schema != NULL)) fail_msg("%s: %s", cases[i].sql, err.message);
        if (ok) assert_string_equal(printed(&projection), cases[i].schema);
    }
}

static void a_nullable_struct_makes_its_fields_nullable(void **state)
{
    (void)state;
    struct projection projection;
    assert_true(resolve("SELECT s.a FROM input", &projection));
    assert_true(projection.columns[0].nullable);
    assert_int_equal(projection.columns[0].path_size, 2);
    assert_int_equal(projection.columns[0].path[0], 1);
    assert_int_equal(projection.columns[0].path[1], 0);
}

static void star_is_the_visible_columns(void **state)
{
    (void)state;
    struct projection projection;
    assert_true(resolve("SELECT * FROM input", &projection));
    assert_int_equal(projection.count, 6);
    assert_true(projection.is_identity);
    assert_false(projection.uses[6]);
    assert_true(resolve("SELECT *, _metadata FROM input", &projection));
    assert_int_equal(projection.count, 7);
    assert_true(projection.uses[6]);
    assert_false(projection.is_identity);
    assert_true(resolve("SELECT input.* FROM input", &projection));
    assert_int_equal(projection.count, 6); /* Not the struct column of that name. */
    assert_true(resolve("SELECT t.* FROM input t", &projection));
    assert_int_equal(projection.count, 6);
    assert_true(resolve("SELECT k FROM input", &projection));
    assert_false(projection.uses[0]);
    assert_true(projection.uses[5]);
}

static void what_is_not_built_is_refused_by_name(void **state)
{
    (void)state;
    static const struct { const char *sql; enum condition condition; const char *says; } cases[] = {
        {"SELECT v FROM input WHERE v > 1", COND_INLET_NOT_SUPPORTED_YET, "WHERE"},
        {"SELECT v + 1 FROM input", COND_INLET_NOT_SUPPORTED_YET, "an expression"},
        {"SELECT upper(k) FROM input", COND_INLET_NOT_SUPPORTED_YET, "the function upper"},
        {"SELECT CAST(v AS STRING) FROM input", COND_INLET_NOT_SUPPORTED_YET, "CAST"},
        {"SELECT 1 AS one FROM input", COND_INLET_NOT_SUPPORTED_YET, "a literal"},
        {"SELECT v, NULL AS n FROM input", COND_INLET_NOT_SUPPORTED_YET, "a literal"},
        {"SELECT 'x' FROM input", COND_INLET_NOT_SUPPORTED_YET, "a literal"},
        {"SELECT -v FROM input", COND_INLET_NOT_SUPPORTED_YET, "an expression"},
        {"SELECT (v) FROM input", COND_INLET_NOT_SUPPORTED_YET, "an expression"},
        {"SELECT DISTINCT v FROM input", COND_INLET_NOT_SUPPORTED_YET, "DISTINCT"},
        {"SELECT v FROM input GROUP BY v", COND_INLET_NOT_SUPPORTED_YET, "GROUP"},
        {"SELECT v FROM input ORDER BY v", COND_INLET_NOT_SUPPORTED_YET, "ORDER"},
        {"SELECT v FROM input LIMIT 1", COND_INLET_NOT_SUPPORTED_YET, "LIMIT"},
        {"SELECT v FROM input JOIN other", COND_INLET_NOT_SUPPORTED_YET, "JOIN"},
        {"SELECT v FROM input, other", COND_INLET_NOT_SUPPORTED_YET, "a join"},
        {"SELECT v FROM input UNION ALL SELECT v FROM input", COND_INLET_NOT_SUPPORTED_YET, "UNION"},
        {"SELECT * EXCEPT (v) FROM input", COND_INLET_NOT_SUPPORTED_YET, "* EXCEPT"},
        {"SELECT l[0] FROM input", COND_INLET_NOT_SUPPORTED_YET, "an expression"},
        {"SELECT v IS NULL FROM input", COND_INLET_NOT_SUPPORTED_YET, "the operator IS"},
        {"SELECT v::string FROM input", COND_INLET_NOT_SUPPORTED_YET, "an expression"},
        {"SELECT CASE WHEN v THEN 1 END FROM input", COND_INLET_NOT_SUPPORTED_YET, "CASE"},
        {"SELECT count(*) FROM input", COND_INLET_NOT_SUPPORTED_YET, "the function count"},
        {"SELECT v FROM STREAM input", COND_INLET_NOT_SUPPORTED_YET, "STREAM"},
        {"SELECT v FROM (SELECT * FROM input)", COND_INLET_NOT_SUPPORTED_YET, "a subquery"},
        {"WITH a AS (SELECT 1) SELECT * FROM a", COND_INLET_NOT_SUPPORTED_YET, "WITH"},
        {"VALUES (1)", COND_INLET_NOT_SUPPORTED_YET, "VALUES"},
        {"SELECT v", COND_INLET_NOT_SUPPORTED_YET, "FROM"},
        {"SELECT l.x.y FROM input", COND_UNEXPECTED_INPUT_TYPE, "ARRAY"},
        {"SELECT l.q FROM input", COND_UNRESOLVED_FIELD, "`x`"},
        {"SELECT v FROM other", COND_TABLE_NOT_FOUND, "`other`"},
        {"", COND_PARSE_EMPTY_STATEMENT, "empty"},
        {" ; ", COND_PARSE_EMPTY_STATEMENT, "empty"},
        {"SELEC v FROM input", COND_PARSE_SYNTAX_ERROR, "'SELEC'"},
        {"SELECT FROM input", COND_PARSE_SYNTAX_ERROR, "'FROM'"},
        {"SELECT v, FROM input", COND_PARSE_SYNTAX_ERROR, "'FROM'"},
        {"SELECT v k x FROM input", COND_PARSE_SYNTAX_ERROR, "'x'"},
        {"SELECT v FROM", COND_PARSE_SYNTAX_ERROR, "end of input"},
        {"SELECT v FROM input SELECT", COND_NONE, ""},
        {"SELECT v FROM input x y", COND_PARSE_SYNTAX_ERROR, "'y'"},
        {"SELECT `v FROM input", COND_PARSE_SYNTAX_ERROR, "`v"},
        {"SELECT v FROM input; SELECT v FROM input", COND_PARSE_SYNTAX_ERROR, "'SELECT'"},
        {"SELECT v FROM input /* open", COND_PARSE_SYNTAX_ERROR, "/*"},
        {"SELECT s. FROM input", COND_INLET_NOT_SUPPORTED_YET, "without FROM"}, /* A field FROM, named input. */
        {"SELECT nope FROM input", COND_UNRESOLVED_COLUMN, "`nope` cannot be resolved. Did you mean one of the following? ["},
        {"SELECT s.nope FROM input", COND_UNRESOLVED_FIELD, "no such struct field `nope` in `a`, `B`"},
        {"SELECT v.x FROM input", COND_INVALID_EXTRACT_BASE, "\"INT\""},
        {"SELECT v.* FROM input", COND_INVALID_EXTRACT_BASE, "not a struct"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct projection projection;
        bool ok = resolve(cases[i].sql, &projection);
        if (ok != (cases[i].condition == COND_NONE) || err.condition != cases[i].condition || !strstr(err.message, cases[i].says))
            fail_msg("%s: [%s] %s", cases[i].sql, condition_name(err.condition), err.message);
    }
}

static void the_nearest_names_come_first(void **state)
{
    (void)state;
    struct projection projection;
    assert_false(resolve("SELECT kk FROM input", &projection));
    assert_non_null(strstr(err.message, "[`k`, "));
}

static void case_matters_where_the_session_says_so(void **state)
{
    (void)state;
    struct projection projection;
    session.case_sensitive = true;
    assert_false(resolve("SELECT V FROM input", &projection));
    assert_int_equal(err.condition, COND_UNRESOLVED_COLUMN);
    assert_true(resolve("SELECT s.B.c FROM input", &projection));
    session.case_sensitive = false;
    const struct type *both = schema_parse_ddl(arena, "a INT, A INT", &err);
    const struct select *select = select_parse(arena, "SELECT a FROM input", &err);
    assert_false(select_resolve(select, both, 2, &session, arena, &projection, &err));
    assert_int_equal(err.condition, COND_AMBIGUOUS_REFERENCE);
}

static void random_text_does_no_harm(void **state)
{
    (void)state;
    static const char *const words[] = {"SELECT ", "FROM ", "input ", "v ", "s", ".", ",", "*", "AS ", "`", "'", "(", "1", "\\", "/*", "*/", "-", "NULL ", "\xFF", ";", "k "};
    srand(99);
    for (int round = 0; round < 20000; round++) {
        struct buffer text = {0};
        if (rand() % 2) buffer_text(&text, "SELECT ");
        for (int i = rand() % 10; i > 0; i--) buffer_text(&text, words[(size_t)rand() % COUNTOF(words)]);
        struct projection projection;
        bool ok = resolve(buffer_string(&text), &projection);
        assert_true(ok || error_is_set(&err));
        buffer_free(&text);
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_columns_are_taken),
        cmocka_unit_test(a_nullable_struct_makes_its_fields_nullable),
        cmocka_unit_test(star_is_the_visible_columns),
        cmocka_unit_test(what_is_not_built_is_refused_by_name),
        cmocka_unit_test(the_nearest_names_come_first),
        cmocka_unit_test(case_matters_where_the_session_says_so),
        cmocka_unit_test(random_text_does_no_harm),
    };
    return cmocka_run_group_tests_name("select", tests, start, stop);
}
