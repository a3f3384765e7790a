/* Failed files: which of them are let in again, by what they look like now and by how far the retry reaches. */
#include "base/file.h"
#include "loader/retake.h"
#include "tests/unit/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/fault.h"

struct world {
    char folder[64], path[128];
    struct inlet_context context;
    struct ledger *ledger;
};

static const struct ledger_source source = {.id = 0};

static void must(bool ok)
{
    if (!ok) fail_msg("[%s] %s", condition_name(err.condition), err.message);
}

static struct failed_look look_at(const char *path, bool could_open)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (struct failed_look){.could_open = could_open, .size = info.st_size, .mtime_us = (int64_t)info.st_mtim.tv_sec * 1000000 + info.st_mtim.tv_nsec / 1000,
                                .ctime_us = (int64_t)info.st_ctim.tv_sec * 1000000 + info.st_ctim.tv_nsec / 1000, .device = (uint64_t)info.st_dev, .inode = (uint64_t)info.st_ino};
}

/* A ledger in which the file failed, as it lies there now. */
static void fail_file(struct world *w, bool could_open)
{
    struct admission admission = {.sighting = {.directory = w->folder, .name = "f", .size = 3, .mtime_us = 7}, .verdict = ADMIT_PENDING};
    struct discovery discovery = {.admissions = &admission, .count = 1};
    struct ledger_input *files;
    size_t count;
    must(file_replace(w->path, slice_text("abc"), &err) && ledger_admit(w->ledger, &source, &discovery, &err) &&
         ledger_take(w->ledger, &source, &(struct take_limits){0}, arena, &files, &count, &err));
    assert_int_equal(count, 1);
    struct plan plan = {.watermark_late_us = WATERMARK_NONE, .watermark_evict_us = WATERMARK_NONE, .settings = "{}", .pipeline_digest = "p", .plan_digest = "q", .limits = ""};
    plan.ranges = plan_ranges(arena, files, count, 0, &plan.range_count);
    struct removal removal = {0, files[0].ordinal, REMOVE_FAILED, "by test", look_at(w->path, could_open)};
    must(ledger_plan(w->ledger, &plan, &err));
    plan.range_count = 0;
    must(ledger_replan(w->ledger, &plan, &removal, 1, &err) && ledger_unplan(w->ledger, 0, &err));
}

static struct world *begin(bool could_open)
{
    struct world *w = ARENA_NEW(arena, struct world);
    snprintf(w->folder, sizeof w->folder, "/tmp/retake_XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/f", w->folder);
    inlet_context_init(&w->context);
    error_clear(&err);
    w->ledger = ledger_open(arena_printf(arena, "%s/cp", w->folder), &w->context, &err);
    must(w->ledger != NULL);
    fail_file(w, could_open);
    return w;
}

static void end(struct world *w)
{
    struct ledger_counts counts;
    must(ledger_verify(w->ledger, &err) && ledger_counts(w->ledger, &counts, &err));
    ledger_close(w->ledger);
    must(directory_remove_tree(w->folder, &err));
    inlet_context_fini(&w->context);
}

enum { KEPT, TAKEN, GONE };

static void expect(struct world *w, enum retake_reach reach, int what)
{
    struct retake_counts counts;
    bool ok = retake_files(w->ledger, 0, &w->context, reach, &counts, &err);
    fault.counts = false;
    must(ok);
    assert_int_equal(counts.kept, what == KEPT);
    assert_int_equal(counts.retaken, what == TAKEN);
    assert_int_equal(counts.gone, what == GONE);
    struct ledger_counts files;
    must(ledger_counts(w->ledger, &files, &err));
    assert_int_equal(files.files[FILE_FAILED], what == KEPT);
    assert_int_equal(files.files[FILE_VANISHED], what == GONE);
}

static void what_is_as_it_was_waits_for_a_longer_reach(void **state)
{
    (void)state;
    struct world *w = begin(true);
    expect(w, RETAKE_CHANGED, KEPT);
    expect(w, RETAKE_READABLE, TAKEN);
    end(w);
    end((w = begin(false), expect(w, RETAKE_CHANGED, TAKEN), w)); /* It could not be opened then, and can now. */
    end((w = begin(true), expect(w, RETAKE_ALL, TAKEN), w));
}

static void any_change_lets_it_in(void **state)
{
    (void)state;
    struct world *w = begin(true);
    must(file_replace(w->path, slice_text("abcd"), &err)); /* Size, inode, times. */
    expect(w, RETAKE_CHANGED, TAKEN);
    end(w);
    w = begin(true);
    assert_int_equal(chmod(w->path, 0600), 0); /* The time of its status alone, where the clock has moved on. */
    usleep(20000);
    assert_int_equal(chmod(w->path, 0644), 0);
    expect(w, RETAKE_CHANGED, TAKEN);
    end(w);
    w = begin(true);
    struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
    assert_int_equal(utimensat(AT_FDCWD, w->path, times, 0), 0);
    expect(w, RETAKE_CHANGED, TAKEN);
    end(w);
}

static void what_is_no_file_now_is_kept_and_what_has_gone_is_gone(void **state)
{
    (void)state;
    struct world *w = begin(true);
    assert_int_equal(unlink(w->path), 0);
    assert_int_equal(mkdir(w->path, 0755), 0);
    expect(w, RETAKE_READABLE, KEPT);
    assert_int_equal(rmdir(w->path), 0);
    expect(w, RETAKE_CHANGED, GONE);
    end(w);
}

/* With a call that fails: the first is the look at the file, the second opens it. */
static void expect_with(long at, int code, enum retake_reach reach, int what)
{
    struct world *w = begin(true);
    fault.calls = 0;
    fault.at = at;
    fault.code = code;
    fault.counts = true;
    expect(w, reach, what);
    end(w);
}

static void what_cannot_be_looked_at_is_kept_unless_somebody_insists(void **state)
{
    (void)state;
    expect_with(1, EACCES, RETAKE_READABLE, KEPT);
    expect_with(1, EACCES, RETAKE_ALL, TAKEN);
    expect_with(1, ENOTDIR, RETAKE_CHANGED, GONE);
    expect_with(2, EACCES, RETAKE_READABLE, KEPT);
    expect_with(2, EACCES, RETAKE_ALL, TAKEN); /* It does not open it. */
}

static void a_run_that_is_to_stop_looks_at_none(void **state)
{
    (void)state;
    struct world *w = begin(false);
    struct retake_counts counts;
    atomic_store(&w->context.cancel.level, 1);
    must(retake_files(w->ledger, 0, &w->context, RETAKE_ALL, &counts, &err));
    assert_int_equal(counts.kept + counts.retaken + counts.gone, 0);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_as_it_was_waits_for_a_longer_reach),
        cmocka_unit_test(any_change_lets_it_in),
        cmocka_unit_test(what_is_no_file_now_is_kept_and_what_has_gone_is_gone),
        cmocka_unit_test(what_cannot_be_looked_at_is_kept_unless_somebody_insists),
        cmocka_unit_test(a_run_that_is_to_stop_looks_at_none),
    };
    return cmocka_run_group_tests_name("retake", tests, start, stop);
}
