/* file: folders whose names are durable, or not there. */
#include "base/file.h"
#include "tests/unit/fixture.h"
#include "tests/unit/fault.h"

#include <stdio.h>
#include <unistd.h>

static char folder[64];
static int synced;             /* Folders, since the last attempt began. */

int mkdir(const char *path, mode_t mode) { return is_now() ? -1 : REAL("mkdir", const char *, mode_t)(path, mode); }
int fsync(int fd)
{
    if (is_now()) return -1;
    synced++;
    return REAL("fsync", int)(fd);
}

static int enter(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/file-test-XXXXXX");
    return !mkdtemp(folder) || start(state) != 0;
}

static int leave(void **state)
{
    struct error ignored;
    return !directory_remove_tree(folder, &ignored) || stop(state) != 0;
}

static bool exists(const char *name) { return access(path_join(arena, folder, name), F_OK) == 0; }

/* The N-th call of making a/b/c fails with EIO. */
static bool make_failing(long at)
{
    fault.calls = 0;
    synced = 0;
    fault.at = at;
    fault.code = EIO;
    fault.counts = true;
    bool ok = directories_make(path_join(arena, folder, "a/b/c"), &err);
    fault.counts = false;
    return ok;
}

/* Whoever finds a folder takes its name for durable. */
static void a_folder_whose_name_could_not_be_synced_is_not_left_behind(void **state)
{
    (void)state;
    long at = 1;
    for (; !make_failing(at); at++) {
        assert_int_equal(err.errno_value, EIO);
        assert_int_equal(exists("a") + exists("a/b") + exists("a/b/c"), synced);
        error_clear(&err);
        struct error ignored;
        assert_true(!exists("a") || directory_remove_tree(path_join(arena, folder, "a"), &ignored));
        assert_true(at < 100);
    }
    assert_in_range(at, 10, 99); /* Three of each: look up, make, open, sync. */
    assert_true(exists("a/b/c"));
    assert_int_equal(synced, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_whose_name_could_not_be_synced_is_not_left_behind, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
