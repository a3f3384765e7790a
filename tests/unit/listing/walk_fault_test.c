/* walk_fault_test -- each call that a walk makes fails, one at a time: what is not found is told, and a visitor's refusal ends the walk. */
#include "base/file.h"
#include "listing/walk.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>
#include "tests/unit/fault.h"

/* --- More of the system disturbed: these also stand before the library's own ------------------------------------------------ */

int fstatfs(int fd, struct statfs *out) { return is_now() ? -1 : REAL("fstatfs", int, struct statfs *)(fd, out); }

int openat(int fd, const char *path, int flags, ...)
{
    return is_now() ? -1 : REAL("openat", int, const char *, int, ...)(fd, path, flags, 0);
}

long syscall(long number, ...)
{
    va_list more;
    va_start(more, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_getdents64 && is_now()) return -1;
    return ((long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"))(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* --- A tree, and what is told of it -------------------------------------------------------------------------------- */

enum { FILES_MAX = 32 };

struct fixture {
    char folder[64];
    struct arena *arena;
    struct error err;
    char *found[FILES_MAX];
    size_t count, unreadable;
    long asked, refuse_at;     /* The visitor's refuse_at-th answer is a refusal. */
    bool stat_known;
};

static bool refuses(struct fixture *f, struct error *err)
{
    return ++f->asked == f->refuse_at && !error_set(err, COND_INLET_DISK_FULL, "by test");
}

static bool on_known(void *user, const char *directory, const char *const *names, const int64_t *mtimes_us, size_t count, bool *known, struct error *err)
{
    (void)directory;
    for (size_t i = 0; i < count; i++) known[i] = strcmp(names[i], "known") == 0;
    assert_true(!mtimes_us == !((struct fixture *)user)->stat_known);
    return !refuses(user, err);
}

static bool on_found(void *user, const struct sighting *sighting, struct error *err)
{
    struct fixture *f = user;
    assert_in_range(f->count, 0, FILES_MAX - 1);
    f->found[f->count++] = arena_printf(f->arena, "%s/%s", sighting->directory, sighting->name);
    return !refuses(f, err);
}

static bool on_seen(void *user, const struct walk_mark *mark, struct error *err)
{
    assert_non_null(mark->directory);
    return !refuses(user, err);
}

static bool on_marked(void *user, const char *directory, struct walk_mark *mark, bool *found, struct error *err)
{
    assert_non_null(directory);
    assert_non_null(mark);
    *found = false;
    return !refuses(user, err);
}

static void on_unreadable(void *user, const char *directory, const struct error *why)
{
    assert_non_null(directory);
    assert_int_not_equal(why->condition, COND_NONE);
    ((struct fixture *)user)->unreadable++;
}

static void put(struct fixture *f, const char *name)
{
    char *path = arena_printf(f->arena, "%s/%s", f->folder, name), *slash = strrchr(path, '/');
    *slash = 0;
    assert_true(directories_make(path, &f->err));
    *slash = '/';
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/walk_fault_XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    f->arena = arena_new("test");
    const char *names[] = {"land/a", "land/b", "land/known", "land/p=1/c", "land/p=2/d", "land/p=2/q=1/e", "land/other/f"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) put(f, names[i]);
    if (symlink("a", arena_printf(f->arena, "%s/land/link", f->folder)) != 0) return -1;
    if (symlink("p=1", arena_printf(f->arena, "%s/land/p=3", f->folder)) != 0) return -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    fault.counts = false;
    bool ok = directory_remove_tree(f->folder, NULL);
    arena_free(f->arena);
    free(f);
    return ok ? 0 : -1;
}

struct manner {                /* A way to walk. */
    const char *load;
    bool strict, subtree, stat_known, marks, under, root_may_go;
};
static const struct manner manners[] = {
    {"land", true, false, false, true, false, false}, {"land", false, true, true, false, false, true}, {"land/*/q=1", true, true, false, false, false, false},
    {"land/p=2/*", false, false, true, false, false, false}, {"land", true, true, false, true, true, false}, {"*/p=[12]", true, true, false, false, true, false},
    {"land/a", true, false, true, false, false, false}, {"land/a", true, false, false, false, true, false},
};
enum { MANNERS = sizeof manners / sizeof *manners };

static bool walk_it(struct fixture *f, const struct manner *manner)
{
    const char *load = arena_printf(f->arena, "%s/%s", f->folder, manner->load);
    struct walk_spec spec = {.load = &load, .load_count = 1, .strict_glob = manner->strict, .subtree = manner->subtree, .stat_known = manner->stat_known,
                             .use_marks = manner->marks, .root_may_go = manner->root_may_go, .modified_after_us = INT64_MIN, .modified_before_us = INT64_MAX};
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found, .seen = on_seen, .marked = on_marked, .unreadable = on_unreadable};
    struct walk_stats stats;
    f->stat_known = manner->stat_known;
    f->count = f->unreadable = 0;
    f->asked = 0;
    error_clear(&f->err);
    struct walk *walk = walk_new(&spec, f->arena, &f->err);
    if (!walk) fail_msg("walk_new: %s", f->err.message);
    const char *under = arena_printf(f->arena, "%s/land/p=2", f->folder);
    fault.counts = true;
    fault.calls = 0;
    int64_t now_us = INT64_C(4000000000000000); /* Far behind every file's time, so that folders may be marked. */
    bool ok = manner->under ? walk_run_under(walk, under, &visitor, now_us, NULL, &stats, &f->err) : walk_run(walk, &visitor, now_us, NULL, &stats, &f->err);
    fault.counts = false;
    return ok;
}

static void each_failing_call_is_told(void **state)
{
    struct fixture *f = *state;
    static const int codes[] = {EIO, EACCES, EMFILE, ENOENT};
    for (size_t m = 0; m < MANNERS; m++) {
        fault.at = 0;
        assert_true(walk_it(f, &manners[m]));
        long calls = fault.calls;
        size_t count = f->count;
        for (long at = 1; at <= calls; at++) {
            for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
                fault.at = at;
                fault.code = codes[c];
                bool ok = walk_it(f, &manners[m]);
                if (f->count > count) fail_msg("manner %zu, call %ld, %s: more files than there are", m, at, strerror(codes[c]));
                if (!ok && f->err.condition == COND_NONE) fail_msg("manner %zu, call %ld, %s: no condition", m, at, strerror(codes[c]));
                if (ok && f->count < count && !f->unreadable && codes[c] != ENOENT)
                    fail_msg("manner %zu, call %ld of %ld, %s: %zu of %zu files, and nobody was told", m, at, calls, strerror(codes[c]), f->count, count);
                arena_reset(f->arena);
            }
        }
    }
}

static void a_visitor_that_refuses_ends_the_walk(void **state)
{
    struct fixture *f = *state;
    fault.at = 0;
    for (size_t m = 0; m < MANNERS; m++) {
        f->refuse_at = 0;
        assert_true(walk_it(f, &manners[m]));
        long asked = f->asked;
        for (long at = 1; at <= asked; at++) {
            f->refuse_at = at;
            assert_false(walk_it(f, &manners[m]));
            assert_int_equal(f->err.condition, COND_INLET_DISK_FULL);
            assert_int_equal(f->asked, at); /* Nothing was asked behind it. */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_failing_call_is_told, setup, teardown),
                                       cmocka_unit_test_setup_teardown(a_visitor_that_refuses_ends_the_walk, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
