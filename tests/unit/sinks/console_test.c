/* console_test -- batches as Spark's console prints them. */
#include "fixture.h"

#include <fcntl.h>

#define OPS (&console_sink)

static void options_of(struct world *world, const char *const *pairs)
{
    const struct option_spec *tables[] = {OPS->options};
    world_options(world, tables, 1, pairs);
}

/* What publish writes to standard output. */
static const char *printed(struct world *world, void *sink, int64_t id, const struct manifest *manifest)
{
    char path[128];
    snprintf(path, sizeof path, "%s/printed", world->folder);
    struct batch_identity batch = batch_of(id, "digest");
    fflush(stdout);
    int saved = dup(STDOUT_FILENO), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    bool ok = OPS->publish(sink, &batch, manifest, &world->err);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(fd);
    assert_true(ok);
    world->spec.path = world->folder;
    return file_text(world, "printed");
}

static struct manifest prepare_rows(struct world *world, void *sink, const char *const *cells, uint32_t rows, int tasks)
{
    struct manifest manifest;
    struct batch_identity batch = batch_of(0, "digest");
    assert_true(OPS->stage_begin(sink, &batch, &world->err));
    for (int i = 0; i < tasks; i++) assert_true(stage_cells(world, OPS, sink, cells, rows));
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
    return manifest;
}

static const char *const rows[] = {"1", "x", "2", NULL};

static void a_batch_is_printed_as_spark_prints_it(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    options_of(world, NULL);
    void *sink = arena_alloc(world->arena, OPS->state_size);
    assert_true(OPS->open(sink, &world->spec, &world->err));
    struct manifest manifest = prepare_rows(world, sink, rows, 2, 1);
    assert_int_equal(manifest.rows, 2);
    static const char expected[] = "-------------------------------------------\nBatch: 4\n-------------------------------------------\n"
                                   "+---+----+\n|  a|   k|\n+---+----+\n|  1|   x|\n|  2|NULL|\n+---+----+\n\n";
    assert_string_equal(printed(world, sink, 4, &manifest), expected);
    assert_string_equal(printed(world, sink, 4, &manifest), expected); /* The manifest is all it needs. */
    OPS->close(sink);
    world_free(world);
}

static void only_the_first_rows_of_the_first_tasks_are_printed(void **state)
{
    (void)state;
    static const char *const pairs[] = {"numRows", "3", NULL, NULL};
    struct world *world = world_new("a INT, k STRING");
    options_of(world, pairs);
    void *sink = arena_alloc(world->arena, OPS->state_size);
    assert_true(OPS->open(sink, &world->spec, &world->err));
    struct manifest manifest = prepare_rows(world, sink, rows, 2, 5);
    assert_int_equal(manifest.rows, 10);
    assert_contains(manifest.detail, "|  1|   x|\n|  2|NULL|\n|  1|   x|\n+---+----+\nonly showing top 3 rows\n");
    OPS->close(sink);
    world_free(world);
}

static void truncate_is_true_false_or_a_width(void **state)
{
    (void)state;
    static const struct { const char *text, *line; } cases[] = {
        {"true", "|  1|12345678901234567...|\n"}, {"false", "|1  |123456789012345678901234567890|\n"}, {"10", "|  1|1234567...|\n"}, {"wide", NULL}};
    static const char *const wide[] = {"1", "123456789012345678901234567890"};
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *pairs[] = {"truncate", cases[i].text, NULL, NULL};
        struct world *world = world_new("a INT, k STRING");
        options_of(world, pairs);
        void *sink = arena_alloc(world->arena, OPS->state_size);
        assert_int_equal(OPS->check(&world->spec, &world->err), cases[i].line != NULL);
        assert_int_equal(OPS->open(sink, &world->spec, &world->err), cases[i].line != NULL);
        if (cases[i].line) {
            struct manifest manifest = prepare_rows(world, sink, wide, 1, 1);
            assert_contains(manifest.detail, cases[i].line);
            OPS->close(sink);
        }
        world_free(world);
    }
}

static void a_batch_without_rows_prints_an_empty_table(void **state)
{
    (void)state;
    struct world *world = world_new("a INT");
    options_of(world, NULL);
    void *sink = arena_alloc(world->arena, OPS->state_size);
    assert_true(OPS->open(sink, &world->spec, &world->err));
    struct manifest manifest = prepare_rows(world, sink, rows, 0, 0);
    assert_string_equal(manifest.detail, "+---+\n|  a|\n+---+\n+---+\n");
    OPS->close(sink);
    world_free(world);
}

/* A task whose rows come in many chunks, some of them by a selection. */
static void chunks_and_selections_are_printed_up_to_the_limit(void **state)
{
    (void)state;
    static const char *const pairs[] = {"numRows", "7", NULL, NULL};
    struct world *world = world_new("a INT, k STRING");
    options_of(world, pairs);
    void *sink = arena_alloc(world->arena, OPS->state_size);
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest;
    assert_true(OPS->open(sink, &world->spec, &world->err) && OPS->stage_begin(sink, &batch, &world->err));
    for (int task_number = 0; task_number < 2; task_number++) {
        struct sink_task *task = OPS->task_new(sink, 0, &world->err);
        for (int i = 0; i < 10; i++) {
            uint32_t second[] = {1};
            struct chunk chunk;
            make_chunk(world, &chunk, rows, 2);
            if (i == 1) {
                chunk.selection = second;
                chunk.selection_count = 1;
            }
            assert_true(OPS->task_add(task, &chunk, &world->err));
            chunk.selection = NULL;
            chunk_fini(&chunk);
        }
        assert_true(OPS->task_memory(task) > 0);
        assert_true(OPS->task_finish(task, &world->err) && OPS->stage_append(sink, task, &world->err));
        OPS->task_free(task);
    }
    assert_true(OPS->prepare(sink, world->arena, &manifest, &world->err));
    assert_int_equal(manifest.rows, 38);
    assert_contains(manifest.detail, "+\n|  1|   x|\n|  2|NULL|\n|  2|NULL|\n|  1|   x|\n|  2|NULL|\n|  1|   x|\n|  2|NULL|\n+---+----+\nonly showing top 7 rows\n");
    OPS->close(sink);
    world_free(world);
}

static void what_it_cannot_do_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "-1", "/5", "5x", "1048577", ":", "99999999999999999999999"};
    struct world *world = world_new("a INT, k STRING");
    options_of(world, NULL);
    world_partition(world, "k", NULL);
    assert_false(OPS->check(&world->spec, &world->err));
    assert_int_equal(world->err.condition, COND_INLET_PARTITION_COLUMN);
    world->spec.partition_count = 0;
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        const char *pairs[] = {"truncate", wrong[i], NULL, NULL};
        options_of(world, pairs);
        if (OPS->check(&world->spec, &world->err)) fail_msg("truncate %s", wrong[i]);
        assert_int_equal(world->err.condition, COND_INLET_BAD_OPTION_VALUE);
    }
    world_free(world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_printed_as_spark_prints_it),
        cmocka_unit_test(only_the_first_rows_of_the_first_tasks_are_printed),
        cmocka_unit_test(truncate_is_true_false_or_a_width),
        cmocka_unit_test(a_batch_without_rows_prints_an_empty_table),
        cmocka_unit_test(chunks_and_selections_are_printed_up_to_the_limit),
        cmocka_unit_test(what_it_cannot_do_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
