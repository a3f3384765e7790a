/* Types: DDL and JSON forms, errors, depth. */
#include "columns/type.h"
#include "tests/unit/fixture.h"

static const struct type *ddl(const char *text)
{
    error_clear(&err);
    return type_parse_ddl(arena, text, &err);
}

static void check_prints(const struct type *type, const char *sql, const char *simple, const char *json)
{
    struct buffer out = {0};
    assert_non_null(type);
    type_print_ddl(type, &out);
    assert_string_equal(buffer_string(&out), sql);
    buffer_clear(&out);
    if (simple) {
        type_print_simple(type, &out);
        assert_string_equal(buffer_string(&out), simple);
    }
    buffer_clear(&out);
    type_print_json(type, &out);
    if (json) assert_string_equal(buffer_string(&out), json);
    const struct type *back = type_parse_json(arena, slice_of(out.data, out.size), &err);
    assert_non_null(back);
    assert_true(type_equal(type, back, true));
    buffer_free(&out);
}

static void ddl_and_json_say_the_same(void **state)
{
    (void)state;
    check_prints(ddl("int"), "INT", "int", "\"integer\"");
    check_prints(ddl("a int"), "STRUCT<a: INT>", "struct<a:int>", "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"integer\",\"nullable\":true,\"metadata\":{}}]}");
    check_prints(ddl("a: LONG NOT NULL COMMENT 'it''s', b decimal"), "STRUCT<a: BIGINT NOT NULL COMMENT 'it\\'s', b: DECIMAL(10,0)>", "struct<a:bigint,b:decimal(10,0)>", NULL);
    check_prints(ddl("`a b` map<string, array<dec(38,18)>>, `x``y` struct<>"), "STRUCT<`a b`: MAP<STRING, ARRAY<DECIMAL(38,18)>>, `x``y`: STRUCT<>>", NULL, NULL);
    check_prints(ddl("array<timestamp_ntz>"), "ARRAY<TIMESTAMP_NTZ>", "array<timestamp_ntz>", "{\"type\":\"array\",\"elementType\":\"timestamp_ntz\",\"containsNull\":true}");
    check_prints(ddl("map<int,boolean>"), "MAP<INT, BOOLEAN>", "map<int,boolean>",
                 "{\"type\":\"map\",\"keyType\":\"integer\",\"valueType\":\"boolean\",\"valueContainsNull\":true}");
    check_prints(ddl("a byte, b short, c real, d double, e string, f binary, g date, h timestamp, i void"),
                 "STRUCT<a: TINYINT, b: SMALLINT, c: FLOAT, d: DOUBLE, e: STRING, f: BINARY, g: DATE, h: TIMESTAMP, i: VOID>", NULL, NULL);
    check_prints(ddl("t timestamp without time zone, u timestamp with local time zone -- note\n, /* x */ s string collate utf8_binary"),
                 "STRUCT<t: TIMESTAMP_NTZ, u: TIMESTAMP, s: STRING>", NULL, NULL);
    check_prints(ddl("date date, int int, select string, struct struct<array:array<int>>"), "STRUCT<date: DATE, int: INT, select: STRING, struct: STRUCT<array: ARRAY<INT>>>", NULL, NULL);
    check_prints(ddl(""), "STRUCT<>", "struct<>", "{\"type\":\"struct\",\"fields\":[]}");
    check_prints(ddl("größe INT, 1a INT"), "STRUCT<`größe`: INT, `1a`: INT>", NULL, NULL);
}

static void ddl_errors_have_sparks_conditions(void **state)
{
    (void)state;
    static const struct { const char *text; enum condition condition; } cases[] = {
        {"a char", COND_DATATYPE_MISSING_SIZE},           {"a varchar(5)", COND_UNSUPPORTED_CHAR_OR_VARCHAR}, {"a array", COND_INCOMPLETE_TYPE_ARRAY},
        {"a map", COND_INCOMPLETE_TYPE_MAP},              {"a struct", COND_INCOMPLETE_TYPE_STRUCT},          {"a foo", COND_UNSUPPORTED_DATATYPE},
        {"a time", COND_UNSUPPORTED_TIME_TYPE},           {"a time(3)", COND_UNSUPPORTED_TIME_TYPE},          {"a int b", COND_PARSE_SYNTAX_ERROR},
        {"a int,", COND_PARSE_SYNTAX_ERROR},              {", a int", COND_PARSE_SYNTAX_ERROR},               {"a", COND_PARSE_SYNTAX_ERROR},
        {"a decimal(39)", COND_DECIMAL_PRECISION},        {"a decimal(99999999999)", COND_DECIMAL_PRECISION}, {"a decimal(3,4)", COND_UNSUPPORTED_DATATYPE},
        {"a variant", COND_INLET_NOT_SUPPORTED_YET},      {"a interval year", COND_INLET_NOT_SUPPORTED_YET},  {"a array<int", COND_PARSE_SYNTAX_ERROR},
        {"a int not", COND_PARSE_SYNTAX_ERROR},           {"a int comment x", COND_PARSE_SYNTAX_ERROR},       {"`a int", COND_PARSE_SYNTAX_ERROR},
        {"a int comment 'x", COND_PARSE_SYNTAX_ERROR},    {"a int; b int", COND_PARSE_SYNTAX_ERROR},          {"`` int", COND_PARSE_SYNTAX_ERROR},
        {"a decimal(0)", COND_UNSUPPORTED_DATATYPE},      {"a string collate unicode", COND_INLET_NOT_SUPPORTED_YET}, {"a-b int", COND_PARSE_SYNTAX_ERROR},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct type *type = ddl(cases[i].text);
        if (type || err.condition != cases[i].condition) fail_msg("%s: %s %s", cases[i].text, condition_name(err.condition), err.message);
    }
    error_clear(&err);
    assert_null(schema_parse_ddl(arena, "int", &err));
    assert_int_equal(err.condition, COND_INVALID_SCHEMA_NON_STRUCT);
    assert_null(ddl("a strng"));
    assert_string_equal(err.hint, "Did you mean 'string'?");
    assert_int_equal(schema_parse_ddl_as(arena, "t timestamp", TYPE_TIMESTAMP_NTZ, &err)->fields[0].type->kind, TYPE_TIMESTAMP_NTZ);
}

static void json_takes_any_key_order_and_keeps_metadata(void **state)
{
    (void)state;
    const char *text = " { \"fields\" : [ {\"metadata\":{\"comment\":\"x\",\"n\":[1,{\"a\":null}]}, \"type\": {\"containsNull\":false,\"elementType\":\"null\",\"type\":\"array\"},"
                       " \"name\":\"\\u00e9\\uD83D\\uDE00\\\"\", \"nullable\":false, \"extra\":[{}]} ], \"type\":\"struct\" } ";
    const struct type *type = type_parse_json(arena, slice_text(text), &err);
    assert_non_null(type);
    assert_string_equal(type->fields[0].name, "\xC3\xA9\xF0\x9F\x98\x80\"");
    assert_false(type->fields[0].nullable);
    assert_string_equal(type->fields[0].metadata_json, "{\"comment\":\"x\",\"n\":[1,{\"a\":null}]}");
    assert_int_equal(type->fields[0].type->fields[0].type->kind, TYPE_VOID);
    assert_false(type->fields[0].type->fields[0].nullable);
}

static void json_errors_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", "{", "\"foo\"", "\"decimal(39,0)\"", "\"decimal(3,4)\"", "\"decimal(3,1\"", "5", "[]", "{}", "{\"type\":\"struct\"}", "{\"type\":\"struct\",\"fields\":{}}",
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\"}]}", "{\"type\":\"struct\",\"fields\":[{\"type\":\"long\"}]}", "{\"type\":\"array\"}", "{\"type\":\"map\",\"keyType\":\"long\"}",
        "{\"type\":\"array\",\"elementType\":\"long\",\"containsNull\":\"yes\"}", "\"integer\" x", "\"integer", "{\"type\":\"struct\",\"fields\":[,]}",
        "{\"type\":\"struct\",\"fields\":[{\"name\":5,\"type\":\"long\"}]}", "{\"type\":\"udt\"}", "\"varchar(3)\"", "\"variant\"", "\"time(6)\"",
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\\u0000\",\"type\":\"long\"}]}", "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"metadata\":[1]}]}",
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"metadata\":{x}}]}", "{\"type\" \"struct\"}", "{\"type\":}", "]", "\"\\x\"",
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        error_clear(&err);
        if (type_parse_json(arena, slice_text(cases[i]), &err)) fail_msg("taken: %s", cases[i]);
        assert_int_not_equal(err.condition, COND_NONE);
    }
}

static char *nested(const char *open, const char *core, const char *close, int depth)
{
    struct buffer out = {0};
    for (int i = 0; i < depth; i++) buffer_text(&out, open);
    buffer_text(&out, core);
    for (int i = 0; i < depth; i++) buffer_text(&out, close);
    char *text = arena_strndup(arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

static void types_nest_to_a_thousand_levels(void **state)
{
    (void)state;
    static const char *const forms[][2] = {{"array<", ">"}, {"struct<f:", ">"}, {"map<int,", ">"}};
    int far_too_deep = getenv("VALGRIND") ? 5000 : 100000;
    for (size_t i = 0; i < COUNTOF(forms); i++) {
        const struct type *type = ddl(nested(forms[i][0], "int", forms[i][1], 1000));
        assert_non_null(type);
        struct buffer out = {0};
        type_print_json(type, &out);
        const struct type *back = type_parse_json(arena, slice_of(out.data, out.size), &err);
        assert_non_null(back);
        assert_true(type_equal(type, back, true));
        assert_true(type_equal(type, type_copy(arena, type), true));
        assert_int_equal(type_leaf_count(type), i == 2 ? 1001 : 1);
        buffer_clear(&out);
        type_print_simple(type, &out);
        buffer_free(&out);
        assert_null(ddl(nested(forms[i][0], "int", forms[i][1], 1001)));
        assert_int_equal(err.condition, COND_TOO_COMPLEX);
        assert_null(ddl(nested(forms[i][0], "int", forms[i][1], far_too_deep)));
    }
    assert_null(type_parse_json(arena, slice_text(nested("{\"type\":\"array\",\"elementType\":", "\"long\"", "}", far_too_deep)), &err));
    assert_null(type_parse_json(arena, slice_text(nested("[", "", "", far_too_deep)), &err));
}

static void names_are_found_by_case_or_without(void **state)
{
    (void)state;
    const struct type *type = ddl("a int, B int, b int");
    assert_int_equal(schema_find(type, "A", 1, false), 0);
    assert_int_equal(schema_find(type, "A", 1, true), -1);
    assert_int_equal(schema_find(type, "b", 1, false), -2);
    assert_int_equal(schema_find(type, "b", 1, true), 2);
}

static void nullable_copies_leave_map_keys_alone(void **state)
{
    (void)state;
    const struct type *type = type_as_nullable(arena, ddl("a int not null, m map<int, struct<x:int not null>> not null"));
    assert_true(type->fields[0].nullable);
    assert_false(type->fields[1].type->fields[0].nullable);
    assert_true(type->fields[1].type->fields[1].type->fields[0].nullable);
}

static void random_text_does_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "<>(),:` '\"a1{}[]intstructarray\\u-/*";
    srand(7);
    int rounds = getenv("VALGRIND") ? 300 : 30000;
    for (int round = 0; round < rounds; round++) {
        char text[48];
        size_t size = (size_t)rand() % (sizeof text - 1);
        for (size_t i = 0; i < size; i++) text[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        text[size] = 0;
        char *exact = malloc(size + 1); /* Overruns show under ASan. */
        memcpy(exact, text, size + 1);
        const struct type *by_ddl = type_parse_ddl(arena, exact, NULL);
        assert_true(!by_ddl || by_ddl->kind <= TYPE_VOID);
        exact = realloc(exact, size ? size : 1);
        const struct type *by_json = type_parse_json(arena, slice_of(exact, size), NULL);
        assert_true(!by_json || by_json->kind <= TYPE_VOID);
        free(exact);
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ddl_and_json_say_the_same),
        cmocka_unit_test(ddl_errors_have_sparks_conditions),
        cmocka_unit_test(json_takes_any_key_order_and_keeps_metadata),
        cmocka_unit_test(json_errors_are_refused),
        cmocka_unit_test(types_nest_to_a_thousand_levels),
        cmocka_unit_test(names_are_found_by_case_or_without),
        cmocka_unit_test(nullable_copies_leave_map_keys_alone),
        cmocka_unit_test(random_text_does_no_harm),
    };
    return cmocka_run_group_tests_name("type", tests, start, stop);
}
