/* file_sink_test -- a batch from rows to visible files, and every way a second try can find things. */
#include "fixture.h"
#include "formats/sink_log.h"
#include "meanwhile.h"

#define OPS (&json_sink) /* The functions are the same for all formats; the encoder is opened by hand. */

static struct file_sink *open_sink(struct world *world)
{
    struct file_sink *sink = ARENA_NEW(world->arena, struct file_sink);
    assert_true(file_sink_open(sink, &line_format, &world->spec, &world->err));
    return sink;
}

/* An empty batch's entry, as another process of this or another query would write it. */
static void write_entry(struct world *world, int64_t batch, const char *query_id, const char *digest)
{
    struct sink_log_entry none[1];
    bool existed;
    struct sink_log *log = sink_log_open(world->spec.path);
    assert_true(sink_log_write(log, batch, none, 0, query_id, digest, &existed, &world->err) && !existed);
    assert_true(sink_log_place(log, &world->err) && sink_log_settle(log, &world->err) && sink_log_name(log, &existed, &world->err) && !existed);
    sink_log_close(log);
}

static struct manifest prepare_rows(struct world *world, struct file_sink *sink, struct batch_identity batch, const char *const *cells, uint32_t rows)
{
    struct manifest manifest;
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    assert_true(stage_cells(world, OPS, sink, cells, rows));
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
    return manifest;
}

static const char *const three[] = {"1", "x", "2", "y", "3", "x"};

/* Written when the batch was prepared, but not for this: the log has gone on by another hand, or the batch has another plan. */
static void an_entry_written_ahead_is_used_only_where_it_fits(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    struct batch_identity first = batch_of(0, "d0"), second = batch_of(1, "d1"), changed = batch_of(1, "other");
    struct manifest manifest = prepare_rows(world, sink, first, three, 3);
    assert_int_equal(sink->job.batch_id, -1); /* The log begins with this batch. */
    assert_true(OPS->publish(sink, &first, &manifest, &world->err));
    manifest = prepare_rows(world, sink, second, three, 3);
    assert_int_equal(sink->job.batch_id, 1);
    const char *prepared = list_files(world, world->spec.path);
    assert_null(strstr(prepared, "_spark_metadata/1"));
    assert_null(strstr(prepared, "_spark_metadata/.1"));
    assert_true(OPS->publish(sink, &changed, &manifest, &world->err));
    assert_contains(file_text(world, "_spark_metadata/.1.inlet"), "\"other\"");
    struct batch_identity third = batch_of(2, "d2");
    manifest = prepare_rows(world, sink, third, three, 3);
    write_entry(world, 2, "another-query", "d2");
    assert_false(OPS->publish(sink, &third, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    error_clear(&world->err);
    OPS->close(sink);
    world_free(world);
}

static void a_batch_becomes_visible_only_by_publish(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "d0");
    enum sink_state found;
    assert_true(OPS->committed(sink, &batch, &found, &world->err));
    assert_int_equal(found, SINK_AT_BATCH_BEFORE);
    struct manifest manifest = prepare_rows(world, sink, batch, three, 3);
    assert_int_equal(manifest.count, 1);
    assert_int_equal(manifest.rows, 3);
    assert_int_equal(manifest.bytes, 12);
    assert_string_equal(list_files(world, world->spec.path), "_inlet/" QUERY_ID "/0-00000.staged\n");
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_string_equal(file_text(world, manifest.files[0].final_name), "1,x\n2,y\n3,x\n");
    assert_int_equal(strncmp(manifest.files[0].final_name, "part-00000-", 11), 0);
    assert_contains(manifest.files[0].final_name, "-c000.lines");
    assert_contains(file_text(world, "_spark_metadata/0"), manifest.files[0].final_name);
    assert_contains(file_text(world, "_spark_metadata/0"), "\"size\":12,");
    assert_true(OPS->committed(sink, &batch, &found, &world->err));
    assert_int_equal(found, SINK_HAS_BATCH);
    struct batch_identity next = batch_of(1, "d1");
    assert_true(OPS->committed(sink, &next, &found, &world->err));
    assert_int_equal(found, SINK_AT_BATCH_BEFORE);
    OPS->close(sink);
    struct stat info;
    assert_int_not_equal(stat(path_join(world->arena, world->spec.path, "_inlet"), &info), 0);
    world_free(world);
}

static void publishing_again_changes_nothing(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "d0");
    struct manifest manifest = prepare_rows(world, sink, batch, three, 3);
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    const char *before = list_files(world, world->spec.path);
    for (int i = 0; i < 3; i++) assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_string_equal(list_files(world, world->spec.path), before);
    OPS->close(sink);
    sink = open_sink(world); /* Another process. */
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_string_equal(list_files(world, world->spec.path), before);
    OPS->close(sink);
    world_free(world);
}

/* A crash after k of the renames, then a new process. */
static void publishing_goes_on_after_any_number_of_renames(void **state)
{
    (void)state;
    for (size_t done = 0; done <= 2; done++) {
        struct world *world = world_new("a INT, k STRING");
        world_partition(world, "k", NULL);
        struct file_sink *sink = open_sink(world);
        struct batch_identity batch = batch_of(0, "d0");
        struct manifest manifest = prepare_rows(world, sink, batch, three, 3), part = manifest;
        assert_int_equal(manifest.count, 2);
        OPS->close(sink);
        part.count = done;
        assert_true(directories_make(world->spec.path, &world->err));
        assert_true(staging_rename(world->spec.path, &part, false, &world->err) && staging_sync_names(world->spec.path, &part, &world->err));
        sink = open_sink(world);
        assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
        assert_string_equal(file_text(world, manifest.files[0].final_name), "1\n3\n");
        assert_string_equal(file_text(world, manifest.files[1].final_name), "2\n");
        assert_int_equal(strncmp(manifest.files[0].final_name, "k=x/part-00000-", 15), 0);
        assert_contains(manifest.files[0].final_name, ".c000.lines");
        OPS->close(sink);
        world_free(world);
    }
}

static void a_lost_or_changed_staged_file_is_an_error_and_nothing_is_logged(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "d0");
    struct manifest manifest = prepare_rows(world, sink, batch, three, 3);
    const char *staged = path_join(world->arena, world->spec.path, manifest.files[0].staged);
    assert_int_equal(truncate(staged, 5), 0);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_DAMAGED_FILE);
    assert_int_equal(unlink(staged), 0);
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    assert_int_equal(access(path_join(world->arena, world->spec.path, "_spark_metadata/0"), F_OK), -1);
    OPS->close(sink);
    world_free(world);
}

static void abort_removes_what_was_staged_and_only_that(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "d0");
    char other[256];
    snprintf(other, sizeof other, "%s/_inlet/" OTHER_ID "/4", world->spec.path);
    assert_true(directories_make(other, &world->err));
    strcat(other, "/00000.staged");
    assert_true(file_replace(other, slice_text("theirs"), &world->err));
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    assert_true(stage_cells(world, OPS, sink, three, 3));
    OPS->abort(sink);
    OPS->abort(sink);
    assert_string_equal(list_files(world, world->spec.path), "_inlet/" OTHER_ID "/4/00000.staged\n");
    assert_int_equal(files_alive, 0);

    struct manifest manifest = prepare_rows(world, sink, batch, three, 3);
    OPS->abort(sink); /* The manifest may be in the ledger by now. */
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    OPS->close(sink);
    world_free(world);
}

static void staging_never_follows_a_symlink(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    char target[256], link[256];
    snprintf(target, sizeof target, "%s/precious/" QUERY_ID "/0", world->folder);
    assert_true(directories_make(target, &world->err));
    strcat(target, "/file");
    assert_true(file_replace(target, slice_text("keep"), &world->err));
    snprintf(target, sizeof target, "%s/precious", world->folder);
    snprintf(link, sizeof link, "%s/_inlet", world->spec.path);
    assert_int_equal(symlink(target, link), 0);
    struct batch_identity batch = batch_of(0, "d0");
    assert_false(OPS->stage_begin(sink, &batch, &world->err));
    OPS->abort(sink);
    OPS->close(sink);
    assert_string_equal(list_files(world, target), QUERY_ID "/0/file\n");
    world_free(world);
}

static void the_same_plan_gives_the_same_names_and_another_one_others(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    struct manifest a = prepare_rows(world, sink, batch_of(0, "d0"), three, 3);
    struct manifest b = prepare_rows(world, sink, batch_of(0, "d0"), three, 3);
    struct manifest c = prepare_rows(world, sink, batch_of(0, "d1"), three, 3);
    assert_string_equal(a.files[0].final_name, b.files[0].final_name);
    assert_string_not_equal(a.files[0].final_name, c.files[0].final_name);
    OPS->close(sink);
    world_free(world);
}

static enum sink_state state_of(struct world *world, int64_t batch_id, const char *digest)
{
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(batch_id, digest);
    enum sink_state found;
    assert_true(OPS->committed(sink, &batch, &found, &world->err));
    OPS->close(sink);
    return found;
}

static void a_log_is_never_trusted_blindly(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    assert_true(directories_make(world->spec.path, &world->err));
    assert_true(file_replace(path_join(world->arena, world->spec.path, "foreign.parquet"), slice_text("x"), &world->err));
    assert_int_equal(state_of(world, 0, "d0"), SINK_AT_BATCH_BEFORE); /* Other files without a log: as Spark, allowed. */
    assert_int_equal(state_of(world, 3, "d3"), SINK_FOREIGN);         /* The log was removed. */
    world->spec.first_use = true;
    assert_int_equal(state_of(world, 3, "d3"), SINK_AT_BATCH_BEFORE); /* A new, empty target. */
    world->spec.first_use = false;
    write_entry(world, 0, QUERY_ID, "d0");
    write_entry(world, 1, QUERY_ID, "d1");
    assert_int_equal(state_of(world, 2, "d2"), SINK_AT_BATCH_BEFORE);
    assert_int_equal(state_of(world, 1, "d1"), SINK_HAS_BATCH);
    assert_int_equal(state_of(world, 1, "other"), SINK_FOREIGN);
    assert_contains(world->err.message, "by another plan");
    assert_int_equal(state_of(world, 0, "d0"), SINK_FOREIGN);
    assert_int_equal(state_of(world, 3, "d3"), SINK_FOREIGN);
    assert_contains(world->err.message, "ends with batch 1, but the checkpoint's next one is 3");
    world->spec.query_id = OTHER_ID;
    assert_int_equal(state_of(world, 2, "d2"), SINK_FOREIGN);
    assert_contains(world->err.message, "which this query has not written");
    world_free(world);
}

static void a_log_of_spark_is_foreign_and_a_delta_table_is_refused(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    assert_true(directories_make(path_join(world->arena, world->spec.path, "_spark_metadata"), &world->err));
    assert_true(file_replace(path_join(world->arena, world->spec.path, "_spark_metadata/0"), slice_text("v1"), &world->err));
    assert_int_equal(state_of(world, 1, "d1"), SINK_FOREIGN);
    assert_int_equal(state_of(world, 0, "d0"), SINK_FOREIGN);
    assert_true(directories_make(path_join(world->arena, world->spec.path, "_delta_log"), &world->err));
    struct file_sink sink[1];
    assert_false(file_sink_open(sink, &line_format, &world->spec, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    world_free(world);
}

static void a_batch_that_another_wrote_meanwhile_is_not_overwritten(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "d0");
    struct manifest manifest = prepare_rows(world, sink, batch, three, 3);
    write_entry(world, 0, OTHER_ID, "d0");
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    OPS->close(sink);
    world_free(world);
}

static void an_empty_batch_is_logged_and_writes_a_file_only_where_it_says_something(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    for (int i = 0; i < 2; i++) {
        line_head = i ? "a,k\n" : "";
        struct batch_identity batch = batch_of(i, "d");
        struct manifest manifest;
        assert_true(OPS->stage_begin(sink, &batch, &world->err));
        assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
        assert_int_equal(manifest.rows, 0);
        assert_int_equal(manifest.count, i);
        assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
        if (i) assert_string_equal(file_text(world, manifest.files[0].final_name), "a,k\n");
    }
    line_head = "";
    assert_string_equal(file_text(world, "_spark_metadata/0"), "v1");
    OPS->close(sink);
    world_free(world);
}

static void files_are_cut_by_rows_and_have_head_and_tail(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    const struct option_spec *tables[] = {file_sink_options};
    static const char *const pairs[] = {"maxRecordsPerFile", "2", NULL, NULL};
    world_options(world, tables, 1, pairs);
    line_head = "head\n";
    line_tail = "tail\n";
    struct file_sink *sink = open_sink(world);
    struct manifest manifest = prepare_rows(world, sink, batch_of(0, "d"), three, 3);
    struct batch_identity batch = batch_of(0, "d");
    assert_int_equal(manifest.count, 2);
    assert_int_equal(manifest.files[0].rows, 2);
    assert_int_equal(manifest.files[1].rows, 1);
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_string_equal(file_text(world, manifest.files[1].final_name), "head\n3,x\ntail\n");
    line_head = line_tail = "";
    OPS->close(sink);
    world_free(world);
}

static void many_small_inputs_make_few_files_and_large_ones_are_cut_at_the_target(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    const struct option_spec *tables[] = {file_sink_options};
    static const char *const pairs[] = {"maxFileSize", "1000", NULL, NULL};
    world_options(world, tables, 1, pairs);
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "d");
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    for (int i = 0; i < 500; i++) assert_true(stage_cells(world, OPS, sink, three, 3)); /* 12 bytes each */
    struct manifest manifest;
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
    assert_int_equal(manifest.rows, 1500);
    assert_int_equal(manifest.count, 7); /* 6000 bytes, 83 pieces of 12 a file. */
    for (size_t i = 0; i < manifest.count; i++) assert_true(manifest.files[i].size <= 1000);
    OPS->close(sink);
    world_free(world);
}

static void thousands_of_partitions_keep_few_pieces_and_descriptors_open(void **state)
{
    (void)state;
    enum { PARTITIONS = 3000, TASKS = 3 };
    struct world *world = world_new("a INT, k STRING");
    world_partition(world, "k", NULL);
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "d");
    const char **cells = ARENA_ARRAY(world->arena, const char *, 2 * PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++) {
        cells[2 * i] = arena_printf(world->arena, "%d", i);
        cells[2 * i + 1] = arena_printf(world->arena, "p%d", i * 7919 % PARTITIONS);
    }
    pieces_open_max = 0;
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    for (int i = 0; i < TASKS; i++) assert_true(stage_cells(world, OPS, sink, cells, PARTITIONS));
    assert_true(pieces_open_max <= 64);
    int descriptors = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder)) descriptors++;
    closedir(folder);
    assert_true(descriptors < 100);
    struct manifest manifest;
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
    assert_int_equal(manifest.count, PARTITIONS);
    assert_int_equal(manifest.rows, PARTITIONS * TASKS);
    assert_true(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_string_equal(file_text(world, manifest.files[5].final_name), "5\n5\n5\n");
    OPS->close(sink);
    world_free(world);
}

static void a_full_disk_is_reported_as_one(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0) skip();
    struct error err;
    FILE *full = fopen("/dev/full", "w");
    assert_false(write_all(fileno(full), "x", 1, "full", &err));
    assert_int_equal(err.condition, COND_INLET_DISK_FULL);
    fclose(full);
}

static void an_output_folder_that_cannot_be_written_fails_at_open(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    assert_true(file_replace(world->spec.path, slice_text("a file"), &world->err));
    struct file_sink sink[1];
    assert_false(file_sink_open(sink, &line_format, &world->spec, &world->err));
    assert_contains(world->err.message, "is not a folder");
    world_free(world);
}

static bool checks(const char *ddl, enum type_support support, const char *label, struct error *err)
{
    struct world *world = world_new(ddl);
    struct file_sink_format format = {&line_encoder, label, support};
    bool ok = file_sink_check(&format, &world->spec, err);
    world_free(world);
    return ok;
}

static void types_that_a_format_cannot_write_are_refused_as_spark_does(void **state)
{
    (void)state;
    struct error err;
    assert_false(checks("s STRUCT<a: INT>", SUPPORT_ATOMIC, "CSV", &err));
    assert_string_equal(err.message, "The CSV datasource doesn't support the column `s` of the type \"STRUCT<a: INT>\"");
    assert_false(checks("v INT", SUPPORT_STRING, "Text", &err));
    assert_string_equal(err.message, "The Text datasource doesn't support the column `v` of the type \"INT\"");
    assert_false(checks("v STRING, w STRING", SUPPORT_STRING, "Text", &err));
    assert_string_equal(err.message, "Text data source supports only a single column, and you have 2 columns");
    assert_false(checks("a INT, A INT", SUPPORT_PARQUET, "Parquet", &err));
    assert_int_equal(err.condition, COND_COLUMN_ALREADY_EXISTS);
    assert_false(checks("s STRUCT<a: INT, A: INT>", SUPPORT_PARQUET, "Parquet", &err));
    assert_true(checks("a INT, A INT", SUPPORT_ALL, "JSON", &err));
    assert_false(checks("a INT, s STRUCT<>", SUPPORT_PARQUET, "Parquet", &err));
    assert_int_equal(err.condition, COND_EMPTY_SCHEMA_NOT_SUPPORTED);
    assert_true(checks("m MAP<STRING, ARRAY<INT>>", SUPPORT_PARQUET, "Parquet", &err));
    assert_false(checks("`a``b` ARRAY<INT>", SUPPORT_ATOMIC, "CSV", &err));
    assert_string_equal(err.message, "The CSV datasource doesn't support the column `a``b` of the type \"ARRAY<INT>\"");
    assert_false(checks("a INT, v VOID", SUPPORT_ATOMIC, "CSV", &err));
    assert_false(checks("s STRUCT<a: ARRAY<VOID>>", SUPPORT_DELTA, "Delta", &err));
    assert_int_equal(err.condition, COND_UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE);
    assert_true(checks("s STRUCT<a: ARRAY<VOID>>", SUPPORT_ALL, "JSON", &err));
    assert_false(checks("l ARRAY<STRUCT<m: MAP<STRING, STRUCT<>>>>", SUPPORT_DELTA, "Delta", &err));
    assert_int_equal(err.condition, COND_EMPTY_SCHEMA_NOT_SUPPORTED);
}

static void write_theirs(struct world *world) { write_entry(world, 0, OTHER_ID, "theirs"); }

static void a_batch_that_another_writes_in_the_same_moment_is_not_overwritten(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink *sink = open_sink(world);
    struct batch_identity batch = batch_of(0, "d0");
    struct manifest manifest = prepare_rows(world, sink, batch, three, 3);
    meanwhile.world = world;
    meanwhile.act = write_theirs;
    meanwhile.end = "/_spark_metadata/0";
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_null(meanwhile.end);
    assert_int_equal(world->err.condition, COND_CONCURRENT_STREAM_LOG_UPDATE);
    assert_string_equal(file_text(world, "_spark_metadata/0"), "v1"); /* Theirs, which has no file. */
    assert_false(OPS->publish(sink, &batch, &manifest, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    OPS->close(sink);
    world_free(world);
}

static void an_open_refuses_what_a_check_refuses(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    world_partition(world, "nope", NULL);
    struct file_sink sink[1];
    assert_false(file_sink_check(&line_format, &world->spec, &world->err));
    assert_false(file_sink_open(sink, &line_format, &world->spec, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_PARTITION_COLUMN);
    assert_int_not_equal(access(world->spec.path, F_OK), 0);
    world_free(world);
}

static void a_retention_that_forgets_every_file_is_refused(void **state)
{
    (void)state;
    static const char *const pairs[] = {"retention", "0s", NULL, NULL};
    const struct option_spec *tables[] = {file_sink_options};
    struct world *world = world_new("a INT, k STRING");
    world_options(world, tables, 1, pairs);
    assert_false(file_sink_check(&line_format, &world->spec, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_BAD_OPTION_VALUE);
    world_free(world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_becomes_visible_only_by_publish), cmocka_unit_test(an_entry_written_ahead_is_used_only_where_it_fits),
        cmocka_unit_test(publishing_again_changes_nothing),
        cmocka_unit_test(publishing_goes_on_after_any_number_of_renames),
        cmocka_unit_test(a_lost_or_changed_staged_file_is_an_error_and_nothing_is_logged),
        cmocka_unit_test(abort_removes_what_was_staged_and_only_that),
        cmocka_unit_test(staging_never_follows_a_symlink),
        cmocka_unit_test(the_same_plan_gives_the_same_names_and_another_one_others),
        cmocka_unit_test(a_log_is_never_trusted_blindly),
        cmocka_unit_test(a_log_of_spark_is_foreign_and_a_delta_table_is_refused),
        cmocka_unit_test(a_batch_that_another_wrote_meanwhile_is_not_overwritten),
        cmocka_unit_test(an_empty_batch_is_logged_and_writes_a_file_only_where_it_says_something),
        cmocka_unit_test(files_are_cut_by_rows_and_have_head_and_tail),
        cmocka_unit_test(many_small_inputs_make_few_files_and_large_ones_are_cut_at_the_target),
        cmocka_unit_test(thousands_of_partitions_keep_few_pieces_and_descriptors_open),
        cmocka_unit_test(a_batch_that_another_writes_in_the_same_moment_is_not_overwritten),
        cmocka_unit_test(an_open_refuses_what_a_check_refuses),
        cmocka_unit_test(a_retention_that_forgets_every_file_is_refused),
        cmocka_unit_test(a_full_disk_is_reported_as_one),
        cmocka_unit_test(an_output_folder_that_cannot_be_written_fails_at_open),
        cmocka_unit_test(types_that_a_format_cannot_write_are_refused_as_spark_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
