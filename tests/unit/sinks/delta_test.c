/* delta_test -- tables created, appended to, widened and fought over. */
#include "fixture.h"
#include "base/tree.h"
#include "formats/delta_log.h"

#define OPS (&delta_sink)

static void delta_options_of(struct world *world, const char *const *pairs)
{
    const struct option_spec *tables[] = {OPS->options, parquet_encoder.options};
    world_options(world, tables, 2, pairs);
}

static struct world *delta_world(const char *ddl)
{
    struct world *world = world_new(ddl);
    delta_options_of(world, NULL);
    return world;
}

static void *try_open(struct world *world)
{
    void *sink = arena_alloc(world->arena, OPS->state_size);
    return OPS->open(sink, &world->spec, &world->err) ? sink : NULL;
}

static void *open_sink(struct world *world)
{
    void *sink = try_open(world);
    if (!sink) fail_msg("%s", world->err.message);
    return sink;
}

static struct manifest prepare_rows(struct world *world, void *sink, struct batch_identity batch, const char *const *cells, uint32_t rows)
{
    struct manifest manifest;
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    if (rows && !stage_cells(world, OPS, sink, cells, rows)) fail_msg("%s", world->err.message);
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
    return manifest;
}

static void load_batch(struct world *world, int64_t id, const char *const *cells, uint32_t rows)
{
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(id, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, cells, rows);
    if (!OPS->publish(sink, &batch, &manifest, &world->err)) fail_msg("%s", world->err.message);
    if (!OPS->after_commit(sink, &world->err)) fail_msg("%s", world->err.message);
    OPS->close(sink);
}

static struct delta_snapshot snapshot_of(struct world *world)
{
    struct delta_snapshot snapshot;
    if (!delta_snapshot_load(world->spec.path, -1, true, world->arena, &world->context, &snapshot, &world->err)) fail_msg("%s", world->err.message);
    return snapshot;
}

static const char *commit_text(struct world *world, int64_t version)
{
    return file_text(world, arena_printf(world->arena, "_delta_log/%020lld.json", (long long)version));
}

static enum sink_state state_of(struct world *world, int64_t id, const char *digest)
{
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(id, digest);
    enum sink_state state;
    assert_true(OPS->committed(sink, &batch, &state, &world->err));
    OPS->close(sink);
    return state;
}

static const char *const rows[] = {"1", "x", "2", NULL, "3", "y/z", "4", "x"};

static void a_table_is_created_and_appended_to(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    assert_int_equal(state_of(world, 0, "digest"), SINK_AT_BATCH_BEFORE);
    load_batch(world, 0, rows, 4);
    load_batch(world, 1, rows, 2);
    struct delta_snapshot snapshot = snapshot_of(world);
    assert_int_equal(snapshot.version, 1);
    assert_int_equal(snapshot.add_count, 2);
    assert_int_equal(snapshot.protocol.min_reader, 1);
    assert_int_equal(snapshot.protocol.min_writer, 2);
    assert_int_equal(delta_txn_version(&snapshot, QUERY_ID), 1);
    assert_contains(commit_text(world, 0), "\"operation\":\"STREAMING UPDATE\"");
    assert_contains(commit_text(world, 0), "\"epochId\":\"0\"");
    assert_contains(commit_text(world, 0), "{\"metaData\":");
    assert_contains(commit_text(world, 0), "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}");
    assert_contains(commit_text(world, 0), "\\\"numRecords\\\":4");
    assert_contains(commit_text(world, 1), "\"readVersion\":0");
    assert_null(strstr(commit_text(world, 1), "metaData"));
    assert_contains(commit_text(world, 1), "\"numOutputRows\":\"2\"");
    world_free(world);
}

static void each_batch_is_told_from_those_of_others(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0, rows, 1);
    load_batch(world, 1, rows, 0); /* An empty batch is a commit too. */
    assert_int_equal(state_of(world, 2, "digest"), SINK_AT_BATCH_BEFORE);
    assert_int_equal(state_of(world, 1, "digest"), SINK_HAS_BATCH);
    assert_int_equal(state_of(world, 1, "other"), SINK_FOREIGN);
    assert_contains(world->err.message, "by another plan");
    assert_int_equal(state_of(world, 0, "digest"), SINK_FOREIGN);
    assert_int_equal(state_of(world, 3, "digest"), SINK_FOREIGN);
    world->spec.query_id = OTHER_ID;
    assert_int_equal(state_of(world, 0, "digest"), SINK_AT_BATCH_BEFORE); /* Another query may append. */
    assert_int_equal(state_of(world, 5, "digest"), SINK_FOREIGN);
    world->spec.first_use = true;
    assert_int_equal(state_of(world, 5, "digest"), SINK_AT_BATCH_BEFORE);
    world_free(world);
}

static void publishing_again_commits_nothing(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest = prepare_rows(world, sink, batch, rows, 4);
    OPS->close(sink);
    for (int i = 0; i < 3; i++) {
        sink = open_sink(world);
        assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
        assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
        OPS->close(sink);
    }
    assert_int_equal(snapshot_of(world).version, 0);
    batch.plan_digest = "other";
    sink = open_sink(world);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    OPS->close(sink);
    world_free(world);
}

static void partitions_have_folders_values_and_escaped_paths(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    world_partition(world, "K", NULL);
    load_batch(world, 0, rows, 4);
    const char *text = commit_text(world, 0);
    assert_contains(text, "\"partitionColumns\":[\"k\"]");
    assert_contains(text, "\"path\":\"k=y%252Fz/part-");
    assert_contains(text, "\"partitionValues\":{\"k\":\"y/z\"}");
    assert_contains(text, "\"partitionValues\":{\"k\":null}");
    assert_contains(text, "\"path\":\"k=__HIVE_DEFAULT_PARTITION__/part-");
    world->spec.partition_by = NULL; /* As the table is partitioned. */
    world->spec.partition_count = 0;
    load_batch(world, 1, rows, 1);
    assert_contains(commit_text(world, 1), "\"partitionValues\":{\"k\":\"x\"}");
    world_partition(world, "a", NULL);
    assert_null(try_open(world));
    assert_int_equal(world->err.condition, COND_DELTA_METADATA_MISMATCH);
    assert_contains(world->err.message, "Given: [a]. Table: [k]");
    world_free(world);
}

static void appends_of_others_are_passed_and_our_own_double_is_not(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0, rows, 1);
    void *slow = open_sink(world);
    struct batch_identity batch = batch_of(1, "digest");
    struct manifest manifest = prepare_rows(world, slow, batch, rows, 4);
    world->spec.query_id = OTHER_ID; /* Two commits of another query come between. */
    load_batch(world, 0, rows, 2);
    load_batch(world, 1, rows, 2);
    world->spec.query_id = QUERY_ID;
    assert_true(OPS->publish(slow, &batch, &manifest, &world->err));
    assert_int_equal(snapshot_of(world).version, 3);
    assert_contains(commit_text(world, 3), "\"readVersion\":2");

    batch = batch_of(2, "digest");
    manifest = prepare_rows(world, slow, batch, rows, 4);
    load_batch(world, 2, rows, 3); /* The same checkpoint, copied: same query id, same plan. */
    assert_true(OPS->publish(slow, &batch, &manifest, &world->err)); /* The very batch stands there. */
    assert_int_equal(snapshot_of(world).version, 4);
    OPS->close(slow);
    world_free(world);
}

static void a_lost_race_for_the_version_is_tried_again(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0, rows, 1);
    bool existed;
    static const char theirs[] = "{\"commitInfo\":{\"timestamp\":1}}\n";
    assert_true(delta_commit(world->spec.path, 1, slice_text(theirs), &existed, &world->err));
    assert_false(existed);
    assert_true(delta_commit(world->spec.path, 1, slice_text(theirs), &existed, &world->err));
    assert_true(existed);
    load_batch(world, 1, rows, 1);
    assert_int_equal(snapshot_of(world).version, 2);
    world_free(world);
}

static void a_mismatch_says_what_differs(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0, rows, 1);
    world->spec.schema = schema_parse_ddl(world->arena, "a STRING, b BIGINT", &world->err);
    assert_null(try_open(world));
    assert_int_equal(world->err.condition, COND_DELTA_METADATA_MISMATCH);
    assert_contains(world->err.message, "A schema mismatch detected when writing to the Delta table");
    assert_contains(world->err.message, "column `a` is STRING in the data but INT in the table");
    assert_contains(world->err.message, "column `b` BIGINT is not in the table");
    world->spec.schema = schema_parse_ddl(world->arena, "a INT, b BIGINT", &world->err);
    assert_null(try_open(world));
    assert_contains(world->err.hint, "mergeSchema");
    world_free(world);
}

static void merge_schema_adds_columns_and_keeps_the_tables_spelling_and_id(void **state)
{
    (void)state;
    static const char *const pairs[] = {"mergeSchema", "true", NULL, NULL};
    static const char *const more[] = {"7", "n", "5"};
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0, rows, 1);
    const char *id = snapshot_of(world).metadata.id;
    delta_options_of(world, pairs);
    world->spec.schema = schema_parse_ddl(world->arena, "b INT, K STRING, A INT", &world->err);
    load_batch(world, 1, more, 1);
    struct delta_snapshot snapshot = snapshot_of(world);
    struct buffer ddl = {0};
    schema_print_ddl(snapshot.metadata.schema, &ddl);
    assert_string_equal(buffer_string(&ddl), "a INT,k STRING,b INT");
    buffer_free(&ddl);
    assert_string_equal(snapshot.metadata.id, id);
    load_batch(world, 2, more, 1);
    assert_null(strstr(commit_text(world, 2), "metaData"));
    world_free(world);
}

static void one_stream_goes_on_after_it_changed_the_schema(void **state)
{
    (void)state;
    static const char *const pairs[] = {"mergeSchema", "true", NULL, NULL};
    static const char *const more[] = {"7", "n", "5"};
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0, rows, 1);
    delta_options_of(world, pairs);
    world->spec.schema = schema_parse_ddl(world->arena, "a INT, k STRING, b INT", &world->err);
    void *sink = open_sink(world);
    for (int i = 1; i < 4; i++) {
        struct batch_identity batch = batch_of(i, "digest");
        enum sink_state found;
        assert_true(OPS->committed(sink, &batch, &found, &world->err));
        assert_int_equal(found, SINK_AT_BATCH_BEFORE);
        struct manifest manifest = prepare_rows(world, sink, batch, more, 1);
        assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
        assert_true(OPS->committed(sink, &batch, &found, &world->err));
        assert_int_equal(found, SINK_HAS_BATCH);
    }
    OPS->close(sink);
    assert_non_null(strstr(commit_text(world, 1), "metaData"));
    assert_null(strstr(commit_text(world, 2), "metaData"));
    world_free(world);
}

static void narrower_columns_are_widened_to_the_tables_types(void **state)
{
    (void)state;
    struct world *world = delta_world("a BIGINT, k STRING");
    load_batch(world, 0, rows, 2);
    world->spec.schema = schema_parse_ddl(world->arena, "a INT, k STRING", &world->err);
    load_batch(world, 1, rows, 4);
    assert_contains(commit_text(world, 1), "\\\"maxValues\\\":{\\\"a\\\":4");
    assert_null(strstr(commit_text(world, 1), "metaData"));
    world->spec.schema = schema_parse_ddl(world->arena, "a DOUBLE, k STRING", &world->err);
    assert_null(try_open(world));
    world_free(world);
}

static void not_null_columns_are_kept(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    struct delta_metadata metadata = {.id = QUERY_ID, .schema_json =
        "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"integer\",\"nullable\":true,\"metadata\":{}},"
        "{\"name\":\"k\",\"type\":\"string\",\"nullable\":false,\"metadata\":{}}]}"};
    struct delta_protocol protocol = {.min_reader = 1, .min_writer = 2};
    struct buffer actions = {0};
    bool existed;
    delta_print_metadata(&actions, &metadata);
    delta_print_protocol(&actions, &protocol);
    assert_true(delta_commit(world->spec.path, 0, slice_of(actions.data, actions.size), &existed, &world->err));
    buffer_free(&actions);
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    assert_false(stage_cells(world, OPS, sink, rows, 2));
    assert_int_equal(world->err.condition, COND_DELTA_NOT_NULL_VIOLATED);
    OPS->abort(sink);
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    assert_true(stage_cells(world, OPS, sink, rows, 1));
    OPS->abort(sink);
    OPS->close(sink);
    world->spec.schema = schema_parse_ddl(world->arena, "a INT", &world->err);
    assert_null(try_open(world));
    assert_int_equal(world->err.condition, COND_DELTA_NOT_NULL_VIOLATED);
    world_free(world);
}

static void a_table_with_unknown_features_is_refused_by_name(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    bool existed;
    static const char actions[] =
        "{\"metaData\":{\"id\":\"x\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\","
        "\"partitionColumns\":[],\"configuration\":{},\"createdTime\":1}}\n"
        "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],\"writerFeatures\":[\"deletionVectors\"]}}\n";
    assert_true(delta_commit(world->spec.path, 0, slice_text(actions), &existed, &world->err));
    assert_null(try_open(world));
    assert_contains(world->err.message, "deletionVectors");
    world_free(world);
}

static void timestamp_ntz_turns_the_table_feature_on(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, t TIMESTAMP_NTZ");
    static const char *const cells[] = {"1", "1000000"};
    load_batch(world, 0, cells, 1);
    assert_contains(commit_text(world, 0), "\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"timestampNtz\"]");
    load_batch(world, 1, cells, 1);
    world_free(world);
}

static void what_no_table_can_hold_is_refused_by_check(void **state)
{
    (void)state;
    static const struct { const char *ddl; enum condition condition; } bad[] = {
        {"`a b` INT", COND_DELTA_INVALID_COLUMN_NAMES}, {"s STRUCT<`x=y`: INT>", COND_DELTA_INVALID_COLUMN_NAMES},
        {"a INT, A INT", COND_COLUMN_ALREADY_EXISTS}, {"a VOID", COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE},
        {"s STRUCT<>", COND_EMPTY_SCHEMA_NOT_SUPPORTED}};
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        struct world *world = delta_world(bad[i].ddl);
        assert_false(OPS->check(&world->spec, &world->err));
        assert_int_equal(world->err.condition, bad[i].condition);
        world_free(world);
    }
}

static void every_tenth_version_gets_a_checkpoint(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    for (int i = 0; i <= 11; i++) load_batch(world, i, rows, 2);
    struct stat info;
    assert_int_equal(stat(path_join(world->arena, world->spec.path, "_delta_log/00000000000000000010.checkpoint.parquet"), &info), 0);
    assert_contains(file_text(world, "_delta_log/_last_checkpoint"), "\"version\":10");
    struct delta_snapshot snapshot = snapshot_of(world);
    assert_int_equal(snapshot.add_count, 12);
    assert_int_equal(snapshot.checkpoint_version, 10);
    assert_int_equal(state_of(world, 12, "digest"), SINK_AT_BATCH_BEFORE);
    world_free(world);
}

static void a_failed_batch_leaves_nothing_in_the_log(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    assert_true(stage_cells(world, OPS, sink, rows, 4));
    OPS->abort(sink);
    OPS->close(sink);
    assert_string_equal(list_files(world, world->spec.path), "");
    world_free(world);
}

static void a_file_sinks_folder_is_no_table(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    assert_true(directories_make(path_join(world->arena, world->spec.path, "_spark_metadata"), &world->err));
    assert_null(try_open(world));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    world_free(world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_created_and_appended_to),
        cmocka_unit_test(each_batch_is_told_from_those_of_others),
        cmocka_unit_test(publishing_again_commits_nothing),
        cmocka_unit_test(partitions_have_folders_values_and_escaped_paths),
        cmocka_unit_test(appends_of_others_are_passed_and_our_own_double_is_not),
        cmocka_unit_test(a_lost_race_for_the_version_is_tried_again),
        cmocka_unit_test(a_mismatch_says_what_differs),
        cmocka_unit_test(merge_schema_adds_columns_and_keeps_the_tables_spelling_and_id),
        cmocka_unit_test(one_stream_goes_on_after_it_changed_the_schema),
        cmocka_unit_test(narrower_columns_are_widened_to_the_tables_types),
        cmocka_unit_test(not_null_columns_are_kept),
        cmocka_unit_test(a_table_with_unknown_features_is_refused_by_name),
        cmocka_unit_test(timestamp_ntz_turns_the_table_feature_on),
        cmocka_unit_test(what_no_table_can_hold_is_refused_by_check),
        cmocka_unit_test(every_tenth_version_gets_a_checkpoint),
        cmocka_unit_test(a_failed_batch_leaves_nothing_in_the_log),
        cmocka_unit_test(a_file_sinks_folder_is_no_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
