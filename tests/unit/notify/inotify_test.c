/* inotify_test -- hints of files and folders, overflow, vanished roots, and the limits of the machine. */
#include "base/file.h"
#include "notify/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    const char *root;
    struct arena *arena;
    struct error err;
    struct notify *notify;
    struct notify_batch batch;
};

static bool enters(void *user, const char *directory)
{
    (void)user;
    return strstr(directory, "/_") == NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/inotify_test_XXXXXX");
    if (!mkdtemp(f->folder)) return -1;
    f->arena = arena_new("test");
    f->root = arena_printf(f->arena, "%s/landing", f->folder);
    if (mkdir(f->root, 0777) != 0) return -1;
    struct notify_spec spec = {.roots = &f->root, .root_count = 1, .enters = enters};
    f->notify = inotify_notify.open(&spec, &f->err);
    *state = f;
    return f->notify ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    inotify_notify.close(f->notify);
    bool ok = directory_remove_tree(f->folder, NULL);
    arena_free(f->arena);
    free(f);
    return ok ? 0 : -1;
}

static const char *in(struct fixture *f, const char *name) { return arena_printf(f->arena, "%s/%s", f->folder, name); }

static void put(struct fixture *f, const char *name)
{
    int fd = open(in(f, name), O_CREAT | O_WRONLY, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void poll_now(struct fixture *f)
{
    if (!inotify_notify.poll(f->notify, 200, f->arena, &f->batch, &f->err)) fail_msg("%s", f->err.message);
}

static const struct notify_hint *hint_of(struct fixture *f, const char *directory, const char *name)
{
    for (size_t i = 0; i < f->batch.count; i++) {
        const struct notify_hint *hint = &f->batch.hints[i];
        if (strcmp(hint->directory, in(f, directory)) != 0 || !hint->name != !name) continue;
        if (!name || strcmp(hint->name, name) == 0) return hint;
    }
    return NULL;
}

static void a_written_file_is_hinted_at_once(void **state)
{
    struct fixture *f = *state;
    poll_now(f);
    assert_int_equal(f->batch.count, 0);
    put(f, "landing/a");
    poll_now(f);
    assert_int_equal(f->batch.count, 1);
    assert_true(hint_of(f, "landing", "a")->closed);
    assert_false(hint_of(f, "landing", "a")->known_complete);
    put(f, "outside");
    assert_int_equal(rename(in(f, "outside"), in(f, "landing/b")), 0);
    poll_now(f);
    assert_true(hint_of(f, "landing", "b")->known_complete);
}

static void a_hard_link_is_hinted_at_without_promise(void **state)
{
    struct fixture *f = *state;
    put(f, "outside");
    assert_int_equal(link(in(f, "outside"), in(f, "landing/l")), 0);
    poll_now(f);
    assert_non_null(hint_of(f, "landing", "l"));
    assert_false(hint_of(f, "landing", "l")->known_complete);
    assert_false(hint_of(f, "landing", "l")->closed);
}

static void a_file_that_is_opened_again_is_no_longer_complete(void **state)
{
    struct fixture *f = *state;
    put(f, "outside");
    assert_int_equal(rename(in(f, "outside"), in(f, "landing/b")), 0);
    put(f, "landing/b");
    poll_now(f);
    assert_false(hint_of(f, "landing", "b")->known_complete);
    assert_true(hint_of(f, "landing", "b")->closed);
}

static void folders_made_while_watching_are_watched(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "landing/x/y/z"), &f->err));
    put(f, "landing/x/y/z/early");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/x", NULL)); /* To be looked at as a whole: `early` may have no event. */
    put(f, "landing/x/y/z/late");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/x/y/z", "late"));
}

static void a_tree_that_is_moved_in_is_watched_under_its_new_name(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "elsewhere/deep"), &f->err));
    assert_int_equal(rename(in(f, "elsewhere"), in(f, "landing/tree")), 0);
    poll_now(f);
    assert_true(hint_of(f, "landing/tree", NULL)->known_complete);
    assert_int_equal(rename(in(f, "landing/tree"), in(f, "landing/other")), 0);
    poll_now(f);
    put(f, "landing/other/deep/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/other/deep", "a"));
    assert_int_equal(rename(in(f, "landing/other"), in(f, "away")), 0);
    poll_now(f);
    put(f, "away/deep/b");
    poll_now(f);
    assert_int_equal(f->batch.count, 0);
}

static void hidden_folders_are_not_watched(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "landing/_tmp"), &f->err));
    put(f, "landing/_tmp/a");
    poll_now(f);
    assert_int_equal(f->batch.count, 0);
}

static void a_lost_queue_asks_for_a_rescan(void **state)
{
    struct fixture *f = *state;
    long limit = 16384;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (file && fscanf(file, "%ld", &limit) != 1) limit = 16384;
    if (file) fclose(file);
    if (limit > 70000) skip();
    /* Two files in turn, so that equal events do not merge. */
    for (long i = 0; i < limit + 100; i++) put(f, i % 2 ? "landing/a" : "landing/b");
    assert_true(directories_make(in(f, "landing/unseen"), &f->err));
    poll_now(f);
    assert_true(f->batch.rescan);
    put(f, "landing/unseen/a"); /* Its folder's event was lost, and it is watched all the same. */
    poll_now(f);
    assert_non_null(hint_of(f, "landing/unseen", "a"));
}

static void a_root_that_goes_and_comes_back_asks_for_a_rescan(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(rmdir(f->root), 0);
    poll_now(f);
    assert_true(f->batch.rescan);
    assert_int_equal(mkdir(f->root, 0777), 0);
    poll_now(f);
    assert_true(f->batch.rescan);
    put(f, "landing/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing", "a"));
}

static void a_root_below_a_folder_that_is_replaced_asks_for_a_rescan(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "v1/in"), &f->err) && directories_make(in(f, "v2/in"), &f->err));
    assert_int_equal(symlink("v1", in(f, "current")), 0);
    const char *root = in(f, "current/in");
    struct notify_spec spec = {.roots = &root, .root_count = 1};
    inotify_notify.close(f->notify);
    f->notify = inotify_notify.open(&spec, &f->err);
    poll_now(f);
    assert_false(f->batch.rescan);
    unlink(in(f, "current"));
    assert_int_equal(symlink("v2", in(f, "current")), 0);
    poll_now(f);
    assert_true(f->batch.rescan);
    poll_now(f);
    assert_false(f->batch.rescan);
    put(f, "v2/in/a");
    poll_now(f);
    assert_non_null(hint_of(f, "current/in", "a"));
    assert_null(inotify_notify.limited(f->notify));
}

static void a_link_to_a_folder_is_watched_and_the_listing_goes_on(void **state)
{
    struct fixture *f = *state;
    assert_true(directories_make(in(f, "elsewhere/x"), &f->err));
    assert_null(inotify_notify.limited(f->notify));
    assert_int_equal(symlink("../elsewhere", in(f, "landing/link")), 0);
    poll_now(f);
    assert_non_null(hint_of(f, "landing/link", NULL));
    assert_non_null(strstr(inotify_notify.limited(f->notify), "symbolic link"));
    put(f, "landing/link/x/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/link/x", "a"));
}

static void a_folder_that_is_deleted_and_made_again_is_watched_again(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mkdir(in(f, "landing/d"), 0777), 0);
        if (i < 2) assert_int_equal(rmdir(in(f, "landing/d")), 0);
        if (i == 0) poll_now(f);
    }
    poll_now(f);
    assert_non_null(hint_of(f, "landing/d", NULL));
    put(f, "landing/d/a");
    poll_now(f);
    assert_non_null(hint_of(f, "landing/d", "a"));
    assert_null(inotify_notify.limited(f->notify));
}

static void without_an_instance_the_stream_goes_on_by_listing(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, none;
    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    struct notify_spec spec = {.roots = &f->root, .root_count = 1};
    struct notify *notify = inotify_notify.open(&spec, &f->err);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_non_null(notify);
    assert_int_equal(inotify_notify.fd(notify), -1);
    assert_non_null(strstr(inotify_notify.limited(notify), "sysctl fs.inotify.max_user_instances="));
    assert_true(inotify_notify.poll(notify, 0, f->arena, &f->batch, &f->err));
    assert_int_equal(f->batch.count, 0);
    inotify_notify.close(notify);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_written_file_is_hinted_at_once), TEST(a_hard_link_is_hinted_at_without_promise), TEST(a_file_that_is_opened_again_is_no_longer_complete),
        TEST(folders_made_while_watching_are_watched), TEST(a_tree_that_is_moved_in_is_watched_under_its_new_name), TEST(hidden_folders_are_not_watched),
        TEST(a_lost_queue_asks_for_a_rescan), TEST(a_root_that_goes_and_comes_back_asks_for_a_rescan), TEST(a_root_below_a_folder_that_is_replaced_asks_for_a_rescan),
        TEST(a_link_to_a_folder_is_watched_and_the_listing_goes_on), TEST(a_folder_that_is_deleted_and_made_again_is_watched_again),
        TEST(without_an_instance_the_stream_goes_on_by_listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
