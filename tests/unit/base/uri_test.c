/* URIs, partition names and globs as Spark and Hadoop have them. */
#include "base/uri.h"
#include "tests/unit/fixture.h"

static void paths_are_escaped_as_java_does(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/a b/c%d", "file:///a%20b/c%25d"},      {"/x#y?z", "file:///x%23y%3Fz"},   {"/\xC3\xA9", "file:///\xC3\xA9"},
        {"/a:b@c&d=e+f$g,h;i", "file:///a:b@c&d=e+f$g,h;i"}, {"/[x]{y}|^`\"<>\\", "file:///%5Bx%5D%7By%7D%7C%5E%60%22%3C%3E%5C"},
        {"/~(a)!*'._-", "file:///~(a)!*'._-"},    {"/\n\x7F", "file:///%0A%7F"},      {"/\xC2\xA0", "file:///%C2%A0"},
        {"/\xFF\xFE", "file:///%FF%FE"},          {"/\xE2\x80\xA8", "file:///%E2%80%A8"}, {"/\xF0\x9F\x98\x80", "file:///\xF0\x9F\x98\x80"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct buffer out = {0};
        uri_from_path(&out, cases[i][0], "file://");
        assert_string_equal(buffer_string(&out), cases[i][1]);
        assert_string_equal(path_from_uri(arena, buffer_string(&out)), cases[i][0]);
        buffer_free(&out);
    }
    assert_string_equal(path_from_uri(arena, "file:/a%20b"), "/a b");
    assert_string_equal(path_from_uri(arena, "/plain%20path"), "/plain%20path");
    assert_string_equal(path_from_uri(arena, "file:///bad%zz%4"), "/bad%zz%4");
}

static void partition_values_are_escaped_as_hive_does(void **state)
{
    (void)state;
    struct buffer out = {0}, back = {0};
    const char *text = "a\"b#c%d'e*f/g:h=i?j\\k{l[m]n^o}p q&r<s|\x01\x7F\xC3\xA9";
    partition_escape(&out, text, strlen(text));
    assert_string_equal(buffer_string(&out), "a%22b%23c%25d%27e%2Af%2Fg%3Ah%3Di%3Fj%5Ck%7Bl%5Bm%5Dn%5Eo}p q&r<s|%01%7F\xC3\xA9");
    partition_unescape(&back, (const char *)out.data, out.size);
    assert_string_equal(buffer_string(&back), text);
    buffer_clear(&back);
    partition_unescape(&back, "%", 1);
    partition_unescape(&back, "%4", 2);
    partition_unescape(&back, "%zz%e9%3a", 9);
    assert_string_equal(buffer_string(&back), "%%4%zz\xC3\xA9:");
    buffer_free(&out);
    buffer_free(&back);
}

static bool matches(const char *pattern, const char *text)
{
    error_clear(&err);
    struct glob *glob = glob_compile(arena, pattern, &err);
    assert_non_null(glob);
    return glob_match(glob, text);
}

static void globs_follow_hadoop(void **state)
{
    (void)state;
    static const struct { const char *pattern, *text; bool match; } cases[] = {
        {"*.json", "a.json", true},        {"*.json", "a.json.gz", false},   {"*", "", true},              {"*", "a/b", false},
        {"a/*/c", "a/b/c", true},          {"a/*/c", "a/b/b/c", false},      {"?", "x", true},             {"?", "\xC3\xA9", true},
        {"?", "/", false},                 {"[abc]x", "bx", true},           {"[a-c]", "d", false},        {"[^a]", "b", true},
        {"[!a]", "a", false},              {"[^a]", "/", false},             {"[^a]*.json", "a.json", false}, {"\\*", "*", true},
        {"\\*", "x", false},               {"{a,b}", "b", true},             {"{a,b{c,d}}x", "bdx", true}, {"{a,b{c,d}}x", "bx", false},
        {"{a/x,b}/y", "a/x/y", true},      {"{a,}", "", true},               {"a,b}", "a,b}", true},       {"[\\]]", "]", true},
        {"[a-]", "-", true},               {"data-{2024,2025}-*.csv", "data-2025-x.csv", true}, {"", "", true}, {"", "a", false},
        {"\xE2\x82\xAC*", "\xE2\x82\xAC" "5", true}, {"a?c", "a\xFF" "c", true}, {"**", "abc", true},   {"{a}", "a", true},
        {"[]a]x", "]x", true},             {"[]a]x", "ax", true},            {"[^]a]", "]", false},         {"[^]a]", "b", true},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        bool match = matches(cases[i].pattern, cases[i].text);
        if (match != cases[i].match) fail_msg("%s against %s", cases[i].pattern, cases[i].text);
    }
}

static void broken_globs_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"[a", "{a,b", "a\\", "[]", "[a-", "{{a}", "[^", "[z-a]", "[^]"};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        error_clear(&err);
        assert_null(glob_compile(arena, cases[i], &err));
        assert_int_equal(err.condition, COND_INLET_BAD_OPTION_VALUE);
    }
    char deep[2000];
    memset(deep, '{', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_null(glob_compile(arena, deep, NULL));
}

static void many_alternatives_take_no_exponential_time(void **state)
{
    (void)state;
    struct buffer pattern = {0}, text = {0};
    for (int i = 0; i < 60; i++) {
        buffer_text(&pattern, "{a,aa,*}");
        buffer_text(&text, "aa");
    }
    buffer_text(&pattern, "b");
    assert_false(matches(buffer_string(&pattern), buffer_string(&text)));
    buffer_text(&text, "b");
    assert_true(matches(buffer_string(&pattern), buffer_string(&text)));
    buffer_free(&pattern);
    buffer_free(&text);
}

static void random_globs_do_no_harm(void **state)
{
    (void)state;
    static const char alphabet[] = "ab*?[]{},\\^-/!\xC3\xA9";
    srand(4711);
    for (int round = 0; round < 20000; round++) {
        char pattern[16], text[16];
        size_t size = (size_t)rand() % 15;
        for (size_t i = 0; i < size; i++) pattern[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)], text[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        pattern[size] = text[size] = 0;
        struct glob *glob = glob_compile(arena, pattern, NULL);
        if (glob) (void)glob_match(glob, text);
        if (round % 1000 == 0) arena_reset(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_escaped_as_java_does),
        cmocka_unit_test(partition_values_are_escaped_as_hive_does),
        cmocka_unit_test(globs_follow_hadoop),
        cmocka_unit_test(broken_globs_are_refused),
        cmocka_unit_test(many_alternatives_take_no_exponential_time),
        cmocka_unit_test(random_globs_do_no_harm),
    };
    return cmocka_run_group_tests_name("uri", tests, start, stop);
}
