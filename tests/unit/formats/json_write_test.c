/* json_write_test -- rows as Spark 4.2 writes them; expectations were recorded there. */
#include "formats/json_write.h"
#include "tests/unit/formats/writer_fixture.h"

#define WRITTEN(ddl, records, wanted, ...) \
    assert_written(&json_encoder, "UTC", ddl, records, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL}, wanted)

static void null_fields_are_left_out_unless_asked_for(void **state)
{
    (void)state;
    static const char ddl[] = "a INT, t TIMESTAMP, m DECIMAL(5,2), s STRUCT<p: INT>, l ARRAY<INT>";
    WRITTEN(ddl, "{\"a\":1,\"t\":\"2024-01-02T03:04:05.5Z\",\"m\":1.5,\"s\":{\"p\":null},\"l\":[1,null]}\n{}\n",
            "{\"a\":1,\"t\":\"2024-01-02T03:04:05.500Z\",\"m\":1.50,\"s\":{},\"l\":[1,null]}\n{}\n");
    WRITTEN("a INT, b STRUCT<x: INT>, c ARRAY<INT>, d MAP<STRING,INT>", "{\"b\":{},\"c\":[null]}\n",
            "{\"a\":null,\"b\":{\"x\":null},\"c\":[null],\"d\":null}\n", "ignoreNullFields", "false");
}

static void numbers_are_javas(void **state)
{
    (void)state;
    WRITTEN("m DECIMAL(38,10), n DECIMAL(38,10)", "{\"m\":0.0000001,\"n\":0}\n{\"m\":1e-10,\"n\":1e20}\n",
            "{\"m\":1.000E-7,\"n\":0E-10}\n{\"m\":1E-10,\"n\":100000000000000000000.0000000000}\n");
    WRITTEN("a DOUBLE, b FLOAT, c DOUBLE, d TINYINT, e SMALLINT, f BIGINT, g BOOLEAN",
            "{\"a\":1e10,\"b\":0.1,\"c\":-0.0,\"d\":-128,\"e\":-7,\"f\":-9223372036854775808,\"g\":true}\n{\"a\":NaN,\"b\":-Infinity,\"c\":1e-5,\"g\":false}\n",
            "{\"a\":1.0E10,\"b\":0.1,\"c\":-0.0,\"d\":-128,\"e\":-7,\"f\":-9223372036854775808,\"g\":true}\n"
            "{\"a\":\"NaN\",\"b\":\"-Infinity\",\"c\":1.0E-5,\"g\":false}\n");
}

static void strings_are_escaped_as_little_as_possible(void **state)
{
    (void)state;
    WRITTEN("v STRING", "{\"v\":\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f \\u007f\\\"'\\\\/\\u2028\\u00e9\\ud83d\\ude00\"}\n",
            "{\"v\":\"\\u0000\\u0001\\b\\t\\n\\u000B\\f\\r\\u001F \x7F\\\"'\\\\/\u2028\u00E9\U0001F600\"}\n");
    WRITTEN("`\u00E9` STRING", "{\"\u00E9\":\"\u00E9 \U0001F600 a\"}\n", "{\"\\u00E9\":\"\\u00E9 \\uD83D\\uDE00 a\"}\n",
            "writeNonAsciiCharacterAsCodePoint", "true");
    WRITTEN("`a\"b` STRING", "{\"a\\\"b\":\"12345678\\\"12345678\\\\\"}\n", "{\"a\\\"b\":\"12345678\\\"12345678\\\\\"}\n");
}

static void every_byte_is_escaped_alike_at_every_position(void **state)
{
    (void)state;
    for (size_t at = 0; at < 20; at++) {
        for (int byte = 0; byte < 256; byte++) {
            uint8_t text[20];
            memset(text, 'x', sizeof text);
            text[at] = (uint8_t)byte;
            struct buffer out = {0}, wanted = {0};
            json_append_string(&out, text, sizeof text, false);
            buffer_json_string(&wanted, text, sizeof text);
            assert_string_equal(buffer_string(&out), buffer_string(&wanted));
            buffer_free(&out);
            buffer_free(&wanted);
        }
    }
}

static void ill_formed_text_is_repaired(void **state)
{
    (void)state;
    struct buffer out = {0};
    json_append_string(&out, (const uint8_t *)"\xFF"
                                              "A\xC3\xE2\x82\xF0\x9F\x98",
                       8, false);
    assert_string_equal(buffer_string(&out), "\"\uFFFDA\uFFFD\uFFFD\uFFFD\"");
    buffer_clear(&out);
    json_append_string(&out, (const uint8_t *)"\xED\xA0\x80", 3, true);
    assert_string_equal(buffer_string(&out), "\"\\uFFFD\"");
    buffer_free(&out);
}

static void nested_values_and_maps(void **state)
{
    (void)state;
    WRITTEN("v ARRAY<STRUCT<a: INT, l: ARRAY<ARRAY<INT>>>>", "{\"v\":[{\"a\":1,\"l\":[[1,null],[]]},null]}\n",
            "{\"v\":[{\"a\":1,\"l\":[[1,null],[]]},null]}\n");
    WRITTEN("m MAP<STRING,STRUCT<a: INT>>", "{\"m\":{\"k\":{\"a\":1},\"l\":null,\"k\\n\":{}}}\n{\"m\":{}}\n",
            "{\"m\":{\"k\":{\"a\":1},\"l\":null,\"k\\n\":{}}}\n{\"m\":{}}\n");
    WRITTEN("b BINARY", "{\"b\":\"AP8=\"}\n{\"b\":\"\"}\n{\"b\":\"AAEC\"}\n{\"b\":\"/w==\"}\n",
            "{\"b\":\"AP8=\"}\n{\"b\":\"\"}\n{\"b\":\"AAEC\"}\n{\"b\":\"/w==\"}\n");
}

static void pretty_is_jacksons(void **state)
{
    (void)state;
    WRITTEN("a INT, b STRUCT<x: INT, y: ARRAY<INT>, z: ARRAY<INT>, e: STRUCT<q: INT>>, c ARRAY<STRUCT<p: INT>>, d MAP<STRING,INT>, f MAP<STRING,INT>",
            "{\"a\":1,\"b\":{\"x\":1,\"y\":[1,null,3],\"z\":[],\"e\":{}},\"c\":[{\"p\":1},{\"p\":2}],\"d\":{\"k\":1,\"l\":null},\"f\":{}}\n",
            "{\n  \"a\" : 1,\n  \"b\" : {\n    \"x\" : 1,\n    \"y\" : [ 1, null, 3 ],\n    \"z\" : [ ],\n    \"e\" : { }\n  },\n"
            "  \"c\" : [ {\n    \"p\" : 1\n  }, {\n    \"p\" : 2\n  } ],\n  \"d\" : {\n    \"k\" : 1,\n    \"l\" : null\n  },\n  \"f\" : { }\n}\n",
            "pretty", "true");
}

static void dates_follow_the_formats(void **state)
{
    (void)state;
    static const char record[] = "{\"d\":\"2024-08-15\",\"t\":\"2024-08-15T15:04:05.999999Z\",\"n\":\"2024-08-15T15:04:05\"}\n";
    static const char ddl[] = "d DATE, t TIMESTAMP, n TIMESTAMP_NTZ";
    WRITTEN(ddl, record, "{\"d\":\"2024-08-15\",\"t\":\"2024-08-15T15:04:05.999Z\",\"n\":\"2024-08-15T15:04:05.000\"}\n");
    WRITTEN(ddl, record, "{\"d\":\"15 August 2024\",\"t\":\"Thu 15 Aug 2024 3:04 PM\",\"n\":\"15h\"}\n", "dateFormat", "d MMMM yyyy", "timestampFormat",
            "EEE d MMM yyyy h:mm a", "timestampNTZFormat", "HH'h'");
    WRITTEN(ddl, record, "{\"d\":\"\\\"2024\",\"t\":\"2024-08-16T00:04:05.999+09:00\",\"n\":\"2024-08-15T15:04:05.000\"}\n", "dateFormat", "'\"'yyyy",
            "timeZone", "Asia/Tokyo");
    assert_written(&json_encoder, "Europe/Paris", "t TIMESTAMP", "{\"t\":\"1900-01-01T00:00:00\"}\n{\"t\":\"+10000-01-01T00:00:00\"}\n", NULL,
                   "{\"t\":\"1900-01-01T00:00:00.000+00:09:21\"}\n{\"t\":\"+10000-01-01T00:00:00.000+01:00\"}\n");
}

static void encodings_and_line_ends(void **state)
{
    (void)state;
    WRITTEN("a INT", "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\r\n{\"a\":2}\r\n", "lineSep", "\r\n");
    WRITTEN("v STRING", "{\"v\":\"a\u00E9\U0001F600\"}\n", "{\"v\":\"a\xE9?\"}\n", "encoding", "ISO-8859-1");
    struct writer writer;
    struct buffer out = {0};
    writer_open(&writer, "UTC", "v STRING", "{\"v\":\"x\"}\n");
    struct encoder *encoder = writer_encoder(&writer, &json_encoder, (const char *const[]){"charset", "UTF-16", NULL});
    assert_non_null(encoder);
    writer_file(&writer, &json_encoder, encoder, 2, &out);
    assert_int_equal(out.size, 2 + 2 * 2 * 10);
    assert_memory_equal(out.data, "\xFE\xFF\x00{\x00\"", 6);
    buffer_free(&out);
    writer_close(&writer);
}

static void selections_and_encoded_columns_are_honoured(void **state)
{
    (void)state;
    struct writer writer;
    struct buffer out = {0};
    writer_open(&writer, "UTC", "a INT, v STRING", "{\"a\":1,\"v\":\"x\"}\n{\"a\":2,\"v\":\"y\"}\n{\"a\":3}\n");
    struct encoder *encoder = writer_encoder(&writer, &json_encoder, NULL);
    writer.chunk.selection = block_alloc(NULL, 2 * sizeof(uint32_t), &writer.err);
    writer.chunk.selection[0] = 0;
    writer.chunk.selection[1] = 2;
    writer.chunk.selection_count = 2;
    writer_file(&writer, &json_encoder, encoder, 1, &out);
    assert_string_equal(buffer_string(&out), "{\"a\":1,\"v\":\"x\"}\n{\"a\":3}\n");
    /* The string column becomes a dictionary with the indexes 1, 0, 1. */
    struct column *column = &writer.chunk.columns[1], dictionary = *column;
    struct column *child = malloc(sizeof *child);
    *child = dictionary;
    *column = (struct column){.type = dictionary.type, .encoding = COLUMN_DICTIONARY, .length = 3, .children = child, .child_count = 1};
    column->values = block_alloc(NULL, 3 * sizeof(int32_t), &writer.err);
    memcpy(column->values, (int32_t[]){1, 0, 1}, 3 * sizeof(int32_t));
    buffer_clear(&out);
    writer_file(&writer, &json_encoder, encoder, 1, &out);
    assert_string_equal(buffer_string(&out), "{\"a\":1,\"v\":\"y\"}\n{\"a\":3,\"v\":\"y\"}\n");
    buffer_free(&out);
    writer_close(&writer);
}

static void one_row_can_be_had_alone(void **state)
{
    (void)state;
    struct writer writer;
    struct buffer out = {0};
    writer_open(&writer, "UTC", "a INT, v STRING", "{\"a\":1,\"v\":\"x\"}\n{\"a\":2}\n");
    const struct json_rows *rows = json_rows_compile(writer.schema, &writer.session, writer.arena, &writer.err);
    assert_non_null(rows);
    assert_true(json_rows_append(rows, writer.chunk.columns, 1, &out, &writer.err));
    assert_string_equal(buffer_string(&out), "{\"a\":2}");
    buffer_free(&out);
    writer_close(&writer);
}

static void every_codec_reads_back(void **state)
{
    (void)state;
    assert_every_codec_reads_back(&json_encoder, "a INT, v STRING", "{\"a\":1,\"v\":\"x\"}\n{\"a\":2}\n", "ignoreNullFields");
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
#define REFUSED(ddl, condition, ...) assert_refused(&json_encoder, ddl, (const char *const[]){__VA_ARGS__, NULL}, condition)
    REFUSED("a INT", COND_CODEC_NOT_AVAILABLE, "compression", "foo");
    REFUSED("a INT", COND_INVALID_PARAMETER_CHARSET, "encoding", "windows-1252");
    REFUSED("a INT", COND_INLET_BAD_OPTION_VALUE, "lineSep", "");
    REFUSED("a DATE", COND_INLET_BAD_OPTION_VALUE, "dateFormat", "HH");
    REFUSED("a DATE", COND_DATETIME_PATTERN_RECOGNITION, "dateFormat", "YYYY");
    REFUSED("a INT", COND_INVALID_TIMEZONE, "timeZone", "Nowhere");
    assert_refused(&json_encoder, "m MAP<ARRAY<INT>,INT>", NULL, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_fields_are_left_out_unless_asked_for),
        cmocka_unit_test(numbers_are_javas),
        cmocka_unit_test(strings_are_escaped_as_little_as_possible),
        cmocka_unit_test(every_byte_is_escaped_alike_at_every_position),
        cmocka_unit_test(ill_formed_text_is_repaired),
        cmocka_unit_test(nested_values_and_maps),
        cmocka_unit_test(pretty_is_jacksons),
        cmocka_unit_test(dates_follow_the_formats),
        cmocka_unit_test(encodings_and_line_ends),
        cmocka_unit_test(selections_and_encoded_columns_are_honoured),
        cmocka_unit_test(one_row_can_be_had_alone),
        cmocka_unit_test(every_codec_reads_back),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests_name("json_write", tests, NULL, NULL);
}
