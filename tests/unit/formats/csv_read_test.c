/* csv_read_test -- the CSV reader: rows as Spark gives them, and the fast path against the careful one. */
#include "columns/show.h"
#include "formats/csv_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/inlet-csv-XXXXXX";

struct setup {
    const char *schema;
    const char *columns;          /* What the query uses; NULL: all. */
    const char *options[8][2];
};

struct csv {
    struct arena *arena;
    struct inlet_context context;
    struct session session;
    struct options options;
    struct read_spec spec;
    struct reader *reader;
};

static bool name_in(const char *list, const char *name)
{
    char padded[200], wanted[100];
    snprintf(padded, sizeof padded, ",%s,", list);
    snprintf(wanted, sizeof wanted, ",%s,", name);
    return strstr(padded, wanted) != NULL;
}

static void choose_columns(struct csv *csv, const struct setup *setup)
{
    struct error err = {0};
    const struct type *all = schema_parse_ddl(csv->arena, setup->schema, &err);
    assert_non_null(all);
    struct field file[32], used[32];
    size_t file_count = 0, used_count = 0;
    csv->spec.corrupt_column = -1;
    for (size_t i = 0; i < all->field_count; i++) {
        bool corrupt = strcmp(all->fields[i].name, "_corrupt_record") == 0;
        bool wanted = !setup->columns || name_in(setup->columns, all->fields[i].name);
        if (corrupt && wanted) csv->spec.corrupt_column = (int)used_count;
        if (!corrupt) file[file_count++] = all->fields[i];
        if (wanted) used[used_count++] = all->fields[i];
        else csv->spec.pruned |= !corrupt;
    }
    csv->spec.file_schema = type_struct(csv->arena, file, file_count);
    csv->spec.schema = type_struct(csv->arena, used, used_count);
}

static bool csv_begin(struct csv *csv, const struct setup *setup, struct error *err)
{
    memset(csv, 0, sizeof *csv);
    csv->arena = arena_new("csv test");
    inlet_context_init(&csv->context);
    struct buffer warnings = {0};
    struct option_input zone = {"spark.sql.session.timeZone", "UTC", 1}, inputs[8];
    assert_true(session_parse(csv->arena, &zone, 1, &csv->session, &warnings, err));
    buffer_free(&warnings);
    size_t count = 0;
    for (; count < 8 && setup->options[count][0]; count++) inputs[count] = (struct option_input){setup->options[count][0], setup->options[count][1], 1};
    const struct option_spec *tables[] = {csv_reader.options, file_options};
    if (!options_parse(csv->arena, "csv", tables, 2, inputs, count, "/", &csv->options, err)) return false;
    choose_columns(csv, setup);
    csv->spec.options = &csv->options;
    csv->spec.session = &csv->session;
    csv->reader = csv_reader.open(&csv->spec, csv->arena, err);
    return csv->reader != NULL;
}

static void csv_end(struct csv *csv)
{
    inlet_context_fini(&csv->context);
    arena_free(csv->arena);
}

static void write_text(const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (size) assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Rows as lines "1|x|NULL"; bytes below 0x20 as \xx. */
static void print_rows(struct csv *csv, const struct chunk *chunk, struct buffer *out)
{
    struct error err = {0};
    for (size_t c = 0; c < csv->spec.schema->field_count; c++)
        if (!column_check(&chunk->columns[c], &err)) fail_msg("%s", err.message);
    for (uint32_t row = 0; row < chunk->row_count; row++) {
        for (size_t c = 0; c < csv->spec.schema->field_count; c++) {
            struct buffer value = {0};
            show_value(&chunk->columns[c], row, &csv->session, &value);
            if (c) buffer_text(out, "|");
            for (size_t i = 0; i < value.size; i++) {
                if (value.data[i] < 0x20) buffer_printf(out, "\\%02x", value.data[i]);
                else buffer_byte(out, value.data[i]);
            }
            buffer_free(&value);
        }
        buffer_text(out, "\n");
    }
}

/* Reads ranges of the file; an error ends the text as "! CONDITION". */
static void read_ranges(struct csv *csv, const struct file_range *ranges, size_t count, struct range_outcome *outcomes, struct buffer *out)
{
    struct error err = {0};
    struct scan *scan = csv_reader.scan_new(csv->reader, &csv->context, &err);
    struct chunk chunk;
    enum pull pull;
    assert_non_null(scan);
    chunk_init(&chunk, csv->spec.schema);
    csv_reader.scan_begin(scan, ranges, count, outcomes);
    while ((pull = csv_reader.scan_next(scan, &chunk, &err)) == PULL_CHUNK) print_rows(csv, &chunk, out);
    if (pull == PULL_FAILED) buffer_printf(out, "! %s\n", condition_name(err.condition));
    chunk_fini(&chunk);
    csv_reader.scan_free(scan);
}

static struct range_outcome read_text(struct csv *csv, const char *text, size_t size, struct buffer *out)
{
    struct range_outcome outcome;
    struct file_range range = {path, 0, -1, -1, -1};
    write_text(text, size);
    read_ranges(csv, &range, 1, &outcome, out);
    assert_int_equal(outcome.records_framed, outcome.rows + outcome.records_dropped);
    return outcome;
}

static void expect(const struct setup *setup, const char *text, const char *rows)
{
    struct csv csv;
    struct error err = {0};
    struct buffer out = {0};
    if (!csv_begin(&csv, setup, &err)) fail_msg("%s", err.message);
    write_text(text, strlen(text));
    struct file_range range = {path, 0, -1, -1, -1};
    struct range_outcome outcome;
    read_ranges(&csv, &range, 1, &outcome, &out);
    assert_string_equal(buffer_string(&out), rows);
    buffer_free(&out);
    csv_end(&csv);
}

static void expect_refused(const struct setup *setup, enum condition condition)
{
    struct csv csv;
    struct error err = {0};
    assert_false(csv_begin(&csv, setup, &err));
    assert_string_equal(condition_name(err.condition), condition_name(condition));
    csv_end(&csv);
}

#define CORRUPT ", _corrupt_record STRING"

static void test_permissive(void **state)
{
    (void)state;
    expect(&(struct setup){.schema = "a INT, b STRING, c BOOLEAN" CORRUPT}, "1,x,true\n2\n3,y\n4,z,false,extra\nbad,w,true\n5,v,maybe\n,,\n6,,\n",
           "1|x|true|NULL\n2|NULL|NULL|2\n3|y|NULL|3,y\n4|z|false|4,z,false,extra\nNULL|w|true|bad,w,true\n5|v|NULL|5,v,maybe\nNULL|NULL|NULL|NULL\n6|NULL|NULL|NULL\n");
    expect(&(struct setup){.schema = "a INT, b STRING, c BOOLEAN", .options = {{"mode", "DROPMALFORMED"}}}, "1,x,true\n2\nbad,w,true\n6,,\n", "1|x|true\n6|NULL|NULL\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"mode", "FAILFAST"}}}, "1,x\nbad,y\n", "! FAILED_READ_FILE.NO_HINT\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .columns = "b", .options = {{"mode", "FAILFAST"}}}, "1,x\nbad,y\n1\n1,2,3\n", "x\ny\nNULL\n2\n");
    expect(&(struct setup){.schema = "a INT, b STRING, c BOOLEAN", .columns = "b", .options = {{"mode", "DROPMALFORMED"}, {"columnPruning", "false"}}},
           "1,x,true\n2\nbad,w,true\n", "x\nw\n");
}

static void test_quotes(void **state)
{
    (void)state;
    const struct setup plain = {.schema = "v STRING, w STRING, x STRING" CORRUPT};
    expect(&plain, "\"a,b\",\"c\\\"d\",\"e\\\\f\"\n", "a,b|c\"d|e\\f|NULL\n");
    expect(&plain, "\"he said \"\"hi\"\"\",b,c\n", "\"he said \"\"hi\"\"\"|b|c|NULL\n");
    expect(&plain, "\"y\" ,b,c\nx, \"y\",z\n", "y|b|c|NULL\nx| \"y\"|z|NULL\n");
    expect(&plain, "\"unterminated,b,c\n,\"\",\n", "unterminated,b,c|NULL|NULL|\"unterminated,b,c\nNULL|NULL|NULL|NULL\n");
    expect(&(struct setup){.schema = "v STRING, w STRING", .options = {{"escape", "\""}}}, "\"say \"\"hi\"\"\",\"\"\"\"\n\"a\\b\",\"x\"\n", "say \"hi\"|\"\na\\b|x\n");
    expect(&(struct setup){.schema = "v STRING, w STRING", .options = {{"unescapedQuoteHandling", "STOP_AT_CLOSING_QUOTE"}}}, "\"a\"b,c\n\"a\"b\"c,d\n", "a\"b,c|NULL\na\"b\"c,d|NULL\n");
    expect(&(struct setup){.schema = "v STRING, w STRING", .options = {{"unescapedQuoteHandling", "SKIP_VALUE"}}}, "\"a\"b,c\n\"ok\",z\n", "NULL|c\nok|z\n");
    expect(&(struct setup){.schema = "v STRING, w STRING", .options = {{"unescapedQuoteHandling", "RAISE_ERROR"}}}, "\"a\"b,c\n", "! FAILED_READ_FILE.NO_HINT\n");
    expect(&(struct setup){.schema = "v STRING, w STRING", .options = {{"nullValue", "NA"}, {"emptyValue", "E"}}}, ",\"\"\n\"NA\",NA\n", "NULL|E\nNULL|NULL\n");
}

static void test_separators(void **state)
{
    (void)state;
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"sep", "||"}}}, "1||x|y\n2||\"a||b\"\n3|| z\n", "1|x|y\n2|a||b\n3| z\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"sep", "\\t"}}}, "1\tx,y\n2\t\"a\tb\"\n", "1|x,y\n2|a\\09b\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"sep", "\xC2\xA6"}}}, "1\xC2\xA6x\n", "1|x\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"lineSep", "##"}}}, "1,x##2,y#\n##3,z", "1|x\n2|y#\n3|z\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"lineSep", ";"}}}, "1,x;2,y\nz;3,;", "1|x\n2|y\\0az\n3|NULL\n");
    expect_refused(&(struct setup){.schema = "a INT", .options = {{"sep", ""}}}, COND_DELIMITER_EMPTY);
    expect_refused(&(struct setup){.schema = "a INT", .options = {{"sep", "\\"}}}, COND_DELIMITER_BACKSLASH);
    expect_refused(&(struct setup){.schema = "a INT", .options = {{"sep", "\\q"}}}, COND_DELIMITER_SPECIAL);
    expect_refused(&(struct setup){.schema = "a INT", .options = {{"quote", "''"}}}, COND_OPTION_VALUE_EXCEEDS_ONE_CHARACTER);
    expect_refused(&(struct setup){.schema = "a INT", .options = {{"lineSep", "###"}}}, COND_INLET_BAD_OPTION_VALUE);
    expect_refused(&(struct setup){.schema = "a INT", .options = {{"encoding", "klingon"}}}, COND_INVALID_PARAMETER_CHARSET);
    expect_refused(&(struct setup){.schema = "a ARRAY<INT>"}, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE);
}

static void test_headers_and_lines(void **state)
{
    (void)state;
    const struct setup header = {.schema = "id INT, name STRING", .options = {{"header", "true"}}};
    expect(&header, "\n  \nfoo,bar\n1,x\n", "1|x\n");
    expect(&header, "\xEF\xBB\xBFid,name\r\n1,x\r2,y", "1|x\n2|y\n");
    const struct setup strict = {.schema = "id INT, name STRING", .options = {{"header", "true"}, {"enforceSchema", "false"}}};
    expect(&strict, "ID,\"Name\"\n1,x\n", "1|x\n");
    expect(&strict, "name,id\nx,1\n", "! FAILED_READ_FILE.NO_HINT\n");
    expect(&strict, "id\n1\n", "! FAILED_READ_FILE.NO_HINT\n");
    expect(&(struct setup){.schema = "id INT, title STRING, o STRING", .columns = "o", .options = {{"header", "true"}, {"enforceSchema", "false"}}}, "x,y,o\n1,x,y\n", "y\n");
    expect(&(struct setup){.schema = "id STRING, v STRING", .options = {{"comment", "#"}}}, "#c\n0,x#y\n #d\n\"#e\",q\n#", "0|x#y\n #d|NULL\n#e|q\n");
    expect(&(struct setup){.schema = "id INT", .options = {{"skipRows", "2"}, {"header", "true"}}}, "report\n\nid\n7\n", "7\n");
    expect(&(struct setup){.schema = "a INT, b STRING"}, "", "");
    expect(&(struct setup){.schema = "a INT, b STRING", .columns = ""}, "1\nx,y,z\n\n", "\n\n");
}

static void test_types(void **state)
{
    (void)state;
    expect(&(struct setup){.schema = "a TINYINT, b SMALLINT, c INT, d BIGINT"}, "127,32767,-2147483648,9223372036854775807\n128,-32769,2147483648,9223372036854775808\n+1,007,\xD9\xA1,-0\n 1,1 ,1.0,1e2\n",
           "127|32767|-2147483648|9223372036854775807\nNULL|NULL|NULL|NULL\n1|7|1|0\nNULL|NULL|NULL|NULL\n");
    expect(&(struct setup){.schema = "a DOUBLE, b FLOAT"}, "1.5,0.1\nInf,-Inf\nNaN,nan\n 1.5 ,1.5d\n0x1p3,1e400\n-0,123456789012345678\n", "1.5|0.1\nInfinity|-Infinity\nNaN|NULL\n1.5|1.5\n8.0|Infinity\n-0.0|1.2345679E17\n");
    expect(&(struct setup){.schema = "a DOUBLE", .options = {{"nanValue", "0"}, {"positiveInf", "1"}}}, "0\n1\n2\n", "NaN\nInfinity\n2.0\n");
    expect(&(struct setup){.schema = "a DECIMAL(10,2)"}, "1\n1.005\n-1.005\n99999999.994\n99999999.995\n\"1,234.56\"\n1e3\n 1\n12abc\n-0.5\n", "1.00\n1.01\n-1.01\n99999999.99\nNULL\n1234.56\n1000.00\nNULL\nNULL\n-0.50\n");
    expect(&(struct setup){.schema = "a DECIMAL(10,2)", .options = {{"locale", "de-DE"}, {"sep", ";"}}}, "1.234,56\n1,5\n1234.56\n", "1234.56\n1.50\n123456.00\n");
    expect(&(struct setup){.schema = "a BOOLEAN"}, "true\nFALSE\ntRuE\nt\n1\n", "true\nfalse\ntrue\nNULL\nNULL\n");
    expect(&(struct setup){.schema = "a DATE"}, "2024-02-29\n2023-02-29\n2024-2-9\n2024\n 2024-01-02\n2024-01-31T05:06\n1704110400\n", "2024-02-29\nNULL\n2024-02-09\n2024-01-01\n2024-01-02\n2024-01-31\nNULL\n");
    expect(&(struct setup){.schema = "a DATE", .options = {{"dateFormat", "dd/MM/yyyy"}}}, "31/01/2024\n2024-01-31\n", "2024-01-31\nNULL\n");
    expect(&(struct setup){.schema = "a TIMESTAMP"}, "2024-01-02 03:04:05\n2024-01-02T03:04:05.120Z\n2024-01-02T03:04:05+01:00\n2024-01-02\n24\n2024-01-02 24:00:00\n", "2024-01-02 03:04:05\n2024-01-02 03:04:05.12\n2024-01-02 02:04:05\n2024-01-02 00:00:00\nNULL\nNULL\n");
    expect(&(struct setup){.schema = "a TIMESTAMP", .options = {{"timeZone", "Asia/Kolkata"}}}, "2024-07-01 05:30:00\n", "2024-07-01 00:00:00\n");
    expect(&(struct setup){.schema = "a TIMESTAMP_NTZ"}, "2024-01-02T03:04:05\n2024-01-02T03:04:05Z\n", "2024-01-02 03:04:05\nNULL\n");
    expect(&(struct setup){.schema = "a STRING, b BINARY"}, "\xC3(,abc\n\xFF,\n", "\xEF\xBF\xBD(|abc\n\xEF\xBF\xBD|NULL\n");
    expect(&(struct setup){.schema = "a STRING", .options = {{"encoding", "ISO-8859-1"}}}, "caf\xE9\n", "caf\xC3\xA9\n");
}

static void test_blanks(void **state)
{
    (void)state;
    expect(&(struct setup){.schema = "a STRING, b STRING"}, " a ,\" b \"\n  , \n \n", " a | b \n  | \n");
    expect(&(struct setup){.schema = "a STRING, b STRING", .options = {{"ignoreLeadingWhiteSpace", "true"}, {"ignoreTrailingWhiteSpace", "true"}}}, " a , \" b \" \n  , x y \n", "a| b \nNULL|x y\n");
}

static void test_limits(void **state)
{
    (void)state;
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"maxColumns", "3"}}}, "1,2\n1,2,3,4\n", "! FAILED_READ_FILE.NO_HINT\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"maxColumns", "3"}}}, "1,2\n1,2,3\n", "1|2\n1|2\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"maxCharsPerColumn", "4"}}}, "1,abcd\n2,\"abcd\"\n3,\xF0\x9F\x98\x80\xF0\x9F\x98\x80\n", "1|abcd\n2|abcd\n3|\xF0\x9F\x98\x80\xF0\x9F\x98\x80\n");
    expect(&(struct setup){.schema = "a INT, b STRING", .options = {{"maxCharsPerColumn", "4"}}}, "1,abcde\n", "! FAILED_READ_FILE.NO_HINT\n");
}

static void test_multi_line(void **state)
{
    (void)state;
    const struct setup multi = {.schema = "id INT, v STRING" CORRUPT, .options = {{"multiLine", "true"}}};
    expect(&multi, "0,\"a\nb\"\nbad,\"c\nd\"\n1\n2,x,y\n", "0|a\\0ab|NULL\nNULL|c\\0ad|bad,\"c\\0ad\"\n1|NULL|1\n2|x|2,x,y\n");
    expect(&multi, "0,a\n\n1,b\n  \n2,c\n\n", "0|a|NULL\n1|b|NULL\nNULL|NULL|  \n2|c|NULL\n");
    expect(&multi, "0,\"a\n1,b\n2,c\n", "0|a\\0a1,b\\0a2,c\\0a|NULL\n");
    expect(&multi, "0,\"a\r\nb\"\r\n1,\"c\nd\"\r\n2,e", "0|a\\0ab|NULL\n1|c\\0ad|NULL\n2|e|NULL\n");
    expect(&multi, "0,a\r1,\"b\rc\"\r", "0|a|NULL\n1|b\\0ac|NULL\n");
    expect(&(struct setup){.schema = "id INT, v STRING", .options = {{"multiLine", "true"}, {"lineSep", ";"}}}, "0,\"a;\nb\";1,c\nd;", "0|a;\\0ab\n1|c\\0ad\n");
    expect(&(struct setup){.schema = "id INT, v STRING", .options = {{"multiLine", "true"}, {"header", "true"}, {"comment", "#"}}}, "\xEF\xBB\xBF#c\nid,\"v\nw\"\n#\"d\n0,\"#\na\"\n", "0|#\\0aa\n");
}

static void test_wide_encodings(void **state)
{
    (void)state;
    struct csv csv;
    struct error err = {0};
    static const struct setup setups[] = {
        {.schema = "a INT, b STRING", .options = {{"encoding", "UTF-16LE"}}}, {.schema = "a INT, b STRING", .options = {{"encoding", "UTF-16"}}},
        {.schema = "a INT, b STRING", .options = {{"encoding", "UTF-32BE"}, {"multiLine", "true"}}}, {.schema = "a INT, b STRING", .options = {{"encoding", "UTF-16BE"}, {"lineSep", "\n"}}},
    };
    static const enum charset charsets[] = {CHARSET_UTF16LE, CHARSET_UTF16LE, CHARSET_UTF32BE, CHARSET_UTF16BE};
    for (size_t i = 0; i < COUNTOF(setups); i++) {
        struct buffer file = {0}, out = {0};
        const char *text = "1,x\xE2\x82\xAC\n2,\xF0\x9F\x98\x80\n";
        if (i == 1) buffer_append(&file, "\xFF\xFE", 2);
        charset_from_utf8(charsets[i], &file, (const uint8_t *)text, strlen(text));
        assert_true(csv_begin(&csv, &setups[i], &err));
        (void)read_text(&csv, (const char *)file.data, file.size, &out);
        assert_string_equal(buffer_string(&out), "1|x\xE2\x82\xAC\n2|\xF0\x9F\x98\x80\n");
        assert_false(csv_reader.splittable(csv.reader, "/a.csv"));
        csv_end(&csv);
        buffer_free(&file);
        buffer_free(&out);
    }
}

static void test_outcomes_and_segments(void **state)
{
    (void)state;
    struct csv csv;
    struct error err = {0};
    const char *text = "a,b\n1,x\n\nbad,y\n3,z,w\n";
    assert_true(csv_begin(&csv, &(struct setup){.schema = "a INT, b STRING", .options = {{"mode", "DROPMALFORMED"}, {"header", "true"}}}, &err));
    struct buffer out = {0};
    struct range_outcome outcome = read_text(&csv, text, strlen(text), &out);
    assert_int_equal(outcome.records_framed, 3);
    assert_int_equal(outcome.records_bad, 2);
    assert_int_equal(outcome.records_dropped, 2);
    assert_int_equal(outcome.rows, 1);
    assert_int_equal(outcome.bytes, (int64_t)strlen(text));
    /* Twice the file in one task: one chunk, two segments. */
    struct file_range ranges[] = {{path, 0, -1, -1, -1}, {path, 0, -1, -1, -1}};
    struct range_outcome outcomes[2];
    struct scan *scan = csv_reader.scan_new(csv.reader, &csv.context, &err);
    struct chunk chunk;
    chunk_init(&chunk, csv.spec.schema);
    csv_reader.scan_begin(scan, ranges, 2, outcomes);
    assert_int_equal(csv_reader.scan_next(scan, &chunk, &err), PULL_CHUNK);
    assert_int_equal(chunk.row_count, 2);
    assert_int_equal(chunk.segment_count, 2);
    assert_int_equal(chunk.segments[1].row_start, 1);
    assert_int_equal(chunk.segments[1].file, 1);
    assert_int_equal(chunk.segments[1].byte_start, 4);
    assert_int_equal(chunk.segments[1].record_start, 0);
    assert_int_equal(csv_reader.scan_next(scan, &chunk, &err), PULL_END);
    /* Not as planned. */
    ranges[0].size = 7;
    csv_reader.scan_begin(scan, ranges, 1, outcomes);
    assert_int_equal(csv_reader.scan_next(scan, &chunk, &err), PULL_FAILED);
    assert_int_equal(err.condition, COND_INLET_FILE_CHANGED);
    chunk_fini(&chunk);
    csv_reader.scan_free(scan);
    buffer_free(&out);
    csv_end(&csv);
}

/* A file that is cut anywhere gives the same rows as the whole. */
static void test_splits(void **state)
{
    (void)state;
    struct csv csv;
    struct error err = {0};
    const char *text = "h1,h2\r\n1,\"a,b\"\n\r\n2,c\r3,\"d\n4,e";
    size_t size = strlen(text);
    assert_true(csv_begin(&csv, &(struct setup){.schema = "a INT, b STRING", .options = {{"header", "true"}}}, &err));
    assert_true(csv_reader.splittable(csv.reader, "/a.csv"));
    assert_false(csv_reader.splittable(csv.reader, "/a.csv.gz"));
    write_text(text, size);
    for (size_t first = 7; first < size; first++)
        for (size_t second = first; second < size; second++) {
            struct file_range ranges[] = {{path, 0, (int64_t)first, -1, -1}, {path, (int64_t)first, (int64_t)second, -1, -1}, {path, (int64_t)second, -1, -1, -1}};
            struct range_outcome outcomes[3];
            struct buffer out = {0};
            read_ranges(&csv, ranges, 3, outcomes, &out);
            assert_string_equal(buffer_string(&out), "1|a,b\n2|c\n3|d\n4|e\n");
            buffer_free(&out);
        }
    csv_end(&csv);
}

/* ---- the fast path against the careful one ----------------------------------------------------- */

static uint32_t seed = 20240229;
static uint32_t pick(uint32_t count)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 4) * count >> 28);
}

static void make_file(struct buffer *out, const struct setup *setup)
{
    const char *separator = ",", *quote = "\"", *escape = "\\";
    for (size_t i = 0; i < 8 && setup->options[i][0]; i++) {
        if (strcmp(setup->options[i][0], "sep") == 0) separator = setup->options[i][1];
        if (strcmp(setup->options[i][0], "escape") == 0 && setup->options[i][1][0]) escape = setup->options[i][1];
    }
    const char *pieces[] = {separator, separator, separator, quote, quote, escape, "a", "12", "-7", "1.5", "true", "2024-02-29", " ", "\t", "\n", "\n", "\r\n", "\r",
                            "\xC3\xA9", "\xF0\x9F\x98\x80", "\xFF", "#", "\\", "||", "|", "x longer piece of text that fills more than one vector of bytes, surely"};
    size_t count = pick(60);
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[pick(COUNTOF(pieces))];
        bool field = pick(3) == 0;
        if (field) buffer_printf(out, "%s%s%s%s", quote, piece, quote, separator);
        else buffer_text(out, piece);
    }
}

static void test_fast_is_careful(void **state)
{
    (void)state;
    static const struct setup setups[] = {
        {.schema = "a STRING, b STRING, c INT" CORRUPT}, {.schema = "a STRING, b STRING, c STRING, d DOUBLE" CORRUPT, .options = {{"escape", "\""}}},
        {.schema = "a STRING, b INT, c STRING" CORRUPT, .options = {{"escape", ""}, {"emptyValue", "E"}}}, {.schema = "a STRING, b STRING" CORRUPT, .options = {{"quote", ""}}},
        {.schema = "a STRING, b STRING, c STRING" CORRUPT, .options = {{"sep", "||"}}}, {.schema = "a STRING, b STRING" CORRUPT, .options = {{"escape", "a"}, {"charToEscapeQuoteEscaping", "\\"}}},
        {.schema = "a STRING, b STRING" CORRUPT, .options = {{"ignoreLeadingWhiteSpace", "true"}, {"ignoreTrailingWhiteSpace", "true"}, {"emptyValue", "E"}, {"nullValue", "N"}}},
        {.schema = "a STRING, b STRING, c STRING", .columns = "b"}, {.schema = "a STRING, b STRING" CORRUPT, .options = {{"maxCharsPerColumn", "3"}}},
        {.schema = "a STRING, b STRING" CORRUPT, .options = {{"unescapedQuoteHandling", "STOP_AT_CLOSING_QUOTE"}, {"comment", "#"}}},
        {.schema = "a STRING, b STRING" CORRUPT, .options = {{"unescapedQuoteHandling", "BACK_TO_DELIMITER"}}}, {.schema = "a STRING, b STRING" CORRUPT, .options = {{"maxColumns", "3"}}},
        {.schema = "a STRING, b STRING" CORRUPT, .options = {{"multiLine", "true"}}}, {.schema = "a STRING, b INT, c STRING" CORRUPT, .options = {{"multiLine", "true"}, {"escape", "\""}, {"comment", "#"}}},
        {.schema = "a STRING, b STRING" CORRUPT, .options = {{"multiLine", "true"}, {"sep", "||"}, {"escape", ""}}}, {.schema = "a STRING, b STRING" CORRUPT, .options = {{"lineSep", "\n"}}},
        {.schema = "a STRING, b STRING, c STRING", .columns = "a", .options = {{"multiLine", "true"}, {"columnPruning", "true"}}},
        {.schema = "a STRING, b STRING" CORRUPT, .options = {{"lineSep", "\r\n"}, {"multiLine", "true"}}}, {.schema = "a STRING, b STRING" CORRUPT, .options = {{"sep", "\t"}}},
    };
    static const char *const isas[] = {"scalar", "avx2", "avx512"};
    for (size_t i = 0; i < COUNTOF(setups); i++) {
        struct csv csv;
        struct error err = {0};
        assert_true(csv_begin(&csv, &setups[i], &err));
        struct reader *reader = csv.reader;
        for (int round = 0; round < 250; round++) {
            struct buffer file = {0}, fast = {0}, careful = {0};
            bool was_fast = reader->fast, was_stream = reader->fast_stream;
            make_file(&file, &setups[i]);
            write_text((const char *)file.data, file.size);
            struct file_range range = {path, 0, -1, -1, -1};
            struct range_outcome first, second;
            setenv("INLET_ISA", isas[round % 3], 1);
            read_ranges(&csv, &range, 1, &first, &fast);
            reader->fast = reader->fast_stream = false;
            read_ranges(&csv, &range, 1, &second, &careful);
            reader->fast = was_fast;
            reader->fast_stream = was_stream;
            if (fast.size != careful.size || (fast.size && memcmp(fast.data, careful.data, fast.size) != 0))
                fail_msg("setup %zu\n%s\n--- fast\n%s--- careful\n%s", i, buffer_string(&file), buffer_string(&fast), buffer_string(&careful));
            assert_int_equal(first.records_bad, second.records_bad);
            buffer_free(&file);
            buffer_free(&fast);
            buffer_free(&careful);
        }
        csv_end(&csv);
    }
    unsetenv("INLET_ISA");
}

static void test_marks(void **state)
{
    (void)state;
    const struct csv_marks marks = {{',', '"', '\\', ','}};
    static uint8_t text[5000 + 64];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)",\"\\abcdefghi"[pick(12)];
    for (enum isa isa = ISA_SCALAR; isa <= isa_choose(); isa++)
        for (size_t size = 0; size < 300; size++) {
            uint32_t expected[512], found[512];
            size_t expected_count, count, from = pick(20);
            if (from > size) from = size;
            size_t at = csv_marks_scanner(ISA_SCALAR)(text, from, size, &marks, expected, 512, &expected_count);
            assert_int_equal(csv_marks_scanner(isa)(text, from, size, &marks, found, 512, &count), at);
            assert_int_equal(count, expected_count);
            assert_memory_equal(found, expected, count * sizeof *found);
        }
}

/* Records longer than every buffer, and more marks than one stretch holds. */
static void test_long_records(void **state)
{
    (void)state;
    struct csv csv;
    struct error err = {0};
    for (int multi = 0; multi < 2; multi++) {
        assert_true(csv_begin(&csv, &(struct setup){.schema = "a INT, b STRING, c STRING", .options = {{"multiLine", multi ? "true" : "false"}}}, &err));
        struct buffer file = {0}, out = {0};
        buffer_text(&file, "1,\"");
        for (int i = 0; i < 700000; i++) buffer_text(&file, i % 7 ? "ab," : multi ? "\n,\\\"" : ",\\\"");
        buffer_text(&file, "\",end\n2,x,y\n");
        struct range_outcome outcome = read_text(&csv, (const char *)file.data, file.size, &out);
        assert_int_equal(outcome.rows, 2);
        assert_int_equal(outcome.records_bad, 0);
        const char *tail = buffer_string(&out) + out.size - 13;
        assert_string_equal(tail, "\"ab,|end\n2|x|y\n" + 2);
        buffer_free(&file);
        buffer_free(&out);
        csv_end(&csv);
    }
}

int main(void)
{
    int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permissive), cmocka_unit_test(test_quotes), cmocka_unit_test(test_separators), cmocka_unit_test(test_headers_and_lines),
        cmocka_unit_test(test_types), cmocka_unit_test(test_blanks), cmocka_unit_test(test_limits), cmocka_unit_test(test_multi_line),
        cmocka_unit_test(test_wide_encodings), cmocka_unit_test(test_outcomes_and_segments), cmocka_unit_test(test_splits), cmocka_unit_test(test_fast_is_careful),
        cmocka_unit_test(test_marks), cmocka_unit_test(test_long_records),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
