/* ledger_early_test -- admission, plan and prepared in one transaction: all of it is there, or nothing is. */
#include "base/file.h"
#include "loader/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILES = 2 };

struct world {
    char folder[64], checkpoint[96];
    struct inlet_context context;
    struct ledger *ledger;
    struct ledger_source source;
    struct arena *arena;
    struct error err;
    struct plan plan;
    struct file_outcome outcomes[FILES];
    struct prepared prepared;
    bool refuses;
    int runs;
};

static void reopen(struct world *w)
{
    ledger_close(w->ledger);
    w->ledger = ledger_open(w->checkpoint, &w->context, &w->err);
    assert_non_null(w->ledger);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    snprintf(w->folder, sizeof w->folder, "%s/ledger_early_test_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(w->folder)) return -1;
    snprintf(w->checkpoint, sizeof w->checkpoint, "%s/checkpoint", w->folder);
    inlet_context_init(&w->context);
    w->arena = arena_new("test");
    reopen(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    ledger_close(w->ledger);
    bool ok = directory_remove_tree(w->folder, NULL);
    arena_free(w->arena);
    inlet_context_fini(&w->context);
    free(w);
    return ok ? 0 : -1;
}

static const struct plan *make(void *user, int64_t batch_id, struct ledger_input *files, size_t count)
{
    struct world *w = user;
    assert_int_equal(count, FILES);
    w->plan = (struct plan){.batch_id = batch_id, .watermark_late_us = WATERMARK_NONE, .watermark_evict_us = WATERMARK_NONE, .settings = "{}",
                            .pipeline_digest = "pipeline", .plan_digest = "plan", .limits = ""};
    w->plan.ranges = plan_ranges(w->arena, files, count, 0, &w->plan.range_count);
    for (size_t i = 0; i < count; i++)
        w->outcomes[i] = (struct file_outcome){.ordinal = files[i].ordinal, .rows = 7, .records_framed = 7, .bytes = files[i].size};
    return &w->plan;
}

static struct open_batch open_batch_of(struct world *w)
{
    struct open_batch open;
    assert_true(ledger_open_batch(w->ledger, w->arena, &open, &w->err));
    return open;
}

static struct ledger_counts counts_of(struct world *w)
{
    struct ledger_counts counts;
    assert_true(ledger_counts(w->ledger, &counts, &w->err));
    return counts;
}

/* Nothing of the transaction is to be seen from outside yet. */
static const struct prepared *run(void *user)
{
    struct world *w = user;
    w->runs++;
    assert_int_equal(open_batch_of(w).stage, BATCH_NONE);
    w->prepared = (struct prepared){.batch_id = w->plan.batch_id, .manifest = slice_text("early"), .outcomes = w->outcomes, .outcome_count = FILES, .rows_out = 14};
    return w->refuses ? NULL : &w->prepared;
}

static bool admit(struct world *w, struct early_plan *early)
{
    struct admission admissions[FILES];
    for (int i = 0; i < FILES; i++)
        admissions[i] = (struct admission){.sighting = {.directory = "/landing", .name = arena_printf(w->arena, "f%d", i), .size = 100, .mtime_us = 5 + i},
                                           .verdict = ADMIT_PENDING};
    struct discovery discovery = {.admissions = admissions, .count = FILES};
    return ledger_admit_and_plan(w->ledger, &w->source, &discovery, early, &w->err);
}

static void an_admission_carries_its_batch_to_prepared(void **state)
{
    struct world *w = *state;
    struct take_limits limits = {.files_max = 0};
    struct early_plan early = {.limits = &limits, .make = make, .run = run, .user = w, .arena = w->arena};
    assert_true(admit(w, &early));
    assert_true(early.planned);
    assert_int_equal(w->runs, 1);
    reopen(w);
    struct open_batch open = open_batch_of(w);
    assert_int_equal(open.stage, BATCH_PREPARED);
    assert_true(slice_equal(open.manifest, slice_text("early")));
    assert_int_equal(open.rows, 14);
    assert_int_equal(counts_of(w).files[FILE_PREPARED], FILES);
    assert_int_equal(counts_of(w).files[FILE_PENDING], 0);
    assert_true(ledger_commit(w->ledger, 0, NULL, NULL, 0, NULL, &w->err));
    assert_int_equal(counts_of(w).files[FILE_COMMITTED], FILES);
    assert_int_equal(counts_of(w).rows, 14);
}

static void a_run_that_fails_leaves_the_plan(void **state)
{
    struct world *w = *state;
    struct take_limits limits = {.files_max = 0};
    struct early_plan early = {.limits = &limits, .make = make, .run = run, .user = w, .arena = w->arena};
    w->refuses = true;
    assert_true(admit(w, &early));
    assert_true(early.planned);
    reopen(w);
    struct open_batch open = open_batch_of(w);
    assert_int_equal(open.stage, BATCH_PLANNED);
    assert_int_equal(open.file_count, FILES);
    assert_true(ledger_prepare(w->ledger, &w->prepared, &w->err)); /* Later, by the plan. */
    assert_int_equal(open_batch_of(w).stage, BATCH_PREPARED);
}

static void what_is_pending_is_planned_and_prepared(void **state)
{
    struct world *w = *state;
    struct early_plan early = {.run = run, .user = w};
    struct take_limits limits = {.files_max = 0};
    struct ledger_input *files;
    size_t count;
    assert_true(admit(w, NULL));
    assert_true(ledger_take(w->ledger, &w->source, &limits, w->arena, &files, &count, &w->err));
    make(w, 0, files, count);
    assert_true(ledger_plan_and_prepare(w->ledger, &w->plan, &early, &w->err));
    reopen(w);
    assert_int_equal(open_batch_of(w).stage, BATCH_PREPARED);
    assert_int_equal(counts_of(w).files[FILE_PREPARED], FILES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(an_admission_carries_its_batch_to_prepared), TEST(a_run_that_fails_leaves_the_plan),
                                       TEST(what_is_pending_is_planned_and_prepared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
