/* walk_fault_test -- each call that a walk makes fails, one at a time: what is not found is told, and a visitor's refusal ends the walk. */
#include "base/file.h"
#include "listing/walk.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
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

static struct {
    long type;                 /* Of the file system; 0: its own. */
    bool shy;                  /* It does not say of which kind its entries are. */
} file_system;

int fstatfs(int fd, struct statfs *out)
{
    if (is_now() || REAL("fstatfs", int, struct statfs *)(fd, out) != 0) return -1;
    if (file_system.type) out->f_type = file_system.type;
    return 0;
}

int openat(int fd, const char *path, int flags, ...)
{
    return is_now() ? -1 : REAL("openat", int, const char *, int, ...)(fd, path, flags, 0);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *user)
{
    return is_now() ? EAGAIN : REAL("pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)(thread, attributes, run, user);
}

enum { TYPE_AT = 18, SIZE_AT = 16 }; /* In an entry of getdents64. */

long syscall(long number, ...)
{
    va_list more;
    va_start(more, number);
    long a[6];
    for (int i = 0; i < 6; i++) a[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_getdents64 && is_now()) return -1;
    long size = ((long (*)(long, ...))dlsym(RTLD_NEXT, "syscall"))(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_getdents64 && file_system.shy) {
        uint16_t step;
        for (char *at = (char *)a[1], *end = at + size; at < end; at += step) {
            at[TYPE_AT] = DT_UNKNOWN;
            memcpy(&step, at + SIZE_AT, sizeof step);
        }
    }
    return size;
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
    size_t marks;
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
    ((struct fixture *)user)->marks++;
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

static void make_tree(struct fixture *f)
{
    const char *names[] = {"land/a", "land/b", "land/known", "land/p=1/c", "land/p=2/d", "land/p=2/q=1/e", "land/other/f"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) put(f, names[i]);
    assert_int_equal(symlink("a", arena_printf(f->arena, "%s/land/link", f->folder)), 0);
    assert_int_equal(symlink("p=1", arena_printf(f->arena, "%s/land/p=3", f->folder)), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "%s/walk_fault_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(f->folder)) return -1;
    f->arena = arena_new("test");
    make_tree(f);
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
    bool strict, subtree, stat_known, marks, under, root_may_go, ahead;
};
static const struct manner manners[] = {
    {"land", true, false, false, true, false, false}, {"land", false, true, true, false, false, true}, {"land/*/q=1", true, true, false, false, false, false},
    {"land/p=2/*", false, false, true, false, false, false}, {"land", true, true, false, true, true, false}, {"*/p=[12]", true, true, false, false, true, false},
    {"land/a", true, false, true, false, false, false}, {"land/a", true, false, false, false, true, false}, {"*/a", true, false, false, false, false, false},
    {"land", true, true, false, false, false, false, true}, {"land", true, true, true, false, false, false, true},
};
enum { MANNERS = sizeof manners / sizeof *manners };

static bool walk_it(struct fixture *f, const struct manner *manner)
{
    const char *load = arena_printf(f->arena, "%s/%s", f->folder, manner->load);
    struct walk_spec spec = {.load = &load, .load_count = 1, .strict_glob = manner->strict, .subtree = manner->subtree, .stat_known = manner->stat_known,
                             .use_marks = manner->marks, .root_may_go = manner->root_may_go, .read_ahead = manner->ahead, .modified_after_us = INT64_MIN, .modified_before_us = INT64_MAX};
    struct walk_visitor visitor = {.user = f, .known = on_known, .found = on_found, .seen = on_seen, .marked = on_marked, .unreadable = on_unreadable};
    struct walk_stats stats;
    f->stat_known = manner->stat_known;
    f->count = f->unreadable = f->marks = 0;
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
    static const int codes[] = {EIO, EACCES, EMFILE, ENFILE, ENOMEM, ENOENT, ENOTDIR, ELOOP};
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
                bool nothing = codes[c] == ENOENT || codes[c] == ENOTDIR || codes[c] == ELOOP; /* There is nothing, they say. */
                if (ok && f->count < count && !f->unreadable && !nothing)
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

/* --- The tree changes under the walk --------------------------------------------------------------------------------- */

static struct fixture *changing;

static void replace_by(const char *name, bool (*make)(const char *path))
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", changing->folder, name);
    assert_true(directory_remove_tree(path, NULL) || unlink(path) == 0 || errno == ENOENT);
    assert_true(make(path));
}

static bool make_nothing(const char *path) { return path != NULL; }
static bool make_folder(const char *path) { return mkdir(path, 0777) == 0; }
static bool make_pipe(const char *path) { return mkfifo(path, 0666) == 0; }
static bool make_loop(const char *path) { return symlink(".", path) == 0; }

static void take_file_away(void) { replace_by("land/a", make_nothing); }
static void make_file_a_folder(void) { replace_by("land/a", make_folder); }
static void make_file_a_pipe(void) { replace_by("land/a", make_pipe); }
static void take_folder_away(void) { replace_by("land/p=2", make_nothing); }
static void make_folder_a_pipe(void) { replace_by("land/p=2", make_pipe); }
static void make_folder_a_loop(void) { replace_by("land/p=2", make_loop); }
static void take_all_away(void) { replace_by("land", make_nothing); }

static bool has_come(struct fixture *f, const char *end)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->found[i] + strlen(f->found[i]) - strlen(end), end) == 0) return true;
    return false;
}

static void a_tree_that_changes_meanwhile_gives_what_stayed(void **state)
{
    static void (*const changes[])(void) = {take_file_away, make_file_a_folder, make_file_a_pipe, take_folder_away, make_folder_a_pipe, make_folder_a_loop, take_all_away};
    enum { CHANGES = sizeof changes / sizeof *changes };
    struct fixture *f = *state;
    for (size_t m = 0; m < MANNERS; m++) {
        fault.at = 0;
        assert_true(walk_it(f, &manners[m]));
        size_t all = f->count;
        bool had_b = has_come(f, "/land/b");
        for (long at = 1, calls = fault.calls; at <= calls; at++) {
            for (size_t c = 0; c < CHANGES; c++) {
                changing = f;
                fault.at = at;
                fault.meanwhile = changes[c];
                bool ok = walk_it(f, &manners[m]);
                fault.meanwhile = NULL;
                if (!ok && f->err.condition != COND_PATH_NOT_FOUND) fail_msg("manner %zu, call %ld, change %zu: %s", m, at, c, f->err.message);
                if (f->count > all && changes[c] != make_folder_a_loop) fail_msg("manner %zu, call %ld, change %zu: %zu files of %zu", m, at, c, f->count, all);
                if (had_b && c < CHANGES - 1 && !has_come(f, "/land/b")) fail_msg("manner %zu, call %ld, change %zu: a file that stayed is not found", m, at, c);
                assert_true(directory_remove_tree(arena_printf(f->arena, "%s/land", f->folder), &f->err));
                make_tree(f);
                arena_reset(f->arena);
            }
        }
    }
}

static void what_the_file_system_does_not_say_is_asked(void **state)
{
    struct fixture *f = *state;
    fault.at = 0;
    for (size_t m = 0; m < MANNERS; m++) {
        assert_true(walk_it(f, &manners[m]));
        size_t count = f->count;
        file_system.shy = true;
        bool ok = walk_it(f, &manners[m]);
        file_system.shy = false;
        assert_true(ok);
        if (f->count != count) fail_msg("manner %zu: %zu files instead of %zu", m, f->count, count);
        if (!manners[m].under) assert_int_equal(f->marks, 0); /* An entry of unknown kind may be a link. */
    }
}

static void only_local_file_systems_are_trusted_with_marks(void **state)
{
    static const struct { long type; bool trusted; } types[] = {{0xEF53, true}, {0x58465342, true}, {0x9123683E, true}, {0x01021994, true}, {0xF2F52010, true},
                                                                {0x6969, false}, {0x65735546, false}, {0x794C7630, false}}; /* NFS, FUSE, overlay. */
    struct fixture *f = *state;
    fault.at = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        file_system.type = types[i].type;
        bool ok = walk_it(f, &manners[0]);
        file_system.type = 0;
        assert_true(ok);
        assert_int_equal(f->marks > 0, types[i].trusted);
    }
}

static void single_names_that_cannot_be_looked_at(void **state)
{
    struct fixture *f = *state;
    const char *load = arena_printf(f->arena, "%s/land", f->folder), *path = arena_printf(f->arena, "%s/p=1/c", load);
    struct walk_spec spec = {.load = &load, .load_count = 1, .strict_glob = true, .modified_after_us = INT64_MIN, .modified_before_us = INT64_MAX};
    struct walk *walk = walk_new(&spec, f->arena, &f->err);
    static const struct { int code; bool told; } codes[] = {{EIO, true}, {ENOMEM, true}, {EACCES, false}, {ENOENT, false}, {ENOTDIR, false}, {ELOOP, false}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct sighting sighting;
        bool found;
        fault.code = codes[i].code;
        fault.calls = 0;
        fault.at = 1;
        fault.counts = true;
        bool ok = walk_look_at(walk, load, "a", &sighting, &found, &f->err);
        fault.counts = false;
        assert_int_equal(ok, !codes[i].told);
        assert_false(found);
    }
    for (long at = 1; at <= 3; at++) { /* Of the file, of the load folder, of the one in between. */
        fault.code = EIO;
        fault.calls = 0;
        fault.at = at;
        fault.counts = true;
        const char *why = walk_why_not(walk, path, f->arena);
        fault.counts = false;
        assert_int_equal(why != NULL, at == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_failing_call_is_told, setup, teardown),
                                       cmocka_unit_test_setup_teardown(a_visitor_that_refuses_ends_the_walk, setup, teardown),
                                       cmocka_unit_test_setup_teardown(a_tree_that_changes_meanwhile_gives_what_stayed, setup, teardown),
                                       cmocka_unit_test_setup_teardown(what_the_file_system_does_not_say_is_asked, setup, teardown),
                                       cmocka_unit_test_setup_teardown(only_local_file_systems_are_trusted_with_marks, setup, teardown),
                                       cmocka_unit_test_setup_teardown(single_names_that_cannot_be_looked_at, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
