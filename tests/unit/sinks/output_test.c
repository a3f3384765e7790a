/* output_test -- rows on their way into files, where the encoder fails, the system fails, partitions are many, or files are small. */
#include "fixture.h"
#include "disturbed.h"

#define OPS (&json_sink) /* The functions are the same for all formats; the encoder is opened by hand. */

enum { PARTITIONS = 80, ROWS = 2 * PARTITIONS }; /* More than are kept open. */

static void set_options(struct world *world, const char *const *pairs)
{
    const struct option_spec *tables[] = {file_sink_options};
    world_options(world, tables, 1, pairs);
}

/* Rows that go round the partitions. */
static const char *const *cells_of(struct world *world, uint32_t rows, uint32_t partitions)
{
    const char **cells = ARENA_ARRAY(world->arena, const char *, 2 * rows);
    for (uint32_t i = 0; i < rows; i++) {
        cells[2 * i] = arena_printf(world->arena, "%u", i);
        cells[2 * i + 1] = arena_printf(world->arena, "p%u", i % partitions);
    }
    return cells;
}

struct batch_run { const char *const *cells; uint32_t rows; int tasks; struct manifest manifest; bool prepared; };

/* Open to publish in one process; what is opened is closed again. */
static bool run_process(struct world *world, struct batch_run *run)
{
    struct file_sink sink = {0};
    struct batch_identity batch = batch_of(0, "digest");
    error_clear(&world->err);
    if (!file_sink_check(&line_format, &world->spec, &world->err) || !file_sink_open(&sink, &line_format, &world->spec, &world->err)) return false;
    bool ok = run->prepared || OPS->stage_begin(&sink, &batch, &world->err);
    for (int i = 0; ok && !run->prepared && i < run->tasks; i++) {
        struct chunk chunk;
        bool counts = fault.counts;
        fault.counts = false;
        make_chunk(world, &chunk, run->cells, run->rows);
        fault.counts = counts;
        struct sink_task *task = OPS->task_new(&sink, 0, &world->err);
        ok = OPS->task_add(task, &chunk, &world->err) && OPS->stage_append(&sink, task, &world->err) && /* Its turn came early. */
             OPS->task_finish(task, &world->err) && OPS->stage_append(&sink, task, &world->err);
        assert_true(!ok || OPS->task_memory(task) == 0);
        OPS->task_free(task);
        chunk_fini(&chunk);
    }
    ok = ok && (run->prepared || OPS->prepare(&sink, world->arena, &run->manifest, &world->err));
    run->prepared = ok || run->prepared;
    ok = ok && OPS->publish(&sink, &batch, &run->manifest, &world->err);
    if (!ok) OPS->abort(&sink);
    OPS->close(&sink);
    return ok;
}

/* Every published file by its bytes, in the order of the manifest. */
static const char *published(struct world *world, const struct manifest *manifest)
{
    struct buffer out = {0};
    for (size_t i = 0; i < manifest->count; i++) buffer_printf(&out, "%s\n%s", manifest->files[i].final_name, file_text(world, manifest->files[i].final_name));
    const char *text = arena_strndup(world->arena, (const char *)out.data, out.size);
    buffer_free(&out);
    return text;
}

/* A world of its own; with the at-th call of the encoder, or of the system, made to fail. Returns what was published, on the heap. */
static char *run_once(const char *const *pairs, bool partitioned, uint32_t rows, bool of_encoder, long at, int code, long *calls)
{
    struct world *world = world_new("a INT, k STRING");
    set_options(world, pairs);
    world->context.thread_count = 1; /* So that the same calls come in the same order. */
    if (partitioned) world_partition(world, "k", NULL);
    struct batch_run run = {.cells = cells_of(world, rows, PARTITIONS), .rows = rows, .tasks = 2};
    line_calls = 0;
    line_fails_at = of_encoder ? at : 0;
    is_broken = false;
    fault.calls = 0;
    fault.at = of_encoder ? 0 : at;
    fault.code = code;
    fault.counts = true;
    bool ok = run_process(world, &run);
    fault.counts = false;
    line_fails_at = 0;
    *calls = of_encoder ? line_calls : fault.calls;
    if (at && of_encoder) {
        assert_false(ok);
        assert_string_equal(world->err.message, "the encoder fails");
    }
    if (!ok) assert_true(error_is_set(&world->err));
    assert_int_equal(files_alive, 0);
    assert_int_equal(pieces_open, 0);
    assert_int_equal(budget_used(world->context.budget), 0);
    if (!ok && !run_process(world, &run)) fail_msg("after call %ld failed: %s", at, world->err.message);
    char *text = strdup(published(world, &run.manifest));
    world_free(world);
    return text;
}

static void fail_each(const char *const *pairs, bool partitioned, uint32_t rows, bool of_encoder, int code)
{
    long calls, unused;
    char *expected = run_once(pairs, partitioned, rows, of_encoder, 0, code, &calls);
    long stride = getenv("VALGRIND") ? 20 : 1;
    for (long at = 1; at <= calls; at += stride) {
        if (calls > 300 && at > 60 && at % 7) continue; /* Of hundreds alike, some. */
        char *found = run_once(pairs, partitioned, rows, of_encoder, at, code, &unused);
        assert_string_equal(found, expected);
        free(found);
    }
    free(expected);
}

static void an_encoder_that_fails_is_an_error_and_the_next_try_is_whole(void **state)
{
    (void)state;
    static const char *const small[] = {"maxRecordsPerFile", "2", NULL, NULL};
    line_head = "head\n";
    line_tail = "tail\n";
    fail_each(NULL, false, 3, true, 0);
    fail_each(NULL, false, 0, true, 0); /* A file of no rows. */
    fail_each(small, false, 5, true, 0);
    fail_each(NULL, true, ROWS, true, 0);
    line_head = line_tail = "";
    fail_each(NULL, false, 0, true, 0); /* No file at all. */
}

static void a_system_that_fails_where_partitions_are_many(void **state)
{
    (void)state;
    line_tail = "tail\n";
    fail_each(NULL, true, ROWS, false, EIO);
    stays_broken = true;
    fail_each(NULL, true, 3, false, ENOSPC);
    stays_broken = false;
    line_tail = "";
}

/* A task holds no more than it may, whichever of its partitions have the bytes. */
static void the_largest_piece_is_finished_where_all_are_large_together(void **state)
{
    (void)state;
    long calls, unused;
    line_memory = 4 << 20; /* A row or two fill what a task may hold. */
    pieces_open_max = 0;
    char *expected = run_once(NULL, true, ROWS, true, 0, 0, &calls);
    assert_true(pieces_open_max > 0 && pieces_open_max <= 3);
    for (long at = 1; at <= calls; at += getenv("VALGRIND") ? 60 : 3) {
        char *found = run_once(NULL, true, ROWS, true, at, 0, &unused);
        assert_string_equal(found, expected);
        free(found);
    }
    line_memory = 0; /* None is the largest: the first of them goes, whatever went before. */
    free(run_once(NULL, true, ROWS, true, 0, 0, &calls));
    assert_true(pieces_open_max <= 64);
    line_memory = 1;
    free(expected);
}

static void a_long_chunk_is_cut_where_files_are_small(void **state)
{
    (void)state;
    static const char *const pairs[] = {"maxFileSize", "1000", NULL, NULL};
    struct world *world = world_new("a INT, k STRING");
    set_options(world, pairs);
    struct batch_run run = {.cells = cells_of(world, 1000, 1), .rows = 1000, .tasks = 1};
    assert_true(run_process(world, &run));
    assert_int_equal(run.manifest.rows, 1000);
    assert_true(run.manifest.count >= 4);
    for (size_t i = 0, row = 0; i < run.manifest.count; i++)
        for (const char *line = file_text(world, run.manifest.files[i].final_name); *line; line = strchr(line, '\n') + 1)
            assert_int_equal(atoi(line), row++); /* In order, over all files. */
    world_free(world);
}

static void more_than_the_kernel_is_left_with_at_once(void **state)
{
    (void)state;
    enum { ROW_BYTES = 1 << 20, MANY = 10 };
    struct world *world = world_new("a INT, k STRING");
    char *long_text = malloc(ROW_BYTES + 1);
    memset(long_text, 'x', ROW_BYTES);
    long_text[ROW_BYTES] = 0;
    const char *cells[2 * MANY];
    for (int i = 0; i < MANY; i++) {
        cells[2 * i] = "1";
        cells[2 * i + 1] = long_text;
    }
    struct batch_run run = {.cells = cells, .rows = MANY, .tasks = 2};
    assert_true(run_process(world, &run));
    assert_int_equal(run.manifest.bytes, 2 * MANY * (ROW_BYTES + 3));
    free(long_text);
    world_free(world);
}

/* --- what does not add up is not given a manifest ------------------------------------------------------ */

static void a_file_whose_rows_do_not_add_up_is_refused(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct batch_run run = {.cells = cells_of(world, 2, 1), .rows = 2, .tasks = 1};
    line_rows_more = 1;
    assert_false(run_process(world, &run));
    line_rows_more = 0;
    assert_int_equal(world->err.condition, COND_INLET_COUNT_MISMATCH);
    assert_contains(world->err.message, "says it has 3 rows where 2 were given");
    assert_true(run_process(world, &run));
    world_free(world);
}

static void a_staged_file_that_somebody_adds_to_is_refused(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    struct file_sink sink = {0};
    struct batch_identity batch = batch_of(0, "digest");
    struct manifest manifest;
    assert_true(file_sink_open(&sink, &line_format, &world->spec, &world->err));
    assert_true(OPS->stage_begin(&sink, &batch, &world->err));
    assert_true(stage_cells(world, OPS, &sink, cells_of(world, 2, 1), 2));
    const char *staged = path_join(world->arena, world->spec.path, "_inlet/" QUERY_ID "/0-00000.staged");
    int fd = open(staged, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "more", 4), 4);
    close(fd);
    assert_false(OPS->prepare(&sink, world->arena, &manifest, &world->err));
    assert_contains(world->err.message, "bytes where");
    OPS->abort(&sink);
    OPS->close(&sink);
    world_free(world);
}

static void a_name_that_no_path_can_hold_is_refused_before_it_is_promised(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    world_partition(world, "k", NULL);
    char *path = arena_alloc(world->arena, 4096), folder[256];
    int size = snprintf(path, 4096, "%s", world->spec.path);
    while (size < 3820) size += snprintf(path + size, 4096 - (size_t)size, "/%0100d", 1);
    world->spec.path = path;
    memset(folder, 'f', sizeof folder);
    folder[250] = 0;
    const char *cells[] = {"1", folder};
    struct batch_run run = {.cells = cells, .rows = 1, .tasks = 1};
    assert_false(run_process(world, &run));
    assert_int_equal(world->err.condition, COND_TASK_WRITE_FAILED);
    assert_contains(world->err.message, "too long for a path");
    world_free(world);
    world = world_new("a INT, k STRING");
    world_partition(world, "k", NULL);
    char value[300];
    memset(value, 'f', sizeof value);
    value[299] = 0;
    cells[1] = value;
    assert_false(run_process(world, &run));
    assert_contains(world->err.message, "has a name of 301 bytes");
    world_free(world);
}

static void a_batch_without_rows_has_no_folder_to_put_a_header_into(void **state)
{
    (void)state;
    struct world *world = world_new("a INT, k STRING");
    world_partition(world, "k", NULL);
    line_head = "head\n";
    struct batch_run run = {.rows = 0, .tasks = 1, .cells = cells_of(world, 1, 1)};
    assert_true(run_process(world, &run));
    line_head = "";
    assert_int_equal(run.manifest.count, 0);
    world_free(world);
}

static void what_was_not_made_may_be_freed(void **state)
{
    (void)state;
    OPS->task_free(NULL);
    output_free(NULL);
    partition_split_free(NULL);
    console_sink.task_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_encoder_that_fails_is_an_error_and_the_next_try_is_whole),
        cmocka_unit_test(a_system_that_fails_where_partitions_are_many),
        cmocka_unit_test(the_largest_piece_is_finished_where_all_are_large_together),
        cmocka_unit_test(a_long_chunk_is_cut_where_files_are_small),
        cmocka_unit_test(more_than_the_kernel_is_left_with_at_once),
        cmocka_unit_test(a_file_whose_rows_do_not_add_up_is_refused),
        cmocka_unit_test(a_staged_file_that_somebody_adds_to_is_refused),
        cmocka_unit_test(a_name_that_no_path_can_hold_is_refused_before_it_is_promised),
        cmocka_unit_test(a_batch_without_rows_has_no_folder_to_put_a_header_into),
        cmocka_unit_test(what_was_not_made_may_be_freed),
    };
    world_in_memory = true;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
