/* ledger_recent_test -- rows of files in two tables are seen as one, wherever each row stands and whenever a merge is cut short. */
#include "base/file.h"
#include "loader/ledger_inner.h"
#include "tests/unit/fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[64];
static struct inlet_context context;
static const struct ledger_source source = {.id = 0, .identity = IDENTITY_PATH};
static struct ledger *ledger;

static void ok_or_fail(bool ok, const char *what)
{
    char text[8192];
    if (ok) return;
    error_format(&err, text, sizeof text);
    fail_msg("%s: %s", what, text);
}
#define OK(call) ok_or_fail((call), #call)

static struct ledger *open_in(const char *name)
{
    struct ledger *opened = ledger_open(arena_printf(arena, "%s/%s", folder, name), &context, &err);
    OK(opened != NULL);
    return opened;
}

static int begin(void **state)
{
    start(state);
    snprintf(folder, sizeof folder, "%s/ledger_recent_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) return -1;
    inlet_context_init(&context);
    ledger = open_in("checkpoint");
    return 0;
}

static int end(void **state)
{
    ledger_close(ledger);
    inlet_context_fini(&context);
    return directory_remove_tree(folder, NULL) ? stop(state) : -1;
}

static int64_t rows_in(const struct ledger *of, enum table table)
{
    int64_t rows = -1;
    struct kv_txn *txn = kv_read_begin(of->kv, &err);
    OK(txn && kv_count(txn, table, &rows, &err));
    kv_read_end(txn);
    return rows;
}

/* --- The walk ------------------------------------------------------------------------------------------------------ */

enum { KEYS = 6 };
static const char *const names[KEYS] = {"a", "aa", "ab", "b", "c", "cc"};

struct spread { unsigned recent, files; }; /* Masks: where the rows stand. */

static bool put_in(struct change *change, enum table table, unsigned mask, struct error *problem)
{
    struct row_writer writer = {.change = change, .table = table};
    if (!kv_clear(change->txn, table, problem)) return false;
    for (unsigned i = 0; i < KEYS; i++) {
        struct key key = key_of_file(0, 1 + i % 2, names[i]);
        struct row row = {.kind = ROW_ADMITTED, .ordinal = i};
        if (mask & 1u << i && !row_add(&writer, &key, &row, problem)) return false;
        writer.end.size = 0;
        if (table == TABLE_FILES) memset(writer.end.bytes, 0xff, writer.end.size = 500); /* Not in order: nothing is appended. */
    }
    return true;
}

static bool put_spread(struct change *change, void *user, struct error *problem)
{
    const struct spread *spread = user;
    return put_in(change, TABLE_RECENT, spread->recent, problem) && put_in(change, TABLE_FILES, spread->files, problem);
}

/* The keys in their order: directory, then name. */
static const unsigned in_order[KEYS] = {0, 2, 4, 1, 3, 5};

static void expect_from(struct kv_txn *txn, unsigned mask, const struct key *from, unsigned first)
{
    struct named_row row;
    struct named_cursor *walk = named_open(txn, TABLE_FILES, &err);
    OK(walk && named_seek(walk, from ? key_slice(from) : slice_of(NULL, 0), &row, &err));
    for (unsigned at = first; at < KEYS; at++) {
        unsigned i = in_order[at];
        struct row decoded;
        if (!(mask & 1u << i)) continue;
        assert_true(row.found);
        assert_true(slice_equal(row.name, slice_text(names[i])));
        OK(row_decode(row.payload, arena, &decoded, &err));
        assert_int_equal(decoded.ordinal, i);
        OK(named_next(walk, &row, &err));
    }
    assert_false(row.found);
    named_close(walk);
}

static void a_walk_sees_two_tables_as_one(void **state)
{
    (void)state;
    for (unsigned both = 0; both < 3 * 3 * 3 * 3 * 3 * 3; both++) { /* Each row: nowhere, recent, merged. */
        struct spread spread = {0, 0};
        for (unsigned i = 0, left = both; i < KEYS; i++, left /= 3) *(left % 3 == 1 ? &spread.recent : &spread.files) |= left % 3 ? 1u << i : 0;
        OK(ledger_change(ledger, put_spread, &spread, &err));
        struct kv_txn *txn = kv_read_begin(ledger->kv, &err);
        expect_from(txn, spread.recent | spread.files, NULL, 0);
        for (unsigned at = 0; at < KEYS; at++) {
            struct key key = key_of_file(0, 1 + in_order[at] % 2, names[in_order[at]]);
            struct row row;
            bool found;
            expect_from(txn, spread.recent | spread.files, &key, at);
            OK(row_get(txn, &key, arena, &row, &found, &err));
            assert_int_equal(found, (spread.recent | spread.files) >> in_order[at] & 1);
            key.bytes[key.size++] = 1; /* Behind it, before the next. */
            expect_from(txn, spread.recent | spread.files, &key, at + 1);
        }
        kv_read_end(txn);
    }
}

static void a_row_in_both_tables_is_damage(void **state)
{
    (void)state;
    struct ledger_filter filter = {.batch_id = -1};
    OK(ledger_change(ledger, put_spread, &(struct spread){1u << 3, 1u << 3 | 1}, &err));
    assert_false(ledger_verify(ledger, &err));
    assert_int_equal(err.condition, COND_INLET_CHECKPOINT_DAMAGED);
    OK(ledger_change(ledger, put_spread, &(struct spread){1u << 3, 1u << 3}, &err)); /* No batch has its ordinal: found first of all. */
    error_clear(&err);
    assert_false(ledger_verify(ledger, &err));
    assert_non_null(strstr(err.message, "two rows"));
    error_clear(&err);
    const struct ledger_file *file;
    bool over;
    struct ledger_scan *scan = ledger_scan_new(ledger, &filter);
    assert_false(ledger_scan_next(scan, &file, &over, &err));
    assert_int_equal(err.condition, COND_INLET_CHECKPOINT_DAMAGED);
    ledger_scan_free(scan);
    error_clear(&err);
    ledger->recent = (struct recent_bounds){.rows = 0, .slice = 1, .straight = 1};
    assert_false(ledger_merge(ledger, &err)); /* L10 */
    assert_int_equal(err.condition, COND_INLET_CHECKPOINT_DAMAGED);
    assert_int_equal(rows_in(ledger, TABLE_RECENT), 1);
    error_clear(&err);
}

/* --- A life, in one table and in two ------------------------------------------------------------------------------------- */

enum { FOLDERS = 5, FILES = 30 };

struct pair { struct ledger *plain, *tested; } pair; /* plain: each row goes straight to the big table. */

static struct admission admission_of(int number, enum admission_verdict verdict)
{
    return (struct admission){.verdict = verdict, .reason = "a reason", .check_us = 5,
                              .sighting = {.directory = arena_printf(arena, "/landing/%d", number % FOLDERS), .name = arena_printf(arena, "f%03d", number / FOLDERS * 7 % FILES),
                                           .size = 100 + number, .mtime_us = 1000 + number, .ctime_us = 7, .device = 1, .inode = 2}};
}

static void admit(struct ledger *to, const int *numbers, size_t count, enum admission_verdict verdict)
{
    struct discovery discovery = {.admissions = ARENA_ARRAY(arena, struct admission, count), .count = count};
    for (size_t i = 0; i < count; i++) discovery.admissions[i] = admission_of(numbers[i], verdict);
    OK(ledger_admit(to, &source, &discovery, &err));
}

/* Takes some files; the first `removed` of them leave the plan, each in another way. */
static void run_batch(struct ledger *of, int64_t most, size_t removed)
{
    struct ledger_input *files;
    size_t count;
    struct take_limits limits = {.files_max = most};
    struct plan plan = {.batch_time_us = 5, .settings = "{}", .pipeline_digest = "p", .plan_digest = "d", .limits = ""};
    OK(ledger_take(of, &source, &limits, arena, &files, &count, &err) && ledger_last_committed(of, &plan.batch_id, &err));
    if (!count) return;
    struct plan_task task = {.pieces = ARENA_ARRAY(arena, struct plan_piece, count), .count = count};
    for (size_t i = 0; i < count; i++) task.pieces[i] = (struct plan_piece){(uint32_t)i, 0, -1};
    plan.batch_id++;
    plan.ranges = plan_ranges(arena, files, count, 0, &plan.range_count);
    plan.tasks = &task;
    plan.task_count = 1;
    OK(ledger_plan(of, &plan, &err));
    if (removed > count - 1) removed = count - 1;
    struct removal *removals = ARENA_ARRAY(arena, struct removal, removed + 1);
    for (size_t i = 0; i < removed; i++) removals[i] = (struct removal){0, files[i].ordinal, (enum removal_kind)(i % 4), "by test", {.could_open = true}};
    task.count = count - removed;
    OK(ledger_replan(of, &plan, removals, removed, &err));
    struct file_outcome *outcomes = ARENA_ARRAY(arena, struct file_outcome, count);
    for (size_t i = removed; i < count; i++) outcomes[i - removed] = (struct file_outcome){.ordinal = files[i].ordinal, .rows = 1, .records_framed = 1, .bytes = 1};
    struct prepared prepared = {.batch_id = plan.batch_id, .manifest = slice_text("m"), .outcomes = outcomes, .outcome_count = count - removed, .bytes_out = 1};
    OK(ledger_prepare(of, &prepared, &err) && ledger_commit(of, plan.batch_id, NULL, NULL, 0, NULL, &err));
}

static void retake(struct ledger *of, bool gone)
{
    struct failed_file *files;
    size_t count;
    OK(ledger_failed(of, 0, -1, 2, arena, &files, &count, &err));
    struct retake retakes[2];
    for (size_t i = 0; i < count; i++) retakes[i] = (struct retake){0, files[i].ordinal, gone};
    OK(ledger_retake(of, retakes, count, &err));
}

static const struct ledger_file *next_of(struct ledger_scan *scan)
{
    const struct ledger_file *file;
    bool over;
    OK(ledger_scan_next(scan, &file, &over, &err));
    return over ? NULL : file;
}

static void expect_known(const bool *admitted)
{
    for (int directory = 0; directory < FOLDERS; directory++) {
        const char *asked[FILES + 30];
        bool known[2][COUNTOF(asked)];
        for (int i = 0; i < (int)COUNTOF(asked); i++) asked[i] = arena_printf(arena, "f%03d", i);
        size_t count = directory % 2 ? COUNTOF(asked) : 20; /* By a walk; name by name. */
        OK(ledger_known(pair.plain, &source, arena_printf(arena, "/landing/%d", directory), asked, NULL, count, known[0], &err));
        OK(ledger_known(pair.tested, &source, arena_printf(arena, "/landing/%d", directory), asked, NULL, count, known[1], &err));
        assert_memory_equal(known[0], known[1], count);
        for (int i = 0; i < FILES && i < (int)count; i++) assert_true(admitted[directory * FILES + i] || !known[1][i]);
    }
}

static void expect_the_same(const bool *admitted)
{
    struct ledger_filter filter = {.batch_id = -1};
    struct ledger_scan *plain = ledger_scan_new(pair.plain, &filter), *tested = ledger_scan_new(pair.tested, &filter);
    const struct ledger_file *a, *b;
    bool seen[FOLDERS * FILES] = {false};
    while ((a = next_of(plain))) {
        b = next_of(tested);
        assert_non_null(b);
        assert_string_equal(a->directory, b->directory);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->state, b->state);
        assert_int_equal(a->ordinal, b->ordinal);
        assert_int_equal(a->batch_id, b->batch_id);
        struct ledger_file found[2];
        OK(ledger_find(pair.plain, &source, a->directory, a->name, arena, &found[0], &err));
        OK(ledger_find(pair.tested, &source, a->directory, a->name, arena, &found[1], &err));
        assert_int_equal(found[0].state, found[1].state);
        seen[atoi(strrchr(a->directory, '/') + 1) * FILES + atoi(a->name + 1)] = true;
    }
    assert_null(next_of(tested));
    assert_memory_equal(seen, admitted, sizeof seen); /* A vanished file that is back and unsettled has two entries. */
    ledger_scan_free(plain);
    ledger_scan_free(tested);
    OK(ledger_verify(pair.tested, &err));
}

static void one_step(unsigned *seed, bool *admitted)
{
    int numbers[40];
    size_t count = 1 + (unsigned)rand_r(seed) % COUNTOF(numbers);
    enum admission_verdict verdict = (const enum admission_verdict[]){ADMIT_PENDING, ADMIT_PENDING, ADMIT_PENDING, ADMIT_SKIPPED, ADMIT_UNSETTLED}[rand_r(seed) % 5];
    bool spare = rand_r(seed) % 2;
    switch (rand_r(seed) % 5) {
    case 0: case 1:
        for (size_t i = 0; i < count; i++) {
            numbers[i] = rand_r(seed) % (FOLDERS * FILES);
            admitted[numbers[i] % FOLDERS * FILES + numbers[i] / FOLDERS * 7 % FILES] = true;
        }
        admit(pair.plain, numbers, count, verdict);
        admit(pair.tested, numbers, count, verdict);
        break;
    case 2:
        run_batch(pair.plain, (int64_t)count, spare ? count / 3 : 0);
        run_batch(pair.tested, (int64_t)count, spare ? count / 3 : 0);
        break;
    case 3:
        retake(pair.plain, spare);
        retake(pair.tested, spare);
        break;
    default:
        pair.tested->recent = recent_bounds_of(1 + rand_r(seed) % 30);
        if (spare) pair.tested->recent.straight = 20;
        OK(ledger_merge(pair.tested, &err));
        assert_true(rows_in(pair.tested, TABLE_RECENT) <= pair.tested->recent.rows);
    }
}

static void two_tables_answer_as_one_does(void **state)
{
    (void)state;
    unsigned seed = getenv("INLET_SEED") ? (unsigned)atoi(getenv("INLET_SEED")) : (unsigned)time(NULL);
    print_message("# INLET_SEED=%u\n", seed);
    int64_t merged = 0, recent = 0;
    for (int life = 0; life < 4; life++) {
        bool admitted[FOLDERS * FILES] = {false};
        pair.plain = open_in(arena_printf(arena, "plain-%d", life));
        pair.tested = open_in(arena_printf(arena, "tested-%d", life));
        pair.plain->recent.straight = 0;
        for (int step = 0; step < 100; step++) {
            one_step(&seed, admitted);
            if (step % 5) continue;
            expect_the_same(admitted);
            expect_known(admitted);
        }
        assert_int_equal(rows_in(pair.plain, TABLE_RECENT), 0);
        merged += rows_in(pair.tested, TABLE_FILES);
        recent += rows_in(pair.tested, TABLE_RECENT);
        ledger_close(pair.plain);
        ledger_close(pair.tested);
    }
    assert_true(merged > 0 && recent > 0);
}

/* --- Where rows go -------------------------------------------------------------------------------------------------------- */

static void admit_range(int first, int count)
{
    struct discovery discovery = {.admissions = ARENA_ARRAY(arena, struct admission, count), .count = (size_t)count};
    for (int i = 0; i < count; i++) {
        discovery.admissions[i] = admission_of(0, ADMIT_PENDING);
        discovery.admissions[i].sighting.name = arena_printf(arena, "file-%06d", first + i);
    }
    OK(ledger_admit(ledger, &source, &discovery, &err));
    assert_int_equal(discovery.admitted, count);
}

static void large_admissions_go_straight_small_ones_are_merged(void **state)
{
    (void)state;
    ledger->recent = recent_bounds_of(800);
    admit_range(0, 200);
    assert_int_equal(rows_in(ledger, TABLE_FILES), 200);
    for (int i = 0; i < 8; i++) admit_range(1000 + 100 * i, 100);
    OK(ledger_merge(ledger, &err));
    assert_int_equal(rows_in(ledger, TABLE_RECENT), 800); /* The bound is kept, not crossed. */
    admit_range(5000, 1);
    OK(ledger_merge(ledger, &err));
    assert_int_equal(rows_in(ledger, TABLE_RECENT), 701); /* One slice. */
    for (int i = 0; i < 9; i++) admit_range(6000 + 100 * i, 100);
    int64_t before = rows_in(ledger, TABLE_RECENT);
    admit_range(7000, 10); /* Nobody merges: beyond twice the bound it goes straight. */
    assert_int_equal(rows_in(ledger, TABLE_RECENT), before);
    OK(ledger_merge(ledger, &err));
    assert_true(rows_in(ledger, TABLE_RECENT) <= 800);
    assert_int_equal(rows_in(ledger, TABLE_RECENT) + rows_in(ledger, TABLE_FILES), 200 + 800 + 1 + 900 + 10);
    OK(ledger_verify(ledger, &err));
}

static int wait_for(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void a_merge_that_is_killed_loses_and_doubles_nothing(void **state)
{
    (void)state;
    unsigned seed = getenv("INLET_SEED") ? (unsigned)atoi(getenv("INLET_SEED")) : 7;
    struct ledger_counts counts;
    ledger->recent = recent_bounds_of(1 << 20);
    for (int i = 0; i < 40; i++) admit_range(i * 100, 100);
    int64_t last = 4000;
    for (int round = 0; round < 40 && last > 1; round++) {
        ledger_close(ledger);
        pid_t child = fork();
        if (child == 0) {
            ledger = open_in("checkpoint");
            ledger->recent = (struct recent_bounds){.rows = 0, .slice = 1 + round % 7, .straight = 64};
            _exit(ledger_merge(ledger, &err) ? 0 : 1);
        }
        long wait_ns = 1000000 + (long)(rand_r(&seed) % 8000) * 1000;
        nanosleep(&(struct timespec){.tv_nsec = getenv("VALGRIND") ? 50 * wait_ns : wait_ns}, NULL);
        kill(child, SIGKILL);
        int status = wait_for(child);
        assert_true(status == 0 || status == 128 + SIGKILL);
        ledger = open_in("checkpoint");
        OK(ledger_verify(ledger, &err) && ledger_counts(ledger, &counts, &err));
        assert_int_equal(counts.files[FILE_PENDING], 4000);
        assert_int_equal(rows_in(ledger, TABLE_RECENT) + rows_in(ledger, TABLE_FILES), 4000);
        assert_true(rows_in(ledger, TABLE_RECENT) <= last);
        last = rows_in(ledger, TABLE_RECENT);
    }
    assert_true(last < 4000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_walk_sees_two_tables_as_one), TEST(a_row_in_both_tables_is_damage), TEST(two_tables_answer_as_one_does),
        TEST(large_admissions_go_straight_small_ones_are_merged), TEST(a_merge_that_is_killed_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
