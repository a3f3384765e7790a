/* Configuration trees from YAML and JSON: kinds, lines, bounds. */
#include "base/tree.h"
#include "tests/unit/fixture.h"

typedef struct tree *parse_fn(struct arena *, struct slice, struct error *);

static struct tree *parse(parse_fn *parser, const char *text)
{
    error_clear(&err);
    return parser(arena, slice_text(text), &err);
}

static void yaml_scalars_follow_the_core_schema(void **state)
{
    (void)state;
    struct tree *tree = parse(tree_parse_yaml, "a: 1\nb: 'x'\nc: true\nd: ~\ne: 1.50\nf: on\ng: [1, two]\nh:\n  i: \"q\\n\"\nj: \"5\"\nk: 99999999999999999999\n");
    assert_non_null(tree);
    static const struct { const char *key; enum tree_kind kind; const char *text; int line; } cases[] = {
        {"a", TREE_INT, "1", 1},  {"b", TREE_TEXT, "x", 2},    {"c", TREE_BOOL, "true", 3}, {"d", TREE_NULL, "~", 4}, {"e", TREE_REAL, "1.50", 5},
        {"f", TREE_TEXT, "on", 6}, {"j", TREE_TEXT, "5", 10},  {"k", TREE_REAL, "99999999999999999999", 11},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct tree *node = tree_get(tree, cases[i].key);
        assert_non_null(node);
        assert_int_equal(node->kind, cases[i].kind);
        assert_string_equal(node->text, cases[i].text);
        assert_int_equal(node->line, cases[i].line);
    }
    assert_int_equal(tree_get(tree, "g")->count, 2);
    assert_string_equal(tree_get_text(tree_get(tree, "h"), "i", NULL), "q\n");
    assert_null(tree_get(tree, "z"));
    struct buffer out = {0};
    tree_print_json(tree_get(tree, "g"), &out);
    assert_string_equal(buffer_string(&out), "[1,\"two\"]");
    buffer_free(&out);
}

static void json_has_lines_and_numbers_as_written(void **state)
{
    (void)state;
    struct tree *tree = parse(tree_parse_json, "{\n \"a\": [1, 2.50,\n  \"x\\\"]}\"],\n \"b\": {\"c\": 12345678901234567890123}, \"d\": null,\n \"e\": false}");
    assert_non_null(tree);
    struct tree *list = tree_get(tree, "a");
    assert_int_equal(list->line, 2);
    assert_int_equal(list->first->integer, 1);
    assert_string_equal(list->first->next->text, "2.50");
    assert_string_equal(list->first->next->next->text, "x\"]}");
    assert_int_equal(list->first->next->next->line, 3);
    assert_string_equal(tree_get_text(tree_get(tree, "b"), "c", NULL), "12345678901234567890123");
    assert_int_equal(tree_get(tree, "e")->line, 5);
    assert_true(tree_get_bool(tree, "d", true));
    assert_false(tree_get_bool(tree, "e", true));
    struct buffer out = {0};
    tree_print_json(tree, &out);
    assert_string_equal(buffer_string(&out), "{\"a\":[1,2.50,\"x\\\"]}\"],\"b\":{\"c\":12345678901234567890123},\"d\":null,\"e\":false}");
    buffer_free(&out);
}

static void damage_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct { parse_fn *parser; const char *text; int line; } cases[] = {
        {tree_parse_yaml, "a: 1\nb: [1\n", 3},       {tree_parse_yaml, "a: 1\na: 2\n", 2},  {tree_parse_yaml, "a: 1\n---\nb: 2\n", 3},
        {tree_parse_yaml, "a: *x\n", 1},             {tree_parse_yaml, "[a]: 1\n", 1},      {tree_parse_yaml, "a:\n\t- b\n", 2},
        {tree_parse_json, "{\"a\": 1,\n \"a\": 2}", 2}, {tree_parse_json, "{\"a\":\n}", 2},  {tree_parse_json, "", 1}, {tree_parse_json, "{} x", 1},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_null(parse(cases[i].parser, cases[i].text));
        assert_int_equal(err.condition, COND_INLET_SYNTAX);
        assert_int_equal(err.line, cases[i].line);
    }
    error_clear(&err);
    assert_null(tree_parse_yaml(arena, slice_of("a: \xFF", 4), &err));
    assert_null(tree_parse_json(arena, slice_of("\"\xFF\"", 3), &err));
}

static void usual_mistakes_get_a_hint(void **state)
{
    (void)state;
    static const struct { const char *text, *hint; } cases[] = {
        {"schema: a STRUCT<b: STRING>\n", "': ' must be in quotes"}, {"a:\n\tb: 1\n", "not by tabs"},      {"a: é\nb:\n  \tc: 1\n", "not by tabs"},
        {"query: `a`\n", "must be in quotes"},                       {"load: *.json\n", "begins with *"}, {"a: &\n", "begins with &"},
        {"a: {b: ${X}}\n", "${...} must be in quotes"},              {"a: [b, c\n", "closing ]"},         {"a: {b: c\n", "closing }"},
        {"a: \"b\n", "closing quote"},                               {"a: \"\\d\"\n", "single quotes"},    {"a:\n  b: 1\n c: 2\n", "same column"},
        {"load: {a,b}/x\n", "goes on behind the bracket"},           {"sep: ,\n", "begins with a comma"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_null(parse(tree_parse_yaml, cases[i].text));
        if (!strstr(err.hint, cases[i].hint)) fail_msg("%s: %s: %s", cases[i].text, err.message, err.hint);
    }
}

static void depth_and_aliases_are_bounded(void **state)
{
    (void)state;
    struct buffer text = {0};
    for (int i = 0; i < 1500; i++) buffer_byte(&text, '[');
    for (int i = 0; i < 1500; i++) buffer_byte(&text, ']');
    assert_null(parse(tree_parse_json, buffer_string(&text)));
    assert_null(parse(tree_parse_yaml, buffer_string(&text)));
    buffer_clear(&text);
    buffer_text(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        buffer_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++) buffer_printf(&text, "%s*a%d", j ? "," : "", i - 1);
        buffer_text(&text, "]\n");
    }
    assert_null(parse(tree_parse_yaml, buffer_string(&text)));
    buffer_free(&text);
    struct tree *tree = parse(tree_parse_yaml, "a: &x {b: 1}\nc: *x\n");
    assert_int_equal(tree_get_int(tree_get(tree, "c"), "b", 0), 1);
    assert_null(parse(tree_parse_yaml, "a: &x [*x]\n"));
}

static void an_empty_file_is_null(void **state)
{
    (void)state;
    assert_int_equal(parse(tree_parse_yaml, "")->kind, TREE_NULL);
    assert_int_equal(parse(tree_parse_yaml, "# nothing\n")->kind, TREE_NULL);
    assert_non_null(tree_parse_yaml(arena, slice_of(NULL, 0), &err));
}

static void random_text_does_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]:,\"'\\ \n-&*!|>%@a1.eE+tu";
    srand(42);
    for (int round = 0; round < 20000; round++) {
        char text[40];
        size_t size = (size_t)rand() % sizeof text;
        for (size_t i = 0; i < size; i++) text[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        struct tree *json = tree_parse_json(arena, slice_of(text, size), NULL), *yaml = tree_parse_yaml(arena, slice_of(text, size), NULL);
        assert_true(!json || json->kind <= TREE_MAP);
        assert_true(!yaml || yaml->kind <= TREE_MAP);
        arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_scalars_follow_the_core_schema),
        cmocka_unit_test(json_has_lines_and_numbers_as_written),
        cmocka_unit_test(damage_is_refused_with_its_line),
        cmocka_unit_test(usual_mistakes_get_a_hint), cmocka_unit_test(depth_and_aliases_are_bounded),
        cmocka_unit_test(an_empty_file_is_null),
        cmocka_unit_test(random_text_does_no_harm),
    };
    return cmocka_run_group_tests_name("tree", tests, start, stop);
}
