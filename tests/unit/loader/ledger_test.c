/* ledger_test -- the ledger through a batch's life, its refusals, its answers, and kill -9 between any two steps. */
#include "base/file.h"
#include "loader/ledger_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64], checkpoint[96];
    struct inlet_context context;
    struct ledger *ledger;
    struct ledger_source source;
    struct arena *arena;
    struct error err;
};

static _Atomic int64_t test_now_us = 1700000000000000;
static int64_t test_clock(void *user)
{
    (void)user;
    return test_now_us;
}

/* Fails the test with the error's own text. */
static void expect(struct fixture *fixture, bool ok, const char *what)
{
    if (ok) return;
    char text[8192];
    error_format(&fixture->err, text, sizeof text);
    fail_msg("%s: %s", what, text);
}
#define OK(call) expect(f, (call), #call)

static void reopen(struct fixture *f)
{
    ledger_close(f->ledger);
    f->ledger = ledger_open(f->checkpoint, &f->context, &f->err);
    OK(f->ledger != NULL);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(f->folder, sizeof f->folder, "%s/ledger_test_XXXXXX", base);
    if (!mkdtemp(f->folder)) return -1;
    snprintf(f->checkpoint, sizeof f->checkpoint, "%s/checkpoint", f->folder);
    inlet_context_init(&f->context);
    f->context.now_us = test_clock;
    f->arena = arena_new("test");
    f->ledger = ledger_open(f->checkpoint, &f->context, &f->err);
    *state = f;
    return f->ledger ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ledger_close(f->ledger);
    bool ok = directory_remove_tree(f->folder, NULL);
    arena_free(f->arena);
    inlet_context_fini(&f->context);
    free(f);
    return ok ? 0 : -1;
}

/* --- Helpers ---------------------------------------------------------------------------------------------- */

static struct admission admission_of(struct fixture *f, const char *directory, const char *name, int64_t mtime_us, enum admission_verdict verdict)
{
    struct sighting sighting = {.directory = arena_strdup(f->arena, directory), .name = arena_strdup(f->arena, name), .size = 100,
                                .mtime_us = mtime_us, .ctime_us = mtime_us + 5, .device = 7, .inode = 4242};
    return (struct admission){.sighting = sighting, .verdict = verdict, .reason = "a reason", .check_us = 99};
}

static void admit_one(struct fixture *f, const char *directory, const char *name, int64_t mtime_us, enum admission_verdict verdict)
{
    struct admission admission = admission_of(f, directory, name, mtime_us, verdict);
    struct discovery discovery = {.admissions = &admission, .count = 1};
    OK(ledger_admit(f->ledger, &f->source, &discovery, &f->err));
}

/* Files f<first>.. of one directory, mtime by number. */
static void admit_many(struct fixture *f, int first, int count)
{
    struct admission *admissions = ARENA_ARRAY(f->arena, struct admission, count);
    for (int i = 0; i < count; i++) {
        int number = first + count - 1 - i;
        admissions[i] = admission_of(f, "/landing", arena_printf(f->arena, "f%06d", number), 1000 + number, ADMIT_PENDING);
        admissions[i].sighting.size = 100 + number;
    }
    struct discovery discovery = {.admissions = admissions, .count = (size_t)count};
    OK(ledger_admit(f->ledger, &f->source, &discovery, &f->err));
    assert_int_equal(discovery.admitted, count);
}

static struct plan plan_of(struct fixture *f, const struct ledger_input *files, size_t count)
{
    struct plan plan = {.batch_time_us = 5, .watermark_late_us = WATERMARK_NONE, .watermark_evict_us = WATERMARK_NONE, .settings = "{}",
                        .pipeline_digest = "pipeline", .plan_digest = "plan", .limits = ""};
    OK(ledger_last_committed(f->ledger, &plan.batch_id, &f->err));
    plan.batch_id++;
    plan.ranges = plan_ranges(f->arena, files, count, 0, &plan.range_count);
    plan.tasks = ARENA_NEW(f->arena, struct plan_task);
    plan.task_count = 1;
    plan.tasks[0].pieces = ARENA_ARRAY(f->arena, struct plan_piece, count + 1);
    plan.tasks[0].count = count;
    for (size_t i = 0; i < count; i++) plan.tasks[0].pieces[i] = (struct plan_piece){(uint32_t)i, 0, -1};
    return plan;
}

static size_t plan_next(struct fixture *f, int64_t files_max)
{
    struct ledger_input *files;
    size_t count;
    struct take_limits limits = {.files_max = files_max};
    OK(ledger_take(f->ledger, &f->source, &limits, f->arena, &files, &count, &f->err));
    if (count == 0) return 0;
    struct plan plan = plan_of(f, files, count);
    OK(ledger_plan(f->ledger, &plan, &f->err));
    return count;
}

static void prepare_open(struct fixture *f)
{
    struct open_batch open;
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    assert_int_equal(open.stage, BATCH_PLANNED);
    struct file_outcome *outcomes = ARENA_ARRAY(f->arena, struct file_outcome, open.file_count + 1);
    for (size_t i = 0; i < open.file_count; i++) {
        outcomes[i] = (struct file_outcome){.source_id = open.files[i].source_id, .ordinal = open.files[i].ordinal, .rows = 10, .records_framed = 11,
                                            .records_bad = 1, .records_dropped = 1, .bytes = open.files[i].size};
    }
    struct prepared prepared = {.batch_id = open.plan.batch_id, .manifest = slice_text("the manifest"), .outcomes = outcomes,
                                .outcome_count = open.file_count, .state_version = 3, .rows_out = 10 * (int64_t)open.file_count, .bytes_out = 77};
    OK(ledger_prepare(f->ledger, &prepared, &f->err));
}

static void commit_open(struct fixture *f)
{
    int64_t last;
    OK(ledger_last_committed(f->ledger, &last, &f->err));
    OK(ledger_commit(f->ledger, last + 1, NULL, NULL, 0, NULL, &f->err));
}

static size_t run_batch(struct fixture *f, int64_t files_max)
{
    size_t count = plan_next(f, files_max);
    if (count == 0) return 0;
    prepare_open(f);
    commit_open(f);
    return count;
}

static struct ledger_file find(struct fixture *f, const char *directory, const char *name)
{
    struct ledger_file file;
    OK(ledger_find(f->ledger, &f->source, directory, name, f->arena, &file, &f->err));
    return file;
}

static struct ledger_counts counts_of(struct fixture *f)
{
    struct ledger_counts counts;
    OK(ledger_counts(f->ledger, &counts, &f->err));
    OK(ledger_verify(f->ledger, &f->err));
    return counts;
}

static bool is_known(struct fixture *f, const char *directory, const char *name, const int64_t *mtime_us)
{
    bool known;
    OK(ledger_known(f->ledger, &f->source, directory, &name, mtime_us, 1, &known, &f->err));
    return known;
}

static const char *file_in(struct fixture *f, const char *name) { return arena_printf(f->arena, "%s/%s", f->checkpoint, name); }

/* --- Opening -------------------------------------------------------------------------------------------------- */

static void a_first_start_makes_ledger_and_metadata(void **state)
{
    struct fixture *f = *state;
    struct buffer text = {0};
    assert_true(ledger_is_new(f->ledger));
    OK(file_read_all(file_in(f, "metadata"), 1000, &text, &f->err));
    assert_string_equal(buffer_string(&text), arena_printf(f->arena, "{\"id\":\"%s\"}", ledger_query_id(f->ledger)));
    buffer_free(&text);
    const char *id = arena_strdup(f->arena, ledger_query_id(f->ledger));
    reopen(f);
    assert_false(ledger_is_new(f->ledger));
    assert_string_equal(ledger_query_id(f->ledger), id);
}

static void a_ledger_without_metadata_is_repaired(void **state)
{
    struct fixture *f = *state;
    unlink(file_in(f, "metadata"));
    reopen(f);
    assert_int_equal(access(file_in(f, "metadata"), F_OK), 0);
}

static void refused(struct fixture *f, enum condition condition)
{
    ledger_close(f->ledger);
    error_clear(&f->err);
    f->ledger = ledger_open(f->checkpoint, &f->context, &f->err);
    assert_null(f->ledger);
    assert_int_equal(f->err.condition, condition);
}

static void a_ledger_without_its_data_file_is_damage(void **state)
{
    struct fixture *f = *state;
    unlink(file_in(f, "ledger/data.mdb"));
    refused(f, COND_INLET_CHECKPOINT_DAMAGED);
    int fd = open(file_in(f, "ledger/data.mdb"), O_CREAT | O_WRONLY, 0666);
    close(fd);
    refused(f, COND_INLET_CHECKPOINT_DAMAGED);
    assert_non_null(strstr(f->err.message, "cut short"));
}

static void a_first_start_that_was_cut_short_is_begun_again(void **state)
{
    struct fixture *f = *state;
    ledger_close(f->ledger);
    f->ledger = NULL;
    OK(directory_remove_tree(f->checkpoint, &f->err));
    OK(directories_make(file_in(f, "ledger.new"), &f->err));
    OK(file_replace(file_in(f, "ledger.new/data.mdb"), slice_text("half a page"), &f->err));
    reopen(f);
    assert_true(ledger_is_new(f->ledger));
    assert_int_equal(access(file_in(f, "ledger.new"), F_OK), -1);
}

static bool write_format(struct kv_txn *txn, void *user, struct error *err)
{
    struct buffer payload = {0};
    put_unsigned(&payload, *(const unsigned *)user);
    struct key key = key_of_text("format");
    bool ok = put_checked(txn, TABLE_STATE, &key, &payload, KV_PUT_ANY, err);
    buffer_free(&payload);
    return ok;
}

static void a_newer_ledger_is_refused(void **state)
{
    struct fixture *f = *state;
    unsigned format = LEDGER_FORMAT + 1;
    OK(kv_update(f->ledger->kv, write_format, &format, &f->err));
    refused(f, COND_INLET_CHECKPOINT_NEWER);
}

/* --- Settings -------------------------------------------------------------------------------------------------- */

static void settings_are_kept_and_facts_compared(void **state)
{
    struct fixture *f = *state;
    const struct ledger_setting facts[] = {{"sink.path", "/out"}, {"source.0.path", "/landing"}};
    OK(ledger_facts_check(f->ledger, facts, 2, &f->err));
    reopen(f);
    OK(ledger_facts_check(f->ledger, facts, 2, &f->err));
    const struct ledger_setting other[] = {{"sink.path", "/elsewhere"}};
    assert_false(ledger_facts_check(f->ledger, other, 1, &f->err));
    assert_int_equal(f->err.condition, COND_INLET_CHECKPOINT_MISMATCH);
    assert_non_null(strstr(f->err.message, "/elsewhere"));
    const struct ledger_setting numbers[] = {{"n", "-12"}, {"text", ""}, {"sink.path", NULL}};
    OK(ledger_setting_set(f->ledger, numbers, 3, &f->err));
    int64_t number;
    const char *value;
    OK(ledger_setting_int(f->ledger, "n", 5, &number, &f->err));
    assert_int_equal(number, -12);
    OK(ledger_setting_int(f->ledger, "absent", 5, &number, &f->err));
    assert_int_equal(number, 5);
    OK(ledger_setting_get(f->ledger, f->arena, "text", &value, &f->err));
    assert_string_equal(value, "");
    OK(ledger_setting_get(f->ledger, f->arena, "sink.path", &value, &f->err));
    assert_null(value);
}

/* --- Discovery -------------------------------------------------------------------------------------------------- */

static void ordinals_follow_time_then_path(void **state)
{
    struct fixture *f = *state;
    struct admission admissions[] = {
        admission_of(f, "/l/b", "x", 20, ADMIT_PENDING), admission_of(f, "/l", "b-x", 20, ADMIT_PENDING), admission_of(f, "/l/a", "z", 10, ADMIT_PENDING),
        admission_of(f, "/l", "a", 20, ADMIT_PENDING),   admission_of(f, "/l", "c", 5, ADMIT_PENDING),    admission_of(f, "/l-b", "a", 20, ADMIT_PENDING),
    };
    struct discovery discovery = {.admissions = admissions, .count = COUNTOF(admissions)};
    OK(ledger_admit(f->ledger, &f->source, &discovery, &f->err));
    assert_int_equal(discovery.admitted, 6);
    assert_int_equal(discovery.admitted_bytes, 600);
    struct ledger_input *files;
    size_t count;
    OK(ledger_take(f->ledger, &f->source, &(struct take_limits){0}, f->arena, &files, &count, &f->err));
    const char *const paths[] = {"/l/c", "/l/a/z", "/l-b/a", "/l/a", "/l/b-x", "/l/b/x"};
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(arena_printf(f->arena, "%s/%s", files[i].directory, files[i].name), paths[i]);
        assert_int_equal(files[i].ordinal, i);
        assert_int_equal(files[i].ctime_us, files[i].mtime_us + 5);
        assert_int_equal(files[i].inode, 4242);
        assert_int_equal(files[i].device, 7);
    }
    int64_t next;
    OK(ledger_next_ordinal(f->ledger, 0, &next, &f->err));
    assert_int_equal(next, 6);
}

static void a_path_is_admitted_once(void **state)
{
    struct fixture *f = *state;
    assert_false(is_known(f, "/landing", "a", NULL));
    admit_one(f, "/landing", "a", 10, ADMIT_PENDING);
    assert_true(is_known(f, "/landing", "a", NULL));
    assert_false(is_known(f, "/landing", "b", NULL));
    assert_false(is_known(f, "/landing2", "a", NULL));
    struct admission again[] = {admission_of(f, "/landing", "a", 99, ADMIT_PENDING), admission_of(f, "/landing", "b", 1, ADMIT_PENDING),
                                admission_of(f, "/landing", "b", 1, ADMIT_PENDING)};
    struct discovery discovery = {.admissions = again, .count = 3};
    OK(ledger_admit(f->ledger, &f->source, &discovery, &f->err));
    assert_int_equal(discovery.admitted, 1);
    assert_int_equal(discovery.already_known, 1);
    assert_int_equal(counts_of(f).files[FILE_PENDING], 2);
}

static void overwrites_are_new_versions(void **state)
{
    struct fixture *f = *state;
    f->source.identity = IDENTITY_PATH_AND_MTIME;
    admit_one(f, "/l", "a", 10, ADMIT_PENDING);
    assert_true(is_known(f, "/l", "a", &(int64_t){10}));
    assert_false(is_known(f, "/l", "a", &(int64_t){11}));
    admit_one(f, "/l", "a", 10, ADMIT_PENDING);
    assert_int_equal(counts_of(f).files[FILE_PENDING], 1);
    admit_one(f, "/l", "a", 11, ADMIT_PENDING); /* The older version was never planned: it gives way. */
    assert_int_equal(counts_of(f).files[FILE_PENDING], 1);
    assert_int_equal(run_batch(f, 0), 1);
    admit_one(f, "/l", "a", 12, ADMIT_PENDING);
    assert_int_equal(counts_of(f).files[FILE_COMMITTED], 1);
    assert_int_equal(plan_next(f, 0), 1);
    admit_one(f, "/l", "a", 13, ADMIT_PENDING); /* Version 12 stands in the open plan. */
    struct ledger_counts counts = counts_of(f);
    assert_int_equal(counts.files[FILE_PLANNED], 1);
    assert_int_equal(counts.files[FILE_PENDING], 1);
    prepare_open(f);
    commit_open(f);
    assert_int_equal(run_batch(f, 0), 1);
    assert_int_equal(counts_of(f).files[FILE_COMMITTED], 3);
    assert_int_equal(find(f, "/l", "a").batch_id, 2);
}

static void overwrites_switched_on_later_know_old_rows(void **state)
{
    struct fixture *f = *state;
    admit_one(f, "/l", "a", 10, ADMIT_PENDING);
    admit_one(f, "/l", "b", 10, ADMIT_PENDING);
    assert_int_equal(run_batch(f, 1), 1);
    f->source.identity = IDENTITY_PATH_AND_MTIME;
    assert_true(is_known(f, "/l", "a", &(int64_t){10}));
    assert_true(is_known(f, "/l", "b", &(int64_t){10}));
    assert_false(is_known(f, "/l", "b", &(int64_t){11}));
}

static void a_base_name_counts_once_but_not_within_one_admission(void **state)
{
    struct fixture *f = *state;
    f->source.identity = IDENTITY_NAME;
    struct admission both[] = {admission_of(f, "/l/a", "x", 1, ADMIT_PENDING), admission_of(f, "/l/b", "x", 1, ADMIT_PENDING)};
    struct discovery discovery = {.admissions = both, .count = 2};
    OK(ledger_admit(f->ledger, &f->source, &discovery, &f->err));
    assert_int_equal(discovery.admitted, 2);
    assert_true(is_known(f, "/l/c", "x", NULL));
    admit_one(f, "/l/c", "x", 5, ADMIT_PENDING);
    assert_int_equal(run_batch(f, 0), 2);
    assert_int_equal(find(f, "/elsewhere", "x").state, FILE_COMMITTED);
    assert_int_equal(counts_of(f).files[FILE_COMMITTED], 2);
}

static void unsettled_files_keep_the_time_they_were_first_seen(void **state)
{
    struct fixture *f = *state;
    int64_t first = test_now_us;
    admit_one(f, "/l", "growing", 10, ADMIT_UNSETTLED);
    assert_true(is_known(f, "/l", "growing", NULL));
    test_now_us += 1000000;
    admit_one(f, "/l", "growing", 20, ADMIT_UNSETTLED);
    admit_one(f, "/l", "other", 20, ADMIT_UNSETTLED);
    struct unsettled_file *files;
    size_t count;
    OK(ledger_unsettled(f->ledger, 0, NULL, 10, f->arena, &files, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(files[0].sighting.name, "growing");
    assert_int_equal(files[0].first_seen_us, first);
    assert_int_equal(files[0].sighting.mtime_us, 20);
    assert_int_equal(files[0].check_us, 99);
    struct unsettled_file *more;
    OK(ledger_unsettled(f->ledger, 0, &files[0], 10, f->arena, &more, &count, &f->err));
    assert_int_equal(count, 1);
    assert_string_equal(more[0].sighting.name, "other");
    assert_int_equal(find(f, "/l", "growing").state, FILE_UNSETTLED);
    admit_one(f, "/l", "growing", 30, ADMIT_PENDING);
    admit_one(f, "/l", "other", 30, ADMIT_FORGET);
    struct ledger_counts counts = counts_of(f);
    assert_int_equal(counts.files[FILE_UNSETTLED], 0);
    assert_int_equal(counts.files[FILE_PENDING], 1);
    assert_int_equal(find(f, "/l", "other").state, FILE_UNKNOWN);
}

static void skipped_files_are_visible_and_stay_skipped(void **state)
{
    struct fixture *f = *state;
    admit_one(f, "/l", "old", 10, ADMIT_SKIPPED);
    struct ledger_file file = find(f, "/l", "old");
    assert_int_equal(file.state, FILE_SKIPPED);
    assert_string_equal(file.reason, "a reason");
    assert_int_equal(file.size, 100);
    assert_int_equal(file.ordinal, -1);
    assert_true(is_known(f, "/l", "old", NULL));
    admit_one(f, "/l", "old", 10, ADMIT_PENDING);
    assert_int_equal(counts_of(f).files[FILE_SKIPPED], 1);
}

static void marks_come_back_as_they_were_given(void **state)
{
    struct fixture *f = *state;
    struct directory_mark mark = {"/l/d", 8, 99, 1234567890123, 1234567890456, UINT64_MAX}, back;
    struct discovery discovery = {.marks = &mark, .mark_count = 1};
    OK(ledger_admit(f->ledger, &f->source, &discovery, &f->err));
    bool found;
    OK(ledger_mark_get(f->ledger, 0, "/l/d", &back, &found, &f->err));
    assert_true(found);
    assert_int_equal(back.inode, 99);
    assert_int_equal(back.ctime_ns, mark.ctime_ns);
    assert_true(back.options_digest == UINT64_MAX);
    OK(ledger_mark_get(f->ledger, 0, "/l/other", &back, &found, &f->err));
    assert_false(found);
    OK(ledger_marks_clear(f->ledger, 0, &f->err));
    OK(ledger_mark_get(f->ledger, 0, "/l/d", &back, &found, &f->err));
    assert_false(found);
}

/* --- Batches ------------------------------------------------------------------------------------------------------ */

static void limits_cut_as_spark_or_as_auto_loader(void **state)
{
    static const struct { struct take_limits limits; size_t count; } cases[] = {
        {{.files_max = 0}, 10}, {{.files_max = 3}, 3}, {{.bytes_max = 1}, 1}, {{.bytes_max = 1, .bytes_cross = true}, 1},
        {{.bytes_max = 303}, 3}, {{.bytes_max = 302}, 2}, {{.bytes_max = 302, .bytes_cross = true}, 3}, {{.bytes_max = 303, .bytes_cross = true}, 3},
        {{.bytes_max = 303, .files_max = 2}, 2}, {{.ordinal_end = 4}, 4},
    };
    struct fixture *f = *state;
    admit_many(f, 0, 10); /* Sizes 100, 101, ... */
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct ledger_input *files;
        size_t count;
        OK(ledger_take(f->ledger, &f->source, &cases[i].limits, f->arena, &files, &count, &f->err));
        assert_int_equal(count, cases[i].count);
    }
}

static void a_batch_goes_through_its_life(void **state)
{
    struct fixture *f = *state;
    struct open_batch open;
    admit_many(f, 0, 5);
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    assert_int_equal(open.stage, BATCH_NONE);
    assert_int_equal(plan_next(f, 3), 3);
    assert_int_equal(find(f, "/landing", "f000000").state, FILE_PLANNED);
    assert_int_equal(find(f, "/landing", "f000003").state, FILE_PENDING);
    reopen(f);
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    assert_int_equal(open.stage, BATCH_PLANNED);
    assert_int_equal(open.file_count, 3);
    assert_string_equal(open.files[2].name, "f000002");
    assert_string_equal(open.plan.plan_digest, "plan");
    assert_int_equal(open.plan.tasks[0].pieces[2].file_index, 2);
    assert_int_equal(open.plan.tasks[0].pieces[2].end, -1);
    assert_true(open.plan.watermark_late_us == WATERMARK_NONE);
    prepare_open(f);
    reopen(f);
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    assert_int_equal(open.stage, BATCH_PREPARED);
    assert_true(slice_equal(open.manifest, slice_text("the manifest")));
    assert_int_equal(open.state_version, 3);
    assert_int_equal(open.rows, 30);
    assert_int_equal(find(f, "/landing", "f000000").state, FILE_PREPARED);
    counts_of(f);
    commit_open(f);
    reopen(f);
    struct ledger_file file = find(f, "/landing", "f000001");
    assert_int_equal(file.state, FILE_COMMITTED);
    assert_int_equal(file.batch_id, 0);
    assert_int_equal(file.rows, 10);
    assert_int_equal(file.records_framed, 11);
    assert_int_equal(file.records_dropped, 1);
    assert_int_equal(file.bytes, 101);
    assert_int_equal(file.committed_us, test_now_us);
    struct ledger_counts counts = counts_of(f);
    assert_int_equal(counts.files[FILE_COMMITTED], 3);
    assert_int_equal(counts.files[FILE_PENDING], 2);
    assert_int_equal(counts.rows, 30);
    assert_int_equal(counts.last_batch_id, 0);
}

static void commit_may_carry_the_next_plan(void **state)
{
    struct fixture *f = *state;
    admit_many(f, 0, 4);
    plan_next(f, 2);
    prepare_open(f);
    struct ledger_input *files;
    size_t count;
    OK(ledger_take(f->ledger, &f->source, &(struct take_limits){.files_max = 1}, f->arena, &files, &count, &f->err));
    assert_int_equal(count, 1);
    assert_int_equal(files[0].ordinal, 2);
    struct plan plan = plan_of(f, files, count);
    plan.batch_id = 1;
    struct ledger_setting note = {"note", "kept"};
    OK(ledger_commit(f->ledger, 0, &plan, &note, 1, NULL, &f->err));
    struct open_batch open;
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    assert_int_equal(open.stage, BATCH_PLANNED);
    assert_int_equal(open.plan.batch_id, 1);
    const char *value;
    OK(ledger_setting_get(f->ledger, f->arena, "note", &value, &f->err));
    assert_string_equal(value, "kept");
    assert_int_equal(counts_of(f).files[FILE_PLANNED], 1);
}

struct planner {
    struct fixture *f;
    size_t files;
    bool refuses;
    struct plan plan;
};

static const struct plan *make_early(void *user, int64_t batch_id, struct ledger_input *files, size_t count)
{
    struct planner *planner = user;
    planner->files = count;
    planner->plan = plan_of(planner->f, files, count);
    planner->plan.batch_id = batch_id;
    return planner->refuses ? NULL : &planner->plan;
}

static void an_admission_may_carry_the_plan_of_its_files(void **state)
{
    struct fixture *f = *state;
    struct take_limits limits = {.files_max = 3};
    struct planner planner = {.f = f, .refuses = true};
    struct early_plan early = {.limits = &limits, .make = make_early, .user = &planner, .arena = f->arena};
    struct admission admissions[] = {admission_of(f, "/landing", "f0", 100, ADMIT_PENDING), admission_of(f, "/landing", "f1", 101, ADMIT_PENDING)};
    struct discovery discovery = {.admissions = admissions, .count = 2};
    OK(ledger_admit_and_plan(f->ledger, &f->source, &discovery, &early, &f->err));
    assert_int_equal(planner.files, 2);
    assert_false(early.planned); /* Refused: they are admitted all the same. */
    assert_int_equal(counts_of(f).files[FILE_PENDING], 2);
    planner.refuses = false;
    OK(ledger_admit_and_plan(f->ledger, &f->source, &discovery, &early, &f->err));
    assert_false(early.planned); /* Nothing new: nothing is planned. */
    struct admission more[] = {admission_of(f, "/landing", "f2", 102, ADMIT_PENDING), admission_of(f, "/landing", "f3", 103, ADMIT_PENDING)};
    discovery = (struct discovery){.admissions = more, .count = 2};
    OK(ledger_admit_and_plan(f->ledger, &f->source, &discovery, &early, &f->err));
    assert_true(early.planned);
    assert_int_equal(planner.files, 3); /* What was pending before comes first. */
    struct open_batch open;
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    assert_int_equal(open.stage, BATCH_PLANNED);
    assert_int_equal(open.file_count, 3);
    assert_int_equal(open.files[2].ordinal, 2);
    assert_int_equal(counts_of(f).files[FILE_PENDING], 1);
    struct admission last[] = {admission_of(f, "/landing", "f4", 104, ADMIT_PENDING)};
    discovery = (struct discovery){.admissions = last, .count = 1};
    OK(ledger_admit_and_plan(f->ledger, &f->source, &discovery, &early, &f->err));
    assert_false(early.planned); /* L5: a batch is open. */
}

static void latest_first_takes_from_the_end(void **state)
{
    struct fixture *f = *state;
    f->source.latest_first = true;
    admit_many(f, 0, 6);
    struct ledger_input *files;
    size_t count;
    OK(ledger_take(f->ledger, &f->source, &(struct take_limits){.files_max = 2}, f->arena, &files, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(files[0].name, "f000004");
    assert_string_equal(files[1].name, "f000005");
    assert_int_equal(run_batch(f, 2), 2);
    admit_many(f, 6, 1);
    assert_int_equal(run_batch(f, 2), 2);
    assert_int_equal(find(f, "/landing", "f000006").batch_id, 1);
    assert_int_equal(find(f, "/landing", "f000003").batch_id, 1);
    assert_int_equal(find(f, "/landing", "f000000").state, FILE_PENDING);
    assert_int_equal(run_batch(f, 0), 3);
    assert_int_equal(counts_of(f).files[FILE_COMMITTED], 7);
}

static void equal_times_come_in_path_order_latest_first_too(void **state)
{
    struct fixture *f = *state;
    f->source.latest_first = true;
    struct admission same[] = {admission_of(f, "/l", "b", 1, ADMIT_PENDING), admission_of(f, "/l", "a", 1, ADMIT_PENDING), admission_of(f, "/l", "c", 1, ADMIT_PENDING)};
    struct discovery discovery = {.admissions = same, .count = 3};
    OK(ledger_admit(f->ledger, &f->source, &discovery, &f->err));
    struct ledger_input *files;
    size_t count;
    OK(ledger_take(f->ledger, &f->source, &(struct take_limits){.files_max = 1}, f->arena, &files, &count, &f->err));
    assert_string_equal(files[0].name, "a");
}

static void files_leave_a_plan_with_their_reasons(void **state)
{
    struct fixture *f = *state;
    admit_many(f, 0, 6);
    assert_int_equal(plan_next(f, 5), 5);
    struct open_batch open;
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    struct removal removals[] = {{0, open.files[0].ordinal, REMOVE_FAILED, "no permission"}, {0, open.files[1].ordinal, REMOVE_VANISHED, "gone"},
                                 {0, open.files[2].ordinal, REMOVE_UNSETTLED, "it grew"}, {0, open.files[3].ordinal, REMOVE_SKIPPED, "ignored"}};
    struct plan plan = open.plan;
    plan.tasks[0].count = 1;
    plan.plan_digest = "another";
    OK(ledger_replan(f->ledger, &plan, removals, 4, &f->err));
    reopen(f);
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    assert_int_equal(open.file_count, 1);
    assert_string_equal(open.files[0].name, "f000004");
    assert_string_equal(open.plan.plan_digest, "another");
    assert_int_equal(open.plan.removed_count, 4);
    assert_int_equal(find(f, "/landing", "f000000").state, FILE_FAILED);
    assert_string_equal(find(f, "/landing", "f000000").reason, "no permission");
    assert_int_equal(find(f, "/landing", "f000001").state, FILE_VANISHED);
    assert_int_equal(find(f, "/landing", "f000002").state, FILE_UNSETTLED);
    assert_int_equal(find(f, "/landing", "f000003").state, FILE_SKIPPED);
    counts_of(f);
    assert_true(is_known(f, "/landing", "f000000", NULL));
    assert_false(is_known(f, "/landing", "f000001", NULL)); /* Should it come back, it is taken. */
    prepare_open(f);
    commit_open(f);
    admit_one(f, "/landing", "f000001", 5000, ADMIT_PENDING);
    admit_one(f, "/landing", "f000002", 5001, ADMIT_PENDING);
    assert_int_equal(run_batch(f, 0), 3);
    struct ledger_counts counts = counts_of(f);
    assert_int_equal(counts.files[FILE_COMMITTED], 4);
    assert_int_equal(counts.files[FILE_FAILED], 1);
    assert_int_equal(counts.files[FILE_SKIPPED], 1);
    assert_int_equal(counts.files[FILE_VANISHED], 0);
}

static bool drop_notes(struct change *change, void *user, struct error *err)
{
    int64_t count = 0;
    for (int64_t ordinal = 0; ordinal < 3; ordinal++)
        if (!failed_drop(change, 0, ordinal, err)) return false;
    return failed_count(change->txn, user, err) && failed_count(change->txn, &count, err) && count == 0;
}

static void failed_files_are_let_in_again(void **state)
{
    struct fixture *f = *state;
    admit_many(f, 0, 4);
    plan_next(f, 3);
    struct open_batch open;
    OK(ledger_open_batch(f->ledger, f->arena, &open, &f->err));
    struct removal removals[3];
    for (size_t i = 0; i < 3; i++)
        removals[i] = (struct removal){0, open.files[i].ordinal, REMOVE_FAILED, "no permission", {.size = 5, .mtime_us = 6, .ctime_us = 7, .inode = 8, .could_open = i == 1}};
    struct plan plan = open.plan;
    plan.task_count = 0;
    OK(ledger_replan(f->ledger, &plan, removals, 3, &f->err));
    OK(ledger_unplan(f->ledger, 0, &f->err));
    assert_int_equal(counts_of(f).files[FILE_FAILED], 3);
    struct failed_file *files;
    size_t count;
    OK(ledger_failed(f->ledger, 0, -1, 2, f->arena, &files, &count, &f->err));
    assert_int_equal(count, 2);
    assert_string_equal(files[1].name, "f000001");
    assert_string_equal(files[1].directory, "/landing");
    assert_int_equal(files[1].look.ctime_us, 7);
    assert_true(files[1].look.could_open && !files[0].look.could_open);
    OK(ledger_failed(f->ledger, 0, files[1].ordinal, 2, f->arena, &files, &count, &f->err));
    assert_int_equal(count, 1);
    /* A ledger of an older version has no notes; they are made up once, without what the file looked like. */
    int64_t notes;
    OK(ledger_change(f->ledger, drop_notes, &notes, &f->err));
    OK(ledger_verify(f->ledger, &f->err));
    OK(ledger_failed(f->ledger, 0, -1, 9, f->arena, &files, &count, &f->err));
    assert_int_equal(count, 0);
    OK(ledger_failed_complete(f->ledger, &f->err));
    OK(ledger_failed_complete(f->ledger, &f->err));
    OK(ledger_failed(f->ledger, 0, -1, 9, f->arena, &files, &count, &f->err));
    assert_int_equal(count, 3);
    assert_int_equal(files[0].look.ctime_us, 0);
    struct retake retakes[] = {{0, files[0].ordinal, false}, {0, files[1].ordinal, true}};
    OK(ledger_retake(f->ledger, retakes, 2, &f->err));
    reopen(f);
    assert_int_equal(find(f, "/landing", "f000000").state, FILE_UNSETTLED);
    assert_string_equal(find(f, "/landing", "f000000").reason, RETAKE_REASON);
    assert_int_equal(find(f, "/landing", "f000001").state, FILE_VANISHED);
    assert_string_equal(find(f, "/landing", "f000001").reason, "no permission");
    assert_int_equal(find(f, "/landing", "f000002").state, FILE_FAILED);
    assert_false(ledger_retake(f->ledger, retakes, 1, &f->err)); /* Not twice. */
    error_clear(&f->err);
    counts_of(f);
    OK(ledger_verify(f->ledger, &f->err));
    admit_one(f, "/landing", "f000000", 5000, ADMIT_PENDING);
    assert_int_equal(run_batch(f, 0), 2);
    assert_int_equal(find(f, "/landing", "f000000").ordinal, 4); /* A new one: no batch ever held it twice. */
}

static void a_plan_that_is_given_up_leaves_its_files_pending(void **state)
{
    struct fixture *f = *state;
    admit_many(f, 0, 3);
    plan_next(f, 2);
    OK(ledger_unplan(f->ledger, 0, &f->err));
    assert_int_equal(counts_of(f).files[FILE_PENDING], 3);
    assert_int_equal(run_batch(f, 0), 3);
    assert_int_equal(find(f, "/landing", "f000002").batch_id, 0);
}

static void several_sources_share_a_batch(void **state)
{
    struct fixture *f = *state;
    struct ledger_source other = {.id = 3};
    admit_many(f, 0, 2);
    struct admission admission = admission_of(f, "/landing", "f000000", 1, ADMIT_PENDING);
    struct discovery discovery = {.admissions = &admission, .count = 1};
    OK(ledger_admit(f->ledger, &other, &discovery, &f->err));
    assert_int_equal(discovery.admitted, 1);
    struct ledger_input *first, *second, all[3];
    size_t count;
    OK(ledger_take(f->ledger, &f->source, &(struct take_limits){0}, f->arena, &first, &count, &f->err));
    memcpy(all, first, 2 * sizeof *all);
    OK(ledger_take(f->ledger, &other, &(struct take_limits){0}, f->arena, &second, &count, &f->err));
    all[2] = second[0];
    struct plan plan = plan_of(f, all, 3);
    assert_int_equal(plan.range_count, 2);
    OK(ledger_plan(f->ledger, &plan, &f->err));
    prepare_open(f);
    commit_open(f);
    assert_int_equal(counts_of(f).files[FILE_COMMITTED], 3);
}

static void long_and_odd_names_survive(void **state)
{
    struct fixture *f = *state;
    char *longest = arena_alloc(f->arena, 256);
    memset(longest, 'n', 255);
    char *deep = arena_alloc(f->arena, 4000);
    memset(deep, 'd', 3999);
    deep[0] = '/';
    const char *const names[] = {longest, "new\nline", "per%cent", "\xff\xfe", " ", "ünï"};
    for (size_t i = 0; i < COUNTOF(names); i++) admit_one(f, deep, names[i], (int64_t)i * -5, ADMIT_PENDING);
    assert_int_equal(run_batch(f, 0), COUNTOF(names));
    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct ledger_file file = find(f, deep, names[i]);
        assert_int_equal(file.state, FILE_COMMITTED);
        assert_string_equal(file.name, names[i]);
        assert_int_equal(file.mtime_us, (int64_t)i * -5);
    }
}

/* --- Questions ------------------------------------------------------------------------------------------------------- */

static size_t scan_count(struct fixture *f, struct ledger_filter filter)
{
    struct ledger_scan *scan = ledger_scan_new(f->ledger, &filter);
    size_t count = 0;
    bool end = false;
    for (;;) {
        const struct ledger_file *file;
        OK(ledger_scan_next(scan, &file, &end, &f->err));
        if (end) break;
        if (filter.states) assert_true(filter.states & 1u << file->state);
        if (filter.batch_id >= 0) assert_int_equal(file->batch_id, filter.batch_id);
        count++;
    }
    ledger_scan_free(scan);
    return count;
}

static void scans_see_every_file_once_with_filters(void **state)
{
    struct fixture *f = *state;
    admit_many(f, 0, 2500);
    run_batch(f, 1200);
    run_batch(f, 1);
    plan_next(f, 300);
    admit_one(f, "/landing/sub", "x", 1, ADMIT_UNSETTLED);
    admit_one(f, "/landing/sub", "y", 1, ADMIT_SKIPPED);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1}), 2502);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = 0}), 1200);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = 1}), 1);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = 2}), 300);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = 3}), 0);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .states = 1u << FILE_PENDING}), 999);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .states = 1u << FILE_UNSETTLED | 1u << FILE_SKIPPED}), 2);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/landing/f0000"}), 100);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/landing/sub"}), 2);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/land"}), 2502);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/other"}), 0);
    prepare_open(f);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = 2}), 300);
}

static void history_is_told_in_both_directions(void **state)
{
    struct fixture *f = *state;
    struct ledger_batch *batches;
    size_t count;
    admit_many(f, 0, 10);
    for (int i = 0; i < 4; i++) run_batch(f, 2);
    plan_next(f, 2);
    OK(ledger_batches(f->ledger, -1, true, 3, f->arena, &batches, &count, &f->err));
    assert_int_equal(count, 3);
    assert_int_equal(batches[0].batch_id, 4);
    assert_int_equal(batches[0].stage, BATCH_PLANNED);
    assert_int_equal(batches[1].stage, BATCH_NONE);
    assert_int_equal(batches[1].files, 2);
    assert_int_equal(batches[1].rows, 20);
    assert_int_equal(batches[1].ranges[0].start, 6);
    OK(ledger_batches(f->ledger, 2, false, 100, f->arena, &batches, &count, &f->err));
    assert_int_equal(count, 3);
    assert_int_equal(batches[0].batch_id, 2);
    assert_string_equal(batches[0].plan_digest, "plan");
    OK(ledger_batches(f->ledger, 9, false, 100, f->arena, &batches, &count, &f->err));
    assert_int_equal(count, 0);
}

static void the_last_hundred_progress_texts_are_kept(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 103; i++) {
        struct plan plan = plan_of(f, NULL, 0);
        OK(ledger_plan(f->ledger, &plan, &f->err));
        prepare_open(f);
        OK(ledger_commit(f->ledger, i, NULL, NULL, 0, arena_printf(f->arena, "{\"n\":%d}", i), &f->err));
    }
    const char **texts;
    size_t count;
    OK(ledger_progress_list(f->ledger, f->arena, &texts, &count, &f->err));
    assert_int_equal(count, 100);
    assert_string_equal(texts[0], "{\"n\":3}");
    assert_string_equal(texts[99], "{\"n\":102}");
}

/* --- Cleaning ---------------------------------------------------------------------------------------------------------- */

static void cleaning_goes_on_where_it_stopped(void **state)
{
    struct fixture *f = *state;
    struct cleaning cleaning;
    OK(ledger_cleaning(f->ledger, 10, f->arena, &cleaning, &f->err));
    assert_false(cleaning.found);
    admit_many(f, 0, 5);
    run_batch(f, 5);
    OK(ledger_cleaning(f->ledger, 3, f->arena, &cleaning, &f->err));
    assert_true(cleaning.found);
    assert_int_equal(cleaning.file_count, 3);
    struct cleaned_file results[] = {{CLEAN_DONE, "/archive/landing/f000000", NULL}, {CLEAN_DONE, "/archive/landing/f000001.1", NULL},
                                     {CLEAN_RETRY, NULL, "no permission"}};
    OK(ledger_cleaned(f->ledger, 0, results, 3, false, "/archive", NULL, &f->err));
    reopen(f);
    OK(ledger_cleaning(f->ledger, 3, f->arena, &cleaning, &f->err));
    assert_int_equal(cleaning.index, 3);
    assert_int_equal(cleaning.file_count, 2);
    assert_string_equal(cleaning.files[0].name, "f000003");
    assert_false(find(f, "/landing", "f000003").cleaned);
    struct cleaned_file rest[] = {{CLEAN_KEPT, NULL, "it changed"}, {CLEAN_DONE, "/archive/landing/f000004", NULL}};
    OK(ledger_cleaned(f->ledger, 0, rest, 2, true, "/archive", NULL, &f->err));
    OK(ledger_cleaning(f->ledger, 3, f->arena, &cleaning, &f->err));
    assert_false(cleaning.found);
    assert_true(find(f, "/landing", "f000000").cleaned);
    assert_string_equal(find(f, "/landing", "f000000").clean_target, "/archive/landing/f000000");
    assert_string_equal(find(f, "/landing", "f000001").clean_target, "/archive/landing/f000001.1");
    assert_string_equal(find(f, "/landing", "f000003").clean_reason, "it changed");
    assert_string_equal(find(f, "/landing", "f000004").clean_target, "/archive/landing/f000004");
    struct ledger_input *retries;
    size_t count;
    OK(ledger_cleaning_retries(f->ledger, NULL, 10, f->arena, &retries, &count, &f->err));
    assert_int_equal(count, 1);
    assert_string_equal(retries[0].name, "f000002");
    assert_string_equal(retries[0].directory, "/landing");
    struct ledger_input *behind;
    OK(ledger_cleaning_retries(f->ledger, &retries[0], 10, f->arena, &behind, &count, &f->err));
    assert_int_equal(count, 0);
    OK(ledger_cleaned_retry(f->ledger, 0, retries[0].ordinal, &(struct cleaned_file){CLEAN_DONE, NULL, NULL}, &f->err));
    OK(ledger_cleaning_retries(f->ledger, NULL, 10, f->arena, &retries, &count, &f->err));
    assert_int_equal(count, 0);
    assert_true(find(f, "/landing", "f000002").cleaned);
    assert_int_equal(counts_of(f).cleaned, 4);
}

static void cleaning_that_was_off_reaches_no_older_batch(void **state)
{
    struct fixture *f = *state;
    struct cleaning cleaning;
    admit_many(f, 0, 4);
    run_batch(f, 1);
    OK(ledger_cleaning_skip(f->ledger, &f->err));
    run_batch(f, 1);
    reopen(f);
    OK(ledger_cleaning(f->ledger, 3, f->arena, &cleaning, &f->err));
    assert_false(cleaning.found);
    run_batch(f, 1);
    OK(ledger_cleaning(f->ledger, 3, f->arena, &cleaning, &f->err));
    assert_true(cleaning.found);
    assert_int_equal(cleaning.batch_id, 2);
    OK(ledger_cleaned(f->ledger, 2, &(struct cleaned_file){CLEAN_DONE, "/moved/f000002", NULL}, 1, true, "/moved", "/landing", &f->err));
    assert_false(find(f, "/landing", "f000001").cleaned);
    assert_string_equal(find(f, "/landing", "f000002").clean_target, "/moved/f000002");
}

/* The first slice of a batch decides its rule; what a later one does by another rule is kept file by file. */
static void cleaning_by_another_rule_keeps_each_target(void **state)
{
    struct fixture *f = *state;
    static const struct { const char *first_base, *first_path, *base, *path, *target; } cases[] = {
        {"/archive", NULL, "/archive", NULL, "/archive/landing/%s"}, {"/archive", NULL, "/moved", NULL, "/moved/landing/%s"}, {"/archive", NULL, "/archive", "/landing", "/archive/%s"},
        {"/moved", "/landing", "/moved", "/landing", "/moved/%s"}, {"/moved", "/landing", "/moved", NULL, "/moved/landing/%s"}, {"/moved", "/land", "/moved", "/land", "/moved/%s"},
        {"/moved", "/elsewhere", "/moved", "/elsewhere", "/moved/%s"}, {"/archive", NULL, NULL, NULL, NULL}, {NULL, NULL, "/archive", NULL, "/archive/landing/%s"},
        {NULL, NULL, NULL, NULL, NULL},
    };
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        admit_many(f, 2 * i, 2);
        run_batch(f, 2);
        struct cleaned_file first = {CLEAN_KEPT, NULL, "it changed"}, second = {CLEAN_DONE, NULL, NULL};
        const char *name = arena_printf(f->arena, "f%06d", 2 * i + 1);
        if (cases[i].target) second.target = arena_printf(f->arena, "%.*s%s", (int)strlen(cases[i].target) - 2, cases[i].target, name);
        OK(ledger_cleaned(f->ledger, i, &first, 1, false, cases[i].first_base, cases[i].first_path, &f->err));
        OK(ledger_cleaned(f->ledger, i, &second, 1, true, cases[i].base, cases[i].path, &f->err));
        struct ledger_file file = find(f, "/landing", name);
        assert_true(file.cleaned);
        if (second.target) assert_string_equal(file.clean_target, second.target);
        else assert_null(file.clean_target);
        assert_string_equal(find(f, "/landing", arena_printf(f->arena, "f%06d", 2 * i)).clean_reason, "it changed");
    }
    admit_one(f, "/", "in the root", 1, ADMIT_PENDING);
    run_batch(f, 1);
    OK(ledger_cleaned(f->ledger, (int64_t)(sizeof cases / sizeof *cases), &(struct cleaned_file){CLEAN_DONE, "/archive/in the root", NULL}, 1, true, "/archive", NULL, &f->err));
    assert_string_equal(find(f, "/", "in the root").clean_target, "/archive/in the root");
    OK(ledger_verify(f->ledger, &f->err));
}

static void questions_beyond_the_ends_are_answered(void **state)
{
    struct fixture *f = *state;
    struct ledger_batch *batches;
    size_t count;
    admit_many(f, 0, 3);
    admit_one(f, "/", "root file", 1, ADMIT_PENDING);
    admit_one(f, "/a", "f", 1, ADMIT_PENDING);
    run_batch(f, 2);
    run_batch(f, 1);
    OK(ledger_batches(f->ledger, 99, true, SIZE_MAX, f->arena, &batches, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(batches[0].batch_id, 1);
    OK(ledger_batches(f->ledger, -1, false, SIZE_MAX, f->arena, &batches, &count, &f->err));
    assert_int_equal(count, 2);
    assert_int_equal(batches[0].batch_id, 0);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/root"}), 1);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/"}), 5);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/a/f"}), 1);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/ab"}), 0);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = -1, .prefix = "/a/g"}), 0);
    assert_int_equal(scan_count(f, (struct ledger_filter){.batch_id = 7}), 0);
    ledger_scan_free(NULL);
    char long_name[600];
    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = 0;
    const char *names[] = {long_name, "f"};
    bool known[2];
    struct ledger_file file;
    OK(ledger_known(f->ledger, &f->source, "/a", names, NULL, 2, known, &f->err));
    assert_false(known[0]);
    assert_true(known[1]);
    OK(ledger_find(f->ledger, &f->source, "/a", long_name, f->arena, &file, &f->err));
    assert_int_equal(file.state, FILE_UNKNOWN);
    struct admission admission = admission_of(f, "/a", long_name, 1, ADMIT_PENDING);
    assert_false(ledger_admit(f->ledger, &f->source, &(struct discovery){.admissions = &admission, .count = 1}, &f->err));
    assert_int_equal(f->err.condition, COND_INLET_NOT_SUPPORTED_YET);
}

/* --- Other processes ------------------------------------------------------------------------------------------------------ */

static int wait_for(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* In the child the parent's environment must not be used: the store is opened anew. */
static int read_in_child(struct fixture *f)
{
    struct ledger *beside = ledger_open_read(f->checkpoint, &f->context, &f->err);
    if (!beside) return 1;
    for (int i = 0; i < 200; i++) {
        struct ledger_counts counts;
        if (!ledger_counts(beside, &counts, &f->err)) return 2;
        int64_t sum = counts.files[FILE_PENDING] + counts.files[FILE_PLANNED] + counts.files[FILE_PREPARED] + counts.files[FILE_COMMITTED];
        if (sum % 10) return 3; /* Whole admissions of ten only. */
        if (!ledger_verify(beside, &f->err)) return 4;
    }
    struct ledger_setting setting = {"x", "y"};
    if (ledger_setting_set(beside, &setting, 1, &f->err)) return 5;
    ledger_close(beside);
    return 0;
}

static void readers_beside_the_owner_see_whole_steps(void **state)
{
    struct fixture *f = *state;
    ledger_close(f->ledger); /* No open store across fork. */
    f->ledger = NULL;
    pid_t child = fork();
    if (child == 0) {
        struct timespec pause = {.tv_nsec = 30000000};
        nanosleep(&pause, NULL);
        _exit(read_in_child(f));
    }
    reopen(f);
    for (int i = 0; i < 60; i++) {
        admit_many(f, i * 10, 10);
        run_batch(f, 7);
    }
    assert_int_equal(wait_for(child), 0);
}

static void one_of_many_starters_wins(void **state)
{
    struct fixture *f = *state;
    ledger_close(f->ledger);
    f->ledger = NULL;
    OK(directory_remove_tree(f->checkpoint, &f->err)); /* A race for the first start. */
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] != 0) continue;
        struct ledger *ledger = ledger_open(f->checkpoint, &f->context, &f->err);
        if (!ledger) _exit(f->err.condition == COND_INLET_CHECKPOINT_OWNED ? 10 : 20);
        struct timespec pause = {.tv_nsec = 300000000};
        nanosleep(&pause, NULL);
        _exit(0);
    }
    int winners = 0, refused_count = 0;
    for (int i = 0; i < 4; i++) {
        int status = wait_for(children[i]);
        winners += status == 0;
        refused_count += status == 10;
    }
    assert_int_equal(winners, 1);
    assert_int_equal(refused_count, 3);
    reopen(f);
}

/* Works on until it is killed: every step leaves something that the next start must make sense of. */
static void work_until_killed(struct fixture *f, int first)
{
    for (int i = first;; i++) {
        struct open_batch open;
        if (!ledger_open_batch(f->ledger, f->arena, &open, &f->err)) _exit(1);
        if (open.stage == BATCH_PLANNED && open.file_count > 1 && i % 3 == 0) {
            struct plan plan = open.plan;
            plan.tasks[0].count = 1;
            struct removal removal = {0, open.files[0].ordinal, (enum removal_kind)(i % 4), "by test"};
            if (!ledger_replan(f->ledger, &plan, &removal, 1, &f->err)) _exit(2);
        } else if (open.stage == BATCH_PLANNED) {
            prepare_open(f);
        } else if (open.stage == BATCH_PREPARED) {
            commit_open(f);
        } else if (plan_next(f, 4) == 0) {
            int64_t next;
            if (!ledger_next_ordinal(f->ledger, 0, &next, &f->err)) _exit(3);
            admit_many(f, (int)next, 9);
        }
        arena_reset(f->arena);
    }
}

static void kill_nine_at_any_moment_leaves_a_whole_ledger(void **state)
{
    struct fixture *f = *state;
    unsigned seed = getenv("INLET_SEED") ? (unsigned)atoi(getenv("INLET_SEED")) : 7;
    print_message("# INLET_SEED=%u\n", seed);
    bool slow = getenv("VALGRIND") != NULL;
    int64_t last_batch = -1;
    for (int round = 0; round < (slow ? 20 : 60); round++) {
        ledger_close(f->ledger);
        f->ledger = NULL;
        pid_t child = fork();
        if (child == 0) {
            reopen(f);
            work_until_killed(f, round);
        }
        struct timespec pause = {.tv_nsec = 1000000 + (long)(rand_r(&seed) % 20000) * (slow ? 45000 : 1000)};
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        assert_int_equal(wait_for(child), 128 + SIGKILL);
        reopen(f);
        struct ledger_counts counts = counts_of(f); /* Verifies L1, L5, every checksum. */
        assert_true(counts.last_batch_id >= last_batch);
        last_batch = counts.last_batch_id;
        arena_reset(f->arena);
    }
    assert_true(last_batch > 0);
}

/* --- Damage ------------------------------------------------------------------------------------------------------------------ */

static int open_damaged(struct fixture *f)
{
    struct ledger *ledger = ledger_open(f->checkpoint, &f->context, &f->err);
    bool ok = ledger && ledger_verify(ledger, &f->err);
    if (!ok && f->err.condition == COND_NONE) return 3;
    if (!ok) return f->err.condition == COND_INLET_CHECKPOINT_DAMAGED || f->err.condition == COND_INLET_CHECKPOINT_NEWER || f->err.condition == COND_INLET_IO ? 1 : 4;
    return 0;
}

static void flipped_bits_in_values_are_seen(void **state)
{
    struct fixture *f = *state;
    admit_many(f, 0, 200);
    run_batch(f, 100);
    ledger_close(f->ledger);
    f->ledger = NULL;
    struct buffer good = {0};
    OK(file_read_all(file_in(f, "ledger/data.mdb"), 1 << 26, &good, &f->err));
    /* Where the text of a value stands: the stored name of a run is covered by its checksum. */
    size_t tried = 0, seen = 0;
    for (size_t at = 0; at + 8 < good.size && tried < 12; at++) {
        if (memcmp(good.data + at, "\"f000", 5) != 0 && memcmp(good.data + at, "f000", 4) != 0) continue;
        struct buffer bad = {0};
        buffer_append(&bad, good.data, good.size);
        bad.data[at + 2] ^= 0x10;
        OK(file_replace(file_in(f, "ledger/data.mdb"), slice_of(bad.data, bad.size), &f->err));
        buffer_free(&bad);
        at += 2000;
        tried++;
        pid_t child = fork();
        if (child == 0) _exit(open_damaged(f));
        int status = wait_for(child);
        assert_in_range(status, 0, 1);
        seen += status == 1;
    }
    assert_true(tried > 3);
    assert_true(seen > 0); /* Some copies stand in pages that are no longer in use. */
    OK(file_replace(file_in(f, "ledger/data.mdb"), slice_of(good.data, good.size), &f->err));
    buffer_free(&good);
    reopen(f);
    counts_of(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_first_start_makes_ledger_and_metadata), TEST(a_ledger_without_metadata_is_repaired),
        TEST(a_ledger_without_its_data_file_is_damage), TEST(a_first_start_that_was_cut_short_is_begun_again),
        TEST(a_newer_ledger_is_refused),
        TEST(settings_are_kept_and_facts_compared), TEST(ordinals_follow_time_then_path),
        TEST(a_path_is_admitted_once), TEST(overwrites_are_new_versions), TEST(overwrites_switched_on_later_know_old_rows),
        TEST(a_base_name_counts_once_but_not_within_one_admission), TEST(unsettled_files_keep_the_time_they_were_first_seen),
        TEST(skipped_files_are_visible_and_stay_skipped), TEST(marks_come_back_as_they_were_given), TEST(limits_cut_as_spark_or_as_auto_loader),
        TEST(a_batch_goes_through_its_life), TEST(commit_may_carry_the_next_plan), TEST(an_admission_may_carry_the_plan_of_its_files),
        TEST(latest_first_takes_from_the_end),
        TEST(equal_times_come_in_path_order_latest_first_too), TEST(files_leave_a_plan_with_their_reasons), TEST(failed_files_are_let_in_again),
        TEST(a_plan_that_is_given_up_leaves_its_files_pending), TEST(several_sources_share_a_batch), TEST(long_and_odd_names_survive),
        TEST(scans_see_every_file_once_with_filters), TEST(history_is_told_in_both_directions), TEST(the_last_hundred_progress_texts_are_kept),
        TEST(cleaning_goes_on_where_it_stopped), TEST(cleaning_that_was_off_reaches_no_older_batch), TEST(cleaning_by_another_rule_keeps_each_target),
        TEST(questions_beyond_the_ends_are_answered), TEST(readers_beside_the_owner_see_whole_steps),
        TEST(one_of_many_starters_wins), TEST(kill_nine_at_any_moment_leaves_a_whole_ledger), TEST(flipped_bits_in_values_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
