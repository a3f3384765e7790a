/* sink_log_test -- Spark's sink log: its bytes, compaction, intervals, gaps, identity. */
#include "formats/sink_log.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct arena *arena;
    char output[64];
    struct sink_log *log;
    struct error err;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    strcpy(world->output, "/tmp/inlet-sink-log-XXXXXX");
    if (!world || !mkdtemp(world->output)) return -1;
    world->arena = arena_new("test");
    world->log = sink_log_open(world->output);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    bool removed = directory_remove_tree(world->output, NULL);
    sink_log_close(world->log);
    arena_free(world->arena);
    free(world);
    return removed ? 0 : -1;
}

static const char *log_path(struct world *world, const char *name)
{
    return arena_printf(world->arena, "%s/_spark_metadata/%s", world->output, name);
}

static const char *contents(struct world *world, const char *name)
{
    struct buffer text = {0};
    assert_true(file_read_all(log_path(world, name), 1 << 20, &text, NULL));
    const char *copy = arena_strndup(world->arena, (const char *)text.data, text.size);
    buffer_free(&text);
    return copy;
}

static void put(struct world *world, const char *name, const char *text)
{
    assert_true(directories_make(arena_printf(world->arena, "%s/_spark_metadata", world->output), NULL));
    assert_true(file_replace(log_path(world, name), slice_text(text), NULL));
}

static bool exists(struct world *world, const char *name) { return access(log_path(world, name), F_OK) == 0; }

static bool append(struct world *world, int64_t batch, const char *path, bool *existed)
{
    struct sink_log_entry entry = {.path = path, .size = 5, .modification_time_ms = 7, .action = "add"};
    if (!sink_log_write(world->log, batch, &entry, path ? 1 : 0, "query", "digest", existed, &world->err)) return false;
    return *existed || (sink_log_place(world->log, &world->err) && sink_log_settle(world->log, &world->err) && sink_log_name(world->log, existed, &world->err));
}

static void append_many(struct world *world, int64_t first, int64_t end)
{
    for (int64_t batch = first; batch < end; batch++) {
        bool existed;
        assert_true(append(world, batch, arena_printf(world->arena, "file:///o/part-%d", (int)batch), &existed));
        assert_false(existed);
    }
}

static size_t file_count(struct world *world)
{
    struct sink_log_entry *entries;
    size_t count;
    assert_true(sink_log_files(world->output, world->arena, &entries, &count, &world->err));
    return count;
}

static void a_batch_is_written_as_spark_writes_it(void **state)
{
    struct world *world = *state;
    bool existed;
    int64_t latest;
    assert_true(sink_log_latest(world->log, &latest, NULL));
    assert_int_equal(latest, -1);
    assert_true(append(world, 0, "file:///data/a \"b\".parquet", &existed));
    assert_string_equal(contents(world, "0"),
                        "v1\n{\"path\":\"file:///data/a \\\"b\\\".parquet\",\"size\":5,\"isDir\":false,\"modificationTime\":7,"
                        "\"blockReplication\":1,\"blockSize\":33554432,\"action\":\"add\"}");
    assert_true(append(world, 1, NULL, &existed));
    assert_string_equal(contents(world, "1"), "v1");
    assert_true(sink_log_latest(world->log, &latest, NULL));
    assert_int_equal(latest, 1);
    assert_int_equal(file_count(world), 1);
}

static void an_existing_batch_is_never_replaced(void **state)
{
    struct world *world = *state;
    bool existed;
    append_many(world, 0, 1);
    const char *before = contents(world, "0");
    assert_true(append(world, 0, "file:///other", &existed));
    assert_true(existed);
    assert_string_equal(contents(world, "0"), before);
}

static void every_tenth_batch_is_a_compact_file(void **state)
{
    struct world *world = *state;
    append_many(world, 0, 25);
    assert_true(exists(world, "9.compact") && exists(world, "19.compact"));
    assert_false(exists(world, "9") || exists(world, "19"));
    assert_int_equal(file_count(world), 25);
    struct sink_log_entry *entries;
    size_t count;
    assert_true(sink_log_files(world->output, world->arena, &entries, &count, NULL));
    for (size_t i = 0; i < count; i++) assert_string_equal(entries[i].path, arena_printf(world->arena, "file:///o/part-%zu", i));
    const char *text = contents(world, "9.compact");
    assert_memory_equal(text, "v1\n{\"path\":\"file:///o/part-0\"", 29);
    assert_int_equal(text[strlen(text) - 1], '}');
}

static void the_interval_of_an_existing_log_is_kept(void **state)
{
    static const struct { int64_t compact; int64_t next; } cases[] = {{2, 5}, {9, 19}, {10, 21}, {23, 35}, {25, 38}, {28, 57}};
    struct world *world = *state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct world one = *world;
        snprintf(one.output, sizeof(one.output), "%.30s/%zu", world->output, i);
        one.log = sink_log_open(one.output);
        put(&one, arena_printf(world->arena, "%d.compact", (int)cases[i].compact), "v1");
        append_many(&one, cases[i].compact + 1, cases[i].next + 1);
        for (int64_t batch = cases[i].compact + 1; batch <= cases[i].next; batch++) {
            bool compact = exists(&one, arena_printf(world->arena, "%d.compact", (int)batch));
            assert_int_equal(compact, batch == cases[i].next);
        }
        sink_log_close(one.log);
    }
}

static void a_log_that_starts_late_starts_with_a_compact_file(void **state)
{
    struct world *world = *state;
    append_many(world, 5, 8);
    assert_true(exists(world, "5.compact") && exists(world, "6"));
    assert_int_equal(file_count(world), 3);
}

static void gaps_are_errors(void **state)
{
    struct world *world = *state;
    bool existed;
    append_many(world, 0, 9);
    assert_false(append(world, 12, "file:///x", &existed));
    assert_int_equal(world->err.condition, COND_INLET_SINK_MISMATCH);
    assert_int_equal(unlink(log_path(world, "0")), 0);
    assert_false(append(world, 9, "file:///x", &existed));
    assert_non_null(strstr(world->err.message, "_spark_metadata/0 doesn't exist when compacting batch 9"));
    struct sink_log_entry *entries;
    size_t count;
    assert_false(sink_log_files(world->output, world->arena, &entries, &count, &world->err));
    assert_false(exists(world, "9.compact"));
}

static void deletes_of_old_logs_are_honoured(void **state)
{
    struct world *world = *state;
    put(world, "0", "v1\n{\"path\":\"file:/a\",\"size\":1,\"action\":\"add\"}\n{\"path\":\"file:/b\",\"size\":2,\"action\":\"add\"}");
    put(world, "1", "v1\n{\"path\":\"file:/a\",\"size\":1,\"action\":\"delete\"}\n{\"path\":\"file:/d\",\"isDir\":true,\"action\":\"add\"}");
    put(world, ".1.crc", "junk");
    put(world, "notes.txt", "junk");
    struct sink_log_entry *entries;
    size_t count;
    assert_true(sink_log_files(world->output, world->arena, &entries, &count, &world->err));
    assert_int_equal(count, 1);
    assert_string_equal(entries[0].path, "file:/b");
    assert_int_equal(entries[0].size, 2);
}

static void damaged_files_are_errors(void **state)
{
    static const char *const texts[] = {"", "v", "v2\n", "x1\n{}", "v1\n{\"path\":", "v1\n[1]", "v1\n{\"size\":1}", "v1\n\xff\xfe"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        struct sink_log_entry *entries;
        size_t count;
        put(world, "0", texts[i]);
        error_clear(&world->err);
        assert_false(sink_log_files(world->output, world->arena, &entries, &count, &world->err));
        assert_true(error_is_set(&world->err));
    }
    put(world, "0", "v2\n");
    struct sink_log_entry *entries;
    size_t count;
    assert_false(sink_log_files(world->output, world->arena, &entries, &count, &world->err));
    assert_non_null(strstr(world->err.message, "maximum supported log version is v1, but encountered v2"));
}

static void identity_names_only_our_own_batches(void **state)
{
    struct world *world = *state;
    const char *query, *digest;
    bool present;
    append_many(world, 0, 10);
    for (int64_t batch = 0; batch < 10; batch += 9) {
        assert_true(sink_log_identity(world->log, batch, world->arena, &present, &query, &digest, &world->err));
        assert_true(present);
        assert_string_equal(query, "query");
        assert_string_equal(digest, "digest");
    }
    assert_true(sink_log_identity(world->log, 10, world->arena, &present, &query, &digest, &world->err));
    assert_false(present);
    /* Our identity was written, but another writer's file got the name. */
    put(world, "3", "v1\n{\"path\":\"file:/theirs\",\"size\":1,\"action\":\"add\"}");
    assert_true(sink_log_identity(world->log, 3, world->arena, &present, &query, &digest, &world->err));
    assert_true(present);
    assert_string_equal(digest, "");
    put(world, ".4.inlet", "garbage");
    assert_true(sink_log_identity(world->log, 4, world->arena, &present, &query, &digest, &world->err));
    assert_string_equal(query, "");
    /* A power cut ahead of the entry left an identity with its name but not its bytes. */
    put(world, ".10.inlet", "");
    assert_true(sink_log_identity(world->log, 10, world->arena, &present, &query, &digest, &world->err));
    assert_false(present);
    append_many(world, 10, 11);
    assert_true(sink_log_identity(world->log, 10, world->arena, &present, &query, &digest, &world->err));
    assert_true(present);
    assert_string_equal(query, "query");
    assert_string_equal(digest, "digest");
}

/* A handle that has listed the folder sees what another hand does to it. */
static void changes_by_others_are_seen(void **state)
{
    struct world *world = *state;
    int64_t latest;
    bool existed;
    append_many(world, 0, 3);
    put(world, "3", "v1");
    assert_true(sink_log_latest(world->log, &latest, &world->err));
    assert_int_equal(latest, 3);
    assert_true(append(world, 4, NULL, &existed) && !existed);
    assert_int_equal(unlink(log_path(world, "4")), 0);
    assert_true(sink_log_latest(world->log, &latest, &world->err));
    assert_int_equal(latest, 3);
    /* Between the writing and the naming. */
    struct sink_log_entry none[1];
    assert_true(sink_log_write(world->log, 4, none, 0, "query", "digest", &existed, &world->err) && !existed);
    assert_false(exists(world, "4"));
    put(world, "4", "v1\nforeign");
    assert_true(sink_log_place(world->log, &world->err) && sink_log_settle(world->log, &world->err) && sink_log_name(world->log, &existed, &world->err));
    assert_true(existed);
    assert_string_equal(contents(world, "4"), "v1\nforeign");
    assert_true(directory_remove_tree(log_path(world, ""), NULL));
    assert_true(sink_log_latest(world->log, &latest, &world->err));
    assert_int_equal(latest, -1);
}

static void old_files_behind_a_compaction_are_removed(void **state)
{
    struct world *world = *state;
    struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    append_many(world, 0, 130);
    for (int i = 0; i < 20; i++) assert_int_equal(utimensat(AT_FDCWD, log_path(world, arena_printf(world->arena, i % 10 == 9 ? "%d.compact" : "%d", i)), old, 0), 0);
    append_many(world, 130, 150);
    assert_false(exists(world, "0") || exists(world, ".0.inlet") || exists(world, "9.compact") || exists(world, ".19.inlet"));
    assert_true(exists(world, "20") && exists(world, ".20.inlet") && exists(world, "29.compact"));
    assert_int_equal(file_count(world), 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_is_written_as_spark_writes_it, setup, teardown),
        cmocka_unit_test_setup_teardown(an_existing_batch_is_never_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(every_tenth_batch_is_a_compact_file, setup, teardown),
        cmocka_unit_test_setup_teardown(the_interval_of_an_existing_log_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_starts_late_starts_with_a_compact_file, setup, teardown),
        cmocka_unit_test_setup_teardown(gaps_are_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(deletes_of_old_logs_are_honoured, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_files_are_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(identity_names_only_our_own_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_by_others_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(old_files_behind_a_compaction_are_removed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
