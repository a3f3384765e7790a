/* Option tables: value grammars, aliases, unknown names, what comes later. */
#include "base/options.h"
#include "base/session.h"
#include "tests/unit/fixture.h"

static const struct option_spec table[] = {
    {.name = "header", .kind = OPTION_BOOL, .fallback = "false", .help = "."},
    {.name = "maxColumns", .kind = OPTION_INT, .fallback = "20480", .minimum = 1, .maximum = INT64_MAX, .help = "."},
    {.name = "level", .kind = OPTION_INT, .minimum = 1, .maximum = 22, .help = "."},
    {.name = "cached", .kind = OPTION_INT, .minimum = 0, .maximum = INT64_MAX, .help = "."},
    {.name = "ratio", .kind = OPTION_REAL, .fallback = "0.2", .help = "."},
    {.name = "quote", .kind = OPTION_CHAR, .fallback = "\"", .help = "."},
    {.name = "mode", .kind = OPTION_CHOICE, .choices = "PERMISSIVE|DROPMALFORMED|FAILFAST", .fallback = "PERMISSIVE", .help = "."},
    {.name = "compression", .kind = OPTION_CHOICE, .choices = "none|snappy", .fallback = "snappy", .help = "."},
    {.name = "encoding", .kind = OPTION_TEXT, .fallback = "UTF-8", .help = "."},
    {.name = "charset", .kind = OPTION_TEXT, .alias_of = "encoding", .help = "."},
    {.name = "size", .kind = OPTION_BYTES, .help = "."},
    {.name = "age", .kind = OPTION_DURATION, .help = "."},
    {.name = "every", .kind = OPTION_INTERVAL, .help = "."},
    {.name = "folder", .kind = OPTION_PATH, .help = "."},
    {.name = "password", .kind = OPTION_INT, .secret = true, .help = "."},
    {.name = "fixed", .kind = OPTION_BOOL, .fallback = "true", .never = "there is one way", .help = "."},
    {.name = "unwanted", .kind = OPTION_TEXT, .never = "it is the query's id", .help = "."},
    {.name = "variant", .kind = OPTION_BOOL, .fallback = "false", .later = "there is no variant", .help = "."},
    {.name = "resourceTag.*", .kind = OPTION_TEXT, .help = "."},
    {.name = NULL},
};

static bool parse_as(const char *owner, const struct option_input *inputs, size_t count, struct options *out)
{
    const struct option_spec *tables[] = {NULL, table};
    error_clear(&err);
    return options_parse(arena, owner, tables, 2, inputs, count, "/base", out, &err);
}

static bool parse_one(const char *name, const char *text, struct options *out)
{
    struct option_input input = {.name = name, .text = text, .line = 7};
    return parse_as("csv", &input, 1, out);
}

static void values_are_parsed_by_kind(void **state)
{
    (void)state;
    struct options out;
    assert_true(parse_one("HEADER", "TRUE", &out));
    assert_true(options_bool(&out, "header"));
    assert_true(options_given(&out, "Header"));
    assert_false(options_given(&out, "maxColumns"));
    assert_int_equal(options_int(&out, "maxcolumns"), 20480);
    assert_true(parse_one("maxColumns", "+3", &out));
    assert_int_equal(options_int(&out, "maxColumns"), 3);
    assert_true(parse_one("ratio", "1e-1", &out));
    assert_true(options_get(&out, "ratio")->real > 0.0999 && options_get(&out, "ratio")->real < 0.1001);
    assert_true(parse_one("quote", "", &out));
    assert_int_equal(options_int(&out, "quote"), 0);
    assert_true(parse_one("quote", "\u00a6", &out));
    assert_int_equal(options_int(&out, "quote"), 0xA6);
    assert_true(parse_one("mode", "failfast", &out));
    assert_int_equal(options_int(&out, "mode"), 2);
    assert_true(parse_one("size", "10g", &out));
    assert_int_equal(options_int(&out, "size"), 10ll << 30);
    assert_true(parse_one("age", "7d", &out));
    assert_int_equal(options_int(&out, "age"), 604800000000ll);
    assert_true(parse_one("every", "1 day 2 hours", &out));
    assert_int_equal(options_int(&out, "every"), 93600000000ll);
    assert_true(parse_one("resourceTag.team", "x", &out));
}

static void paths_become_absolute(void **state)
{
    (void)state;
    struct options out;
    const char *const cases[][2] = {{"a/../b", "/base/b"}, {"/x/y/", "/x/y"}, {"file:///t%20u", "/t u"}, {"s3://bucket/key", "s3://bucket/key"}, {"a:b", "/base/a:b"}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_true(parse_one("folder", cases[i][0], &out));
        assert_string_equal(options_text(&out, "folder"), cases[i][1]);
    }
    assert_false(parse_one("folder", "", &out));
}

static void bad_values_are_refused_with_their_line(void **state)
{
    (void)state;
    static const struct { const char *name, *text; enum condition condition; const char *says; } cases[] = {
        {"header", "yes", COND_INLET_BAD_OPTION_VALUE, "must be 'true' or 'false'"},
        {"header", "", COND_INLET_BAD_OPTION_VALUE, "header"},
        {"header", NULL, COND_INLET_BAD_OPTION_VALUE, "no value"},
        {"maxColumns", "0", COND_INLET_BAD_OPTION_VALUE, "a positive integer"},
        {"maxColumns", "3x", COND_INLET_BAD_OPTION_VALUE, "a positive integer"},
        {"maxColumns", " 3", COND_INLET_BAD_OPTION_VALUE, "a positive integer"},
        {"maxColumns", "99999999999999999999", COND_INLET_BAD_OPTION_VALUE, "a positive integer"},
        {"level", "23", COND_INLET_BAD_OPTION_VALUE, "between 1 and 22"},
        {"cached", "-1", COND_INLET_BAD_OPTION_VALUE, "greater than or equal to 0"},
        {"ratio", "0x1", COND_INLET_BAD_OPTION_VALUE, "a number"},
        {"ratio", "nan", COND_INLET_BAD_OPTION_VALUE, "a number"},
        {"quote", "''", COND_OPTION_VALUE_EXCEEDS_ONE_CHARACTER, "quote cannot be more than one character, but got ''"},
        {"quote", "\U0001F600", COND_OPTION_VALUE_EXCEEDS_ONE_CHARACTER, "quote"},
        {"mode", "PERMISSIV", COND_INLET_BAD_OPTION_VALUE, "one of PERMISSIVE, DROPMALFORMED, FAILFAST"},
        {"mode", "", COND_INLET_BAD_OPTION_VALUE, "one of"},
        {"compression", "nope", COND_CODEC_NOT_AVAILABLE, "the codec nope is not available"},
        {"size", "10q", COND_INLET_BAD_OPTION_VALUE, "a byte size"},
        {"size", "9000000t", COND_INLET_BAD_OPTION_VALUE, "a byte size"},
        {"age", "7 lightyears", COND_INLET_BAD_OPTION_VALUE, "a duration"},
        {"every", "1", COND_INLET_BAD_OPTION_VALUE, "an interval"},
        {"variant", "true", COND_INLET_NOT_SUPPORTED_YET, "there is no variant"},
        {"fixed", "false", COND_INLET_BAD_OPTION_VALUE, "option 'fixed' can only be 'true': there is one way"},
        {"unwanted", "x", COND_INLET_BAD_OPTION_VALUE, "option 'unwanted' cannot be set: it is the query's id"},
        {"headr", "true", COND_INLET_UNKNOWN_OPTION, "'headr' is not known to csv"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct options out;
        assert_false(parse_one(cases[i].name, cases[i].text, &out));
        assert_int_equal(err.condition, cases[i].condition);
        assert_non_null(strstr(err.message, cases[i].says));
        assert_int_equal(err.line, 7);
    }
    assert_string_equal(err.hint, "Did you mean 'header'?");
}

static void a_null_error_is_allowed(void **state)
{
    (void)state;
    struct options out;
    struct option_input input = {.name = "nope", .text = "x"};
    const struct option_spec *tables[] = {table};
    assert_false(options_parse(arena, "csv", tables, 1, &input, 1, NULL, &out, NULL));
}

static void what_comes_later_may_have_its_default(void **state)
{
    (void)state;
    struct options out;
    assert_true(parse_one("variant", "FALSE", &out));
    assert_true(parse_one("fixed", "TRUE", &out));
}

static void secrets_are_not_printed(void **state)
{
    (void)state;
    struct options out;
    assert_false(parse_one("password", "hunter2", &out));
    assert_null(strstr(err.message, "hunter2"));
    struct option_input hidden = {.name = "mode", .text = "from-env", .hidden = true};
    assert_false(parse_as("csv", &hidden, 1, &out));
    assert_null(strstr(err.message, "from-env"));
}

static void the_main_name_wins_over_its_alias(void **state)
{
    (void)state;
    struct options out;
    struct option_input both[] = {{.name = "charset", .text = "latin1"}, {.name = "encoding", .text = "UTF-16"}};
    assert_true(parse_as("csv", both, 2, &out));
    assert_string_equal(options_text(&out, "charset"), "UTF-16");
    assert_true(parse_one("charset", "latin1", &out));
    assert_string_equal(options_text(&out, "encoding"), "latin1");
    assert_true(options_given(&out, "encoding"));
}

static void cloud_names_may_have_the_prefix(void **state)
{
    (void)state;
    struct options out;
    struct option_input inputs[] = {{.name = "cloudFiles.header", .text = "true"}, {.name = "header", .text = "true"}};
    assert_true(parse_as("cloudFiles", inputs, 2, &out));
    assert_true(options_bool(&out, "header"));
    inputs[1].text = "false";
    assert_false(parse_as("cloudFiles", inputs, 2, &out));
    assert_int_equal(err.condition, COND_CF_INVALID_VALUE);
    struct option_input unknown = {.name = "cloudFiles.heder", .text = "x", .line = 3};
    assert_false(parse_as("cloudFiles", &unknown, 1, &out));
    assert_int_equal(err.condition, COND_CF_UNKNOWN_OPTION_KEYS_ERROR);
    assert_non_null(strstr(err.hint, "'header'"));
    assert_false(parse_as("csv", inputs, 1, &out));
}

static void durations_and_intervals_follow_spark(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t duration, interval; } cases[] = { /* -1: refused. */
        {"500ms", 500000, -1},        {"10", 10000, -1},           {" 3 min ", 180000000, -1}, {"1 day", -1, 86400000000ll},
        {"interval 2 hours", -1, 7200000000ll}, {"INTERVAL 1 Week", -1, 604800000000ll}, {"1.5 seconds", -1, 1500000}, {"1.5 hours", -1, -1},
        {"", -1, -1},                 {"interval", -1, -1},        {"5 minutes -30 seconds", -1, 270000000}, {"2 months", -1, 5356800000000ll},
        {"1 microsecond", -1, 1},     {"99999999999999999 years", -1, -1}, {"1d", 86400000000ll, -1}, {"-5s", -1, -1},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        int64_t value = -1;
        if (!parse_duration_text(cases[i].text, &value)) value = -1;
        assert_int_equal(value, cases[i].duration);
        value = -1;
        if (!parse_interval_text(cases[i].text, &value)) value = -1;
        assert_int_equal(value, cases[i].interval);
    }
}

static void nearest_names_are_near(void **state)
{
    (void)state;
    const char *const names[] = {"json", "csv", "text", "parquet", NULL};
    assert_string_equal(nearest_name("jsonn", names), "json");
    assert_string_equal(nearest_name("CVS", names), "csv");
    assert_string_equal(nearest_name("paruqet", names), "parquet");
    assert_null(nearest_name("kafka", names));
    assert_null(nearest_name("", names));
    char long_name[300];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    assert_null(nearest_name(long_name, names));
}

static void settings_are_known_refused_or_warned_of(void **state)
{
    (void)state;
    struct session session;
    struct buffer warnings = {0};
    struct option_input inputs[] = {{.name = "spark.sql.session.timeZone", .text = "Europe/Paris"}, {.name = "spark.sql.caseSensitiv", .text = "true", .line = 4},
                                    {.name = "spark.sql.shuffle.partitions", .text = "5"}, {.name = "spark.sql.caseSensitive", .text = "true"}};
    assert_true(session_parse(arena, inputs, COUNTOF(inputs), &session, &warnings, &err));
    assert_string_equal(time_zone_name(session.zone), "Europe/Paris");
    assert_true(session.case_sensitive);
    assert_string_equal(session.corrupt_column, "_corrupt_record");
    assert_non_null(strstr(buffer_string(&warnings), "line 4"));
    assert_non_null(strstr(buffer_string(&warnings), "did you mean 'spark.sql.caseSensitive'"));
    buffer_free(&warnings);
    static const struct { const char *name, *text; enum condition condition; } bad[] = {
        {"spark.sql.ansi.enabled", "false", COND_INLET_NOT_SUPPORTED_YET},  {"spark.sql.legacy.timeParserPolicy", "LEGACY", COND_INLET_NOT_SUPPORTED_YET},
        {"sparc.sql.ansi.enabled", "true", COND_INLET_UNKNOWN_OPTION},      {"spark.sql.caseSensitive", "1", COND_INLET_BAD_OPTION_VALUE},
        {"spark.sql.shuffle.partitions", "0", COND_INLET_BAD_OPTION_VALUE}, {"spark.sql.parquet.outputTimestampType", "INT64", COND_INLET_BAD_OPTION_VALUE},
    };
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct option_input input = {.name = bad[i].name, .text = bad[i].text};
        error_clear(&err);
        assert_false(session_parse(arena, &input, 1, &session, NULL, &err));
        assert_int_equal(err.condition, bad[i].condition);
    }
    struct option_input zone = {.name = "spark.sql.session.timeZone", .text = "Mars/Base", .line = 9};
    error_clear(&err);
    assert_false(session_parse(arena, &zone, 1, &session, NULL, &err));
    assert_int_equal(err.line, 9);
}

static void settings_have_help_and_valid_defaults(void **state)
{
    (void)state;
    struct session session;
    assert_true(session_parse(arena, NULL, 0, &session, NULL, &err));
    for (const struct option_spec *spec = session_options; spec->name; spec++) {
        assert_non_null(spec->help);
        assert_true(strncmp(spec->name, "spark.", 6) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_parsed_by_kind),
        cmocka_unit_test(paths_become_absolute),
        cmocka_unit_test(bad_values_are_refused_with_their_line),
        cmocka_unit_test(a_null_error_is_allowed),
        cmocka_unit_test(what_comes_later_may_have_its_default),
        cmocka_unit_test(secrets_are_not_printed),
        cmocka_unit_test(the_main_name_wins_over_its_alias),
        cmocka_unit_test(cloud_names_may_have_the_prefix),
        cmocka_unit_test(durations_and_intervals_follow_spark),
        cmocka_unit_test(nearest_names_are_near),
        cmocka_unit_test(settings_are_known_refused_or_warned_of),
        cmocka_unit_test(settings_have_help_and_valid_defaults),
    };
    return cmocka_run_group_tests_name("options", tests, start, stop);
}
