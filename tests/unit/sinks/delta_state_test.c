/* delta_state_test -- the Delta sink before tables in every state: changed by others meanwhile, cleaned, damaged, newer than it knows; and
 * manifests that are not its own. */
#include "fixture.h"
#include "base/tree.h"
#include "formats/delta_log.h"
#include "meanwhile.h"

#include <limits.h>

#define OPS (&delta_sink)

static void set_options(struct world *world, const char *const *pairs)
{
    const struct option_spec *tables[] = {OPS->options, parquet_encoder.options};
    world_options(world, tables, 2, pairs);
}

static struct world *delta_world(const char *ddl)
{
    struct world *world = world_new(ddl);
    set_options(world, NULL);
    return world;
}

static void set_schema(struct world *world, const char *ddl)
{
    world->spec.schema = schema_parse_ddl(world->arena, ddl, &world->err);
    assert_non_null(world->spec.schema);
}

static void *try_open(struct world *world)
{
    void *sink = arena_alloc(world->arena, OPS->state_size);
    error_clear(&world->err);
    return OPS->open(sink, &world->spec, &world->err) ? sink : NULL;
}

static void *open_sink(struct world *world)
{
    void *sink = try_open(world);
    if (!sink) fail_msg("%s", world->err.message);
    return sink;
}

static const char *const rows[] = {"1", "x", "2", "y"};

static struct manifest prepare(struct world *world, void *sink, int64_t id)
{
    struct manifest manifest;
    struct batch_identity batch = batch_of(id, "digest");
    if (!OPS->stage_begin(sink, &batch, &world->err)) fail_msg("%s", world->err.message);
    if (!stage_cells(world, OPS, sink, rows, 2)) fail_msg("%s", world->err.message);
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
    return manifest;
}

static bool publish(struct world *world, void *sink, int64_t id, const char *digest, const struct manifest *manifest)
{
    struct batch_identity batch = batch_of(id, digest);
    error_clear(&world->err);
    return OPS->publish(sink, &batch, manifest, &world->err);
}

static void load_batch(struct world *world, int64_t id)
{
    void *sink = open_sink(world);
    struct manifest manifest = prepare(world, sink, id);
    if (!publish(world, sink, id, "digest", &manifest)) fail_msg("%s", world->err.message);
    if (!OPS->after_commit(sink, &world->err)) fail_msg("%s", world->err.message);
    OPS->close(sink);
}

/* By another query; its batches are its own. */
static void load_other(struct world *world, int64_t id)
{
    world->spec.query_id = OTHER_ID;
    load_batch(world, id);
    world->spec.query_id = QUERY_ID;
}

static const char *log_path(struct world *world, int64_t version)
{
    return arena_printf(world->arena, "%s/_delta_log/%020lld.json", world->spec.path, (long long)version);
}

static void commit_lines(struct world *world, int64_t version, const char *lines)
{
    bool existed;
    if (!delta_commit(world->spec.path, version, slice_text(lines), &existed, &world->err) || existed) fail_msg("%s", world->err.message);
}

static struct delta_snapshot snapshot_of(struct world *world)
{
    struct delta_snapshot snapshot;
    if (!delta_snapshot_load(world->spec.path, -1, true, world->arena, &world->context, &snapshot, &world->err)) fail_msg("%s", world->err.message);
    return snapshot;
}

/* A commit of another writer which gives the table this schema, these partition columns and settings. */
static void change_table(struct world *world, const char *ddl, const char *partition_column, const char *settings)
{
    struct buffer json = {0}, line = {0};
    const struct type *schema = schema_parse_ddl(world->arena, ddl, &world->err);
    assert_non_null(schema);
    type_print_json(schema, &json);
    const char *columns[] = {partition_column};
    struct delta_metadata metadata = {.id = OTHER_ID, .schema = schema, .schema_json = buffer_string(&json), .partition_columns = columns,
                                      .partition_count = partition_column ? 1 : 0, .created_time_ms = 1};
    if (settings) metadata.configuration = tree_parse_json(world->arena, slice_text(settings), &world->err);
    delta_print_metadata(&line, &metadata);
    int64_t version = snapshot_of(world).version;
    if (version < 0) buffer_text(&line, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n");
    commit_lines(world, version + 1, buffer_string(&line));
    buffer_free(&json);
    buffer_free(&line);
}

/* --- changed between prepare and publish ----------------------------------------------------------------- */

static void a_prepared_batch_is_published_only_where_it_still_fits(void **state)
{
    (void)state;
    static const struct { const char *ddl, *partition; enum condition condition; const char *says; } changes[] = {
        {"a INT, k STRING, more INT", NULL, 0, NULL},
        {"a STRING, k STRING", NULL, COND_DELTA_METADATA_MISMATCH, "column `a` is INT in the data but STRING in the table"},
        {"a BIGINT, k STRING", NULL, COND_DELTA_METADATA_CHANGED, "have changed since the batch was prepared"},
        {"a INT, k STRING", "k", COND_DELTA_METADATA_CHANGED, "have changed since the batch was prepared"},
        {"k STRING", NULL, COND_DELTA_METADATA_MISMATCH, "column `a` INT is not in the table"},
    };
    for (size_t i = 0; i < COUNTOF(changes); i++) {
        struct world *world = delta_world("a INT, k STRING");
        load_batch(world, 0);
        void *sink = open_sink(world);
        struct manifest manifest = prepare(world, sink, 1);
        change_table(world, changes[i].ddl, changes[i].partition, NULL);
        bool ok = publish(world, sink, 1, "digest", &manifest);
        assert_int_equal(ok, changes[i].says == NULL);
        if (!ok) {
            assert_int_equal(world->err.condition, changes[i].condition);
            assert_contains(world->err.message, changes[i].says);
            assert_int_equal(snapshot_of(world).version, 1); /* Theirs. */
        }
        OPS->abort(sink);
        OPS->close(sink);
        world_free(world);
    }
}

static void a_table_that_changes_between_batches_is_fitted_anew_or_refused(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0);
    void *sink = open_sink(world);
    struct manifest manifest = prepare(world, sink, 1);
    assert_true(publish(world, sink, 1, "digest", &manifest));
    change_table(world, "a BIGINT, k STRING", NULL, NULL);
    manifest = prepare(world, sink, 2); /* Widened. */
    assert_true(publish(world, sink, 2, "digest", &manifest));
    change_table(world, "a STRING, k STRING", NULL, NULL);
    struct batch_identity batch = batch_of(3, "digest");
    assert_false(OPS->stage_begin(sink, &batch, &world->err));
    assert_int_equal(world->err.condition, COND_DELTA_METADATA_MISMATCH);
    OPS->abort(sink);
    assert_false(OPS->stage_begin(sink, &batch, &world->err)); /* Also when asked again. */
    OPS->close(sink);
    world_free(world);
}

static void a_stream_that_is_to_stop_now_commits_nothing(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    void *sink = open_sink(world);
    struct manifest manifest = prepare(world, sink, 0);
    world->context.cancel.level = 2;
    assert_false(publish(world, sink, 0, "digest", &manifest));
    assert_int_equal(world->err.condition, COND_INLET_CANCELLED);
    world->context.cancel.level = 0;
    assert_int_equal(snapshot_of(world).version, -1);
    assert_true(publish(world, sink, 0, "digest", &manifest));
    OPS->close(sink);
    world_free(world);
}

/* --- whose batch stands there ---------------------------------------------------------------------------- */

static enum sink_state state_of(struct world *world, int64_t id, const char *digest)
{
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(id, digest);
    enum sink_state found;
    error_clear(&world->err);
    assert_true(OPS->committed(sink, &batch, &found, &world->err));
    enum sink_state unasked;
    assert_true(OPS->committed(sink, &batch, &unasked, NULL)); /* Nobody asks why. */
    assert_int_equal(found, unasked);
    OPS->close(sink);
    return found;
}

static void a_batch_of_ours_behind_others_commits_is_found(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0);
    for (int i = 0; i < 3; i++) load_other(world, i);
    commit_lines(world, 4, "{\"commitInfo\":{\"timestamp\":1}}\n{\"txn\":{\"appId\":\"somebody\",\"version\":0}}\n");
    assert_int_equal(state_of(world, 0, "digest"), SINK_HAS_BATCH);
    assert_int_equal(state_of(world, 0, "other"), SINK_FOREIGN);
    assert_contains(world->err.message, "by another plan");
    world_free(world);
}

static void a_batch_under_our_id_that_another_program_wrote_is_not_ours(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0);
    commit_lines(world, 1, "{\"commitInfo\":{\"timestamp\":1}}\n{\"txn\":{\"appId\":\"" QUERY_ID "\",\"version\":1}}\n");
    assert_int_equal(state_of(world, 1, "digest"), SINK_FOREIGN);
    assert_contains(world->err.message, "not written by inlet");
    void *sink = open_sink(world);
    struct manifest manifest = prepare(world, sink, 1);
    assert_false(publish(world, sink, 1, "digest", &manifest));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    assert_false(publish(world, sink, 0, "digest", &manifest)); /* The table is past it. */
    assert_contains(world->err.message, "up to 1, but the checkpoint's next one is 0");
    OPS->close(sink);
    world_free(world);
}

static void a_batch_whose_commit_was_cleaned_away_cannot_be_told(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0);
    for (int i = 0; i < 10; i++) load_other(world, i);
    assert_int_equal(snapshot_of(world).checkpoint_version, 10);
    for (int version = 0; version < 10; version++) assert_int_equal(unlink(log_path(world, version)), 0);
    assert_int_equal(state_of(world, 0, "digest"), SINK_FOREIGN);
    assert_contains(world->err.message, "in a commit that is no longer in its log");
    assert_int_equal(state_of(world, 1, "digest"), SINK_AT_BATCH_BEFORE);
    load_batch(world, 1);
    assert_int_equal(state_of(world, 1, "digest"), SINK_HAS_BATCH);
    world_free(world);
}

static void a_commit_that_is_damaged_since_is_an_error_and_no_answer(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0);
    load_other(world, 0);
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "digest");
    enum sink_state found;
    assert_true(file_replace(log_path(world, 1), slice_text("{\"commitInfo\":"), &world->err));
    assert_false(OPS->committed(sink, &batch, &found, &world->err));
    assert_true(error_is_set(&world->err));
    struct manifest manifest = {.detail = "{\"schema\":{\"type\":\"struct\",\"fields\":[]},\"partitionBy\":[]}"};
    assert_false(publish(world, sink, 0, "digest", &manifest));
    OPS->close(sink);
    assert_null(try_open(world));
    world_free(world);
}

/* A copy of the checkpoint runs beside us: what it commits for our query id, we do not commit again. */
static void a_second_writer_under_our_own_id_is_told(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0);
    void *slow = open_sink(world);
    struct manifest manifest = prepare(world, slow, 1);
    load_batch(world, 1);
    load_batch(world, 2);
    assert_false(publish(world, slow, 1, "digest", &manifest));
    assert_contains(world->err.message, "holds this query's batches up to 2, but the checkpoint's next one is 1");
    OPS->close(slow);
    assert_int_equal(snapshot_of(world).version, 2);
    world_free(world);
}

/* --- races for the version ------------------------------------------------------------------------------- */

static void append_theirs(struct world *world) { load_other(world, 0); }
static void change_theirs(struct world *world) { change_table(world, "a STRING, k STRING", NULL, NULL); }
static void commit_ours_elsewhere(struct world *world)
{
    commit_lines(world, 1, "{\"commitInfo\":{\"timestamp\":1,\"tags\":{\"inlet.planDigest\":\"other\"}}}\n{\"txn\":{\"appId\":\"" QUERY_ID "\",\"version\":1}}\n");
}
static void commit_the_very_batch(struct world *world)
{
    commit_lines(world, 1, "{\"commitInfo\":{\"timestamp\":1,\"tags\":{\"inlet.planDigest\":\"digest\"}}}\n{\"txn\":{\"appId\":\"" QUERY_ID "\",\"version\":1}}\n");
}
static void damage_theirs(struct world *world) { assert_true(file_replace(log_path(world, 1), slice_text("{"), &world->err)); }
/* Somebody gets the version in the moment in which ours is to have it. */
static void who_loses_the_race_for_a_version_looks_again(void **state)
{
    (void)state;
    static const struct { void (*act)(struct world *); bool ok; enum condition condition; int64_t version; } cases[] = {
        {append_theirs, true, 0, 2}, {commit_the_very_batch, true, 0, 1}, {change_theirs, false, COND_DELTA_METADATA_MISMATCH, 1},
        {commit_ours_elsewhere, false, COND_DELTA_CONCURRENT_TRANSACTION, 1}, {damage_theirs, false, COND_DELTA_LOG_DAMAGED, -1}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct world *world = delta_world("a INT, k STRING");
        load_batch(world, 0);
        void *sink = open_sink(world);
        struct manifest manifest = prepare(world, sink, 1);
        meanwhile.world = world;
        meanwhile.act = cases[i].act;
        meanwhile.end = "00000000000000000001.json";
        bool ok = publish(world, sink, 1, "digest", &manifest);
        assert_null(meanwhile.end);
        if (ok != cases[i].ok) fail_msg("%zu: %s", i, world->err.message);
        if (!ok && cases[i].condition) assert_int_equal(world->err.condition, cases[i].condition);
        OPS->abort(sink);
        OPS->close(sink);
        if (cases[i].version >= 0) assert_int_equal(snapshot_of(world).version, cases[i].version);
        world_free(world);
    }
}

/* --- tables that are not as they should be --------------------------------------------------------------- */

static void a_log_that_cannot_be_read_is_refused_and_left_alone(void **state)
{
    (void)state;
    static const char *const logs[] = {
        "{\"protocol\":",                                                        /* Cut. */
        "[1,2]\n",                                                               /* No action. */
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n",       /* No columns. */
        "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\",\"partitionColumns\":[]}}\n{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n",
        "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[]}}\n"
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":99}}\n",
        "{\"metaData\":{\"id\":\"x\",\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[]}}\n"
        "{\"protocol\":{\"minReaderVersion\":99,\"minWriterVersion\":2}}\n",
    };
    for (size_t i = 0; i < COUNTOF(logs); i++) {
        struct world *world = delta_world("a INT, k STRING");
        assert_true(directories_make(path_join(world->arena, world->spec.path, "_delta_log"), &world->err));
        assert_true(file_replace(log_path(world, 0), slice_text(logs[i]), &world->err));
        assert_null(try_open(world));
        assert_true(error_is_set(&world->err) && world->err.message[0]);
        assert_string_equal(list_files(world, world->spec.path), "_delta_log/00000000000000000000.json\n");
        world_free(world);
    }
}

static void a_hole_in_the_log_is_no_end_of_it(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    for (int i = 0; i < 4; i++) load_batch(world, i);
    assert_int_equal(unlink(log_path(world, 1)), 0);
    assert_null(try_open(world));
    assert_true(error_is_set(&world->err));
    world_free(world);
}

static void a_table_removed_between_batches_is_not_made_anew_in_silence(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    void *sink = open_sink(world);
    struct manifest manifest = prepare(world, sink, 0);
    assert_true(publish(world, sink, 0, "digest", &manifest));
    assert_true(directory_remove_tree(world->spec.path, &world->err));
    struct batch_identity batch = batch_of(1, "digest");
    assert_false(OPS->stage_begin(sink, &batch, &world->err));
    assert_contains(world->err.message, "could not open folder");
    OPS->close(sink);
    assert_int_equal(state_of(world, 1, "digest"), SINK_FOREIGN);
    assert_contains(world->err.message, "has no batch of this query, but the checkpoint has committed up to batch 0");
    world_free(world);
}

static void a_path_that_leaves_no_room_for_the_log_is_an_error(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    char *path = arena_alloc(world->arena, PATH_MAX);
    int size = snprintf(path, PATH_MAX, "%s/", world->folder);
    while (size < 4060) size += snprintf(path + size, (size_t)(PATH_MAX - size), "%.*s/", size < 3800 ? 200 : 4075 - size,
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    path[size - 1] = 0;
    world->spec.path = path;
    void *sink = try_open(world);
    struct batch_identity batch = batch_of(0, "digest");
    assert_true(!sink || !OPS->stage_begin(sink, &batch, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_IO);
    if (sink) OPS->close(sink);
    world_free(world);
}

static void what_stands_where_the_log_belongs_is_an_error(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    assert_true(directories_make(world->spec.path, &world->err));
    assert_true(file_replace(path_join(world->arena, world->spec.path, "_delta_log"), slice_text("a file"), &world->err));
    void *sink = try_open(world);
    if (sink) {
        struct manifest manifest = prepare(world, sink, 0);
        assert_false(publish(world, sink, 0, "digest", &manifest));
        OPS->close(sink);
    }
    assert_true(error_is_set(&world->err));
    world_free(world);
}

/* --- settings of the table ------------------------------------------------------------------------------- */

static bool has_checkpoint(struct world *world, int64_t version)
{
    return access(arena_printf(world->arena, "%s/_delta_log/%020lld.checkpoint.parquet", world->spec.path, (long long)version), F_OK) == 0;
}

static void the_table_says_how_often_it_wants_checkpoints(void **state)
{
    (void)state;
    static const struct { const char *settings; int first; } cases[] = {
        {"{\"delta.checkpointInterval\":\"2\"}", 2}, {"{\"delta.checkpointInterval\":\"0\"}", 0}, {"{\"delta.checkpointInterval\":\"-3\"}", 0},
        {"{\"delta.checkpointInterval\":\"\"}", 10}, {"{\"delta.checkpointInterval\":\"2 days\"}", 10}, {"{}", 10}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct world *world = delta_world("a INT, k STRING");
        change_table(world, "a INT, k STRING", NULL, cases[i].settings);
        for (int batch = 0; batch < 11; batch++) load_batch(world, batch);
        for (int version = 1; version <= 11; version++) {
            bool expected = cases[i].first && version >= cases[i].first && version % cases[i].first == 0;
            if (has_checkpoint(world, version) != expected) fail_msg("%s: version %d", cases[i].settings, version);
        }
        world_free(world);
    }
}

static void the_table_says_which_columns_have_statistics(void **state)
{
    (void)state;
    static const struct { const char *settings; bool a, k; } cases[] = {
        {"{\"delta.dataSkippingNumIndexedCols\":\"1\"}", true, false}, {"{\"delta.dataSkippingNumIndexedCols\":\"-1\"}", true, true},
        {"{\"delta.dataSkippingStatsColumns\":\"k\"}", false, false}, {"{\"delta.dataSkippingNumIndexedCols\":\"all\"}", true, true}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct world *world = delta_world("a INT, k STRING");
        change_table(world, "a INT, k STRING", NULL, cases[i].settings);
        load_batch(world, 0);
        const char *stats = snapshot_of(world).adds[0].stats_json;
        assert_contains(stats, "\"numRecords\":2");
        if ((strstr(stats, "\"a\":1") != NULL) != cases[i].a || (strstr(stats, "\"k\":\"x\"") != NULL) != cases[i].k) fail_msg("%s: %s", cases[i].settings, stats);
        world_free(world);
    }
}

static void a_first_timestamp_without_zone_widens_the_protocol(void **state)
{
    (void)state;
    static const char *const pairs[] = {"mergeSchema", "true", NULL, NULL};
    struct world *world = delta_world("a INT, k STRING");
    load_batch(world, 0);
    set_options(world, pairs);
    set_schema(world, "a INT, t TIMESTAMP_NTZ");
    static const char *const cells[] = {"1", "1000000"};
    void *sink = open_sink(world);
    struct batch_identity batch = batch_of(1, "digest");
    struct manifest manifest;
    assert_true(OPS->stage_begin(sink, &batch, &world->err) && stage_cells(world, OPS, sink, cells, 1));
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err) && publish(world, sink, 1, "digest", &manifest));
    OPS->close(sink);
    struct delta_snapshot snapshot = snapshot_of(world);
    assert_int_equal(snapshot.protocol.min_writer, 7);
    assert_string_equal(snapshot.protocol.reader_features[0], "timestampNtz");
    world_free(world);
}

static void a_checkpoint_that_cannot_be_written_is_told_and_is_no_loss(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    change_table(world, "a INT, k STRING", NULL, "{\"delta.checkpointInterval\":\"2\"}");
    load_batch(world, 0);
    void *sink = open_sink(world);
    struct manifest manifest = prepare(world, sink, 1);
    assert_true(publish(world, sink, 1, "digest", &manifest));
    assert_true(file_replace(log_path(world, 1), slice_text("broken"), &world->err));
    assert_false(OPS->after_commit(sink, &world->err));
    assert_true(error_is_set(&world->err));
    error_clear(&world->err);
    assert_true(OPS->after_commit(sink, &world->err)); /* Not tried for ever. */
    OPS->close(sink);
    world_free(world);
}

/* --- manifests ------------------------------------------------------------------------------------------- */

static void a_manifest_that_is_no_delta_sinks_is_refused(void **state)
{
    (void)state;
    static const char *const details[] = {
        "", "{", "[]", "{}", "{\"schema\":{\"type\":\"struct\",\"fields\":[]}}", "{\"partitionBy\":[]}", "{\"schema\":7,\"partitionBy\":[]}",
        "{\"schema\":{\"type\":\"nonsense\"},\"partitionBy\":[]}"};
    struct world *world = delta_world("a INT, k STRING");
    void *sink = open_sink(world);
    for (size_t i = 0; i < COUNTOF(details); i++) {
        struct manifest manifest = prepare(world, sink, 0);
        manifest.detail = details[i];
        if (publish(world, sink, 0, "digest", &manifest)) fail_msg("%s", details[i]);
        assert_true(error_is_set(&world->err));
    }
    static const char *const file_details[] = {"", "{", "{}", "{\"values\":[\"x\"]}"};
    for (size_t i = 0; i < COUNTOF(file_details); i++) {
        struct manifest manifest = prepare(world, sink, 0);
        manifest.files[0].detail = file_details[i];
        if (publish(world, sink, 0, "digest", &manifest)) fail_msg("%s", file_details[i]);
        assert_true(error_is_set(&world->err));
        assert_int_equal(snapshot_of(world).version, -1);
    }
    OPS->close(sink);
    world_free(world);
}

/* --- what is refused before anything is touched ---------------------------------------------------------- */

static void checks_and_opens_refuse_alike(void **state)
{
    (void)state;
    static const char *const all[] = {"a", "k"}, *const unknown[] = {"nope"};
    static const char *const codec[] = {"compression", "nonsense", NULL, NULL};
    struct { const char *const *partition_by; size_t count; const char *const *pairs; enum condition condition; } cases[] = {
        {all, 2, NULL, COND_ALL_PARTITION_COLUMNS}, {unknown, 1, NULL, COND_INLET_PARTITION_COLUMN}, {NULL, 0, codec, 0}};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct world *world = delta_world("a INT, k STRING");
        world->spec.partition_by = cases[i].partition_by;
        world->spec.partition_count = cases[i].count;
        if (cases[i].pairs) set_options(world, cases[i].pairs);
        assert_false(OPS->check(&world->spec, &world->err));
        enum condition condition = world->err.condition;
        assert_true(!cases[i].condition || condition == cases[i].condition);
        assert_null(try_open(world));
        assert_int_equal(world->err.condition, condition);
        assert_int_not_equal(access(world->spec.path, F_OK), 0);
        world_free(world);
    }
}

static void a_sink_that_was_not_opened_may_be_closed(void **state)
{
    (void)state;
    struct world *world = delta_world("a INT, k STRING");
    void *sink = arena_alloc(world->arena, OPS->state_size);
    memset(sink, 0, OPS->state_size);
    OPS->abort(sink);
    OPS->close(sink);
    json_sink.abort(memset(arena_alloc(world->arena, json_sink.state_size), 0, json_sink.state_size));
    json_sink.close(memset(arena_alloc(world->arena, json_sink.state_size), 0, json_sink.state_size));
    foreach_batch_sink.abort(memset(arena_alloc(world->arena, foreach_batch_sink.state_size), 0, foreach_batch_sink.state_size));
    world_free(world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prepared_batch_is_published_only_where_it_still_fits),
        cmocka_unit_test(a_table_that_changes_between_batches_is_fitted_anew_or_refused),
        cmocka_unit_test(a_stream_that_is_to_stop_now_commits_nothing),
        cmocka_unit_test(a_batch_of_ours_behind_others_commits_is_found),
        cmocka_unit_test(a_batch_under_our_id_that_another_program_wrote_is_not_ours),
        cmocka_unit_test(a_batch_whose_commit_was_cleaned_away_cannot_be_told),
        cmocka_unit_test(a_commit_that_is_damaged_since_is_an_error_and_no_answer),
        cmocka_unit_test(a_second_writer_under_our_own_id_is_told),
        cmocka_unit_test(who_loses_the_race_for_a_version_looks_again),
        cmocka_unit_test(a_log_that_cannot_be_read_is_refused_and_left_alone),
        cmocka_unit_test(a_hole_in_the_log_is_no_end_of_it),
        cmocka_unit_test(a_table_removed_between_batches_is_not_made_anew_in_silence),
        cmocka_unit_test(a_path_that_leaves_no_room_for_the_log_is_an_error),
        cmocka_unit_test(what_stands_where_the_log_belongs_is_an_error),
        cmocka_unit_test(the_table_says_how_often_it_wants_checkpoints),
        cmocka_unit_test(the_table_says_which_columns_have_statistics),
        cmocka_unit_test(a_first_timestamp_without_zone_widens_the_protocol),
        cmocka_unit_test(a_checkpoint_that_cannot_be_written_is_told_and_is_no_loss),
        cmocka_unit_test(a_manifest_that_is_no_delta_sinks_is_refused),
        cmocka_unit_test(checks_and_opens_refuse_alike),
        cmocka_unit_test(a_sink_that_was_not_opened_may_be_closed),
    };
    world_in_memory = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
