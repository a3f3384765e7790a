/* json_read_test -- what JSON records become, and that the fast path says the same as the careful one. */
#include "base/civil.h"
#include "base/number.h"
#include "formats/json_read.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/inlet-json-XXXXXX";
static char input_path[64];

/* Columns as text --------------------------------------------------------------------------- */

static void dump_value(const struct column *column, size_t row, struct buffer *out);

static void dump_list(const struct column *column, size_t row, struct buffer *out)
{
    buffer_text(out, column->type->kind == TYPE_MAP ? "<" : "[");
    for (int32_t i = column->offsets[row]; i < column->offsets[row + 1]; i++) {
        if (i > column->offsets[row]) buffer_text(out, ",");
        for (uint32_t child = 0; child < column->child_count; child++) {
            if (child) buffer_text(out, "=");
            dump_value(&column->children[child], (size_t)i, out);
        }
    }
    buffer_text(out, column->type->kind == TYPE_MAP ? ">" : "]");
}

static void dump_scalar(const struct column *column, size_t row, struct buffer *out)
{
    char text[DECIMAL_TEXT_MAX + TIMESTAMP_TEXT_MAX];
    size_t size = 0;
    switch (column->type->kind) {
    case TYPE_BOOLEAN: buffer_text(out, bit_get(column->values, row) ? "true" : "false"); break;
    case TYPE_TINYINT: buffer_printf(out, "%d", ((int8_t *)column->values)[row]); break;
    case TYPE_SMALLINT: buffer_printf(out, "%d", ((int16_t *)column->values)[row]); break;
    case TYPE_INT: buffer_printf(out, "%d", ((int32_t *)column->values)[row]); break;
    case TYPE_BIGINT: buffer_printf(out, "%lld", (long long)((int64_t *)column->values)[row]); break;
    case TYPE_FLOAT: size = print_float_java(((float *)column->values)[row], text); break;
    case TYPE_DOUBLE: size = print_double_java(((double *)column->values)[row], text); break;
    case TYPE_DECIMAL: size = print_decimal_plain(((int128 *)column->values)[row], column->type->scale, text); break;
    case TYPE_DATE: size = print_date(((int32_t *)column->values)[row], text); break;
    case TYPE_TIMESTAMP: size = print_timestamp(((int64_t *)column->values)[row], time_zone_utc(), text); break;
    case TYPE_TIMESTAMP_NTZ: size = print_timestamp_ntz(((int64_t *)column->values)[row], text); break;
    default: buffer_append(out, column->data + column->offsets[row], (size_t)(column->offsets[row + 1] - column->offsets[row])); break;
    }
    buffer_append(out, text, size);
}

static void dump_value(const struct column *column, size_t row, struct buffer *out)
{
    if (!column_is_valid(column, row)) {
        buffer_text(out, "NULL");
    } else if (column->type->kind == TYPE_STRUCT) {
        buffer_text(out, "{");
        for (uint32_t i = 0; i < column->child_count; i++) {
            if (i) buffer_text(out, ",");
            dump_value(&column->children[i], row, out);
        }
        buffer_text(out, "}");
    } else if (column->type->kind == TYPE_ARRAY || column->type->kind == TYPE_MAP) {
        dump_list(column, row, out);
    } else {
        dump_scalar(column, row, out);
    }
}

/* A reader over one file -------------------------------------------------------------------- */

struct fixture {
    struct arena *arena;
    const struct type *schema;
    struct session session;
    struct options options;
    struct read_spec spec;
    struct inlet_context context;
    struct error err;
};

/* options: "name", "value", ..., NULL. False: fixture->err. */
static bool open_fixture(struct fixture *fixture, const char *ddl, const char *const *options, struct reader **reader)
{
    struct option_input inputs[16] = {{0}}, conf = {"spark.sql.session.timeZone", "UTC", 0};
    size_t count = 0;
    memset(fixture, 0, sizeof *fixture);
    error_clear(&fixture->err);
    inlet_context_init(&fixture->context);
    fixture->arena = arena_new("test");
    fixture->schema = schema_parse_ddl(fixture->arena, ddl, &fixture->err);
    assert_non_null(fixture->schema);
    struct buffer warnings = {0};
    assert_true(session_parse(fixture->arena, &conf, 1, &fixture->session, &warnings, &fixture->err));
    buffer_free(&warnings);
    for (; options && options[0]; options += 2) inputs[count++] = (struct option_input){options[0], options[1], 1};
    const struct option_spec *tables[] = {json_reader.options};
    *reader = NULL;
    if (!options_parse(fixture->arena, "json", tables, 1, inputs, count, "/", &fixture->options, &fixture->err)) return false;
    fixture->spec = (struct read_spec){.schema = fixture->schema,
                                       .file_schema = fixture->schema,
                                       .corrupt_column = schema_find(fixture->schema, "_corrupt_record", 15, true),
                                       .options = &fixture->options,
                                       .session = &fixture->session};
    *reader = json_reader.open(&fixture->spec, fixture->arena, &fixture->err);
    return *reader != NULL;
}

static void close_fixture(struct fixture *fixture)
{
    arena_free(fixture->arena);
    inlet_context_fini(&fixture->context);
}

static void write_input(const void *text, size_t size)
{
    FILE *file = fopen(input_path, "wb");
    assert_non_null(file);
    if (size) assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

enum { CAREFUL = -1 };

/* All rows of all ranges as text, one a line. isa CAREFUL: without the fast path. False: fixture->err. */
static bool read_ranges(struct fixture *fixture, struct reader *reader, int isa, const struct file_range *ranges, size_t count,
                        struct range_outcome *outcomes, struct buffer *out)
{
    struct scan *scan = json_reader.scan_new(reader, &fixture->context, &fixture->err);
    struct chunk chunk;
    enum pull pull;
    chunk_init(&chunk, fixture->schema);
    if (isa == CAREFUL) scan->parser.fast = NULL;
    else if (scan->parser.fast) ndjson_fast_use(&scan->parser, (enum isa)isa);
    json_reader.scan_begin(scan, ranges, count, outcomes);
    while ((pull = json_reader.scan_next(scan, &chunk, &fixture->err)) == PULL_CHUNK) {
        assert_in_range(chunk.row_count, 1, 8 * CHUNK_ROWS_MAX); /* An array may take some usual chunks. */
        for (size_t i = 0; i < fixture->schema->field_count; i++) {
            assert_int_equal(chunk.columns[i].length, chunk.row_count);
            assert_true(column_check(&chunk.columns[i], &fixture->err));
        }
        for (uint32_t row = 0; row < chunk.row_count; row++) {
            for (size_t i = 0; i < fixture->schema->field_count; i++) {
                if (i) buffer_text(out, " | ");
                dump_value(&chunk.columns[i], row, out);
            }
            buffer_text(out, "\n");
        }
    }
    chunk_fini(&chunk);
    json_reader.scan_free(scan);
    return pull == PULL_END;
}

static bool read_file(struct fixture *fixture, struct reader *reader, int isa, struct range_outcome *outcome, struct buffer *out)
{
    struct file_range range = {.path = input_path, .end = -1, .size = -1, .mtime_us = -1};
    return read_ranges(fixture, reader, isa, &range, 1, outcome, out);
}

static int best_isa(void)
{
    return (int)isa_choose();
}

/* Expectations ------------------------------------------------------------------------------ */

struct expectation {
    const char *ddl;
    const char *options[6];
    const char *text;
    const char *rows;
};

#define CORRUPT ", _corrupt_record STRING"

static const struct expectation expectations[] = {
    {"a INT, b STRING" CORRUPT, {NULL}, "{\"a\":1,\"b\":1.50}", "1 | 1.50 | NULL\n"},
    {"a INT, b STRING" CORRUPT, {"encoding", "UTF-8"}, "{\"a\":1,\"b\":1.50}", "1 | 1.5 | NULL\n"},
    {"a INT, b STRING" CORRUPT, {NULL}, "{\"a\":\"1\",\"b\":\"x\"}", "NULL | x | {\"a\":\"1\",\"b\":\"x\"}\n"},
    {"a INT" CORRUPT, {NULL}, "{\"a\":2147483648}\n{\"a\":-2147483648}", "NULL | {\"a\":2147483648}\n-2147483648 | NULL\n"},
    {"a INT" CORRUPT, {NULL}, "{\"A\":1}", "NULL | NULL\n"},
    {"a INT" CORRUPT, {NULL}, "{\"a\":1}}\n{\"a\":2} x", "1 | NULL\n2 | NULL\n"},
    {"a INT" CORRUPT, {NULL}, "{\"a\":1\n\n  \t\n{}", "NULL | {\"a\":1\nNULL | NULL\n"},
    {"a INT" CORRUPT, {NULL}, "{'a':6}\r\n{a:5}\r{\"a\":007}", "6 | NULL\nNULL | {a:5}\nNULL | {\"a\":007}\n"},
    {"a INT" CORRUPT, {"allowUnquotedFieldNames", "true", "allowNumericLeadingZeros", "true"}, "{a:5}\n{\"a\":007}", "5 | NULL\n7 | NULL\n"},
    {"a INT" CORRUPT, {NULL}, "[{\"a\":1},{\"a\":\"x\"}]", "1 | [{\"a\":1},{\"a\":\"x\"}]\nNULL | [{\"a\":1},{\"a\":\"x\"}]\n"},
    {"a INT" CORRUPT, {NULL}, "[]\n[{\"a\":1},2]\n[ {\"a\":3} , {} ]", "NULL | [{\"a\":1},2]\n3 | NULL\nNULL | NULL\n"},
    {"a INT" CORRUPT, {NULL}, "null\n5\n\"s\"", "NULL | null\nNULL | 5\nNULL | \"s\"\n"},
    {"a INT" CORRUPT, {NULL}, "{\"a\":1,\"a\":2}\n{\"a\":2,\"a\":\"x\"}\n{\"a\":1,\"a\":null}\n{\"a\":\"x\",\"a\":3}",
     "2 | NULL\n2 | {\"a\":2,\"a\":\"x\"}\nNULL | NULL\n3 | {\"a\":\"x\",\"a\":3}\n"},
    {"a INT" CORRUPT, {NULL}, "{\"a\":1e2}\n{\"a\":null}\n{\"a\":-0}\n{\"a\":+1}\n{\"a\":1.}\n{\"a\":.5}\n{\"a\":-}", 
     "NULL | {\"a\":1e2}\nNULL | NULL\n0 | NULL\nNULL | {\"a\":+1}\nNULL | {\"a\":1.}\nNULL | {\"a\":.5}\nNULL | {\"a\":-}\n"},
    {"a INT" CORRUPT, {NULL}, "{\"\\u0061\":7}\n{\"a\":1,}\n{,\"a\":1}\n{\"a\" : 1 , \"b\" : { } }", "7 | NULL\nNULL | {\"a\":1,}\nNULL | {,\"a\":1}\n1 | NULL\n"},
    {"c ARRAY<INT>, d INT" CORRUPT, {NULL}, "{\"c\":[1,\"x\",{\"d\":9}],\"d\":5}", "NULL | 5 | {\"c\":[1,\"x\",{\"d\":9}],\"d\":5}\n"},
    {"a ARRAY<STRUCT<x: INT, y: STRING>>" CORRUPT, {NULL}, "{\"a\":[{\"x\":1},{\"x\":\"q\",\"y\":\"k\"},{\"x\":3},null]}",
     "[{1,NULL},{NULL,k},{3,NULL},NULL] | {\"a\":[{\"x\":1},{\"x\":\"q\",\"y\":\"k\"},{\"x\":3},null]}\n"},
    {"m MAP<STRING, INT>" CORRUPT, {NULL}, "{\"m\":{\"k\":1,\"k\":2,\"\\n\":null}}\n{\"m\":{\"k\":true}}\n{\"m\":{}}", "<k=1,k=2,\n=NULL> | NULL\nNULL | {\"m\":{\"k\":true}}\n<> | NULL\n"},
    {"s STRUCT<x: INT, y: INT>, b STRING" CORRUPT, {NULL}, "{\"s\":{\"x\":1},\"s\":{\"y\":2},\"b\":\"z\"}\n{\"s\":[1],\"b\":\"z\"}\n{\"s\":{\"x\":{}}}",
     "{NULL,2} | z | NULL\nNULL | z | {\"s\":[1],\"b\":\"z\"}\n{NULL,NULL} | NULL | {\"s\":{\"x\":{}}}\n"},
    {"t TINYINT, s SMALLINT", {NULL}, "{\"t\":127,\"s\":32767}\n{\"t\":128,\"s\":32768}\n{\"t\":-128,\"s\":-32768}\n{\"t\":200}", "127 | 32767\nNULL | NULL\n-128 | -32768\nNULL | NULL\n"},
    {"b BIGINT", {NULL}, "{\"b\":9223372036854775807}\n{\"b\":-9223372036854775808}\n{\"b\":9223372036854775808}\n{\"b\":000}", "9223372036854775807\n-9223372036854775808\nNULL\nNULL\n"},
    {"d DOUBLE, f FLOAT", {NULL}, "{\"d\":-0,\"f\":-0}\n{\"d\":-0.0,\"f\":1e400}\n{\"d\":\"NaN\",\"f\":\"-INF\"}\n{\"d\":NaN,\"f\":Infinity}\n{\"d\":INF}\n{\"d\":0.1,\"f\":16777217}\n{\"d\":123456789012345678901}",
     "0.0 | 0.0\n-0.0 | Infinity\nNaN | -Infinity\nNaN | Infinity\nNULL | NULL\n0.1 | 1.6777216E7\n1.2345678901234568E20 | NULL\n"},
    {"d DECIMAL(5,2)", {NULL}, "{\"d\":1.005}\n{\"d\":999.995}\n{\"d\":\"1,2,3\"}\n{\"d\":-12.3e1}\n{\"d\":\"\"}\n{\"d\":\" 1\"}\n{\"d\":999.99}", "1.01\nNULL\n123.00\n-123.00\nNULL\nNULL\n999.99\n"},
    {"d DECIMAL(10,2)", {"locale", "de-DE"}, "{\"d\":\"1.234,56\"}\n{\"d\":\"1,234.56\"}\n{\"d\":1.5}", "1234.56\nNULL\n1.50\n"},
    {"b BINARY", {NULL}, "{\"b\":\"aGk=\"}\n{\"b\":\"\"}\n{\"b\":\"aGhp aGk=\"}\n{\"b\":\"aG k=\"}\n{\"b\":\"aGk\"}\n{\"b\":\"a-_=\"}", "hi\n\nhhihi\nNULL\nNULL\nNULL\n"},
    {"d DATE", {NULL}, "{\"d\":\"2024-02-29\"}\n{\"d\":\"2023-02-29\"}\n{\"d\":\"300\"}\n{\"d\":5}\n{\"d\":\"2024-1-2\"}", "2024-02-29\nNULL\n1970-10-28\nNULL\n2024-01-02\n"},
    {"t TIMESTAMP", {NULL}, "{\"t\":1704110400}\n{\"t\":\"1704110400\"}\n{\"t\":\"2024-01-01T12:00:00GMT+1\"}\n{\"t\":\"2024-01-01T12:00\"}\n{\"t\":\"2024-01-01T12:00+01:00\"}\n"
     "{\"t\":\"2024-01-01 12:00:00.1234567+01:00\"}\n{\"t\":\"2024-01-01T24:00:00Z\"}\n{\"t\":1.5}\n{\"t\":\"2024-01-02T03:04:05.123456789Z\"}\n{\"t\":\"12:00\"}\n{\"t\":\"2024-01-01T12:00:00-05:30\"}",
     "2024-01-01 12:00:00\nNULL\n2024-01-01 11:00:00\n2024-01-01 12:00:00\nNULL\n2024-01-01 11:00:00.123456\nNULL\nNULL\n2024-01-02 03:04:05.123456\nNULL\n2024-01-01 17:30:00\n"},
    {"t TIMESTAMP", {"timeZone", "America/Los_Angeles"}, "{\"t\":\"2024-01-01T12:00:00\"}", "2024-01-01 20:00:00\n"},
    {"t TIMESTAMP_NTZ", {NULL}, "{\"t\":\"2024-01-01T12:00:00\"}\n{\"t\":\"2024-01-01T12:00:00Z\"}\n{\"t\":5}", "2024-01-01 12:00:00\nNULL\nNULL\n"},
    {"v STRING" CORRUPT, {NULL}, "{\"v\":\"a\\u00e9\\ud83d\\ude00\\ud800\\/\\\"\"}\n{\"v\":\"\\x\"}\n{\"v\":\"\t\"}\n{\"v\":{ \"b\" : [1, 2 ] }}", "a\xc3\xa9\xf0\x9f\x98\x80?/\" | NULL\nNULL | {\"v\":\"\\x\"}\nNULL | {\"v\":\"\t\"}\n{ \"b\" : [1, 2 ] } | NULL\n"},
    {"v STRING" CORRUPT, {"allowBackslashEscapingAnyCharacter", "true", "allowUnquotedControlChars", "true"}, "{\"v\":\"\\x\\\xc3\xa9\"}\n{\"v\":\"\t\"}", "x\xc3\xa9 | NULL\n\t | NULL\n"},
    {"v STRING" CORRUPT, {"charset", "UTF-8"}, "{\"v\": {\"a\" : 1e2, \"b\":[\"\\u0001\\/\", 00.5E0]}}\n{\"v\": {\"a\" : 1e2, \"b\":[\"\\u0001\\/\", -0, NaN, 12345678901234567890]}}",
     "NULL | {\"v\": {\"a\" : 1e2, \"b\":[\"\\u0001\\/\", 00.5E0]}}\n{\"a\":100.0,\"b\":[\"\\u0001/\",0,\"NaN\",12345678901234567890]} | NULL\n"},
    {"v STRING" CORRUPT, {NULL}, "{\"v\":\"\xff\"}\n{\"v\":\"\xed\xa0\x80\"}\n{\"v\":\"ok\"}\n\xef\xbb\xbf{\"v\":\"bom\"}\n{\"v\":\"a\xf4\x90\x80\x80\"}\n{\"v\":\"\xe9\"}",
     "NULL | {\"v\":\"\xff\"}\n? | NULL\nok | NULL\nbom | NULL\na?? | NULL\nNULL | {\"v\":\"\xe9\"}\n"},
    {"v STRING" CORRUPT, {"encoding", "utf-8"}, "{\"v\":\"\xff\"}", "NULL | {\"v\":\"\xff\"}\n"},
    {"a INT", {"mode", "DROPMALFORMED"}, "{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":2\n[{\"a\":3},{\"a\":\"y\"}]\n{\"a\":4}", "1\n4\n"},
    {"a INT" CORRUPT, {"lineSep", "##"}, "{\"a\":1}##{\"a\":\n2}##\r\n##{\"a\":3", "1 | NULL\n2 | NULL\nNULL | {\"a\":3\n"},
    {"a INT" CORRUPT, {"multiLine", "true"}, "\n[{\"a\":1},\n {\"a\":2}]\n{\"a\":3}", "1 | NULL\n2 | NULL\n"},
    {"a INT" CORRUPT, {"multiLine", "true"}, "{\"a\":1,\n\"b\"}", "NULL | {\"a\":1,\n\"b\"}\n"},
    {"a INT" CORRUPT, {"allowComments", "true"}, "/* c */ {\"a\":1}\n{\"a\":/**/2} // c\n// only\n# c\n{\"a\":3} /", "1 | NULL\n2 | NULL\nNULL | # c\n3 | NULL\n"},
    {"a INT" CORRUPT, {"maxNestingDepth", "3"}, "{\"a\":1,\"x\":[[1]]}\n{\"a\":1,\"x\":[[[1]]]}", "1 | NULL\nNULL | {\"a\":1,\"x\":[[[1]]]}\n"},
    {"a VOID, b INT" CORRUPT, {NULL}, "{\"a\":[1],\"b\":2}\n{\"a\":[1,\"b\":2}", "NULL | 2 | NULL\nNULL | NULL | {\"a\":[1,\"b\":2}\n"},
};

static void one_expectation(const struct expectation *expected, int isa)
{
    struct fixture fixture;
    struct reader *reader;
    struct range_outcome outcome;
    struct buffer rows = {0};
    write_input(expected->text, strlen(expected->text));
    if (!open_fixture(&fixture, expected->ddl, expected->options, &reader)) fail_msg("%s: %s", expected->text, fixture.err.message);
    assert_true(read_file(&fixture, reader, isa, &outcome, &rows));
    assert_int_equal(outcome.bytes, strlen(expected->text));
    if (strcmp(buffer_string(&rows), expected->rows) != 0)
        fail_msg("isa %d: %s\n%s\ngave\n%s\nnot\n%s", isa, expected->ddl, expected->text, buffer_string(&rows), expected->rows);
    buffer_free(&rows);
    close_fixture(&fixture);
}

static void records_become_what_spark_makes_of_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(expectations); i++)
        for (int isa = CAREFUL; isa <= best_isa(); isa++) one_expectation(&expectations[i], isa);
}

static void wide_encodings_are_framed_by_unit(void **state)
{
    (void)state;
    /* U+0A41 U+0042 in little endian holds 0A 42 00 .. and 41 0A: no line feed of either order at an even place. */
    static const char text[] = "{\0\"\0a\0\"\0:\0\"\0\x41\x0a\x00\x42\"\0}\0\n\0{\0\"\0a\0\"\0:\0\"\0z\0\"\0}\0";
    static const char *const options[] = {"encoding", "UTF-16LE", "lineSep", "\n", NULL};
    struct fixture fixture;
    struct reader *reader;
    struct range_outcome outcome;
    struct buffer rows = {0};
    write_input(text, sizeof text - 1);
    assert_true(open_fixture(&fixture, "a STRING", options, &reader));
    assert_true(read_file(&fixture, reader, best_isa(), &outcome, &rows));
    assert_string_equal(buffer_string(&rows), "\xe0\xa9\x81\xe4\x88\x80\nz\n");
    buffer_free(&rows);
    close_fixture(&fixture);
}

/* Counting and failing ---------------------------------------------------------------------- */

static void outcomes_count_every_record(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1}\n\n{\"a\":\"x\"}\n{\"a\":1} y\nz\n[{\"a\":1},{\"a\":2}]\n[]\n";
    struct fixture fixture;
    struct reader *reader;
    struct range_outcome outcome;
    struct buffer rows = {0};
    write_input(text, sizeof text - 1);
    assert_true(open_fixture(&fixture, "a INT", NULL, &reader));
    assert_true(read_file(&fixture, reader, best_isa(), &outcome, &rows));
    assert_int_equal(outcome.records_framed, 6);
    assert_int_equal(outcome.records_bad, 2);
    assert_int_equal(outcome.records_dropped, 0);
    assert_int_equal(outcome.records_surplus, 1);
    assert_int_equal(outcome.rows, 6);
    buffer_free(&rows);
    close_fixture(&fixture);
}

static void failfast_names_file_record_byte_and_cause(void **state)
{
    (void)state;
    static const struct { const char *ddl, *text, *cause; int64_t record, byte; } cases[] = {
        {"a INT", "{\"a\":1}\n\n{\"a\":\"x\"}\n", "[CANNOT_PARSE_JSON_FIELD]", 2, 14},
        {"a INT", "{\"a\":1}\n{\"a\":}\n", "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION", 2, 13},
        {"a DOUBLE", "{\"a\":\"1.5\"}\n", "MALFORMED_RECORD_IN_PARSING.CANNOT_PARSE_STRING_AS_DATATYPE", 1, 5},
        {"a INT", "[1]\n", "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION", 1, 1},
    };
    static const char *const options[] = {"mode", "failfast", NULL};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct fixture fixture;
        struct reader *reader;
        struct range_outcome outcome;
        struct buffer rows = {0};
        char text[8192];
        write_input(cases[i].text, strlen(cases[i].text));
        assert_true(open_fixture(&fixture, cases[i].ddl, options, &reader));
        assert_false(read_file(&fixture, reader, best_isa(), &outcome, &rows));
        assert_int_equal(fixture.err.condition, COND_FAILED_READ_FILE);
        assert_int_equal(fixture.err.record, cases[i].record);
        assert_int_equal(fixture.err.byte, cases[i].byte);
        error_format(&fixture.err, text, sizeof text);
        assert_non_null(strstr(text, cases[i].cause));
        assert_non_null(strstr(text, input_path));
        buffer_free(&rows);
        close_fixture(&fixture);
    }
}

static void bad_options_and_schemas_are_refused(void **state)
{
    (void)state;
    static const struct { const char *ddl, *options[5]; enum condition condition; } cases[] = {
        {"a INT, _corrupt_record INT", {NULL}, COND_INVALID_CORRUPT_RECORD_TYPE},
        {"a INT, A INT", {NULL}, COND_COLUMN_ALREADY_EXISTS},
        {"m MAP<INT, INT>", {NULL}, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE},
        {"a INT", {"encoding", "windows-1252"}, COND_INVALID_PARAMETER_CHARSET},
        {"a INT", {"encoding", "UTF-16", "lineSep", "\n"}, COND_INLET_BAD_OPTION_VALUE},
        {"a INT", {"encoding", "latin1"}, COND_INVALID_PARAMETER_CHARSET},
        {"a INT", {"lineSep", ""}, COND_INLET_BAD_OPTION_VALUE},
        {"a INT", {"mode", "LENIENT"}, COND_INLET_BAD_OPTION_VALUE},
        {"a INT", {"rescuedDataColumn", "_r"}, COND_INLET_NOT_SUPPORTED_YET},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct fixture fixture;
        struct reader *reader;
        assert_false(open_fixture(&fixture, cases[i].ddl, cases[i].options, &reader));
        assert_string_equal(condition_name(fixture.err.condition), condition_name(cases[i].condition));
        close_fixture(&fixture);
    }
}

static void a_changed_file_is_not_mixed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader *reader;
    struct range_outcome outcome;
    struct buffer rows = {0};
    struct file_range range = {.path = input_path, .end = -1, .size = 3, .mtime_us = -1};
    write_input("{\"a\":1}\n", 8);
    assert_true(open_fixture(&fixture, "a INT", NULL, &reader));
    assert_false(read_ranges(&fixture, reader, best_isa(), &range, 1, &outcome, &rows));
    assert_int_equal(fixture.err.condition, COND_INLET_FILE_CHANGED);
    buffer_free(&rows);
    close_fixture(&fixture);
}

/* Large arrays ------------------------------------------------------------------------------ */

static void arrays_longer_than_a_chunk_go_on(void **state)
{
    (void)state;
    static const char *const options[] = {"multiLine", "true", NULL};
    static const int sizes[] = {3 * CHUNK_ROWS_MAX + 17, 8 * CHUNK_ROWS_MAX - 1, 8 * CHUNK_ROWS_MAX, 9 * CHUNK_ROWS_MAX + 3};
    for (int round = 0; round < 12; round++) {
        const int bad = round % 3, elements = sizes[round / 3];
        struct buffer text = {0}, rows = {0};
        struct fixture fixture;
        struct reader *reader;
        struct range_outcome outcome;
        for (int i = 0; i < elements; i++) buffer_printf(&text, i ? ", {\"a\":%d}" : "[{\"a\":%d}", i);
        buffer_text(&text, bad == 0 ? "]" : bad == 1 ? ",{\"a\":\"x\"}]" : ",{\"a\":}]");
        write_input(text.data, text.size);
        assert_true(open_fixture(&fixture, "a INT" CORRUPT, options, &reader));
        assert_true(read_file(&fixture, reader, best_isa(), &outcome, &rows));
        assert_int_equal(outcome.records_framed, 1);
        assert_int_equal(outcome.records_bad, bad > 0);
        assert_int_equal(outcome.rows, bad == 0 ? elements : bad == 1 ? elements + 1 : 1);
        if (bad == 1) assert_memory_equal(rows.data, "0 | {\"a\":0}\n1 | {\"a\":1}\n", 24); /* Too many for the whole text each. */
        buffer_free(&rows);
        buffer_free(&text);
        close_fixture(&fixture);
    }
}

static void deep_nesting_is_no_danger(void **state)
{
    (void)state;
    struct buffer text = {0}, rows = {0}, ddl = {0};
    struct fixture fixture;
    struct reader *reader;
    struct range_outcome outcome;
    for (int depth = 990; depth <= 1010; depth += 10) {
        buffer_text(&text, "{\"x\":");
        for (int i = 0; i < depth; i++) buffer_text(&text, i % 2 ? "[" : "{\"s\":");
        for (int i = depth; i-- > 0;) buffer_text(&text, i % 2 ? "]" : (i + 1 == depth ? "1}" : "}"));
        buffer_text(&text, "}\n");
    }
    for (int i = 0; i < 100000; i++) buffer_text(&text, "[");
    write_input(text.data, text.size);
    buffer_text(&ddl, "b INT, x ");
    for (int i = 0; i < 900; i++) buffer_text(&ddl, i % 2 ? "ARRAY<" : "STRUCT<s: ");
    buffer_text(&ddl, "INT");
    for (int i = 0; i < 900; i++) buffer_text(&ddl, ">");
    for (int isa = CAREFUL; isa <= best_isa(); isa++) {
        buffer_clear(&rows);
        assert_true(open_fixture(&fixture, buffer_string(&ddl), NULL, &reader));
        assert_true(read_file(&fixture, reader, isa, &outcome, &rows));
        assert_int_equal(outcome.records_framed, 4);
        assert_int_equal(outcome.rows, 4);
        close_fixture(&fixture);
        assert_true(open_fixture(&fixture, "b INT", NULL, &reader));
        assert_true(read_file(&fixture, reader, isa, &outcome, &rows));
        assert_int_equal(outcome.records_bad, 3); /* 991 levels are fine, 1001 and more are not. */
        close_fixture(&fixture);
    }
    buffer_free(&text);
    buffer_free(&rows);
    buffer_free(&ddl);
}

/* Both paths agree -------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t dice(uint32_t sides)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % sides;
}

static void random_digits(struct buffer *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) buffer_byte(out, (uint8_t)('0' + dice(dice(4) ? 10 : 1)));
}

/* Any number of the grammar, with digits and exponents about the limits of what is read at once. */
static void random_number(struct buffer *out)
{
    if (dice(2)) buffer_text(out, "-");
    if (dice(4)) {
        buffer_byte(out, (uint8_t)('1' + dice(9)));
        random_digits(out, dice(dice(3) ? 10 : 22));
    } else {
        buffer_text(out, "0");
    }
    buffer_text(out, ".");
    random_digits(out, 1 + dice(dice(3) ? 10 : 25));
    if (dice(3) == 0) buffer_printf(out, "%s%s%0*u", dice(2) ? "e" : "E", dice(3) == 0 ? "" : dice(2) ? "+" : "-", (int)dice(dice(9) ? 3 : 24), dice(dice(2) ? 30 : 400));
}

static void doubles_are_the_nearest_ones(void **state)
{
    (void)state;
    struct buffer text = {0}, wanted = {0}, number = {0}, rows = {0};
    struct fixture fixture;
    struct reader *reader;
    struct range_outcome outcome;
    seed = 99;
    for (int i = 0; i < 40000; i++) {
        buffer_clear(&number);
        random_number(&number);
        char printed[DOUBLE_TEXT_MAX];
        size_t size = print_double_java(strtod(buffer_string(&number), NULL), printed);
        buffer_printf(&wanted, "%.*s\n", (int)size, printed);
        buffer_printf(&text, "{\"d\":%s}\n", buffer_string(&number));
    }
    write_input(text.data, text.size);
    for (int isa = CAREFUL; isa <= best_isa(); isa++) {
        buffer_clear(&rows);
        assert_true(open_fixture(&fixture, "d DOUBLE", NULL, &reader));
        assert_true(read_file(&fixture, reader, isa, &outcome, &rows));
        assert_string_equal(buffer_string(&rows), buffer_string(&wanted));
        close_fixture(&fixture);
    }
    buffer_free(&text);
    buffer_free(&wanted);
    buffer_free(&number);
    buffer_free(&rows);
}

static void random_blanks(struct buffer *out)
{
    static const char *const blanks[] = {"", "", "", "", "", "", " ", " ", "\t", "  \t "};
    buffer_text(out, blanks[dice(COUNTOF(blanks))]);
}

static void random_string(struct buffer *out)
{
    static const char *const parts[] = {"a", "bc", "\\n", "\\\"", "\\u00e9", "\\ud83d\\ude00", "\\ud800", "\xc3\xa9", "\xf0\x9f\x98\x80", " ", "0123456789abcdef", "\\/", "{", "]", ",", ":", "'"};
    buffer_text(out, "\"");
    for (uint32_t i = dice(dice(8) ? 4 : 40); i-- > 0;) buffer_text(out, parts[dice(COUNTOF(parts))]);
    buffer_text(out, "\"");
}

static void random_scalar(struct buffer *out)
{
    static const char *const scalars[] = {
        "null", "true", "false", "0", "-0", "1", "-1", "12", "127", "128", "-129", "32767", "2147483647", "-2147483649", "9223372036854775807", "99999999999999999999",
        "1.5", "-0.0", "1e3", "1E-3", "1.0e+2", "1e400", "123456789.123456789", "0.000001", "NaN", "-INF", "007", "1.", ".5", "-", "+1", "1e", "2024",
        "\"2024-01-02\"", "\"2024-02-30\"", "\"2024-1-2\"", "\"2024-01-02T03:04:05Z\"", "\"2024-01-02 03:04:05.123456789\"", "\"2024-01-02T03:04:05+05:30\"",
        "\"2024-01-02T03:04:05.1-18:00\"", "\"2024-01-02T03:04:05.1-05:30\"", "\"2024-01-02T03:04\"", "\"0000-01-01\"", "\"300\"", "\"1,234.5\"", "\"12.345\"", "\"NaN\"", "\"aGk=\"", "\"aGk\"", "\"\"", "'q'", "tru", "nul"};
    buffer_text(out, scalars[dice(COUNTOF(scalars))]);
}

static void random_value(struct buffer *out, const struct type *type, int depth);

static void random_object(struct buffer *out, const struct type *type, int depth)
{
    static const char *const names[] = {"\"a\"", "\"zz\"", "\"unknown\"", "\"a_name_of_more_than_thirty_two_bytes_\"", "\"\\u0061\"", "\"\""};
    buffer_text(out, "{");
    bool any = false;
    for (size_t i = 0; i < (type ? type->field_count : 3); i++) {
        if (dice(8) == 0) continue;
        if (any) buffer_text(out, ",");
        any = true;
        random_blanks(out);
        size_t field = type ? (dice(30) ? i : dice((uint32_t)type->field_count)) : 0;
        bool known = type && type->kind == TYPE_STRUCT && dice(12);
        if (known) buffer_printf(out, "\"%s\"", type->fields[field].name);
        else buffer_text(out, names[dice(COUNTOF(names))]);
        random_blanks(out);
        buffer_text(out, ":");
        random_blanks(out);
        random_value(out, known ? type->fields[field].type : type && type->kind == TYPE_MAP ? type->fields[1].type : NULL, depth + 1);
        random_blanks(out);
    }
    buffer_text(out, "}");
}

static void random_array(struct buffer *out, const struct type *type, int depth)
{
    buffer_text(out, "[");
    for (uint32_t i = 0, count = dice(5); i < count; i++) {
        if (i) buffer_text(out, ",");
        random_blanks(out);
        random_value(out, type ? type->fields[0].type : NULL, depth + 1);
        random_blanks(out);
    }
    buffer_text(out, "]");
}

/* A value that usually fits; type NULL: any. */
static void random_value(struct buffer *out, const struct type *type, int depth)
{
    static const char *const usual[] = {"true", "7", "-300", "70000", "5000000000", "1.5", "-2.25", "12.34", NULL, "\"aGk=\"", "\"2024-01-02\"", "\"2024-01-02T03:04:05.123Z\"", "\"2024-01-02T03:04:05\""};
    if (dice(40) == 0 || (!type && dice(4))) random_scalar(out);
    else if (!type) (depth > 6 || dice(2) ? random_array : random_object)(out, NULL, depth);
    else if (dice(20) == 0) buffer_text(out, "null");
    else if (type->kind == TYPE_STRUCT || type->kind == TYPE_MAP) random_object(out, type, depth);
    else if (type->kind == TYPE_ARRAY) random_array(out, type, depth);
    else if (type->kind == TYPE_STRING && dice(10)) random_string(out);
    else if (type->kind == TYPE_STRING || type->kind == TYPE_VOID) random_value(out, NULL, depth);
    else buffer_text(out, usual[type->kind]);
}

static void mutate(struct buffer *text, size_t from)
{
    static const char bytes[] = "\"\\{}[],:0123456789eE+-. \t/'ntf\x80\xc0\xff\xe9\x01u";
    for (uint32_t i = dice(3) + 1; i-- > 0 && text->size > from;) {
        size_t at = from + dice((uint32_t)(text->size - from));
        uint8_t byte = (uint8_t)bytes[dice(sizeof bytes - 1)];
        switch (dice(4)) {
        case 0: text->data[at] = byte; break;
        case 1: memmove(text->data + at, text->data + at + 1, --text->size - at); break;
        case 2: text->size = at; break;
        default:
            buffer_byte(text, 0);
            memmove(text->data + at + 1, text->data + at, text->size - 1 - at);
            text->data[at] = byte;
        }
    }
}

static const char *const property_schemas[] = {
    "a INT, b STRING, c BOOLEAN, d DOUBLE, e BIGINT" CORRUPT,
    "a TINYINT, b SMALLINT, c FLOAT, d DECIMAL(10,2), e DECIMAL(38,10), f DATE, g TIMESTAMP, h TIMESTAMP_NTZ, i BINARY, j VOID, k STRING" CORRUPT,
    "a STRUCT<a: INT, zz: STRING, s: STRUCT<a: STRING, t: TIMESTAMP>>, l ARRAY<STRING>, m MAP<STRING, ARRAY<INT>>, n ARRAY<STRUCT<x: INT, y: ARRAY<DOUBLE>>>, "
    "a_name_of_more_than_thirty_two_bytes_ STRING, o MAP<STRING, STRUCT<a: INT>>" CORRUPT,
};
static const char *const property_options[][5] = {
    {NULL},
    {"allowComments", "true", "allowNumericLeadingZeros", "true", NULL},
    {"encoding", "UTF-8", NULL},
    {"mode", "DROPMALFORMED", NULL},
    {"maxNestingDepth", "5", "timestampFormat", "yyyy-MM-dd'T'HH:mm:ss[.SSS][XXX]", NULL},
};

static void compare_paths(const char *ddl, const char *const *options, const struct buffer *text)
{
    struct fixture fixture;
    struct reader *reader;
    struct range_outcome expected, outcome;
    struct buffer rows = {0}, fast = {0};
    assert_true(open_fixture(&fixture, ddl, options, &reader));
    assert_true(read_file(&fixture, reader, CAREFUL, &expected, &rows));
    assert_true(expected.records_bad >= expected.records_dropped && expected.records_framed >= expected.records_bad);
    for (int isa = ISA_SCALAR; isa <= best_isa(); isa++) {
        buffer_clear(&fast);
        assert_true(read_file(&fixture, reader, isa, &outcome, &fast));
        if (rows.size != fast.size || memcmp(rows.data, fast.data, rows.size) != 0) {
            size_t at = 0;
            while (at < rows.size && at < fast.size && rows.data[at] == fast.data[at]) at++;
            while (at && rows.data[at - 1] != '\n') at--;
            fail_msg("isa %d differs for %s:\ncareful %.600s\nfast    %.600s", isa, ddl, buffer_string(&rows) + at, buffer_string(&fast) + at);
        }
        assert_memory_equal(&expected, &outcome, sizeof outcome);
    }
    buffer_free(&rows);
    buffer_free(&fast);
    close_fixture(&fixture);
}

static void both_paths_agree_on_random_records(void **state)
{
    (void)state;
    const char *given = getenv("INLET_SEED"), *rounds = getenv("INLET_ROUNDS");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)getpid() * 7919u;
    print_message("# INLET_SEED=%llu\n", (unsigned long long)seed);
    for (int round = 0; round < (rounds ? atoi(rounds) : 20); round++) {
        const char *ddl = property_schemas[dice(COUNTOF(property_schemas))];
        const char *const *options = property_options[dice(COUNTOF(property_options))];
        struct arena *arena = arena_new("test");
        struct error err;
        const struct type *schema = schema_parse_ddl(arena, ddl, &err);
        struct buffer text = {0};
        assert_non_null(schema);
        for (int record = 0; record < 300; record++) {
            size_t from = text.size;
            bool array = dice(20) == 0;
            if (array) buffer_text(&text, "[");
            random_object(&text, schema, 1);
            if (array) {
                buffer_text(&text, ",");
                random_object(&text, schema, 1);
                buffer_text(&text, "]");
            }
            if (dice(6) == 0) mutate(&text, from);
            buffer_text(&text, "\n");
        }
        write_input(text.data, text.size);
        compare_paths(ddl, options, &text);
        buffer_free(&text);
        arena_free(arena);
    }
}

static void ranges_give_each_record_once(void **state)
{
    (void)state;
    struct fixture fixture;
    struct reader *reader;
    struct buffer text = {0}, whole = {0}, parts = {0};
    struct range_outcome outcomes[64];
    struct file_range ranges[64];
    seed = 42;
    for (int i = 0; i < 2000; i++) buffer_printf(&text, "{\"a\":%d}%s", i, dice(3) ? "\n" : dice(2) ? "\r\n" : "\r");
    write_input(text.data, text.size);
    assert_true(open_fixture(&fixture, "a INT" CORRUPT, NULL, &reader));
    assert_true(read_file(&fixture, reader, best_isa(), outcomes, &whole));
    for (int round = 0; round < 30; round++) {
        size_t count = 0;
        int64_t at = 0, size = (int64_t)text.size;
        while (at < size) {
            int64_t end = count == 63 ? size : at + 1 + (int64_t)dice(round % 2 ? 1000 : 12);
            if (end > size) end = size;
            ranges[count++] = (struct file_range){.path = input_path, .start = at, .end = end, .size = -1, .mtime_us = -1};
            at = end;
        }
        buffer_clear(&parts);
        assert_true(read_ranges(&fixture, reader, best_isa(), ranges, count, outcomes, &parts));
        assert_int_equal(parts.size, whole.size);
        assert_memory_equal(parts.data, whole.data, whole.size);
    }
    buffer_free(&text);
    buffer_free(&whole);
    buffer_free(&parts);
    close_fixture(&fixture);
}

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(input_path, sizeof input_path, "%s/input.json", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(input_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_are_the_nearest_ones),
        cmocka_unit_test(records_become_what_spark_makes_of_them),
        cmocka_unit_test(wide_encodings_are_framed_by_unit),
        cmocka_unit_test(outcomes_count_every_record),
        cmocka_unit_test(failfast_names_file_record_byte_and_cause),
        cmocka_unit_test(bad_options_and_schemas_are_refused),
        cmocka_unit_test(a_changed_file_is_not_mixed),
        cmocka_unit_test(arrays_longer_than_a_chunk_go_on),
        cmocka_unit_test(deep_nesting_is_no_danger),
        cmocka_unit_test(both_paths_agree_on_random_records),
        cmocka_unit_test(ranges_give_each_record_once),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
