/* Pipeline files: what is taken, what is refused, with which condition and line. */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "loader/pipeline.h"
#include "loader/reference.h"
#include "tests/unit/fixture.h"

static struct pipeline *parse(const char *text)
{
    error_clear(&err);
    return pipeline_parse(arena, "/home/u/flows/my flow.yaml", slice_text(text), &err);
}

#define READER "readStream: {format: json, schema: 'a INT, b STRING', load: landing}\n"
#define WRITER "writeStream: {format: parquet, options: {checkpointLocation: cp}, start: out}\n"

static void a_full_file_is_resolved(void **state)
{
    (void)state;
    struct pipeline *p = parse("name: logs-1\nconf: {spark.sql.session.timeZone: Asia/Kolkata, spark.x.y: 1}\n"
                               "readStream:\n  format: JSON\n  schema: a INT NOT NULL, t TIMESTAMP\n  options: {ALLOWCOMMENTS: TRUE, maxFilesPerTrigger: 3, cleanSource: ARCHIVE, sourceArchiveDir: ../old}\n  load: [in/*, /abs/x/]\n"
                               "query: SELECT a FROM input\n"
                               "writeStream:\n  format: delta\n  outputMode: Append\n  partitionBy: a\n  trigger: {processingTime: 2 minutes}\n  options: {checkpointLocation: cp/x}\n  start: out\n");
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(p->name, "logs-1");
    assert_string_equal(p->base_dir, "/home/u/flows");
    assert_string_equal(p->reader.format, "json");
    assert_true(options_bool(&p->reader.options, "allowComments"));
    assert_true(p->reader.schema->fields[0].nullable);
    assert_int_equal(p->reader.settings.max_files, 3);
    assert_int_equal(p->reader.settings.clean, CLEAN_ARCHIVE);
    assert_string_equal(p->reader.settings.clean_directory, "/home/u/old");
    assert_int_equal(p->reader.settings.max_file_age_us, -1);
    assert_int_equal(p->reader.load_count, 2);
    assert_string_equal(p->reader.load[0], "/home/u/flows/in/*");
    assert_string_equal(p->reader.load[1], "/abs/x");
    assert_string_equal(p->writer.path, "/home/u/flows/out");
    assert_string_equal(p->writer.checkpoint, "/home/u/flows/cp/x");
    assert_int_equal(p->writer.trigger, TRIGGER_PROCESSING_TIME);
    assert_int_equal(p->writer.trigger_interval_us, 120000000);
    assert_int_equal(p->writer.partition_count, 1);
    assert_string_equal(p->writer.sink->name, "delta");
    assert_non_null(strstr(p->warnings, "spark.x.y"));
}

static void json_and_defaults(void **state)
{
    (void)state;
    struct pipeline *p = parse("{\"readStream\": {\"format\": \"text\", \"load\": \"file:///a%20b\"},\n \"writeStream\": {\"foreachBatch\": {\"command\": [\"sh\", \"-c\", \"cat > $X\", 5]}, \"outputMode\": \"update\",\n"
                               "  \"options\": {\"checkpointLocation\": \"cp\"}}}");
    /* The name says .yaml, and JSON is YAML. */
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(p->name, "my_flow");
    assert_string_equal(p->reader.load[0], "/a b");
    assert_string_equal(p->reader.schema->fields[0].name, "value");
    assert_string_equal(p->writer.sink->name, "foreachBatch");
    assert_string_equal(p->writer.command[2], "cat > $X");
    assert_string_equal(p->writer.command[3], "5");
    assert_null(p->writer.command[4]);
    assert_null(p->writer.path);
    assert_int_equal(p->writer.trigger, TRIGGER_DEFAULT);
    assert_string_equal(p->warnings, "");
    error_clear(&err);
    assert_null(pipeline_parse(arena, "x.json", slice_text("{\n \"readstream\": 1}"), &err));
    assert_int_equal(err.line, 2);
    assert_string_equal(err.hint, "Did you mean 'readStream'?");
}

static void cloud_files_have_their_own_semantics(void **state)
{
    (void)state;
    struct pipeline *p = parse("readStream:\n  format: cloudfiles\n  schema: a INT\n  options:\n    cloudFiles.format: json\n    cloudFiles.schemaLocation: s\n    maxFilesPerTrigger: 10\n    cloudFiles.maxBytesPerTrigger: 10g\n"
                               "    cloudFiles.cleanSource: MOVE\n    cloudFiles.cleanSource.moveDestination: old\n    cloudFiles.cleanSource.retentionDuration: 1 day\n    cloudFiles.partitionColumns: ' x, y,'\n"
                               "    cloudFiles.useNotifications: true\n    cloudFiles.backfillInterval: 1 hour\n    modifiedAfter: 2024-01-01 00:00:00Z\n    multiLine: true\n  load: in\n" WRITER);
    if (!p) fail_msg("%s", err.message);
    const struct source_settings *settings = &p->reader.settings;
    assert_string_equal(p->reader.format, "cloudFiles");
    assert_string_equal(p->reader.reader->name, "json");
    assert_true(options_bool(&p->reader.options, "multiLine"));
    assert_true(settings->max_bytes_crossing && settings->subtree && !settings->strict_glob && settings->use_notifications && settings->include_existing);
    assert_int_equal(settings->max_bytes, 10ll << 30);
    assert_int_equal(settings->clean, CLEAN_MOVE);
    assert_int_equal(settings->clean_retention_us, 86400000000ll);
    assert_int_equal(settings->partition_column_count, 2);
    assert_string_equal(settings->partition_columns[1], "y");
    assert_int_equal(settings->backfill_interval_us, 3600000000ll);
    assert_int_equal(settings->modified_after_us, 1704067200000000ll);
    assert_int_equal(settings->modified_before_us, INT64_MAX);
}

static void cloud_refusals(void **state)
{
    (void)state;
    static const struct { const char *options; enum condition condition; } cases[] = {
        {"{}", COND_CF_FORMAT_REQUIRED},
        {"{cloudFiles.format: json, cloudFiles.nope: 1}", COND_CF_UNKNOWN_OPTION_KEYS_ERROR},
        {"{cloudFiles.format: json, maxFilesPerTrigger: 0}", COND_CF_MAX_MUST_BE_POSITIVE},
        {"{cloudFiles.format: json, maxFilesPerTrigger: 1, cloudFiles.maxFilesPerTrigger: 2}", COND_CF_INVALID_VALUE},
        {"{cloudFiles.format: json, cloudFiles.cleanSource: archive}", COND_INLET_BAD_OPTION_VALUE},
        {"{cloudFiles.format: json, cloudFiles.cleanSource: MOVE}", COND_CF_INVALID_VALUE},
        {"{cloudFiles.format: json, cloudFiles.cleanSource: DELETE, cloudFiles.cleanSource.retentionDuration: 7 days}", COND_CF_INVALID_VALUE},
        {"{cloudFiles.format: json, cloudFiles.maxFileAge: 13 days}", COND_CF_INVALID_VALUE},
        {"{cloudFiles.format: json, cloudFiles.schemaEvolutionMode: addNewColumns}", COND_CF_ADD_NEW_NOT_SUPPORTED},
        {"{cloudFiles.format: json, cloudFiles.schemaEvolutionMode: rescue}", COND_INLET_NOT_SUPPORTED_YET},
        {"{cloudFiles.format: json, cloudFiles.schemaHints: a INT}", COND_INLET_NOT_SUPPORTED_YET},
        {"{cloudFiles.format: json, cloudFiles.queueUrl: x}", COND_INLET_NOT_SUPPORTED_YET},
        {"{cloudFiles.format: json, cloudFiles.resourceTag.a: x}", COND_INLET_NOT_SUPPORTED_YET},
        {"{cloudFiles.format: json, cloudFiles.validateOptions: false}", COND_INLET_BAD_OPTION_VALUE},
        {"{cloudFiles.format: json, modifiedAfter: yesterday}", COND_CF_INVALID_VALUE},
        {"{cloudFiles.format: parquet}", COND_INLET_NOT_SUPPORTED_YET},
        {"{cloudFiles.format: jsonn}", COND_DATA_SOURCE_NOT_FOUND},
        {"{format: jsonn}", COND_DATA_SOURCE_NOT_FOUND},
        {"{cloudFiles.format: json, cloudFiles.maxBytesPerTrigger: 0}", COND_CF_MAX_MUST_BE_POSITIVE},
        {"{cloudFiles.format: json, cloudFiles.backfillInterval: 0 seconds}", COND_CF_INVALID_VALUE},
        {"{cloudFiles.format: json, cloudFiles.cleanSource: MOVE, cloudFiles.cleanSource.moveDestination: old, cloudFiles.cleanSource.retentionDuration: -1 day}", COND_CF_INVALID_VALUE},
        {"{cloudFiles.format: json, modifiedBefore: tomorrow}", COND_CF_INVALID_VALUE},
        {"{cloudFiles.format: json, modifiedAfter: 2024-01-01, timeZone: Mars/Olympus}", COND_INVALID_TIMEZONE},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *text = arena_printf(arena, "readStream: {format: cloudFiles, schema: a INT, load: in, options: %s}\n" WRITER, cases[i].options);
        if (parse(text) || err.condition != cases[i].condition) fail_msg("%s: [%s] %s", cases[i].options, condition_name(err.condition), err.message);
        assert_int_equal(err.line, 1);
    }
    assert_non_null(parse("readStream: {format: cloudFiles, schema: a INT, load: in, options: {cloudFiles.format: json, cloudFiles.cleanSource: DELETE, cloudFiles.cleanSource.retentionDuration: 8 days,"
                          " cloudFiles.schemaEvolutionMode: none, cloudFiles.validateOptions: true}}\n" WRITER));
}

static void times_and_partition_columns_of_cloud_files(void **state)
{
    (void)state;
    struct pipeline *p = parse("readStream: {format: cloudFiles, schema: a INT, load: in, options: {format: json, modifiedAfter: '2024-01-01', modifiedBefore: '2024-01-02', timeZone: '+01:00', "
                               "partitionColumns: \"a,\\tb\\t , ,\"}}\n" WRITER);
    if (!p) fail_msg("%s", err.message);
    assert_int_equal(p->reader.settings.modified_after_us, (1704067200ll - 3600) * 1000000);
    assert_int_equal(p->reader.settings.modified_before_us, (1704067200ll + 86400 - 3600) * 1000000);
    assert_int_equal(p->reader.settings.partition_column_count, 2);
    assert_string_equal(p->reader.settings.partition_columns[1], "b");
    assert_true(p->reader.settings.discover_partitions);
    p = parse("readStream: {format: cloudFiles, schema: a INT, load: in, options: {cloudFiles.format: json, cloudFiles.partitionColumns: ''}}\n" WRITER);
    assert_non_null(p);
    assert_false(p->reader.settings.discover_partitions);
    assert_int_equal(p->reader.settings.max_files, 100000);
}

static void limits_turn_the_age_off(void **state)
{
    (void)state;
    static const struct { const char *options; int64_t age_us; } cases[] = {
        {"maxFileAge: 1d", 86400000000ll}, {"maxFileAge: 1d, latestFirst: true", 86400000000ll}, {"maxFileAge: 1d, latestFirst: true, maxFilesPerTrigger: 1", -1},
        {"maxFileAge: 1d, latestFirst: true, maxBytesPerTrigger: 1", -1}, {"maxFileAge: 1d, maxFilesPerTrigger: 1", 86400000000ll}, {"latestFirst: true", -1},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct pipeline *p = parse(arena_printf(arena, "readStream: {format: text, load: in, options: {%s}}\n" WRITER, cases[i].options));
        if (!p || p->reader.settings.max_file_age_us != cases[i].age_us) fail_msg("%s: %s", cases[i].options, err.message);
    }
}

static void readers_are_refused(void **state)
{
    (void)state;
    static const struct { const char *reader; enum condition condition; const char *says; } cases[] = {
        {"{format: jsonn, schema: a INT, load: x}", COND_DATA_SOURCE_NOT_FOUND, "jsonn"},
        {"{format: xml, schema: a INT, load: x}", COND_INLET_NOT_SUPPORTED_YET, "xml"},
        {"{format: json, load: x}", COND_INLET_NOT_SUPPORTED_YET, "spark.sql.streaming.schemaInference"},
        {"{format: json, schema: a INT}", COND_INLET_MISSING_KEY, "'path' is not specified"},
        {"{format: json, schema: a INT, load: []}", COND_INLET_MISSING_KEY, "path"},
        {"{format: json, schema: a INT, load: ''}", COND_INLET_BAD_OPTION_VALUE, "empty"},
        {"{format: json, schema: a INT, load: x, options: {path: y}}", COND_INLET_BAD_OPTION_VALUE, "'path'"},
        {"{format: json, schema: a INT, load: x, table: y}", COND_INLET_NOT_SUPPORTED_YET, "table"},
        {"{format: json, schema: a INT, load: 's3://b/x'}", COND_INLET_NOT_SUPPORTED_YET, "s3"},
        {"{format: json, schema: int, load: x}", COND_INVALID_SCHEMA_NON_STRUCT, "int"},
        {"{format: json, schema: a FOO, load: x}", COND_UNSUPPORTED_DATATYPE, "FOO"},
        {"{format: json, schema: 'a INT, A STRING', load: x}", COND_COLUMN_ALREADY_EXISTS, "`a`"},
        {"{format: json, schema: 's STRUCT<a: INT, A: INT>', load: x}", COND_COLUMN_ALREADY_EXISTS, "`a`"},
        {"{format: json, schema: [a], load: x}", COND_INLET_SYNTAX, "DDL"},
        {"{format: json, schema: {fil: x}, load: x}", COND_INLET_UNKNOWN_KEY, "'fil'"},
        {"{format: json, schema: {file: nowhere.json}, load: x}", COND_PATH_NOT_FOUND, "nowhere.json"},
        {"{format: json, schema: a INT, load: x, option: {}}", COND_INLET_UNKNOWN_KEY, "'option'"},
        {"{format: json, schema: a INT, load: x, options: {allowComments: 'yes'}}", COND_INLET_BAD_OPTION_VALUE, "allowComments"},
        {"{format: json, schema: a INT, load: x, options: {header: true}}", COND_INLET_UNKNOWN_OPTION, "'header' is not known to json"},
        {"{format: json, schema: a INT, load: x, options: {mode: LOOSE}}", COND_INLET_BAD_OPTION_VALUE, "mode"},
        {"{format: json, schema: a INT, load: x, options: {mode: [a]}}", COND_INLET_BAD_OPTION_VALUE, "mode"},
        {"{format: json, schema: a INT, load: x, options: {cleanSource: move}}", COND_INLET_BAD_OPTION_VALUE, "cleanSource"},
        {"{format: json, schema: a INT, load: x, options: {cleanSource: archive}}", COND_INLET_BAD_OPTION_VALUE, "sourceArchiveDir"},
        {"{format: json, schema: a INT, load: x, options: {maxFilesPerTrigger: 1, maxBytesPerTrigger: 1}}", COND_INLET_BAD_OPTION_VALUE, "can't be both set"},
        {"{format: json, schema: a INT, load: x, options: {maxBytesPerTrigger: 10g}}", COND_INLET_BAD_OPTION_VALUE, "positive integer"},
        {"{format: json, schema: a INT, load: x, options: {latestFirst: maybe}}", COND_INLET_BAD_OPTION_VALUE, "must be 'true' or 'false'"},
        {"{format: json, schema: a INT, load: x, options: {modifiedAfter: 2024-01-01}}", COND_INLET_BAD_OPTION_VALUE, "not allowed in file stream sources"},
        {"{format: json, schema: a INT, load: x, options: {discardCachedInputRatio: 2}}", COND_INLET_BAD_OPTION_VALUE, "discardCachedInputRatio"},
        {"{format: json, schema: a INT, load: x, options: {cloudFiles.useNotifications: true}}", COND_INLET_UNKNOWN_OPTION, "cloudFiles.useNotifications"},
        {"{format: json, schema: a INT, load: 'x/[a'}", COND_INLET_BAD_OPTION_VALUE, "not closed"},
        {"{format: json, schema: a INT, load: x, options: {pathGlobFilter: '{a'}}", COND_INLET_BAD_OPTION_VALUE, "not closed"},
        {"[1]", COND_INLET_SYNTAX, "readStream"},
        {"{format: [json], schema: a INT, load: x}", COND_INLET_SYNTAX, "'format'"},
        {"{format: json, schema: {}, load: x}", COND_INLET_MISSING_KEY, "schema needs"},
        {"{format: json, schema: {file: [a]}, load: x}", COND_INLET_SYNTAX, "'file'"},
        {"{format: json, schema: ~, load: x}", COND_INLET_NOT_SUPPORTED_YET, "schemaInference"},
        {"{format: json, schema: a INT, load: {x: y}}", COND_INLET_SYNTAX, "'load'"},
        {"{format: json, schema: a INT, load: [x, ~]}", COND_INLET_SYNTAX, "'load'"},
        {"{format: json, schema: a INT, load: [[x]]}", COND_INLET_SYNTAX, "'load'"},
        {"{format: json, schema: a INT, load: x, options: [a]}", COND_INLET_SYNTAX, "map"},
        {"{format: json, schema: a INT, load: x, streams: 1}", COND_INLET_UNKNOWN_KEY, "'streams'"},
        {"{format: json, schema: a INT, b STRING, load: x}", COND_INLET_UNKNOWN_KEY, "'b STRING'"},
        {"{format: json, schema: a INT, load: x, sql: SELECT 1}", COND_INLET_UNKNOWN_KEY, "'sql'"},
        {"{format: json, schema: a INT, load: x, zzzzzzzz: ~}", COND_INLET_UNKNOWN_KEY, "'zzzzzzzz'"},
        {"{format: cloudFiles, schema: a INT, load: x, options: 5}", COND_CF_FORMAT_REQUIRED, "cloudFiles.format"},
        {"{format: json, schema: a INT, load: x, options: {modifiedBefore: 2024-01-01}}", COND_INLET_BAD_OPTION_VALUE, "not allowed in file stream sources"},
        {"{format: json, schema: a INT, load: x, options: {discardCachedInputRatio: -0.5}}", COND_INLET_BAD_OPTION_VALUE, "discardCachedInputRatio"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *text = arena_printf(arena, "readStream: %s\n" WRITER, cases[i].reader);
        if (parse(text) || err.condition != cases[i].condition || !strstr(err.message, cases[i].says))
            fail_msg("%s: [%s] %s", cases[i].reader, condition_name(err.condition), err.message);
        if (err.condition != COND_PATH_NOT_FOUND) assert_int_equal(err.line, 1);
        assert_int_equal(condition_exit_status(err.condition), EXIT_PIPELINE);
    }
    assert_null(parse("conf: {spark.sql.streaming.schemaInference: false}\nreadStream: {format: json, load: x}\n" WRITER));
    assert_int_equal(err.condition, COND_INLET_MISSING_KEY);
    assert_non_null(strstr(err.message, "must be specified when creating a streaming source DataFrame"));
    assert_non_null(parse("conf: {spark.sql.caseSensitive: true}\nreadStream: {format: json, schema: 'a INT, A STRING', load: x}\n" WRITER));
}

static void writers_are_refused(void **state)
{
    (void)state;
    static const struct { const char *writer; enum condition condition; const char *says; } cases[] = {
        {"{format: parquet, start: out}", COND_INLET_MISSING_KEY, "checkpointLocation must be specified"},
        {"{format: parquet, options: {checkpointLocation: c}}", COND_INLET_MISSING_KEY, "'path' is not specified"},
        {"{format: parquet, options: {checkpointLocation: c, path: p}, start: out}", COND_INLET_BAD_OPTION_VALUE, "'path'"},
        {"{format: parkay, options: {checkpointLocation: c}, start: out}", COND_DATA_SOURCE_NOT_FOUND, "parkay"},
        {"{format: kafka, options: {checkpointLocation: c}, start: out}", COND_INLET_NOT_SUPPORTED_YET, "kafka"},
        {"{format: parquet, outputMode: complete, options: {checkpointLocation: c}, start: out}", COND_OUTPUT_MODE_UNSUPPORTED, "complete"},
        {"{format: json, outputMode: Update, options: {checkpointLocation: c}, start: out}", COND_OUTPUT_MODE_UNSUPPORTED, "update"},
        {"{format: delta, outputMode: complete, options: {checkpointLocation: c}, start: out}", COND_OUTPUT_MODE_OPERATION, "no streaming aggregations"},
        {"{format: parquet, outputMode: upsert, options: {checkpointLocation: c}, start: out}", COND_OUTPUT_MODE_INVALID, "upsert"},
        {"{format: parquet, trigger: {continuous: 1 second}, options: {checkpointLocation: c}, start: out}", COND_INLET_NOT_SUPPORTED_YET, "continuous"},
        {"{format: parquet, trigger: {once: false}, options: {checkpointLocation: c}, start: out}", COND_INLET_BAD_OPTION_VALUE, "true"},
        {"{format: parquet, trigger: {processingTime: 5}, options: {checkpointLocation: c}, start: out}", COND_INLET_BAD_OPTION_VALUE, "interval"},
        {"{format: parquet, trigger: {processingTime: 1 day, once: true}, options: {checkpointLocation: c}, start: out}", COND_INLET_BAD_OPTION_VALUE, "one key"},
        {"{format: parquet, trigger: {avialableNow: true}, options: {checkpointLocation: c}, start: out}", COND_INLET_UNKNOWN_KEY, "avialableNow"},
        {"{format: parquet, table: t, options: {checkpointLocation: c}}", COND_INLET_NOT_SUPPORTED_YET, "table"},
        {"{format: parquet, foreachBatch: {command: [a]}, options: {checkpointLocation: c}}", COND_INLET_BAD_OPTION_VALUE, "foreachBatch"},
        {"{foreachBatch: {command: []}, options: {checkpointLocation: c}}", COND_INLET_MISSING_KEY, "command"},
        {"{foreachBatch: {comand: [a]}, options: {checkpointLocation: c}}", COND_INLET_UNKNOWN_KEY, "comand"},
        {"{foreachBatch: {command: [a]}, partitionBy: [a], options: {checkpointLocation: c}}", COND_INLET_BAD_OPTION_VALUE, "partitioning"},
        {"{foreachBatch: {command: [a]}, start: out, options: {checkpointLocation: c}}", COND_INLET_BAD_OPTION_VALUE, "no path"},
        {"{foreachBatch: {command: [a]}, outputMode: complete, options: {checkpointLocation: c}}", COND_OUTPUT_MODE_OPERATION, "complete"},
        {"{format: parquet, options: {checkpointLocation: 's3://b/c'}, start: out}", COND_INLET_NOT_SUPPORTED_YET, "s3"},
        {"{format: parquet, options: {checkpointLocation: c, headr: x}, start: out}", COND_INLET_UNKNOWN_OPTION, "headr"},
        {"{format: parquet, options: {checkpointLocation: c}, start: 's3://b/c'}", COND_INLET_NOT_SUPPORTED_YET, "s3"},
        {"{format: parquet, options: {checkpointLocation: c}, start: ''}", COND_INLET_BAD_OPTION_VALUE, "empty"},
        {"{format: parquet, options: {checkpointLocation: c}, start: [a]}", COND_INLET_SYNTAX, "'start'"},
        {"{format: parquet, options: 7, start: out}", COND_INLET_SYNTAX, "map"},
        {"{format: {a: b}, options: {checkpointLocation: c}, start: out}", COND_INLET_SYNTAX, "'format'"},
        {"{format: parquet, outputMode: [append], options: {checkpointLocation: c}, start: out}", COND_INLET_SYNTAX, "'outputMode'"},
        {"{format: parquet, partitionBy: {a: b}, options: {checkpointLocation: c}, start: out}", COND_INLET_SYNTAX, "'partitionBy'"},
        {"{format: parquet, trigger: once, options: {checkpointLocation: c}, start: out}", COND_INLET_SYNTAX, "trigger must be a map"},
        {"{format: parquet, trigger: {once: [a]}, options: {checkpointLocation: c}, start: out}", COND_INLET_SYNTAX, "'once'"},
        {"{format: parquet, trigger: {processingTime: -1 minute}, options: {checkpointLocation: c}, start: out}", COND_INLET_BAD_OPTION_VALUE, "interval"},
        {"{format: foreachBatch, options: {checkpointLocation: c}}", COND_INLET_MISSING_KEY, "foreachBatch"},
        {"{foreachBatch: {command: ['']}, options: {checkpointLocation: c}}", COND_INLET_MISSING_KEY, "command"},
        {"{foreachBatch: {command: [[a]]}, options: {checkpointLocation: c}}", COND_INLET_SYNTAX, "'command'"},
        {"{foreachBatch: cat, options: {checkpointLocation: c}}", COND_INLET_SYNTAX, "foreachBatch must be a map"},
        {"{format: console, options: {checkpointLocation: c, path: p}}", COND_INLET_BAD_OPTION_VALUE, "no path"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *text = arena_printf(arena, READER "writeStream: %s\n", cases[i].writer);
        if (parse(text) || err.condition != cases[i].condition || !strstr(err.message, cases[i].says))
            fail_msg("%s: [%s] %s", cases[i].writer, condition_name(err.condition), err.message);
        assert_int_equal(err.line, 2);
        assert_int_equal(condition_exit_status(err.condition), EXIT_PIPELINE);
    }
}

static void the_rest_is_refused(void **state)
{
    (void)state;
    static const struct { const char *text; enum condition condition; } cases[] = {
        {READER WRITER "quary: SELECT a FROM input\n", COND_INLET_UNKNOWN_KEY}, {READER WRITER "tables: {}\n", COND_INLET_NOT_SUPPORTED_YET},
        {WRITER "streams: {}\n", COND_INLET_NOT_SUPPORTED_YET},                 {READER WRITER "query: [{sql: SELECT}]\n", COND_INLET_NOT_SUPPORTED_YET},
        {READER WRITER "query: SELECT a FROM input WHERE a\n", COND_INLET_NOT_SUPPORTED_YET}, {READER WRITER "name: a b\n", COND_INLET_BAD_OPTION_VALUE},
        {READER WRITER "conf: {spark.sql.ansi.enabled: false}\n", COND_INLET_NOT_SUPPORTED_YET}, {READER WRITER "conf: {foo: 1}\n", COND_INLET_UNKNOWN_OPTION},
        {READER WRITER "conf: [1]\n", COND_INLET_SYNTAX},                       {READER WRITER "query: ''\n", COND_PARSE_EMPTY_STATEMENT},
        {READER WRITER "name: ${INLET_TEST_UNSET}\n", COND_INLET_MISSING_ENVIRONMENT}, {READER WRITER "name: ${1x}\n", COND_INLET_SYNTAX},
        {READER WRITER "name: ${OPEN\n", COND_INLET_SYNTAX},                    {READER WRITER "name: \"a\\0b\"\n", COND_INLET_SYNTAX},
        {READER WRITER "name: ''\n", COND_INLET_BAD_OPTION_VALUE},             {READER WRITER "name: [a]\n", COND_INLET_SYNTAX},
        {READER WRITER "query: {sql: SELECT}\n", COND_INLET_NOT_SUPPORTED_YET}, {READER WRITER "name: ${A:x}\n", COND_INLET_SYNTAX},
        {READER WRITER "name: ${}\n", COND_INLET_SYNTAX},                      {READER WRITER "conf: {spark.sql.ansi.enabled: [true]}\n", COND_INLET_BAD_OPTION_VALUE},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (parse(cases[i].text) || err.condition != cases[i].condition) fail_msg("%s: [%s] %s", cases[i].text, condition_name(err.condition), err.message);
        assert_int_not_equal(err.line, 0);
        assert_int_equal(condition_exit_status(err.condition), EXIT_PIPELINE);
    }
    static const char *const short_files[] = {"", "- a\n", "text", READER, WRITER};
    for (size_t i = 0; i < COUNTOF(short_files); i++) assert_null(parse(short_files[i]));
}

static void hints_say_where_a_key_belongs(void **state)
{
    (void)state;
    static const struct { const char *text, *hint; } cases[] = {
        {READER WRITER "queryName: x\n", "The query's name is the key name at the top."},
        {"readStream: {format: json, schema: a INT, path: x}\n" WRITER, "The path to read is the key load, the path to write is the key start."},
        {"readStream: {format: json, schema: a INT, b STRING, load: x}\n" WRITER, "Inside {...} a value that holds a comma must be in quotes."},
        {"readStream: {format: json, load: x, qqqqqqqq: ~}\n" WRITER, "The keys are format, schema, options, load, table."},
        {"readStream: {fromat: json}\n" WRITER, "Did you mean 'format'?"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_null(parse(cases[i].text));
        assert_string_equal(err.hint, cases[i].hint);
    }
}

static void absent_and_empty_values_are_the_defaults(void **state)
{
    (void)state;
    struct pipeline *p = parse("name: ~\nquery: ~\nconf: {}\nreadStream: {format: text, schema: ~, load: in, options: {recursiveFileLookup: true, pathGlobFilter: '*.txt'}}\n"
                               "writeStream: {format: text, trigger: {}, outputMode: ~, partitionBy: ~, options: {checkpointLocation: cp, path: 'file:/o%20p'}, start: ~}\n");
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(p->name, "my_flow");
    assert_string_equal(p->writer.path, "/o p");
    assert_int_equal(p->writer.trigger, TRIGGER_DEFAULT);
    assert_int_equal(p->writer.partition_count, 0);
    assert_false(p->reader.settings.discover_partitions);
    p = parse("readStream: {format: text, options: {path: /only/here}}\nwriteStream: {format: text, trigger: ~, options: {checkpointLocation: cp, path: out}}\n");
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(p->reader.load[0], "/only/here");
    assert_int_equal(p->reader.load_count, 1);
    p = parse("readStream: {format: text, load: in}\nwriteStream: {format: text, trigger: {availableNow: TRUE}, options: {checkpointLocation: cp}, start: out}\n");
    assert_int_equal(p->writer.trigger, TRIGGER_AVAILABLE_NOW);
    p = parse("conf: {spark.sql.timestampType: TIMESTAMP_NTZ}\nreadStream: {format: json, schema: t TIMESTAMP, load: in}\n" WRITER);
    if (!p) fail_msg("%s", err.message);
    assert_int_equal(p->reader.schema->fields[0].type->kind, TYPE_TIMESTAMP_NTZ);
}

static void the_files_name_or_its_first_character_decides_the_syntax(void **state)
{
    (void)state;
    static const struct { const char *file, *text; bool is_json; } cases[] = {
        {"/f/p.JSON", "a: b", true}, {"/f/p.yml", "{a: b}", false}, {"/f/p", " \n\t{a: b}", true}, {"/f/p", "a: b", false}, {"/f/p", "  ", false}, {"x", "", false},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        error_clear(&err);
        assert_null(pipeline_parse(arena, cases[i].file, slice_text(cases[i].text), &err));
        bool is_json = strstr(err.message, "JSON") != NULL;
        if (is_json != cases[i].is_json) fail_msg("%s %s: %s", cases[i].file, cases[i].text, err.message);
    }
    assert_null(pipeline_parse(arena, "/f/p", slice_text("a: b"), NULL));
    error_clear(&err);
    struct pipeline *p = pipeline_parse(arena, "/f/.hidden", slice_text(READER WRITER), &err);
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(p->name, "_hidden");
}

static void the_environment_is_put_in_and_not_printed(void **state)
{
    (void)state;
    setenv("INLET_TEST_DIR", "some dir", 1);
    unsetenv("INLET_TEST_UNSET");
    struct pipeline *p = parse("readStream: {format: json, schema: a INT, load: '${INLET_TEST_DIR}/${INLET_TEST_UNSET:-x y}/z', options: {mode: '${INLET_TEST_UNSET:-FAILFAST}'}}\n" WRITER);
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(p->reader.load[0], "/home/u/flows/some dir/x y/z");
    assert_int_equal(options_int(&p->reader.options, "mode"), 2);
    setenv("INLET_TEST_DIR", "sesame-open", 1);
    assert_null(parse("readStream: {format: json, schema: a INT, load: x, options: {mode: '${INLET_TEST_DIR}'}}\n" WRITER));
    char text[8192];
    error_format(&err, text, sizeof text);
    assert_null(strstr(text, "sesame-open"));
    p = parse("readStream: {format: json, schema: a INT, load: x, options: {columnNameOfCorruptRecord: '${INLET_TEST_DIR}'}}\n" WRITER);
    assert_non_null(p);
    assert_null(strstr(p->shape_text, "sesame-open"));
}

static void the_shape_changes_with_what_shapes_rows(void **state)
{
    (void)state;
    const char *base = parse(READER WRITER)->shape_text;
    const char *limit = parse("readStream: {format: json, schema: 'a INT, b STRING', load: elsewhere, options: {maxFilesPerTrigger: 2}}\n" WRITER)->shape_text;
    const char *mode = parse("readStream: {format: json, schema: 'a INT, b STRING', load: landing, options: {mode: FAILFAST}}\n" WRITER)->shape_text;
    const char *query = parse(READER WRITER "query: SELECT a FROM input\n")->shape_text;
    assert_string_equal(base, limit);
    assert_string_not_equal(base, mode);
    assert_string_not_equal(base, query);
}

static void a_schema_file_and_a_default_checkpoint_work(void **state)
{
    (void)state;
    char folder[] = "/tmp/inlet-pipeline-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const char *schema = arena_printf(arena, "%s/s.json", folder), *file = arena_printf(arena, "%s/p.yml", folder);
    assert_true(file_replace(schema, slice_text("{\"type\":\"struct\",\"fields\":[{\"name\":\"q\",\"type\":\"long\"}]}"), &err));
    assert_true(file_replace(file, slice_text("conf: {spark.sql.streaming.checkpointLocation: cps}\nreadStream: {format: json, schema: {file: s.json}, load: in}\nwriteStream: {start: out}\n"), &err));
    struct pipeline *p = pipeline_load(arena, file, &err);
    if (!p) fail_msg("%s", err.message);
    assert_string_equal(p->reader.schema->fields[0].name, "q");
    assert_string_equal(p->writer.sink->name, "parquet");
    assert_string_equal(p->writer.checkpoint, arena_printf(arena, "%s/cps/p", folder));
    assert_true(file_replace(schema, slice_text("\"long\""), &err));
    assert_null(pipeline_load(arena, file, &err));
    assert_int_equal(err.condition, COND_INVALID_SCHEMA_NON_STRUCT);
    error_clear(&err);
    assert_null(pipeline_load(arena, folder, &err));
    assert_true(directory_remove_tree(folder, &err));
    error_clear(&err);
    assert_null(pipeline_load(arena, file, &err));
    assert_int_equal(err.condition, COND_PATH_NOT_FOUND);
}

static void the_reference_covers_every_format(void **state)
{
    (void)state;
    struct buffer out = {0};
    reference_print_list(&out);
    assert_non_null(strstr(buffer_string(&out), "cloudFiles"));
    for (char *line = strtok((char *)out.data, "\n"); line; line = strtok(NULL, "\n")) {
        struct buffer text = {0};
        line[strcspn(line, " ")] = 0;
        assert_true(reference_print_format(line, &text, &err));
        buffer_clear(&text);
        assert_true(reference_print_format_json(line, &text, &err));
        assert_non_null(tree_parse_json(arena, slice_of(text.data, text.size), &err));
        buffer_free(&text);
    }
    buffer_clear(&out);
    assert_false(reference_print_format("jsno", &out, &err));
    assert_int_equal(err.condition, COND_DATA_SOURCE_NOT_FOUND);
    options_print_schema(&out);
    assert_non_null(tree_parse_json(arena, slice_of(out.data, out.size), &err));
    buffer_clear(&out);
    reference_print_page(&out);
    assert_non_null(strstr(buffer_string(&out), "spark.sql.session.timeZone"));
    buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_file_is_resolved),
        cmocka_unit_test(json_and_defaults),
        cmocka_unit_test(cloud_files_have_their_own_semantics),
        cmocka_unit_test(cloud_refusals),
        cmocka_unit_test(readers_are_refused),
        cmocka_unit_test(writers_are_refused),
        cmocka_unit_test(the_rest_is_refused),
        cmocka_unit_test(times_and_partition_columns_of_cloud_files),
        cmocka_unit_test(limits_turn_the_age_off),
        cmocka_unit_test(hints_say_where_a_key_belongs),
        cmocka_unit_test(absent_and_empty_values_are_the_defaults),
        cmocka_unit_test(the_files_name_or_its_first_character_decides_the_syntax),
        cmocka_unit_test(the_environment_is_put_in_and_not_printed),
        cmocka_unit_test(the_shape_changes_with_what_shapes_rows),
        cmocka_unit_test(a_schema_file_and_a_default_checkpoint_work),
        cmocka_unit_test(the_reference_covers_every_format),
    };
    return cmocka_run_group_tests_name("pipeline", tests, start, stop);
}
