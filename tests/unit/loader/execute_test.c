/* execute_test -- batches over a reader and a sink that are made up: rows reach the sink once and in task order however many threads there
 * are and however large tasks grow, and the first failure ends the batch, with its reason and without what was staged. */
#include "loader/execute.h"
#include "tests/unit/fixture.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { CHUNKS = 3, TASKS_MAX = 64, FULL = 41 << 20, MANY_BYTES = 1 << 20 };
enum stage { NOWHERE, SCAN_NEW, TASK_NEW, SCAN_NEXT, TASK_ADD, APPEND_EARLY, TASK_FINISH, APPEND, STOP, STAGES };

static struct world {
    enum stage fails_in;
    size_t fails_at;                 /* Task. */
    size_t large_each;               /* So many tasks grow beyond what may wait; 0: none. */
    enum condition condition;        /* Of what a scan says. */
    const char *file;
    const char *damage;
    struct inlet_context context;
    int64_t taken[TASKS_MAX * CHUNKS]; /* What the sink has, in the order in which it came. */
    size_t taken_count;
    size_t to_append;                /* The task whose turn it is. */
    _Atomic int tasks_held, scans_held, appending;
    _Atomic long early;
} world;

/* --- A system that gives no threads ---------------------------------------------------------------------------------------- */

static long threads_refused;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *user)
{
    if (threads_refused > 0 && threads_refused--) return EAGAIN;
    return ((int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, run, user);
}

/* --- The reader: each task is one file, from which come some chunks of one row ----------------------------------------------- */

struct scan { const struct file_range *ranges; struct range_outcome *outcomes; size_t count; long chunks; struct budget *budget; };

static size_t task_of(const struct scan *scan) { return (size_t)atol(strrchr(scan->ranges[0].path, '/') + 1); }
static bool fails(enum stage stage, size_t task) { return world.fails_in == stage && world.fails_at == task; }

static struct scan *scan_new(const struct reader *reader, struct inlet_context *context, struct error *problem)
{
    assert_null(reader);
    if (world.fails_in == SCAN_NEW) {
        (void)error_set(problem, COND_INLET_NO_MEMORY, "no room to scan");
        return NULL;
    }
    struct scan *scan = calloc(1, sizeof *scan);
    assert_non_null(scan);
    scan->budget = context->budget;
    world.scans_held++;
    return scan;
}

static void scan_begin(struct scan *scan, const struct file_range *ranges, size_t count, struct range_outcome *outcomes)
{
    *scan = (struct scan){ranges, outcomes, count, 0, scan->budget};
    memset(outcomes, 0, count * sizeof *outcomes);
}

static enum pull scan_next(struct scan *scan, struct chunk *chunk, struct error *problem)
{
    size_t task = task_of(scan);
    usleep((useconds_t)(task * 7 % 5 * 100)); /* Later ones overtake. */
    if (fails(SCAN_NEXT, task) && scan->chunks == 1) {
        (void)error_set(problem, world.condition, "task %zu cannot be read", task);
        if (world.file) (void)error_at(problem, world.file, 1, 0);
        return PULL_FAILED;
    }
    if (fails(STOP, task)) atomic_store(&world.context.cancel.level, 2);
    if (scan->chunks == CHUNKS) return PULL_END;
    chunk_reset(chunk);
    if (!column_reserve(&chunk->columns[0], scan->budget, 1, problem)) return PULL_FAILED;
    ((int64_t *)chunk->columns[0].values)[0] = (int64_t)task * CHUNKS + scan->chunks++;
    chunk->columns[0].length = chunk->row_count = 1;
    scan->outcomes[0].rows = scan->outcomes[0].records_framed = scan->chunks;
    if (world.damage) {
        scan->outcomes[0].ignored_corrupt = true;
        snprintf(scan->outcomes[0].damage, sizeof scan->outcomes[0].damage, "%s", world.damage);
    }
    return PULL_CHUNK;
}

static void scan_free(struct scan *scan)
{
    world.scans_held--;
    free(scan);
}

static const struct reader_ops reader = {.name = "made up", .scan_new = scan_new, .scan_begin = scan_begin, .scan_next = scan_next, .scan_free = scan_free};

/* --- The sink: keeps the numbers ------------------------------------------------------------------------------------------------ */

struct sink_task { size_t index, count; int64_t rows[CHUNKS]; bool finished; };

static bool refuse(enum stage stage, size_t task, struct error *problem)
{
    return !fails(stage, task) || error_set(problem, COND_INLET_IO, "stage %d of task %zu", (int)stage, task);
}

static struct sink_task *task_new(void *state, uint32_t index, struct error *problem)
{
    assert_ptr_equal(state, &world);
    if (!refuse(TASK_NEW, index, problem)) return NULL;
    struct sink_task *task = calloc(1, sizeof *task);
    assert_non_null(task);
    task->index = index;
    world.tasks_held++;
    return task;
}

static bool task_add(struct sink_task *task, const struct chunk *chunk, struct error *problem)
{
    if (!refuse(TASK_ADD, task->index, problem)) return false;
    task->rows[task->count++] = ((const int64_t *)chunk->columns[0].values)[0];
    return true;
}

static bool task_finish(struct sink_task *task, struct error *problem)
{
    task->finished = true;
    return refuse(TASK_FINISH, task->index, problem);
}

static size_t task_memory(const struct sink_task *task) { return world.large_each && task->count && task->index % world.large_each == 0 ? FULL : 10; }

static void task_free(struct sink_task *task)
{
    world.tasks_held--;
    free(task);
}

/* One caller at a time; only for the task whose turn it is. */
static bool stage_append(void *state, struct sink_task *task, struct error *problem)
{
    assert_ptr_equal(state, &world);
    if (++world.appending != 1 || task->index != world.to_append) abort();
    for (size_t i = 0; i < task->count; i++) world.taken[world.taken_count++] = task->rows[i];
    task->count = 0;
    if (task->finished) world.to_append++;
    else world.early++;
    world.appending--;
    return refuse(task->finished ? APPEND : APPEND_EARLY, task->index, problem);
}

static const struct sink_ops sink = {.name = "made up", .task_new = task_new, .task_add = task_add, .task_finish = task_finish, .task_memory = task_memory,
                                     .task_free = task_free, .stage_append = stage_append};

/* --- One batch --------------------------------------------------------------------------------------------------------------------- */

static struct file_outcome outcomes[TASKS_MAX];
static struct live_counts live;
static struct execution_result result;

static bool execute(unsigned threads, size_t tasks, int64_t bytes)
{
    struct ledger_input files[TASKS_MAX];
    struct plan_task planned[TASKS_MAX];
    struct plan_piece pieces[TASKS_MAX];
    for (size_t i = 0; i < tasks; i++) {
        files[i] = (struct ledger_input){.directory = "/landing", .name = arena_printf(arena, "%zu", i), .size = 100};
        pieces[i] = (struct plan_piece){(uint32_t)i, 0, -1};
        planned[i] = (struct plan_task){&pieces[i], 1};
    }
    const struct type *schema = schema_parse_ddl(arena, "n BIGINT", &err);
    struct execution execution = {.context = &world.context, .reader_ops = &reader, .read_schema = schema, .output_schema = schema, .sink_ops = &sink, .sink = &world,
                                  .files = files, .tasks = planned, .task_count = tasks, .input_bytes = bytes, .outcomes = outcomes, .notes = arena, .live = &live};
    world.context.thread_count = threads;
    world.taken_count = world.to_append = 0;
    memset(outcomes, 0, sizeof outcomes);
    memset(&live, 0, sizeof live);
    error_clear(&err);
    bool ok = execute_batch(&execution, &result, &err);
    assert_int_equal(world.tasks_held, 0);
    assert_int_equal(world.scans_held, 0);
    assert_int_equal(budget_used(world.context.budget), 0);
    atomic_store(&world.context.cancel.level, 0);
    threads_refused = 0;
    return ok;
}

static int begin(void **state)
{
    start(state);
    memset(&world, 0, sizeof world);
    inlet_context_init(&world.context);
    return 0;
}

static int end(void **state)
{
    inlet_context_fini(&world.context);
    return stop(state);
}

static void expect_all(bool ok, size_t tasks)
{
    if (!ok) fail_msg("%s", err.message);
    assert_int_equal(world.taken_count, tasks * CHUNKS);
    for (size_t i = 0; i < world.taken_count; i++) assert_int_equal(world.taken[i], i);
    for (size_t i = 0; i < tasks; i++) assert_int_equal(outcomes[i].rows, CHUNKS);
    assert_int_equal(result.rows, tasks * CHUNKS);
    assert_int_equal(live.rows, tasks * CHUNKS);
    assert_int_equal(live.files, tasks);
    assert_int_equal(live.bytes, tasks * 100);
    assert_int_equal(result.kind, FAILURE_NONE);
}

static void rows_come_in_task_order_whatever_runs_them(void **state)
{
    (void)state;
    static const size_t each[] = {0, 1, 3};
    for (size_t large = 0; large < COUNTOF(each); large++) {
        world.large_each = each[large];
        for (unsigned threads = 0; threads <= 8; threads += threads ? threads : 1) {
            world.early = 0;
            expect_all(execute(threads, 25, MANY_BYTES), 25);
            assert_true(world.large_each ? world.early > 0 : world.early == 0);
        }
        expect_all(execute(8, 1, MANY_BYTES), 1);
        expect_all(execute(8, 2, MANY_BYTES), 2);
        expect_all(execute(8, 5, 1), 5); /* Few bytes: without threads. */
    }
    assert_true(execute(4, 0, MANY_BYTES));
    assert_int_equal(result.rows, 0);
}

static void a_system_without_threads_does_with_those_it_has(void **state)
{
    (void)state;
    world.large_each = 4;
    for (long refused = 1; refused <= 4; refused++) { /* The first: the writer. */
        threads_refused = refused;
        expect_all(execute(4, 20, MANY_BYTES), 20);
    }
}

static void a_failure_ends_the_batch_with_its_reason(void **state)
{
    (void)state;
    world.large_each = 3;
    world.condition = COND_MALFORMED_RECORD_STRING;
    for (enum stage stage = SCAN_NEW; stage < STAGES; stage++)
        for (unsigned threads = 1; threads <= 4; threads += 3)
            for (size_t at = 0; at < 13; at += stage == APPEND_EARLY ? 3 : 4) {
                world.fails_in = stage;
                world.fails_at = at;
                if (execute(threads, 13, MANY_BYTES)) fail_msg("stage %d, task %zu, %u threads", (int)stage, at, threads);
                enum condition told = stage == SCAN_NEW ? COND_INLET_NO_MEMORY : stage == SCAN_NEXT ? world.condition : stage == STOP ? COND_INLET_CANCELLED : COND_INLET_IO;
                assert_int_equal(err.condition, told);
                assert_int_equal(result.kind, stage == SCAN_NEW || stage == SCAN_NEXT || stage == STOP ? FAILURE_DATA : FAILURE_SINK);
                for (size_t i = 0; i < world.taken_count; i++) assert_int_equal(world.taken[i], i);
                assert_true(world.to_append <= at + 1);
            }
    world.fails_in = NOWHERE;
    expect_all(execute(4, 13, MANY_BYTES), 13);
}

/* Only a file of the task, and only what the file itself is to blame for, can leave the plan. */
static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    static const struct { enum condition condition; const char *file; enum failure_kind kind; } cases[] = {
        {COND_PATH_NOT_FOUND, "/landing/3", FAILURE_INPUT_FILE}, {COND_FAILED_READ_FILE_NOT_EXIST, "/landing/3", FAILURE_INPUT_FILE},
        {COND_INLET_FILE_CHANGED, "/landing/3", FAILURE_INPUT_FILE}, {COND_INLET_PERMISSION, "/landing/3", FAILURE_INPUT_FILE},
        {COND_INLET_IO, "/landing/3", FAILURE_INPUT_FILE}, {COND_INLET_IO, "/elsewhere/3", FAILURE_DATA}, {COND_INLET_IO, NULL, FAILURE_DATA},
        {COND_MALFORMED_RECORD_STRING, "/landing/3", FAILURE_DATA},
    };
    world.fails_in = SCAN_NEXT;
    world.fails_at = 3;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        world.condition = cases[i].condition;
        world.file = cases[i].file;
        assert_false(execute(4, 6, MANY_BYTES));
        assert_int_equal(err.condition, cases[i].condition);
        assert_int_equal(result.kind, cases[i].kind);
        assert_int_equal(result.file_index, cases[i].kind == FAILURE_INPUT_FILE ? 3 : 0);
    }
}

static void damage_that_is_ignored_is_noted(void **state)
{
    (void)state;
    world.damage = "torn at byte 7";
    expect_all(execute(2, 4, MANY_BYTES), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(outcomes[i].state, OUTCOME_CORRUPT);
        assert_string_equal(outcomes[i].note, world.damage);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_come_in_task_order_whatever_runs_them), TEST(a_system_without_threads_does_with_those_it_has), TEST(a_failure_ends_the_batch_with_its_reason),
        TEST(a_file_that_cannot_be_read_is_named), TEST(damage_that_is_ignored_is_noted),
    };
    return cmocka_run_group_tests_name("execute", tests, NULL, NULL);
}
