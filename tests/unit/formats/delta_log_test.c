/* delta_log_test -- statistics, partition values, protocols, commits and replay of small Delta logs. */
#include "formats/delta_log.h"
#include "base/file.h"
#include "base/number.h"
#include "base/tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct arena *arena;
    struct inlet_context context;
    char table[64];
    struct error err;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    strcpy(world->table, "/tmp/inlet-delta-XXXXXX");
    if (!world || !mkdtemp(world->table)) return -1;
    world->arena = arena_new("test");
    inlet_context_init(&world->context);
    world->context.log_level = LOG_ERROR;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    bool removed = directory_remove_tree(world->table, NULL);
    inlet_context_fini(&world->context);
    arena_free(world->arena);
    free(world);
    return removed ? 0 : -1;
}

/* --- statistics --- */

static struct leaf_stats stats_of(enum type_kind kind, const void *minimum, const void *maximum, size_t size)
{
    struct leaf_stats stats = {.type = type_primitive(kind), .null_count = 1, .has_bounds = true};
    buffer_append(&stats.minimum, minimum, size);
    buffer_append(&stats.maximum, maximum, size);
    return stats;
}

static struct leaf_stats text_stats(const char *minimum, const char *maximum)
{
    struct leaf_stats stats = stats_of(TYPE_STRING, "", "", 0);
    buffer_text(&stats.minimum, minimum);
    buffer_text(&stats.maximum, maximum);
    return stats;
}

/* Prints the statistics of leaves and frees them. */
static const char *print(struct world *world, const char *ddl, struct leaf_stats *stats, size_t count, int indexed)
{
    struct buffer out = {0};
    const struct type *schema = schema_parse_ddl(world->arena, ddl, &world->err);
    assert_non_null(schema);
    delta_print_stats(&out, schema, 10, stats, count, indexed);
    const char *text = arena_strndup(world->arena, (const char *)out.data, out.size);
    buffer_free(&out);
    for (size_t i = 0; i < count; i++) {
        buffer_free(&stats[i].minimum);
        buffer_free(&stats[i].maximum);
    }
    return text;
}

static void statistics_are_nested_like_the_schema(void **state)
{
    struct world *world = *state;
    int64_t one = -1, nine = 9;
    int32_t day = 0, later = 19723;
    struct leaf_stats stats[] = {stats_of(TYPE_BIGINT, &one, &nine, 8), stats_of(TYPE_BIGINT, &one, &nine, 8),
                                 stats_of(TYPE_DATE, &day, &later, 4), stats_of(TYPE_BOOLEAN, "", "\1", 1)};
    assert_string_equal(print(world, "a BIGINT, l ARRAY<BIGINT>, s STRUCT<d: DATE, b: BOOLEAN>", stats, 4, 32),
                        "{\"numRecords\":10,\"minValues\":{\"a\":-1,\"s\":{\"d\":\"1970-01-01\"}},"
                        "\"maxValues\":{\"a\":9,\"s\":{\"d\":\"2024-01-01\"}},\"nullCount\":{\"a\":1,\"s\":{\"d\":1,\"b\":1}}}");
}

static void only_the_first_columns_are_indexed(void **state)
{
    struct world *world = *state;
    int32_t one = 1;
    struct leaf_stats stats[3];
    for (int i = 0; i < 3; i++) stats[i] = stats_of(TYPE_INT, &one, &one, 4);
    assert_string_equal(print(world, "a INT, b INT, c INT", stats, 3, 2),
                        "{\"numRecords\":10,\"minValues\":{\"a\":1,\"b\":1},\"maxValues\":{\"a\":1,\"b\":1},\"nullCount\":{\"a\":1,\"b\":1}}");
    for (int i = 0; i < 3; i++) stats[i] = stats_of(TYPE_INT, &one, &one, 4);
    assert_string_equal(print(world, "a INT, b INT, c INT", stats, 3, 0), "{\"numRecords\":10,\"minValues\":{},\"maxValues\":{},\"nullCount\":{}}");
}

static void long_text_is_cut_with_a_tie_breaker(void **state)
{
    struct world *world = *state;
    const char *long_ascii = "abcdefghijklmnopqrstuvwxyz0123456789"; /* Character 33 is '6'. */
    struct leaf_stats ascii = text_stats(long_ascii, long_ascii);
    assert_non_null(strstr(print(world, "a STRING", &ascii, 1, 32),
                           "\"minValues\":{\"a\":\"abcdefghijklmnopqrstuvwxyz012345\"},\"maxValues\":{\"a\":\"abcdefghijklmnopqrstuvwxyz012345\x7F\"}"));
    struct leaf_stats accents = text_stats("é", "éééééééééééééééééééééééééééééééééé");
    assert_non_null(strstr(print(world, "a STRING", &accents, 1, 32), "éééééééééééééééééééééééééééééééé\xF4\x8F\xBF\xBF\""));
    struct leaf_stats highest = text_stats("a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xF4\x8F\xBF\xBFz");
    assert_non_null(strstr(print(world, "a STRING", &highest, 1, 32), "\"minValues\":{},\"maxValues\":{},\"nullCount\":{\"a\":1}"));
    struct leaf_stats broken = text_stats("\xff", "b");
    assert_non_null(strstr(print(world, "a STRING", &broken, 1, 32), "\"minValues\":{},"));
    struct leaf_stats half = text_stats("ab\xC3", "b");
    half.minimum_cut = true;
    assert_non_null(strstr(print(world, "a STRING", &half, 1, 32), "\"minValues\":{\"a\":\"ab\"}"));
}

static void what_cannot_be_said_is_left_out(void **state)
{
    struct world *world = *state;
    double nan = NAN, infinite = INFINITY, half = 0.5;
    struct leaf_stats stats[] = {stats_of(TYPE_DOUBLE, &half, &nan, 8), stats_of(TYPE_DOUBLE, &infinite, &half, 8), stats_of(TYPE_DOUBLE, &half, &half, 8)};
    assert_non_null(strstr(print(world, "a DOUBLE, b DOUBLE, c DOUBLE", stats, 3, 32), "\"minValues\":{\"c\":0.5},\"maxValues\":{\"c\":0.5}"));
    int32_t far = 10000000;
    struct leaf_stats date = stats_of(TYPE_DATE, &far, &far, 4);
    assert_non_null(strstr(print(world, "a DATE", &date, 1, 32), "\"minValues\":{}"));
}

static void timestamps_are_cut_down_to_milliseconds(void **state)
{
    struct world *world = *state;
    int64_t minimum = -1, maximum = 1704164645123999;
    struct leaf_stats stats[] = {stats_of(TYPE_TIMESTAMP, &minimum, &maximum, 8), stats_of(TYPE_TIMESTAMP_NTZ, &minimum, &maximum, 8)};
    assert_non_null(strstr(print(world, "a TIMESTAMP, b TIMESTAMP_NTZ", stats, 2, 32),
                           "\"minValues\":{\"a\":\"1969-12-31T23:59:59.999Z\",\"b\":\"1969-12-31T23:59:59.999\"},"
                           "\"maxValues\":{\"a\":\"2024-01-02T03:04:05.123Z\",\"b\":\"2024-01-02T03:04:05.123\"}"));
}

static void decimals_are_numbers(void **state)
{
    struct world *world = *state;
    int128 minimum = -12345, maximum = 5;
    struct leaf_stats stats = stats_of(TYPE_BIGINT, &minimum, &maximum, 16);
    stats.type = type_decimal(world->arena, 10, 2);
    assert_non_null(strstr(print(world, "a DECIMAL(10,2)", &stats, 1, 32), "\"minValues\":{\"a\":-123.45},\"maxValues\":{\"a\":0.05}"));
}

/* --- paths and partition values --- */

static void paths_are_encoded_once_more(void **state)
{
    struct world *world = *state;
    static const char *const paths[][2] = {{"k=a%3Ab/p 1.parquet", "k=a%253Ab/p%201.parquet"}, {"plain.parquet", "plain.parquet"}, {"a/b#?", "a/b%23%3F"}};
    for (size_t i = 0; i < COUNTOF(paths); i++) {
        struct buffer out = {0};
        delta_encode_path(&out, paths[i][0]);
        assert_string_equal(buffer_string(&out), paths[i][1]);
        assert_string_equal(delta_decode_path(world->arena, buffer_string(&out)), paths[i][0]);
        buffer_free(&out);
    }
    assert_string_equal(delta_decode_path(world->arena, "a%2"), "a%2");
    assert_string_equal(delta_decode_path(world->arena, "%zz%00"), "%zz%00");
}

static const char *partition_text(struct world *world, const char *ddl, const void *value, size_t size)
{
    struct column column;
    const struct type *schema = schema_parse_ddl(world->arena, ddl, NULL);
    column_init(&column, schema->fields[0].type);
    assert_true(column_reserve(&column, NULL, 1, NULL));
    if (type_is_bytes(column.type)) {
        assert_true(column_reserve_data(&column, NULL, size + 1, NULL));
        if (size) memcpy(column.data, value, size);
        column.offsets[1] = (int32_t)size;
    } else {
        memcpy(column.values, value, size);
    }
    column.length = 1;
    struct buffer out = {0};
    bool present = delta_print_partition_value(&column, 0, &out);
    const char *text = present ? arena_strdup(world->arena, buffer_string(&out)) : NULL;
    buffer_free(&out);
    column_fini(&column);
    return text;
}

static void partition_values_are_text(void **state)
{
    struct world *world = *state;
    int32_t day = 19724;
    int64_t us = 1704164645123456;
    int128 money = -150;
    assert_string_equal(partition_text(world, "a DATE", &day, 4), "2024-01-02");
    assert_string_equal(partition_text(world, "a TIMESTAMP", &us, 8), "2024-01-02T03:04:05.123456Z");
    assert_string_equal(partition_text(world, "a TIMESTAMP_NTZ", &us, 8), "2024-01-02 03:04:05.123456");
    assert_string_equal(partition_text(world, "a DECIMAL(5,2)", &money, 16), "-1.50");
    assert_string_equal(partition_text(world, "a STRING", "x y", 3), "x y");
    assert_string_equal(partition_text(world, "a BINARY", "\1\xab", 2), "\\u0001\\u00AB");
    assert_string_equal(partition_text(world, "a BOOLEAN", "\1", 1), "true");
    assert_null(partition_text(world, "a STRING", "", 0));
}

/* --- protocols --- */

static void ntz_needs_table_features(void **state)
{
    struct world *world = *state;
    const struct type *plain = schema_parse_ddl(world->arena, "a INT", NULL), *ntz = schema_parse_ddl(world->arena, "a ARRAY<STRUCT<t: TIMESTAMP_NTZ>>", NULL);
    struct delta_protocol protocol, extended;
    assert_false(delta_protocol_for(plain, &protocol));
    assert_int_equal(protocol.min_reader, 1);
    assert_int_equal(protocol.min_writer, 2);
    assert_false(delta_protocol_extend(world->arena, &protocol, plain, &extended));
    assert_true(delta_protocol_extend(world->arena, &protocol, ntz, &extended));
    struct buffer out = {0};
    delta_print_protocol(&out, &extended);
    assert_string_equal(buffer_string(&out), "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"timestampNtz\"],"
                                             "\"writerFeatures\":[\"appendOnly\",\"invariants\",\"timestampNtz\"]}}\n");
    buffer_clear(&out);
    assert_true(delta_protocol_for(ntz, &protocol));
    delta_print_protocol(&out, &protocol);
    assert_non_null(strstr(buffer_string(&out), "\"minReaderVersion\":3"));
    assert_false(delta_protocol_extend(world->arena, &protocol, ntz, &extended));
    buffer_free(&out);
}

/* --- logs --- */

#define PROTOCOL "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define METADATA                                                                                                                       \
    "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":"                                \
    "\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"a\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}]}\"," \
    "\"partitionColumns\":[],\"configuration\":{},\"createdTime\":1}}\n"

static void commit(struct world *world, int64_t version, const char *actions)
{
    bool existed;
    if (!delta_commit(world->table, version, slice_text(actions), &existed, &world->err)) fail_msg("%s", world->err.message);
    assert_false(existed);
}

static bool load(struct world *world, struct delta_snapshot *out)
{
    error_clear(&world->err);
    return delta_snapshot_load(world->table, -1, true, world->arena, &world->context, out, &world->err);
}

static void a_folder_without_a_log_has_no_table(void **state)
{
    struct world *world = *state;
    struct delta_snapshot snapshot;
    assert_true(load(world, &snapshot));
    assert_int_equal(snapshot.version, -1);
}

static void the_newest_action_wins(void **state)
{
    struct world *world = *state;
    struct delta_snapshot snapshot;
    commit(world, 0, PROTOCOL METADATA "{\"add\":{\"path\":\"a%20b\",\"partitionValues\":{},\"size\":1,\"modificationTime\":2,\"dataChange\":true}}\n"
                                       "{\"txn\":{\"appId\":\"q\",\"version\":7}}\n");
    commit(world, 1, "{\"remove\":{\"path\":\"a b\",\"deletionTimestamp\":5,\"dataChange\":true}}\n{\"somethingNew\":{\"x\":1}}\n"
                     "{\"txn\":{\"appId\":\"q\",\"version\":3}}\n{\"txn\":{\"appId\":\"r\",\"version\":1}}\n");
    commit(world, 2, "{\"add\":{\"path\":\"c\",\"partitionValues\":{},\"size\":4,\"modificationTime\":2,\"dataChange\":true,\"stats\":null,\"tags\":{\"k\":\"v\"}}}\n");
    assert_true(load(world, &snapshot));
    assert_int_equal(snapshot.version, 2);
    assert_int_equal(snapshot.add_count, 1);
    assert_string_equal(snapshot.adds[0].path, "c");
    assert_null(snapshot.adds[0].stats_json);
    assert_string_equal(snapshot.adds[0].tags_json, "{\"k\":\"v\"}");
    assert_int_equal(snapshot.remove_count, 1);
    assert_int_equal(delta_txn_version(&snapshot, "q"), 3);
    assert_int_equal(delta_txn_version(&snapshot, "r"), 1);
    assert_int_equal(delta_txn_version(&snapshot, "s"), -1);
    struct tree *lines = delta_read_commit(world->table, 1, world->arena, &world->err);
    assert_non_null(lines);
    assert_int_equal(lines->count, 4);
    assert_null(delta_read_commit(world->table, 3, world->arena, &world->err));
    assert_int_equal(world->err.condition, COND_PATH_NOT_FOUND);
}

static void a_log_without_protocol_or_metadata_is_damaged(void **state)
{
    struct world *world = *state;
    struct delta_snapshot snapshot;
    commit(world, 0, METADATA);
    assert_false(load(world, &snapshot));
    assert_int_equal(world->err.condition, COND_DELTA_LOG_DAMAGED);
    commit(world, 1, PROTOCOL);
    assert_true(load(world, &snapshot));
}

static void unknown_features_are_named(void **state)
{
    struct world *world = *state;
    struct delta_snapshot snapshot;
    commit(world, 0, "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\",\"timestampNtz\"],"
                     "\"writerFeatures\":[\"deletionVectors\",\"rowTracking\",\"timestampNtz\"]}}\n" METADATA);
    assert_true(load(world, &snapshot));
    assert_false(delta_check_readable(&snapshot, &world->err));
    assert_int_equal(world->err.condition, COND_DELTA_UNSUPPORTED_FEATURES_FOR_READ);
    assert_non_null(strstr(world->err.message, "deletionVectors"));
    assert_null(strstr(world->err.message, "timestampNtz"));
    assert_false(delta_check_writable(&snapshot, NULL));
}

static void uuid_checkpoints_are_refused_by_name(void **state)
{
    struct world *world = *state;
    struct delta_snapshot snapshot;
    const char *log = arena_printf(world->arena, "%s/_delta_log", world->table);
    assert_true(directories_make(log, NULL));
    assert_true(file_replace(arena_printf(world->arena, "%s/00000000000000000010.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", log),
                             slice_text("{}"), NULL));
    assert_false(load(world, &snapshot));
    assert_int_equal(world->err.condition, COND_DELTA_UNSUPPORTED_FEATURES_FOR_READ);
    assert_non_null(strstr(world->err.message, "v2Checkpoint"));
}

static void a_checkpoint_holds_the_whole_state(void **state)
{
    struct world *world = *state;
    struct delta_snapshot before, after;
    struct buffer text = {0};
    buffer_text(&text, PROTOCOL METADATA);
    for (int i = 0; i < 9000; i++)
        buffer_printf(&text, "{\"add\":{\"path\":\"f%d\",\"partitionValues\":{},\"size\":%d,\"modificationTime\":2,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":%d}\"}}\n", i, i, i);
    commit(world, 0, buffer_string(&text));
    buffer_free(&text);
    commit(world, 1, "{\"txn\":{\"appId\":\"q\",\"version\":7,\"lastUpdated\":9}}\n");
    assert_true(load(world, &before));
    assert_true(delta_write_checkpoint(world->table, &before, &world->context, &world->err));
    for (int i = 0; i < 2; i++) assert_int_equal(unlink(arena_printf(world->arena, "%s/_delta_log/%020d.json", world->table, i)), 0);
    if (!load(world, &after)) fail_msg("%s %s", world->err.message, world->err.context);
    assert_int_equal(after.checkpoint_version, 1);
    assert_int_equal(after.add_count, 9000);
    for (size_t i = 0; i < after.add_count; i++) {
        assert_string_equal(after.adds[i].path, before.adds[i].path);
        assert_int_equal(after.adds[i].size, before.adds[i].size);
        assert_string_equal(after.adds[i].stats_json, before.adds[i].stats_json);
    }
    assert_string_equal(after.metadata.schema_json, before.metadata.schema_json);
    assert_int_equal(delta_txn_version(&after, "q"), 7);
    commit(world, 2, "{\"txn\":{\"appId\":\"q\",\"version\":8}}\n");
    assert_true(load(world, &after));
    assert_int_equal(delta_txn_version(&after, "q"), 8);
}

static void an_incomplete_checkpoint_of_parts_is_ignored(void **state)
{
    struct world *world = *state;
    struct delta_snapshot snapshot;
    commit(world, 0, PROTOCOL METADATA);
    assert_true(load(world, &snapshot));
    assert_true(delta_write_checkpoint(world->table, &snapshot, &world->context, &world->err));
    const char *log = arena_printf(world->arena, "%s/_delta_log/00000000000000000000.checkpoint", world->table);
    assert_int_equal(rename(arena_printf(world->arena, "%s.parquet", log), arena_printf(world->arena, "%s.0000000001.0000000002.parquet", log)), 0);
    assert_true(load(world, &snapshot));
    assert_int_equal(snapshot.checkpoint_version, -1);
    assert_int_equal(link(arena_printf(world->arena, "%s.0000000001.0000000002.parquet", log), arena_printf(world->arena, "%s.0000000002.0000000002.parquet", log)), 0);
    assert_true(load(world, &snapshot));
    assert_int_equal(snapshot.checkpoint_version, 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(statistics_are_nested_like_the_schema),
        TEST(only_the_first_columns_are_indexed),
        TEST(long_text_is_cut_with_a_tie_breaker),
        TEST(what_cannot_be_said_is_left_out),
        TEST(timestamps_are_cut_down_to_milliseconds),
        TEST(decimals_are_numbers),
        TEST(paths_are_encoded_once_more),
        TEST(partition_values_are_text),
        TEST(ntz_needs_table_features),
        TEST(a_folder_without_a_log_has_no_table),
        TEST(the_newest_action_wins),
        TEST(a_log_without_protocol_or_metadata_is_damaged),
        TEST(unknown_features_are_named),
        TEST(uuid_checkpoints_are_refused_by_name),
        TEST(a_checkpoint_holds_the_whole_state),
        TEST(an_incomplete_checkpoint_of_parts_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
