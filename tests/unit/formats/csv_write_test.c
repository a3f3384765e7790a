/* csv_write_test -- rows as Spark 4.2 writes them. The table below was recorded there, with the same values. */
#include "tests/unit/formats/writer_fixture.h"

#define WRITTEN(ddl, records, wanted, ...) \
    assert_written(&csv_encoder, "UTC", ddl, records, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}, wanted)

static const char pairs[] = "{\"v\":\" a \",\"w\":\"b\"}\n{\"v\":\"  \",\"w\":\"b\"}\n{\"v\":\"b\",\"w\":\"  \"}\n{\"v\":\" #h\",\"w\":\"x\"}\n"
                            "{\"v\":\"#h\",\"w\":\"#h\"}\n{\"v\":\"\",\"w\":\"\"}\n{}\n{\"v\":\"a\\\"b,c\",\"w\":\"a\\\"b\"}\n{\"v\":\"\\\\\",\"w\":\"x\"}\n"
                            "{\"v\":\"\\\\\\\"\",\"w\":\"\\\\,\"}\n{\"v\":\"\\\"\",\"w\":\"\\\"\\\"\"}\n{\"v\":\"a\\tb\",\"w\":\"\\t\"}\n"
                            "{\"v\":\"a|b\",\"w\":\"a||b\"}\n{\"v\":\" x,y \",\"w\":\" \\\"q\\\" \"}\n{\"v\":\"!c\",\"w\":\"!c\"}\n"
                            "{\"v\":\"a;b\",\"w\":\"\\n\"}\n{\"v\":\"\u00E9\",\"w\":\"a \"}\n";

/* "" for quote and escape is the NUL character, hence the sizes. */
static const struct recorded {
    const char *options[8];
    const char *text;
    size_t size;
} recorded[] = {
    {{NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n\"\\\\\\\"\",\"\\\\,\"\n"
     "\"\\\"\",\"\\\"\\\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     128},
    {{"ignoreTrailingWhiteSpace", "false", NULL},
     "a ,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n\"\\\\\\\"\",\"\\\\,\"\n"
     "\"\\\"\",\"\\\"\\\"\"\na\tb,\"\"\na|b,a||b\n\"x,y \",\"\\\"q\\\" \"\n!c,!c\na;b,\"\"\n\303\251,a \n",
     132},
    {{"ignoreLeadingWhiteSpace", "false", "ignoreTrailingWhiteSpace", "false", NULL},
     " a ,b\n  ,b\nb,  \n #h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n"
     "\"\\\\\\\"\",\"\\\\,\"\n\"\\\"\",\"\\\"\\\"\"\na\tb,\t\na|b,a||b\n\" x,y \",\" \\\"q\\\" \"\n!c,!c\na;b,\"\n"
     "\"\n\303\251,a \n",
     136},
    {{"emptyValue", "", NULL},
     "a,b\n,b\nb,\n#h,x\n\"#h\",#h\n,\n,\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n\"\\\\\\\"\",\"\\\\,\"\n"
     "\"\\\"\",\"\\\"\\\"\"\na\tb,\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n!c,!c\na;b,\n\303\251,a\n",
     116},
    {{"emptyValue", "a,b", "nullValue", "c,d", NULL},
     "a,b\n\"a,b\",b\nb,\"a,b\"\n#h,x\n\"#h\",#h\n\"a,b\",\"a,b\"\n\"c,d\",\"c,d\"\n"
     "\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n\"\\\\\\\"\",\"\\\\,\"\n\"\\\"\",\"\\\"\\\"\"\na\tb,\"a,b\"\na|b,a||b\n"
     "\"x,y\",\"\\\"q\\\"\"\n!c,!c\na;b,\"a,b\"\n\303\251,a\n",
     156},
    {{"nullValue", " x ", "emptyValue", " y ", NULL},
     "a,b\ny,b\nb,y\n#h,x\n\"#h\",#h\ny,y\nx,x\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n\"\\\\\\\"\",\"\\\\,\"\n"
     "\"\\\"\",\"\\\"\\\"\"\na\tb,y\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n!c,!c\na;b,y\n\303\251,a\n",
     124},
    {{"nullValue", "\"q\"", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n\"q\",\"q\"\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n"
     "\"\\\\\\\"\",\"\\\\,\"\n\"\\\"\",\"\\\"\\\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n!c,!c\na;b,\"\"\n"
     "\303\251,a\n",
     134},
    {{"nullValue", "\"", "emptyValue", "\"", NULL},
     "a,b\n\"\\\"\",b\nb,\"\\\"\"\n#h,x\n\"#h\",#h\n\"\\\"\",\"\\\"\"\n\"\\\"\",\"\\\"\"\n\"a\\\"b,c\",\"a\\\"b\"\n"
     "\\,x\n\"\\\\\\\"\",\"\\\\,\"\n\"\\\"\",\"\\\"\\\"\"\na\tb,\"\\\"\"\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n!c,!c\n"
     "a;b,\"\\\"\"\n\303\251,a\n",
     148},
    {{"escape", "", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\000\"b,c\",\"a\000\"b\"\n\\,x\n\"\\\000\"\",\"\\,\"\n"
     "\"\000\"\",\"\000\"\000\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\000\"q\000\"\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     126},
    {{"quote", "", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\000#h\000,#h\n\"\",\"\"\n,\n\000a\"b,c\000,a\"b\n\\,x\n\\\",\000\\\\,\000\n\",\"\"\n"
     "a\tb,\"\"\na|b,a||b\n\000x,y\000,\"q\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     109},
    {{"charToEscapeQuoteEscaping", "|", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n\"|\\\\\"\",\"|\\,\"\n"
     "\"\\\"\",\"\\\"\\\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     128},
    {{"escape", "\"", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\"\"b,c\",\"a\"\"b\"\n\\,x\n\"\\\"\"\",\"\\,\"\n"
     "\"\"\"\",\"\"\"\"\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\"\"q\"\"\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     126},
    {{"escape", "\"", "charToEscapeQuoteEscaping", "|", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\"\"b,c\",\"a\"\"b\"\n\\,x\n\"\\\"\"\",\"\\,\"\n"
     "\"\"\"\",\"\"\"\"\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\"\"q\"\"\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     126},
    {{"comment", "!", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n#h,#h\n\"\",\"\"\n,\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n\"\\\\\\\"\",\"\\\\,\"\n"
     "\"\\\"\",\"\\\"\\\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n\"!c\",!c\na;b,\"\"\n\303\251,a\n",
     128},
    {{"sep", "||", NULL},
     "a||b\n\"\"||b\nb||\"\"\n#h||x\n\"#h\"||#h\n\"\"||\"\"\n||\n\"a\\\"b,c\"||\"a\\\"b\"\n\\||x\n"
     "\"\\\\\\\"\"||\\,\n\"\\\"\"||\"\\\"\\\"\"\na\tb||\"\"\na|b||\"a||b\"\nx,y||\"\\\"q\\\"\"\n!c||!c\n"
     "a;b||\"\"\n\303\251||a\n",
     142},
    {{"sep", "\\t", NULL},
     "a\tb\n\"\"\tb\nb\t\"\"\n#h\tx\n\"#h\"\t#h\n\"\"\t\"\"\n\t\n\"a\\\"b,c\"\t\"a\\\"b\"\n\\\tx\n\"\\\\\\\"\"\t\\,\n"
     "\"\\\"\"\t\"\\\"\\\"\"\n\"a\tb\"\t\"\"\na|b\ta||b\nx,y\t\"\\\"q\\\"\"\n!c\t!c\na;b\t\"\"\n\303\251\ta\n",
     125},
    {{"escapeQuotes", "false", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\\\"b,c\",a\"b\n\\,x\n\\\",\"\\\\,\"\n"
     "\"\\\"\",\"\\\"\\\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     121},
    {{"quoteAll", "true", NULL},
     "\"a\",\"b\"\n\"\",\"b\"\n\"b\",\"\"\n\"#h\",\"x\"\n\"#h\",\"#h\"\n\"\",\"\"\n\"\",\"\"\n\"a\\\"b,c\",\"a\\\"b\"\n"
     "\"\\\\\",\"x\"\n\"\\\\\\\"\",\"\\\\,\"\n\"\\\"\",\"\\\"\\\"\"\n\"a\tb\",\"\"\n\"a|b\",\"a||b\"\n\"x,y\",\"\\\"q\\\"\"\n"
     "\"!c\",\"!c\"\n\"a;b\",\"\"\n\"\303\251\",\"a\"\n",
     167},
    {{"quoteAll", "true", "nullValue", "N", "emptyValue", "E", NULL},
     "\"a\",\"b\"\n\"E\",\"b\"\n\"b\",\"E\"\n\"#h\",\"x\"\n\"#h\",\"#h\"\n\"E\",\"E\"\n\"N\",\"N\"\n"
     "\"a\\\"b,c\",\"a\\\"b\"\n\"\\\\\",\"x\"\n\"\\\\\\\"\",\"\\\\,\"\n\"\\\"\",\"\\\"\\\"\"\n\"a\tb\",\"E\"\n"
     "\"a|b\",\"a||b\"\n\"x,y\",\"\\\"q\\\"\"\n\"!c\",\"!c\"\n\"a;b\",\"E\"\n\"\303\251\",\"a\"\n",
     175},
    {{"quote", "'", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n'#h',#h\n\"\",\"\"\n,\n'a\"b,c',a\"b\n\\,x\n\\\",'\\\\,'\n\",\"\"\n"
     "a\tb,\"\"\na|b,a||b\n'x,y',\"q\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     109},
    {{"quote", "'", "escapeQuotes", "false", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n'#h',#h\n\"\",\"\"\n,\n'a\"b,c',a\"b\n\\,x\n\\\",'\\\\,'\n\",\"\"\n"
     "a\tb,\"\"\na|b,a||b\n'x,y',\"q\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     109},
    {{"lineSep", ";", NULL},
     "a,b;\"\",b;b,\"\";#h,x;\"#h\",#h;\"\",\"\";,;\"a\\\"b,c\",\"a\\\"b\";\\,x;\"\\\\\\\"\",\"\\\\,\";\"\\\"\",\"\\\"\\\"\";a\tb,\"\";a|b,a||b;\"x,y\",\"\\\"q\\\"\";!c,!c;\"a;b\",\"\";\303\251,a;",
     130},
    {{"escape", "|", "quoteAll", "true", NULL},
     "\"a\",\"b\"\n\"\",\"b\"\n\"b\",\"\"\n\"#h\",\"x\"\n\"#h\",\"#h\"\n\"\",\"\"\n\"\",\"\"\n\"a|\"b,c\",\"a|\"b\"\n"
     "\"\\\",\"x\"\n\"\\|\"\",\"\\,\"\n\"|\"\",\"|\"|\"\"\n\"a\tb\",\"\"\n\"a||b\",\"a||||b\"\n\"x,y\",\"|\"q|\"\"\n"
     "\"!c\",\"!c\"\n\"a;b\",\"\"\n\"\303\251\",\"a\"\n",
     167},
    {{"quoteAll", "true", "ignoreLeadingWhiteSpace", "false", "ignoreTrailingWhiteSpace", "false", NULL},
     "\" a \",\"b\"\n\"  \",\"b\"\n\"b\",\"  \"\n\" #h\",\"x\"\n\"#h\",\"#h\"\n\"\",\"\"\n\"\",\"\"\n"
     "\"a\\\"b,c\",\"a\\\"b\"\n\"\\\\\",\"x\"\n\"\\\\\\\"\",\"\\\\,\"\n\"\\\"\",\"\\\"\\\"\"\n\"a\tb\",\"\t\"\n"
     "\"a|b\",\"a||b\"\n\" x,y \",\" \\\"q\\\" \"\n\"!c\",\"!c\"\n\"a;b\",\"\n\"\n\"\303\251\",\"a \"\n",
     181},
    {{"quote", "", "quoteAll", "true", NULL},
     "\000a\000,\000b\000\n\000\"\"\000,\000b\000\n\000b\000,\000\"\"\000\n\000#h\000,\000x\000\n\000#h\000,\000#h\000\n\000\"\"\000,\000\"\"\000\n\000\000,\000\000\n"
     "\000a\"b,c\000,\000a\"b\000\n\000\\\\\000,\000x\000\n\000\\\\\"\000,\000\\\\,\000\n\000\"\000,\000\"\"\000\n\000a\tb\000,\000\"\"\000\n\000a|b\000,\000a||b\000\n"
     "\000x,y\000,\000\"q\"\000\n\000!c\000,\000!c\000\n\000a;b\000,\000\"\"\000\n\000\303\251\000,\000a\000\n",
     171},
    {{"comment", "", NULL},
     "a,b\n\"\",b\nb,\"\"\n#h,x\n\"#h\",#h\n\"\",\"\"\n,\n\"a\\\"b,c\",\"a\\\"b\"\n\\,x\n\"\\\\\\\"\",\"\\\\,\"\n"
     "\"\\\"\",\"\\\"\\\"\"\na\tb,\"\"\na|b,a||b\n\"x,y\",\"\\\"q\\\"\"\n!c,!c\na;b,\"\"\n\303\251,a\n",
     128},
};

static void values_are_quoted_and_escaped_as_recorded(void **state)
{
    (void)state;
    struct writer writer;
    writer_open(&writer, "UTC", "v STRING, w STRING", pairs);
    for (size_t i = 0; i < COUNTOF(recorded); i++) {
        struct encoder *encoder = writer_encoder(&writer, &csv_encoder, recorded[i].options);
        struct buffer out = {0};
        assert_non_null(encoder);
        writer_file(&writer, &csv_encoder, encoder, 1, &out);
        if (out.size != recorded[i].size || memcmp(out.data, recorded[i].text, out.size) != 0)
            fail_msg("row %zu (%s=%s): %s", i, recorded[i].options[0], recorded[i].options[1], buffer_string(&out));
        buffer_free(&out);
    }
    writer_close(&writer);
}

static void all_types_have_their_text(void **state)
{
    (void)state;
    assert_written(&csv_encoder, "Europe/Paris",
                   "a DECIMAL(38,10), b DECIMAL(38,10), c DECIMAL(10,2), d DOUBLE, e DOUBLE, f FLOAT, g FLOAT, h BOOLEAN, i BINARY, j BINARY, k DATE, "
                   "l TIMESTAMP, m TIMESTAMP_NTZ, n TINYINT",
                   "{\"a\":0.0000001,\"b\":0,\"c\":1.1,\"d\":1e20,\"e\":NaN,\"f\":-Infinity,\"g\":1.5,\"h\":true,\"i\":\"AP8=\",\"j\":\"\",\"k\":"
                   "\"2024-01-02\",\"l\":\"2024-01-02 03:04:05.123456\",\"m\":\"2024-01-02 03:04:05\",\"n\":1}\n",
                   NULL,
                   "1.000E-7,0E-10,1.10,1.0E20,NaN,-Infinity,1.5,true,[00 FF],[],2024-01-02,2024-01-02T03:04:05.123+01:00,2024-01-02T03:04:05.000,1\n");
    WRITTEN("a INT, b DOUBLE", "{\"a\":-12,\"b\":1.5}\n{\"a\":3}\n", "\"-12\"-1.5\n3-\n", "sep", "-");
    WRITTEN("a INT", "{\"a\":10}\n", "\"10\"0", "lineSep", "0");
    WRITTEN("a INT, t TIMESTAMP", "{\"a\":1,\"t\":\"2024-01-02T03:04:05Z\"}\n", "1,\"02,01\"\n", "timestampFormat", "dd,MM");
}

static void headers_are_values_too(void **state)
{
    (void)state;
    WRITTEN("`x,y` INT, `q\"t` INT", "{\"x,y\":1,\"q\\\"t\":1}\n", "\"x,y\",\"q\\\"t\"\n1,1\n", "header", "true");
    WRITTEN("`#x` INT, ` b` INT", "{\"#x\":1,\" b\":2}\n", "\"#x\",\"b\"\n\"1\",\"2\"\n", "header", "true", "quoteAll", "true");
    WRITTEN("a INT", "", "a\n", "header", "true");
}

static void a_row_of_one_null_is_not_lost(void **state)
{
    (void)state;
    WRITTEN("v STRING", "{}\n{\"v\":\"a\"}\n{\"v\":\"\"}\n{\"v\":\" \"}\n", "\"\"\na\n\"\"\n\"\"\n");
    WRITTEN("v STRING", "{}\n", "N\n", "nullValue", "N");
}

/* Where Spark writes fragments of the escape (trailing blanks off, leading ones kept), an empty value is written. */
static void blanks_alone_are_an_empty_value(void **state)
{
    (void)state;
    WRITTEN("v STRING, w STRING", "{\"v\":\"  \",\"w\":\" b \"}\n", "\"\", b\n", "ignoreLeadingWhiteSpace", "false");
}

static void ill_formed_text_is_repaired(void **state)
{
    (void)state;
    struct writer writer;
    struct buffer out = {0};
    writer_open(&writer, "UTC", "v STRING", "{\"v\":\"xyz\"}\n");
    memcpy(writer.chunk.columns[0].data, "\xFF,\xC3", 3);
    struct encoder *encoder = writer_encoder(&writer, &csv_encoder, NULL);
    writer_file(&writer, &csv_encoder, encoder, 1, &out);
    assert_string_equal(buffer_string(&out), "\"\uFFFD,\uFFFD\"\n");
    buffer_free(&out);
    writer_close(&writer);
}

static void every_codec_reads_back(void **state)
{
    (void)state;
    assert_every_codec_reads_back(&csv_encoder, "v STRING, w STRING", pairs, "header");
}

static void text_is_one_string_column(void **state)
{
    (void)state;
    assert_written(&text_encoder, "UTC", "v STRING", "{\"v\":\"x\"}\n{}\n{\"v\":\"\"}\n{\"v\":\"a,b\"}\n", NULL, "x\n\n\na,b\n");
    assert_written(&text_encoder, "UTC", "v STRING", "{\"v\":\"x\"}\n{\"v\":\"y\"}\n", (const char *const[]){"lineSep", "abc", NULL}, "xabcyabc");
    assert_refused(&text_encoder, "v INT", NULL, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE);
    assert_refused(&text_encoder, "v STRING, w STRING", NULL, COND_INLET_TEXT_ONE_COLUMN);
    assert_refused(&text_encoder, "v STRING", (const char *const[]){"encoding", "UTF-16LE", NULL}, COND_INLET_BAD_OPTION_VALUE);
    assert_every_codec_reads_back(&text_encoder, "v STRING", "{\"v\":\"x\"}\n{}\n", NULL);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
#define REFUSED(ddl, condition, ...) assert_refused(&csv_encoder, ddl, (const char *const[]){__VA_ARGS__, NULL}, condition)
    REFUSED("a INT", COND_DELIMITER_EMPTY, "sep", "");
    REFUSED("a INT", COND_DELIMITER_BACKSLASH, "sep", "\\");
    REFUSED("a INT", COND_DELIMITER_SPECIAL, "sep", "\\x");
    REFUSED("a INT", COND_OPTION_VALUE_EXCEEDS_ONE_CHARACTER, "quote", "ab");
    REFUSED("a INT", COND_INLET_BAD_OPTION_VALUE, "lineSep", "abc");
    REFUSED("a INT", COND_INLET_BAD_OPTION_VALUE, "lineSep", "");
    REFUSED("a INT", COND_CODEC_NOT_AVAILABLE, "compression", "foo");
    REFUSED("a DATE", COND_INLET_BAD_OPTION_VALUE, "dateFormat", "yyyy HH");
    assert_refused(&csv_encoder, "s STRUCT<a: INT>", NULL, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_quoted_and_escaped_as_recorded),
        cmocka_unit_test(all_types_have_their_text),
        cmocka_unit_test(headers_are_values_too),
        cmocka_unit_test(a_row_of_one_null_is_not_lost),
        cmocka_unit_test(blanks_alone_are_an_empty_value),
        cmocka_unit_test(ill_formed_text_is_repaired),
        cmocka_unit_test(every_codec_reads_back),
        cmocka_unit_test(text_is_one_string_column),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests_name("csv_write", tests, NULL, NULL);
}
